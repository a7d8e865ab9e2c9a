"""A stand-in of Google's calendar over MCP: lists what it was given within the window asked for, 250 at once, as the
real server does, which says neither that there are more nor where to go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

from infra.calendar_mcp import EVENTS_AT_ONCE, McpCalendar
from infra.tool_servers import in_process


def event(uid: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    """As the server gives it; `start` and `end` are days, or times with an offset."""
    kind = "dateTime" if "T" in start else "date"
    told = {"status": "confirmed", "htmlLink": "https://example.com", "calendarId": "primary", "startDayOfWeek": "x"}
    zone = {"timeZone": "Europe/Berlin"} if kind == "dateTime" else {}
    return {"id": uid, "summary": uid, "start": {kind: start, **zone}, "end": {kind: end, **zone}, **told, **more}


def at_ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1000


@dataclass
class GoogleStandIn:
    """`answer`, where set, takes the place of all else; `more` is added to each answer."""

    events: list[Any] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    answer: Callable[[], CallToolResult] | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)

    def calendar(self, **options: Any) -> McpCalendar:
        return McpCalendar(in_process(self.server), **options)

    def server(self) -> Server[Any]:
        async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
            return ListToolsResult(tools=[Tool(name="list-events", input_schema={"type": "object"})])

        async def call_tool(_context: Any, params: Any) -> CallToolResult:
            assert params.name == "list-events"
            self.calls.append(params.arguments)
            return self.answer() if self.answer else text_result(json.dumps(self.listed(params.arguments)))

        return Server("stand-in", version="1", on_list_tools=list_tools, on_call_tool=call_tool)

    def listed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        begins, ends = at_ms(arguments["timeMin"]), at_ms(arguments["timeMax"])
        found = [one for one in self.events if self._is_within(one, begins, ends)][:EVENTS_AT_ONCE]
        return {"events": found, "totalCount": len(found), **self.more}

    @staticmethod
    def _is_within(one: Any, begins: int, ends: int) -> bool:
        """What has no times that anybody could read is listed in any window."""
        try:
            start, end = [one[side].get("dateTime") or one[side].get("date") for side in ("start", "end")]
            return at_ms(start) < ends and at_ms(end) > begins
        except (TypeError, KeyError):
            return True


def text_result(text: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error)
