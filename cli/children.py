"""How `dev` starts other commands of ours: their command lines, environments and ports."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import sysconfig
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from infra.embedded import launch
from infra.embedded.binaries import EmbeddedError
from infra.embedded.nats import is_free
from infra.ids import random_token
from infra.settings import Settings, SettingsError, process_environment


def free_port(host: str, port: int) -> int:
    """The port itself, or any free one for 0. Raises `SettingsError` when it is taken."""
    if port:
        if not is_free(host, port):
            raise SettingsError(f"Port {port} on {host} is in use: choose another with --port.")
        return port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def role_command(arguments: list[str]) -> list[str]:
    """`microcos …` by the installed script, so that it is called that in a list of processes; it dies with us."""
    script = Path(sysconfig.get_path("scripts")) / "microcos"
    program = [sys.executable, str(script)] if script.exists() else [sys.executable, "-P", "-m", "cli.main"]
    return launch.command([*program, *arguments], parent=os.getpid(), stop_signal=signal.SIGKILL)


def role_environment(settings: Settings, *, owner: str = "", place: int = 0) -> dict[str, str]:
    """`owner` names a worker; a random part tells its lives apart, so that only the dead one's leases are ended.
    `place` is the role's among all of them, which can't serve metrics on one port."""
    if settings.metrics_port:
        settings = replace(settings, metrics_port=settings.metrics_port + place)
    if owner:
        settings = replace(settings, worker_owner=f"{owner}-{random_token(6)}")
    source = str(Path(__file__).resolve().parent.parent)
    inherited = process_environment()
    paths = [source, *filter(None, inherited.get("PYTHONPATH", "").split(os.pathsep))]
    return {**inherited, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **settings.as_environment()}


async def run_to_end(name: str, command: list[str], settings: Settings) -> None:
    """Run one command to its end. Raises `EmbeddedError` with what it wrote when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=role_environment(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise EmbeddedError(f"`microcos {name}` failed:\n{output.decode(errors='replace').strip()}")
