"""`microcos api`: serve HTTP until SIGTERM or Ctrl-C; streams are ended first, with their cursors intact."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import click
import uvloop

from api.app import OpenApi, open_api
from api.health import Part
from api.http.server import Server, server_config_from_settings
from cli.roles import stop_event, tell_ready
from domain.errors import Unavailable
from infra.clock import system_clock
from infra.ids import new_id
from infra.keys.keyring import MasterKeyError
from infra.settings import Settings
from infra.telemetry import configure_logging, get_logger
from workers.llm import make_model

STORE_AWAY_SECONDS = 0.5  # between two tries to open while the store is away
MODEL_CHECK_SECONDS = 30.0  # a readiness probe must not become a call of the provider each second

logger = get_logger("cli.api")


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Default: MICROCOS_PORT; 0 takes a free one.")
def api(port: int | None) -> None:
    """Serve HTTP. Any number of these processes may run."""
    settings = Settings.load()
    configure_logging(settings, "api")
    try:
        is_ok = uvloop.run(_run(settings, settings.port if port is None else port))
    except MasterKeyError as error:
        raise click.ClickException(str(error)) from error
    if not is_ok:
        sys.exit(1)


async def _run(settings: Settings, port: int) -> bool:
    """Whether it ended because it was told to. Waits for the store, as whoever starts us may start it later."""
    stop = stop_event()
    model = ModelHealth(settings)
    try:
        while not stop.is_set():
            try:
                async with open_api(settings, Part("model", model.check)) as opened:
                    return await _serve(opened, settings, port)
            except Unavailable as error:
                logger.warning("api.store_away", code=error.code)
                await asyncio.sleep(STORE_AWAY_SECONDS)
        return True
    finally:
        await model.aclose()


async def _serve(opened: OpenApi, settings: Settings, port: int) -> bool:
    """Whether it ended because it was told to. The server takes the signals from here on."""
    config = server_config_from_settings(opened.app, replace(settings, port=port), new_id)

    server = Server(config, opened.streams.drain, lambda: tell_ready(f"api http://{settings.host}:{server.port}"))
    serving = asyncio.create_task(server.serve())
    await asyncio.wait([serving, opened.feed], return_when=asyncio.FIRST_COMPLETED)
    feed_ended = opened.feed.done()
    if feed_ended:
        logger.error("api.feed_ended", exc_info=opened.feed.exception())
    server.should_exit = True
    await serving
    return not feed_ended


class ModelHealth:
    """Whether the model can be reached, asked at most every half minute."""

    def __init__(self, settings: Settings) -> None:
        self._model = make_model(settings)
        self._clock = system_clock(settings)
        self._asked_at = -MODEL_CHECK_SECONDS
        self._found: str | None = None

    async def check(self) -> str | None:
        if self._clock.monotonic() - self._asked_at >= MODEL_CHECK_SECONDS:
            self._asked_at = self._clock.monotonic()
            try:
                # The line may hold a URL with a key in it, and this is public.
                self._found = None if await self._model.check() is None else "away"
            except asyncio.CancelledError:
                self._found = "no answer"  # whoever asked had no more time, and the next ones are told so too
                raise
        return self._found

    async def aclose(self) -> None:
        await self._model.aclose()
