"""Plans of a day over HTTP."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, put
from litestar.params import FromPath

from api.http.preconditions import expected_version
from api.queries import answer_query
from api.schemas.answers import PlanOut
from api.schemas.requests import PlanIn
from api.services import User, caller, check_body_user, run
from api.views import Views
from commands.handle import Answer, Outcome
from commands.plans import SetPlan, check_date
from domain.day_shapes import plan_json
from domain.values import Plan
from projections.reading import Fetched
from projections.state_queries import fetch_plan

IF_MATCH_MEANS = "Replace the plan only if it is at this version, as its `version` says. Else 412."


@get(
    "/plan/{date:str}",
    operation_id="getPlan",
    tags=["plan"],
    opt={"query": ("min_version",), "answer": PlanOut, "also": (304,)},
)
async def get_plan(request: Request[Any, Any, Any], date: FromPath[str]) -> Response[bytes]:
    """The plan of a day (`YYYY-MM-DD`); 404 when there is none."""
    check_date(date)

    async def fetch(views: Views, user: User) -> Fetched:
        return await fetch_plan(views.reader, user.user_id, user.keys.ref("plan", date))

    return await answer_query(request, fetch)


@put(
    "/plan/{date:str}",
    operation_id="setPlan",
    opt={"body": PlanIn, "answer": PlanOut, "headers": {"If-Match": IF_MATCH_MEANS}},
    tags=["plan"],
)
async def set_plan(request: Request[Any, Any, Any], date: FromPath[str]) -> Response[bytes]:
    """Write the plan of a day (`YYYY-MM-DD`); it replaces the one that was there, with `If-Match` only that one."""
    services, call, user = await caller(request)
    body = call.read(PlanIn)
    check_body_user(body, user)
    ref = user.keys.ref("plan", date)
    plan = Plan(priorities=tuple(body.priorities), todos=tuple(body.todos), notes=tuple(body.notes))

    def answer(outcome: Outcome) -> Answer:
        known = outcome.after.plans[ref]
        return Answer(body=plan_json(known.date, known.plan, version=known.version))

    command = SetPlan(date=date, plan_ref=ref, plan=plan, expected_version=expected_version(request, date))
    return await run(services, user, call, command, answer)
