"""Load, decide, append: the one way that a command changes a user's stream.

One command of a user at a time in a process (the mailbox); between processes the stream's version is the guard.
A refusal or an empty decision rests on a state that may be stale, so it is confirmed against the stream's head
before anybody hears of it. No answer leaves before its events are committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import msgspec

from commands.context import CommandContext, Limits, event_id
from commands.decide import Command, decide
from commands.mailboxes import Mailboxes
from commands.replies import StartReply
from commands.states import States
from domain.brain import Brain
from domain.errors import Conflict, DomainError, Gone, KeyReused, Unavailable
from domain.events import BrainEvent, ConversationStarted, Fact, Meta, NoteAdded
from domain.evolve import evolve, sealing_key
from domain.ports import (
    Append,
    Appended,
    AppendRefused,
    Clock,
    Duplicate,
    EventLog,
    NewId,
    VersionConflict,
    WorkChange,
    WorkClaimed,
    WorkDone,
    WorkWanted,
)
from domain.values import REDACTED, Json, Origin
from infra import codec
from infra.keys.keyring import Keyring, UserKeys
from infra.telemetry import get_logger

_logger = get_logger(__name__)

CONFLICTS_MAX = 20  # each one means that another process moved the stream; two processes seldom meet more than twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A decided command: the state before and after, and the facts between them (none: nothing changed)."""

    before: Brain
    after: Brain
    facts: tuple[Fact, ...]
    context: CommandContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`key_id`: the key of the object that the answer shows; None means the user's."""

    body: dict[str, Json]
    status: int = 200
    key_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Where a command came from. `key` is the client's idempotency key; `fingerprint` what it must stand for."""

    key: str | None = None
    fingerprint: bytes = b""
    causation_id: str | None = None
    correlation_id: str | None = None
    origin: Origin = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """`body` is the JSON answer, byte for byte the same when the command is sent again. `outcome` is None then."""

    status: int
    body: bytes
    version: int
    outcome: Outcome | None = None


NO_REQUEST = Request()
AnswerOf = Callable[[Outcome], Answer]


def no_answer(outcome: Outcome) -> Answer:
    return Answer(body={})


class CommandHandler:
    def __init__(
        self,
        log: EventLog,
        keyring: Keyring,
        states: States,
        clock: Clock,
        new_id: NewId,
        limits: Limits,
        *,
        same_key_wait_seconds: float = 2.0,
        wake: Callable[[str], None] = lambda user_id: None,
    ) -> None:
        """`wake(user_id)` is called after a commit that leaves a reply waiting for a worker; it must not block."""
        self._log = log
        self._keyring = keyring
        self._states = states
        self._clock = clock
        self._new_id = new_id
        self._limits = limits
        self._same_key_wait_seconds = same_key_wait_seconds
        self._wake = wake
        self._mailboxes = Mailboxes()
        self._in_flight: dict[tuple[str, str], asyncio.Event] = {}
        self._snapshots: set[asyncio.Task[None]] = set()
        self._snapshotting: set[str] = set()

    @property
    def states(self) -> States:
        return self._states

    async def handle(
        self, user_id: str, command: Command, request: Request = NO_REQUEST, answer: AnswerOf = no_answer
    ) -> Handled:
        """Judge `command` and commit what it leads to; `answer` makes the answer that is stored with it.

        Raises `DomainError`: the command's refusal, `KeyReused`, `Conflict` (still running), `Gone` (what the stored
        answer showed was deleted), `Unavailable` (the outcome is unknown: send it again with the same key).
        """
        keys = await self._keyring.load(user_id)
        command_id = self._new_id() if request.key is None else _command_id(request.key, keys)
        flight = (user_id, command_id)
        await self._until_not_running(flight)
        done = self._in_flight[flight] = asyncio.Event()
        try:
            async with self._mailboxes.turn(user_id):
                return await self._decide_until_committed(user_id, command, request, answer, command_id)
        finally:
            del self._in_flight[flight]
            done.set()

    async def find_answer(self, user_id: str, request: Request) -> Handled | None:
        """What was answered to this request before, for one that takes several commands. Raises as `handle` does."""
        if request.key is None:
            return None
        keys = await self._keyring.load(user_id)
        command_id = _command_id(request.key, keys)
        found = await self._log.find_command(user_id, command_id)
        if found is None:
            return None
        return await self._stored_answer(found, user_id, command_id, _fingerprint(request, keys))

    async def _until_not_running(self, flight: tuple[str, str]) -> None:
        """The same command sent again while it runs here waits for it, and then finds its stored answer."""
        if flight not in self._in_flight:
            return
        try:
            async with asyncio.timeout(self._same_key_wait_seconds):
                while (running := self._in_flight.get(flight)) is not None:
                    await running.wait()
        except TimeoutError:
            raise Conflict(
                "The same request is still running. Send it again in a moment.",
                code="request_running",
                retry_after_seconds=1,
            ) from None

    async def _decide_until_committed(
        self, user_id: str, command: Command, request: Request, answer: AnswerOf, command_id: str
    ) -> Handled:
        brain = await self._states.load(user_id)
        for _ in range(CONFLICTS_MAX):
            clock_ms = self._clock.now_ms()
            at_ms = max(clock_ms, brain.last_at_ms)
            context = CommandContext(
                user_id=user_id,
                command_id=command_id,
                now_ms=at_ms,
                user_offset_ms=self._clock.user_now_ms() - at_ms,
                ahead_ms=at_ms - clock_ms,
                origin=request.origin,
                limits=self._limits,
            )
            refusal: DomainError | None = None
            events: list[BrainEvent] = []
            try:
                events = decide(command, brain, context)
            except DomainError as error:
                refusal = error
            keys = await self._keys_for(user_id, events)
            if any(
                keys.destroyed(event.key_id) for event in events if isinstance(event, ConversationStarted | NoteAdded)
            ):
                # Ids of keys are derived from the command: what this one made was deleted since.
                if (found := await self._log.find_command(user_id, command_id)) is not None:
                    return await self._stored_answer(found, user_id, command_id, _fingerprint(request, keys))
                raise Gone("What this request made was deleted for good.", code="answer_gone")
            outcome = _outcome(brain, events, context, request, keys)
            if any(keys.destroyed(fact.meta.key_id or keys.user_key_id) for fact in outcome.facts):
                # This process heard of a deletion that the state did not know of yet: it is decided again.
                brain = await self._states.refresh(user_id)
                continue
            answered = None if refusal is not None else answer(outcome)
            append = self._append(user_id, command, request, outcome, answered, keys)
            verdict = await self._log.append(append)
            match verdict:
                case Appended():
                    if refusal is not None:
                        raise refusal
                    assert answered is not None
                    self._committed(user_id, outcome)
                    if isinstance(append.work, WorkWanted):
                        self._wake(user_id)
                    return Handled(
                        status=answered.status,
                        body=msgspec.json.encode(answered.body),
                        version=outcome.after.version,
                        outcome=outcome,
                    )
                case Duplicate():
                    return await self._stored_answer(verdict, user_id, command_id, append.fingerprint)
                case VersionConflict():
                    if verdict.head < brain.version:
                        self._states.drop(user_id)  # the log was set back: nothing cached can be trusted
                    brain = await self._states.refresh(user_id)
                case AppendRefused():
                    if verdict.reason == "erased":
                        # Whoever returns after erasure is somebody new: nothing known of the old one may serve them.
                        self._keyring.bury_user(user_id)
                        self._states.drop(user_id)
                    raise _refused(verdict)
        raise Unavailable(
            "Too many writers at once for this user. Send it again.", code="contended", retry_after_seconds=1
        )

    async def _keys_for(self, user_id: str, events: list[BrainEvent]) -> UserKeys:
        """The user's keys, with those that the events bring in created and read back before their first use."""
        keys = await self._keyring.load(user_id)
        for event in events:
            match event:
                case ConversationStarted():
                    keys = await self._keyring.create_key(user_id, event.key_id, "conversation", event.conversation_ref)
                case NoteAdded():
                    keys = await self._keyring.create_key(user_id, event.key_id, "note", event.note_ref)
                case _:
                    pass
        return keys

    def _append(
        self,
        user_id: str,
        command: Command,
        request: Request,
        outcome: Outcome,
        answered: Answer | None,
        keys: UserKeys,
    ) -> Append:
        rows = [codec.seal(fact, user_id, keys) for fact in outcome.facts]
        sealed_answer = key_id = None
        if answered is not None:
            key_id = answered.key_id or keys.user_key_id
            aad = _answer_aad(user_id, outcome.context.command_id)
            sealed_answer = codec.seal_entry(msgspec.json.encode(answered.body), aad, key_id, keys)
        return Append(
            user_id=user_id,
            expected_version=outcome.before.version,
            events=rows,
            command_id=outcome.context.command_id,
            fingerprint=_fingerprint(request, keys),
            status=answered.status if answered is not None else 0,
            answer=sealed_answer,
            answer_key_id=key_id,
            work=_work_change(outcome, command),
        )

    async def _stored_answer(self, duplicate: Duplicate, user_id: str, command_id: str, fingerprint: bytes) -> Handled:
        """Raises `KeyReused`, and `Gone` as soon as what the answer shows is deleted, swept up or not."""
        if duplicate.fingerprint != fingerprint:
            raise KeyReused("This Idempotency-Key was used for another request. Use a new key for a new request.")
        keys = await self._keyring.load(user_id)
        key_id = duplicate.answer_key_id or keys.user_key_id
        is_shown = key_id == keys.user_key_id or _holds(await self._states.load(user_id), key_id)
        # Another process may have made it just now.
        if not is_shown and not _holds(await self._states.refresh(user_id), key_id):
            raise Gone("What this request made was deleted for good.", code="answer_gone")
        place = _answer_aad(user_id, command_id)
        body = await self._keyring.opened(user_id, lambda keys: codec.open_entry(duplicate.answer, place, key_id, keys))
        if body is REDACTED:
            raise Gone("What this request made was deleted for good.", code="answer_gone")
        return Handled(status=duplicate.status, body=body, version=duplicate.version)

    def _committed(self, user_id: str, outcome: Outcome) -> None:
        self._states.put(user_id, outcome.after)
        if outcome.after.erased:
            self._keyring.bury_user(user_id)  # at once: the caller's next request is somebody new
            return
        if user_id not in self._snapshotting and self._states.snapshot_due(user_id, outcome.after):
            self._snapshotting.add(user_id)
            task = asyncio.create_task(self._snapshot(user_id, outcome.after))
            self._snapshots.add(task)
            task.add_done_callback(self._snapshots.discard)

    async def _snapshot(self, user_id: str, brain: Brain) -> None:
        try:
            await self._states.save_snapshot(user_id, brain)
        except DomainError as error:
            _logger.warning("snapshot_failed", error=error.code)
        finally:
            self._snapshotting.discard(user_id)

    async def aclose(self) -> None:
        """Wait for snapshots under way."""
        await asyncio.gather(*self._snapshots, return_exceptions=True)


def _outcome(
    brain: Brain, events: list[BrainEvent], context: CommandContext, request: Request, keys: UserKeys
) -> Outcome:
    facts: list[Fact] = []
    after = brain
    for ordinal, event in enumerate(events):
        meta = Meta(
            event_id=event_id(context.user_id, context.command_id, ordinal),
            command_id=context.command_id,
            causation_id=request.causation_id or context.command_id,
            correlation_id=request.correlation_id or context.command_id,
            origin=request.origin,
            at_ms=context.now_ms,
            end_version=brain.version + len(events),
            key_id=sealing_key(after, event, keys.user_key_id),
        )
        fact = Fact(version=after.version + 1, event=event, meta=meta)
        facts.append(fact)
        after = evolve(after, fact)
    return Outcome(before=brain, after=after, facts=tuple(facts), context=context)


def _work_change(outcome: Outcome, command: Command) -> WorkChange | None:
    """What the user's `work` row becomes: a claim says so itself; else it follows the head of the queue."""
    before, after = outcome.before, outcome.after
    if not outcome.facts:
        return None
    if isinstance(command, StartReply):
        return WorkClaimed(command.reply_id, command.after_attempt + 1, command.owner, command.lease_seconds)
    head_before = before.queue[0] if before.queue else None
    head_after = after.queue[0] if after.queue else None
    if head_after == head_before:
        return None
    return WorkDone() if head_after is None else WorkWanted(head_after)


def _holds(brain: Brain, key_id: str) -> bool:
    """Whether a conversation or a note of this key is there."""
    if any(known.key_id == key_id for known in brain.conversations.values()):
        return True
    return any(known.key_id == key_id for known in brain.notes.values())


def _command_id(key: str, keys: UserKeys) -> str:
    """The same key of the same user is the same command, for ever; nobody can tell the key from it."""
    return str(UUID(bytes=keys.keyed_hash("command", key.encode())[:16], version=5))


def _fingerprint(request: Request, keys: UserKeys) -> bytes:
    return keys.keyed_hash("request", request.fingerprint)


def _answer_aad(user_id: str, command_id: str) -> str:
    return f"{user_id}\nanswer\n{command_id}"


def _refused(verdict: AppendRefused) -> DomainError:
    match verdict.reason:
        case "leased":
            return Conflict(
                "Another worker writes this reply. Wait until its message has ended, or stop it first.", code="leased"
            )
        case "erased":
            return Gone("This user was erased.", code="erased")
        case "not_owned":
            return Unavailable("This user lives on another log.", code="not_owned", retry_after_seconds=1)
