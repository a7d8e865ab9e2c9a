"""What the processes of all roles have in common: how they are told to stop, say that they are ready, and run on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import click

from infra import garbage
from infra.telemetry import get_logger
from infra.together import until_one_ends

logger = get_logger("cli.roles")


def stop_event() -> asyncio.Event:
    """Set by SIGTERM or Ctrl-C, which end nothing by themselves from here on."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def tell_ready(role: str) -> None:
    """The line that `dev` and operators wait for. `role` may have more behind it, such as an address."""
    garbage.set_aside_what_stays()
    click.echo(f"ready {role}")


async def run_until_told(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Run what never ends by itself until `stop` is set; whether it ended because of that. A failure is logged."""
    try:
        await until_one_ends(work, stop.wait())
    except Exception:
        logger.exception("role.ended")
    return stop.is_set()
