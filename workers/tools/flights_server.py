"""Our own MCP server for flights, over the made-up timetable: the default, in this process, and a program by itself.

    python -m workers.tools.flights_server      speaks MCP on stdin and stdout

The lowest layer of `mcp` is used, since the one above it takes over the process's logging. Must not know who asks.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import anyio
import msgspec
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

from domain.ports import Clock
from domain.travel import FlightQuery, Leg, Offer
from infra.clock import system_clock
from infra.settings import Settings
from workers.tools.airports import airports
from workers.tools.errors import QueryInvalid
from workers.tools.query import checked
from workers.tools.timetable import offers_for

NAME = "microcos-flights"
VERSION = "1"
TOOL = "search_flights"

Context = ServerRequestContext[Any]

_CODES = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "minItems": 1,
    "description": "IATA codes of airports; any of them will do.",
}
_DAY = {"type": "string", "format": "date", "description": "A local day, YYYY-MM-DD."}
_INPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "origins": _CODES,
        "destinations": _CODES,
        "departure_from": _DAY,
        "departure_until": _DAY,
        "return_on": {**_DAY, "description": "The local day of the way back; left out for one way."},
        "passengers": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How many fly."},
        "cabin": {
            "type": "string",
            "enum": ["economy", "premium_economy", "business", "first"],
            "description": "Class of travel.",
        },
        "stops_max": {"type": "integer", "minimum": 0, "description": "Most changes of plane on each way."},
    },
    "required": ["origins", "destinations", "departure_from", "departure_until"],
    "additionalProperties": False,
}
_SEARCH = Tool(
    name=TOOL,
    description="Flights of a made-up timetable for demonstration, any airport to any other. Nothing can be booked.",
    input_schema=_INPUT_SCHEMA,
    output_schema={
        "type": "object",
        "properties": {"offers": {"type": "array", "items": {"type": "object"}}},
        "required": ["offers"],
    },
)


def make_server(clock: Clock) -> Server[Any]:
    """A server that quotes at the clock's user time."""

    async def list_tools(
        _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=[_SEARCH])

    async def call_tool(_context: Context, params: CallToolRequestParams) -> CallToolResult:
        if params.name != TOOL:
            return _refusal(f"There is no tool {params.name}.")
        now_ms = clock.user_now_ms()
        try:
            query = checked(msgspec.convert(params.arguments or {}, FlightQuery), now_ms)
        except (msgspec.ValidationError, QueryInvalid) as error:
            return _refusal(str(error))
        # The first look at the table of airports reads a file, and a month of many airports takes 0.2 s.
        offers = await anyio.to_thread.run_sync(lambda: offers_for(query, airports(), now_ms))
        answer = {"offers": [shown(offer) for offer in offers]}
        text = msgspec.json.encode(answer).decode()
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=answer)

    return Server(NAME, version=VERSION, on_list_tools=list_tools, on_call_tool=call_tool)


def _refusal(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def shown(offer: Offer) -> dict[str, Any]:
    """In the shape that Duffel-style servers answer in, so that one reader does for all."""
    expires = datetime.fromtimestamp(offer.expires_at_ms // 1000, UTC)
    return {
        "offer_id": offer.offer_id,
        "price": dataclasses.asdict(offer.price),
        "cabin_class": offer.cabin,
        "expires_at": expires.isoformat().replace("+00:00", "Z"),
        "slices": [_slice(leg, offer.airline) for leg in offer.legs],
    }


def _slice(leg: Leg, carrier: str) -> dict[str, Any]:
    hours, minutes = divmod(leg.duration_minutes, 60)
    return {
        "carrier": carrier,
        "flight_numbers": list(leg.flight_numbers),
        "origin": leg.origin,
        "destination": leg.destination,
        "departure": f"{leg.departure}:00",
        "arrival": f"{leg.arrival}:00",
        "duration": f"PT{hours}H{minutes}M",
        "stops": leg.stops,
    }


async def serve() -> None:
    """On stdin and stdout, until stdin ends."""
    server = make_server(system_clock(Settings.from_environment()))
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(serve)
