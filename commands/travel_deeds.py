"""Which of the flights that were found the user means: "the first one", "the cheapest", "the JetBlue flight". Pure.

A flight is put forward and no more: selecting it waits for the user's approval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from commands.actions import Deed
from commands.arguments import NotUnderstood, SelectFlightArguments
from commands.setting import Setting
from commands.travel import SelectFlight
from domain.brain import Brain, WorkflowState
from domain.text import one_line
from domain.travel import RankedOffer
from domain.values import Json

NONE_FOUND = "There are no flights to choose from yet. Ask me to find some first."

_ORDINALS = (
    *(r"first|erste[nrs]?", r"second|zweite[nrs]?", r"third|dritte[nrs]?", r"fourth|vierte[nrs]?"),
    *(r"fifth|f(?:ü|ue)nfte[nrs]?", r"sixth|sechste[nrs]?", r"seventh|siebte[nrs]?", r"eighth|achte[nrs]?"),
    *(r"ninth|neunte[nrs]?", r"tenth|zehnte[nrs]?"),
)
_NUMBER = re.compile(
    r"(?:#|\bno\.? ?|\bnumber |\boption |\bflight )(\d{1,2})\b|\b(\d{1,2})(?:st|nd|rd|th)\b|^(\d{1,2})$"
)


def select_flight(arguments: SelectFlightArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    which = one_line(arguments.which)
    workflow_id, workflow = _flights_with(which, setting.brain) or newest_flights(setting.brain)
    chosen = _chosen(which, workflow.offers)
    offer = chosen.offer
    payload: dict[str, Json] = {
        "which": offer.offer_id,
        "workflow_id": workflow_id,
        "flight_id": offer.offer_id,
        "airline": offer.airline,
        "origin": offer.origin,
        "destination": offer.destination,
        "departure": offer.departure,
        "price": {"amount": offer.price.amount, "currency": offer.price.currency},
    }
    deed = SelectFlight(workflow_id=workflow_id, flight_id=offer.offer_id, created_from=setting.message_id)
    return payload, deed


def newest_flights(brain: Brain) -> tuple[str, WorkflowState]:
    """What was found last. Raises `NotUnderstood` where nothing was."""
    found = [(workflow_id, state) for workflow_id, state in brain.workflows.items() if state.offers]
    if not found:
        raise NotUnderstood(NONE_FOUND)
    return max(found, key=lambda item: item[1].version)


def _flights_with(offer_id: str, brain: Brain) -> tuple[str, WorkflowState] | None:
    """The newest search that found this very offer."""
    found = [
        item for item in brain.workflows.items() if any(each.offer.offer_id == offer_id for each in item[1].offers)
    ]
    return max(found, key=lambda item: item[1].version) if found else None


def _chosen(which: str, offers: Sequence[RankedOffer]) -> RankedOffer:
    """Raises `NotUnderstood`."""
    text = which.casefold()
    for ranked in offers:
        if ranked.offer.offer_id == which:
            return ranked
    place = _place(text, len(offers))
    if place is not None:
        if not 1 <= place <= len(offers):
            raise NotUnderstood(f"I found {len(offers)} flights. Please say which of them you mean.")
        return offers[place - 1]
    if re.search(r"\bcheap|\bg(?:ü|ue)nstig|\bbillig", text):
        return min(offers, key=lambda each: (each.offer.price.value, each.rank))
    if re.search(r"\bfast|\bshort|\bquick|\bschnell|\bk(?:ü|ue)rzest", text):
        return min(offers, key=lambda each: (each.offer.total_duration_minutes, each.rank))
    if re.search(r"\bearl|\bfr(?:ü|ue)h", text):
        return min(offers, key=lambda each: (each.offer.departure_at_ms, each.rank))
    if re.search(r"\bbeste?[nrs]?\b|\btop\b|\brecommend", text):
        return offers[0]
    named = [each for each in offers if each.offer.airline.casefold() in text]
    if named:
        return named[0]
    if len(offers) == 1:
        return offers[0]
    raise NotUnderstood("Please say which flight you mean, such as “the first one” or “the cheapest”.")


def _place(text: str, count: int) -> int | None:
    for number, word in enumerate(_ORDINALS, start=1):
        if re.search(rf"\b(?:{word})\b", text):
            return number
    if re.search(r"\blast\b|\bletzte", text):
        return count
    match = _NUMBER.search(text)
    return None if match is None else int(next(group for group in match.groups() if group))
