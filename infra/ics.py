"""Calendar files (RFC 5545) to events as they stand in them: Google's, Outlook's and Apple's ways of writing included.

A file comes from anywhere. Definitions of time zones are dropped unread: the library would work out their rules, which
can be made to take for ever, and would keep them for other users' files. A zone is known by its name or not at all.
Nothing is expanded here, and no rule is judged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar import Component
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from domain.errors import Invalid
from domain.foreign_calendar import CalendarPage, ForeignEvent

LINES_MAX = 50_000
UID_CHARACTERS_MAX = 255
ATTENDEES_READ_MAX = 1_000
ZONE = "X-ZONE"  # stands for TZID, which the library would look up, guess at and keep
RULE_NOT_FOLLOWED = "RDATE"  # stands for what is more than one rule with exceptions; no rule reads like this

# With all ends of lines before the blank: what is left of a fold here, the library would unfold behind our back. Looked
# for from the first of them alone, so that a file of nothing else costs no more than another.
_FOLD = re.compile(rb"(?<![\r\n])[\r\n]+[ \t]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_ZONE_BEGINS = re.compile(r"BEGIN:VTIMEZONE\s*", re.IGNORECASE)
_ZONE_ENDS = re.compile(r"END:VTIMEZONE\s*", re.IGNORECASE)
_ZONE_ID = re.compile(r"TZID(?:;[^:]*)?:(.*)", re.IGNORECASE)
_ZONE_PLACE = re.compile(r"X-LIC-LOCATION(?:;[^:]*)?:(.*)", re.IGNORECASE)
_NAME = re.compile(r'[^":;]*')
_PARAMETER = re.compile(r';(?:[^":;]|"[^"]*")*')
_NO_EXCEPTIONS = re.compile(rf"EXDATE(?:{_PARAMETER.pattern})*:\s*", re.IGNORECASE)
_MARK = re.compile(r"(BEGIN|END):\s*([\w-]+)\s*", re.IGNORECASE)
_EVENT_BEGINS = re.compile(r"BEGIN:VEVENT\s*", re.IGNORECASE)
_TIMES = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXRULE", "EXDATE", "RECURRENCE-ID"})


class _Unreadable(Exception):
    """What an event says of its times makes no sense."""


def read_calendar_file(data: bytes, *, events_max: int) -> CalendarPage:
    """The events of a file, in its order. `unread` are the uids of those whose times can't be read, all parts of them.

    Raises `Invalid`: no calendar file, or more events than `events_max`. Takes up to seconds of CPU: not for an event
    loop.
    """
    lines, places = _lines(data)
    if sum(1 for line in lines if _EVENT_BEGINS.fullmatch(line) is not None) > events_max:
        raise Invalid(f"The file has more than {events_max} events. Split it.", code="calendar_file_too_large")
    _check_whole(lines)
    try:
        calendars = Component.from_ical("\r\n".join(lines) + "\r\n", multiple=True)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        # The library has no error of its own for a file that is none.
        raise _no_calendar() from error
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise _no_calendar()
    if any("DTSTART" in calendar for calendar in calendars):
        # A calendar takes place at no time: this is of an event whose own bounds can't be read.
        raise _no_calendar()
    events: list[ForeignEvent] = []
    unread: dict[str, None] = {}
    zoned = [(calendar, _Zones(places, _text(calendar, "X-WR-TIMEZONE"))) for calendar in calendars]
    clocks = _clocks_of_series(zoned)
    for calendar, of_calendar in zoned:
        is_cancelled = (_text(calendar, "METHOD") or "").upper() == "CANCEL"
        for component in calendar.walk("VEVENT"):
            uid = _uid(component)
            try:
                events.append(_event(component, uid, of_calendar, clocks, is_cancelled=is_cancelled))
            except (_Unreadable, OverflowError, ValueError):
                unread[uid] = None
    return CalendarPage(events=tuple(event for event in events if event.uid not in unread), unread=tuple(unread))


def _no_calendar() -> Invalid:
    return Invalid("This is no calendar file: it does not read as iCalendar (RFC 5545).", code="calendar_file_invalid")


def _check_whole(lines: Iterable[str]) -> None:
    """The library reads what a cut-off file has left as if it were all, and drops the event that was cut."""
    begun: list[str] = []
    for mark in filter(None, map(_MARK.fullmatch, lines)):
        name = mark[2].upper()
        if mark[1].upper() == "BEGIN":
            begun.append(name)
        elif not begun or begun.pop() != name:
            raise _no_calendar()
    if begun:
        raise Invalid(f"The file is cut off: its {begun[-1]} has no end.", code="calendar_file_invalid")


def _lines(data: bytes) -> tuple[list[str], dict[str, str]]:
    """Unfolded, without definitions of zones; and where those zones are, by their ids, as far as they say so.

    Folds may lie within a character, so they go before decoding.
    """
    try:
        text = _FOLD.sub(b"", data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The file is not UTF-8.", code="calendar_file_invalid") from None
    kept: list[str] = []
    places: dict[str, str] = {}
    zone_id: str | None = None
    is_zone = False
    lines = _LINE_END.split(text)
    if len(lines) > LINES_MAX:
        raise Invalid(f"The file has more than {LINES_MAX} lines. Split it.", code="calendar_file_too_large")
    for line in map(_plain, lines):
        if _ZONE_BEGINS.fullmatch(line) is not None:
            is_zone, zone_id = True, None
        elif not is_zone:
            kept.append(_zone_renamed(line))
        elif _ZONE_ENDS.fullmatch(line) is not None:
            is_zone = False
        elif (named := _ZONE_ID.fullmatch(line)) is not None:
            zone_id = named[1].strip()
        elif (place := _ZONE_PLACE.fullmatch(line)) is not None and zone_id is not None:
            places[zone_id] = place[1].strip()
    return [line for line in kept if line.strip() and _NO_EXCEPTIONS.fullmatch(line) is None], places


def _plain(line: str) -> str:
    """`line`, where it begins or ends a part, as all read it alike: the library takes a blank behind the colon for a
    part of the name, yet none before it, and looks past parameters. Raises `Invalid` for what nobody writes."""
    mark = _MARK.fullmatch(line)
    if mark is not None:
        return f"{mark[1]}:{mark[2]}"
    name = _NAME.match(line)
    if name is not None and "".join(name[0].split()).upper() in ("BEGIN", "END"):
        raise _no_calendar()
    return line


def _zone_renamed(line: str) -> str:
    """`line` with the name of its zone out of the library's sight."""
    if "TZID=" not in line.upper():
        return line
    name = _NAME.match(line)
    place = 0 if name is None else name.end()
    parts = [line[:place]]
    while (parameter := _PARAMETER.match(line, place)) is not None:
        said = parameter[0]
        parts.append(f";{ZONE}{said[5:]}" if said[:6].upper() == ";TZID=" else said)
        place = parameter.end()
    return "".join(parts) + line[place:]


# --- zones --------------------------------------------------------------------------------------------------------


class _Zones:
    """Names of zones as files have them, to IANA's. `usual` is the file's own for times without one."""

    def __init__(self, places: Mapping[str, str], usual: str | None) -> None:
        self._places = places
        self._known: dict[str, str] = {}
        self.usual = None if usual is None else self.named(usual)

    def named(self, text: str) -> str:
        """An IANA name where one can be made out, else `text`, which somebody will refuse."""
        if text not in self._known:
            path = text.strip('"/ ').split("/")
            tries = [text, self._places.get(text, ""), WINDOWS_TO_OLSON.get(text, "")]
            tries += ["/".join(path[-count:]) for count in (3, 2)]
            self._known[text] = next((name for name in tries if _is_zone(name)), text)
        return self._known[text]


def _is_zone(name: str) -> bool:
    if not 0 < len(name) <= 64:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


# --- events -------------------------------------------------------------------------------------------------------


def _clocks_of_series(zoned: Iterable[tuple[Component, _Zones]]) -> dict[str, str | None]:
    """Whose clock tells the occurrences of each series, by uid: a zone, "" for the user's, None for whole days."""
    clocks: dict[str, str | None] = {}
    for calendar, zones in zoned:
        for component in calendar.walk("VEVENT"):
            if "RRULE" not in component or "RECURRENCE-ID" in component:
                continue
            # One that can't be read is named among the unread, with all of its parts.
            with suppress(_Unreadable, OverflowError, ValueError, AttributeError):
                start, zone = _moment(component, "DTSTART", zones)
                if start is not None:
                    on_clock = "UTC" if start.endswith("Z") else zone or ""
                    clocks[_uid(component)] = on_clock if "T" in start else None
    return clocks


def _event(
    component: Any, uid: str, zones: _Zones, clocks: Mapping[str, str | None], *, is_cancelled: bool
) -> ForeignEvent:
    if any(_is_about_time(name, said) for name, said in component.errors):
        raise _Unreadable
    start, zone = _moment(component, "DTSTART", zones)
    if start is None:
        raise _Unreadable
    end = _end(component, start, zone, zones)
    # Outlook writes whole days as times from midnight to midnight.
    if (_text(component, "X-MICROSOFT-CDO-ALLDAYEVENT") or "").upper() == "TRUE":
        start, end = start.removesuffix("T00:00:00"), end.removesuffix("T00:00:00") if end else end
    rule = _rule(component)
    if rule is not None and start.endswith("Z"):
        zone = "UTC"  # a series in UTC does not follow anybody's clock
    clock = clocks.get(uid, zone or "")
    replaces, _ = _moment(component, "RECURRENCE-ID", zones, on_clock_of=clock)
    if "RANGE" in getattr(component.get("RECURRENCE-ID"), "params", {}):
        raise _Unreadable
    return ForeignEvent(
        uid=uid,
        title=_text(component, "SUMMARY") or "",
        start=start,
        end=end,
        timezone=zone,
        description=_text(component, "DESCRIPTION"),
        location=_text(component, "LOCATION"),
        attendees=tuple(map(_attendee, _all(component, "ATTENDEE")[:ATTENDEES_READ_MAX])),
        recurrence=rule if replaces is None else None,
        excluded=_excluded(component, clock, zones),
        replaces=replaces,
        is_cancelled=is_cancelled or (_text(component, "STATUS") or "").upper() == "CANCELLED",
    )


def _is_about_time(name: str | None, said: str) -> bool:
    """Whether an error of the library's is one of a time. A line that is none has no name, and is quoted."""
    return any(time in said.upper() for time in _TIMES) if name is None else name.upper() in _TIMES


def _all(component: Any, name: str) -> list[Any]:
    value = component.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(component: Any, name: str) -> str | None:
    values = _all(component, name)
    return str(values[0]).replace("\0", "") if values else None


def _uid(component: Any) -> str:
    """A file without uids gets the same ones each time that it is read."""
    uid = (_text(component, "UID") or "").strip()
    if 0 < len(uid) <= UID_CHARACTERS_MAX:
        return uid
    said = uid or "\n".join(_text(component, name) or "" for name in ("SUMMARY", "DESCRIPTION", "LOCATION"))
    start = component.get("DTSTART")
    # One that is no time is a text, and raises when it is asked for its time.
    begins = "" if uid else str(start if isinstance(start, str) else getattr(start, "dt", ""))
    return f"unnamed-{hashlib.sha256((begins + said).encode()).hexdigest()[:32]}"


def _moment(
    component: Any, name: str, zones: _Zones, *, on_clock_of: str | None = None
) -> tuple[str | None, str | None]:
    """As `ForeignEvent.start` has it, and its zone; None where there is none."""
    values = _all(component, name)
    if not values:
        return None, None
    if len(values) > 1:
        raise _Unreadable
    return _told(values[0], values[0].dt, zones, on_clock_of)


def _told(value: Any, moment: Any, zones: _Zones, on_clock_of: str | None) -> tuple[str, str | None]:
    """On the clock of `on_clock_of`, where that is another zone than its own, it is told in UTC."""
    if not isinstance(moment, datetime):
        if not isinstance(moment, date):
            raise _Unreadable
        return moment.isoformat(), None
    zone_id = value.params.get(ZONE)
    wall = moment.replace(tzinfo=None)
    if zone_id is None:
        return wall.isoformat(timespec="seconds") + ("Z" if moment.tzinfo is not None else ""), zones.usual
    zone = zones.named(str(zone_id))
    if on_clock_of is None or zone == on_clock_of:
        return wall.isoformat(timespec="seconds"), zone
    if not _is_zone(zone):
        raise _Unreadable
    there = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return there.replace(tzinfo=None).isoformat(timespec="seconds") + "Z", zone


def _end(component: Any, start: str, zone: str | None, zones: _Zones) -> str | None:
    end, _ = _moment(component, "DTEND", zones, on_clock_of=zone or "")
    if end is not None:
        return end
    durations = _all(component, "DURATION")
    if not durations:
        return None
    length = durations[0].dt
    if len(durations) > 1 or not isinstance(length, timedelta):
        raise _Unreadable
    if "T" not in start:
        return (date.fromisoformat(start) + length).isoformat()
    wall = datetime.fromisoformat(start.removesuffix("Z")) + timedelta(days=length.days)
    rest = timedelta(seconds=length.seconds)
    if zone is None or start.endswith("Z") or "RRULE" in component or not _is_zone(zone):
        # A series lasts as long on its clock, whether or not a change of clocks falls into its first occurrence.
        wall += rest
    else:
        # Days are those of the calendar; hours are as long as they are. The library tells 24 of them as a day.
        clock = ZoneInfo(zone)
        wall = (wall.replace(tzinfo=clock).astimezone(UTC) + rest).astimezone(clock).replace(tzinfo=None)
    return wall.isoformat(timespec="seconds") + ("Z" if start.endswith("Z") else "")


def _rule(component: Any) -> str | None:
    rules = _all(component, "RRULE")
    if len(rules) > 1 or _all(component, "RDATE") or _all(component, "EXRULE"):
        return RULE_NOT_FOLLOWED
    return rules[0].to_ical().decode().upper() if rules else None


def _excluded(component: Any, clock: str | None, zones: _Zones) -> tuple[str, ...]:
    listed = _all(component, "EXDATE")
    return tuple(_told(dates, one.dt, zones, clock)[0] for dates in listed for one in dates.dts)


def _attendee(address: Any) -> str:
    mail = str(address)
    mail = mail[7:] if mail[:7].lower() == "mailto:" else mail
    name = str(address.params.get("CN", "")).strip('" ')
    return f"{name} <{mail}>" if name and name != mail else mail
