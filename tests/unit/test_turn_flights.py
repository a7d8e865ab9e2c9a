"""A turn that searches for flights: what is asked, what it costs, what is kept, and what happens when things fail."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from commands.calendar import SetCalendarEvent
from commands.memory import PinMemory
from commands.messages import RegenerateReply
from commands.preferences import SetPreference
from domain.events import (
    ActionCreated,
    FlightSearchStarted,
    FlightSelected,
    FlightsFound,
    ReplyCompleted,
    ReplyRequested,
)
from domain.travel import FlightQuery
from tests.support.worker_world import ScriptedModel, World, answered, open_world, tool_call
from workers.confirmations import NOT_OFFERED
from workers.llm.offline.model import OfflineModel
from workers.tools.errors import ToolUnavailable
from workers.turns.flights import SEARCHING

pytestmark = pytest.mark.anyio

TO_BOSTON = "Find flights from JFK to Boston tomorrow"
CALL = tool_call("find_flights", '{"destination": "Boston", "origin": "JFK", "departure_text": "tomorrow"}')


def asked(world: World) -> FlightQuery:
    (query,) = world.flights.searched
    return query  # type: ignore[no-any-return]


async def test_found_flights_are_kept_before_they_are_told_and_said_to_be_searched_for() -> None:
    async with open_world() as world:
        reply_id = await world.post(TO_BOSTON)
        await world.serve(await world.worker(ScriptedModel(["Let me see.", CALL])))
        (found,) = await world.events(FlightsFound)
        text = (await world.ending(reply_id)).content.text
        first = found.content.offers[0].offer
        assert f"1. {first.airline} {first.origin}–{first.destination}" in text
        said = [chunk.progress for chunk in await world.chunks(reply_id, progress=True)]
        assert {"stage": "tool", "label": SEARCHING, "tool": "find_flights"} in said
        (action,) = await world.actions(reply_id)
        assert (action["action"], action["payload"]["workflow_id"]) == ("find_flights", found.workflow_id)
        end = await world.ending(reply_id)
        assert end.manifest.workflow_ids == (found.workflow_id,)
        facts = {type(fact.event): fact.version for fact in await world.facts()}
        list_chunk = next(chunk for chunk in await world.chunks(reply_id) if "1. " in chunk.text)
        assert facts[FlightsFound] <= list_chunk.seen_version


async def test_a_model_gives_order_and_reasons_and_can_add_no_flight() -> None:
    async with open_world() as world:
        await world.handle(SetPreference(key="travel", preference_ref="t", value={"airlines": ["JetBlue"]}))
        probe = await answered(world, TO_BOSTON, model=ScriptedModel([CALL], answers=['{"ranking": []}']))
        assert "1. " in probe
        ids = [each.offer.offer_id for each in (await world.events(FlightsFound))[0].content.offers]
        ranking = [{"flight_id": "made up", "reasoning": "x"}, {"flight_id": ids[2], "reasoning": "Because I say so."}]
        model = ScriptedModel([CALL], answers=[json.dumps({"ranking": ranking})])
        text = await answered(world, TO_BOSTON, model=model)
        kept = (await world.events(FlightsFound))[1].content.offers
        assert sorted(each.offer.offer_id for each in kept) == sorted(ids)
        assert kept[0].offer.offer_id == ids[2]
        assert "Because I say so." in text
        assert "JetBlue" in model.questions[0][0].messages[0].content


async def test_a_model_without_reasons_leaves_the_order_of_the_score() -> None:
    async with open_world() as world:
        await answered(world, TO_BOSTON, model=ScriptedModel([CALL]))
        (found,) = await world.events(FlightsFound)
        scores = [each.score for each in found.content.offers]
        assert scores == sorted(scores, reverse=True)


async def test_a_tool_that_is_away_is_said_and_the_message_ends() -> None:
    async with open_world() as world:
        world.flights.failure = ToolUnavailable("The search for flights cannot be reached.")
        text = await answered(world, TO_BOSTON)
        assert "I could not search for flights: The search for flights cannot be reached." in text
        assert not await world.events(FlightsFound)
        assert await world.events(ReplyCompleted)


async def test_a_tool_that_hangs_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        async def search(self, query: FlightQuery) -> list[Any]:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("workers.turns.flights.GUARD_SECONDS", 0.0)
    async with open_world(flights_timeout_seconds=0.05) as world:
        world.flights = Hanging()
        assert "did not answer in time" in await answered(world, TO_BOSTON, model=OfflineModel())


async def test_a_second_attempt_tells_what_the_first_one_found_and_searches_no_more() -> None:
    async with open_world() as world:
        reply_id = await world.post(TO_BOSTON)
        await world.dies_while_speaking([CALL])
        await world.look(await world.worker(ScriptedModel([CALL]), owner="alive"))
        assert len(world.flights.searched) == 1
        assert len(await world.events(FlightSearchStarted)) == 1
        assert (await world.ending(reply_id)).content.text.startswith("Flights from JFK to Boston")


async def test_a_search_that_died_before_it_was_kept_is_paid_for_once() -> None:
    class Dying:
        def __init__(self, inner: Any) -> None:
            self.inner, self.calls = inner, 0

        async def search(self, query: FlightQuery) -> list[Any]:
            self.calls += 1
            if self.calls == 1:
                await asyncio.Event().wait()
            found: list[Any] = await self.inner.search(query)
            return found

    async with open_world() as world:
        world.flights = Dying(world.flights)
        reply_id = await world.post(TO_BOSTON)
        consumer = await world.worker(ScriptedModel(["One moment. ", CALL]), owner="dead")
        await world.starts_to_speak(consumer)
        for _ in range(200):
            await asyncio.sleep(0)
        for task in consumer.tasks():
            task.cancel()
        await world.idle(consumer)
        world.expire_leases()
        await world.look(await world.worker(ScriptedModel([CALL]), owner="alive"))
        assert "Flights from JFK to Boston" in (await world.ending(reply_id)).content.text
        assert len(await world.events(FlightSearchStarted)) == 1


async def test_a_place_that_nobody_said_is_not_flown_to() -> None:
    async with open_world() as world:
        elsewhere = tool_call(
            "find_flights", '{"destination": "Moscow", "origin": "JFK", "departure_text": "tomorrow"}'
        )
        await answered(world, TO_BOSTON, model=ScriptedModel([elsewhere]))
        assert asked(world).destinations == ("BOS",)


async def test_a_search_is_made_only_where_the_words_ask_for_one() -> None:
    async with open_world() as world:
        assert NOT_OFFERED in await answered(world, "Hello", model=ScriptedModel([CALL]))
        assert not world.flights.searched


@pytest.mark.parametrize(
    ("text", "first", "last", "back"),
    [
        ("Find flights from JFK to Boston next week", "2025-11-24", "2025-11-30", None),
        ("Find flights from JFK to Boston this week", "2025-11-19", "2025-11-23", None),
        ("Find flights from JFK to Boston on Friday, back on Sunday", "2025-11-21", "2025-11-21", "2025-11-23"),
        ("Find flights from JFK to Boston this weekend", "2025-11-22", "2025-11-23", None),
        ("Find flights from JFK to Boston in December", "2025-12-01", "2025-12-31", None),
        ("Find flights from JFK to Boston in two weeks", "2025-12-03", "2025-12-03", None),
        ("Find flights from JFK to Boston tomorrow in the morning", "2025-11-20", "2025-11-20", None),
        ("Suche Flüge von JFK nach Boston in einer Woche", "2025-11-26", "2025-11-26", None),
        ("Suche Flüge von JFK nach Boston im nächsten Monat", "2025-12-01", "2025-12-31", None),
        ("Suche Flüge von JFK nach Boston am Wochenende", "2025-11-22", "2025-11-23", None),
        ("Find flights from JFK to Boston on 24 Dec 2025", "2025-12-24", "2025-12-24", None),
    ],
)
async def test_the_days_are_those_that_were_said(text: str, first: str, last: str, back: str | None) -> None:
    async with open_world() as world:
        await answered(world, text)
        query = asked(world)
        assert (query.departure_from, query.departure_until, query.return_on) == (first, last, back)


async def test_a_warm_trip_gives_destination_and_dates_and_its_workflow() -> None:
    async with open_world() as world:
        fields = {"title": "Paris trip", "start": "2026-05-10T08:00:00Z", "end": "2026-05-15T22:00:00Z"}
        await world.handle(SetCalendarEvent(fields=fields))
        await world.handle(SetCalendarEvent(fields={"title": "Workshop", "start": "2026-05-11T09:00"}))
        await world.handle(PinMemory(type="preference", key="favourite_airport", value="JFK"))
        await answered(world, "Find flights to Paris")
        query = asked(world)
        assert (query.origins, query.departure_from, query.return_on) == (("JFK",), "2026-05-10", "2026-05-15")
        assert "CDG" in query.destinations
        (found,) = await world.events(FlightsFound)
        ((trip_id, trip),) = (await world.brain()).trips.items()
        assert (found.travel_event_id, found.workflow_id) == (trip_id, trip.workflow_id)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Find flights from JFK tomorrow", "where you want to go"),
        ("Find flights from JFK to Boston", "when you want to leave"),
        ("Find flights from JFK to Portland tomorrow", "which destination you mean"),
        ("Find flights from JFK to Nowhereville tomorrow", "which destination you mean"),
    ],
)
async def test_what_is_missing_is_asked_for_and_nothing_is_searched(text: str, question: str) -> None:
    async with open_world() as world:
        assert question in await answered(world, text)
        assert not await world.events(FlightSearchStarted)


@pytest.mark.parametrize(
    ("words", "back"),
    [
        ("next Monday, returning Friday", "2025-11-28"),
        ("on Friday, returning on Sunday", "2025-11-23"),
        ("next Monday, returning next Friday", "2025-11-28"),
        ("next Monday, returning on the 5th", "2025-12-05"),
        ("next week, returning Friday", "2025-11-28"),
    ],
)
async def test_the_way_back_is_after_the_departure(words: str, back: str) -> None:
    async with open_world() as world:
        await answered(world, f"Find flights from JFK to Boston {words}")
        query = asked(world)
        assert query.return_on == back
        assert query.departure_from <= query.departure_until <= back


@pytest.mark.parametrize("back", ["December 5", "tomorrow", "next blue moon"])
async def test_a_way_back_that_makes_no_sense_is_asked_for_and_never_dropped(back: str) -> None:
    async with open_world() as world:
        asks = tool_call(
            "find_flights",
            json.dumps({"destination": "Boston", "departure_text": "on December 10", "return_text": back}),
        )
        text = f"Find flights from JFK to Boston on December 10 returning {back}"
        assert "when you want to come back" in await answered(world, text, model=ScriptedModel([asks]))
        assert not await world.events(FlightSearchStarted)
        await answered(world, "December 14")
        assert (asked(world).departure_from, asked(world).return_on) == ("2025-12-10", "2025-12-14")


@pytest.mark.parametrize("when", ["yesterday", "last Friday", "on November 3 2025"])
async def test_a_day_that_is_over_is_said_to_be(when: str) -> None:
    async with open_world() as world:
        text = await answered(world, f"Find flights from JFK to Boston {when}")
        assert f"“{when}” is over." in text
        assert "when you want to leave" in text
        assert not await world.events(FlightSearchStarted)


async def test_a_start_that_nobody_said_is_taken_from_the_clock_and_said_to_be() -> None:
    async with open_world() as world:
        text = await answered(world, "Find flights to Boston tomorrow")
        assert text.startswith("Flights from London to Boston")
        assert "took London from your time zone" in text
        assert "LHR" in asked(world).origins


async def test_another_wish_is_no_answer_to_our_question() -> None:
    async with open_world() as world:
        assert "when you want to leave" in await answered(world, "Find flights from JFK to Boston")
        assert (await answered(world, "Remind me to call John")).startswith("Done: call John")
        assert "where you want to go" in await answered(world, "Find me flights tomorrow")
        assert "call John" in await answered(world, "What's on my agenda today?")
        assert not await world.events(FlightSearchStarted)


async def test_a_selection_waits_and_nothing_is_selected() -> None:
    async with open_world() as world:
        assert "no flights to choose from" in await answered(world, "Book the first one")
        await answered(world, TO_BOSTON)
        assert "I have put forward" in await answered(world, "Book the cheapest one")
        action = (await world.events(ActionCreated))[-1]
        assert (action.kind, action.status) == ("select_flight", "proposed")
        cheapest = min(
            (each.offer for each in (await world.events(FlightsFound))[0].content.offers), key=lambda o: o.price.value
        )
        assert action.content.payload["price"]["amount"] == cheapest.price.amount
        assert not await world.events(FlightSelected)


async def test_a_regenerated_answer_tells_the_same_flights_and_searches_no_more() -> None:
    async with open_world() as world:
        reply_id = await world.post(TO_BOSTON)
        consumer = await world.worker(OfflineModel())
        await world.serve(consumer)
        first = (await world.ending(reply_id)).content.text
        handled = await world.handle(RegenerateReply(id=reply_id))
        again = next(f.event.reply.reply_id for f in handled.outcome.facts if isinstance(f.event, ReplyRequested))
        await world.serve(consumer)
        assert (await world.ending(again)).content.text == first
        assert len(world.flights.searched) == len(await world.events(FlightSearchStarted)) == 1


# --- a list that is refined -----------------------------------------------------------------------------------

LIST = "Find flights from San Francisco to Seattle next Friday"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("nonstop only", {"stops_max": 0}),
        ("business class please", {"cabin": "business"}),
        ("for two people", {"passengers": 2}),
        ("coming back on Sunday", {"return_on": "2025-11-30"}),
        ("what about Saturday?", {"departure_from": "2025-11-29"}),
        ("and the day after tomorrow?", {"departure_from": "2025-11-21"}),
        ("from Los Angeles", {"origins": ("LAX",)}),
    ],
)
async def test_what_is_said_of_a_list_changes_the_search_and_nothing_else(text: str, changed: dict[str, Any]) -> None:
    async with open_world() as world:
        await answered(world, LIST)
        await answered(world, text)
        before, after = world.flights.searched
        for name, value in changed.items():
            found = getattr(after, name)
            assert (found[: len(value)] if isinstance(value, tuple) else found) == value
        assert after.destinations == before.destinations
        unchanged = {"cabin", "passengers", "stops_max", "return_on"} - changed.keys()
        assert all(getattr(after, name) == getattr(before, name) for name in unchanged)


@pytest.mark.parametrize(
    ("text", "order"),
    [("cheaper ones", "cheapest"), ("any earlier flights?", "earliest"), ("later ones please", "latest")],
)
async def test_what_is_to_come_first_does(text: str, order: str) -> None:
    async with open_world() as world:
        await answered(world, LIST)
        said = await answered(world, text)
        assert f", {order} first:" in said
        assert len(world.flights.searched) == 2
        offers = [each.offer for each in (await world.events(FlightsFound))[1].content.offers]
        keys = {
            "cheapest": [offer.price.value for offer in offers],
            "earliest": [offer.departure_at_ms for offer in offers],
            "latest": [-offer.departure_at_ms for offer in offers],
        }[order]
        assert keys == sorted(keys)
        # The list that was told is the one that a selection is made from.
        assert f"{offers[0].airline} {offers[0].origin}" in await answered(world, "the first one")


async def test_wishes_add_up_and_choosing_one_is_no_search() -> None:
    async with open_world() as world:
        for text in (LIST, "nonstop only", "for two people", "cheaper ones"):
            await answered(world, text)
        last = world.flights.searched[-1]
        assert (last.stops_max, last.passengers) == (0, 2)
        assert "I have put forward" in await answered(world, "the cheapest one")
        assert len(world.flights.searched) == 4


async def test_who_says_book_it_is_told_what_happens_and_what_is_left_to_them() -> None:
    async with open_world() as world:
        await answered(world, LIST)
        assert "I can neither book nor pay" in await answered(world, "book it")
        await answered(world, "the second one")
        text = await answered(world, "can you book it for me?")
        assert "approve it on its card" in text
        assert not await world.events(FlightSelected)
        assert len(world.flights.searched) == 1


@pytest.mark.parametrize("text", ["nonstop only", "cheaper ones", "what about Saturday?"])
async def test_without_a_list_before_it_nothing_is_searched_for(text: str) -> None:
    async with open_world() as world:
        await answered(world, text)
        await answered(world, "What's on my agenda today?")
        await answered(world, text)
        assert not world.flights.searched


@pytest.mark.parametrize(
    "text",
    ["Remind me to call Bob on Saturday", "I love cheap wine", "Thanks!", "What is on Saturday?", "tell me more"],
)
async def test_other_talk_behind_a_list_is_no_search(text: str) -> None:
    async with open_world() as world:
        await answered(world, LIST)
        await answered(world, text)
        assert len(world.flights.searched) == 1
