"""The servers that a benchmark runs against: Postgres and NATS from the wheels, and the whole system as processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from infra.embedded.nats import EmbeddedNats
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.servers import running
from infra.keys.local import with_local_keys
from infra.settings import Settings
from tests.support.cluster import Cluster
from tests.support.databases import PostgresServer
from tests.support.model_process import ModelProcess

# As it runs in earnest, but for limits that a benchmark's few users would reach.
UNLIMITED = {
    "limit_messages_per_minute": 0,
    "limit_tokens_per_day": 0,
    "limit_streams_per_user": 0,
    "llm_provider": "openai",
    "llm_model": "stand-in",
}


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """On the disk where temporary files lie; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="microcos-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database of its own."""

    url: str
    folder: Path
    nats_url: str = ""
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        urls = {"database_url": self.url, "nats_url": self.nats_url}
        made = Settings(data_dir=self.folder, port=0, **urls, **UNLIMITED)  # type: ignore[arg-type]
        object.__setattr__(self, "settings", with_local_keys(made))


@contextmanager
def fresh_database() -> Iterator[Database]:
    """A Postgres of its own, so that nothing of one benchmark's writing is left for the next to pay for."""
    with scratch_folder() as folder:
        server = EmbeddedPostgres(folder)
        with running(server), PostgresServer(server).fresh_database() as url:
            yield Database(url, folder)
        server.discard_socket_folder()


@contextmanager
def fresh_servers() -> Iterator[Database]:
    """Postgres, and NATS beside it."""
    with fresh_database() as database:
        nats = EmbeddedNats(database.folder)
        nats.choose_port()
        with running(nats):
            yield replace(database, nats_url=nats.url)


@asynccontextmanager
async def whole_system(model: ModelProcess, **changes: object) -> AsyncIterator[Cluster]:
    """One process a role, with the settings as they are by default; `changes`: other settings, or `roles`."""
    roles = changes.pop("roles", {"api": 1, "worker": 1, "relay": 1, "projections": 1})
    assert isinstance(roles, dict)
    with scratch_folder() as folder:
        cluster = Cluster(folder)
        settings = Settings(data_dir=folder, **{**UNLIMITED, **changes})  # type: ignore[arg-type]
        cluster.settings = with_local_keys(settings)
        try:
            await cluster.start(model, roles)
            yield cluster
        finally:
            await cluster.stop()
