"""`microcos api`: serve HTTP until SIGTERM or Ctrl-C; streams are ended first, with their cursors intact."""

from __future__ import annotations

import asyncio

import click

from api.app import open_api
from api.server import Server, server_config
from infra.ids import new_id
from infra.local_keys import with_auth_dev_secret
from infra.settings import Settings
from infra.telemetry import configure_logging


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Default: MICROCOS_PORT; 0 takes a free one.")
def api(port: int | None) -> None:
    """Serve HTTP. Any number of these processes may run."""
    settings = with_auth_dev_secret(Settings.load())
    configure_logging(settings, "api")
    asyncio.run(_serve(settings, settings.port if port is None else port))


async def _serve(settings: Settings, port: int) -> None:
    async with open_api(settings) as (app, streams):
        config = server_config(
            app, host=settings.host, port=port, new_id=new_id, graceful_seconds_max=round(settings.drain_seconds)
        )
        server = Server(config, streams.drain)
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            click.echo(f"ready api http://{settings.host}:{server.port}")
        await serving
