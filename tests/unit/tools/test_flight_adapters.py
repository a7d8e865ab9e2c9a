"""How servers are asked, and what is made of their answers: each offer by itself, and none that makes no sense."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.travel import FlightQuery, Money, Offer
from tests.support.flight_servers import NOW_MS
from workers.tools.airports import airports
from workers.tools.errors import ToolAnswerInvalid
from workers.tools.flight_adapters import (
    CALLS_MAX,
    OFFER_LIFETIME_MS,
    adapter_for,
    answers,
    duffel_calls,
    read_offers,
)
from workers.tools.mcp_client import ToolInfo

QUERY = FlightQuery(
    origins=("JFK", "LGA", "EWR"),
    destinations=("LHR", "LGW"),
    departure_from="2026-06-08",
    departure_until="2026-06-14",
)
SLICE = {
    "origin": "JFK",
    "destination": "LHR",
    "departure": "2026-06-08T18:30:00",
    "arrival": "2026-06-09T06:45:00",
    "duration": "PT7H15M",
    "carrier": "British Airways",
    "stops": 0,
    "stops_description": "Non-stop",
    "connections": [],
}
BACK = {
    **SLICE,
    "origin": "LHR",
    "destination": "JFK",
    "departure": "2026-06-12T11:00:00",
    "arrival": "2026-06-12T14:10:00",
    "duration": "PT8H10M",
}
OFFER: dict[str, Any] = {"offer_id": "off_0000A1", "price": {"amount": "412.30", "currency": "USD"}, "slices": [SLICE]}


def read(*offers: Any, query: FlightQuery = QUERY) -> list[Offer]:
    return read_offers({"request_id": "orq_1", "offers": list(offers)}, query, airports(), NOW_MS)[0]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The offer with another value at `price.amount`, `slices.0.stops`, …"""
    offer: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(OFFER))
    *way, last = path.split(".")
    at: Any = offer
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    at[last] = value
    return offer


def test_an_offer_of_duffels_shape_is_read_in_full() -> None:
    [offer] = read(OFFER)
    assert offer == Offer(
        flight_numbers=(),
        origin="JFK",
        destination="LHR",
        departure="2026-06-08T18:30",
        departure_timezone="America/New_York",
        arrival="2026-06-09T06:45",
        arrival_timezone="Europe/London",
        duration_minutes=435,
        stops=0,
        offer_id="off_0000A1",
        airline="British Airways",
        price=Money(amount="412.30", currency="USD"),
        cabin="economy",
        expires_at_ms=NOW_MS + OFFER_LIFETIME_MS,
    )


def test_a_way_back_is_read_where_one_was_asked_for() -> None:
    query = dataclasses.replace(QUERY, return_on="2026-06-12")
    [offer] = read({**OFFER, "slices": [SLICE, BACK]}, query=query)
    assert offer.return_leg is not None
    assert (offer.return_leg.departure_timezone, offer.return_leg.duration_minutes) == ("Europe/London", 490)
    assert (offer.total_duration_minutes, offer.total_stops) == (925, 0)
    assert read(OFFER, query=query) == []
    assert read({**OFFER, "slices": [SLICE, {**BACK, "departure": "2026-06-13T11:00:00"}]}, query=query) == []


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("price.amount", 412.5, Money(amount="412.5", currency="USD")),
        ("price.amount", 412, Money(amount="412", currency="USD")),
        ("price.amount", "4.1E+2", Money(amount="410", currency="USD")),
        ("price.amount", "60.125", Money(amount="60.125", currency="USD")),
    ],
)
def test_a_price_stays_a_decimal_number_as_text(path: str, value: Any, shown: Money) -> None:
    [offer] = read(changed(path, value))
    assert offer.price == shown


@pytest.mark.parametrize(
    ("path", "value", "name", "read_as"),
    [
        ("slices.0.departure", "2026-06-08T22:30:00Z", "departure", "2026-06-08T18:30"),
        ("slices.0.departure", "2026-06-08T18:30", "departure", "2026-06-08T18:30"),
        ("slices.0.duration", None, "duration_minutes", 435),
        ("slices.0.duration", "P0DT7H15M", "duration_minutes", 435),
        ("slices.0.stops", "1", "stops", 1),
        ("slices.0.carrier", "  A\u202eB\n C ", "airline", "AB C"),
        ("slices.0.carrier", "", "airline", "unnamed airline"),
        ("slices.0.carrier", "x" * 5_000, "airline", "x" * 80),
        ("slices.0.flight_numbers", ["BA 178", "<b>", "VS4"], "flight_numbers", ("BA 178", "VS4")),
        ("cabin_class", "business", "cabin", "business"),
        ("expires_at", "2026-06-01T08:20:00Z", "expires_at_ms", NOW_MS + 1_200_000),
        ("unheard", {"of": 1}, "offer_id", "off_0000A1"),
    ],
)
def test_what_servers_write_in_several_ways_is_read_as_one(path: str, value: Any, name: str, read_as: Any) -> None:
    [offer] = read(changed(path, value))
    assert getattr(offer, name) == read_as


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("offer_id", value) for value in ("", "a b", "x" * 129, "<script>", "a/../b", None, 7)),
        *(
            ("price.amount", value)
            for value in ("0", "-1", "NaN", "Infinity", "abc", "", "1e99", None, "1.12345", True)
        ),
        *(("price.currency", value) for value in ("usd", "US", "$", "", None)),
        *(("slices", value) for value in ([], [SLICE] * 3, None, "x", [None])),
        *(("slices.0.origin", value) for value in ("jfk", "QQQ", "", None, "LHR")),
        *(("slices.0.departure", value) for value in ("soon", "2026-06-31T10:00:00", "0001-01-01T00:00:00Z", None)),
        *(("slices.0.departure", value) for value in ("2026-06-07T18:30:00", "2026-06-15T18:30:00")),
        *(
            ("slices.0.arrival", value)
            for value in ("2026-06-08T18:00:00", "2026-06-20T06:45:00", "9999-12-31T23:59:59Z")
        ),
        *(("slices.0.duration", value) for value in ("7h", "PT0M", "P", "PT99H", "-PT7H", "")),
        *(("slices.0.stops", value) for value in (-1, 6, None, "many")),
        *(("expires_at", value) for value in ("2026-06-01T08:00:00Z", "2020-01-01T00:00:00Z", "never")),
        ("cabin_class", "cargo"),
        ("slices.0.flight_numbers", "BA 178"),
    ],
)
def test_an_offer_that_makes_no_sense_is_left_out_and_its_neighbours_stay(path: str, value: Any) -> None:
    found, left_out = read_offers(
        {"offers": [changed(path, value), {**OFFER, "offer_id": "good"}]}, QUERY, airports(), NOW_MS
    )
    assert [offer.offer_id for offer in found] == ["good"]
    assert left_out == 1


@pytest.mark.parametrize("answer", [None, [], "offers", 1, {}, {"offers": None}, {"offers": {"a": OFFER}}])
def test_an_answer_that_is_something_else_is_an_error(answer: Any) -> None:
    with pytest.raises(ToolAnswerInvalid):
        read_offers(answer, QUERY, airports(), NOW_MS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=4)
)
FIELDS = ["offer_id", "price", "price.amount", "price.currency", "slices", *(f"slices.0.{name}" for name in SLICE)]


@given(st.sampled_from(FIELDS), JSON | st.sampled_from(["P1D", "2026-06-08", "-1", "BOS", "9" * 30]))
def test_whatever_a_field_holds_an_offer_is_left_out_or_whole(path: str, value: Any) -> None:
    for offer in read(changed(path, value)):
        assert answers(offer, QUERY, NOW_MS)
        assert offer.price.value > 0
        assert offer.duration_minutes > 0


def test_more_offers_than_anybody_reads_are_cut() -> None:
    assert len(read(*({**OFFER, "offer_id": f"off_{n}"} for n in range(2_000)))) == 500


# --- asking ---------------------------------------------------------------------------------------------------


def tool(*properties: str, name: str = "search_flights") -> dict[str, ToolInfo]:
    schema = {"type": "object", "properties": {each: {} for each in properties}}
    return {name: ToolInfo(name=name, input_schema=schema, pin="0")}


def test_who_is_asked_is_chosen_by_what_the_tool_takes() -> None:
    ours = adapter_for(tool("origins", "destinations", "departure_from", "departure_until"))
    duffel = adapter_for(tool("params"))
    assert ours is not None
    assert duffel is not None
    assert (ours.name, duffel.name) == ("timetable", "duffel")
    assert adapter_for(tool("from", "to")) is None
    assert adapter_for(tool("params", name="find")) is None
    assert adapter_for({}) is None
    schema = {"type": "object", "properties": "none"}
    assert adapter_for({"search_flights": ToolInfo(name="search_flights", input_schema=schema, pin="0")}) is None


def test_a_duffel_style_server_is_asked_by_route_and_day_under_params() -> None:
    query = dataclasses.replace(
        QUERY,
        origins=("JFK",),
        destinations=("LHR",),
        departure_until="2026-06-09",
        return_on="2026-06-20",
        passengers=2,
        cabin="business",
        stops_max=1,
    )
    first = {
        "type": "round_trip",
        "origin": "JFK",
        "destination": "LHR",
        "departure_date": "2026-06-08",
        "return_date": "2026-06-20",
        "cabin_class": "business",
        "adults": 2,
        "max_connections": 1,
    }
    assert duffel_calls(query) == [{"params": first}, {"params": {**first, "departure_date": "2026-06-09"}}]
    one_way = dataclasses.replace(query, return_on=None, stops_max=None)
    assert duffel_calls(one_way)[0]["params"].keys() == first.keys() - {"return_date", "max_connections"}


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 31))
def test_however_much_is_asked_for_the_calls_have_an_end_and_the_main_route_is_among_them(
    origins: int, destinations: int, days: int
) -> None:
    query = dataclasses.replace(
        QUERY,
        origins=tuple(f"AA{n}" for n in range(origins)),
        destinations=tuple(f"BB{n}" for n in range(destinations)),
        departure_from="2026-07-01",
        departure_until=f"2026-07-{days:02}",
    )
    calls = [call["params"] for call in duffel_calls(query)]
    assert 1 <= len(calls) <= CALLS_MAX
    assert len({tuple(sorted(call.items())) for call in calls}) == len(calls)
    assert (calls[0]["origin"], calls[0]["destination"]) == ("AA0", "BB0")
    assert {call["departure_date"] for call in calls} <= {f"2026-07-{day:02}" for day in range(1, days + 1)}
    assert calls[0]["departure_date"] == "2026-07-01"
    if origins * destinations * days <= 4:
        assert len(calls) == origins * destinations * days
