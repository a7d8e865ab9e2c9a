"""What comes due: reminders and standing wishes, found in a view by the users' clock and fired by commands.

Knows no rule about them: whether one fires, and that it fires once, is decided by its command, so any number of these
may run, be killed and begin again. Calls no model and no tool.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast, get_args

from commands.conversations import MAIN_CONVERSATION_ID
from commands.handle import CommandHandler, Request
from commands.reminders import FireReminder
from commands.wishes import FireWish
from domain.errors import DomainError, Gone, NotFound
from domain.ports import Clock
from domain.values import Wish
from infra.ids import jitter
from infra.keys.keyring import Keyring
from infra.queries import Queries
from infra.telemetry import counter, get_logger, hashed
from projections.due_queries import Due, fetch_due

PAGE = 32  # fired at once; no more than a process should have under way beside its replies

# The view has not come as far as the stream, or its user is gone: nothing is left to be done.
OVER = frozenset({"reminder_over", "wish_over"})

logger = get_logger("workers.schedule")
FIRED = counter("microcos_schedule_fired", "Reminders and standing wishes that came due, by kind.", labels=("kind",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    queries: Queries
    keyring: Keyring
    handler: CommandHandler
    clock: Clock
    poll_seconds: float
    # What needs no command any more although the view, which lags, still shows it.
    _settled: set[Due] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except DomainError as error:
                logger.warning("schedule.look_failed", code=error.code)
            except Exception:
                logger.exception("schedule.look_failed")
            # Workers that started together shall not look together.
            await asyncio.sleep(jitter(self.poll_seconds))

    async def look(self) -> int:
        """Fire all that is due now, page by page; how many did. Raises `Unavailable` when the view cannot be read."""
        now_ms, fired, seen = self.clock.user_now_ms(), 0, set[Due]()
        after: Due | None = None
        while True:
            page = await fetch_due(self.queries, now_ms=now_ms, after=after, limit=PAGE)
            fired += sum(await asyncio.gather(*(self._fire(due) for due in page if due not in self._settled)))
            seen.update(page)
            if len(page) < PAGE:
                break
            after = page[-1]
        self._settled.intersection_update(seen)
        return fired

    async def _fire(self, due: Due) -> bool:
        """Whether this call made it fire. What fails is looked at again with the next look."""
        try:
            keys = await self.keyring.load(due.user_id)
            command = _command(due, keys.ref("conversation", MAIN_CONVERSATION_ID))
            # No client can send a key with this first character.
            request = Request(key=f"\0schedule:{due.kind}/{due.id}/{due.at_ms}", origin="schedule")
            handled = await self.handler.handle(due.user_id, command, request)
        except DomainError as error:
            if error.code in OVER or isinstance(error, Gone | NotFound):
                self._settled.add(due)
            else:
                logger.warning("schedule.not_fired", user=hashed(due.user_id), kind=due.kind, code=error.code)
            return False
        except Exception:
            # One that cannot be fired must not keep the others from firing.
            logger.exception("schedule.not_fired", user=hashed(due.user_id), kind=due.kind)
            return False
        self._settled.add(due)
        if handled.outcome is None:
            return False
        FIRED.labels(due.kind).inc()
        return True


def _command(due: Due, conversation_ref: str) -> FireReminder | FireWish:
    match due.kind:
        case "reminder":
            return FireReminder(task_id=due.id, due_at_ms=due.at_ms, conversation_ref=conversation_ref)
        case "wish":
            assert due.id in get_args(Wish), f"nobody knows how to meet the wish {due.id}"
            return FireWish(wish=cast(Wish, due.id), at_ms=due.at_ms, conversation_ref=conversation_ref)
