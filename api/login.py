"""Development log-in: the single-use code of the link that `microcos dev` prints, for a token. Only in mode `dev`."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, post

from api.http.request import call_of
from api.schemas.answers import LoginOut
from api.schemas.requests import LoginIn
from api.services import NO_STORE, services_of
from domain.errors import NotFound
from infra.dev_tokens import make_token


@post(
    "/auth/dev",
    operation_id="exchangeLoginCode",
    status_code=201,
    opt={"body": LoginIn, "answer": LoginOut},
    tags=["auth"],
)
async def exchange_code(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Exchange a log-in code for a development token."""
    services = services_of(request)
    body = call_of(request).read(LoginIn)
    if services.settings.auth_mode != "dev":
        raise NotFound("There is no development log-in here.", code="login_off")
    sub = await services.redeem_login(body.code)
    if sub is None:
        raise NotFound(
            "This link was used already or is too old. Start again for a new one.", code="login_code_unknown"
        )
    token = make_token(services.settings, services.clock, sub)
    shape = {"token": token, "userId": sub, "expiresIn": services.settings.auth_lifetime_max_seconds}
    return Response(msgspec.json.encode(shape), status_code=201, media_type="application/json", headers=dict(NO_STORE))
