"""Flights: the port `FlightSearch`, and the two that stand behind it.

    search = make_flight_search(settings, clock)      once a process
    offers = await search.search(query)               [] where there are none; raises ToolError
    ranked = rank(offers, wishes)                     ranking.py: pure
    await search.aclose()

A search is a heavy tool: call it only when the user's own words ask for it. Must not rank, and must not read dates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from domain.ports import Clock
from domain.text import one_line
from domain.travel import FlightQuery, Offer
from domain.values import Json
from infra.settings import PREFIX, Settings, SettingsError
from infra.telemetry import get_logger
from infra.tool_servers import STDIO, Open, in_process, over_http, over_stdio, program_of
from workers.tools.airports import Airports, airports
from workers.tools.errors import ToolError, ToolMissing, ToolTimeout
from workers.tools.flight_adapters import Adapter, adapter_for, answers, read_offers
from workers.tools.mcp_client import RESULT_BYTES_MAX, McpSession
from workers.tools.query import checked
from workers.tools.timetable import offers_for

logger = get_logger("workers.tools.flights")

OFFERS_MAX = 200
CALLS_AT_ONCE_MAX = 4
EMBEDDED = "embedded"


class FlightSearch(Protocol):
    """Offers for a query, each of which answers it, is still to be had, and has an id of its own; the earliest first.

    `search` raises `QueryInvalid` before anything is asked, and any other `ToolError` where nothing came. What came in
    time is given where a part of it did not. At most OFFERS_MAX offers, the cheapest of them.
    """

    async def search(self, query: FlightQuery) -> list[Offer]: ...

    async def check(self) -> str | None:
        """None when flights can be searched, else one line that says what is wrong."""
        ...

    async def aclose(self) -> None: ...


def make_flight_search(settings: Settings, clock: Clock) -> FlightSearch:
    """Who the settings name. Nothing is started or imported before the first search. Raises `SettingsError`."""
    session = McpSession(
        _opener(settings, clock),
        timeout_seconds=settings.flights_timeout_seconds,
        pins={"search_flights": settings.flights_mcp_pin} if settings.flights_mcp_pin else None,
    )
    return McpFlights(session, clock, timeout_seconds=settings.flights_timeout_seconds)


def _opener(settings: Settings, clock: Clock) -> Open:
    target, token = settings.flights_mcp, settings.flights_mcp_token
    if target in ("", EMBEDDED):
        return in_process(lambda: _embedded_server(clock))
    if target.startswith(STDIO):
        try:
            return over_stdio(program_of(target, token), result_bytes_max=RESULT_BYTES_MAX)
        except ValueError as error:
            raise SettingsError(f"{PREFIX}FLIGHTS_MCP: {error}.") from None
    return over_http(target, token, timeout_seconds=settings.flights_timeout_seconds, result_bytes_max=RESULT_BYTES_MAX)


def _embedded_server(clock: Clock) -> object:
    from workers.tools.flights_server import make_server

    return make_server(clock)


class McpFlights:
    """An MCP server that sells flights, asked through the adapter that fits what it lists."""

    def __init__(self, session: McpSession, clock: Clock, *, timeout_seconds: float) -> None:
        self._session = session
        self._clock = clock
        self._timeout_seconds = timeout_seconds

    async def search(self, query: FlightQuery) -> list[Offer]:
        now_ms = self._clock.user_now_ms()
        checked(query, now_ms)
        known = await asyncio.to_thread(airports)
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        adapter = await self._adapter()
        found = await self._read_all(adapter, query, known, now_ms, deadline)
        return cheapest(found)

    async def check(self) -> str | None:
        try:
            await self._adapter()
        except ToolError as error:
            return f"{error.detail} ({error.said})" if error.said else error.detail
        return None

    async def aclose(self) -> None:
        await self._session.aclose()

    async def _adapter(self) -> Adapter:
        """Listed anew at each search, so that a tool which was changed meanwhile is found out before it is called."""
        adapter = adapter_for(await self._session.tools())
        if adapter is None:
            raise ToolMissing("The server that the settings name has no search for flights that I know how to ask.")
        self._session.pin(adapter.tool)
        return adapter

    async def _read_all(
        self, adapter: Adapter, query: FlightQuery, known: Airports, now_ms: int, deadline: float
    ) -> list[Offer]:
        """The offers of all calls that ended in time. Raises the first failure where none did."""
        slots = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

        async def ask(arguments: dict[str, Json]) -> tuple[list[Offer], int]:
            async with slots:
                answer = await self._session.call(adapter.tool, arguments)
            return read_offers(answer, query, known, now_ms)

        tasks = [asyncio.create_task(ask(arguments)) for arguments in adapter.calls(query)]
        try:
            left_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
            done, late = await asyncio.wait(tasks, timeout=left_seconds)
        finally:
            for task in tasks:
                task.cancel()
            # Cancelled calls are told to the server, which takes a moment.
            await asyncio.gather(*tasks, return_exceptions=True)
        failures = [error for task in done if (error := task.exception()) is not None]
        for error in failures:
            if not isinstance(error, ToolError):
                raise error
        read = [task.result() for task in tasks if task in done and task.exception() is None]
        if failures and not read:
            raise failures[0]
        if not read:
            self._session.silent()
            raise ToolTimeout("The search for flights did not answer in time.")
        if failures or late:
            logger.warning("flights.part_missing", tool=adapter.name, count=len(failures) + len(late))
        if refused := sum(count for _, count in read):
            logger.warning("flights.offers_left_out", tool=adapter.name, count=refused)
        return [offer for offers, _ in read for offer in offers]


class FlightsInMemory:
    """The timetable without a server between, for tests and simulations. `failure` is raised where it is set, and
    `searched` keeps what was asked."""

    def __init__(self, clock: Clock, *, find: Callable[[FlightQuery], Iterable[Offer]] | None = None) -> None:
        self._clock = clock
        self._find = find
        self.failure: ToolError | None = None
        self.searched: list[FlightQuery] = []

    async def search(self, query: FlightQuery) -> list[Offer]:
        now_ms = self._clock.user_now_ms()
        self.searched.append(checked(query, now_ms))
        if self.failure is not None:
            raise self.failure
        found = offers_for(query, airports(), now_ms) if self._find is None else self._find(query)
        return cheapest(offer for offer in found if answers(offer, query, now_ms))

    async def check(self) -> str | None:
        return None if self.failure is None else one_line(self.failure.detail)

    async def aclose(self) -> None:
        return None


def cheapest(offers: Iterable[Offer]) -> list[Offer]:
    """One of each id, at most OFFERS_MAX, the earliest first."""
    by_id = {offer.offer_id: offer for offer in reversed(list(offers))}
    kept = sorted(by_id.values(), key=lambda offer: (offer.price.value, offer.offer_id))[:OFFERS_MAX]
    return sorted(kept, key=lambda offer: (offer.departure_at_ms, offer.price.value, offer.offer_id))
