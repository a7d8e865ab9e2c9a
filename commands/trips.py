"""Trips seen in calendar events, by their words alone: pure, and no tool is asked.

"Trip to X", "X trip", "flight to X", "travel to X", and what lasts days and names a place that is not the one whose
clock it goes by. One event makes one trip at most; it is forgotten when the event goes or says so no longer.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from commands.context import CommandContext
from commands.places import AMBIGUOUS, PLACES
from domain import limits
from domain.brain import Brain, TripState
from domain.events import BrainEvent, TripDetected, TripForgotten
from domain.text import one_line
from domain.travel import Trip
from domain.values import CalendarEntry

PLACE_WORDS_MAX = 4
MORE_THAN_A_DAY_MS = 26 * 3_600_000  # the day on which clocks go back has 25 hours
TEXT_CHARACTERS_MAX = 1_000  # of a description: who travels says so at once

_NAME = r"[^\W\d_][\w.'’-]*"
_TO = re.compile(
    r"\b(?:trip|journey|travel(?:l?ing)?|flight|fly(?:ing)?|train|vacation|holidays?"
    r"|(?:dienst|geschäfts|urlaubs|städte)?reise|flug|fliegen|urlaub)"
    r"(?:\s+[A-Z0-9]{2}\s?\d{1,4})?(?:\s+from\s+[\w .]{1,40}?)?\s+(?:to|in|nach)\s+(?P<rest>.+)",
    re.IGNORECASE,
)
_TRIP = re.compile(
    r"(?P<rest>.+?)[\s-]+(?:trip|reise|business trip|city break|vacation|holiday|visit)\b", re.IGNORECASE
)
_WORD = re.compile(_NAME)
_NOT_A_TRIP = re.compile(r"\s*(?:cancel\w*|abgesagt|plan(?:ning)?|book|pack|discuss|call|talk|maybe)\b", re.IGNORECASE)
_NOT_A_PLACE = frozenset(
    {
        *("the", "a", "an", "my", "our", "your", "his", "her", "their", "doctor", "dentist", "store", "shop", "office"),
        *("work", "home", "school", "gym", "bank", "airport", "hotel", "hospital", "museum", "client", "customer"),
        *("be", "get", "go", "meet", "see", "visit", "mom", "dad", "der", "die", "das", "dem", "den"),
    }
)


def trip_of(entry: CalendarEntry) -> Trip | None:
    """The trip that an event is about. None for a series: it has no one day of departure."""
    title = one_line(entry.title)
    if entry.recurrence is not None or _NOT_A_TRIP.match(title) is not None:
        return None
    place = _destination(title, entry)
    if place is None:
        return None
    departure, back = _days(entry)
    return Trip(
        title=title[: limits.TITLE_CHARACTERS_MAX],
        destination=place,
        departure_date=departure.isoformat(),
        return_date=back.isoformat() if back > departure else None,
    )


def trip_events(
    calendar_id: str, entry: CalendarEntry | None, brain: Brain, context: CommandContext, ordinal: int = 0
) -> list[BrainEvent]:
    """What a calendar event, as it is now, changes about trips; `entry` is None when there is nothing to travel for.
    `ordinal` tells the events of one command apart."""
    known = _known(calendar_id, brain)
    trip = None if entry is None else trip_of(entry)
    if known is None:
        if trip is None:
            return []
        travel_event_id, workflow_id = context.new_id("evt", ordinal), context.new_id("wf", ordinal)
    else:
        travel_event_id, workflow_id = known[0], known[1].workflow_id
        if trip == known[1].trip:
            return []
        if trip is None:
            return [TripForgotten(travel_event_id=travel_event_id, workflow_id=workflow_id, calendar_id=calendar_id)]
    detected = TripDetected(
        travel_event_id=travel_event_id, workflow_id=workflow_id, calendar_id=calendar_id, content=trip
    )
    return [detected]


def _known(calendar_id: str, brain: Brain) -> tuple[str, TripState] | None:
    return next(((key, trip) for key, trip in brain.trips.items() if trip.calendar_id == calendar_id), None)


def _destination(title: str, entry: CalendarEntry) -> str | None:
    found = _said_to(title) or _said_before(title)
    if found is not None:
        return found
    if entry.ends_at_ms - entry.starts_at_ms <= MORE_THAN_A_DAY_MS:
        return None
    description = one_line((entry.description or "")[:TEXT_CHARACTERS_MAX])
    found = _said_to(description) or _place_in(title) or _place_in(one_line(entry.location or ""))
    home = entry.timezone.rpartition("/")[2].replace("_", " ")
    return None if found == home else found


def _said_to(text: str) -> str | None:
    """`trip to X`: a place that we know, or one written like a name."""
    match = _TO.search(text)
    if match is None:
        return None
    words = _leading_words(match["rest"])
    for count in range(len(words), 0, -1):
        known = PLACES.get(" ".join(words[:count]).casefold())
        if known is not None:
            return known
    named: list[str] = []
    for word in words:
        if not word[0].isupper() or word.casefold() in _NOT_A_PLACE:
            break
        named.append(word)
    return " ".join(named) or None


def _said_before(text: str) -> str | None:
    """`X trip`: only a place that we know, as trips have many other names."""
    match = _TRIP.match(text)
    return None if match is None else _place_in(match["rest"])


def _place_in(text: str) -> str | None:
    """The first place that we know, by its longest name."""
    words = _WORD.findall(text)
    for start in range(len(words)):
        for count in range(min(PLACE_WORDS_MAX, len(words) - start), 0, -1):
            name = " ".join(words[start : start + count])
            known = PLACES.get(name.casefold())
            if known is not None and name[0].isupper() and name.casefold() not in AMBIGUOUS:
                return known
    return None


def _leading_words(text: str) -> list[str]:
    """Up to a sign that ends the name, such as a comma."""
    return _WORD.findall(re.split(r"[,;:()/|]|\s[-–—]\s|\s&\s", text)[0])[:PLACE_WORDS_MAX]


def _days(entry: CalendarEntry) -> tuple[date, date]:
    """The local days of departure and return; an event of less than a day, such as a night flight, has no return."""
    departure, end = date.fromisoformat(entry.start[:10]), date.fromisoformat(entry.end[:10])
    if entry.all_day or entry.end[11:] in ("", "00:00"):
        end -= timedelta(days=1)
    if not entry.all_day and entry.ends_at_ms - entry.starts_at_ms < limits.DAY_MS:
        return departure, departure
    return departure, end
