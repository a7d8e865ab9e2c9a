"""What every test can ask for. The servers are real, started once a run and only when a test needs one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from infra.embedded.nats import EmbeddedNats
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.servers import running
from infra.keys.local import make_master_key
from infra.settings import Settings
from tests.support.databases import PostgresServer
from tests.support.nats_streams import empty
from tests.support.patience import PATIENCE

# Its deadline of 200 ms an example, and its check for slow ones, are assertions on time: of the machine, not of a test.
PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
# The suite says the same of the same code; `--hypothesis-profile=explore` goes where nobody has looked.
hypothesis.settings.register_profile("suite", PATIENT, derandomize=True)
hypothesis.settings.register_profile("explore", PATIENT)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "How many of their faults the kill tests inject: a tenth, or all of them."
    parser.addoption("--chaos", choices=("tenth", "all"), default="tenth", help=text)
    parser.addoption("--seed", type=int, default=None, help="Runs the kill tests again as this seed has them.")


class ByFile(LoadScopeScheduling):
    """A file's tests share what they set up, and the kill tests the machine: each such group runs in one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/chaos" if file.startswith("tests/chaos/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@pytest.fixture(scope="session")
def chaos_share(pytestconfig: pytest.Config) -> float:
    """What a kill test multiplies its counts by."""
    return 1.0 if pytestconfig.getoption("chaos") == "all" else 0.1


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    data_dir = tmp_path_factory.mktemp("postgres")
    server = EmbeddedPostgres(data_dir)
    with running(server):
        yield PostgresServer(server)
    server.discard_socket_folder()
    shutil.rmtree(data_dir, ignore_errors=True)  # of a server that had to be killed a process may still be writing


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated database of this test's own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated database that the tests of one file share, for those that only read or use users of their own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path_factory.mktemp("nats"))
    server.choose_port()
    with running(server):
        yield server


@pytest.fixture
def nats_url(nats_server: EmbeddedNats) -> str:
    """A real server without any stream."""
    empty(nats_server.url, nats_server.store)
    return nats_server.url


@pytest.fixture
def settings(tmp_path: Path, database_url: str, nats_url: str) -> Settings:
    """Settings for real servers, with keys and a data dir of this test's own."""
    return Settings(
        data_dir=tmp_path,
        database_url=database_url,
        nats_url=nats_url,
        port=0,
        master_key=make_master_key(),
        auth_dev_secret="a development secret of more than 32 bytes",
        **PATIENCE,
    )
