"""The calendar's answers, as api/schemas/answers.py describes those of the other routes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.answers import Answer, Cursor, Time, Version


class MovedOut(Answer):
    original: str = Field(examples=["2025-11-24T09:00"])
    start: str
    end: str


class CalendarEventOut(Answer):
    """`start` and `end` are RFC 3339 in the event's zone, or dates; of a series, its first occurrence's.

    `excluded` and `original` are local starts of a series' occurrences. `travelEventId`: it is a trip.
    """

    id: str = Field(examples=["cal_41ce02"])
    title: str = Field(examples=["Paris trip"])
    start: str = Field(examples=["2025-05-10T08:00:00Z"])
    end: str = Field(examples=["2025-05-15T22:00:00Z"])
    timezone: str = Field(examples=["UTC"])
    allDay: bool
    description: str | None = Field(examples=["Business trip to Paris"])
    location: str | None
    attendees: list[str]
    recurrence: str | None = Field(examples=["FREQ=WEEKLY;BYDAY=MO"])
    excluded: list[str]
    moved: list[MovedOut]
    source: Literal["own", "ics", "google"]
    createdFrom: str | None = Field(description="The message that it came from.")
    createdAt: Time
    version: Version
    travelEventId: str | None = Field(default=None, examples=["evt_123"])


class OccurrenceOut(CalendarEventOut):
    """An event at one of its times, with the texts of that time."""

    occurrenceStart: str = Field(examples=["2025-05-10T08:00:00Z"])
    occurrenceEnd: str = Field(examples=["2025-05-15T22:00:00Z"])
    original: str | None = Field(description="The local start that its rule gave it; null when it does not recur.")


class CalendarEventsOut(Answer):
    events: list[OccurrenceOut]
    nextCursor: Cursor
    version: Version


class SkippedOut(Answer):
    uid: str
    reason: str = Field(examples=["recurrence_invalid"])


class CalendarImportOut(Answer):
    imported: int
    updated: int
    removed: int = Field(description="Known events that the file cancels.")
    unchanged: int
    skipped: list[SkippedOut]
    version: Version
