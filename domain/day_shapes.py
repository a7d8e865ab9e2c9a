"""The JSON shapes of plans, calendar events, trips with their flights, and voice jobs. See domain/shapes.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from domain.occurrences import Occurrence
from domain.shapes import utc
from domain.travel import Money, Offer, RankedOffer
from domain.values import BookingStep, CalendarEntry, CalendarSource, Json, Plan, StepStatus


def plan_json(date: str, plan: Plan, *, version: int) -> dict[str, Json]:
    return {
        "date": date,
        "priorities": list(plan.priorities),
        "todos": list(plan.todos),
        "notes": list(plan.notes),
        "version": version,
    }


def zoned(local: str, timezone: str) -> str:
    """RFC 3339 with the offset that holds then and there, `Z` for UTC; a day stays a day."""
    if "T" not in local:
        return local
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(timezone)).isoformat().replace("+00:00", "Z")


def calendar_json(
    calendar_id: str,
    entry: CalendarEntry,
    *,
    source: CalendarSource,
    created_from: str | None,
    created_at_ms: int,
    version: int,
) -> dict[str, Json]:
    """`start` and `end` are the first occurrence's; `excluded` and `moved` are exceptions of a series."""
    return {
        "id": calendar_id,
        "title": entry.title,
        "start": moment(entry.start, entry.starts_at_ms, entry.timezone),
        "end": moment(entry.end, entry.ends_at_ms, entry.timezone),
        "timezone": entry.timezone,
        "allDay": entry.all_day,
        "description": entry.description,
        "location": entry.location,
        "attendees": list(entry.attendees),
        "recurrence": entry.recurrence,
        "excluded": list(entry.excluded),
        "moved": [
            {"original": one.original, "start": zoned(one.start, entry.timezone), "end": zoned(one.end, entry.timezone)}
            for one in entry.moved
        ],
        "source": source,
        "createdFrom": created_from,
        "createdAt": utc(created_at_ms),
        "version": version,
    }


def occurrence_json(event: Mapping[str, Json], one: Occurrence) -> dict[str, Json]:
    """`event` is the shape of the event; the texts are this occurrence's. `original` names it within its series."""
    entry = one.entry
    return {
        **event,
        "title": entry.title,
        "description": entry.description,
        "location": entry.location,
        "occurrenceStart": moment(one.start, one.starts_at_ms, entry.timezone),
        "occurrenceEnd": moment(one.end, one.ends_at_ms, entry.timezone),
        "original": one.original if entry.recurrence is not None else None,
    }


def moment(local: str, at_ms: int, timezone: str) -> str:
    """As `zoned`, told by the instant, so that an hour which comes twice says which one it is."""
    if "T" not in local:
        return local
    there = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(timezone))
    return there.isoformat().replace("+00:00", "Z")


def money_json(money: Money) -> dict[str, Json]:
    """The amount as a JSON number with as many decimals as it has."""
    amount = Decimal(money.amount)
    return {"amount": int(amount) if amount == int(amount) else float(amount), "currency": money.currency}


def offer_json(offer: Offer) -> dict[str, Json]:
    """`departure` and `arrival` are the hours on the airports' clocks, `departs` and `arrives` the whole moments."""
    return {
        "flight_id": offer.offer_id,
        "airline": offer.airline,
        "flight_numbers": list(offer.flight_numbers),
        "origin": offer.origin,
        "destination": offer.destination,
        "departure": offer.departure[11:16],
        "arrival": offer.arrival[11:16],
        "departs": zoned(offer.departure, offer.departure_timezone),
        "arrives": zoned(offer.arrival, offer.arrival_timezone),
        "duration_minutes": offer.duration_minutes,
        "stops": offer.stops,
        "cabin": offer.cabin,
        "price": money_json(offer.price),
        "expires_at": utc(offer.expires_at_ms),
    }


def ranked_json(ranked: RankedOffer) -> dict[str, Json]:
    return {
        "rank": ranked.rank,
        **offer_json(ranked.offer),
        "score": ranked.score,
        "reasoning": ranked.reasoning,
    }


def trip_json(
    *,
    travel_event_id: str | None,
    workflow_id: str,
    destination: str,
    departure_date: str,
    offers: Sequence[RankedOffer],
    selected: Offer | None,
    steps: Mapping[BookingStep, StepStatus],
    version: int,
) -> dict[str, Json]:
    return {
        "travel_event_id": travel_event_id,
        "destination": destination,
        "departure_date": departure_date,
        "workflow_id": workflow_id,
        "ranked_flights": [ranked_json(offer) for offer in offers],
        "selected_flight_id": None if selected is None else selected.offer_id,
        "steps": steps_json(steps),
        "version": version,
    }


def steps_json(steps: Mapping[BookingStep, StepStatus]) -> list[dict[str, Json]]:
    return [{"step": step, "status": status} for step, status in steps.items()]


def voice_job_json(
    job_id: str, *, status: str, message_id: str | None, code: str | None, started_at_ms: int, version: int
) -> dict[str, Json]:
    return {
        "transcriptJobId": job_id,
        "status": status,
        "messageId": message_id,
        "code": code,
        "createdAt": utc(started_at_ms),
        "version": version,
    }
