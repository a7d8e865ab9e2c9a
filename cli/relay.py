"""`microcos relay`: publish the event log to NATS until SIGTERM or Ctrl-C. The relay's composition root."""

from __future__ import annotations

import asyncio
import signal
import sys

import click
import uvloop

from infra import garbage
from infra.bus import NatsBus
from infra.clock import system_clock
from infra.event_store import BACKGROUND_GATHER_SECONDS, open_event_log
from infra.ids import new_id
from infra.leases import PostgresLeaders
from infra.postgres import open_pool
from infra.queries import Queries
from infra.settings import Settings
from infra.telemetry import configure_logging, get_logger, serve_metrics
from workers.relay import Relay

logger = get_logger("cli.relay")


@click.command()
def relay() -> None:
    """Publish the event log to NATS. Any number of these processes may run; one leads, the others stand by."""
    settings = Settings.load()
    configure_logging(settings, "relay")
    serve_metrics(settings)
    if not uvloop.run(_run(settings)):
        sys.exit(1)


async def _run(settings: Settings) -> bool:
    """Whether it ended because it was told to."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bus = NatsBus(settings, name="relay")
    await bus.start()
    try:
        async with (
            open_pool(settings, "relay") as pool,
            open_event_log(settings, pool, gather_seconds=BACKGROUND_GATHER_SECONDS) as log,
        ):
            leaders = PostgresLeaders(Queries(pool), owner=new_id())
            publisher = Relay(log, await bus.fact_stream(), leaders, system_clock(settings), settings)
            running = asyncio.create_task(publisher.run(_tell_ready))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                logger.error("relay.ended", exc_info=running.exception())
            for task in (running, stopped):
                task.cancel()
            await asyncio.gather(running, stopped, return_exceptions=True)
    finally:
        await bus.close()
    return stop.is_set()


def _tell_ready() -> None:
    garbage.set_aside_what_stays()
    click.echo("ready relay")
