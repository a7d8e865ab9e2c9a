"""What routes answer, as models: the OpenAPI document is made from them, and tests hold every answer against them.

Nothing is built with these at run time: answers are encoded from plain objects, of which domain/frames.py owns the
shapes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from domain.values import Json

Version = Annotated[int, Field(ge=0, description="The stream version that this shows.", examples=[17])]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", examples=["2025-11-21T09:00:00.000Z"])]
UnixSeconds = Annotated[int, Field(ge=0, examples=[1700000000])]
Cursor = Annotated[str | None, Field(description="`cursor` of the next page; null on the last one.")]


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Deleted(Answer):
    """What is gone for good, or was closed."""

    id: str
    deleted: Literal[True]


class DeletedOut(Deleted):
    version: Version


# --- chat ---------------------------------------------------------------------------------------------------------


class ActionOut(Answer):
    """`resultId` is what was made or changed; `reason` why it was refused."""

    id: str = Field(examples=["act_5f0c2a"])
    kind: str = Field(examples=["create_task"])
    status: Literal["proposed", "committed", "refused", "undone"]
    payload: dict[str, Json] | None
    resultId: str | None = Field(default=None, examples=["t_9b1e7d"])
    reason: str | None = None


class ActionResolvedOut(ActionOut):
    version: Version


class MessageOut(Answer):
    """`text` is null with `redacted` once it was deleted for good. `canned`: the text is ours, `code` says why."""

    id: str = Field(examples=["m_7c1f0e"])
    role: Literal["user", "assistant"]
    text: str | None = Field(examples=["Hey – what's on my agenda today?"])
    status: Literal["accepted", "queued", "streaming", "completed", "failed", "stopped"]
    conversationId: str | None = Field(examples=["main"])
    channel: Literal["chat", "voice", "command"]
    origin: Literal["user", "assistant", "schedule", "system"]
    actions: list[ActionOut]
    createdAt: Time
    version: Version
    inReplyTo: str | None = None
    supersedes: str | None = None
    supersededBy: str | None = None
    clientMessageId: str | None = None
    canned: Literal[True] | None = None
    code: str | None = Field(default=None, examples=["timeout"])
    redacted: Literal[True] | None = None


class MessageAccepted(Answer):
    """`replyId` is the id of the assistant's message to come; `streamUrl`, followed at any time, gives all of it."""

    status: Literal["accepted"]
    messageId: str = Field(examples=["m_7c1f0e"])
    replyId: str = Field(examples=["m_2d9a41"])
    conversationId: str = Field(examples=["main"])
    sessionId: str = Field(examples=["s_81c0bb"])
    streamUrl: str = Field(examples=["/api/v1/stream/s_81c0bb?after=88ef576f-b24b-4c39-b077-912762aa0e66.14"])
    version: Version
    clientMessageId: str | None = Field(default=None, examples=["local-17"])
    supersedes: str | None = None


class ReplyStopping(Answer):
    """`stopping` while its worker still ends it (202), else how it ended."""

    status: Literal["stopping", "completed", "failed", "stopped"]
    messageId: str
    replyId: str
    version: Version


class VoiceJobAccepted(Answer):
    transcriptJobId: str = Field(examples=["v_0b1f4e"])
    version: Version


class VoiceJobOut(Answer):
    """`messageId` is what its words became; `code` says why they became nothing."""

    transcriptJobId: str = Field(examples=["v_0b1f4e"])
    status: Literal["running", "completed", "failed"]
    messageId: str | None
    code: str | None = Field(examples=["nothing_heard"])
    createdAt: Time
    version: Version


class MessagesOut(Answer):
    messages: list[MessageOut]
    nextCursor: Cursor
    version: Version


class ConversationOut(Answer):
    id: str = Field(examples=["main"])
    title: str | None = Field(examples=["Paris trip"])
    main: bool
    archived: bool
    createdAt: Time
    version: Version


class ConversationListed(ConversationOut):
    messageCount: int
    lastMessageAt: Time


class ConversationChanged(Answer):
    """`title` is left out of a conversation that has none."""

    id: str
    main: bool
    archived: bool
    version: Version
    title: str | None = None


class ConversationsOut(Answer):
    conversations: list[ConversationListed]
    nextCursor: Cursor
    version: Version


# --- tasks, memories, notes, preferences --------------------------------------------------------------------------


class TaskOut(Answer):
    """`due` is local wall time in `timezone`; `dueAt` is its instant, `remindedAt` the one last reminded of."""

    id: str = Field(examples=["t_9b1e7d"])
    title: str = Field(examples=["Send budget"])
    due: str | None = Field(examples=["2025-11-21"])
    timezone: str | None = Field(examples=["America/New_York"])
    dueAt: Time | None
    recurrence: str | None = Field(examples=["FREQ=WEEKLY;BYDAY=MO"])
    tags: list[str] = Field(examples=[["finance"]])
    status: Literal["open", "done"]
    priority: Literal["low", "normal", "high"]
    notes: str | None
    assignee: str | None
    createdFrom: str | None = Field(description="The message that it came from.")
    createdAt: Time
    remindedAt: Time | None
    version: Version


class TaskChanged(RootModel[TaskOut | DeletedOut]):
    """The task, or that it is gone."""


class TasksOut(Answer):
    tasks: list[TaskOut]
    nextCursor: Cursor
    version: Version


class ReplacedOut(Answer):
    value: str
    version: Version
    messageId: str | None


class MemoryOut(Answer):
    """`replaced` is what stood under the same type and key before."""

    id: str
    type: Literal["fact", "preference", "tag"]
    key: str = Field(examples=["favorite_airport"])
    value: str = Field(examples=["JFK"])
    messageId: str | None
    replaced: ReplacedOut | None
    pinnedAt: Time
    version: Version


class MemoriesOut(Answer):
    memories: list[MemoryOut]
    version: Version


class NoteOut(Answer):
    id: str | None = Field(examples=["note_1"])
    title: str | None
    text: str | None
    createdAt: Time | None = None
    version: Version
    redacted: Literal[True] | None = None


class NotesOut(Answer):
    notes: list[NoteOut]
    version: Version


class PreferenceOut(Answer):
    key: str = Field(examples=["timezone"])
    value: Json = Field(examples=["America/New_York"])
    version: Version


class PreferencesOut(Answer):
    preferences: dict[str, Json] = Field(examples=[{"workHours": "09:00-17:00", "timezone": "America/New_York"}])
    version: Version


# --- sessions and state -------------------------------------------------------------------------------------------


class SessionOpenedOut(Answer):
    sessionId: str
    streamUrl: str
    version: Version


class SessionClosedOut(Answer):
    sessionId: str
    deleted: Literal[True]
    version: Version


class SessionOut(Answer):
    """`active`: a client listens now. What is seen of it stands beside the log, so changes and the past have none."""

    sessionId: str
    openedAt: Time
    version: Version
    lastSeen: UnixSeconds | None = None
    active: bool | None = None


class SessionsOut(Answer):
    sessions: list[SessionOut]
    version: Version


class TicketOut(Answer):
    ticket: str
    expiresIn: int = Field(description="Seconds.", examples=[30])
    version: Version


class PlanOut(Answer):
    date: str = Field(examples=["2025-11-21"])
    priorities: list[str]
    todos: list[str]
    notes: list[str]
    version: Version


class StateOut(Answer):
    """The state. With `since`: what changed, with `conversations` and `more`, and without what never changes alone."""

    userId: str = Field(examples=["user_123"])
    tasks: list[TaskOut | Deleted]
    notes: list[NoteOut | Deleted]
    messages: list[MessageOut | Deleted]
    preferences: dict[str, Json]
    pinnedMemories: list[MemoryOut | Deleted]
    activeSessions: list[SessionOut | Deleted]
    version: Version
    planCache: list[PlanOut] | None = None
    lastSnapshotTs: UnixSeconds | None = None
    conversations: list[ConversationOut | Deleted] | None = None
    more: bool | None = Field(default=None, description="Ask again with this `version`.")


class TokensOut(Answer):
    input: int
    output: int
    used: int
    reserved: int = Field(description="What running replies may still cost.")
    limit: int = Field(description="0 means none.")


class RepliesOut(Answer):
    completed: int
    canned: int
    failed: int
    stopped: int


class SearchesOut(Answer):
    used: int
    limit: int


class UsageOut(Answer):
    day: str = Field(description="UTC.", examples=["2025-11-21"])
    tokens: TokensOut
    calls: int
    messages: int
    replies: RepliesOut
    searches: SearchesOut
    version: Version


# --- the rest -----------------------------------------------------------------------------------------------------


class CompletionActionOut(Answer):
    """`refused` without an id: it named something that is not there, and nothing was done."""

    action: str
    status: Literal["proposed", "committed", "refused"]
    id: str | None = None
    resultId: str | None = None
    reason: str | None = None


class CompletionOut(Answer):
    status: Literal["completed", "stopped"]
    messageId: str
    replyId: str
    actions: list[CompletionActionOut]
    version: Version


class LoginOut(Answer):
    token: str
    userId: str
    expiresIn: int = Field(description="Seconds.")


class OidcOut(Answer):
    """What a client needs for an authorization code with PKCE; the rest the issuer says itself."""

    issuer: str = Field(examples=["https://issuer.example"])
    clientId: str
    scope: str = Field(examples=["openid profile"])
    audience: str | None


class AuthConfigOut(Answer):
    mode: Literal["dev", "oidc", "token"]
    oidc: OidcOut | None


class HealthOut(BaseModel):
    """`degraded` when something is away that answers can do without; then that part says what is wrong."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    status: Literal["ok", "degraded"]
