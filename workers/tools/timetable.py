"""A timetable that exists nowhere but here: plausible flights between any two airports, the same for whoever asks on
the same day. Pure. The airlines are made up, so that nobody takes an offer for a real airline's.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product, zip_longest

from domain.local_times import instant_ms, local_time
from domain.travel import Airport, Cabin, FlightQuery, Leg, Money, Offer
from workers.tools.airports import Airports

OFFERS_MAX = 60
CURRENCY = "USD"

EARTH_RADIUS_KM = 6_371.0
DISTANCE_KM_MIN = 50.0  # nearer ones are a drive away
NONSTOP_KM_MAX = 15_300.0
KM_PER_MINUTE = 13.5
ON_GROUND_MINUTES = 35
MINUTE_MS = 60_000
DAY_MS = 86_400_000
QUOTE_GRACE_MS = 6 * 3_600_000  # a price of the day can still be had in the small hours after it

_AIRLINES = (
    ("Meridian Air", "M9"),
    ("Northwind Airways", "N8"),
    ("Blue Harbour", "B0"),
    ("Juniper Airlines", "J1"),
    ("Sunbird", "S0"),
    ("Polaris Lines", "P1"),
)
_CABIN_PERCENT: dict[Cabin, int] = {"economy": 100, "premium_economy": 160, "business": 310, "first": 480}
_FIRST_DEPARTURE_MINUTE, _LAST_DEPARTURE_MINUTE = 6 * 60, 21 * 60 + 30


@dataclass(frozen=True, slots=True)
class _Flight:
    leg: Leg
    airline: int
    cents: int


def offers_for(query: FlightQuery, airports: Airports, now_ms: int) -> list[Offer]:
    """At most OFFERS_MAX offers, the cheaper of each route and day; none that has left, none for unknown codes."""
    quoted_on = datetime.fromtimestamp(now_ms // 1000, UTC).date()
    buckets = []
    for origin, destination in product(_known(query.origins, airports), _known(query.destinations, airports)):
        for day in _days(query):
            flights = _flights(origin, destination, day)
            offers = [_offer(query, n, f, origin, destination, quoted_on) for n, f in enumerate(flights)]
            open_ones = [o for o in offers if o and o.departure_at_ms > now_ms and _fits(o, query)]
            buckets.append(sorted(open_ones, key=lambda offer: (offer.price.value, offer.offer_id)))
    # Rank by rank over all routes and days, so that the cap leaves no day without an offer.
    taken = [offer for rank in zip_longest(*buckets) for offer in rank if offer is not None]
    return sorted(taken[:OFFERS_MAX], key=lambda offer: (offer.departure_at_ms, offer.offer_id))


def distance_km(one: Airport, other: Airport) -> float:
    """Along the great circle."""
    lat1, lat2 = math.radians(one.latitude), math.radians(other.latitude)
    half_lat, half_lon = (lat2 - lat1) / 2, math.radians(other.longitude - one.longitude) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))


def _known(codes: Iterable[str], airports: Airports) -> list[Airport]:
    return [airport for code in dict.fromkeys(codes) if (airport := airports.get(code))]


def _days(query: FlightQuery) -> list[date]:
    first, last = date.fromisoformat(query.departure_from), date.fromisoformat(query.departure_until)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _fits(offer: Offer, query: FlightQuery) -> bool:
    return query.stops_max is None or all(leg.stops <= query.stops_max for leg in offer.legs)


def _digest(*parts: object) -> bytes:
    return hashlib.sha256("|".join(map(str, parts)).encode()).digest()


def _flights(origin: Airport, destination: Airport, day: date, airline: int | None = None) -> list[_Flight]:
    """The flights of one route on one day by the clock of the origin, or those of one airline."""
    km = distance_km(origin, destination)
    if km < DISTANCE_KM_MIN:
        return []
    count = 5 if km < 1_500 else 4 if km < 5_000 else 3
    route = _digest(origin.code, destination.code)
    step = (_LAST_DEPARTURE_MINUTE - _FIRST_DEPARTURE_MINUTE) // count
    flights = []
    for n in range(count):
        drawn = _digest(origin.code, destination.code, day, n)
        by = (route[0] + n) % len(_AIRLINES) if airline is None else airline
        minute = (_FIRST_DEPARTURE_MINUTE + n * step + drawn[0] * step // 256) // 5 * 5
        flights.append(_flight(origin, destination, day, minute, km, by, drawn))
    return flights


def _flight(
    origin: Airport, destination: Airport, day: date, minute: int, km: float, airline: int, drawn: bytes
) -> _Flight:
    stops = _stops(km, drawn[1])
    minutes = ON_GROUND_MINUTES + km * (1 + 0.08 * stops) / KM_PER_MINUTE + stops * (75 + drawn[2] % 90)
    duration_minutes = 5 * round(minutes / 5)
    leaves_ms = instant_ms(f"{day.isoformat()}T{minute // 60:02}:{minute % 60:02}", origin.timezone)
    code = _AIRLINES[airline][1]
    leg = Leg(
        flight_numbers=tuple(f"{code} {100 + (drawn[3 + n] * 7 + drawn[4 + n]) % 1900}" for n in range(stops + 1)),
        origin=origin.code,
        destination=destination.code,
        # Back from the instant: a time that the clocks skip on that day becomes one that exists.
        departure=local_time(leaves_ms, origin.timezone),
        departure_timezone=origin.timezone,
        arrival=local_time(leaves_ms + duration_minutes * MINUTE_MS, destination.timezone),
        arrival_timezone=destination.timezone,
        duration_minutes=duration_minutes,
        stops=stops,
    )
    cents = (4_500 + round(km * 8.5)) * (80 + drawn[9] % 51) // 100
    return _Flight(leg, airline, cents * (100 - 12 * stops) // 100)


def _stops(km: float, drawn: int) -> int:
    if km > NONSTOP_KM_MAX:
        return 1 + drawn % 2
    if km > 9_000:
        return drawn % 2
    return 1 if km > 600 and drawn % 4 == 0 else 0


def _offer(
    query: FlightQuery, n: int, flight: _Flight, origin: Airport, destination: Airport, quoted_on: date
) -> Offer | None:
    back: _Flight | None = None
    if query.return_on is not None:
        ways_back = _flights(destination, origin, date.fromisoformat(query.return_on), flight.airline)
        back = ways_back[n % len(ways_back)]
        if back.leg.departure_at_ms <= flight.leg.arrival_at_ms:
            return None
    ahead_days = (date.fromisoformat(flight.leg.departure[:10]) - quoted_on).days
    late_percent = 160 if ahead_days < 3 else 135 if ahead_days < 7 else 110 if ahead_days < 21 else 100
    cents = flight.cents if back is None else (flight.cents + back.cents) * 95 // 100
    cents = cents * late_percent * _CABIN_PERCENT[query.cabin] // 10_000 * query.passengers
    leg = flight.leg
    parts = (leg, None if back is None else back.leg, query.cabin, query.passengers, quoted_on)
    day_ends_ms = int(datetime(quoted_on.year, quoted_on.month, quoted_on.day, tzinfo=UTC).timestamp()) * 1000 + DAY_MS
    return Offer(
        flight_numbers=leg.flight_numbers,
        origin=leg.origin,
        destination=leg.destination,
        departure=leg.departure,
        departure_timezone=leg.departure_timezone,
        arrival=leg.arrival,
        arrival_timezone=leg.arrival_timezone,
        duration_minutes=leg.duration_minutes,
        stops=leg.stops,
        offer_id=f"tt-{_digest(*parts).hex()[:20]}",
        airline=_AIRLINES[flight.airline][0],
        price=Money(amount=f"{cents // 100}.{cents % 100:02}", currency=CURRENCY),
        cabin=query.cabin,
        expires_at_ms=day_ends_ms + QUOTE_GRACE_MS,
        return_leg=None if back is None else back.leg,
    )
