"""The calendar: events set and removed by the user, imported from files, and kept equal to another calendar.

What an event says of a journey becomes a trip in the same command (commands/trips.py). Calls no tool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commands.calendar_entries import check_entry, patched
from commands.context import CommandContext
from commands.preconditions import check_version
from commands.trips import trip_events
from domain import limits
from domain.brain import Brain, CalendarState
from domain.errors import Conflict, NotFound
from domain.events import BrainEvent, CalendarEventAdded, CalendarEventChanged, CalendarEventRemoved
from domain.values import CalendarEntry, CalendarSource, Json

SYNCED_UID_SUFFIX = "@google.com"  # of the uid that a synced event has in a file of the same calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCalendarEvent:
    """Make an event, or change the one with this id. `fields`, by the names of `CalendarEntry`, are those that the
    caller says: title, start, end, timezone, description, location, attendees, recurrence, excluded; None clears.
    Times as commands/calendar_times.py reads them; without an end a new event takes an hour, or its day."""

    fields: Mapping[str, Json]
    calendar_id: str | None = None
    expected_version: int | None = None
    created_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCalendarEvent:
    calendar_id: str
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOccurrence:
    """One of a series becomes an event of its own, of these `fields`; `original` is the start that the rule gave it."""

    calendar_id: str
    original: str
    fields: Mapping[str, Json]
    created_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCalendar:
    """Entries of a file by the id that each has here, a keyed hash of its `uid`: known ones are changed where they
    differ. `cancelled` are ids of what is to go."""

    entries: Mapping[str, CalendarEntry]
    cancelled: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCalendar:
    """What another calendar holds in a window of time: `entries` by the id that each has here, a keyed hash of its
    `uid`, and ids of what is there but was `unread`.

    What is known of that calendar, lies in the window and is not there any more is removed, but only if `is_complete`.
    """

    from_ms: int
    until_ms: int
    entries: Mapping[str, CalendarEntry]
    unread: Sequence[str] = ()
    is_complete: bool


CalendarCommand = SetCalendarEvent | RemoveCalendarEvent | ImportCalendar | SyncCalendar


def change_calendar(command: CalendarCommand, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    match command:
        case SetCalendarEvent():
            return set_calendar_event(command, brain, context)
        case RemoveCalendarEvent():
            return remove_calendar_event(command, brain, context)
        case ImportCalendar():
            return import_calendar(command, brain, context)
        case SyncCalendar():
            return sync_calendar(command, brain, context)


def set_calendar_event(command: SetCalendarEvent, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    if command.calendar_id is None:
        entry = patched(None, command.fields, brain.timezone)
        check_entry(entry)
        _check_room(brain, 1, context.now_ms)
        calendar_id = context.new_id("cal")
        added = CalendarEventAdded(
            calendar_id=calendar_id, source="own", created_from=command.created_from, content=entry
        )
        return [added, *trip_events(calendar_id, entry, brain, context)]
    known = _own(brain, command.calendar_id)
    check_version("event", known.version, command.expected_version)
    entry = patched(known.entry, command.fields, brain.timezone)
    check_entry(entry)
    if entry == known.entry:
        return []
    changed = _changed(command.calendar_id, known, entry)
    return [changed, *trip_events(command.calendar_id, entry, brain, context)]


def remove_calendar_event(command: RemoveCalendarEvent, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    known = _own(brain, command.calendar_id)
    check_version("event", known.version, command.expected_version)
    return _removed(command.calendar_id, known, brain, context)


def move_occurrence(command: MoveOccurrence, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    known = _own(brain, command.calendar_id)
    excluded = [*known.entry.excluded, command.original]
    without = SetCalendarEvent(calendar_id=command.calendar_id, fields={"excluded": excluded})
    alone = SetCalendarEvent(fields=command.fields, created_from=command.created_from)
    return [*set_calendar_event(without, brain, context), *set_calendar_event(alone, brain, context)]


def import_calendar(command: ImportCalendar, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Nothing at all where everything is known and as it was. What a sync keeps up to date is left to the sync."""
    synced = {state.entry.uid for state in brain.calendar.values() if state.source == "google"}
    entries = {
        calendar_id: entry
        for calendar_id, entry in command.entries.items()
        if (entry.uid or "").removesuffix(SYNCED_UID_SUFFIX) not in synced
    }
    events = _merged(entries, "ics", brain, context)
    for calendar_id in dict.fromkeys(command.cancelled):
        known = brain.calendar.get(calendar_id)
        if known is not None:
            events += _removed(calendar_id, known, brain, context)
    return events


def sync_calendar(command: SyncCalendar, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    gone = _gone(command, brain)
    events: list[BrainEvent] = []
    for calendar_id in gone:
        events += _removed(calendar_id, brain.calendar[calendar_id], brain, context)
    return [*events, *_merged(command.entries, "google", brain, context, removed=len(gone))]


def is_in_step(command: SyncCalendar, brain: Brain) -> bool:
    """Whether the command would change nothing."""
    known = brain.calendar
    is_known = (calendar_id in known and known[calendar_id].entry == e for calendar_id, e in command.entries.items())
    return all(is_known) and not _gone(command, brain)


def _gone(command: SyncCalendar, brain: Brain) -> list[str]:
    """What the other calendar would have listed, and did not."""
    if not command.is_complete:
        return []
    there = {*command.entries, *command.unread}
    return [
        calendar_id
        for calendar_id, state in brain.calendar.items()
        if state.source == "google" and calendar_id not in there and _touches(command, state.entry)
    ]


def _touches(window: SyncCalendar, entry: CalendarEntry) -> bool:
    """Whether the other calendar would have listed it: exactly what it is asked for, at both edges."""
    return entry.starts_at_ms < window.until_ms and entry.ends_at_ms > window.from_ms


def _merged(
    entries: Mapping[str, CalendarEntry],
    source: CalendarSource,
    brain: Brain,
    context: CommandContext,
    *,
    removed: int = 0,
) -> list[BrainEvent]:
    """Trips are looked for in what is not over: old calendars are full of old journeys."""
    new = [
        entry
        for calendar_id, entry in entries.items()
        if calendar_id not in brain.calendar and not _is_over(entry, context.now_ms)
    ]
    _check_room(brain, len(new) - removed, context.now_ms)
    events: list[BrainEvent] = []
    for ordinal, (calendar_id, entry) in enumerate(entries.items()):
        check_entry(entry)
        known = brain.calendar.get(calendar_id)
        if known is None:
            events.append(CalendarEventAdded(calendar_id=calendar_id, source=source, created_from=None, content=entry))
        elif entry != known.entry:
            events.append(_changed(calendar_id, known, entry))
        else:
            continue
        is_past = entry.recurrence is None and entry.ends_at_ms <= context.now_ms
        events += trip_events(calendar_id, None if is_past else entry, brain, context, ordinal)
    return events


def _own(brain: Brain, calendar_id: str) -> CalendarState:
    known = brain.calendar.get(calendar_id)
    if known is None:
        raise NotFound("There is no such event.", code="calendar_event_unknown")
    if known.source == "google":
        raise Conflict(
            "This event comes from another calendar. Change it there; it is changed here by the next sync.",
            code="calendar_event_synced",
        )
    return known


def _changed(calendar_id: str, known: CalendarState, entry: CalendarEntry) -> BrainEvent:
    return CalendarEventChanged(
        calendar_id=calendar_id,
        source=known.source,
        created_from=known.created_from,
        created_at_ms=known.created_at_ms,
        content=entry,
    )


def _removed(calendar_id: str, known: CalendarState, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    removed = CalendarEventRemoved(calendar_id=calendar_id, source=known.source)
    return [removed, *trip_events(calendar_id, None, brain, context)]


def _is_over(entry: CalendarEntry, now_ms: int) -> bool:
    return entry.is_over(now_ms - limits.CALENDAR_PAST_KEPT_MS)


def _check_room(brain: Brain, new: int, now_ms: int) -> None:
    """What is over for long makes room by itself, see domain/day_folds.py."""
    kept = sum(1 for state in brain.calendar.values() if not _is_over(state.entry, now_ms))
    if kept + new > limits.CALENDAR_EVENTS_MAX:
        raise Conflict(
            f"At most {limits.CALENDAR_EVENTS_MAX} events that are not over. Remove some first.", code="calendar_full"
        )
