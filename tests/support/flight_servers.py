"""MCP servers that sell flights, for tests: our own, and one that speaks as Duffel's does and fails when told to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

from domain.ports import Clock
from domain.travel import FlightQuery
from infra.clock import ManualClock
from infra.settings import Settings
from infra.tool_servers import Open, in_process
from tests.support.serving import serving
from workers.tools.airports import airports
from workers.tools.flights import FlightSearch, FlightsInMemory, McpFlights, make_flight_search
from workers.tools.flights_server import make_server, shown
from workers.tools.mcp_client import McpSession
from workers.tools.timetable import offers_for

NOW = "2026-06-01T08:00:00Z"
NOW_MS = 1_780_300_800_000
OURS = f"stdio:MICROCOS_NOW={NOW} {sys.executable} -m workers.tools.flights_server"
TIMEOUT_SECONDS = 30.0

_PARAMS = {"type": "object", "properties": {"params": {"type": "object"}}, "required": ["params"]}


@dataclass
class DuffelStandIn:
    """Answers from the made-up timetable, one route and day a call. `answer`, where set, takes the place of all else;
    with `hold` set, calls wait for it."""

    clock: Clock
    answer: Callable[[dict[str, Any]], CallToolResult] | None = None
    hold: asyncio.Event | None = None
    description: str = "Search for flights based on parameters."
    calls: list[dict[str, Any]] = field(default_factory=list)
    cancelled: int = 0
    listed: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def server(self) -> Server[Any]:
        async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
            self.listed += 1
            names = ("search_flights", "get_offer_details", "search_multi_city")
            return ListToolsResult(
                tools=[Tool(name=name, description=self.description, input_schema=_PARAMS) for name in names]
            )

        async def call_tool(_context: Any, params: Any) -> CallToolResult:
            arguments = (params.arguments or {})["params"]
            self.calls.append(arguments)
            self.begun.set()
            if self.hold is not None:
                try:
                    await self.hold.wait()
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            return self.answer(arguments) if self.answer else self.found(arguments)

        return Server("stand-in", version="1", on_list_tools=list_tools, on_call_tool=call_tool)

    def search(self, *, timeout_seconds: float = TIMEOUT_SECONDS, pin: str = "") -> McpFlights:
        # Far beyond the search's own limit, so that nothing but the search itself gives up its calls.
        pins = {"search_flights": pin} if pin else None
        session = McpSession(in_process(self.server), timeout_seconds=100 * TIMEOUT_SECONDS, pins=pins)
        return McpFlights(session, self.clock, timeout_seconds=timeout_seconds)

    def found(self, arguments: dict[str, Any]) -> CallToolResult:
        query = FlightQuery(
            origins=(arguments["origin"],),
            destinations=(arguments["destination"],),
            departure_from=arguments["departure_date"],
            departure_until=arguments["departure_date"],
            return_on=arguments.get("return_date"),
            passengers=arguments["adults"],
            cabin=arguments["cabin_class"],
            stops_max=arguments.get("max_connections"),
        )
        offers = [shown(offer) for offer in offers_for(query, airports(), self.clock.user_now_ms())]
        for offer in offers:
            # What Duffel's server does not tell.
            del offer["expires_at"], offer["cabin_class"]
        return text_result(msgspec.json.encode({"request_id": "orq_1", "offers": offers}).decode())


def text_result(text: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error)


def one_tool_server(
    answer: Callable[[], CallToolResult], *, output_schema: dict[str, Any] | None = None
) -> Server[Any]:
    """A server with the tool `ask`, which takes nothing."""

    async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="ask", input_schema={"type": "object"}, output_schema=output_schema)])

    async def call_tool(_context: Any, _params: Any) -> CallToolResult:
        return answer()

    return Server("one tool", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


def session_with(open_client: Open, *, timeout_seconds: float = TIMEOUT_SECONDS) -> McpSession:
    return McpSession(open_client, timeout_seconds=timeout_seconds)


@asynccontextmanager
async def over_loopback(server: Server[Any], *, port: int = 0) -> AsyncIterator[str]:
    """The server's URL, for as long as the block lasts."""
    async with serving(server.streamable_http_app(), port=port) as http:
        yield f"http://127.0.0.1:{http.port}/mcp"


# --- every implementation of the port --------------------------------------------------------------------------


@asynccontextmanager
async def in_memory(clock: ManualClock) -> AsyncIterator[FlightSearch]:
    yield FlightsInMemory(clock)


@asynccontextmanager
async def embedded(clock: ManualClock) -> AsyncIterator[FlightSearch]:
    yield make_flight_search(Settings(), clock)


@asynccontextmanager
async def ours_over_stdio(clock: ManualClock) -> AsyncIterator[FlightSearch]:
    yield make_flight_search(Settings(flights_mcp=OURS), clock)


@asynccontextmanager
async def ours_over_http(clock: ManualClock) -> AsyncIterator[FlightSearch]:
    async with over_loopback(make_server(clock)) as url:
        yield make_flight_search(Settings(flights_mcp=url), clock)


@asynccontextmanager
async def duffel_style(clock: ManualClock) -> AsyncIterator[FlightSearch]:
    yield DuffelStandIn(clock).search()


@asynccontextmanager
async def duffel_style_over_http(clock: ManualClock) -> AsyncIterator[FlightSearch]:
    async with over_loopback(DuffelStandIn(clock).server()) as url:
        yield make_flight_search(Settings(flights_mcp=url), clock)


IMPLEMENTATIONS = {
    "in memory": in_memory,
    "our server in this process": embedded,
    "our server over stdio": ours_over_stdio,
    "our server over HTTP": ours_over_http,
    "Duffel-style": duffel_style,
    "Duffel-style over HTTP": duffel_style_over_http,
}
