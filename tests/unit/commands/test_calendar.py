"""The calendar's commands: what happens, what is ignored, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from commands.calendar import (
    ImportCalendar,
    RemoveCalendarEvent,
    SetCalendarEvent,
    SyncCalendar,
    is_in_step,
)
from commands.foreign_events import entry_of
from domain import limits
from domain.events import (
    BrainEvent,
    CalendarEventAdded,
    CalendarEventChanged,
    CalendarEventRemoved,
    TripDetected,
    TripForgotten,
)
from domain.foreign_calendar import ForeignEvent
from domain.travel import Trip
from domain.values import REDACTED, CalendarEntry
from tests.support.decider import NOW_MS, Scenario

HOUR_MS = 3_600_000


def new(**fields: Any) -> SetCalendarEvent:
    return SetCalendarEvent(fields={"title": "Dentist", "start": "2025-11-21T09:00", **fields})


def made(**fields: Any) -> tuple[Scenario, str]:
    s = Scenario().given(new(**fields))
    (calendar_id,) = s.brain.calendar
    return s, calendar_id


def change(calendar_id: str, **fields: Any) -> SetCalendarEvent:
    return SetCalendarEvent(calendar_id=calendar_id, fields=fields)


def content(event: BrainEvent) -> CalendarEntry:
    assert isinstance(event, CalendarEventAdded | CalendarEventChanged)
    assert event.content is not REDACTED
    return event.content


def foreign(uid: str, **more: Any) -> CalendarEntry:
    given = {"title": "Lunch", "start": "2025-11-21T12:00:00Z", "end": "2025-11-21T13:00:00Z", **more}
    return entry_of(ForeignEvent(uid=uid, **given), (), "UTC")[0]


# --- set ----------------------------------------------------------------------------------------------------------


def test_a_new_event_takes_an_hour_in_the_users_zone() -> None:
    (event,) = Scenario().when(new()).then(CalendarEventAdded)
    entry = content(event)
    assert (entry.start, entry.end, entry.timezone) == ("2025-11-21T09:00", "2025-11-21T10:00", "UTC")
    assert entry.ends_at_ms - entry.starts_at_ms == HOUR_MS


def test_a_day_without_an_end_is_one_day() -> None:
    (event,) = Scenario().when(new(start="2025-03-30", timezone="Europe/Berlin")).then(CalendarEventAdded)
    entry = content(event)
    assert (entry.all_day, entry.end, entry.ends_at_ms - entry.starts_at_ms) == (True, "2025-03-31", 23 * HOUR_MS)


def test_a_time_with_an_offset_is_told_in_the_events_zone() -> None:
    (event,) = (
        Scenario().when(new(start="2025-11-21T09:00:00.000-05:00", timezone="Europe/Berlin")).then(CalendarEventAdded)
    )
    assert content(event).start == "2025-11-21T15:00"


def test_the_same_again_changes_nothing_and_keeps_what_was_not_said() -> None:
    s, calendar_id = made(description="Bring the card", attendees=["ada@example.com"])
    s.when(change(calendar_id, title="Dentist")).then_nothing()
    (event,) = s.when(change(calendar_id, title="Dr. Zahn")).then(CalendarEventChanged)
    assert (content(event).description, content(event).attendees) == ("Bring the card", ("ada@example.com",))


def test_null_clears_what_may_be_missing() -> None:
    s, calendar_id = made(
        description="d", location="l", attendees=["a"], recurrence="FREQ=DAILY", excluded=["2025-11-22"]
    )
    nothing = dict.fromkeys(("description", "location", "attendees", "recurrence"))
    (event,) = s.when(change(calendar_id, **nothing)).then(CalendarEventChanged)
    entry = content(event)
    assert (entry.description, entry.location, entry.attendees) == (None, None, ())
    assert (entry.recurrence, entry.last, entry.excluded) == (None, None, ())


def test_moving_the_start_moves_the_end_and_what_is_excluded_with_it() -> None:
    s, calendar_id = made(end="2025-11-21T09:45", recurrence="FREQ=DAILY;COUNT=5", excluded=["2025-11-23"])
    (event,) = s.when(change(calendar_id, start="2025-11-22T10:30")).then(CalendarEventChanged)
    entry = content(event)
    assert (entry.end, entry.excluded, entry.last) == (
        "2025-11-22T11:15",
        ("2025-11-24T10:30",),
        "2025-11-26T10:30",
    )


def test_another_zone_keeps_the_hour_on_the_clock() -> None:
    s, calendar_id = made()
    (event,) = s.when(change(calendar_id, timezone="America/New_York")).then(CalendarEventChanged)
    entry = content(event)
    assert (entry.start, entry.starts_at_ms - NOW_MS) == ("2025-11-21T09:00", (2 * 24 + 4) * HOUR_MS)


def test_an_event_becomes_a_whole_day_and_loses_its_exceptions() -> None:
    s, calendar_id = made(recurrence="FREQ=DAILY", excluded=["2025-11-23"])
    (event,) = s.when(change(calendar_id, start="2025-11-21")).then(CalendarEventChanged)
    assert (content(event).end, content(event).excluded) == ("2025-11-22", ())


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"title": " "}, "title_invalid"),
        ({"title": "x" * (limits.TITLE_CHARACTERS_MAX + 1)}, "title_invalid"),
        ({"title": None}, "event_incomplete"),
        ({"start": None}, "event_incomplete"),
        ({"start": "noon"}, "time_invalid"),
        ({"start": "1899-12-31"}, "time_invalid"),
        ({"start": "2025-03-30T02:30", "timezone": "Europe/Berlin"}, "time_missing"),
        ({"end": "2025-11-21T09:00"}, "end_invalid"),
        ({"end": "2025-11-20T09:00"}, "end_invalid"),
        ({"end": "2025-11-22"}, "end_invalid"),
        ({"start": "2025-11-21", "end": "2025-11-21"}, "end_invalid"),
        ({"end": "2125-11-21T09:00"}, "event_too_long"),
        ({"timezone": "Mars"}, "timezone_unknown"),
        ({"recurrence": "FREQ=HOURLY"}, "recurrence_invalid"),
        ({"location": "x" * (limits.TITLE_CHARACTERS_MAX + 1)}, "location_long"),
        ({"description": "x" * (limits.CALENDAR_TEXT_CHARACTERS_MAX + 1)}, "description_long"),
        ({"attendees": ["a"] * (limits.ATTENDEES_MAX + 1)}, "attendees_too_many"),
        ({"attendees": ["a" * (limits.ATTENDEE_CHARACTERS_MAX + 1)]}, "attendee_invalid"),
        (
            {"recurrence": "FREQ=DAILY", "excluded": [f"{1900 + n}-01-01" for n in range(201)]},
            "exceptions_too_many",
        ),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(fields: dict[str, Any], code: str) -> None:
    Scenario().when(new(**fields)).then_refused(code)


def test_an_unknown_event_can_be_neither_changed_nor_removed() -> None:
    Scenario().when(change("cal_x", title="y")).then_refused("calendar_event_unknown")
    Scenario().when(RemoveCalendarEvent(calendar_id="cal_x")).then_refused("calendar_event_unknown")


def test_a_change_of_what_was_not_read_is_refused() -> None:
    s, calendar_id = made()
    s.when(replace(change(calendar_id, title="y"), expected_version=7)).then_refused("version_stale")


def test_events_are_capped_and_what_is_over_for_long_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALENDAR_EVENTS_MAX", 2)
    s = Scenario().given(new(start="2025-01-01"), new(start="2025-01-02", recurrence="FREQ=DAILY;COUNT=2"), new())
    assert len(s.brain.calendar) == 1
    s.given(new()).when(new()).then_refused("calendar_full")


def test_what_was_just_made_stays_however_long_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALENDAR_EVENTS_MAX", 2)
    s = Scenario().given(new(start="2025-01-01"), new(start="2025-01-02"), new(start="2025-01-03"))
    assert [state.entry.start for state in s.brain.calendar.values()] == ["2025-01-03"]


def test_an_exception_that_would_move_out_of_the_calendar_with_its_series_is_refused() -> None:
    s, calendar_id = made(recurrence="FREQ=DAILY", excluded=["9000-01-01"])
    s.when(change(calendar_id, start="5000-01-01T09:00")).then_refused("exceptions_too_far")


# --- trips --------------------------------------------------------------------------------------------------------


def test_a_trip_is_seen_kept_up_to_date_and_forgotten_with_its_event() -> None:
    s = Scenario()
    _, event = s.when(new(title="Paris trip", start="2025-12-10", end="2025-12-16")).then(
        CalendarEventAdded, TripDetected
    )
    assert isinstance(event, TripDetected)
    assert event.content == Trip(
        title="Paris trip", destination="Paris", departure_date="2025-12-10", return_date="2025-12-15"
    )
    (calendar_id,) = s.brain.calendar
    s.when(change(calendar_id, description="By train")).then(CalendarEventChanged)
    _, moved = s.when(change(calendar_id, start="2025-12-11")).then(CalendarEventChanged, TripDetected)
    assert isinstance(moved, TripDetected)
    assert (moved.travel_event_id, moved.workflow_id) == (event.travel_event_id, event.workflow_id)
    s.when(change(calendar_id, title="Holidays", start="2025-12-11", end="2025-12-12")).then(
        CalendarEventChanged, TripForgotten
    )
    assert not s.brain.trips
    s.given(change(calendar_id, title="Trip to Rome")).when(RemoveCalendarEvent(calendar_id=calendar_id)).then(
        CalendarEventRemoved, TripForgotten
    )
    assert (s.brain.trips, s.brain.calendar) == ({}, {})


def test_trips_of_the_past_are_seen_when_the_user_says_so_and_not_in_files() -> None:
    Scenario().when(new(title="Paris trip", start="2025-05-10")).then(CalendarEventAdded, TripDetected)
    past = {"title": "Paris trip", "start": "2025-05-10", "end": None}
    Scenario().when(ImportCalendar(entries={"cal_a": foreign("a", **past)})).then(CalendarEventAdded)


# --- files --------------------------------------------------------------------------------------------------------


def test_an_import_adds_changes_leaves_and_removes_by_uid() -> None:
    s = Scenario().given(ImportCalendar(entries={"cal_a": foreign("a"), "cal_b": foreign("b"), "cal_c": foreign("c")}))
    s.when(ImportCalendar(entries={"cal_a": foreign("a"), "cal_b": foreign("b")})).then_nothing()
    again = ImportCalendar(
        entries={"cal_a": foreign("a"), "cal_b": foreign("b", title="Dinner"), "cal_d": foreign("d")},
        cancelled=["cal_c", "cal_c", "cal_unknown"],
    )
    s.when(again).then(CalendarEventChanged, CalendarEventAdded, CalendarEventRemoved)
    assert {key: state.entry.title for key, state in s.brain.calendar.items()} == {
        "cal_a": "Lunch",
        "cal_b": "Dinner",
        "cal_d": "Lunch",
    }
    assert {state.source for state in s.brain.calendar.values()} == {"ics"}


def test_an_imported_event_can_be_changed_and_removed_here() -> None:
    s = Scenario().given(ImportCalendar(entries={"cal_a": foreign("a")}))
    (event,) = s.when(change("cal_a", title="Late lunch")).then(CalendarEventChanged)
    assert isinstance(event, CalendarEventChanged)
    assert (event.source, content(event).uid) == ("ics", "a")
    s.when(RemoveCalendarEvent(calendar_id="cal_a")).then(CalendarEventRemoved)


def test_what_a_sync_keeps_up_to_date_is_left_to_the_sync() -> None:
    s = Scenario().given(sync({"cal_g": foreign("abc")}))
    s.when(ImportCalendar(entries={"cal_i": foreign("abc@google.com", title="Old name")})).then_nothing()


def test_an_import_that_does_not_fit_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALENDAR_EVENTS_MAX", 1)
    past = foreign("b", start="2024-01-01", end=None)
    Scenario().when(ImportCalendar(entries={"cal_a": foreign("a"), "cal_b": past})).then(*[CalendarEventAdded] * 2)
    Scenario().when(ImportCalendar(entries={"cal_a": foreign("a"), "cal_b": foreign("b")})).then_refused(
        "calendar_full"
    )


# --- sync ---------------------------------------------------------------------------------------------------------


def sync(entries: dict[str, CalendarEntry], **more: Any) -> SyncCalendar:
    window = {"from_ms": NOW_MS - 7 * limits.DAY_MS, "until_ms": NOW_MS + 90 * limits.DAY_MS, "is_complete": True}
    return SyncCalendar(entries=entries, **{**window, **more})


def test_a_sync_appends_the_difference_and_nothing_when_there_is_none() -> None:
    there = {"cal_a": foreign("a"), "cal_b": foreign("b")}
    s = Scenario().given(sync(there))
    assert is_in_step(sync(there), s.brain)
    s.when(sync(there)).then_nothing()
    changed = sync({"cal_a": foreign("a", title="Dinner"), "cal_c": foreign("c")})
    assert not is_in_step(changed, s.brain)
    s.when(changed).then(CalendarEventRemoved, CalendarEventChanged, CalendarEventAdded)
    assert set(s.brain.calendar) == {"cal_a", "cal_c"}


def test_absence_is_no_deletion_when_a_part_could_not_be_read() -> None:
    s = Scenario().given(sync({"cal_a": foreign("a"), "cal_b": foreign("b")}))
    s.when(sync({"cal_a": foreign("a")}, is_complete=False)).then_nothing()
    s.when(sync({"cal_a": foreign("a")}, unread=["cal_b"])).then_nothing()
    s.when(sync({"cal_a": foreign("a")})).then(CalendarEventRemoved)


@pytest.mark.parametrize(
    ("start", "end", "is_removed"),
    [
        ("2025-11-12T09:00:00Z", "2025-11-12T10:00:00Z", False),  # ends as the window begins
        ("2025-11-12T09:00:00Z", "2025-11-12T10:00:01Z", True),
        ("2026-02-17T09:59:59Z", "2026-02-17T11:00:00Z", True),
        ("2026-02-17T10:00:00Z", "2026-02-17T11:00:00Z", False),  # begins as the window ends
    ],
)
def test_absence_is_deletion_only_within_the_window(start: str, end: str, is_removed: bool) -> None:
    wide = sync({"cal_a": foreign("a", start=start, end=end)}, from_ms=0, until_ms=2 * NOW_MS)
    s = Scenario().given(wide).when(sync({}))
    assert ("cal_a" not in s.brain.calendar) == is_removed


def test_events_of_the_user_and_of_files_are_none_of_the_syncs_business() -> None:
    s = Scenario().given(new(), ImportCalendar(entries={"cal_i": foreign("i")}))
    s.when(sync({})).then_nothing()


def test_a_synced_event_cannot_be_changed_here() -> None:
    s = Scenario().given(sync({"cal_g": foreign("g")}))
    s.when(change("cal_g", title="Mine")).then_refused("calendar_event_synced")
    s.when(RemoveCalendarEvent(calendar_id="cal_g")).then_refused("calendar_event_synced")


def test_a_calendar_that_is_full_can_still_exchange_one_event_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALENDAR_EVENTS_MAX", 1)
    s = Scenario().given(sync({"cal_a": foreign("a")}))
    s.when(sync({"cal_b": foreign("b")})).then(CalendarEventRemoved, CalendarEventAdded)
    s.when(sync({"cal_b": foreign("b"), "cal_c": foreign("c")})).then_refused("calendar_full")
