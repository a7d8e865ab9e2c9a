"""Streams of users as commands make them: decided, folded and sealed, without a database."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from commands.actions import RunAction
from commands.calendar import ImportCalendar, RemoveCalendarEvent, SetCalendarEvent
from commands.context import CommandContext, Limits, event_id
from commands.conversations import ChangeConversation, DeleteConversation
from commands.decide import Command, decide
from commands.erasure import EraseUser
from commands.foreign_events import entry_of
from commands.memory import ForgetMemory, PinMemory
from commands.messages import PostMessage, RegenerateReply, StopReply
from commands.notes import AddNote, DeleteNote
from commands.plans import SetPlan
from commands.preferences import SetPreference
from commands.reminders import FireReminder
from commands.replies import CompleteReply, Ending, EndReplyByTakeover, FailReply, StartReply
from commands.sessions import CloseSession, OpenSession
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from commands.wishes import FireWish
from domain.brain import EMPTY_BRAIN, Brain
from domain.errors import DomainError
from domain.events import ActionCreated, ActionResolved, BrainEvent, Fact, Meta
from domain.evolve import evolve, sealing_key
from domain.foreign_calendar import ForeignEvent
from domain.ports import StoredEvent
from domain.values import CalendarEntry, ModelUsage, Origin, Plan, Task
from infra import codec
from tests.support.travel_histories import travel_command
from tests.support.voice_histories import voice_command

START_MS = 1_763_546_400_000  # 2025-11-19T10:00:00Z


class PlainKeys:
    """`infra.codec.OpenedKeys` of one user: any key exists from its first use until it is destroyed."""

    def __init__(self, user_id: str) -> None:
        self.user_key_id = f"user key of {user_id}"
        self.reference_key = b"r" * 32
        self._destroyed: set[str] = set()
        self._nonces = 0

    def cipher(self, key_id: str) -> AESGCM | None:
        return None if key_id in self._destroyed else AESGCM(key_id.encode().ljust(32, b".")[:32])

    def nonce(self) -> bytes:
        self._nonces += 1
        return self._nonces.to_bytes(12, "big")

    def destroy(self, key_id: str) -> None:
        self._destroyed.add(key_id)


@dataclass(slots=True)
class History:
    """One user's stream. `do` decides a command and keeps what it led to; a refused one changes nothing."""

    user_id: str
    brain: Brain = EMPTY_BRAIN
    facts: list[Fact] = field(default_factory=list)
    rows: list[StoredEvent] = field(default_factory=list)
    now_ms: int = START_MS
    commands: int = 0
    keys: PlainKeys = field(init=False)
    next_position: Callable[[], int] | None = None

    def __post_init__(self) -> None:
        self.keys = PlainKeys(self.user_id)

    def do(self, *commands: Command) -> History:
        for command in commands:
            context = self._context("schedule" if isinstance(command, FireReminder | FireWish) else "user")
            try:
                self._keep(decide(command, self.brain, context), context)
            except DomainError:
                continue
        return self

    def record(self, *events: BrainEvent) -> History:
        """As one command's events, undecided."""
        self._keep(list(events), self._context())
        return self

    def erase(self) -> History:
        return self.do(EraseUser())

    def _context(self, origin: Origin = "user") -> CommandContext:
        self.commands += 1
        return CommandContext(
            user_id=self.user_id,
            command_id=f"c-{self.commands}",
            now_ms=self.now_ms,
            origin=origin,
            limits=Limits(messages_per_minute=0, tokens_per_day=0, flight_searches_per_day=2),
        )

    def _keep(self, events: list[BrainEvent], context: CommandContext) -> None:
        end = len(self.facts) + len(events)
        for ordinal, event in enumerate(events):
            meta = Meta(
                event_id=event_id(self.user_id, context.command_id, ordinal),
                command_id=context.command_id,
                causation_id=context.command_id,
                correlation_id=context.command_id,
                origin=context.origin,
                at_ms=context.now_ms,
                end_version=end,
                key_id=sealing_key(self.brain, event, self.keys.user_key_id),
            )
            fact = Fact(version=len(self.facts) + 1, event=event, meta=meta)
            self.brain = replace(evolve(replace(self.brain, version=fact.version - 1), fact), version=fact.version)
            new = codec.seal(fact, self.user_id, self.keys)
            self.facts.append(fact)
            position = self.next_position() if self.next_position is not None else fact.version
            self.rows.append(StoredEvent(position, self.user_id, fact.version, new.name, new.state))

    # --- shorthand --------------------------------------------------------------------------------------------

    def say(self, text: str = "hello", conversation: str | None = None) -> History:
        ref = f"c_{conversation or 'main'}"
        return self.do(PostMessage(channel="chat", text=text, conversation_id=conversation, conversation_ref=ref))

    def start(self) -> History:
        if not self.brain.queue:
            return self
        reply = self.brain.replies[self.brain.queue[0]]
        return self.do(
            StartReply(
                reply_id=reply.ref.reply_id,
                after_attempt=reply.attempt,
                owner="w",
                lease_seconds=3,
                reserved_tokens=100,
            )
        )

    def act(self, title: str = "from chat", *, ordinal: int = 1) -> History:
        """The running reply makes a task."""
        reply = self.brain.replies[self.brain.queue[0]]
        return self.do(
            RunAction(
                reply_id=reply.ref.reply_id,
                attempt=reply.attempt,
                kind="create_task",
                ordinal=ordinal,
                payload={"title": title},
                deed=CreateTask(task=Task(title=title)),
            )
        )

    def answer(self, text: str = "hi") -> History:
        """Start, unless it has, and complete the next reply."""
        if self.brain.replies[self.brain.queue[0]].status == "queued":
            self.start()
        reply = self.brain.replies[self.brain.queue[0]]
        return self.do(CompleteReply(reply_id=reply.ref.reply_id, attempt=reply.attempt, ending=ending(text)))

    def opt_in(self) -> History:
        """To reminders as messages."""
        value = {"reminders": "message"}
        return self.do(SetPreference(key="notifications", preference_ref="p_notifications", value=value))

    def remind(self) -> History:
        """A task is made that is due right now, and its reminder fires."""
        due = datetime.fromtimestamp(self.now_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
        known = set(self.brain.tasks)
        self.do(CreateTask(task=Task(title="due", due=due)))
        task_id = next(iter(set(self.brain.tasks) - known))
        due_at_ms = self.brain.tasks[task_id].remind_at_ms
        assert due_at_ms is not None
        return self.do(FireReminder(task_id=task_id, due_at_ms=due_at_ms, conversation_ref="c_main"))


def ending(text: str = "hi") -> Ending:
    return Ending(text=text, usage=ModelUsage(input_tokens=7, output_tokens=5))


def resolved(history: History) -> ActionResolved:
    """The newest action, approved."""
    created = next(fact.event for fact in reversed(history.facts) if isinstance(fact.event, ActionCreated))
    return ActionResolved(
        action_id=created.action_id,
        message_id=created.message_id,
        reply_id=created.reply_id,
        conversation_ref=created.conversation_ref,
        attempt=created.attempt,
        kind=created.kind,
        ordinal=created.ordinal,
        status="undone",
        content=created.content,
    )


# --- random streams -------------------------------------------------------------------------------------------

KINDS = (
    *("say", "say", "say", "start", "start", "complete", "complete", "fail", "stop", "regenerate", "take_over"),
    *("act", "create", "update", "finish", "reopen", "drop", "pin", "forget", "note", "unnote", "prefer", "plan"),
    *("meet", "move_meeting", "cancel_meeting", "import", "due", "remind", "remind", "notify", "wish"),
    *("open", "close", "rename", "archive", "restore", "delete", "wait"),
    *("record", "transcribe", "speak"),
    *("search", "find", "select", "put_forward", "approve", "reject"),
)


def random_step(history: History, choose: random.Random) -> None:
    """One command of any kind, about things that exist where there are some; it may be refused."""
    kind = choose.choice(KINDS)
    if kind == "wait":
        history.now_ms += choose.choice([0, 1, 1_000, 86_400_000])
        return
    command = _chat_command(history, kind, choose) or _object_command(history, kind, choose)
    command = command or _calendar_command(history, kind, choose) or _due_command(history, kind, choose)
    command = command or voice_command(history, kind, choose) or travel_command(history, kind, choose)
    if command is not None:
        history.do(command)


def _chat_command(history: History, kind: str, choose: random.Random) -> Command | None:
    ref = f"c_{choose.choice(['main', 'a', 'b'])}"
    match kind:
        case "say":
            name = None if ref == "c_main" else ref
            return PostMessage(
                channel="chat",
                text=f"text {len(history.facts)}",
                conversation_id=name,
                conversation_ref=ref,
                speak=len(history.facts) % 3 == 0,
            )
        case "rename":
            return ChangeConversation(conversation_ref=ref, title=f"title {len(history.facts)}")
        case "archive" | "restore":
            return ChangeConversation(conversation_ref=ref, archived=kind == "archive")
        case "delete":
            return DeleteConversation(conversation_ref=ref) if choose.random() < 0.3 else None
        case "open":
            return OpenSession()
        case "close":
            return CloseSession(session_id=_any(history.brain.sessions, choose))
    reply_id = history.brain.queue[0] if history.brain.queue else _any(history.brain.replies, choose)
    reply = history.brain.replies.get(reply_id)
    attempt = 0 if reply is None else reply.attempt
    match kind:
        case "start":
            return StartReply(
                reply_id=reply_id,
                after_attempt=attempt,
                owner="w",
                lease_seconds=3,
                reserved_tokens=choose.choice([0, 9]),
            )
        case "complete":
            canned = choose.random() < 0.2
            return CompleteReply(reply_id=reply_id, attempt=attempt, ending=ending(), canned=canned)
        case "fail":
            return FailReply(reply_id=reply_id, attempt=attempt, ending=ending(), code="timeout")
        case "stop":
            return StopReply(id=reply_id)
        case "regenerate":
            return RegenerateReply(id=_any(history.brain.replies, choose))
        case "take_over":
            return EndReplyByTakeover(reply_id=reply_id, after_attempt=None, owner="r", ending=ending())
        case "act":
            deed = CreateTask(task=Task(title="from chat"))
            ordinal = choose.randint(1, 3)
            return RunAction(
                reply_id=reply_id, attempt=attempt, kind="create_task", ordinal=ordinal, payload={}, deed=deed
            )
    return None


def _object_command(history: History, kind: str, choose: random.Random) -> Command | None:
    task_id, name = _any(history.brain.tasks, choose), choose.choice("xyz")
    match kind:
        case "create":
            return CreateTask(task=Task(title="t", due="2025-12-01", tags=(name,)))
        case "update":
            return UpdateTask(task_id=task_id, patch={"title": f"t {len(history.facts)}"})
        case "finish":
            return CompleteTask(task_id=task_id)
        case "reopen":
            return ReopenTask(task_id=task_id)
        case "drop":
            return DeleteTask(task_id=task_id)
        case "pin":
            return PinMemory(type="fact", key=name, value=f"v {len(history.facts)}")
        case "forget":
            return ForgetMemory(memory_id=_any(history.brain.memories, choose))
        case "note":
            return AddNote(note_id=name, note_ref=f"n_{name}", text="note")
        case "unnote":
            return DeleteNote(note_id=name, note_ref=f"n_{name}")
        case "prefer":
            return SetPreference(key=name, preference_ref=f"p_{name}", value=len(history.facts))
        case "plan":
            plan = Plan(todos=(f"todo {len(history.facts)}",))
            return SetPlan(date=f"2025-12-0{1 + 'xyz'.index(name)}", plan_ref=f"d_{name}", plan=plan)
    return None


def _calendar_command(history: History, kind: str, choose: random.Random) -> Command | None:
    calendar_id, number = _any(history.brain.calendar, choose), len(history.facts)
    title = choose.choice(["Dentist", "Paris trip", "Standup"])
    match kind:
        case "meet":
            fields = {"title": title, "start": "2025-12-01T09:00", "location": f"room {number}"}
            return SetCalendarEvent(fields=fields)
        case "move_meeting":
            fields = {"title": title, "start": f"2025-12-{number % 28 + 1:02}", "end": None}
            return SetCalendarEvent(calendar_id=calendar_id, fields=fields)
        case "cancel_meeting":
            return RemoveCalendarEvent(calendar_id=calendar_id)
        case "import":
            return ImportCalendar(
                entries={f"cal_{uid}": imported_entry(uid, f"{title} {number}") for uid in choose.sample("abc", 2)},
                cancelled=[f"cal_{choose.choice('abcd')}"] if choose.random() < 0.3 else [],
            )
    return None


def imported_entry(uid: str, title: str) -> CalendarEntry:
    start, end = "2025-12-02T10:00:00Z", "2025-12-02T11:00:00Z"
    event = ForeignEvent(uid=uid, title=title, start=start, end=end, recurrence="FREQ=DAILY;COUNT=3")
    return entry_of(event, (), "UTC")[0]


def _due_command(history: History, kind: str, choose: random.Random) -> Command | None:
    brain = history.brain
    match kind:
        case "due":
            minutes = choose.choice([-60, 0, 1, 1_440])
            due = datetime.fromtimestamp(history.now_ms / 1000 + minutes * 60, UTC).strftime("%Y-%m-%dT%H:%M")
            recurrence = choose.choice([None, "FREQ=DAILY"])
            return CreateTask(task=Task(title="due", due=due, recurrence=recurrence))
        case "remind":
            armed = {task_id: known.remind_at_ms or 0 for task_id, known in brain.tasks.items() if known.remind_at_ms}
            task_id = _any(armed, choose)
            return FireReminder(task_id=task_id, due_at_ms=armed.get(task_id, 0), conversation_ref="c_main")
        case "notify":
            hour = choose.choice([None, "08:00", "20:00"])
            value = {"reminders": choose.choice(["none", "message"]), "dailySummary": hour}
            return SetPreference(key="notifications", preference_ref="p_notifications", value=value)
        case "wish":
            at_ms = brain.wishes.get("daily_summary", 0)
            return FireWish(wish="daily_summary", at_ms=at_ms, conversation_ref="c_main")
    return None


def _any(known: object, choose: random.Random) -> str:
    ids = list(known)  # type: ignore[call-overload]
    return choose.choice(ids) if ids else "nobody"


def random_history(user_id: str, steps: int, choose: random.Random) -> History:
    history = History(user_id)
    for _ in range(steps):
        random_step(history, choose)
    return history
