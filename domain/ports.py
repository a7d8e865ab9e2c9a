"""What the layers above expect of the outside world. Each port has an implementation in `infra/` (or, for models,
in `workers/llm/`), an in-memory one that is product code too, and one contract suite that both pass.

Nothing here knows Postgres, NATS or HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from domain.errors import EngineError
from domain.speech_ports import Audio as Audio
from domain.speech_ports import SpeechError as SpeechError
from domain.speech_ports import SpeechToText as SpeechToText
from domain.speech_ports import TextToSpeech as TextToSpeech
from domain.speech_ports import Transcript as Transcript
from domain.values import Json, ModelUsage

# --- event log ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the log. `position` is its place among all users' events: commit order, gaps are normal."""

    position: int
    user_id: str
    version: int
    name: str
    state: bytes


@dataclass(frozen=True, slots=True)
class NewEvent:
    name: str
    state: bytes


@dataclass(frozen=True, slots=True)
class WorkWanted:
    """The user's next reply waits for a worker. Leaves the row alone when it is about this reply already."""

    reply_id: str


@dataclass(frozen=True, slots=True)
class WorkClaimed:
    """Taken only if the row's attempt is `attempt - 1` and its lease is over, missing or `owner`'s own."""

    reply_id: str
    attempt: int
    owner: str
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class WorkDone:
    """Nothing of this user waits any more."""


WorkChange = WorkWanted | WorkClaimed | WorkDone


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """One command's worth: all of it goes in or none. With no events it confirms that the head is as expected.

    `command_id` is a UUID. `answer` is the sealed answer, stored for as long as the stream lives and given back for
    the same `command_id`; None stores no row (an append that only confirms, or needs no answer).
    """

    user_id: str
    expected_version: int
    events: Sequence[NewEvent]
    command_id: str
    fingerprint: bytes = b""
    status: int = 200
    answer: bytes | None = None
    answer_key_id: str | None = None
    work: WorkChange | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """`position` of the last event that went in, 0 when there was none."""

    version: int
    position: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The command id was used before: here is what was answered then."""

    fingerprint: bytes
    status: int
    answer: bytes
    answer_key_id: str | None
    version: int


@dataclass(frozen=True, slots=True)
class VersionConflict:
    """The stream's head is not the expected version. Nothing went in."""

    head: int


@dataclass(frozen=True, slots=True)
class AppendRefused:
    reason: Literal["leased", "erased", "not_owned"]


Verdict = Appended | Duplicate | VersionConflict | AppendRefused


@dataclass(frozen=True, slots=True)
class Snapshot:
    user_id: str
    version: int
    name: str
    state: bytes


class EventLog(Protocol):
    """The only truth. Raises `domain.errors.Unavailable` when the outcome is unknown or the store is away."""

    async def append(self, append: Append) -> Verdict: ...
    async def find_command(self, user_id: str, command_id: str) -> Duplicate | None: ...
    async def head(self, user_id: str) -> int: ...
    async def read_stream(
        self, user_id: str, *, after: int, until: int | None = None, limit: int = 5_000
    ) -> list[StoredEvent]: ...
    async def read_versions(self, user_id: str, versions: Sequence[int]) -> list[StoredEvent]: ...
    async def read_log(self, *, after: int, limit: int = 5_000) -> list[StoredEvent]: ...
    async def last_position(self) -> int: ...
    async def load_snapshot(self, user_id: str, name: str) -> Snapshot | None: ...
    async def save_snapshot(self, snapshot: Snapshot) -> None: ...

    def tail(self, *, after: int | None = None) -> AsyncGenerator[list[StoredEvent], None]:
        """Pages of the log in position order as they commit, for ever; from now when `after` is None.

        Survives a lost connection: it reconnects and goes on after the last position that it gave.
        """
        ...


# --- work: which reply is whose -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    user_id: str
    reply_id: str
    attempt: int
    owner: str | None


class WorkQueue(Protocol):
    """The `work` rows, on the database's clock. They change with appends; these are the reads and the renewals."""

    async def claimable(self, *, limit: int) -> list[Work]:
        """Rows with no lease or one that is over, oldest first."""
        ...

    async def renew(self, owner: str, user_ids: Sequence[str], lease_seconds: float) -> set[str]:
        """One statement for all; the users whose lease is still the owner's."""
        ...

    async def release_dead(self, owners: Sequence[str] | None) -> int:
        """End at once the leases of these owners (None: of all); how many."""
        ...


# --- text so far of running replies -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Entries `first_index..last_index` of one attempt of a reply, sealed."""

    user_id: str
    reply_id: str
    attempt: int
    first_index: int
    last_index: int
    sealed: bytes


class Segments(Protocol):
    async def write(self, segments: Sequence[Segment]) -> None: ...
    async def read(self, user_id: str, reply_id: str, *, attempt: int, after_index: int) -> list[Segment]: ...


# --- bus ------------------------------------------------------------------------------------------------------


class Subscription(Protocol):
    async def unsubscribe(self) -> None: ...


class Bus(Protocol):
    """Wake-ups and live tokens. Everything on it can be lost: behind each use stands a read of Postgres.

    None of these raise when the bus is away, except `read_tokens`, which answers with what it could get.
    """

    @property
    def connected(self) -> bool: ...

    def hint(self, user_id: str) -> None:
        """Tell the workers that a reply of this user waits. Never blocks, never raises."""
        ...

    def publish_token(self, user_id: str, reply_id: str, entry: bytes) -> None:
        """Publish one sealed entry, in order. Never blocks, never raises; drops when the bus is away."""
        ...

    async def read_tokens(self, user_id: str, reply_id: str) -> list[bytes]: ...

    async def subscribe_tokens(self, user_id: str, receive: Callable[[str, bytes], None]) -> Subscription:
        """`receive(reply_id, entry)` for each entry of this user after it is stored. Returns once it is in force.

        When the bus is away it is in force once the bus is back; the caller reads Postgres meanwhile.
        """
        ...

    async def subscribe_hints(self, receive: Callable[[str], Awaitable[bool]], *, concurrency: int) -> Subscription:
        """`receive(user_id)` for each hint, shared with all other workers; True acknowledges, False: again later."""
        ...


# --- time and ids -----------------------------------------------------------------------------------------------


class Clock(Protocol):
    def now_ms(self) -> int:
        """Wall time, for event times: data, never order."""
        ...

    def user_now_ms(self) -> int:
        """Wall time that users' "today" is read from; starts at MICROCOS_NOW where that is set."""
        ...

    def monotonic(self) -> float: ...


class NewId(Protocol):
    def __call__(self) -> str:
        """A random UUID."""
        ...


# --- language model ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage:
    role: Literal["system", "user", "assistant", "tool"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """`parameters` is a flat JSON Schema object; each property has a `type` and a `description`."""

    name: str
    description: str
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    messages: Sequence[PromptMessage]
    tools: Sequence[ToolSpec] = ()
    max_tokens: int = 1024
    temperature: float = 0.4
    top_p: float = 0.9
    timezone: str = "UTC"
    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A whole call: `arguments` is the JSON text as the model wrote it, not yet checked."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ModelFinished:
    """The last item of a stream. `reason` as the provider gave it: stop, length, tool_calls, …"""

    reason: str
    usage: ModelUsage | None


ModelEvent = TextDelta | ToolCall | ModelFinished


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """`text` should be JSON of the shape that was asked for, but is not checked: models do what they can. `usage` is
    estimated where the provider did not tell."""

    text: str
    usage: ModelUsage


class ModelError(EngineError):
    """A model call failed. Codes: `timeout`, `truncated`, `rate_limited`, `quota`, `context_too_long`, `refused`,
    `unavailable`, `bad_answer`."""


class LanguageModel(Protocol):
    """Closing the iterator (`aclose`) stops the generation at the provider."""

    @property
    def name(self) -> str: ...

    @property
    def context_tokens_max(self) -> int: ...

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]: ...

    async def complete_json(self, request: ModelRequest, schema: Mapping[str, Json]) -> JsonAnswer:
        """One answer, not streamed, as JSON after a JSON Schema whose root is an object. No tools are offered.

        Raises `ModelError`: `bad_answer` where the model cannot keep to the schema. Cancelling it stops the call.
        """
        ...

    async def check(self) -> str | None:
        """None when the model can be reached, else one line that says what is wrong."""
        ...

    async def aclose(self) -> None: ...
