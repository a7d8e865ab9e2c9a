"""What every search for flights does, whoever is behind it: one suite for the one in memory, our own server in this
process, over stdio and over HTTP, and one that speaks as Duffel's does."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest

from domain.travel import FlightQuery
from infra.clock import ManualClock
from tests.support.flight_servers import IMPLEMENTATIONS, NOW_MS
from workers.tools.errors import QueryInvalid
from workers.tools.flights import OFFERS_MAX, FlightSearch

pytestmark = pytest.mark.anyio

BOSTON = FlightQuery(
    origins=("JFK", "LGA", "EWR"), destinations=("BOS",), departure_from="2026-06-08", departure_until="2026-06-10"
)
PARIS = FlightQuery(
    origins=("JFK",),
    destinations=("CDG",),
    departure_from="2026-07-01",
    departure_until="2026-07-01",
    return_on="2026-07-12",
    cabin="business",
)


@pytest.fixture(scope="module", params=list(IMPLEMENTATIONS.values()), ids=list(IMPLEMENTATIONS))
async def search(request: pytest.FixtureRequest) -> AsyncIterator[FlightSearch]:
    async with request.param(ManualClock(NOW_MS)) as opened:
        yield opened
        await opened.aclose()


async def test_every_offer_answers_the_query_and_makes_sense(search: FlightSearch) -> None:
    offers = await search.search(BOSTON)
    assert 0 < len(offers) <= OFFERS_MAX
    for offer in offers:
        assert offer.origin in BOSTON.origins
        assert offer.destination == "BOS"
        assert BOSTON.departure_from <= offer.departure[:10] <= BOSTON.departure_until
        assert (offer.departure_timezone, offer.arrival_timezone) == ("America/New_York", "America/New_York")
        assert offer.arrival_at_ms - offer.departure_at_ms == offer.duration_minutes * 60_000
        assert offer.price.value > 0
        assert offer.price.currency == "USD"
        assert offer.airline
        assert offer.expires_at_ms > NOW_MS
        assert offer.return_leg is None


async def test_offers_come_earliest_first_each_once(search: FlightSearch) -> None:
    offers = await search.search(BOSTON)
    assert [o.departure_at_ms for o in offers] == sorted(o.departure_at_ms for o in offers)
    assert len({o.offer_id for o in offers}) == len(offers)


async def test_every_day_of_the_window_has_offers(search: FlightSearch) -> None:
    offers = await search.search(BOSTON)
    assert {offer.departure[:10] for offer in offers} == {"2026-06-08", "2026-06-09", "2026-06-10"}


async def test_the_same_query_on_the_same_day_has_the_same_offers(search: FlightSearch) -> None:
    assert await search.search(BOSTON) == await search.search(BOSTON)


async def test_a_return_trip_has_a_way_back_on_the_day_that_was_asked_for(search: FlightSearch) -> None:
    offers = await search.search(PARIS)
    assert offers
    for offer in offers:
        assert offer.return_leg is not None
        assert (offer.return_leg.origin, offer.return_leg.destination) == ("CDG", "JFK")
        assert offer.return_leg.departure[:10] == PARIS.return_on
        assert offer.return_leg.departure_timezone == "Europe/Paris"
        assert offer.cabin == "business"


async def test_a_price_is_for_all_passengers(search: FlightSearch) -> None:
    [alone, *_] = await search.search(PARIS)
    both = await search.search(dataclasses.replace(PARIS, passengers=2))
    [same_flight] = [offer for offer in both if offer.departure == alone.departure]
    assert same_flight.price.value == 2 * alone.price.value


async def test_no_offer_has_more_stops_than_were_allowed(search: FlightSearch) -> None:
    anyhow = await search.search(dataclasses.replace(PARIS, destinations=("SYD",)))
    assert any(offer.total_stops for offer in anyhow)
    assert await search.search(dataclasses.replace(PARIS, destinations=("SYD",), stops_max=0)) == [
        offer for offer in anyhow if all(leg.stops == 0 for leg in offer.legs)
    ]


async def test_where_nobody_flies_there_are_no_offers(search: FlightSearch) -> None:
    assert await search.search(dataclasses.replace(BOSTON, destinations=("QQQ",))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"origins": ()},
        {"origins": ("New York",)},
        {"destinations": ("JFK",)},
        {"origins": tuple(f"AA{letter}" for letter in "ABCDEFG")},
        {"departure_from": "2026-06-11"},
        {"departure_from": "June 8"},
        {"departure_until": "2026-06-31"},
        {"departure_until": "2026-08-01"},
        {"departure_from": "2025-06-08", "departure_until": "2025-06-10"},
        {"departure_from": "2028-06-08", "departure_until": "2028-06-10"},
        {"return_on": "2026-06-07"},
        {"passengers": 0},
        {"passengers": 10},
        {"stops_max": -1},
    ],
    ids=str,
)
async def test_a_query_that_makes_no_sense_is_refused_before_it_is_asked(changes: dict[str, object]) -> None:
    async with IMPLEMENTATIONS["in memory"](ManualClock(NOW_MS)) as search:
        with pytest.raises(QueryInvalid) as caught:
            await search.search(dataclasses.replace(BOSTON, **changes))  # type: ignore[arg-type]
    assert caught.value.detail.endswith(".")


async def test_every_search_refuses_the_same_queries(search: FlightSearch) -> None:
    with pytest.raises(QueryInvalid):
        await search.search(dataclasses.replace(BOSTON, passengers=0))


async def test_many_searches_at_once_do_not_mix(search: FlightSearch) -> None:
    days = [f"2026-06-{day:02}" for day in range(8, 18)]
    queries = [dataclasses.replace(BOSTON, departure_from=day, departure_until=day) for day in days]
    answers = await asyncio.gather(*(search.search(query) for query in queries))
    assert [{offer.departure[:10] for offer in offers} for offers in answers] == [{day} for day in days]


async def test_a_cancelled_search_leaves_it_of_use(search: FlightSearch) -> None:
    task = asyncio.create_task(search.search(BOSTON))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await search.search(BOSTON)


async def test_it_can_be_checked_and_closed_twice(search: FlightSearch) -> None:
    assert await search.check() is None
    await search.aclose()
    await search.aclose()
