"""What the routes about all of one's own data answer. See api/schemas/answers.py."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.answers import Answer, Cursor, Time, Version


class MatchOut(Answer):
    """The match is `snippet[matchStart:matchEnd]`, in Unicode code points; `field` says which text it is from.

    A plan's `id` is its date. `conversationId` and `role` are those of messages.
    """

    kind: Literal["message", "task", "note", "memory", "plan", "event"]
    id: str
    field: str = Field(examples=["title"])
    snippet: str = Field(examples=["Call John about the budget"])
    matchStart: int = Field(ge=0, examples=[5])
    matchEnd: int = Field(ge=0, examples=[9])
    conversationId: str | None = Field(examples=["main"])
    changedAt: Time
    version: Version
    role: Literal["user", "assistant"] | None = None


class SearchOut(Answer):
    results: list[MatchOut]
    nextCursor: Cursor
    version: Version


class ErasureOut(Answer):
    """The user is gone with this answer; what is stored of them follows within moments."""

    status: Literal["accepted"]
    version: Version
