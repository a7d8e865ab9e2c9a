"""What a search for flights may ask: the bounds that hold for every server, checked before anything is sent. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from domain.travel import FlightQuery
from workers.tools.errors import QueryInvalid

AIRPORTS_MAX = 6
WINDOW_DAYS_MAX = 31
AHEAD_DAYS_MAX = 366
PASSENGERS_MAX = 9
STOPS_MAX = 3

_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def checked(query: FlightQuery, now_ms: int) -> FlightQuery:
    """The query itself. Raises `QueryInvalid`, whose detail says to a user what does not fit."""
    for name, codes in (("start", query.origins), ("destination", query.destinations)):
        if not codes:
            raise QueryInvalid(f"A search for flights needs a {name}.")
        if len(codes) > AIRPORTS_MAX or not all(_CODE.fullmatch(code) for code in codes):
            raise QueryInvalid(f"The {name} must be one to {AIRPORTS_MAX} airport codes of three capital letters.")
    if set(query.origins) & set(query.destinations):
        raise QueryInvalid("Start and destination must differ.")
    first, last = _day(query.departure_from), _day(query.departure_until)
    # A day is over everywhere on earth only when it is over twelve hours west of Greenwich.
    today = datetime.fromtimestamp(now_ms // 1000 - 12 * 3_600, UTC).date()
    if last < first or (last - first).days >= WINDOW_DAYS_MAX:
        raise QueryInvalid(f"The days of departure must be in order and at most {WINDOW_DAYS_MAX}.")
    if last < today:
        raise QueryInvalid("The days of departure are over.")
    if last > today + timedelta(days=AHEAD_DAYS_MAX):
        raise QueryInvalid("Flights are known for a year ahead only.")
    if query.return_on is not None and not first <= _day(query.return_on) <= today + timedelta(days=AHEAD_DAYS_MAX):
        raise QueryInvalid("The way back must come after the way out, and within a year.")
    if not 1 <= query.passengers <= PASSENGERS_MAX:
        raise QueryInvalid(f"One to {PASSENGERS_MAX} passengers can be searched for.")
    if query.stops_max is not None and not 0 <= query.stops_max <= STOPS_MAX:
        raise QueryInvalid(f"At most {STOPS_MAX} stops can be asked for.")
    return query


def _day(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise QueryInvalid("A day is written YYYY-MM-DD.")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise QueryInvalid(f"There is no day {text}.") from None
