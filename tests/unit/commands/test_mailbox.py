"""One user's commands, one after the other, while the store does not answer: all hear of it when the first one does."""

from __future__ import annotations

import asyncio

import pytest

from commands.context import Limits
from commands.handle import CommandHandler, Handled
from commands.states import States
from commands.tasks import CreateTask
from domain.errors import Unavailable
from domain.ports import Append, Verdict
from domain.values import Task
from infra.clock import ManualClock
from infra.ids import new_id
from infra.keys.keyring import Keyring
from infra.memory import MemoryDatabase, MemoryEventLog, MemoryKeyStore

pytestmark = pytest.mark.anyio

WAITING = 5


class FrozenLog(MemoryEventLog):
    """Appends get no answer until somebody has found out that the store is away."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.asked = 0
        self.found_out = asyncio.Event()
        self.is_away = True

    async def append(self, append: Append) -> Verdict:
        self.asked += 1
        if not self.is_away:
            return await super().append(append)
        await self.found_out.wait()
        raise Unavailable("away")


class User:
    def __init__(self) -> None:
        clock = ManualClock()
        database = MemoryDatabase(clock.monotonic)
        self.log = FrozenLog(database)
        self._keyring = Keyring(MemoryKeyStore(database), bytes(32), monotonic=clock.monotonic)
        self._handler = CommandHandler(
            self.log, self._keyring, States(self.log, self._keyring), clock, new_id, Limits()
        )

    async def create_task(self) -> Handled:
        user_id = await self._keyring.ensure_user("issuer", "sub")
        return await self._handler.handle(user_id, CreateTask(task=Task(title="t")))


async def until_all_wait() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_waited_behind_a_command_that_finds_the_store_away_hears_so_with_it() -> None:
    user = User()
    commands = [asyncio.ensure_future(user.create_task()) for _ in range(WAITING)]
    await until_all_wait()
    user.log.found_out.set()
    heard = await asyncio.gather(*commands, return_exceptions=True)
    assert [type(one) for one in heard] == [Unavailable] * WAITING
    assert user.log.asked == 1


async def test_who_comes_once_the_store_was_found_away_asks_for_themselves() -> None:
    user = User()
    waiting = [asyncio.ensure_future(user.create_task()) for _ in range(WAITING)]
    await until_all_wait()
    later: list[asyncio.Future[Handled]] = []

    def come_back(_: object) -> None:
        user.log.is_away = False
        later.append(asyncio.ensure_future(user.create_task()))  # while the others still hear of it

    waiting[0].add_done_callback(come_back)
    user.log.found_out.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await later[0]).version == 1
