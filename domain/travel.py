"""Trips in values: places, what is looked for, what is offered, what the traveller wishes. Frozen, JSON-friendly.

Local times are wall time, `YYYY-MM-DDTHH:MM`, beside the IANA zone of their airport; instants are Unix milliseconds.
Must not know where offers come from or how they are ranked.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from domain.local_times import instant_ms

Cabin = Literal["economy", "premium_economy", "business", "first"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """What a calendar event says about a journey. Dates are local days, `YYYY-MM-DD`."""

    title: str
    destination: str
    departure_date: str
    return_date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """`amount` is a plain decimal number as text, so that no price passes through a float; `currency` is ISO 4217."""

    amount: str
    currency: str

    @property
    def value(self) -> Decimal:
        return Decimal(self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Airport:
    """`code` is IATA's, `country` ISO 3166's, `region` the state or province; coordinates in degrees."""

    code: str
    name: str
    city: str
    region: str
    country: str
    timezone: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightQuery:
    """Any of the origins to any of the destinations (airport codes), leaving on a local day of the window, both ends
    included (`YYYY-MM-DD`). With `return_on` each offer has a way back on that day. `stops_max` None: any number."""

    origins: tuple[str, ...]
    destinations: tuple[str, ...]
    departure_from: str
    departure_until: str
    return_on: str | None = None
    passengers: int = 1
    cabin: Cabin = "economy"
    stops_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One way, with `stops` changes of plane. `departure` and `arrival` are wall time in the zone beside them."""

    flight_numbers: tuple[str, ...]
    origin: str
    destination: str
    departure: str
    departure_timezone: str
    arrival: str
    arrival_timezone: str
    duration_minutes: int
    stops: int

    @property
    def departure_at_ms(self) -> int:
        return instant_ms(self.departure, self.departure_timezone)

    @property
    def arrival_at_ms(self) -> int:
        """In the hour that clocks show twice, the one that the duration leads to."""
        expected = self.departure_at_ms + self.duration_minutes * 60_000
        both = [instant_ms(self.arrival, self.arrival_timezone, fold=fold) for fold in (0, 1)]
        return min(both, key=lambda at_ms: abs(at_ms - expected))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(Leg):
    """The way out, the way back if one was asked for, and the price of all of it for all passengers.

    `offer_id` is the tool's own: `[A-Za-z0-9._:-]`, at most 128 characters. After `expires_at_ms` it can't be booked.
    """

    offer_id: str
    airline: str
    price: Money
    cabin: Cabin
    expires_at_ms: int
    return_leg: Leg | None = None

    @property
    def legs(self) -> tuple[Leg, ...]:
        return (self,) if self.return_leg is None else (self, self.return_leg)

    @property
    def total_duration_minutes(self) -> int:
        return sum(leg.duration_minutes for leg in self.legs)

    @property
    def total_stops(self) -> int:
        return sum(leg.stops for leg in self.legs)

    def has_expired(self, now_ms: int) -> bool:
        return now_ms >= self.expires_at_ms


def stops_in_words(count: int) -> str:
    return "non-stop" if count == 0 else "1 stop" if count == 1 else f"{count} stops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A time that is taken, such as a meeting: from `starts_at_ms` until just before `ends_at_ms`."""

    title: str
    starts_at_ms: int
    ends_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What makes one offer better for this traveller than another. What is unknown stays empty and counts for nothing.

    `work_starts` and `work_ends` are `HH:MM` in the zone of departure, on `work_days` (Monday is 0). `arrive_by_ms` is
    when the traveller is expected there. Airlines are compared without regard to case.
    """

    airlines: tuple[str, ...] = ()
    airlines_avoided: tuple[str, ...] = ()
    airports: tuple[str, ...] = ()
    work_starts: str | None = None
    work_ends: str | None = None
    work_days: tuple[int, ...] = (0, 1, 2, 3, 4)
    busy: tuple[Busy, ...] = ()
    arrive_by_ms: int | None = None
    stops_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedOffer:
    """`rank` counts from 1; `score` is 0 to 1 in steps of 0.0001; `reasoning` is one sentence for the user."""

    rank: int
    offer: Offer
    score: float
    reasoning: str
