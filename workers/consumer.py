"""Which replies this worker writes: woken by hints and by a look at the `work` rows each second, bounded in number,
their leases renewed together.

A hint is a wake-up and nothing else; whether a reply can be had is found out by claiming it. Whoever died is found
by the look at the rows, so that each reply ends within a bounded time. Owns no rule about a reply's content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from domain.brain import Brain
from domain.errors import DomainError, Unavailable
from domain.events import (
    Fact,
    ReplyCompleted,
    ReplyFailed,
    ReplyStarted,
    ReplyStopped,
    ReplyStopRequested,
)
from domain.ports import Subscription, Work, WorkQueue
from infra.ids import jitter
from infra.telemetry import gauge, get_logger, hashed
from workers.desk import Desk
from workers.reply import ReplyTurn

logger = get_logger("workers.consumer")

UNUSED_ROWS = 8  # that a look may find beside those it can take
LET_GO_SECONDS = 0.5  # for replies that are told to let go, before they are cut off

ABOUT_A_REPLY = (ReplyStarted, ReplyStopRequested, ReplyCompleted, ReplyFailed, ReplyStopped)
RUNNING = gauge("microcos_worker_running", "Users whose replies this worker writes.")


@dataclass(slots=True)
class _Serving:
    """One user whose replies are being written, one after another. `again`: somebody said that there is more."""

    task: asyncio.Task[None] | None = None
    turn: ReplyTurn | None = None
    again: bool = False


class Consumer:
    """It is a feed listener too (`wants`, `receive`): that is how stops reach running replies."""

    def __init__(self, desk: Desk, work: WorkQueue) -> None:
        self.desk = desk
        self._work = work
        self._settings = desk.settings
        self._serving: dict[str, _Serving] = {}
        self._hints: Subscription | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._is_draining = False
        self._is_full = False  # a hint was turned away for lack of a place
        self._look = asyncio.Event()

    @property
    def running(self) -> int:
        return len(self._serving)

    async def start(self) -> None:
        """Begin to claim. Returns once hints are subscribed to."""
        limit = self._settings.worker_concurrency
        self._hints = await self.desk.bus.subscribe_hints(self.take_hint, concurrency=limit)
        self._loops = [
            asyncio.create_task(self._renew_for_ever(), name="renew"),
            asyncio.create_task(self._look_for_ever(), name="look"),
            asyncio.create_task(self._save_for_ever(), name="segments"),
        ]

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, let running replies go on, and within `seconds` hand those that last to other workers."""
        self._is_draining = True
        if self._hints is not None:
            await self._hints.unsubscribe()
        await self._ended_within(max(0.0, seconds - LET_GO_SECONDS))
        left = list(self._serving)
        for serving in self._serving.values():
            if serving.turn is not None:
                serving.turn.lose()
        await self._ended_within(LET_GO_SECONDS)
        for task in (*self._loops, *self.tasks()):
            task.cancel()
        await asyncio.gather(*self._loops, *self.tasks(), return_exceptions=True)
        if left:
            logger.info("worker.released", replies=len(left))
            with suppress(Unavailable, OSError):
                await self._work.release_dead([self.desk.owner])
            for user_id in left:
                self.desk.bus.hint(user_id)

    async def _ended_within(self, seconds: float) -> None:
        tasks = self.tasks()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    def tasks(self) -> list[asyncio.Task[None]]:
        """One a user whose replies are being written."""
        return [serving.task for serving in self._serving.values() if serving.task is not None]

    # --- wake-ups ---------------------------------------------------------------------------------------------

    async def take_hint(self, user_id: str) -> bool:
        """Whether it is taken care of; False: it is for another worker, or for later."""
        serving = self._serving.get(user_id)
        if serving is not None:
            serving.again = True
            return True
        if self._is_draining:
            return False
        if self.running >= self._settings.worker_concurrency:
            self._is_full = True
            return False
        self._serve(user_id, None)
        return True

    async def look(self) -> None:
        """Take what waits, and what dead workers left, as far as there are places."""
        free = self._settings.worker_concurrency - self.running
        if free <= 0 or self._is_draining:
            return
        for work in await self._work.claimable(limit=free + UNUSED_ROWS):
            # Our own rows can be among them, where renewing failed for a while.
            if work.user_id not in self._serving and self.running < self._settings.worker_concurrency:
                self._serve(work.user_id, work)

    async def _look_for_ever(self) -> None:
        while True:
            await self._survive(self.look)
            with suppress(TimeoutError):
                # Workers that started together shall not look together.
                async with asyncio.timeout(jitter(self._settings.work_poll_seconds)):
                    await self._look.wait()
            self._look.clear()

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_renew_seconds)
            await self._survive(self.renew)

    async def _save_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.desk.tokens.segment_seconds)
            await self._survive(self.desk.tokens.write_segments)

    async def _survive(self, step: Callable[[], Awaitable[None]]) -> None:
        """A loop that ends takes all running replies with it: it goes on whatever a step meets."""
        try:
            await step()
        except (Unavailable, OSError) as error:
            logger.warning("worker.store_away", reason=type(error).__name__)
        except Exception:
            logger.exception("worker.step_failed")

    # --- one user ---------------------------------------------------------------------------------------------

    def _serve(self, user_id: str, over: Work | None) -> None:
        serving = self._serving[user_id] = _Serving()
        serving.task = asyncio.create_task(self._serve_safely(user_id, serving, over), name="reply")
        RUNNING.set(self.running)

    async def _serve_safely(self, user_id: str, serving: _Serving, over: Work | None) -> None:
        try:
            await self._serve_user(user_id, serving, over)
        except DomainError as error:
            # The row is still there: it is looked at again in a second.
            logger.warning("worker.user_left", user=hashed(user_id), code=error.code)
        except Exception:
            logger.exception("worker.user_failed", user=hashed(user_id))
        finally:
            del self._serving[user_id]
            RUNNING.set(self.running)
            if self._is_full:
                self._is_full = False
                self._look.set()

    async def _serve_user(self, user_id: str, serving: _Serving, over: Work | None) -> None:
        """One reply after another, until none waits. `over`: whose lease has ended, or was never taken.

        Between the last look and the return nothing is awaited: who says `again` is heard, or finds the place free.
        """
        states = self.desk.handler.states
        brain = await states.load(user_id)
        is_fresh = over is not None and not _is_about(over, brain)
        if is_fresh:
            brain = await states.refresh(user_id)
        refused = ""
        while not self._is_draining:
            after_attempt = _attempt_that_is_over(brain, over)
            if after_attempt is None or brain.queue[0] == refused:
                if is_fresh and not serving.again:
                    return
                serving.again = False
                brain = await states.refresh(user_id)
                is_fresh = True
                continue
            turn = serving.turn = ReplyTurn(self.desk, user_id, brain.queue[0], after_attempt)
            ended = await turn.run(brain)
            serving.turn = over = None
            brain, refused = (brain, turn.reply_id) if ended is None else (ended, "")
            is_fresh = ended is not None
        if brain.queue:
            self.desk.bus.hint(user_id)

    # --- leases and stops -------------------------------------------------------------------------------------

    async def renew(self) -> None:
        """All leases in one statement; whoever lost theirs lets go, unless only its last append is left."""
        asked = {
            user_id: (serving.turn, serving.turn.attempt)
            for user_id, serving in self._serving.items()
            if serving.turn is not None and serving.turn.is_ours
        }
        if not asked:
            return
        kept = await self._work.renew(self.desk.owner, list(asked), self._settings.lease_seconds)
        for user_id, (turn, attempt) in asked.items():
            serving = self._serving.get(user_id)
            # Meanwhile it may have ended, and the user's next reply been claimed: that is another lease.
            is_same = serving is not None and serving.turn is turn and turn.attempt == attempt
            if user_id not in kept and is_same and not turn.is_ending:
                logger.warning("worker.lease_lost", user=hashed(user_id), reply_id=turn.reply_id, attempt=attempt)
                turn.lose()

    def wants(self, user_id: str) -> bool:
        return user_id in self._serving

    def receive(self, user_id: str, facts: Sequence[Fact]) -> None:
        serving = self._serving.get(user_id)
        if serving is None or serving.turn is None:
            return
        for fact in facts:
            event = fact.event
            if isinstance(event, ABOUT_A_REPLY) and event.reply.reply_id == serving.turn.reply_id:
                serving.turn.notice(event)


def _is_about(over: Work, brain: Brain) -> bool:
    """Whether the state knows of the row's reply and attempt."""
    reply = brain.replies.get(over.reply_id)
    return reply is not None and reply.attempt == over.attempt


def _attempt_that_is_over(brain: Brain, over: Work | None) -> int | None:
    """The last attempt of the user's next reply, if none runs; None when there is nothing to go on with."""
    if not brain.queue:
        return None
    reply = brain.replies[brain.queue[0]]
    is_over = over is not None and (over.reply_id, over.attempt) == (reply.ref.reply_id, reply.attempt)
    return reply.attempt if reply.attempt == 0 or is_over else None
