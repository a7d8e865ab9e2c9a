"""A machine's clock that was ahead for a while: event times do not go back, and what is due goes by the real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from commands.context import Limits
from commands.decide import Command
from commands.handle import CommandHandler, Outcome
from commands.messages import PostMessage
from commands.states import States
from commands.tasks import CreateTask
from domain.errors import TooMany
from domain.events import TaskCreated
from domain.values import Task
from infra.clock import ManualClock
from infra.ids import new_id
from infra.keys.keyring import Keyring
from infra.memory import MemoryDatabase, MemoryEventLog, MemoryKeyStore

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
AHEAD_SECONDS = 3 * 86_400.0


class User:
    """Whose every command comes at the test's time."""

    def __init__(self, limits: Limits) -> None:
        self.clock = ManualClock(round(NOON.timestamp() * 1000))
        database = MemoryDatabase(self.clock.monotonic)
        log = MemoryEventLog(database)
        self._keyring = Keyring(MemoryKeyStore(database), bytes(32), monotonic=self.clock.monotonic)
        states = States(log, self._keyring)
        self._handler = CommandHandler(log, self._keyring, states, self.clock, new_id, limits)

    async def do(self, command: Command) -> Outcome:
        user_id = await self._keyring.ensure_user("issuer", "sub")
        outcome = (await self._handler.handle(user_id, command)).outcome
        assert outcome is not None
        return outcome

    async def task(self, due: datetime) -> Outcome:
        return await self.do(CreateTask(task=Task(title="t", due=due.strftime("%Y-%m-%dT%H:%M"))))

    async def say(self) -> Outcome:
        return await self.do(PostMessage(channel="chat", text="Hello", conversation_id=None, conversation_ref="c_1"))


async def test_what_is_due_tomorrow_is_reminded_of_after_a_clock_was_days_ahead() -> None:
    user = User(Limits())
    user.clock.step_wall(AHEAD_SECONDS)
    ahead = await user.task(NOON + timedelta(days=9))
    user.clock.step_wall(-AHEAD_SECONDS)
    back = await user.task(NOON + timedelta(days=1))
    (fact,) = back.facts
    assert isinstance(fact.event, TaskCreated)
    assert fact.meta.at_ms == ahead.facts[0].meta.at_ms
    assert fact.event.remind_at_ms == round((NOON + timedelta(days=1)).timestamp() * 1000)


async def test_who_spoke_while_a_clock_was_days_ahead_may_speak_on_when_it_is_right_again() -> None:
    per_minute = 3
    user = User(Limits(messages_per_minute=per_minute))
    user.clock.step_wall(AHEAD_SECONDS)
    await user.say()
    user.clock.step_wall(-AHEAD_SECONDS)
    for _ in range(2 * per_minute):
        user.clock.advance(60.0)
        await user.say()


@pytest.mark.parametrize("ahead_seconds", [0.0, 5.0])
async def test_a_clock_that_was_hardly_ahead_lets_nobody_say_more(ahead_seconds: float) -> None:
    user = User(Limits(messages_per_minute=1))
    user.clock.step_wall(ahead_seconds)
    await user.say()
    user.clock.step_wall(-ahead_seconds)
    with pytest.raises(TooMany):
        await user.say()
