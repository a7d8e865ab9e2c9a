"""The one ASGI wrapper around the application: request id, methods, auth, body, query, problems, headers.

It is one layer and not seven because each layer costs every request. Whatever is raised inside ends here as a problem;
nothing reaches the server's own error page or its log, whose tracebacks would hold what users wrote.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Protocol

from litestar import Litestar, Request
from litestar.exceptions import WebSocketDisconnect

from api.auth.authenticator import Authenticator, AuthError, Principal
from api.http.body_gate import BodyGate, ClientGone, Receive
from api.http.headers import Cors, complete, is_secure
from api.http.query import parse_query, refuse_undeclared
from api.http.request import Call, RequestIds, attach, call_of, idempotency_key_of, single_headers
from api.http.routing import Routes
from api.problems import NOT_FOUND, Problem, Refused, method_not_allowed, problem_of
from domain.errors import Unavailable
from domain.ports import Clock, NewId
from infra.telemetry import get_logger

INTERNAL_PATHS = frozenset({"/api/v1/complete-llm"})
TICKET_PATHS = ("/api/v1/stream/", "/api/v1/realtime")
TICKET_PARAMETER = "ticket"

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_ANY_METHOD = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

_log = get_logger("api.http.edge")

Send = Callable[[Any], Awaitable[None]]
Headers = Mapping[bytes, bytes]
Watch = Callable[[Any, int, float], None]
VersionOf = Callable[[Principal], Awaitable[int]]


class Tickets(Protocol):
    async def redeem(self, ticket: str) -> Principal | None:
        """Whose ticket it is, once; None when it is unknown, used or over."""
        ...


def reraise(_: Request[Any, Any, Any], error: Exception) -> Any:
    """Litestar's exception handler for everything: the edge makes the answer, in one place."""
    raise error


async def remember(error: Exception, scope: Any) -> None:
    """Litestar's `after_exception`: it asks no handler about a WebSocket's failure, so the edge has to be told."""
    if scope["type"] == "websocket":
        call_of(scope).failure = error


def litestar_options() -> dict[str, Any]:
    """What an application behind the edge must pass to `Litestar(...)`: the edge does these parts itself."""
    return {
        "exception_handlers": {Exception: reraise},
        "after_exception": [remember],
        "request_max_body_size": None,
        "logging_config": None,
        "debug": False,
    }


class Edge:
    """`watch(scope, status, seconds)` is called once an answer is done, for metrics; `path_template` is in the scope
    when a route was found. Without `tickets`, a ticket in a query is no token. `version_of` gives refusals of a known
    caller their `X-Stream-Version`; it may raise `Unavailable`."""

    def __init__(
        self,
        app: Litestar,
        authenticator: Authenticator,
        *,
        clock: Clock,
        new_id: NewId,
        gate: BodyGate | None = None,
        cors: Cors | None = None,
        tickets: Tickets | None = None,
        watch: Watch | None = None,
        version_of: VersionOf | None = None,
    ) -> None:
        self._app: Any = app
        self._routes = Routes(app)
        self._auth = authenticator
        self._clock = clock
        self._request_ids = RequestIds(new_id)
        self._gate = gate or BodyGate()
        self._cors = cors or Cors()
        self._tickets = tickets
        self._watch = watch
        self._version_of = version_of

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Any, receive: Receive, send: Send) -> None:
        headers, repeated = single_headers(scope["headers"])
        call = Call(self._request_ids.of(headers), scope["method"], scope["path"])
        extra = [(b"x-request-id", call.request_id.encode()), *self._cors.headers(headers.get(b"origin"))]
        secure = is_secure(scope["scheme"], headers)
        started_at = self._clock.monotonic() if self._watch is not None else 0.0
        status = 0

        async def answer(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = complete(message.get("headers", ()), extra, secure=secure)
            await send(message)

        try:
            if call.method == "OPTIONS" or call.method not in _METHODS:
                await self._answer_without_route(call, headers, answer)
            elif call.method == "HEAD":
                await self._head(scope, call, headers, repeated, receive, answer)
            else:
                await self._route(scope, call, headers, repeated, receive, answer)
        except ClientGone:
            return
        except Exception as error:  # the outermost place: whatever it is, the client gets a problem and no more
            if status:
                # Too late for another answer. Returning without an end makes the server cut the connection.
                _log_failure(call, error)
            else:
                await self._refuse(call, headers, error, answer)
        if self._watch is not None:
            self._watch(scope, status, self._clock.monotonic() - started_at)

    async def _route(
        self,
        scope: Any,
        call: Call,
        headers: Headers,
        repeated: Collection[bytes],
        receive: Receive,
        send: Send,
    ) -> None:
        _check_path(call.path)
        call.path = call.path.rstrip("/") or "/"  # the router takes both; whoever looks at it next shall see one
        await self._admit(scope, call, headers, repeated)
        declared = self._routes.find(call.path, call.method)
        if call.query and declared is not None:
            refuse_undeclared(call.query, declared)
        call.idempotency_key = idempotency_key_of(headers, repeated)
        call.is_read = True  # from here on the gate says itself when the rest stays unread
        admitted = await self._gate.admit(call.method, call.path, headers, repeated, receive)
        call.body, call.is_read = admitted.body, admitted.data is not None
        attach(scope, call, data=admitted.data)
        await self._app(scope, admitted.receive, send)

    async def _admit(self, scope: Any, call: Call, headers: Headers, repeated: Collection[bytes]) -> None:
        """The query and the principal. Who they are is found out first: strangers learn nothing of what was wrong."""
        unreadable: Refused | None = None
        try:
            call.query = parse_query(scope["query_string"])
        except Refused as refusal:
            unreadable = refusal
        if _is_protected(call.path):
            await self._authenticate(call, headers, repeated)
        if unreadable is not None:
            raise unreadable

    async def _authenticate(self, call: Call, headers: Headers, repeated: Collection[bytes]) -> None:
        """Sets the call's principal; raises `AuthError`, or `Refused` (403) for a user at the service's door."""
        if (
            self._tickets is not None
            and call.method == "GET"
            and b"authorization" not in headers
            and call.path.startswith(TICKET_PATHS)
            and TICKET_PARAMETER in call.query
        ):
            call.principal = await self._tickets.redeem(call.query.pop(TICKET_PARAMETER))
            if call.principal is None:
                raise AuthError("the ticket is unknown, used or over")
            return
        token = self._auth.token_of(headers, repeated)
        internal = call.path in INTERNAL_PATHS
        if internal and self._auth.is_service(token):
            call.service = True
            return
        principal = self._auth.believed(token) or await self._auth.verify(token)
        if internal:
            raise Refused(Problem(status=403, code="forbidden", detail="This is for services, not for users."))
        call.principal = principal

    async def _head(
        self,
        scope: Any,
        call: Call,
        headers: Headers,
        repeated: Collection[bytes],
        receive: Receive,
        send: Send,
    ) -> None:
        """As GET, without the body; a stream is told at once that its client has gone, so it does not go on."""
        started = False

        async def start_only(message: Any) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def gone_once_started() -> Any:
            return {"type": "http.disconnect"} if started else await receive()

        call.method = "GET"
        # A copy: the server keeps reading the method from its own scope, and leaves the body out by it.
        await self._route({**scope, "method": "GET"}, call, headers, repeated, gone_once_started, start_only)

    async def _answer_without_route(self, call: Call, headers: Headers, send: Send) -> None:
        """OPTIONS, and the methods that no route here takes."""
        _check_path(call.path)
        allow = self._routes.allow(call.path)
        if call.method != "OPTIONS":
            raise Refused(method_not_allowed(allow or _ANY_METHOD))
        if not allow:
            raise Refused(NOT_FOUND)
        listed = [(b"allow", allow)]
        if b"access-control-request-method" in headers:
            listed.extend(self._cors.preflight(headers.get(b"origin")))
        await send({"type": "http.response.start", "status": 204, "headers": listed})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _refuse(self, call: Call, headers: Headers, error: Exception, send: Send) -> None:
        problem = self._problem(call, error)
        body = problem.body()
        listed = problem.header_list(body)
        # Of a failure it would be a second question to a store that may be away; who waits for a view has an answer.
        is_known = problem.status < 500 or problem.code == "view_behind"
        if self._version_of is not None and call.principal is not None and is_known:
            with suppress(Unavailable):
                listed.append((b"x-stream-version", b"%d" % await self._version_of(call.principal)))
        has_body = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        if has_body and not call.is_read and not problem.close:
            listed.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": problem.status, "headers": listed})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _problem(self, call: Call, error: Exception) -> Problem:
        problem = problem_of(error, call.body)
        if isinstance(error, AuthError):
            _log_refusal(call, str(error))
        elif problem.status >= 500:
            _log_failure(call, error)
        elif problem.status in (403, 429):
            _log_refusal(call, problem.code)
        return problem

    async def _socket(self, scope: Any, receive: Receive, send: Send) -> None:
        """A WebSocket: the same rules for who may, and the Origin check that browsers leave to servers."""
        headers, repeated = single_headers(scope["headers"])
        call = Call(self._request_ids.of(headers), "GET", scope["path"])
        accepted = False

        async def answer(message: Any) -> None:
            nonlocal accepted
            accepted = accepted or message["type"] == "websocket.accept"
            # After a failure Litestar closes with codes and reasons of its own; the edge does that.
            if call.failure is None or message["type"] != "websocket.close":
                await send(message)

        try:
            _check_path(call.path)
            origin = headers.get(b"origin")
            if origin is not None and not self._cors.allows_socket(origin, headers.get(b"host", b"")):
                raise Refused(Problem(status=403, code="origin_not_allowed", detail="This page may not connect."))
            await self._admit(scope, call, headers, repeated)
            self._routes.find(call.path, None)
            attach(scope, call)
            await self._app(scope, receive, answer)
            if call.failure is not None:
                raise call.failure
        except WebSocketDisconnect:
            return
        except Exception as error:  # as for HTTP: nothing of it may reach the server's log
            problem = self._problem(call, error)
            with suppress(OSError, RuntimeError):  # the client may have gone, or the handler may have closed
                if accepted:
                    await send({"type": "websocket.close", "code": 1011 if problem.status >= 500 else 1008})
                else:
                    await self._refuse_socket(call, problem, scope, send)

    async def _refuse_socket(self, call: Call, problem: Problem, scope: Any, send: Send) -> None:
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        body = problem.body()
        extra = [(b"x-request-id", call.request_id.encode())]
        listed = complete(problem.header_list(body), extra, secure=False)
        await send({"type": "websocket.http.response.start", "status": problem.status, "headers": listed})
        await send({"type": "websocket.http.response.body", "body": body, "more_body": False})


def _is_protected(path: str) -> bool:
    return path.startswith("/api/") or path == "/api"


def _check_path(path: str) -> None:
    """Litestar folds `//` into `/`, so only a path that is already plain may decide about auth."""
    if not path.startswith("/") or "//" in path or "\\" in path or "/../" in path or "/./" in path:
        raise Refused(NOT_FOUND)
    if path.endswith(("/..", "/.")) or not path.isprintable():
        raise Refused(NOT_FOUND)


def _log_failure(call: Call, error: Exception) -> None:
    _log.error("request failed", request_id=call.request_id, method=call.method, exc_info=error)


def _log_refusal(call: Call, reason: str) -> None:
    _log.warning("request refused", request_id=call.request_id, method=call.method, reason=reason)
