"""What the routes about trips answer, for the OpenAPI document; domain/day_shapes.py makes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.answers import Answer, TaskOut, Version


class PriceOut(Answer):
    amount: int | float = Field(examples=[1200])
    currency: str = Field(examples=["USD"])


class RankedFlightOut(Answer):
    """`departure` and `arrival` are hours on the airports' clocks, `departs` and `arrives` the whole moments."""

    rank: int = Field(examples=[1])
    flight_id: str = Field(examples=["f1"])
    airline: str = Field(examples=["Air France"])
    flight_numbers: list[str]
    origin: str = Field(examples=["JFK"])
    destination: str = Field(examples=["CDG"])
    departure: str = Field(examples=["08:00"])
    arrival: str = Field(examples=["17:00"])
    departs: str = Field(examples=["2025-05-10T08:00:00-04:00"])
    arrives: str = Field(examples=["2025-05-10T21:00:00+02:00"])
    duration_minutes: int
    stops: int
    cabin: str
    price: PriceOut
    expires_at: str = Field(description="From then on it can't be selected any more.")
    score: float = Field(examples=[0.95])
    reasoning: str = Field(examples=["Non-stop, early arrival for morning meeting"])


class StepOut(Answer):
    step: Literal["offer_selected", "tasks_created", "payment"]
    status: Literal["done", "waiting", "failed"]


class UpcomingTripOut(Answer):
    travel_event_id: str | None = Field(examples=["evt_123"])
    destination: str = Field(examples=["Paris"])
    departure_date: str = Field(examples=["2025-05-10"])
    workflow_id: str = Field(examples=["wf_456"])
    ranked_flights: list[RankedFlightOut] = Field(description="Empty until somebody asks for flights in a chat.")
    selected_flight_id: str | None
    steps: list[StepOut]
    version: Version


class SuggestionsOut(Answer):
    upcoming_trips: list[UpcomingTripOut]
    version: Version


class SelectionOut(Answer):
    """Nothing is paid: the step `payment` waits for the user, who finds a task for it."""

    status: Literal["selected"]
    workflow_id: str
    flight_id: str
    steps: list[StepOut]
    tasks: list[TaskOut]
    version: Version
