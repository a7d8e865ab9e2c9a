"""`microcos relay` as processes: what an operator starts, stops and loses."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
import pytest
from nats.js.errors import NotFoundError

from infra.clock import SystemClock
from infra.event_log.store import open_event_log
from infra.settings import Settings
from tests.support.facts import append_sessions
from tests.support.nats_process import nats_process
from tests.support.processes import Running
from tests.support.waiting import until_true

pytestmark = pytest.mark.anyio

USER = "17/two"


@contextmanager
def relay_process(settings: Settings) -> Iterator[Running]:
    relay = Running([sys.executable, "-m", "cli.main", "relay"], environment=settings.as_environment())
    try:
        yield relay
    finally:
        relay.close()


async def append(settings: Settings, after: int, count: int) -> int:
    async with open_event_log(settings) as log:
        return await append_sessions(log, USER, after, count, at_ms=SystemClock().now_ms())


async def user_versions(url: str, count: int) -> list[int]:
    """Of the messages in the stream, in order, once there are so many."""
    client = await nats.connect(url)
    try:
        stream = client.jetstream()

        async def are_there() -> bool:
            try:
                return (await stream.stream_info("EVT")).state.messages >= count
            except NotFoundError:
                return False

        await until_true(are_there)
        messages = [await stream.get_msg("EVT", seq) for seq in range(1, count + 1)]
        return [int((message.headers or {})["ce-userversion"]) for message in messages]
    finally:
        await client.close()


async def test_it_publishes_until_it_is_told_to_stop(settings: Settings) -> None:
    await append(settings, 0, 5)
    with relay_process(settings) as relay:
        relay.expect("ready relay")
        assert await user_versions(settings.nats_url, 5) == [1, 2, 3, 4, 5]
        relay.signal(signal.SIGTERM)
        assert relay.wait() == 0
    assert [line for line in relay.lines if not line.startswith("{")] == ["ready relay"]


async def test_another_one_takes_over_from_a_killed_leader(settings: Settings) -> None:
    with relay_process(settings) as leader:
        leader.expect("relay.leads")
        with relay_process(settings) as standby:
            standby.expect("ready relay")
            await append(settings, 0, 5)
            assert await user_versions(settings.nats_url, 5) == [1, 2, 3, 4, 5]
            leader.signal(signal.SIGKILL)
            await append(settings, 5, 5)
            assert await user_versions(settings.nats_url, 10) == list(range(1, 11))
            standby.expect("relay.leads")


async def test_a_leader_that_was_frozen_past_its_lease_doubles_nothing(settings: Settings) -> None:
    with relay_process(settings) as leader:
        leader.expect("relay.leads")
        with relay_process(settings) as standby:
            standby.expect("ready relay")
            await append(settings, 0, 5)
            assert await user_versions(settings.nats_url, 5) == [1, 2, 3, 4, 5]
            leader.signal(signal.SIGSTOP)
            await append(settings, 5, 200)
            assert await user_versions(settings.nats_url, 205) == list(range(1, 206))
            leader.signal(signal.SIGCONT)
            leader.expect("relay.stands_by")
            await append(settings, 205, 5)
            assert await user_versions(settings.nats_url, 210) == list(range(1, 211))


async def test_another_one_takes_over_at_once_from_a_leader_that_was_stopped(settings: Settings) -> None:
    with relay_process(settings) as leader:
        leader.expect("relay.leads")
        with relay_process(settings) as standby:
            standby.expect("ready relay")
            leader.signal(signal.SIGTERM)
            assert leader.wait() == 0
            standby.expect("relay.leads")


async def test_it_is_ready_and_stops_while_nats_is_away(settings: Settings, tmp_path: Path) -> None:
    with nats_process(tmp_path / "away") as server:
        url = server.url
    with relay_process(Settings(database_url=settings.database_url, nats_url=url)) as relay:
        relay.expect("ready relay")
        relay.signal(signal.SIGTERM)
        assert relay.wait() == 0
