"""Trips over HTTP: what was found for them, and the selection of a flight. No route here calls a tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from api.queries import answer_query
from api.schemas.requests import EmptyBody
from api.schemas.travel_answers import SelectionOut, SuggestionsOut
from api.services import User, caller, check_body_user, run
from api.views import Views
from commands.handle import Answer, Outcome
from commands.travel import SelectFlight
from domain.day_shapes import steps_json
from domain.local_times import local_moment
from domain.shapes import task_state_json
from projections.reading import Fetched
from projections.travel_queries import fetch_trips


@get(
    "/travel/suggestions",
    operation_id="listTravelSuggestions",
    tags=["travel"],
    opt={"query": ("min_version",), "answer": SuggestionsOut, "also": (304,)},
)
async def list_suggestions(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The trips that are not over, with the flights that were found when somebody asked for them in a chat."""

    async def fetch(views: Views, user: User) -> Fetched:
        brain = await views.side.states.refresh(user.user_id)
        now = local_moment(views.side.clock.user_now_ms(), brain.timezone)
        return await fetch_trips(views.reader, user.user_id, today=now.date().isoformat())

    return await answer_query(request, fetch, view="travel")


@post(
    "/travel/{workflow_id:str}/select/{flight_id:str}",
    operation_id="selectFlight",
    status_code=200,
    opt={"body": EmptyBody, "answer": SelectionOut},
    tags=["travel"],
)
async def select_offer(
    request: Request[Any, Any, Any], workflow_id: FromPath[str], flight_id: FromPath[str]
) -> Response[bytes]:
    """Select a flight: it is recorded, its booking begins, and what is left to do becomes tasks. Nothing is paid.
    409 for an offer that has expired, and for a flight that is not among the trip's."""
    services, call, user = await caller(request)
    check_body_user(call.read(EmptyBody), user)
    command = SelectFlight(workflow_id=workflow_id, flight_id=flight_id)
    return await run(services, user, call, command, _selected(workflow_id, flight_id))


def _selected(workflow_id: str, flight_id: str) -> Callable[[Outcome], Answer]:
    def answer(outcome: Outcome) -> Answer:
        known = outcome.after.workflows[workflow_id]
        states = ((task_id, outcome.after.tasks.get(task_id)) for task_id in known.task_ids)
        tasks = [task_state_json(task_id, state) for task_id, state in states if state is not None]
        return Answer(
            body={
                "status": "selected",
                "workflow_id": workflow_id,
                "flight_id": flight_id,
                "steps": steps_json(known.steps),
                "tasks": tasks,
                "version": known.version if not outcome.facts else outcome.after.version,
            }
        )

    return answer
