"""Calendar entries to a calendar file (RFC 5545) that other calendars read, and that infra/ics.py reads back as it was.

In pieces, so that a whole calendar is never in memory: a head, the events one by one, the zones they named, an end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from icalendar import Event, Timezone, vCalAddress, vRecur

from domain.values import CalendarEntry, MovedOccurrence

HEAD = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Micro CoS//Export//EN\r\nCALSCALE:GREGORIAN\r\n"
END = b"END:VCALENDAR\r\n"

_NAMED = re.compile(r"(.*)<([^<>]+)>")


def event_ics(calendar_id: str, entry: CalendarEntry, *, changed_at_ms: int) -> bytes:
    """One event, with one component more for each occurrence of it that was moved."""
    event = _component(calendar_id, entry, changed_at_ms)
    _add_texts(event, entry.title, entry.description, entry.location)
    event.add("dtstart", _moment(entry.start, entry.timezone))
    event.add("dtend", _moment(entry.end, entry.timezone))
    for attendee in entry.attendees:
        event.add("attendee", _address(attendee), encode=False)
    if entry.recurrence is not None:
        event.add("rrule", vRecur.from_ical(entry.recurrence))
    if entry.excluded:
        event.add("exdate", [_moment(one, entry.timezone) for one in entry.excluded])
    moved = (_moved(calendar_id, entry, one, changed_at_ms) for one in entry.moved)
    return b"".join(component.to_ical() for component in (event, *moved))


def zones_ics(zones: Iterable[str]) -> Iterator[bytes]:
    """Their definitions, for readers that do not know them by name."""
    for zone in sorted(set(zones) - {"UTC"}):
        yield Timezone.from_tzid(zone).to_ical()


def _moved(calendar_id: str, entry: CalendarEntry, one: MovedOccurrence, changed_at_ms: int) -> Event:
    event = _component(calendar_id, entry, changed_at_ms)
    _add_texts(
        event,
        entry.title if one.title is None else one.title,
        entry.description if one.description is None else one.description,
        entry.location if one.location is None else one.location,
    )
    event.add("recurrence-id", _moment(one.original, entry.timezone))
    event.add("dtstart", _moment(one.start, entry.timezone))
    event.add("dtend", _moment(one.end, entry.timezone))
    return event


def _component(calendar_id: str, entry: CalendarEntry, changed_at_ms: int) -> Event:
    event = Event()
    event.add("uid", entry.uid or f"{calendar_id}@microcos")
    event.add("dtstamp", datetime.fromtimestamp(changed_at_ms // 1000, UTC))
    return event


def _add_texts(event: Event, title: str, description: str | None, location: str | None) -> None:
    event.add("summary", title)
    if description is not None:
        event.add("description", description)
    if location is not None:
        event.add("location", location)


def _moment(local: str, timezone: str) -> date | datetime:
    if "T" not in local:
        return date.fromisoformat(local)
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(timezone))


def _address(attendee: str) -> vCalAddress:
    # Not as in a header of a mail: a comma belongs to a name, such as "Lee, Bob <bob@example.org>".
    named = _NAMED.fullmatch(attendee)
    name, mail = ("", attendee) if named is None else (named[1].replace('"', "").strip(), named[2])
    address = vCalAddress(f"mailto:{mail}" if "@" in mail else mail)
    if name:
        address.params["CN"] = name
    return address
