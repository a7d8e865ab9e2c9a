"""Commands about flights for random streams: see histories.py, which draws their kinds."""

from __future__ import annotations

import random
from typing import Protocol

from commands.actions import ApproveAction, RejectAction, RunAction
from commands.decide import Command
from commands.travel import KeepFlights, SelectFlight, StartFlightSearch
from domain.brain import Brain
from domain.events import Fact
from domain.travel import FlightQuery, Money, Offer, RankedOffer


class Stream(Protocol):
    @property
    def brain(self) -> Brain: ...

    @property
    def facts(self) -> list[Fact]: ...

    @property
    def now_ms(self) -> int: ...


def travel_command(stream: Stream, kind: str, choose: random.Random) -> Command | None:
    """A search, what it found, a selection, and an action that waits for one; None for any other kind."""
    brain, number = stream.brain, len(stream.facts)
    running = brain.queue[0] if brain.queue else ""
    attempt = brain.replies[running].attempt if running else 0
    trips, found = [None, *brain.trips], list(brain.workflows)
    match kind:
        case "search":
            return StartFlightSearch(search_id=f"search {number}", reply_id=running, attempt=attempt)
        case "find":
            return found_flights(running, attempt, choose.choice(trips), number, stream.now_ms)
        case "select" if found:
            return selection(brain, choose.choice(found), choose)
        case "put_forward" if found:
            deed = selection(brain, choose.choice(found), choose)
            return RunAction(
                reply_id=running,
                attempt=attempt,
                kind="select_flight",
                ordinal=choose.randint(1, 3),
                payload={"which": deed.flight_id},
                deed=deed,
                waits=True,
            )
        case "approve" | "reject":
            return _resolution(brain, kind, choose)
    return None


def _resolution(brain: Brain, kind: str, choose: random.Random) -> Command | None:
    waiting = [action_id for action_id, action in brain.actions.items() if action.status == "proposed"]
    if not waiting or not brain.workflows:
        return None
    action_id, payload = choose.choice(waiting), {"which": "f1"}
    if kind == "reject":
        return RejectAction(action_id=action_id, payload=payload)
    deed = selection(brain, choose.choice(list(brain.workflows)), choose)
    return ApproveAction(action_id=action_id, payload=payload, deed=deed)


def found_flights(reply_id: str, attempt: int, trip_id: str | None, number: int, now_ms: int) -> KeepFlights:
    offers = tuple(offer(f"f{rank}", rank, now_ms) for rank in (1, 2))
    query = FlightQuery(
        origins=("JFK",), destinations=("CDG",), departure_from="2025-12-01", departure_until="2025-12-01"
    )
    return KeepFlights(
        reply_id=reply_id,
        attempt=attempt,
        workflow_id=None,
        travel_event_id=trip_id,
        destination=f"Paris {number}",
        departure_date="2025-12-01",
        query=query,
        offers=offers,
    )


def offer(offer_id: str, rank: int, now_ms: int) -> RankedOffer:
    flight = Offer(
        offer_id=offer_id,
        airline="Air France",
        flight_numbers=(f"AF{rank}",),
        origin="JFK",
        destination="CDG",
        departure="2025-12-01T08:00",
        departure_timezone="America/New_York",
        arrival="2025-12-01T21:00",
        arrival_timezone="Europe/Paris",
        duration_minutes=420,
        stops=0,
        price=Money(amount="1200.50", currency="USD"),
        cabin="economy",
        expires_at_ms=now_ms + 3_600_000,
    )
    return RankedOffer(rank=rank, offer=flight, score=0.95, reasoning="Non-stop.")


def selection(brain: Brain, workflow_id: str, choose: random.Random) -> SelectFlight:
    offers = brain.workflows[workflow_id].offers
    return SelectFlight(workflow_id=workflow_id, flight_id=choose.choice(offers).offer.offer_id)
