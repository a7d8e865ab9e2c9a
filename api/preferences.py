"""Preferences over HTTP."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request, Response, get, put
from litestar.params import FromPath

from api.http.preconditions import expected_version
from api.queries import answer_query
from api.schemas.answers import PreferenceOut, PreferencesOut
from api.schemas.requests import PreferenceIn
from api.services import caller, check_body_user, run
from commands.handle import Answer, Outcome
from commands.preferences import SetPreference
from domain.errors import Invalid
from projections.state_queries import fetch_preferences

IF_MATCH_MEANS = "Set the preference only if it is at this version, as its `version` says. Else 412."
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")


@get(
    "/preferences",
    operation_id="listPreferences",
    tags=["preferences"],
    opt={"query": ("min_version",), "answer": PreferencesOut, "also": (304,)},
)
async def list_preferences(request: Request[Any, Any, Any]) -> Response[bytes]:
    """All preferences, as one object by key."""
    return await answer_query(request, lambda views, user: fetch_preferences(views.reader, user.user_id))


@put(
    "/preferences/{key:str}",
    operation_id="setPreference",
    opt={"body": PreferenceIn, "answer": PreferenceOut, "headers": {"If-Match": IF_MATCH_MEANS}},
    tags=["preferences"],
)
async def set_preference(request: Request[Any, Any, Any], key: FromPath[str]) -> Response[bytes]:
    """Set one preference. `timezone`, `workHours`, `notifications` and `travel` are checked; others are free JSON.
    `If-Match` with its version guards a change."""
    services, call, user = await caller(request)
    body = call.read(PreferenceIn)
    check_body_user(body, user)
    if KEY.fullmatch(key) is None:
        raise Invalid("A preference's key is a letter and up to 63 letters, digits or _ . : -", code="key_invalid")
    ref = user.keys.ref("preference", key)

    def answer(outcome: Outcome) -> Answer:
        known = outcome.after.preferences[ref]
        return Answer(body={"key": known.key, "value": known.value, "version": known.version})

    command = SetPreference(
        key=key, preference_ref=ref, value=body.value, expected_version=expected_version(request, key)
    )
    return await run(services, user, call, command, answer)
