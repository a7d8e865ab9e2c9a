"""How each kind of flights server is asked, and how its answer becomes offers. Pure.

An adapter is chosen by what a server lists, never by its name. Answers are data from outside: each offer is checked by
itself, and one that makes no sense is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from zoneinfo import ZoneInfo

import msgspec

from domain.local_times import instant_ms
from domain.text import one_line
from domain.travel import Cabin, FlightQuery, Leg, Money, Offer
from domain.values import Json
from workers.tools.airports import Airports
from workers.tools.errors import ToolAnswerInvalid
from workers.tools.mcp_client import ToolInfo

CALLS_MAX = 12  # for one search, where a server takes one route and one day at a time
PAIRS_MAX = 4
OFFERS_READ_MAX = 500
AIRLINE_CHARACTERS_MAX = 80
FLIGHT_NUMBERS_MAX = 6
DURATION_MINUTES_MAX = 5 * 24 * 60
DISAGREEMENT_MINUTES_MAX = 120  # between a duration and its two clocks; one hour may be a change of clocks
PRICE_MAX = Decimal(1_000_000)
PRICE_DECIMALS_MAX = 3  # some currencies have thousandths
OFFER_LIFETIME_MS = 1_800_000  # where a server does not say: half an hour, as airlines commonly hold a price

_OFFER_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_FLIGHT_NUMBER = re.compile(r"[A-Z0-9]{2,3} ?\d{1,4}[A-Z]?", re.ASCII)
_DURATION = re.compile(r"P(?:(\d{1,2})D)?(?:T(?:(\d{1,3})H)?(?:(\d{1,4})M)?(?:\d{1,2}S)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Adapter:
    """`calls` gives the arguments of each call that one search takes, the most useful first."""

    name: str
    tool: ToolInfo
    calls: Callable[[FlightQuery], list[dict[str, Json]]]


def adapter_for(tools: Mapping[str, ToolInfo]) -> Adapter | None:
    """Who can be asked here, by the arguments that its `search_flights` takes; None where nothing is known."""
    tool = tools.get("search_flights")
    if tool is None:
        return None
    properties = tool.input_schema.get("properties")
    names = set(properties) if isinstance(properties, Mapping) else set()
    if {"origins", "destinations", "departure_from", "departure_until"} <= names:
        return Adapter("timetable", tool, timetable_calls)
    if "params" in names:
        return Adapter("duffel", tool, duffel_calls)
    return None


def timetable_calls(query: FlightQuery) -> list[dict[str, Json]]:
    arguments: dict[str, Json] = {
        "origins": list(query.origins),
        "destinations": list(query.destinations),
        "departure_from": query.departure_from,
        "departure_until": query.departure_until,
        "passengers": query.passengers,
        "cabin": query.cabin,
    }
    if query.return_on is not None:
        arguments["return_on"] = query.return_on
    if query.stops_max is not None:
        arguments["stops_max"] = query.stops_max
    return [arguments]


def duffel_calls(query: FlightQuery) -> list[dict[str, Json]]:
    """One call for each route and day: the main airports first, the days spread over the window."""
    pairs = sorted(
        product(enumerate(query.origins), enumerate(query.destinations)), key=lambda pair: pair[0][0] + pair[1][0]
    )[:PAIRS_MAX]
    days = _spread(query, CALLS_MAX // len(pairs))
    calls = []
    for (_, origin), (_, destination) in pairs:
        for day in days:
            params: dict[str, Json] = {
                "type": "one_way" if query.return_on is None else "round_trip",
                "origin": origin,
                "destination": destination,
                "departure_date": day,
                "cabin_class": query.cabin,
                "adults": query.passengers,
            }
            if query.return_on is not None:
                params["return_date"] = query.return_on
            if query.stops_max is not None:
                params["max_connections"] = query.stops_max
            calls.append({"params": params})
    return calls


def _spread(query: FlightQuery, count_max: int) -> list[str]:
    """At most `count_max` days of the window, evenly, its first among them."""
    first, last = date.fromisoformat(query.departure_from), date.fromisoformat(query.departure_until)
    days = (last - first).days + 1
    count = min(days, count_max)
    return [(first + timedelta(days=n * days // count)).isoformat() for n in range(count)]


# --- reading --------------------------------------------------------------------------------------------------


class _Price(msgspec.Struct):
    amount: Decimal
    currency: str


class _Slice(msgspec.Struct):
    origin: str
    destination: str
    departure: str
    arrival: str
    duration: str | None = None
    carrier: str = ""
    stops: int = 0
    flight_numbers: list[str] = []


class _Offer(msgspec.Struct):
    offer_id: str
    price: _Price
    slices: list[_Slice]
    cabin_class: Cabin | None = None
    expires_at: str | None = None


class _Answer(msgspec.Struct):
    offers: list[Json]


class _Senseless(ValueError):
    """This offer, and it alone, can't be true."""


def read_offers(answer: Json, query: FlightQuery, airports: Airports, now_ms: int) -> tuple[list[Offer], int]:
    """The offers that make sense and answer the query, and how many did not.

    Raises `ToolAnswerInvalid` where the answer as a whole is something else.
    """
    try:
        raw_offers = msgspec.convert(answer, _Answer).offers
    except (msgspec.ValidationError, RecursionError) as error:
        raise ToolAnswerInvalid("The tool's answer holds no list of offers.") from error
    offers: list[Offer] = []
    for raw in raw_offers[:OFFERS_READ_MAX]:
        try:
            offer = _offer(msgspec.convert(raw, _Offer, strict=False), query, airports, now_ms)
        except (msgspec.ValidationError, _Senseless, RecursionError):
            continue
        if answers(offer, query, now_ms):
            offers.append(offer)
    return offers, len(raw_offers) - len(offers)


def answers(offer: Offer, query: FlightQuery, now_ms: int) -> bool:
    """Whether it is what was asked for, and can still be had."""
    back = offer.return_leg
    return (
        offer.origin in query.origins
        and offer.destination in query.destinations
        and query.departure_from <= offer.departure[:10] <= query.departure_until
        and (query.return_on is None) == (back is None)
        and (back is None or (back.departure[:10] == query.return_on and back.departure_at_ms > offer.arrival_at_ms))
        and (query.stops_max is None or all(leg.stops <= query.stops_max for leg in offer.legs))
        and offer.departure_at_ms > now_ms
        and not offer.has_expired(now_ms)
    )


def _offer(raw: _Offer, query: FlightQuery, airports: Airports, now_ms: int) -> Offer:
    if not 1 <= len(raw.slices) <= 2 or not _OFFER_ID.fullmatch(raw.offer_id):
        raise _Senseless
    out, *back = [_leg(part, airports) for part in raw.slices]
    expires = raw.expires_at
    return Offer(
        flight_numbers=out.flight_numbers,
        origin=out.origin,
        destination=out.destination,
        departure=out.departure,
        departure_timezone=out.departure_timezone,
        arrival=out.arrival,
        arrival_timezone=out.arrival_timezone,
        duration_minutes=out.duration_minutes,
        stops=out.stops,
        offer_id=raw.offer_id,
        airline=one_line(raw.slices[0].carrier)[:AIRLINE_CHARACTERS_MAX] or "unnamed airline",
        price=_money(raw.price),
        cabin=raw.cabin_class or query.cabin,
        expires_at_ms=now_ms + OFFER_LIFETIME_MS if expires is None else _instant_ms(expires),
        return_leg=back[0] if back else None,
    )


def _leg(raw: _Slice, airports: Airports) -> Leg:
    origin, destination = airports.get(raw.origin), airports.get(raw.destination)
    if origin is None or destination is None or origin == destination or not 0 <= raw.stops <= 5:
        raise _Senseless
    departure, arrival = _local(raw.departure, origin.timezone), _local(raw.arrival, destination.timezone)
    clock_minutes = (instant_ms(arrival, destination.timezone) - instant_ms(departure, origin.timezone)) // 60_000
    told_minutes = _minutes(raw.duration)
    # Both are the server's word; where they are hours apart, one of them is wrong and nobody can tell which.
    if told_minutes is not None and abs(told_minutes - clock_minutes) > DISAGREEMENT_MINUTES_MAX:
        raise _Senseless
    minutes = clock_minutes if told_minutes is None else told_minutes
    if not 0 < minutes <= DURATION_MINUTES_MAX:
        raise _Senseless
    return Leg(
        flight_numbers=tuple(n for n in raw.flight_numbers if _FLIGHT_NUMBER.fullmatch(n))[:FLIGHT_NUMBERS_MAX],
        origin=origin.code,
        destination=destination.code,
        departure=departure,
        departure_timezone=origin.timezone,
        arrival=arrival,
        arrival_timezone=destination.timezone,
        duration_minutes=minutes,
        stops=raw.stops,
    )


def _moment(text: str) -> datetime:
    """ISO 8601 with or without seconds and offset, as servers write it."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _Senseless from None


def _local(text: str, timezone: str) -> str:
    """Wall time to the minute. Servers mean the airport's own clock; one that names an offset is taken at its word."""
    moment = _moment(text)
    try:
        there = moment if moment.tzinfo is None else moment.astimezone(ZoneInfo(timezone))
    except OverflowError:
        raise _Senseless from None
    if not 2_000 <= there.year <= 2_200:
        raise _Senseless
    return there.replace(tzinfo=None).isoformat(timespec="minutes")


def _minutes(duration: str | None) -> int | None:
    """Of an ISO 8601 duration, such as PT8H30M; None where nothing is told."""
    if duration is None:
        return None
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise _Senseless
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return (days * 24 + hours) * 60 + minutes


def _money(raw: _Price) -> Money:
    if not raw.amount.is_finite() or not 0 < raw.amount <= PRICE_MAX or not _CURRENCY.fullmatch(raw.currency):
        raise _Senseless
    amount = f"{raw.amount:f}"
    if len(amount.partition(".")[2]) > PRICE_DECIMALS_MAX:
        raise _Senseless
    return Money(amount=amount, currency=raw.currency)


def _instant_ms(text: str) -> int:
    """Of a time that is UTC where it names no offset."""
    moment = _moment(text)
    try:
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1000
    except OverflowError:
        raise _Senseless from None
