"""The values that events and the folded state carry. Frozen, slotted, standard library only.

Times are integers in Unix milliseconds, named `…_ms`. Ids are opaque strings made by the server, except where a
field is named `…_ref`: that is a keyed hash of an id which a client chose (the original travels sealed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

# Any JSON value. A recursive alias would say more, but no decoder we use can follow one.
Json = Any


class Redacted(Enum):
    """What the sealed part of an event becomes when its key was destroyed on purpose."""

    REDACTED = "redacted"


REDACTED = Redacted.REDACTED

Origin = Literal["user", "assistant", "schedule", "system"]
Channel = Literal["chat", "voice", "command"]
ActionStatus = Literal["proposed", "committed", "refused", "undone"]
TaskStatus = Literal["open", "done"]
MemoryType = Literal["fact", "preference", "tag"]
Priority = Literal["low", "normal", "high"]
CalendarSource = Literal["own", "ics", "google"]
Wish = Literal["daily_summary"]
Budget = Literal["messages", "tokens", "flight_searches"]
BookingStep = Literal["offer_selected", "tasks_created", "payment"]
StepStatus = Literal["done", "waiting", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A to-do or a reminder. `due` is local wall time (`YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`) in `timezone`."""

    title: str
    status: TaskStatus = "open"
    due: str | None = None
    timezone: str | None = None
    due_at_ms: int | None = None
    recurrence: str | None = None
    tags: tuple[str, ...] = ()
    priority: Priority = "normal"
    notes: str | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What a pinned memory said before it was pinned again under the same type and key."""

    value: str
    version: int
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A pinned fact. `message_id` is the message that it came from, if it came from one."""

    type: MemoryType
    key: str
    value: str
    message_id: str | None = None
    replaced: Replaced | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A day's plan: what matters most, what else there is to do, and a word on the way."""

    priorities: tuple[str, ...] = ()
    todos: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedOccurrence:
    """One occurrence of a recurring event that takes place at another time. Local wall times of the event's zone.

    `title`, `description` and `location` are None where they are those of the event.
    """

    original: str
    start: str
    end: str
    title: str | None = None
    description: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEntry:
    """What stands in a calendar. `start` and `end` (not included) are local wall time in `timezone`
    (`YYYY-MM-DDTHH:MM`, with `:SS` where there are seconds), or days (`YYYY-MM-DD`) where it lasts all day;
    `starts_at_ms` and `ends_at_ms` are their instants, of a recurring event its first occurrence's.

    `excluded` are local starts at which a recurring event does not happen; `last` is the local start of its last
    occurrence, None while it has no end. `uid` is the id that another calendar gave it.
    """

    title: str
    start: str
    end: str
    timezone: str
    starts_at_ms: int
    ends_at_ms: int
    description: str | None = None
    location: str | None = None
    attendees: tuple[str, ...] = ()
    recurrence: str | None = None
    last: str | None = None
    excluded: tuple[str, ...] = ()
    moved: tuple[MovedOccurrence, ...] = ()
    uid: str | None = None

    @property
    def all_day(self) -> bool:
        return "T" not in self.start

    def is_over(self, at_ms: int) -> bool:
        """Whether it took place for the last time before this instant; to the day, for a recurring one."""
        if self.recurrence is None:
            return self.ends_at_ms <= at_ms
        if self.last is None:
            return False
        # By the day in UTC, a day late at most: the length of an occurrence and the zone are added for that.
        last = datetime.fromisoformat(self.last[:10]).replace(tzinfo=UTC).timestamp() * 1000
        return last + 2 * 86_400_000 + self.ends_at_ms - self.starts_at_ms <= at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRef:
    """The clear facts of a reply, repeated in each of its events so that a view writes its row from any one."""

    reply_id: str
    message_id: str
    message_version: int
    conversation_ref: str
    channel: Channel = "chat"
    supersedes: str | None = None
    requested_at_ms: int
    origin: Origin = "user"
    speak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    """Tokens as the provider counted them; `estimated` where it did not tell and we counted."""

    input_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: ModelUsage) -> ModelUsage:
        return ModelUsage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            estimated=self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What went into a model call, by id and stream version: enough to build the same prompt again.

    `versions` are stream versions of the messages and notes in the order in which they stood in the prompt;
    `brain_version` is the state that tasks, memories, preferences, trips and plans were read from. `calendar` names
    occurrences, `<calendar id> <original start>`; `done_ids` are tasks whose completion was told with its time, and
    `summarised` versions of earlier messages of which one line was told. `workflow_ids`: flights that the turn found.
    """

    brain_version: int
    versions: tuple[int, ...] = ()
    memory_ids: tuple[str, ...] = ()
    task_ids: tuple[str, ...] = ()
    model: str = ""
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)
    template_version: int = 1
    now_ms: int = 0
    calendar: tuple[str, ...] = ()
    trip_ids: tuple[str, ...] = ()
    plan_refs: tuple[str, ...] = ()
    done_ids: tuple[str, ...] = ()
    summarised: tuple[int, ...] = ()
    workflow_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """SHA-256 of the prompt as sent and of the output as received, hex."""

    prompt_hash: str
    output_hash: str
