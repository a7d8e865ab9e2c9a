"""A server that nobody here wrote, in another language, and its faults: our client drives `@copilotkit/aimock` as an
MCP server, through a network that cuts and swallows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from domain.travel import FlightQuery
from infra.clock import ManualClock
from infra.tool_servers import over_http
from tests.support.flight_servers import NOW_MS, TIMEOUT_SECONDS
from tests.support.npm import installed
from tests.support.processes import Running
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from workers.tools.errors import ToolAnswerInvalid, ToolError, ToolRefused, ToolTimeout
from workers.tools.flights import McpFlights
from workers.tools.mcp_client import RESULT_BYTES_MAX, McpSession

pytestmark = [pytest.mark.node, pytest.mark.anyio, pytest.mark.timeout(300)]

SOURCE = Path(__file__).with_name("aimock")
SILENCE_SECONDS = 10.0  # is waited for, so not longer than a machine may stand still while an answer is on its way


@pytest.fixture(scope="module")
def aimock(request: pytest.FixtureRequest) -> Iterator[httpx2.URL]:
    folder = installed(request.config, SOURCE)
    running = Running(["node", str(folder / "server.mjs")])
    yield httpx2.URL(running.expect(r"listening (http://\S+)")[1])
    running.close()


@pytest.fixture
async def network(aimock: httpx2.URL) -> AsyncIterator[TcpProxy]:
    async with tcp_proxy(aimock.host, aimock.port or 80) as proxy:
        yield proxy


@pytest.fixture
async def session(network: TcpProxy) -> AsyncIterator[McpSession]:
    session = session_through(network)
    yield session
    await session.aclose()


def session_through(network: TcpProxy, timeout_seconds: float = TIMEOUT_SECONDS) -> McpSession:
    url = f"http://127.0.0.1:{network.port}/"
    open_client = over_http(url, timeout_seconds=timeout_seconds, result_bytes_max=RESULT_BYTES_MAX)
    return McpSession(open_client, timeout_seconds=timeout_seconds)


def searching(session: McpSession, timeout_seconds: float = TIMEOUT_SECONDS) -> McpFlights:
    return McpFlights(session, ManualClock(NOW_MS), timeout_seconds=timeout_seconds)


def from_(*origins: str) -> FlightQuery:
    return FlightQuery(
        origins=origins, destinations=("BOS",), departure_from="2026-06-08", departure_until="2026-06-08"
    )


async def found(session: McpSession, *origins: str) -> list[str]:
    return [offer.offer_id for offer in await searching(session).search(from_(*origins))]


async def test_its_offers_are_found(session: McpSession) -> None:
    [offer] = await searching(session).search(from_("JFK"))
    assert (offer.offer_id, offer.airline, offer.price.amount) == ("off_JFK_2026-06-08", "Aimock Air", "123.45")
    assert await searching(session).check() is None
    assert await found(session, "BDL") == ["off_BDL_2026-06-08"]


@pytest.mark.parametrize(
    ("origin", "error"),
    [("LGA", ToolRefused), ("SWF", ToolAnswerInvalid), ("ISP", ToolAnswerInvalid), ("HPN", ToolError)],
    ids=["an error", "prose", "cut JSON", "too large"],
)
async def test_each_of_its_faults_is_an_error_of_its_kind_and_leaves_the_session_of_use(
    session: McpSession, origin: str, error: type[ToolError]
) -> None:
    with pytest.raises(error):
        await found(session, origin)
    assert await found(session, "JFK") == ["off_JFK_2026-06-08"]


async def test_a_fault_on_one_route_leaves_the_others_offers(session: McpSession) -> None:
    assert await found(session, "JFK", "LGA", "SWF") == ["off_JFK_2026-06-08"]


async def test_silence_is_a_time_out_and_what_came_before_it_is_given(network: TcpProxy) -> None:
    session = session_through(network, SILENCE_SECONDS)
    with pytest.raises(ToolTimeout):
        await searching(session, SILENCE_SECONDS).search(from_("EWR"))
    [offer] = await searching(session, SILENCE_SECONDS).search(from_("JFK", "EWR"))
    assert offer.origin == "JFK"
    await session.aclose()


async def test_a_server_that_lost_our_session_is_asked_in_a_new_one(session: McpSession) -> None:
    tools = await session.tools()
    assert await session.call(tools["forget"], {}) is True
    assert await found(session, "JFK") == ["off_JFK_2026-06-08"]


async def test_a_connection_that_is_cut_is_made_again(network: TcpProxy, session: McpSession) -> None:
    tool = (await session.tools())["search_flights"]
    params = {"origin": "JFK", "destination": "BOS", "departure_date": "2026-06-08"}
    for byte_count in (0, 10, 120):
        network.cut_after(byte_count, "down")
        answer = await session.call(tool, {"params": params})
        assert answer["request_id"] == "orq_1"
    network.cut()
    assert await session.tools()
    assert network.connections > 3


async def test_a_network_that_swallows_is_a_time_out_until_it_is_back(network: TcpProxy) -> None:
    session = session_through(network, SILENCE_SECONDS)
    assert await session.tools()
    network.swallow("down")
    with pytest.raises(ToolTimeout):
        await session.tools()
    network.swallow()
    network.cut()
    assert await session.tools()
    await session.aclose()
