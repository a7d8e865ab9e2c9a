"""The supervisor keeps processes alive and stops them in time, whatever they do. The roles here do nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from infra.embedded import launch
from infra.embedded.nats import EmbeddedNats
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.supervise import Child, Role, RoleProgram, ServerProgram, Stops
from tests.support.processes import ROOT, python, wait_until_gone
from tests.support.waiting import until

STOPS: Stops = ((signal.SIGTERM, 30.0), (signal.SIGKILL, 30.0))
IMPATIENT: Stops = ((signal.SIGTERM, 0.2), (signal.SIGKILL, 30.0))


class Said:
    """What the supervisor said, and waiting for it to say more."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def say(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    async def until(self, text: str, *, times: int = 1) -> str:
        await until(lambda: sum(text in line for _, line in self.lines) >= times)
        return [line for _, line in self.lines if text in line][times - 1]


@asynccontextmanager
async def kept_alive(
    behaviour: str | Callable[[], str],
    *,
    stops: Stops = STOPS,
    on_end: Callable[[Mapping[str, str]], None] | None = None,
) -> AsyncIterator[tuple[Child, Said]]:
    lives = count(1)

    async def ended(environment: Mapping[str, str]) -> None:
        if on_end is not None:
            on_end(environment)

    def command() -> list[str]:
        chosen = behaviour if isinstance(behaviour, str) else behaviour()
        program = python(str(ROOT / "tests" / "support" / "role.py"), chosen)
        return launch.command(program, parent=os.getpid(), stop_signal=signal.SIGKILL)

    role = Role(
        name="role",
        command=command,
        environment=lambda: {**os.environ, "MICROCOS_WORKER_OWNER": f"life-{next(lives)}"},
        stops=stops,
        on_end=ended,
    )
    said = Said()
    child = Child(RoleProgram(role), said.say)
    running = asyncio.create_task(child.run())
    try:
        yield child, said
    finally:
        await child.stop()
        await running


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid


async def test_a_killed_role_comes_back() -> None:
    async with kept_alive("good") as (child, said):
        await child.ready.wait()
        for life in range(1, 4):
            before = pid_of(child)
            os.kill(before, signal.SIGKILL)
            await said.until("ended (SIGKILL)", times=life)
            await said.until("ready (pid", times=life + 1)
            assert pid_of(child) != before
        assert child.restarts == 3


async def test_each_life_has_a_name_of_its_own_and_the_dead_one_is_told() -> None:
    dead: list[str] = []
    async with kept_alive("good", on_end=lambda env: dead.append(env["MICROCOS_WORKER_OWNER"])) as (child, said):
        await child.ready.wait()
        assert "owner life-1" in await said.until("owner")
        os.kill(pid_of(child), signal.SIGKILL)
        assert "owner life-2" in await said.until("owner", times=2)
        await until(lambda: dead == ["life-1"])


async def test_a_role_that_cannot_start_is_tried_again_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.supervise.OUTPUT_SECONDS", 60.0)
    behaviours = iter(["broken", "broken", "broken"])
    async with kept_alive(lambda: next(behaviours, "good")) as (child, said):
        await child.ready.wait()
        assert [line for _, line in said.lines].count("cannot start") == 3
        assert child.restarts == 3


async def test_a_role_stops_when_asked() -> None:
    async with kept_alive("good", stops=((signal.SIGTERM, 60.0), (signal.SIGKILL, 1.0))) as (child, said):
        await child.ready.wait()
        pid = pid_of(child)
    assert wait_until_gone(pid)
    assert not any("ended" in line for _, line in said.lines)


async def test_a_role_that_does_not_stop_is_killed() -> None:
    async with kept_alive("stubborn", stops=IMPATIENT) as (child, _):
        await child.ready.wait()
        pid = pid_of(child)
    assert wait_until_gone(pid)


async def test_what_a_role_started_goes_with_it() -> None:
    async with kept_alive("parent") as (child, said):
        await child.ready.wait()
        grandchild = int((await said.until("child")).split()[-1])
        os.kill(pid_of(child), signal.SIGKILL)
        await said.until("ready (pid", times=2)
        assert wait_until_gone(grandchild)


async def test_a_line_of_any_length_does_not_stop_the_reading() -> None:
    async with kept_alive("loud") as (child, _):
        await child.ready.wait()


async def test_a_role_can_be_stopped_before_it_is_ready() -> None:
    async with kept_alive("good") as (child, _):
        await until(lambda: child.pid is not None)
    assert child.pid is None


async def test_a_killed_postgres_comes_back_with_its_data(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    said = Said()
    child = Child(ServerProgram(server, ((signal.SIGINT, 30.0), (signal.SIGKILL, 30.0))), said.say)
    running = asyncio.create_task(child.run())
    await child.ready.wait()
    os.kill(pid_of(child), signal.SIGKILL)
    await said.until("ready (pid", times=2)
    await child.stop()
    await running
    server.discard_socket_folder()


async def test_nats_is_started_again_when_its_store_is_taken_away(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path)
    server.choose_port()
    said = Said()
    child = Child(ServerProgram(server, ((signal.SIGINT, 30.0), (signal.SIGKILL, 30.0))), said.say)
    running = asyncio.create_task(child.run())
    await child.ready.wait()
    server.store.rename(tmp_path / "away")
    await said.until("its files were taken away")
    await said.until("ready (pid", times=2)
    assert server.is_intact()
    await child.stop()
    await running


async def test_a_server_that_cannot_be_prepared_says_why_and_is_tried_again(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18\n")
    said = Said()
    child = Child(ServerProgram(server, ((signal.SIGKILL, 30.0),)), said.say)
    running = asyncio.create_task(child.run())
    assert "password" in await said.until("cannot start", times=2)
    await child.stop()
    await running


@pytest.mark.parametrize("at_once", [False, True])
async def test_stopping_what_never_ran_returns(at_once: bool, tmp_path: Path) -> None:
    child = Child(ServerProgram(EmbeddedPostgres(tmp_path), ((signal.SIGKILL, 30.0),)), Said().say)
    running = asyncio.create_task(child.run())
    await child.stop(at_once=at_once)
    await running
