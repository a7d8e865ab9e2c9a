"""A candidate works while it leads, and only then, whatever becomes of its lease, of the store and of its work."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import Gauge

from domain.errors import Unavailable
from infra.clock import ManualClock
from infra.leadership import Candidate
from infra.leases import Leaders
from infra.memory import MemoryDatabase, MemoryLeaders
from infra.settings import Settings
from tests.support.waiting import until

ROLE = "work"
SETTINGS = Settings(leader_renew_seconds=0.05, leader_lease_seconds=0.2)


class Runner:
    """A candidate and what was heard of it, in order."""

    def __init__(self, leaders: Leaders) -> None:
        self.heard: list[str] = []
        self.failure = asyncio.get_running_loop().create_future()
        self.leads = Gauge("leads", "", registry=None)
        candidate = Candidate(leaders, ROLE, SETTINGS, leads=self.leads)
        self.task = asyncio.create_task(
            candidate.run(
                self._lead,
                stand_by=lambda: self.heard.append("stands by"),
                ready=lambda: self.heard.append("ready"),
            )
        )

    async def _lead(self, epoch: int) -> None:
        self.heard.append(f"leads {epoch}")
        try:
            await asyncio.shield(self.failure)
        except asyncio.CancelledError:
            self.heard.append("ended")
            raise

    async def until_heard(self, *heard: str) -> None:
        await until(lambda: self.heard[-len(heard) :] == list(heard))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def is_leading(self) -> bool:
        return bool(self.leads._value.get())


class Unsteady:
    """Leaders of a store that can be away, or do what it must not."""

    def __init__(self, leaders: Leaders) -> None:
        self._leaders = leaders
        self.failure: Exception | None = None
        self.asked = 0

    async def acquire(self, role: str, lease_seconds: float) -> int | None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return await self._leaders.acquire(role, lease_seconds)

    async def resign(self, role: str) -> None:
        if self.failure is not None:
            raise self.failure
        await self._leaders.resign(role)


@pytest.fixture
def database() -> MemoryDatabase:
    """Its time stands still, so that no lease runs out by itself."""
    return MemoryDatabase(ManualClock().monotonic)


async def test_it_is_ready_and_works_while_it_leads(database: MemoryDatabase) -> None:
    runner = Runner(MemoryLeaders(database, "one"))
    await runner.until_heard("ready", "leads 1")
    assert runner.is_leading
    await runner.stop()
    assert runner.heard == ["ready", "leads 1", "ended"]
    assert not runner.is_leading


async def test_one_that_stands_by_takes_over_from_one_that_was_stopped(database: MemoryDatabase) -> None:
    first = Runner(MemoryLeaders(database, "first"))
    await first.until_heard("leads 1")
    second = Runner(MemoryLeaders(database, "second"))
    await second.until_heard("ready")
    await first.stop()
    await second.until_heard("ready", "leads 2")
    await second.stop()


async def test_its_work_is_over_before_it_stands_by_for_another(database: MemoryDatabase) -> None:
    runner = Runner(MemoryLeaders(database, "one"))
    await runner.until_heard("leads 1")
    database.leaders[ROLE] = ("another", 2, 1.0)
    await runner.until_heard("leads 1", "ended", "stands by")
    assert not runner.is_leading
    assert database.leaders[ROLE] == ("another", 2, 1.0)
    database.leaders[ROLE] = ("another", 2, 0.0)
    await runner.until_heard("stands by", "leads 3")
    await runner.stop()


async def test_it_begins_anew_when_another_has_led_between_two_renewals(database: MemoryDatabase) -> None:
    runner = Runner(MemoryLeaders(database, "one"))
    await runner.until_heard("leads 1")
    database.leaders[ROLE] = ("another", 2, 0.0)
    await runner.until_heard("leads 1", "ended", "stands by", "leads 3")
    await runner.stop()


@pytest.mark.parametrize("failure", [Unavailable("away"), OSError()])
async def test_it_goes_on_while_nobody_can_tell_who_leads(database: MemoryDatabase, failure: Exception) -> None:
    leaders = Unsteady(MemoryLeaders(database, "one"))
    leaders.failure = failure
    runner = Runner(leaders)
    await until(lambda: leaders.asked > 1)
    assert runner.heard == []
    leaders.failure = None
    await runner.until_heard("ready", "leads 1")
    leaders.failure = failure
    asked = leaders.asked
    await until(lambda: leaders.asked > asked + 2)
    assert runner.heard == ["ready", "leads 1"]
    await runner.stop()
    assert runner.task.cancelled()


async def test_a_mistake_in_its_work_ends_it_and_gives_the_role_away(database: MemoryDatabase) -> None:
    runner = Runner(MemoryLeaders(database, "one"))
    await runner.until_heard("leads 1")
    runner.failure.set_exception(KeyError())
    with pytest.raises(KeyError):
        await runner.task
    assert not runner.is_leading
    assert await MemoryLeaders(database, "another").acquire(ROLE, 1.0) == 2


async def test_a_mistake_in_the_election_ends_its_work(database: MemoryDatabase) -> None:
    leaders = Unsteady(MemoryLeaders(database, "one"))
    runner = Runner(leaders)
    await runner.until_heard("leads 1")
    leaders.failure = KeyError()
    with pytest.raises(KeyError):
        await runner.task
    assert runner.heard[-1] == "ended"
