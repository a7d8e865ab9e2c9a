"""Whether NATS can be reached and has JetStream. Only tells; connecting for good is the bus's business."""

from __future__ import annotations

import asyncio

import nats
import nats.errors

from infra.postgres import Check
from infra.settings import Settings

AWAY = "commands, replies and streams go on from Postgres, subscribers wait"


async def check_bus(settings: Settings) -> Check:
    """Never worse than a warning, since nothing is lost without it."""
    if not settings.nats_url:
        return Check("connection", "warn", f"MICROCOS_NATS_URL is not set; {AWAY}")
    try:
        # One try, bounded from outside: a server that accepts and says nothing would else hold us for long.
        async with asyncio.timeout(settings.nats_connect_timeout_seconds + 1):
            client = await nats.connect(
                settings.nats_url, allow_reconnect=False, connect_timeout=2, error_cb=_ignore, max_reconnect_attempts=0
            )
            try:
                account = await client.jetstream().account_info()
            finally:
                await client.close()
    except (OSError, TimeoutError, nats.errors.Error) as error:
        return Check("connection", "warn", f"is away ({type(error).__name__}): start it; {AWAY}")
    return Check("connection", "ok", f"JetStream with {account.streams} streams")


async def _ignore(_: Exception) -> None:
    """Told by the exception that `connect` raises; the default prints a traceback beside it."""
