"""The composition root of what must go: the sweep of workers/retention.py, beside a worker, and erasing a user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from commands.write_side import WriteSide
from infra.audio_store import audio_store
from infra.erasure import Erasure
from infra.event_log.tracking import Tracking
from infra.leftovers import Leftovers
from infra.presence import PostgresPresence
from infra.together import beside
from infra.work import PostgresSegments
from workers.retention import TRACKING_NAME, Retention


def make_erasure(side: WriteSide) -> Erasure:
    return Erasure(side.queries, side.keyring, audio_store(side.settings, side.clock))


def make_retention(side: WriteSide) -> Retention:
    return Retention(
        log=side.log,
        keyring=side.keyring,
        tracking=Tracking(side.queries, TRACKING_NAME),
        segments=PostgresSegments(side.queries),
        segment_seconds=side.settings.segment_retention_seconds,
        erasure=make_erasure(side),
        presence=PostgresPresence(side.queries),
        leftovers=Leftovers(side.queries),
    )


@asynccontextmanager
async def run_retention(side: WriteSide) -> AsyncIterator[None]:
    """Sweep for as long as the block runs."""
    async with beside(make_retention(side).run(), "retention"):
        yield
