"""Programs that speak MCP and mean harm: what they cost has an end, and so have they."""

from __future__ import annotations

import json
import sys

import pytest

from infra.ids import new_id
from infra.tool_servers import Open, Program, over_stdio
from tests.support import hostile_server
from tests.support.flight_servers import session_with
from tests.support.processes import none_left_with, processes_with
from workers.tools.errors import ToolUnavailable
from workers.tools.mcp_client import RESULT_BYTES_MAX

pytestmark = pytest.mark.anyio


@pytest.fixture
def marker() -> str:
    return f"marker-{new_id()}"


def hostile(way: str, marker: str) -> Open:
    program = Program(arguments=(sys.executable, hostile_server.__file__, way, marker))
    return over_stdio(program, result_bytes_max=RESULT_BYTES_MAX)


async def test_the_hostile_server_answers_where_it_does_no_harm(marker: str) -> None:
    session = session_with(hostile("none", marker))
    tool = (await session.tools())["search_flights"]
    assert await session.call(tool, {}) == {"offers": []}
    await session.aclose()


@pytest.mark.parametrize("way", ["a line without an end", "noise", "questions", "notices", "half an answer"])
async def test_a_program_that_says_too_much_is_given_up_and_not_waited_for(
    way: str, marker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session = session_with(hostile(way, marker))
    tool = (await session.tools())["search_flights"]
    with pytest.raises(ToolUnavailable):
        await session.call(tool, {})
    await session.aclose()
    assert none_left_with(marker)
    told = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert len(told) < 20


async def test_a_list_of_tools_without_measure_is_not_even_read(marker: str) -> None:
    session = session_with(hostile("tools", marker))
    with pytest.raises(ToolUnavailable):
        await session.tools()
    await session.aclose()


async def test_what_a_program_has_forked_ends_with_it(marker: str) -> None:
    session = session_with(hostile("a child", marker))
    tool = (await session.tools())["search_flights"]
    assert await session.call(tool, {}) == {"offers": []}
    assert len(processes_with(marker)) == 2
    await session.aclose()
    assert none_left_with(marker)
