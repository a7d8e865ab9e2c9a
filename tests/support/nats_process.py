"""A NATS server of a test's own, to be killed, frozen, wiped and set back to an older copy of its store."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from infra.embedded.nats import EmbeddedNats
from infra.embedded.servers import running


class NatsProcess:
    """Starting blocks, the event loop too, for a few hundred milliseconds."""

    def __init__(self, data_dir: Path) -> None:
        self.server = EmbeddedNats(data_dir)
        self.server.choose_port()
        self._running: AbstractContextManager[subprocess.Popen[bytes] | None] = nullcontext()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.server.url

    def start(self) -> None:
        self._running = running(self.server)
        self._process = self._running.__enter__()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._running.__exit__(None, None, None)

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # its other threads may run on for a moment

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self, *, wipe: bool = False, store: Path | None = None) -> None:
        """Killed, and back with its store, with none, or with an older copy of it."""
        self.kill()
        if wipe or store is not None:
            shutil.rmtree(self.server.store)
        if store is not None:
            shutil.copytree(store, self.server.store)
        self.start()

    def copy_store(self, target: Path) -> Path:
        """As it is on disk; kill the server first to have it whole."""
        return Path(shutil.copytree(self.server.store, target))


@contextmanager
def nats_process(data_dir: Path) -> Iterator[NatsProcess]:
    server = NatsProcess(data_dir)
    server.start()
    try:
        yield server
    finally:
        server.resume()
        server.kill()
