"""Opens what each process that handles commands needs: log, keys, states, feed, handler. For composition roots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from commands.context import Limits
from commands.handle import CommandHandler
from commands.states import States
from domain.errors import Unavailable
from domain.ports import Clock
from infra.clock import system_clock
from infra.event_log.feed import FactFeed
from infra.event_log.store import PostgresEventLog, open_event_log
from infra.ids import new_id
from infra.keys.deleted import DeletedKeys
from infra.keys.keyring import Keyring
from infra.keys.store import PostgresKeyStore
from infra.postgres import Pool, open_pool
from infra.queries import Queries
from infra.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSide:
    settings: Settings
    pool: Pool
    queries: Queries
    log: PostgresEventLog
    keyring: Keyring
    states: States
    feed: FactFeed
    handler: CommandHandler
    clock: Clock


@asynccontextmanager
async def open_write_side(
    settings: Settings,
    application_name: str,
    *,
    wake: Callable[[str], None] = lambda user_id: None,
    gather_seconds: float = 0.0,
) -> AsyncIterator[WriteSide]:
    """Open for as long as the block runs; Postgres may be away when it opens. `gather_seconds`: as `open_event_log`.

    The feed begins to follow the log when `run_feed` is entered, once all listeners are there.
    """
    clock = system_clock(settings)
    async with (
        open_pool(settings, application_name) as pool,
        open_event_log(settings, pool, gather_seconds=gather_seconds) as log,
    ):
        queries = Queries(pool)
        keyring = Keyring(
            PostgresKeyStore(queries),
            settings.master_key_bytes(),
            monotonic=clock.monotonic,
            cached_users_max=settings.cached_users,
        )
        states = States(log, keyring, users_max=settings.cached_users, snapshot_events=settings.snapshot_events)
        feed = FactFeed(log, keyring)
        feed.add(states)
        feed.add(DeletedKeys(keyring))
        limits = Limits(
            messages_per_minute=settings.limit_messages_per_minute,
            tokens_per_day=settings.limit_tokens_per_day,
            flight_searches_per_day=settings.limit_flight_searches_per_day,
        )
        handler = CommandHandler(
            log,
            keyring,
            states,
            clock,
            new_id,
            limits,
            same_key_wait_seconds=settings.idempotency_wait_seconds,
            wake=wake,
        )
        try:
            yield WriteSide(
                settings=settings,
                pool=pool,
                queries=queries,
                log=log,
                keyring=keyring,
                states=states,
                feed=feed,
                handler=handler,
                clock=clock,
            )
        finally:
            await handler.aclose()


@asynccontextmanager
async def run_feed(side: WriteSide) -> AsyncIterator[asyncio.Task[None]]:
    """Follow the log from here on for as long as the block runs. A feed that failed is a task that ended: watch it."""
    try:
        # Before the block, or what is committed while it begins would be missing in what it cached already.
        after = await side.log.last_position()
    except Unavailable:
        after = None  # nothing can be cached before the log can be read
    task = asyncio.create_task(side.feed.run(after=after), name="feed")
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
