"""What the edge must know of the routes before the application runs: whether there is one for a path and a method, and
which query parameters it declares. The only module that asks Litestar's router directly; the router caches its answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from litestar import Litestar
from litestar.exceptions import ClientException, MethodNotAllowedException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Method, RouteHandlerType

METHODS: tuple[Method, ...] = ("DELETE", "GET", "PATCH", "POST", "PUT")


class Routes:
    """The routes of one application, as they are when it has been built."""

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._declared: dict[int, dict[str, bool]] = {}
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                for handler, model in route.route_handler_map.values():
                    names = self._declared.setdefault(id(handler), {})
                    kinds = _annotations(handler)
                    for parameter in model.expected_query_params:
                        names[parameter.field_alias] = int in kinds.get(parameter.field_name, ())
                    names.update(dict.fromkeys(handler.opt.get("query", ()), False))

    def find(self, path: str, method: str | None) -> Mapping[str, bool] | None:
        """The route's query parameters: name to whether it is an integer, with the names in its `opt["query"]`.

        None when the route is raw ASGI or a WebSocket (`method` None) and judges its query itself. Raises Litestar's
        `NotFoundException` and `MethodNotAllowedException`.
        """
        try:
            _, handler, *_ = self._app.asgi_router.handle_routing(path=_normal(path), method=method)
        except MethodNotAllowedException:
            raise self._not_allowed(path) from None
        declared = self._declared.get(id(handler))
        if declared is None and method is not None and not _raw_route_takes(handler, method):
            raise self._not_allowed(path)
        return declared

    def allow(self, path: str) -> bytes:
        """The value of `Allow` for `path`, methods in alphabetical order; empty when there is nothing."""
        taken: list[str] = [method for method in METHODS if self._takes(path, method)]
        if taken:
            taken.append("OPTIONS")
        if "GET" in taken:
            taken.append("HEAD")
        return ", ".join(sorted(taken)).encode()

    def _not_allowed(self, path: str) -> MethodNotAllowedException:
        return MethodNotAllowedException(headers={"allow": self.allow(path).decode()})

    def _takes(self, path: str, method: Method) -> bool:
        try:
            _, handler, *_ = self._app.asgi_router.handle_routing(path=_normal(path), method=method)
        except (ClientException, KeyError):
            return False
        return id(handler) in self._declared or _raw_route_takes(handler, method)


def _raw_route_takes(handler: RouteHandlerType, method: str) -> bool:
    """Litestar gives a raw ASGI route every method; those here are streams and files, to be read only."""
    return method in handler.opt.get("methods", ("GET",))


def _normal(path: str) -> str:
    return path.rstrip("/") or "/"


def _annotations(handler: HTTPRouteHandler) -> dict[str, set[object]]:
    """Each parameter's type, or the members of its union, of the handler and of all its dependencies."""
    signatures = [handler.parsed_fn_signature]
    signatures += [provider.parsed_fn_signature for provider in handler.resolve_dependencies().values()]
    found: dict[str, set[object]] = {}
    for signature in signatures:
        for name, definition in signature.parameters.items():
            found.setdefault(name, set()).update({definition.annotation, *definition.args})
    return found
