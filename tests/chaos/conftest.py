"""The kill tests' cluster, one for all of them, and a world of its own for each.

Each test is driven by one integer, `--seed`; a failing test says which, and leaves its history and the cluster's log.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster, running_cluster
from tests.support.model_process import ModelProcess, model_process, slow
from tests.support.world import World, open_world

TENTH_SECONDS_MAX = 400  # for one test, on a machine that has other things to do


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("chaos") == "tenth":
        for item in items:
            if item.get_closest_marker("chaos"):
                item.add_marker(pytest.mark.timeout(TENTH_SECONDS_MAX))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    world: World | None = getattr(item, "funcargs", {}).get("world")
    if world is not None and report.failed:
        option = "" if world.share < 1 else " --chaos=all"
        history = Path(item.funcargs["tmp_path"]) / "history.jsonl"  # type: ignore[attr-defined]
        world.history.write(history)
        world.cluster.write_log(history.with_name("cluster.log"))
        history.with_name("failure.txt").write_text(report.longreprtext)
        lines = [f"pytest {item.nodeid} --seed {world.seed}{option}", str(world.history.head), str(history.parent)]
        report.sections.append(("to run it again", "\n".join(lines)))
        report.sections.append(("what the processes said last", world.cluster.log()))
    return report


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    given: int | None = pytestconfig.getoption("seed")
    return random.SystemRandom().randrange(1_000_000) if given is None else given


@pytest.fixture(scope="package")
def model() -> Iterator[ModelProcess]:
    with model_process() as process:
        yield process


@pytest.fixture(scope="package")
async def cluster(tmp_path_factory: pytest.TempPathFactory, model: ModelProcess) -> AsyncIterator[Cluster]:
    data_dir = tmp_path_factory.mktemp("cluster")
    async with running_cluster(data_dir, model, api=2, worker=2, relay=2, projections=2) as running:
        yield running
    shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, cluster: Cluster, model: ModelProcess, seed: int, chaos_share: float, tmp_path: Path
) -> AsyncIterator[World]:
    """With everybody alive and the model at its usual pace, whatever the test before has left."""
    name = request.node.name
    print(f"seed {seed}")
    await cluster.all_ready()
    await model.reset()
    await model.plan(slow())
    async with open_world(name, seed, chaos_share, cluster, model) as world:
        yield world
