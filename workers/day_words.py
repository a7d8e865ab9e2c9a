"""Our own words about plans, calendar events, trips and flights, made from committed facts alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from commands.due import with_weekday
from commands.phrases.recurrence_words import in_words
from domain.events import CalendarEventAdded, CalendarEventChanged, FlightsFound, TripDetected
from domain.text import one_line
from domain.travel import Offer, RankedOffer, stops_in_words
from domain.values import REDACTED, CalendarEntry, Json, Plan
from workers.understanding.days import with_day
from workers.understanding.flight_words import CHOOSE, WAITS

SHOWN_CHARACTERS_MAX = 600  # a title, which has at most 500, is shown whole
FLIGHTS_SHOWN = 5
NO_PAYMENT = "Nothing is booked or paid."


def plan_text(day: str, plan: Plan, *, is_own: bool = False) -> str:
    """A heading, the lists, and a note; an entry a line."""
    whose = "Your own plan" if is_own else "Your plan"
    lines = [f"{whose} for {with_day(day)}:"]
    if plan.priorities:
        lines += ["", "Priorities:", *(f"{n}. {one_line(entry)}" for n, entry in enumerate(plan.priorities, start=1))]
    if plan.todos:
        lines += ["", "To-dos:", *(f"- {one_line(entry)}" for entry in plan.todos)]
    if plan.notes:
        lines += ["", *(f"Note: {one_line(entry)}" for entry in plan.notes)]
    if len(lines) == 1:
        lines.append("There is nothing in it.")
    return "\n".join(lines)


def event_text(event: CalendarEventAdded | CalendarEventChanged, payload: Mapping[str, Json]) -> str:
    """What stands in the calendar now; where the hour is not the one that was asked for, that is said."""
    entry = event.content
    if entry is REDACTED:
        return "Done."
    if isinstance(event, CalendarEventChanged) and "occurrence" in payload:
        # One of a series was cancelled, or stands alone from now on, which the next fact says.
        return (
            "" if "changes" in payload else f"Done: cancelled {short(entry.title)} — {_moment(payload['occurrence'])}."
        )
    what = "added" if isinstance(event, CalendarEventAdded) and "changes" not in payload else "updated"
    text = f"Done: {what} {short(entry.title)} — {_times(entry)}"
    if entry.recurrence is not None:
        text += f", {in_words(one_line(entry.recurrence))}"
    text += f" ({short(entry.location)})." if entry.location else "."
    asked = payload.get("start")
    if isinstance(asked, str) and asked[:16] != entry.start[:16]:
        text += f" {asked.replace('T', ' ')} does not exist in {entry.timezone}: clocks go forward then."
    if payload.get("dueNote") == "past":
        text += " That is in the past already."
    if isinstance(ends := payload.get("endText"), str):
        text += f" I do not understand the end “{short(ends)}”, so it takes the usual time."
    return text


def removed_text(payload: Mapping[str, Json]) -> str:
    start = payload.get("start")
    when = f" — {_moment(start)}" if isinstance(start, str) else ""
    return f"Done: cancelled {short(str(payload.get('title', '')))}{when}."


def trip_text(event: TripDetected) -> str:
    if event.content is REDACTED:
        return ""
    return f"It looks like a trip to {short(event.content.destination)}: ask me for flights when you want some."


def flights_text(event: FlightsFound, payload: Mapping[str, Json]) -> str:
    """The best of them, a line each, in the order in which they were kept."""
    found = event.content
    if found is REDACTED:
        return "Done."
    query = found.query
    days = with_day(query.departure_from)
    if query.departure_until != query.departure_from:
        days += f" to {with_day(query.departure_until)}"
    if query.return_on is not None:
        days += f", back on {with_day(query.return_on)}"
    origin = payload.get("origin")
    start = f" from {short(origin)}" if isinstance(origin, str) and origin else ""
    order = payload.get("order")
    first = f", {order} first" if isinstance(order, str) and order else ""
    lines = [f"Flights{start} to {short(found.destination)}, {days}{first}:"]
    lines += [flight_line(ranked) for ranked in found.offers[:FLIGHTS_SHOWN]]
    lines.append("")  # else Markdown takes what follows for a part of the last entry
    if payload.get("origin_guessed"):
        lines.append(
            f"I do not know where you start and took {short(str(origin))} from your time zone. Name another city, or"
            " set homeAirport in your travel preferences."
        )
    lines.append(f"{CHOOSE} {NO_PAYMENT}")
    return "\n".join(lines)


def flight_line(ranked: RankedOffer) -> str:
    """`1. Air France JFK–CDG, Saturday 2025-05-10 08:00–21:00, non-stop, 7 h 00, 1200 USD. Why.`"""
    offer = ranked.offer
    text = f"{ranked.rank}. {short(offer.airline)} {offer.origin}–{offer.destination}, {_leg_times(offer)}"
    text += f", {stops_in_words(offer.stops)}, {offer.duration_minutes // 60} h {offer.duration_minutes % 60:02}"
    if offer.return_leg is not None:
        back = offer.return_leg
        text += f"; back {with_weekday(back.departure)}–{back.arrival[11:]}, {stops_in_words(back.stops)}"
    return f"{text}, {offer.price.amount} {offer.price.currency}. {short(ranked.reasoning)}".rstrip()


def put_forward(payload: Mapping[str, Json]) -> str:
    """A flight that waits for the user's approval."""
    price = payload.get("price")
    cost = f", {price['amount']} {price['currency']}" if isinstance(price, Mapping) else ""
    departure = payload.get("departure")
    when = f", {with_weekday(departure)}" if isinstance(departure, str) else ""
    flight = f"{payload.get('airline', '')} {payload.get('origin', '')}–{payload.get('destination', '')}"
    return f"I have put forward {short(flight)}{when}{cost}. {WAITS} {NO_PAYMENT}"


def _leg_times(offer: Offer) -> str:
    arrival = offer.arrival[11:]
    if offer.arrival[:10] != offer.departure[:10]:
        arrival += f" ({offer.arrival[:10]})"
    return f"{with_weekday(offer.departure)}–{arrival}"


def _times(entry: CalendarEntry) -> str:
    if entry.all_day:
        last = (date.fromisoformat(entry.end) - timedelta(days=1)).isoformat()
        return with_day(entry.start) if last <= entry.start else f"{with_day(entry.start)} to {with_day(last)}"
    end = entry.end[11:16] if entry.end[:10] == entry.start[:10] else with_weekday(entry.end[:16])
    return f"{with_weekday(entry.start[:16])}–{end}"


def _moment(local: str) -> str:
    return with_weekday(datetime.fromisoformat(local).strftime("%Y-%m-%dT%H:%M") if "T" in local else local)


def short(text: str) -> str:
    """On one line, and no longer than somebody reads."""
    text = one_line(text)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]} …"
