"""From a call of the tool to what is to be searched for: the trip it is about, where from and to, when, and the wishes.

What the user said comes first, then a trip that the calendar speaks of, then what they prefer. What nobody knows is
asked for. Must not search.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

from commands.arguments import FindFlightsArguments
from commands.phrases.days import month_of
from commands.phrases.resolve import When
from commands.phrases.words import MONTH_OF
from commands.setting import Setting
from domain.brain import Brain, TripState
from domain.local_times import instant_ms
from domain.occurrences import occurrences
from domain.text import one_line
from domain.travel import Busy, Cabin, FlightQuery, Wishes
from domain.values import Json
from workers.tools.airports import Ambiguous, Place, Unknown, airports
from workers.tools.query import WINDOW_DAYS_MAX
from workers.understanding.days import local_now
from workers.understanding.flight_words import (
    WHEN_BACK,
    WHEN_OUT,
    WHERE_FROM,
    WHERE_TO,
    WHICH_FROM,
    WHICH_TO,
    flight_arguments,
    is_past,
    weekday_near,
)
from workers.understanding.grounding import is_named
from workers.understanding.time_words import is_weekend

BUSY_MAX = 50
UTC_CITY = "London"  # who has not said where they are is taken to be at Greenwich, and is told so
_MONTH_NAMED = re.compile(rf"(?:(?:in|im|during) )?(?:{'|'.join(MONTH_OF)}|märz|jänner)\b\.?(?: \d{{4}})?")
_MONTH = re.compile(r"\bmonth\b|\bmonat\b")
_DAY = re.compile(r"\d|day|tag")  # of a month
_IN_WEEKS = re.compile(r"\bin \w+ (?:weeks?|wochen?)\b|day\b|tag\b")
_FROM_TODAY = re.compile(r"\b(?:today|tonight|tomorrow|heute|morgen)\b", re.IGNORECASE)
_HOME = re.compile(r"home.?airport|favou?rite.?airport|preferred.?airport|^airport$", re.IGNORECASE)


class Missing(Exception):
    """Something is not known that a search needs; `question` asks the user for it."""

    def __init__(self, question: str) -> None:
        super().__init__(question)
        self.question = question


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`start` and `goal` as a person would say them; `order` what comes first, "" for the best; `from_zone`: the
    start is only guessed, by the user's clock."""

    query: FlightQuery
    start: str
    goal: str
    wishes: Wishes
    order: str = ""
    trip_id: str | None = None
    from_zone: bool = False


@dataclass(frozen=True, slots=True)
class _Said:
    """The call's arguments, checked against the user's words: where a place was not said, the words decide."""

    destination: str
    origin: str
    departure: str
    back: str
    passengers: int
    cabin: str
    stops_max: int | None
    order: str
    near: tuple[str, str] | None = None


async def wanted_flights(
    arguments: FindFlightsArguments, setting: Setting, *, words: str, now_ms: int, reads_first: Sequence[str] = ()
) -> Wanted:
    """`reads_first`: other texts of the user's in which a place may be named. Raises `Missing`."""
    said = _said(arguments, words, (words, *reads_first))
    brain = setting.brain
    await asyncio.to_thread(airports)  # the table is read once, off the loop
    country = _travel(brain).get("country")
    trips = _coming(brain, now_ms)
    trip_id, trip = _trip(said.destination, trips, country)
    goal = said.destination or (trip.trip.destination if trip else "")
    if not goal:
        raise Missing(WHERE_TO)
    to = _place(goal, country, WHICH_TO)
    start, from_zone = _start(said.origin, brain)
    if not start:
        raise Missing(WHERE_FROM)
    out = _place(start, country, WHICH_FROM)
    first, last, back = _dates(said, trip, setting)
    origins = tuple(code for code in out.codes if code not in to.codes)
    if not origins:
        raise Missing(WHERE_FROM)
    query = FlightQuery(
        origins=origins[:6],
        destinations=to.codes[:6],
        departure_from=first.isoformat(),
        departure_until=last.isoformat(),
        return_on=back.isoformat() if back else None,
        passengers=said.passengers,
        cabin=cast(Cabin, said.cabin or _travel(brain).get("cabin") or "economy"),
        stops_max=said.stops_max,
    )
    return Wanted(
        query=query,
        start=out.label if not said.origin else one_line(said.origin),
        goal=to.label if len(goal) == 3 else one_line(goal),
        wishes=_wishes(brain, query, trip),
        order=said.order,
        trip_id=trip_id,
        from_zone=from_zone,
    )


def _said(arguments: FindFlightsArguments, words: str, texts: Sequence[str]) -> _Said:
    by_rule = flight_arguments(words)

    def place(given: str | None, name: str) -> str:
        text = one_line(given or "")
        return text if text and is_named(text, texts) else by_rule.get(name, "")

    passengers = (arguments.passengers or "").strip() or by_rule.get("passengers", "")
    stops = (arguments.stops_max or "").strip() or by_rule.get("stops_max", "")
    return _Said(
        destination=place(arguments.destination, "destination"),
        origin=place(arguments.origin, "origin"),
        departure=one_line(arguments.departure_text or "") or by_rule.get("departure_text", ""),
        back=one_line(arguments.return_text or "") or by_rule.get("return_text", ""),
        passengers=int(passengers) if passengers else 1,
        cabin=arguments.cabin or by_rule.get("cabin", ""),
        stops_max=int(stops) if stops else None,
        order=arguments.order or by_rule.get("order", ""),
        near=weekday_near(words),
    )


# --- places ---------------------------------------------------------------------------------------------------


def _place(text: str, country: str | None, which: str) -> Place:
    found = airports().resolve(text, country=country)
    if isinstance(found, Place):
        return found
    assert isinstance(found, Ambiguous | Unknown)
    raise Missing(which + found.question)


def _start(said: str, brain: Brain) -> tuple[str, bool]:
    """As it was said; else where the user is at home, by preference, by memory, and last by their clock."""
    if said:
        return said, False
    travel = _travel(brain)
    listed = travel.get("airports")
    home = travel.get("homeAirport") or (listed[0] if isinstance(listed, list) and listed else "")
    if home:
        return str(home), False
    newest = sorted(brain.memories.values(), key=lambda state: -state.version)
    for state in newest:
        if _HOME.search(state.memory.key.replace("_", " ")):
            return one_line(state.memory.value), False
    if brain.timezone == "UTC":
        return UTC_CITY, True
    city = brain.timezone.rpartition("/")
    return (city[2].replace("_", " "), True) if city[0] and city[0] != "Etc" else ("", False)


def _travel(brain: Brain) -> dict[str, Json]:
    value = brain.preference("travel")
    return dict(value) if isinstance(value, dict) else {}


# --- trips and dates ------------------------------------------------------------------------------------------


def _coming(brain: Brain, now_ms: int) -> list[tuple[str, TripState]]:
    """Trips that have not begun, the next one first."""
    today = local_now(now_ms, brain.timezone).date().isoformat()
    coming = [(trip_id, state) for trip_id, state in brain.trips.items() if state.trip.departure_date >= today]
    return sorted(coming, key=lambda item: (item[1].trip.departure_date, item[0]))


def _trip(
    goal: str, trips: Sequence[tuple[str, TripState]], country: str | None
) -> tuple[str | None, TripState | None]:
    """The next trip to there; where nobody said where to, the only one that is planned."""
    if not goal:
        return trips[0] if len(trips) == 1 else (None, None)
    wanted = airports().resolve(goal, country=country)
    for trip_id, state in trips:
        there = airports().resolve(state.trip.destination, country=country)
        same_name = state.trip.destination.casefold() == goal.casefold()
        if same_name or (isinstance(wanted, Place) and isinstance(there, Place) and {*wanted.codes} & {*there.codes}):
            return trip_id, state
    return None, None


def _dates(said: _Said, trip: TripState | None, setting: Setting) -> tuple[date, date, date | None]:
    """The first and the last day of departure, and the day of the way back. Raises `Missing`."""
    back: date | None = None
    if said.departure:
        first, last = _beside(said, setting) or _window(said.departure, setting)
    elif trip is not None:
        first = last = date.fromisoformat(trip.trip.departure_date)
        if trip.trip.return_date and trip.trip.return_date >= trip.trip.departure_date:
            back = date.fromisoformat(trip.trip.return_date)
    else:
        raise Missing(WHEN_OUT)
    if said.back:
        back = _way_back(said.back, first, setting)
    return first, last if back is None else min(last, back), back


def _beside(said: _Said, setting: Setting) -> tuple[date, date] | None:
    """The weekday that is nearest to the day of departure that was said before; None where none was."""
    if said.near is None or said.departure != said.near[1]:
        return None
    before, weekday = (_day(setting.when(phrase)) for phrase in said.near)
    if before is None or weekday is None:
        return None
    days_off = (weekday.weekday() - before.weekday() + 3) % 7 - 3
    nearest = before + timedelta(days=days_off)
    return None if nearest < setting.now.date() else (nearest, nearest)


def _way_back(phrase: str, departure: date, setting: Setting) -> date:
    """The day as it is meant today; where that lies before the departure, as it is meant then: "next Monday, returning
    Friday" is back in that week. Raises `Missing` where neither makes sense."""
    back = _day(setting.when(phrase))
    if back is not None and back < departure and not _FROM_TODAY.search(phrase):
        later = _day(setting.when(phrase, now=datetime.combine(departure, setting.now.time())))
        # A date with its month comes again in a year, which nobody means.
        back = later if later is not None and later <= departure + timedelta(days=WINDOW_DAYS_MAX) else None
    if back is None or back < departure:
        raise Missing(WHEN_BACK)
    return back


def _window(phrase: str, setting: Setting) -> tuple[date, date]:
    """A week is all of its days that are left, a weekend its two, a month its first 31 that are left; else a day."""
    when = setting.when(phrase)
    today = setting.now.date()
    text = phrase.casefold()
    day = _day(when)
    if day is None or day < today:
        if "this week" in text:
            return today, today + timedelta(days=6 - today.weekday())
        if day is not None or is_past(phrase):
            raise Missing(f"“{phrase}” is over. {WHEN_OUT}")
        raise Missing(WHEN_OUT)
    if is_weekend(text):
        return day, day + timedelta(days=1)
    if re.search(r"\bweek\b|\bwoche\b", text) and not _IN_WEEKS.search(text):
        monday = day - timedelta(days=day.weekday())
        return max(today, monday), monday + timedelta(days=6)
    if _MONTH_NAMED.fullmatch(text) or (_MONTH.search(text) and not _DAY.search(text)):
        first, last = month_of(day)
        first = max(today, first)
        return first, min(last, first + timedelta(days=WINDOW_DAYS_MAX - 1))
    return day, day


def _day(when: When | None) -> date | None:
    return None if when is None else date.fromisoformat(when.due[:10])


# --- wishes ---------------------------------------------------------------------------------------------------


def _wishes(brain: Brain, query: FlightQuery, trip: TripState | None) -> Wishes:
    travel = _travel(brain)
    hours = brain.preference("workHours")
    starts, _, ends = hours.partition("-") if isinstance(hours, str) else ("", "", "")
    busy = _busy(brain, query, trip)
    arrive_by_ms = None
    if trip is not None and query.departure_from == query.departure_until:
        # What begins on the trip after its first morning is what the traveller flies there for.
        known = brain.calendar.get(trip.calendar_id)
        begins_ms = 0 if known is None else known.entry.starts_at_ms
        arrive_by_ms = min((one.starts_at_ms for one in busy if one.starts_at_ms > begins_ms), default=None)
    return Wishes(
        airlines=_texts(travel.get("airlines")),
        airlines_avoided=_texts(travel.get("airlinesAvoided")),
        airports=_texts(travel.get("airports")),
        work_starts=starts or None,
        work_ends=ends or None,
        busy=() if arrive_by_ms is not None else busy,
        arrive_by_ms=arrive_by_ms,
        stops_max=query.stops_max if query.stops_max is not None else travel.get("stopsMax"),
    )


def _busy(brain: Brain, query: FlightQuery, trip: TripState | None) -> tuple[Busy, ...]:
    """Appointments on the days of travel, but for the trip itself and whole days."""
    last = date.fromisoformat(query.return_on or query.departure_until)
    from_ms = instant_ms(query.departure_from, brain.timezone)
    until_ms = instant_ms((last + timedelta(days=1)).isoformat(), brain.timezone)
    ours = "" if trip is None else trip.calendar_id
    entries = ((key, state.entry) for key, state in brain.calendar.items() if key != ours and not state.entry.all_day)
    found = occurrences(entries, from_ms=from_ms, until_ms=until_ms, limit=BUSY_MAX)
    return tuple(
        Busy(title=one_line(each.entry.title), starts_at_ms=each.starts_at_ms, ends_at_ms=each.ends_at_ms)
        for each in found
    )


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else ()
