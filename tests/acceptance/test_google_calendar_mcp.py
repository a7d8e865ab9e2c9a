"""A server that nobody here wrote: `@cocal/google-calendar-mcp` starts without an account, lists the tool that we call,
takes our arguments, and says no more than that it has no account.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.foreign_calendar import CalendarAway
from infra.calendar_mcp import RESULT_BYTES_MAX, TOOL, arguments_for, calendar_of
from infra.tool_servers import over_stdio, program_of
from tests.support.npm import installed
from tests.support.processes import none_left_with

pytestmark = [pytest.mark.node, pytest.mark.anyio, pytest.mark.timeout(300)]

WEEK_MS = 604_800_000
SOURCE = Path(__file__).with_name("google_calendar_mcp")
CREDENTIALS = {
    "installed": {"client_id": "x.apps.example.com", "client_secret": "x", "redirect_uris": ["http://localhost:3000"]}
}


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    folder = installed(request.config, SOURCE)
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps(CREDENTIALS))
    program = folder / "node_modules" / "@cocal" / "google-calendar-mcp" / "build" / "index.js"
    return (
        f"stdio:GOOGLE_OAUTH_CREDENTIALS={credentials} GOOGLE_CALENDAR_MCP_TOKEN_PATH={tmp_path / 'tokens.json'}"
        f" node {program}"
    )


async def test_the_server_lists_our_tool_with_the_arguments_that_we_send(target: str) -> None:
    async with over_stdio(program_of(target), result_bytes_max=RESULT_BYTES_MAX)() as session:
        listed = {tool.name: tool for tool in (await session.list_tools()).tools}
        taken, refused = [
            (await session.call_tool(TOOL, arguments)).content[0].text  # type: ignore[union-attr]
            for arguments in (arguments_for(WEEK_MS, 2 * WEEK_MS), {"calendarId": "primary", "timeMin": "soon"})
        ]
    schema = listed[TOOL].input_schema
    assert set(arguments_for(0, 1)) <= set(schema["properties"])
    assert set(schema.get("required", ())) <= set(arguments_for(0, 1))
    assert ("-32602" in refused, "-32602" in taken) == (True, False), "it judges arguments before it needs an account"


async def test_without_an_account_the_calendar_is_away_and_no_program_is_left(target: str, tmp_path: Path) -> None:
    with pytest.raises(CalendarAway) as away:
        await calendar_of(target).events(1_763_546_400_000, 1_763_632_800_000)
    assert away.value.code == "refused"
    assert none_left_with(str(tmp_path))
