"""An embedded NATS in a data dir, on loopback, behind a random token. Its store is a cache: anybody may delete it."""

from __future__ import annotations

import json
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from infra.embedded import launch
from infra.embedded.binaries import nats_binary
from infra.ids import random_below, random_token
from infra.keys.local import private_folder, stored

HOST = "127.0.0.1"
# Below the range that the kernel takes for outgoing connections, so that the port is still free after a restart.
PORT_FIRST, PORT_COUNT = 20_000, 12_000
MAX_PAYLOAD_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class EmbeddedNats:
    data_dir: Path
    name: str = "nats"
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGKILL)

    @property
    def store(self) -> Path:
        return self.data_dir / "nats" / "jetstream"

    @property
    def url(self) -> str:
        return f"nats://{self._token()}@{HOST}:{self._port()}"

    def choose_port(self) -> None:
        """Once, before the first start: another port if the one of last time is taken. Later starts keep it, since
        the others know it by then."""
        note = private_folder(self.data_dir / "run") / "nats_port"
        noted = note.read_text().strip() if note.is_file() else ""
        # A full disk or a power cut may have left the note empty.
        port = int(noted) if noted.isdecimal() and int(noted) >= PORT_FIRST else _random_port()
        while not is_free(HOST, port):
            port = _random_port()
        note.write_text(str(port))

    def prepare(self) -> None:
        private_folder(self.data_dir / "nats")
        private_folder(self.store)
        configuration = {
            "host": HOST,
            "port": self._port(),
            "server_name": "microcos",
            "authorization": {"token": self._token()},
            "max_payload": MAX_PAYLOAD_BYTES,
            # NATS puts its files into a folder `jetstream` below this one.
            "jetstream": {"store_dir": str(self.store.parent.resolve())},
        }
        path = self._configuration_path()
        path.touch(mode=0o600)
        # NATS reads JSON, but none of its escapes for letters: a path has them as they are.
        path.write_text(json.dumps(configuration, indent=1, ensure_ascii=False), encoding="utf-8")

    def command(self) -> list[str]:
        return launch.command(
            [str(nats_binary()), "--config", str(self._configuration_path().resolve())],
            parent=os.getpid(),
            stop_signal=signal.SIGKILL,
        )

    def is_ready(self) -> bool:
        """It greets each connection; the greeting says whether JetStream is up."""
        try:
            with socket.create_connection((HOST, self._port()), timeout=1) as connection:
                connection.settimeout(1)
                greeting = connection.makefile("rb").readline()
        except OSError:
            return False
        return greeting.startswith(b"INFO ") and bool(json.loads(greeting[5:]).get("jetstream"))

    def is_intact(self) -> bool:
        """False once its store was deleted under it: it does not notice, and must be started again."""
        return self.store.is_dir()

    def complete(self) -> None:
        """Nothing to do: who uses streams makes them."""

    def _configuration_path(self) -> Path:
        return self.data_dir / "nats" / "server.conf"

    def _token(self) -> str:
        return stored(self.data_dir, "nats_token", random_token)

    def _port(self) -> int:
        return int((self.data_dir / "run" / "nats_port").read_text())


def is_free(host: str, port: int) -> bool:
    """Whether one could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _random_port() -> int:
    return PORT_FIRST + random_below(PORT_COUNT)
