"""Request bodies, as they come over the wire. Unknown fields are refused; bounds that need the state are checked by
the deciders. Only this module and its models are pydantic's business.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain import limits
from domain.values import Json

ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Chosen by the client.")]
ObjectId = Annotated[str, Field(min_length=1, max_length=128)]
ClientMessageId = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")]
# A letter first, so that no key can be mistaken for a path or for what a runtime keeps for itself.
Key = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.:-]*$", max_length=limits.MEMORY_KEY_CHARACTERS_MAX)]


class Body(BaseModel):
    """`userId` may be sent, as older clients do; it must be the caller's own."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    userId: str | None = Field(default=None, max_length=128, examples=["user_123"])


class EmptyBody(Body):
    """Nothing needs to be said."""


class MessageIn(Body):
    channel: Literal["chat", "voice", "command"] = Field(examples=["chat"])
    text: str = Field(max_length=limits.MESSAGE_CHARACTERS_MAX, examples=["Hey – what's on my agenda today?"])
    contextIds: list[ObjectId] | None = Field(default=None, max_length=limits.CONTEXT_IDS_MAX, examples=[["note_1"]])
    conversationId: ClientId | None = Field(default=None, examples=["conv_234"])
    clientMessageId: ClientMessageId | None = Field(default=None, examples=["local-17"])
    sessionId: ObjectId | None = None
    language: str | None = Field(default=None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)
    intent: str | None = Field(default=None, max_length=64)
    speak: bool | None = None


class VoiceFields(Body):
    """What is said of a recording beside its audio."""

    language: str | None = Field(default=None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)
    speak: bool | None = None
    conversationId: ClientId | None = Field(default=None, examples=["conv_234"])
    sessionId: ObjectId | None = None
    clientMessageId: ClientMessageId | None = Field(default=None, examples=["local-17"])


class VoiceIn(VoiceFields):
    url: str = Field(max_length=2_048, examples=["https://files.example/recording.ogg?signature=5f0c"])


class TaskFields(BaseModel):
    """For an update this is a merge patch: what is left out stays, null clears."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: ObjectId | None = None
    title: str | None = Field(default=None, max_length=limits.TITLE_CHARACTERS_MAX, examples=["Send budget"])
    due: str | None = Field(default=None, max_length=32, examples=["2025-11-21"])
    timezone: str | None = Field(default=None, max_length=64, examples=["America/New_York"])
    recurrence: str | None = Field(default=None, max_length=200, examples=["FREQ=WEEKLY;BYDAY=MO"])
    tags: list[str] | None = Field(default=None, max_length=limits.TAGS_MAX, examples=[["finance"]])
    status: Literal["open", "done"] | None = None
    priority: Literal["low", "normal", "high"] | None = None
    notes: str | None = Field(default=None, max_length=limits.TASK_NOTES_CHARACTERS_MAX)
    assignee: str | None = Field(default=None, max_length=limits.TITLE_CHARACTERS_MAX)


class TaskIn(Body):
    action: Literal["create", "update", "complete", "reopen", "delete"] = Field(default="create", examples=["create"])
    task: TaskFields


class CalendarEventIn(Body):
    """Without `id` a new event, which needs a title and a start. With it, what is left out stays and null clears.

    Times have an offset or `Z`, or are on the clock of `timezone` (the user's zone otherwise); dates are whole days,
    the end not included. `excluded` are starts of a series at which it does not happen.
    """

    id: ObjectId | None = None
    title: str | None = Field(default=None, max_length=limits.TITLE_CHARACTERS_MAX, examples=["Paris trip"])
    start: str | None = Field(default=None, max_length=40, examples=["2025-05-10T08:00:00Z"])
    end: str | None = Field(default=None, max_length=40, examples=["2025-05-15T22:00:00Z"])
    timezone: str | None = Field(default=None, max_length=64, examples=["Europe/Paris"])
    description: str | None = Field(
        default=None, max_length=limits.CALENDAR_TEXT_CHARACTERS_MAX, examples=["Business trip to Paris"]
    )
    location: str | None = Field(default=None, max_length=limits.TITLE_CHARACTERS_MAX)
    attendees: list[str] | None = Field(default=None, max_length=limits.ATTENDEES_MAX)
    recurrence: str | None = Field(default=None, max_length=200, examples=["FREQ=WEEKLY;BYDAY=MO"])
    excluded: list[str] | None = Field(default=None, max_length=limits.CALENDAR_EXCEPTIONS_MAX)


class PinIn(Body):
    type: Literal["fact", "preference", "tag"] = Field(examples=["preference"])
    key: Key = Field(examples=["favorite_airport"])
    value: str = Field(max_length=limits.MEMORY_VALUE_CHARACTERS_MAX, examples=["JFK"])


class NoteIn(Body):
    id: ClientId | None = Field(default=None, examples=["note_1"])
    title: str | None = Field(default=None, max_length=limits.TITLE_CHARACTERS_MAX)
    text: str = Field(examples=["Budget draft: 12k for travel."])


class PreferenceIn(Body):
    value: Json = Field(examples=["America/New_York"])


class PlanIn(Body):
    priorities: list[str] = Field(default=[], max_length=limits.PLAN_ENTRIES_MAX, examples=[["Send the budget"]])
    todos: list[str] = Field(default=[], max_length=limits.PLAN_ENTRIES_MAX, examples=[["Call John", "Book a table"]])
    notes: list[str] = Field(default=[], max_length=limits.PLAN_ENTRIES_MAX, examples=[["One thing at a time."]])


class ConversationIn(Body):
    title: str | None = Field(default=None, max_length=limits.TITLE_CHARACTERS_MAX, examples=["Paris trip"])
    archived: bool | None = None


class LoginIn(Body):
    code: str = Field(min_length=16, max_length=128)


class CompletionAction(BaseModel):
    """`payload` is what the model's tool of this name takes, and is checked as strictly."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    action: Literal[
        "create_task",
        "update_task",
        "complete_task",
        "reopen_task",
        "delete_task",
        "pin_memory",
        "forget_memory",
        "add_note",
        "set_preference",
        "set_plan",
        "create_event",
        "update_event",
        "delete_event",
        "select_flight",
    ] = Field(examples=["create_task"])
    payload: dict[str, Json] = Field(default_factory=dict, examples=[{"title": "Call John", "due_text": "tomorrow"}])


class CompletionUsage(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    inputTokens: int = Field(default=0, ge=0, le=limits.TOKENS_PER_CALL_MAX)
    outputTokens: int = Field(default=0, ge=0, le=limits.TOKENS_PER_CALL_MAX)


class CompletionIn(BaseModel):
    """`userId` is the internal id, as domain events name it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    userId: str = Field(pattern=r"^[0-9]{2}/[0-9a-f-]{36}$")
    messageId: ObjectId
    text: str = Field(max_length=60_000)
    actions: list[CompletionAction] = Field(default=[], max_length=limits.ACTIONS_PER_MESSAGE_MAX)
    usage: CompletionUsage = CompletionUsage()
