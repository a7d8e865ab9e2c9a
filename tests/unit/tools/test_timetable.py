"""The made-up timetable: plausible between any two airports, and the same for whoever asks on the same day."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.local_times import instant_ms
from domain.travel import FlightQuery, Leg
from tests.support.flight_servers import NOW_MS
from workers.tools.airports import airports
from workers.tools.timetable import OFFERS_MAX, distance_km, offers_for

DAY_MS = 86_400_000
CODES = sorted(airports()._by_code)
BOSTON = FlightQuery(origins=("JFK",), destinations=("BOS",), departure_from="2026-06-08", departure_until="2026-06-08")


def legs(query: FlightQuery) -> list[Leg]:
    return [leg for offer in offers_for(query, airports(), NOW_MS) for leg in offer.legs]


@given(st.sampled_from(CODES), st.sampled_from(CODES), st.integers(1, 28), st.none() | st.integers(1, 28))
@example("AAY", "SVQ", 24, None)  # arrives at 02:50 on the night when Seville's clocks show that twice
def test_any_two_airports_have_flights_that_a_plane_could_fly(
    origin: str, destination: str, day: int, back: int | None
) -> None:
    query = dataclasses.replace(
        BOSTON,
        origins=(origin,),
        destinations=(destination,),
        departure_from=f"2026-10-{day:02}",
        departure_until=f"2026-10-{day:02}",
        return_on=None if back is None else f"2026-11-{back:02}",
    )
    one, other = airports().get(origin), airports().get(destination)
    assert one is not None
    assert other is not None
    km = distance_km(one, other)
    offers = offers_for(query, airports(), NOW_MS)
    assert bool(offers) == (km >= 50)
    for offer in offers:
        assert offer.departure[:10] == query.departure_from
        assert re.fullmatch(r"[1-9]\d*\.\d\d", offer.price.amount)
        for leg in offer.legs:
            assert leg.arrival_at_ms - leg.departure_at_ms == leg.duration_minutes * 60_000
            # Nothing flies faster than the planes of today, nor so slow that it would fall.
            assert km / (leg.duration_minutes / 60) < 950
            assert leg.duration_minutes < 35 * 60
            assert len(leg.flight_numbers) == leg.stops + 1
            assert instant_ms(leg.departure, leg.departure_timezone) == leg.departure_at_ms


def test_the_same_day_has_the_same_offers_and_the_next_day_has_others() -> None:
    morning = offers_for(BOSTON, airports(), NOW_MS)
    evening = offers_for(BOSTON, airports(), NOW_MS + DAY_MS // 3)
    tomorrow = offers_for(BOSTON, airports(), NOW_MS + DAY_MS)
    assert morning == evening
    assert [leg.departure for leg in morning] == [leg.departure for leg in tomorrow]
    assert not {offer.offer_id for offer in morning} & {offer.offer_id for offer in tomorrow}


def test_an_offer_holds_for_hours_and_not_for_ever() -> None:
    for hour in range(24):
        now_ms = NOW_MS // DAY_MS * DAY_MS + hour * 3_600_000
        for offer in offers_for(BOSTON, airports(), now_ms):
            assert 6 * 3_600_000 <= offer.expires_at_ms - now_ms <= 30 * 3_600_000


def test_what_has_left_is_not_offered() -> None:
    [first, *others] = offers_for(BOSTON, airports(), NOW_MS)
    later = offers_for(BOSTON, airports(), first.departure_at_ms)
    assert [offer.departure for offer in later] == [offer.departure for offer in others]


def test_each_day_and_each_airport_is_among_the_offers_though_they_are_capped() -> None:
    query = dataclasses.replace(
        BOSTON, origins=("JFK", "LGA", "EWR"), departure_from="2026-06-08", departure_until="2026-06-20"
    )
    offers = offers_for(query, airports(), NOW_MS)
    assert len(offers) == OFFERS_MAX
    assert {offer.origin for offer in offers} == {"JFK", "LGA", "EWR"}
    assert len({offer.departure[:10] for offer in offers}) == 13


def test_far_places_take_a_change_of_plane_and_cabins_cost_more() -> None:
    far = dataclasses.replace(BOSTON, origins=("MAD",), destinations=("AKL",))
    assert all(leg.stops for leg in legs(far))
    prices = [
        [offer.price.value for offer in offers_for(dataclasses.replace(BOSTON, cabin=cabin), airports(), NOW_MS)]
        for cabin in ("economy", "premium_economy", "business", "first")
    ]
    for cheap, dear in pairwise(prices):
        assert all(one < other for one, other in zip(cheap, dear, strict=True))


@pytest.mark.parametrize("day", ["2027-03-14", "2027-11-07"])
def test_a_change_of_clocks_leaves_times_that_exist(day: str) -> None:
    query = dataclasses.replace(BOSTON, departure_from=day, departure_until=day)
    offers = offers_for(query, airports(), NOW_MS + 200 * DAY_MS)
    assert offers
    for offer in offers:
        assert offer.arrival_at_ms - offer.departure_at_ms == offer.duration_minutes * 60_000
