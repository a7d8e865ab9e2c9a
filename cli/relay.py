"""`microcos relay`: publish the event log to NATS until SIGTERM or Ctrl-C. The relay's composition root."""

from __future__ import annotations

import sys

import click
import uvloop

from cli.roles import run_until_told, stop_event, tell_ready
from infra.clock import system_clock
from infra.event_log.store import BACKGROUND_GATHER_SECONDS, open_event_log
from infra.ids import new_id
from infra.leases import PostgresLeaders
from infra.nats.bus import NatsBus
from infra.postgres import open_pool
from infra.queries import Queries
from infra.settings import Settings
from infra.telemetry import configure_logging, serve_metrics
from workers.relay import Relay


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
    stop = stop_event()
    bus = NatsBus(settings, name="relay")
    await bus.start()
    try:
        async with (
            open_pool(settings, "relay") as pool,
            open_event_log(settings, pool, gather_seconds=BACKGROUND_GATHER_SECONDS) as log,
        ):
            leaders = PostgresLeaders(Queries(pool), owner=new_id())
            publisher = Relay(log, await bus.fact_stream(), leaders, system_clock(settings), settings)
            return await run_until_told(publisher.run(lambda: tell_ready("relay")), stop)
    finally:
        await bus.close()
