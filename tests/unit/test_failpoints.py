"""Named places where I/O can be made to fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from infra import failpoints
from infra.failpoints import InjectedFault
from tests.support.processes import ROOT

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


async def test_nothing_happens_where_nothing_is_armed() -> None:
    await failpoints.reach("a.before")


async def test_a_failpoint_fires_once_at_the_nth_reach() -> None:
    failpoints.arm("a.before", nth=3)
    for reach in range(1, 6):
        if reach == 3:
            with pytest.raises(InjectedFault, match=r"a\.before"):
                await failpoints.reach("a.before")
        else:
            await failpoints.reach("a.before")
        await failpoints.reach("b.before")


async def test_the_star_counts_every_place_together() -> None:
    with failpoints.armed(failpoints.ANY, nth=2):
        await failpoints.reach("a.before")
        with pytest.raises(InjectedFault):
            await failpoints.reach("b.before")
    await failpoints.reach("b.before")


async def test_a_failpoint_may_call_instead() -> None:
    called: list[str] = []
    with failpoints.armed("a.after", "call", call=lambda: called.append("now")):
        await failpoints.reach("a.after")
        await failpoints.reach("a.after")
    assert called == ["now"]


async def test_reaches_are_counted_by_name() -> None:
    with failpoints.counted() as counts:
        for name in ("a", "b", "a"):
            await failpoints.reach(name)
    await failpoints.reach("a")
    assert counts == {"a": 2, "b": 1}


def test_a_child_process_kills_itself_where_its_spec_says() -> None:
    code = (
        "from infra import failpoints\n"
        "failpoints.arm_all('a.after=kill:2,b=raise')\n"
        "failpoints.reach_now('a.after')\n"
        "print('alive', flush=True)\n"
        "failpoints.reach_now('a.after')\n"
        "print('never')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-9, "alive\n", "")


@pytest.mark.parametrize("spec", ["a", "a=explode", "a=raise:x"])
def test_a_spec_that_makes_no_sense_is_refused(spec: str) -> None:
    with pytest.raises(ValueError):
        failpoints.arm_all(spec)
