"""Run an embedded server for as long as a block lasts: for tests and benchmarks. `microcos dev` has its supervisor."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from infra.embedded.binaries import EmbeddedError
from infra.keys.local import private_folder

START_SECONDS_MAX = 60.0
STOP_SECONDS = 5.0
LOG_BYTES_MAX = 4 * 1024 * 1024


class EmbeddedServer(Protocol):
    """What a supervisor needs to know of a server. All of it may block; `prepare` may take seconds."""

    @property
    def name(self) -> str: ...
    @property
    def data_dir(self) -> Path: ...
    @property
    def stop_signals(self) -> tuple[signal.Signals, ...]:
        """To be sent one after another until it is gone, the politest first."""
        ...

    def prepare(self) -> None: ...
    def command(self) -> list[str]: ...
    def is_ready(self) -> bool: ...
    def is_intact(self) -> bool: ...
    def complete(self) -> None: ...


def log_path(server: EmbeddedServer) -> Path:
    """The server's log, emptied when it has grown large."""
    path = private_folder(server.data_dir / "logs") / f"{server.name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.write_bytes(b"")
    return path


@contextmanager
def running(server: EmbeddedServer) -> Iterator[subprocess.Popen[bytes]]:
    """Prepared, started, ready and completed; stopped at the end. Call it from the main thread only."""
    server.prepare()
    log = log_path(server)
    with log.open("ab") as output:
        process = subprocess.Popen(
            server.command(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # A Ctrl-C at the terminal is for us to handle, not for the server.
            start_new_session=True,
        )
    try:
        _await_ready(server, process, log)
        server.complete()
        yield process
    finally:
        stop(process, server.stop_signals)


def stop(process: subprocess.Popen[bytes], signals: tuple[signal.Signals, ...]) -> None:
    for number in signals:
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def _await_ready(server: EmbeddedServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines()[-5:]
            raise EmbeddedError(f"{server.name} did not start:\n" + "\n".join(lines))
        time.sleep(0.02)
