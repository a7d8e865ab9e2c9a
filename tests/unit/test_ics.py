"""Calendar files of every flavour: what is read of them, and that hostile ones cost nothing and harm nobody."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.foreign_events import DAYS_COUNTED_MAX, Taken, take
from domain import limits
from domain.errors import Invalid
from domain.local_times import instant_ms
from domain.occurrences import occurrences
from domain.values import CalendarEntry
from infra.ics import LINES_MAX, read_calendar_file
from tests.support.calendar_files import calendar_file, calendar_files


def taken(data: bytes, zone: str = "America/New_York") -> Taken:
    """By uid, with what was not readable among what was skipped."""
    page = read_calendar_file(data, events_max=limits.CALENDAR_IMPORT_MAX)
    return take(page.events, zone=zone, id_of=str)


def starts(entry: CalendarEntry, from_: str = "2025-10-01", to: str = "2026-03-01") -> list[str]:
    window = {"from_ms": instant_ms(from_, "UTC"), "until_ms": instant_ms(to, "UTC")}
    return [one.start for one in occurrences([("x", entry)], **window, limit=100)]


def file_of(*lines: str) -> bytes:
    event = ["BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", *event, "END:VCALENDAR", ""]).encode()


# --- flavours -----------------------------------------------------------------------------------------------------


def test_googles_export_is_read_with_its_series_and_exceptions() -> None:
    entries = taken(calendar_file("google.ics")).entries
    lunch, holidays, standup = (
        entries["lunch@google.com"],
        entries["holidays@google.com"],
        entries["standup@google.com"],
    )
    assert (lunch.start, lunch.timezone) == ("2025-11-21T12:00", "Europe/Berlin")
    assert lunch.location == "Café Einstein, Kurfürstenstraße"
    assert (holidays.start, holidays.end, holidays.all_day) == ("2025-12-24", "2025-12-27", True)
    assert standup.attendees == ("Ada Lovelace <ada@example.com>", "bob@example.com")
    assert [one[:16] for one in starts(standup)] == [
        "2025-10-20T09:00",
        "2025-11-04T11:00",
        "2025-11-10T09:00",
        "2025-11-17T09:00",
        "2025-11-24T09:00",
        "2025-12-01T09:00",
    ]


def test_outlooks_export_is_read_with_names_of_zones_from_windows() -> None:
    review, offsite, monthly = taken(calendar_file("outlook.ics")).entries.values()
    assert (review.timezone, review.start) == ("Europe/Berlin", "2025-11-21T14:00")
    assert review.description == "Agenda:\n1. Budget\n2. Hiring\n\nJoin: https://example.com/meeting?id=1234567890"
    assert (offsite.start, offsite.end) == ("2025-11-28", "2025-11-29")
    assert starts(monthly) == ["2025-11-03T16:30", "2026-01-05T16:30", "2026-02-02T16:30"]


def test_apples_export_is_read_with_characters_that_were_folded_in_two() -> None:
    dinner, run, birthday = taken(calendar_file("apple.ics")).entries.values()
    assert dinner.title == "Dinner 🍝 with Zoë"
    assert dinner.location == "Lupa 170 Thompson St New York"
    assert (run.end, starts(run)[:4]) == (
        "2025-11-22T09:30",
        ["2025-11-22T08:00", "2025-11-30T08:00", "2025-12-06T08:00", "2025-12-14T08:00"],
    )
    assert starts(birthday, "2026-01-01", "2026-12-31") == ["2026-07-04"]


def test_times_on_nobodys_clock_are_on_the_users() -> None:
    entries = taken(calendar_file("floating.ics"), zone="Asia/Tokyo").entries
    wake, moment, gap = (entries[f"{name}@floating"] for name in ("wake", "moment", "gap"))
    assert (wake.start, wake.timezone) == ("2025-11-21T07:00", "Asia/Tokyo")
    assert (moment.start, moment.end) == ("2025-11-21T12:00", "2025-11-21T12:00")
    # RFC 5545: a time that is skipped is told by the offset before the gap.
    assert (gap.start, gap.end) == ("2025-03-30T03:30", "2025-03-30T03:30")


def test_a_series_takes_its_exceptions_from_wherever_they_are_told() -> None:
    found = taken(calendar_file("moved.ics"))
    series, alone = found.entries.values()
    assert starts(series) == [
        "2025-10-29T09:00",
        "2025-11-02T12:00",
        "2025-11-04T09:00",
        "2025-11-05T09:00",
    ]
    [moved] = series.moved
    assert (moved.original, moved.title, moved.location) == ("2025-11-02T09:00", "Review (from London)", "Room 2")
    assert (alone.title, alone.recurrence, alone.start) == ("Somebody else's series", None, "2025-11-05T09:30")


@pytest.mark.parametrize(
    ("start", "zone", "original"),
    [
        ("DTSTART;TZID=Europe/Berlin:20250303T100000", "Europe/Berlin", "2025-03-10T10:00"),
        ("DTSTART:20250303T090000Z", "UTC", "2025-03-10T09:00"),
        ("DTSTART:20250303T040000", "America/New_York", "2025-03-10T05:00"),  # summer time began on the 9th
    ],
)
def test_an_exception_told_on_its_own_clock_stands_for_the_occurrence_at_that_instant(
    start: str, zone: str, original: str
) -> None:
    # Some programs say the rule of the series again.
    told = ["UID:1", "RECURRENCE-ID;TZID=America/New_York:20250310T050000", "RRULE:FREQ=WEEKLY"]
    times = ["DTSTART;TZID=America/New_York:20250310T090000", "DTEND;TZID=America/New_York:20250310T100000"]
    found = taken(file_of(start, "RRULE:FREQ=WEEKLY", "END:VEVENT", "BEGIN:VEVENT", *told, *times))
    series = found.entries["1"]
    assert series.timezone == zone
    assert [one.original for one in series.moved] == [original]


def test_days_left_out_of_a_series_of_days_are_the_days_that_are_written() -> None:
    times = ["DTSTART;VALUE=DATE:20250303", "RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Berlin:20250305T000000"]
    assert taken(file_of(*times)).entries["1"].excluded == ("2025-03-05",)


@pytest.mark.parametrize("said", ["EXDATE:", 'EXDATE;TZID="(UTC+01:00) Berlin": ', "exdate;VALUE=DATE:"])
def test_a_list_of_exceptions_that_is_empty_loses_no_event(said: str) -> None:
    found = taken(file_of("DTSTART:20250303T100000", "RRULE:FREQ=DAILY", said))
    assert found.entries["1"].excluded == ()


@pytest.mark.parametrize(
    ("length", "more", "end"),
    [
        ("PT8H", [], "2025-03-30T07:00"),  # the clocks of Berlin go from 2 to 3
        ("P1D", [], "2025-03-30T22:00"),
        ("P1DT8H", [], "2025-03-31T06:00"),
        ("PT8H", ["RRULE:FREQ=DAILY"], "2025-03-30T06:00"),
    ],
)
def test_hours_of_a_length_are_as_long_as_they_are_and_days_those_of_the_calendar(
    length: str, more: list[str], end: str
) -> None:
    data = file_of("DTSTART;TZID=Europe/Berlin:20250329T220000", f"DURATION:{length}", *more)
    assert taken(data).entries["1"].end == end


def test_a_blank_behind_a_name_loses_no_event() -> None:
    data = file_of("DTSTART:20250303T100000").replace(b":VEVENT", b": VEVENT ")
    assert set(taken(data).entries) == {"1"}


def test_zones_are_known_by_name_path_place_or_not_at_all() -> None:
    found = taken(calendar_file("zones.ics"))
    assert {uid: entry.timezone for uid, entry in found.entries.items()} == {
        "path@zones": "Europe/Berlin",
        "place@zones": "Europe/Berlin",
        "windows@zones": "America/New_York",
        "two@zones": "Europe/Berlin",
    }
    assert (found.entries["two@zones"].start, found.entries["two@zones"].end) == (
        "2025-11-21T09:00",
        "2025-11-21T18:00",
    )
    assert [(one.uid, one.reason) for one in found.skipped] == [("unknown@zones", "timezone_unknown")]


def test_an_invitation_withdrawn_is_no_entry() -> None:
    found = taken(calendar_file("cancelled.ics"))
    assert (found.entries, found.cancelled) == ({}, ["lunch@google.com"])


def test_careless_files_are_read_as_they_are_meant() -> None:
    entries = taken(calendar_file("loose.ics")).entries
    assert [entry.title for entry in entries.values()] == [
        "No uid",
        "A day that ends as it begins",
        "(untitled)",
        "Of the second calendar",
    ]
    assert entries["loose-1"].end == "2025-11-22"
    assert entries.keys() == taken(calendar_file("loose.ics")).entries.keys()


# --- rules and bounds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["DTSTART:20251121T090000Z", "RRULE:FREQ=SECONDLY"], "recurrence_invalid"),
        (["DTSTART:20251121T090000Z", "RRULE:FREQ=DAILY;COUNT=1000000000"], "recurrence_invalid"),
        (["DTSTART:20251121T090000Z", "RRULE:FREQ=DAILY;BYHOUR=1,2,3"], "recurrence_invalid"),
        (["DTSTART:20251121T090000Z", "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"], "recurrence_invalid"),
        (["DTSTART:20251121T090000Z", "RDATE:20251201T090000Z"], "recurrence_invalid"),
        (["DTSTART:20251121T090000Z", "RRULE:FREQ=BOGUS"], "unreadable"),
        (["DTSTART:20251121T090000Z", "DTSTART:20251122T090000Z"], "unreadable"),
        (["DTSTART:20251321T090000Z"], "unreadable"),
        (["DTSTART;VALUE=PERIOD:20251121T090000Z/PT1H"], "unreadable"),
        (["SUMMARY:no start"], "unreadable"),
        (["DTSTART:20251121T090000Z", "DURATION:P1000000000D"], "unreadable"),
        (["DTSTART:20251121T090000Z", "DURATION:-PT1H"], "end_invalid"),
        (["DTSTART:20251121T090000Z", "DTEND;VALUE=DATE:20251122"], "end_invalid"),
        (["DTSTART;VALUE=DATE:20251121", "DTEND;VALUE=DATE:20271121"], "event_too_long"),
        (["DTSTART:00010101T000000Z"], "time_invalid"),
        (["DTSTART;TZID=../../etc/passwd:20251121T090000"], "timezone_unknown"),
        (
            ["DTSTART:20251121T090000Z", "RRULE:FREQ=DAILY"]
            + [f"EXDATE:{2026 + n // 28}01{n % 28 + 1:02}T090000Z" for n in range(201)],
            "exceptions_too_many",
        ),
        (
            ["DTSTART:20251121T090000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:20251121T090000Z"],
            "unreadable",
        ),
    ],
)
def test_what_cannot_be_followed_is_never_half_taken(lines: list[str], reason: str) -> None:
    page = read_calendar_file(file_of(*lines), events_max=10)
    found = take(page.events, zone="UTC", id_of=str)
    reasons = [one.reason for one in found.skipped] + ["unreadable"] * len(page.unread)
    assert (found.entries, reasons) == ({}, [reason])


def test_a_series_with_an_exception_that_cannot_be_read_is_not_taken_at_all() -> None:
    good = calendar_file("moved.ics").replace(b"RECURRENCE-ID:20251102T140000Z", b"RECURRENCE-ID:sometime")
    page = read_calendar_file(good, events_max=10)
    assert page.unread == ("series@moved",)
    assert {event.uid for event in page.events} == {"alone@moved"}


def test_a_file_of_long_series_is_counted_out_only_so_far() -> None:
    event = "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART:19700101T100000Z\r\nRRULE:FREQ=DAILY;COUNT=%d\r\nEND:VEVENT\r\n"
    short = "".join(event % (n, 10) for n in range(500))
    long = "".join(event % (n, 9_999) for n in range(500, 600))
    found = taken(f"BEGIN:VCALENDAR\r\n{short}{long}END:VCALENDAR\r\n".encode())
    assert {one.reason for one in found.skipped} == {"recurrence_too_long"}
    assert len(found.entries) == 600 - len(found.skipped) == 550
    assert found.days_counted < DAYS_COUNTED_MAX + 20_000


def test_texts_that_are_too_long_are_cut() -> None:
    lines = [
        "DTSTART:20251121T090000Z",
        "SUMMARY:" + "s" * 9_000,
        "DESCRIPTION:" + "d" * 9_000,
        "LOCATION:" + "l" * 9_000,
    ]
    lines += [f"ATTENDEE;CN={'c' * 400}:mailto:{n}@example.com" for n in range(200)]
    [entry] = taken(file_of(*lines)).entries.values()
    assert (len(entry.title), len(entry.location or "")) == (limits.TITLE_CHARACTERS_MAX,) * 2
    assert len(entry.description or "") == limits.CALENDAR_TEXT_CHARACTERS_MAX
    assert len(entry.attendees) == limits.ATTENDEES_MAX


def test_a_definition_of_a_zone_is_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_args: Any, **_named: Any) -> Any:
        raise AssertionError("somebody worked out a zone of a file")

    monkeypatch.setattr(icalendar.cal.timezone.Timezone, "to_tz", never)
    [entry] = taken(calendar_file("zone_bomb.ics")).entries.values()
    assert (entry.timezone, entry.starts_at_ms) == ("Europe/Berlin", instant_ms("2025-11-21T08:00", "UTC"))


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("BEGIN: VTIMEZONE", "END: VTIMEZONE"),
        ("BEGIN :VTIMEZONE", "END :VTIMEZONE"),
        ("BEG IN:VTIMEZONE", "E ND:VTIMEZONE"),
        ('BEGIN;X="a:b":VTIMEZONE', "END;X=1:VTIMEZONE"),
        ("BEG\u0131N: vt\u0131mezone", "END:VTIMEZONE"),
        ("BEGIN:VTIME\r ZONE", "END:VTIME\r ZONE"),
        ("BEGIN:VTIME\n\n  ZONE", "END:VTIME\n\n  ZONE"),
    ],
)
def test_a_definition_of_a_zone_is_never_looked_at_however_it_is_written(
    begin: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Any] = []
    monkeypatch.setattr(icalendar.timezone.tzp, "cache_timezone_component", looked.append)
    offsets = ["DTSTART:16010101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+1200"]
    zone = [begin, "TZID:Made/Up", "BEGIN:STANDARD", *offsets, "END:STANDARD", end]
    data = "\n".join(["BEGIN:VCALENDAR", *zone, file_of("DTSTART:20250303T100000").decode()[17:]])
    with suppress(Invalid):
        assert set(taken(data.encode()).entries) == {"1"}
    assert not looked


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"hello", b"\xff\xfe", b"BEGIN:VCALENDAR\r\n", b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"END:VCALENDAR\r\n"),
        *(b"BEGIN:VCALENDAR\r\nx\r\nEND:VCALENDAR\r\n", b"{}", b"\0" * 1_000),
        b"BEGIN:X\r\n" * 20_000 + b"END:X\r\n" * 20_000,
        b"BEGIN:VCALENDAR\r\nBEGN:VEVENT\r\nUID:1\r\nDTSTART:20251121T090000Z\r\nED:VEVENT\r\nEND:VCALENDAR\r\n",
    ],
)
def test_what_is_no_calendar_file_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read_calendar_file(data, events_max=10)
    assert refused.value.code == "calendar_file_invalid"


@pytest.mark.parametrize("cut", ["END:VCALENDAR", "END:VEVENT", "DTEND"])
def test_a_file_that_is_cut_off_is_refused_and_not_taken_for_all(cut: str) -> None:
    whole = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n"
        "BEGIN:VEVENT\nUID:1\nDTSTART:20251121T090000Z\nDTEND:20251121T100000Z\nEND:VEVENT\n"
        "BEGIN:VEVENT\nUID:2\nDTSTART:20251122T090000Z\nDTEND:20251122T100000Z\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    assert len(read_calendar_file(whole.encode(), events_max=10).events) == 2
    with pytest.raises(Invalid) as refused:
        read_calendar_file(whole[: whole.rindex(cut)].encode(), events_max=10)
    assert (refused.value.code, "cut off" in refused.value.detail) == ("calendar_file_invalid", True)


def test_a_file_whose_parts_do_not_match_is_refused() -> None:
    with pytest.raises(Invalid):
        read_calendar_file(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VEVENT\r\n", events_max=10)


@pytest.mark.parametrize("data", [b"BEGIN:VEVENT\r\n" * 11, b"begin:vevent \n" * 11, b"A:\r\n" * (LINES_MAX + 1)])
def test_a_file_that_is_too_much_work_is_refused_unread(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.ics.Component", None)
    with pytest.raises(Invalid) as refused:
        read_calendar_file(data, events_max=10)
    assert refused.value.code == "calendar_file_too_large"


def test_an_event_without_a_uid_and_without_a_time_that_reads_is_named_among_the_unread() -> None:
    event = "BEGIN:VEVENT\r\nSUMMARY:Lunch\r\nDTSTART:someday\r\nEND:VEVENT"
    data = f"BEGIN:VCALENDAR\r\n{event}\r\nEND:VCALENDAR\r\n".encode()
    page = read_calendar_file(data, events_max=10)
    assert page.events == ()
    [unread] = page.unread
    assert unread.startswith("unnamed-")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(calendar_files()), st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(name: str, data: st.DataObject) -> None:
    content = calendar_file(name)
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 20))
        content = content[:place] + data.draw(st.binary(max_size=6)) + content[place + length :]
    try:
        found = taken(content)
    except Invalid:
        return
    for entry in found.entries.values():
        assert entry.ends_at_ms >= entry.starts_at_ms
        assert re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?", entry.start)
        assert len(starts(entry)) <= 100
