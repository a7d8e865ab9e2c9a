"""Ranking: the same offers out as in, in one order, a dearer fare never better off; reasons about known offers only."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.local_times import instant_ms, local_time
from domain.travel import Busy, Leg, Money, Offer, Wishes
from workers.tools.ranking import TABLE_ROWS_MAX, WEIGHTS, rank, reasoned, reasons_from, table

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Tokyo", "Australia/Lord_Howe")
MONDAY = "2026-06-08"


def leg_fields(
    departure: str, minutes: int, stops: int = 0, zones: tuple[str, str] = ("America/New_York",) * 2
) -> dict[str, object]:
    arrival = local_time(instant_ms(departure, zones[0]) + minutes * 60_000, zones[1])
    return {
        "flight_numbers": ("M9 100",),
        "origin": "JFK",
        "destination": "BOS",
        "departure": departure,
        "departure_timezone": zones[0],
        "arrival": arrival,
        "arrival_timezone": zones[1],
        "duration_minutes": minutes,
        "stops": stops,
    }


def an_offer(
    offer_id: str = "a",
    *,
    price: str = "100.00",
    departure: str = f"{MONDAY}T18:30",
    minutes: int = 60,
    stops: int = 0,
    airline: str = "Meridian Air",
    currency: str = "USD",
    back: str | None = None,
) -> Offer:
    return Offer(
        **leg_fields(departure, minutes, stops),  # type: ignore[arg-type]
        offer_id=offer_id,
        airline=airline,
        price=Money(amount=price, currency=currency),
        cabin="economy",
        expires_at_ms=2_000_000_000_000,
        return_leg=None if back is None else Leg(**leg_fields(back, minutes)),  # type: ignore[arg-type]
    )


@st.composite
def offers(draw: st.DrawFn, offer_id: str = "x") -> Offer:
    zones = (draw(st.sampled_from(ZONES)), draw(st.sampled_from(ZONES)))
    day, hour, minute = draw(st.integers(1, 28)), draw(st.integers(0, 23)), draw(st.integers(0, 59))
    departure = f"2026-10-{day:02}T{hour:02}:{minute:02}"
    fields = leg_fields(departure, draw(st.integers(10, 3_000)), draw(st.integers(0, 3)), zones)
    cents = draw(st.integers(1, 10**7))
    return Offer(
        **fields,  # type: ignore[arg-type]
        offer_id=offer_id,
        airline=draw(st.sampled_from(("Meridian Air", "Sunbird", "Juniper Airlines"))),
        price=Money(amount=f"{cents // 100}.{cents % 100:02}", currency=draw(st.sampled_from(("USD", "EUR")))),
        cabin="economy",
        expires_at_ms=2_000_000_000_000,
    )


@st.composite
def some_offers(draw: st.DrawFn) -> list[Offer]:
    return [draw(offers(f"offer-{n}")) for n in range(draw(st.integers(0, 12)))]


@st.composite
def wishes(draw: st.DrawFn) -> Wishes:
    start_ms = draw(st.integers(instant_ms("2026-10-01T00:00", "UTC"), instant_ms("2026-10-30T00:00", "UTC")))
    busy = Busy(title="stand-up", starts_at_ms=start_ms, ends_at_ms=start_ms + draw(st.integers(1, 10**8)))
    works = draw(st.booleans())
    return Wishes(
        airlines=draw(st.sampled_from(((), ("sunbird",)))),
        airlines_avoided=draw(st.sampled_from(((), ("Meridian Air",)))),
        airports=draw(st.sampled_from(((), ("LGA",), ("JFK",)))),
        work_starts="09:00" if works else None,
        work_ends="17:00" if works else None,
        busy=draw(st.sampled_from(((), (busy,)))),
        arrive_by_ms=draw(st.none() | st.just(start_ms)),
        stops_max=draw(st.none() | st.integers(0, 2)),
    )


@given(some_offers(), wishes())
def test_what_comes_out_is_what_went_in_ranked_from_one_with_scores_that_fall(found: list[Offer], w: Wishes) -> None:
    ranked = rank(found, w)
    assert sorted(each.offer.offer_id for each in ranked) == sorted(offer.offer_id for offer in found)
    assert [each.rank for each in ranked] == list(range(1, len(found) + 1))
    scores = [each.score for each in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all(each.reasoning.endswith(".") for each in ranked)


@given(some_offers(), wishes(), st.randoms(use_true_random=False))
def test_the_order_in_which_offers_come_does_not_matter(found: list[Offer], w: Wishes, random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(shuffled, w) == rank(found, w)


@given(some_offers(), wishes(), st.data())
def test_a_higher_price_alone_never_makes_an_offer_better(found: list[Offer], w: Wishes, data: st.DataObject) -> None:
    assume(found)
    index = data.draw(st.integers(0, len(found) - 1))
    offer = found[index]
    dearer = Decimal(data.draw(st.integers(0, 10**7))) / 100
    changed = dataclasses.replace(
        offer, price=Money(amount=f"{offer.price.value + dearer:f}", currency=offer.price.currency)
    )
    before = {each.offer.offer_id: each for each in rank(found, w)}
    after = {each.offer.offer_id: each for each in rank([*found[:index], changed, *found[index + 1 :]], w)}
    assert after[offer.offer_id].rank >= before[offer.offer_id].rank
    assert after[offer.offer_id].score <= before[offer.offer_id].score
    assert all(after[other].score >= before[other].score for other in before if other != offer.offer_id)


def test_the_weights_add_up_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)


LATE = {"arrive_by_ms": instant_ms(f"{MONDAY}T20:00", "America/New_York")}
WORK = {"work_starts": "09:00", "work_ends": "17:00"}
BUSY = {
    "busy": (
        Busy(
            title="board meeting",
            starts_at_ms=instant_ms(f"{MONDAY}T10:00", "America/New_York"),
            ends_at_ms=instant_ms(f"{MONDAY}T11:00", "America/New_York"),
        ),
    )
}


@pytest.mark.parametrize(
    ("better", "worse", "w"),
    [
        (an_offer("b"), an_offer("a", price="130.00"), {}),
        (an_offer("b"), an_offer("a", minutes=180), {}),
        (an_offer("b"), an_offer("a", stops=1), {}),
        (an_offer("b", departure=f"{MONDAY}T18:30"), an_offer("a", departure=f"{MONDAY}T12:00"), WORK),
        (an_offer("b", departure="2026-06-13T12:00"), an_offer("a", departure=f"{MONDAY}T12:00"), WORK),
        (an_offer("b", departure=f"{MONDAY}T12:00"), an_offer("a", departure=f"{MONDAY}T02:00"), {}),
        (an_offer("b", departure=f"{MONDAY}T17:00"), an_offer("a", departure=f"{MONDAY}T18:30"), LATE),
        (an_offer("b", departure=f"{MONDAY}T08:00"), an_offer("a", departure=f"{MONDAY}T09:30"), BUSY),
        (an_offer("b", airline="Sunbird"), an_offer("a"), {"airlines": ("sunbird",)}),
        (an_offer("b", airline="Sunbird"), an_offer("a"), {"airlines_avoided": ("MERIDIAN AIR",)}),
        (an_offer("b"), an_offer("a", stops=2), {"stops_max": 1}),
        (an_offer("b", back="2026-06-10T18:00"), an_offer("a", back="2026-06-10T03:00"), {}),
    ],
    ids=[
        *("cheaper", "shorter", "fewer stops", "outside work", "on a free day", "not in the night", "in time"),
        *("clear of a meeting", "preferred airline", "not the avoided one", "few enough stops", "a way back by day"),
    ],
)
def test_each_wish_decides_between_two_that_are_otherwise_alike(
    better: Offer, worse: Offer, w: dict[str, object]
) -> None:
    [first, _] = rank([worse, better], Wishes(**w))  # type: ignore[arg-type]
    assert first.offer is better


def test_prices_are_compared_within_a_currency_only() -> None:
    ranked = rank([an_offer("a", price="100.00"), an_offer("b", price="15000", currency="JPY")], Wishes())
    assert ranked[0].score == ranked[1].score


def test_nothing_is_ranked_to_nothing() -> None:
    assert rank([], Wishes()) == []


def test_the_reason_of_an_offer_tells_its_own_facts() -> None:
    cheap, dear = rank([an_offer("a", price="150", stops=1), an_offer("b")], Wishes(**LATE))  # type: ignore[arg-type]
    assert cheap.reasoning == "Non-stop, the cheapest, the shortest, arrives at 19:30, too late."
    assert dear.reasoning == "1 stop, 50 % above the cheapest, the shortest, arrives at 19:30, too late."


# --- what a model may do to it --------------------------------------------------------------------------------

RANKED = rank([an_offer(f"id-{n:02}", price=f"{100 + n}") for n in range(12)], Wishes())
IDS = [each.offer.offer_id for each in RANKED]


def test_the_reason_of_a_way_there_and_back_tells_the_stops_of_each() -> None:
    there = an_offer(back=f"{MONDAY}T20:30")
    assert there.return_leg is not None
    there = dataclasses.replace(there, return_leg=dataclasses.replace(there.return_leg, stops=1))
    assert rank([there], Wishes())[0].reasoning.startswith("Non-stop out and 1 stop back, ")
    assert rank([an_offer(back=f"{MONDAY}T20:30")], Wishes())[0].reasoning.startswith("Non-stop, ")


def test_the_table_has_the_best_rows_with_their_ids_and_nothing_that_breaks_a_row() -> None:
    header, *rows = table(rank([an_offer("a", airline="x | y"), an_offer("b")], Wishes())).splitlines()
    assert header.startswith("flight_id | airline")
    assert [len(row.split(" | ")) for row in rows] == [len(header.split(" | "))] * 2
    assert [row.split(" | ")[0] for row in table(RANKED).splitlines()[1:]] == IDS[:TABLE_ROWS_MAX]


@pytest.mark.parametrize(
    "text",
    [
        '{"ranking": [{"flight_id": "id-03", "reasoning": "Early."}, {"flight_id": "id-00", "reasoning": "Cheap."}]}',
        '```json\n{"ranking": [{"flight_id": "id-03", "reasoning": "Early."},'
        ' {"flight_id": "id-00", "reasoning": "Cheap."}]}\n```',
        'Here it is: {"ranking": [{"flight_id": "id-03", "reasoning": "Early."}, {"flight_id": "nope",'
        ' "reasoning": "Free!"}, {"flight_id": "id-00", "reasoning": "Cheap."}, {"flight_id": "id-03",'
        ' "reasoning": "Twice."}, {"flight_id": 7}, "id-05"], "note": 1} Enjoy!',
    ],
    ids=["bare", "fenced", "with unknown, repeated and broken ones"],
)
def test_reasons_are_those_about_known_offers_in_the_models_order(text: str) -> None:
    reasons = reasons_from(text, IDS)
    assert list(reasons.items()) == [("id-03", "Early."), ("id-00", "Cheap.")]
    again = reasoned(RANKED, reasons)
    assert [each.offer.offer_id for each in again] == ["id-03", "id-00", *(i for i in IDS if i not in reasons)]
    assert [each.rank for each in again] == list(range(1, 13))
    assert [each.reasoning for each in again[:2]] == ["Early.", "Cheap."]
    assert {each.offer.offer_id: each.score for each in again} == {each.offer.offer_id: each.score for each in RANKED}


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(str))
def test_an_answer_of_no_use_leaves_all_as_it_was(text: str) -> None:
    assert reasoned(RANKED, reasons_from(text, IDS)) == RANKED


@pytest.mark.parametrize("text", ["{" * 50_000, '{"ranking": ' * 5_000, "[" * 50_000, '{"ranking": "\ud800"}'])
def test_a_hostile_answer_is_of_no_use_either(text: str) -> None:
    assert reasons_from(text, IDS) == {}


def test_a_reason_is_one_short_line_without_what_hides() -> None:
    text = '{"ranking": [{"flight_id": "id-00", "reasoning": "a\\n\\u202eb ' + "c" * 1_000 + '"}]}'
    [reason] = reasons_from(text, IDS).values()
    assert reason.startswith("a b cc")
    assert len(reason) == 300


def test_an_empty_reason_leaves_ours() -> None:
    reasons = reasons_from('{"ranking": [{"flight_id": "id-03", "reasoning": ""}]}', IDS)
    [first, *_] = reasoned(RANKED, reasons)
    assert first.reasoning == next(each.reasoning for each in RANKED if each.offer.offer_id == "id-03")
