"""What a prompt is made from, read from the user's own stream: the conversation, attached notes, actions done already.

Never from a view, which may lag. Owns which events are read; what of them is said is for build.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.brain import Brain
from domain.events import (
    ActionCreated,
    BrainEvent,
    Fact,
    MessageReceived,
    ReplyCompleted,
    ReplyFailed,
    ReplyRequested,
    ReplyStopped,
)
from domain.limits import CONTEXT_MESSAGES_KEPT_MAX
from domain.ports import EventLog
from domain.values import REDACTED, ReplyRef
from infra import codec
from infra.keys.keyring import Keyring
from workers.prompts.days import Scene
from workers.understanding.flight_words import spoken
from workers.understanding.grounding import points_back
from workers.understanding.intents import Asked, asked
from workers.understanding.notes import fitting_notes, note_text

MESSAGES_ENOUGH = 4  # with so many before the question nothing else is looked for
SCANNED_EVENTS_MAX = 500  # looked through for a conversation whose last messages the state has let go
TALKED_OF = 6  # messages before the question that "it" may be about
DONE_LOOKED_AT_MAX = 200  # tasks that were completed last
DEED_EVENTS_MAX = 4  # of one action's command, before the action itself
NOTES_A_READ = 20
NOTES_CHARACTERS_MAX = 500_000  # looked through for a note, from the newest back

_OF_CONVERSATION = ("MessageReceived", "ReplyRequested", "ReplyCompleted", "ReplyFailed", "ReplyStopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`done` has the facts of each action that was done for the message before, in their order: deeds, then action.
    `asked` is what the message is about; `spoken` what else the user said, where the message points back to it.
    `notes`: all of the user's, where one is to be named; `notes_kept`: how many were looked through for an answer."""

    scene: Scene
    done: Mapping[str, Sequence[Fact]]
    asked: Asked
    spoken: str = ""
    notes: Sequence[Fact] | None = None
    notes_kept: int | None = None


async def read_context(
    log: EventLog, keyring: Keyring, user_id: str, brain: Brain, reply: ReplyRef, *, offset_ms: int = 0
) -> Context:
    """One indexed read, and a second one for notes. `offset_ms`: how far the users' clock is ahead of events' times.
    Raises `Unavailable`, or `CorruptEvent` for what does not open."""
    entries = brain.context.get(reply.conversation_ref, ())
    messages = {entry.version for entry in entries if _is_before(entry.turn, reply)}
    is_all = len(messages) >= MESSAGES_ENOUGH or not _was_cut(brain, reply, has_any=bool(messages))
    messages.add(reply.message_version)
    actions = [record.version for record in brain.actions.values() if record.message_id == reply.message_id]
    around = {version for last in actions for version in range(last - DEED_EVENTS_MAX, last + 1) if version > 0}
    facts = await _read(log, keyring, user_id, messages | around)
    shown = {fact.version: fact for fact in facts if fact.version in messages or fact.version in actions}
    question = shown[reply.message_version].event
    more = await _read(log, keyring, user_id, question.note_versions) if isinstance(question, MessageReceived) else []
    if not is_all:
        more += await _scan(log, keyring, user_id, brain, reply)
    shown.update((fact.version, fact) for fact in more)
    talk = _talk(shown.values(), reply)
    wanted = _asked(question, reply, talk)
    notes_wanted = None if _has_notes_attached(question) else wanted.notes
    notes = await _notes(log, keyring, user_id, brain) if notes_wanted or "delete_note" in wanted.kinds else None
    if notes and notes_wanted:
        fitting = await asyncio.to_thread(fitting_notes, notes, notes_wanted)  # of much text it takes a while
        shown.update((fact.version, fact) for fact in fitting)
    scene = Scene(
        brain=brain,
        reply=reply,
        facts=list(shown.values()),
        times=await _times_of_done(log, user_id, brain, offset_ms) if wanted.intent == "summary" else {},
    )
    before = "\n".join(text for _, text in talk[-TALKED_OF - 1 : -1]) if points_back(wanted.words) else ""
    return Context(
        scene=scene,
        done=_by_action(facts, reply.message_id),
        asked=wanted,
        spoken=before,
        notes=notes,
        notes_kept=len(notes or ()) if notes_wanted and notes_wanted.is_plain else None,
    )


def _talk(facts: Iterable[Fact], reply: ReplyRef) -> list[tuple[str, str]]:
    """The conversation as (role, text), oldest first, up to the message that is answered."""
    talk = []
    for fact in sorted(facts, key=lambda each: each.version):
        event = fact.event
        if isinstance(event, MessageReceived) and event.content is not REDACTED:
            talk.append((fact.version, 0, "user", event.content.text))
        elif isinstance(event, ReplyCompleted | ReplyFailed | ReplyStopped) and event.content is not REDACTED:
            talk.append((event.reply.message_version, 1, "assistant", event.content.text or ""))
    return [(role, text) for turn, _, role, text in sorted(talk) if turn <= reply.message_version]


def _asked(question: BrainEvent, reply: ReplyRef, talk: Sequence[tuple[str, str]]) -> Asked:
    """What the message asks for; an answer to a question of ours asks for what was asked for before."""
    if not isinstance(question, MessageReceived) or question.content is REDACTED or not talk:
        return asked("", origin=reply.origin)
    text = question.content.text
    meant = spoken(talk) if reply.origin == "user" else text
    return asked(text if meant == text else meant, origin=reply.origin, hint=question.content.intent)


def _has_notes_attached(question: BrainEvent) -> bool:
    return isinstance(question, MessageReceived) and bool(question.note_versions)


async def _notes(log: EventLog, keyring: Keyring, user_id: str, brain: Brain) -> list[Fact]:
    """The user's notes, from the newest back, as many as are read in a moment."""
    versions = sorted((state.event_version for state in brain.notes.values()), reverse=True)
    facts: list[Fact] = []
    characters = 0
    for start in range(0, len(versions), NOTES_A_READ):
        page = await _read(log, keyring, user_id, versions[start : start + NOTES_A_READ])
        facts += page
        characters += sum(len(each.text) for fact in page if (each := note_text(fact)) is not None)
        if characters > NOTES_CHARACTERS_MAX:
            break
    return facts


async def _times_of_done(log: EventLog, user_id: str, brain: Brain, offset_ms: int) -> dict[int, int]:
    """When tasks were completed, on the users' clock, by the version at which they were; of the newest."""
    versions = sorted((s.version for s in brain.tasks.values() if s.task.status == "done"), reverse=True)
    rows = await log.read_versions(user_id, sorted(versions[:DONE_LOOKED_AT_MAX]))
    return {row.version: codec.peek(row).at_ms + offset_ms for row in rows}


def question_text(scene: Scene) -> str:
    """What the user wrote, whole: the message that is answered, and nothing where it was deleted."""
    question = scene.question
    return "" if question is None or question.content is REDACTED else question.content.text


async def read_action(
    log: EventLog, keyring: Keyring, user_id: str, brain: Brain, action_id: str
) -> Sequence[Fact] | None:
    """The facts of one action that the state knows: its deeds', then its own. None where it was resolved since."""
    last = brain.actions[action_id].version
    facts = await _read(log, keyring, user_id, range(max(1, last - DEED_EVENTS_MAX), last + 1))
    return _by_action(facts, brain.actions[action_id].message_id).get(action_id)


def _is_before(turn: int, reply: ReplyRef) -> bool:
    return turn < reply.message_version


def _was_cut(brain: Brain, reply: ReplyRef, *, has_any: bool) -> bool:
    """Whether the conversation may have messages before this one that the state does not know any more: pushed out by
    many that wait behind it, or let go with a conversation that was quiet for long."""
    is_full = len(brain.context.get(reply.conversation_ref, ())) >= CONTEXT_MESSAGES_KEPT_MAX
    return is_full or (not has_any and brain.conversations[reply.conversation_ref].version < reply.message_version)


def _by_action(facts: Sequence[Fact], message_id: str) -> dict[str, Sequence[Fact]]:
    """Events of one command belong together; the last of them says which action they are."""
    done: dict[str, Sequence[Fact]] = {}
    for fact in sorted(facts, key=lambda each: each.version):
        event = fact.event
        if isinstance(event, ActionCreated) and event.message_id == message_id:
            command_id = fact.meta.command_id
            done[event.action_id] = [f for f in facts if f.meta.command_id == command_id and f.version <= fact.version]
    return done


async def _read(log: EventLog, keyring: Keyring, user_id: str, versions: Collection[int]) -> list[Fact]:
    if not versions:
        return []
    rows = await log.read_versions(user_id, sorted(versions))
    return await keyring.open_events(user_id, rows)


async def _scan(log: EventLog, keyring: Keyring, user_id: str, brain: Brain, reply: ReplyRef) -> list[Fact]:
    """The conversation's messages among the last events: for one that was quiet for long, or many that wait at once."""
    rows = await log.read_stream(
        user_id, after=max(0, brain.version - SCANNED_EVENTS_MAX), until=brain.version, limit=SCANNED_EVENTS_MAX
    )
    wanted = []
    for row in rows:
        if row.name in _OF_CONVERSATION:
            data = codec.peek(row).data
            ref = data.conversation_ref if row.name == "MessageReceived" else data.reply.conversation_ref
            if ref == reply.conversation_ref:
                wanted.append(row)
    facts = await keyring.open_events(user_id, wanted)
    superseded = {fact.event.reply.supersedes for fact in facts if isinstance(fact.event, ReplyRequested)}
    return [fact for fact in facts if _is_message_before(fact, reply, superseded)]


def _is_message_before(fact: Fact, reply: ReplyRef, superseded: set[str | None]) -> bool:
    event = fact.event
    match event:
        case MessageReceived():
            return _is_before(fact.version, reply)
        case ReplyCompleted() | ReplyFailed() | ReplyStopped():
            return _is_before(event.reply.message_version, reply) and event.reply.reply_id not in superseded
        case _:
            return False
