"""`evolve`: how each fact changes a `Brain`. Pure, total over all events, and the only way a `Brain` changes."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, assert_never

from domain import limits
from domain.brain import (
    ActionRecord,
    Brain,
    ContextEntry,
    Conversation,
    MemoryState,
    NoteState,
    PreferenceState,
    Reply,
    SessionState,
    TaskState,
)
from domain.copying import drop, put, with_changes
from domain.day_folds import fold_day, fold_due
from domain.events import (
    ActionCreated,
    ActionResolved,
    BookingStepTaken,
    BrainEvent,
    BudgetWarned,
    CalendarEventAdded,
    CalendarEventChanged,
    CalendarEventRemoved,
    ConversationArchived,
    ConversationDeleted,
    ConversationRenamed,
    ConversationRestored,
    ConversationStarted,
    Fact,
    FlightSearchStarted,
    FlightSelected,
    FlightsFound,
    MemoryForgotten,
    MemoryPinned,
    MessageReceived,
    NoteAdded,
    NoteDeleted,
    PlanSet,
    PreferenceSet,
    ReminderFired,
    ReplyCompleted,
    ReplyFailed,
    ReplyRequested,
    ReplyStarted,
    ReplyStopped,
    ReplyStopRequested,
    SessionClosed,
    SessionOpened,
    SpeechMade,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskReopened,
    TaskUpdated,
    TripDetected,
    TripForgotten,
    UserErased,
    VoiceJobEnded,
    VoiceJobStarted,
    WishScheduled,
)
from domain.travel_folds import fold_flights, fold_trip
from domain.values import REDACTED
from domain.voice_folds import fold_voice


def evolve(brain: Brain, fact: Fact) -> Brain:
    """The state after `fact`, which must be the next one of the stream."""
    if fact.version != brain.version + 1:
        raise AssertionError(f"version {fact.version} cannot follow {brain.version}")
    changed = _fold(brain, fact.event, fact)
    if changed is brain:
        changed = with_changes(brain)
    # Nobody has seen it yet: a second copy, for each event of every stream, would cost as much as the fold itself.
    object.__setattr__(changed, "version", fact.version)
    object.__setattr__(changed, "last_at_ms", max(brain.last_at_ms, fact.meta.at_ms))
    return changed


def _fold(brain: Brain, event: BrainEvent, fact: Fact) -> Brain:
    end = fact.meta.end_version
    match event:
        case MessageReceived():
            return _message_received(brain, event, fact)
        case ReplyRequested() | ReplyStarted() | ReplyStopRequested():
            return _reply_goes_on(brain, event, end)
        case ReplyCompleted() | ReplyFailed() | ReplyStopped():
            return _reply_ended(brain, event, fact)
        case ActionCreated() | ActionResolved():
            return _action(brain, event, end)
        case TaskCreated() | TaskUpdated() | TaskCompleted() | TaskReopened() | TaskDeleted():
            return _task(brain, event, fact)
        case SessionOpened():
            opened = SessionState(opened_at_ms=fact.meta.at_ms, version=end)
            return with_changes(brain, sessions=put(brain.sessions, event.session_id, opened))
        case SessionClosed():
            return with_changes(brain, sessions=drop(brain.sessions, event.session_id))
        case MemoryPinned() | MemoryForgotten() | NoteAdded() | NoteDeleted() | PreferenceSet():
            return _kept(brain, event, fact)
        case PlanSet() | CalendarEventAdded() | CalendarEventChanged() | CalendarEventRemoved():
            return fold_day(brain, event, fact)
        case ReminderFired() | WishScheduled() | BudgetWarned():
            return fold_due(brain, event, fact)
        case TripDetected() | TripForgotten():
            return fold_trip(brain, event, fact)
        case FlightSearchStarted() | FlightsFound() | FlightSelected() | BookingStepTaken():
            return fold_flights(brain, event, fact)
        case VoiceJobStarted() | VoiceJobEnded() | SpeechMade():
            return fold_voice(brain, event, fact)
        case UserErased():
            return Brain(erased=True)
        case (
            ConversationStarted()
            | ConversationRenamed()
            | ConversationArchived()
            | ConversationRestored()
            | ConversationDeleted()
        ):
            return _conversation(brain, event, end)
        case _:
            assert_never(event)


def _conversation(
    brain: Brain,
    event: ConversationStarted
    | ConversationRenamed
    | ConversationArchived
    | ConversationRestored
    | ConversationDeleted,
    end: int,
) -> Brain:
    ref = event.conversation_ref
    if isinstance(event, ConversationStarted):
        started = Conversation(
            key_id=event.key_id,
            conversation_id="" if event.content is REDACTED else event.content.conversation_id,
            main=event.main,
            version=end,
        )
        return with_changes(
            brain,
            conversations=put(brain.conversations, ref, started),
            main_conversation=ref if event.main else brain.main_conversation,
        )
    if isinstance(event, ConversationDeleted):
        return with_changes(
            brain,
            conversations=drop(brain.conversations, ref),
            main_conversation=None if brain.main_conversation == ref else brain.main_conversation,
            context=drop(brain.context, ref),
            replies={k: r for k, r in brain.replies.items() if r.ref.conversation_ref != ref},
            reply_of={m: r for m, r in brain.reply_of.items() if brain.replies[r].ref.conversation_ref != ref},
            actions={k: a for k, a in brain.actions.items() if a.conversation_ref != ref},
        )
    known = brain.conversations[ref]
    archived = known.archived
    if isinstance(event, ConversationArchived):
        archived = True
    elif isinstance(event, ConversationRestored):
        archived = False
    changed = replace(known, archived=archived, version=end)
    return with_changes(brain, conversations=put(brain.conversations, ref, changed))


def _message_received(brain: Brain, event: MessageReceived, fact: Fact) -> Brain:
    at_ms = fact.meta.at_ms
    # Times never go back within a stream.
    recent = brain.accepted_at_ms[bisect_right(brain.accepted_at_ms, at_ms - limits.RATE_WINDOW_MS) :]
    # What comes by itself takes nothing of what the user may send.
    accepted = recent if fact.meta.origin == "schedule" else (*recent, at_ms)
    entry = ContextEntry(turn=fact.version, role="user", id=event.message_id, version=fact.version)
    return with_changes(
        brain,
        accepted_at_ms=accepted[-limits.RATE_MESSAGES_KEPT_MAX :],
        context=_with_context(brain.context, event.conversation_ref, entry),
    )


def _with_context(
    context: Mapping[str, tuple[ContextEntry, ...]], ref: str, entry: ContextEntry
) -> Mapping[str, tuple[ContextEntry, ...]]:
    entries = list(context.get(ref, ()))
    insort(entries, entry, key=lambda e: (e.turn, e.role == "assistant", e.version))
    kept = tuple(entries[-limits.CONTEXT_MESSAGES_KEPT_MAX :])
    return put(context, ref, kept, keep_max=limits.CONTEXT_CONVERSATIONS_KEPT_MAX)


def _reply_goes_on(brain: Brain, event: ReplyRequested | ReplyStarted | ReplyStopRequested, end: int) -> Brain:
    ref = event.reply
    if isinstance(event, ReplyRequested):
        context = brain.context
        if ref.supersedes is not None and ref.conversation_ref in context:
            kept = tuple(e for e in context[ref.conversation_ref] if e.id != ref.supersedes)
            context = {**context, ref.conversation_ref: kept}
        reply_of = put(brain.reply_of, ref.message_id, ref.reply_id)
        replies = put(brain.replies, ref.reply_id, Reply(ref=ref, version=end))
        return _forget_old_replies(
            with_changes(brain, replies=replies, reply_of=reply_of, queue=(*brain.queue, ref.reply_id), context=context)
        )
    known = brain.replies[ref.reply_id]
    if isinstance(event, ReplyStarted):
        known = replace(
            known,
            status="stopping" if known.status == "stopping" else "running",
            attempt=event.attempt,
            tries=event.tries,
            owner=event.owner,
            reserved_tokens=event.reserved_tokens,
            version=end,
        )
    else:
        known = replace(known, status="stopping", version=end)
    return with_changes(brain, replies={**brain.replies, ref.reply_id: known})


def _forget_old_replies(brain: Brain) -> Brain:
    """Drop the oldest ended replies beyond the cap. Waiting ones are never dropped: their number is capped too."""
    surplus = len(brain.replies) - limits.REPLIES_KEPT_MAX - len(brain.queue)
    if surplus <= 0:
        return brain
    ended = [reply_id for reply_id, reply in brain.replies.items() if reply.ended][:surplus]
    replies = {k: v for k, v in brain.replies.items() if k not in ended}
    reply_of = {m: r for m, r in brain.reply_of.items() if r in replies}
    return with_changes(brain, replies=replies, reply_of=reply_of)


def _reply_ended(brain: Brain, event: ReplyCompleted | ReplyFailed | ReplyStopped, fact: Fact) -> Brain:
    ref = event.reply
    status: Literal["completed", "failed", "stopped"]
    match event:
        case ReplyCompleted():
            status = "completed"
        case ReplyFailed():
            status = "failed"
        case ReplyStopped():
            status = "stopped"
    known = brain.replies.get(ref.reply_id)
    if known is None:
        raise AssertionError(f"reply {ref.reply_id} ended but was never requested")
    ended = replace(known, status=status, attempt=event.attempt, reserved_tokens=0, version=fact.meta.end_version)
    day = fact.meta.at_ms // limits.DAY_MS
    before, searches = (brain.usage_tokens, brain.usage_searches) if brain.usage_day == day else (0, 0)
    entry = ContextEntry(turn=ref.message_version, role="assistant", id=ref.reply_id, version=fact.version)
    return with_changes(
        brain,
        replies={**brain.replies, ref.reply_id: ended},
        queue=tuple(reply_id for reply_id in brain.queue if reply_id != ref.reply_id),
        context=_with_context(brain.context, ref.conversation_ref, entry),
        usage_day=day,
        usage_tokens=before + event.usage.total_tokens,
        usage_searches=searches,
    )


def _action(brain: Brain, event: ActionCreated | ActionResolved, end: int) -> Brain:
    record = ActionRecord(
        message_id=event.message_id,
        reply_id=event.reply_id,
        conversation_ref=event.conversation_ref,
        attempt=event.attempt,
        kind=event.kind,
        ordinal=event.ordinal,
        status=event.status,
        result_id=event.result_id,
        version=end,
    )
    actions = put(brain.actions, event.action_id, record, keep_max=limits.ACTIONS_KEPT_MAX)
    return with_changes(brain, actions=actions)


def _task(
    brain: Brain, event: TaskCreated | TaskUpdated | TaskCompleted | TaskReopened | TaskDeleted, fact: Fact
) -> Brain:
    if isinstance(event, TaskDeleted):
        return with_changes(brain, tasks=drop(brain.tasks, event.task_id))
    if event.content is REDACTED:
        return brain
    created_at_ms = fact.meta.at_ms if isinstance(event, TaskCreated) else event.created_at_ms
    state = TaskState(
        task=event.content,
        created_from=event.created_from,
        created_at_ms=created_at_ms,
        version=fact.meta.end_version,
        remind_at_ms=None if isinstance(event, TaskCompleted) else event.remind_at_ms,
        reminded_ms=None if isinstance(event, TaskCreated) else event.reminded_ms,
    )
    if event.task_id in brain.tasks and brain.tasks[event.task_id].task.status == event.content.status:
        tasks = {**brain.tasks, event.task_id: state}
    else:
        tasks = put(brain.tasks, event.task_id, state)
    if event.content.status == "done":
        done = [task_id for task_id, t in tasks.items() if t.task.status == "done"]
        for task_id in done[: max(0, len(done) - limits.TASKS_DONE_KEPT_MAX)]:
            del tasks[task_id]
    return with_changes(brain, tasks=tasks)


def _kept(
    brain: Brain, event: MemoryPinned | MemoryForgotten | NoteAdded | NoteDeleted | PreferenceSet, fact: Fact
) -> Brain:
    end = fact.meta.end_version
    match event:
        case MemoryPinned():
            if event.content is REDACTED:
                return brain
            pinned = MemoryState(memory=event.content, pinned_at_ms=fact.meta.at_ms, version=end)
            return with_changes(brain, memories=put(brain.memories, event.memory_id, pinned))
        case MemoryForgotten():
            return with_changes(brain, memories=drop(brain.memories, event.memory_id))
        case NoteAdded():
            note = NoteState(key_id=event.key_id, event_version=fact.version, version=end)
            return with_changes(brain, notes=put(brain.notes, event.note_ref, note))
        case NoteDeleted():
            return with_changes(brain, notes=drop(brain.notes, event.note_ref))
        case PreferenceSet():
            if event.content is REDACTED:
                return brain
            known = PreferenceState(key=event.content.key, value=event.content.value, version=end)
            return with_changes(brain, preferences=put(brain.preferences, event.preference_ref, known))


def sealing_key(brain: Brain, event: BrainEvent, user_key_id: str) -> str:
    """The id of the key that `event` is sealed under, given the state just before it."""
    match event:
        case (
            MessageReceived()
            | ActionCreated()
            | ActionResolved()
            | ConversationRenamed()
            | ConversationArchived()
            | ConversationRestored()
        ):
            return brain.conversations[event.conversation_ref].key_id
        case (
            ReplyRequested() | ReplyStarted() | ReplyStopRequested() | ReplyCompleted() | ReplyFailed() | ReplyStopped()
        ):
            return brain.conversations[event.reply.conversation_ref].key_id
        case NoteAdded():
            return event.key_id
        case _:
            return user_key_id
