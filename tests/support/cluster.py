"""The whole system as real processes: Postgres, NATS, a model, and each role by its own command line.

Each is killed, frozen, held down and brought back by its name. Who dies is started again at once, as `dev` does it and
by the same code; but nobody ends a dead worker's leases: they run out.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

from cli.children import role_command, role_environment, run_to_end
from infra.embedded.nats import EmbeddedNats, is_free
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.supervise import Child, Program, Role, RoleProgram, Say, ServerProgram, Stops
from infra.ids import random_below
from infra.keys.local import with_local_keys
from infra.settings import Settings
from tests.support.model_process import ModelProcess
from tests.support.waiting import GIVE_UP_SECONDS, eventually

SERVER_STOPS: Stops = ((signal.SIGINT, 3.0), (signal.SIGKILL, 1.0))
ROLE_STOPS: Stops = ((signal.SIGTERM, 6.0), (signal.SIGKILL, 1.0))
# Below what the kernel takes for outgoing connections and what the embedded NATS takes.
PORT_FIRST, PORT_COUNT = 13_000, 6_000

# Everything that waits, waits for less than it would in earnest.
FAST = {
    "lease_seconds": 1.0,
    "lease_renew_seconds": 0.3,
    "work_poll_seconds": 0.3,
    "segment_seconds": 0.2,
    "snapshot_events": 40,
    "log_poll_seconds": 0.3,
    "projection_page": 50,
    "leader_lease_seconds": 1.0,
    "leader_renew_seconds": 0.3,
    "nats_connect_timeout_seconds": 1.0,
    "nats_ping_seconds": 0.5,
    "stream_ping_seconds": 1.0,
    "drain_seconds": 2.0,
    "database_idle_timeout_seconds": 2.0,
    # But for these: a machine that stands still for a moment is no store and no view that is away.
    "database_wait_seconds": 10.0,
    "min_version_wait_seconds": 10.0,
    "llm_provider": "openai",
    "llm_model": "stand-in",
    "llm_timeout_seconds": 2.0,
    "llm_deadline_seconds": 30.0,
    "limit_messages_per_minute": 0,
    "limit_tokens_per_day": 0,
    "limit_streams_per_user": 0,
}


class Held:
    """A program that is started only while nobody holds it down."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.name = program.name
        self.stops = program.stops
        self.may_start = asyncio.Event()
        self.may_start.set()

    async def start(self, say: Say) -> Process:
        await self.may_start.wait()
        return await self._program.start(say)

    async def until_ready(self, process: Process, say: Say) -> None:
        await self._program.until_ready(process, say)

    async def until_broken(self) -> None:
        await self._program.until_broken()

    async def ended(self, process: Process) -> None:
        await self._program.ended(process)


class Member:
    """One process of the cluster, through all its lives."""

    def __init__(self, program: Program, say: Say) -> None:
        self.name = program.name
        self._held = Held(program)
        self._child = Child(self._held, say)
        self._task = asyncio.create_task(self._child.run())

    @property
    def pid(self) -> int:
        assert self._child.pid is not None, f"{self.name} does not run"
        return self._child.pid

    @property
    def is_ready(self) -> bool:
        return self._child.ready.is_set()

    @property
    def is_alive(self) -> bool:
        return self._child.pid is not None

    async def kill(self) -> None:
        """SIGKILL, with its children where it has any; returns once it is gone. Who is gone already stays so."""
        if self._child.pid is None:
            return
        restarts, family = self._child.restarts, [self.pid, *_children(self.pid)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await eventually(lambda: self._child.restarts > restarts, f"the end of {self.name}")

    async def hold_down(self) -> None:
        self._held.may_start.clear()
        await self.kill()

    def release(self) -> None:
        self._held.may_start.set()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def until_ready(self, seconds: float = GIVE_UP_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            await self._child.ready.wait()

    async def stop(self) -> None:
        self.thaw()
        self.release()
        await self._child.stop()
        await self._task

    def _signal(self, number: signal.Signals) -> None:
        """To who lives: one that has just ended by itself is asked for its status a moment before we hear of it."""
        if self._child.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._child.pid, number)


class Cluster:
    """Made by `running_cluster`. `members` by name: postgres, nats, api-1, worker-1, relay-1, projections-1 …"""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.members: dict[str, Member] = {}
        self.lines: list[str] = []
        self.postgres = EmbeddedPostgres(data_dir)
        self.nats = EmbeddedNats(data_dir)
        self.nats.choose_port()
        self.settings = with_local_keys(Settings(data_dir=data_dir, **FAST))
        self._ports: dict[str, int] = {}
        self._began = monotonic()

    async def start(self, model: ModelProcess, roles: dict[str, int]) -> None:
        self.settings = replace(
            self.settings, database_url=self.postgres.url(), nats_url=self.nats.url, llm_base_url=model.base_url
        )
        for server in (self.postgres, self.nats):
            self._add(ServerProgram(server, SERVER_STOPS))
        await self.all_ready()
        await run_to_end("migrate", role_command(["migrate"]), self.settings)
        for role, count in roles.items():
            for number in range(1, count + 1):
                self.add_role(f"{role}-{number}")
        await self.all_ready()

    def add_role(self, name: str, *, settings: Settings | None = None) -> Member:
        """`name` is the role and a number; with settings of its own it may, say, reach Postgres another way."""
        kind = name.rpartition("-")[0]
        own = settings or self.settings
        if kind == "api":
            self._ports[name] = free_port(besides=self._ports.values())
            own = replace(own, port=self._ports[name])
        role = Role(
            name=name,
            command=partial(role_command, ["projections", "run"] if kind == "projections" else [kind]),
            environment=partial(role_environment, own, owner=name if kind == "worker" else ""),
            stops=ROLE_STOPS,
        )
        return self._add(RoleProgram(role))

    async def remove(self, name: str) -> None:
        await self.members.pop(name).stop()

    def named(self, *kinds: str) -> list[Member]:
        return [member for name, member in self.members.items() if name.rstrip("-0123456789") in kinds]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    @property
    def urls(self) -> list[str]:
        return [self.url(member.name) for member in self.named("api")]

    async def all_ready(self, seconds: float = 2 * GIVE_UP_SECONDS) -> None:
        """Whatever was done to them before: thawed, released, and all ready."""
        for member in self.members.values():
            member.thaw()
            member.release()
        # Who cannot do without Postgres may have ended with it meanwhile.
        await eventually(
            lambda: all(member.is_ready for member in self.members.values()),
            "all members to be ready",
            seconds=seconds,
            told=lambda: f"not ready: {[n for n, member in self.members.items() if not member.is_ready]}\n{self.log()}",
        )

    def last_leader(self, kind: str) -> Member:
        """Who of them said last that it leads."""
        line = next(line for line in reversed(self.lines) if f'"{kind}.leads"' in line)
        return next(member for member in self.named(kind) if f" {member.name}: " in line)

    async def wipe_nats(self) -> None:
        """Killed, its store deleted, and back."""
        nats = self.members["nats"]
        await nats.hold_down()
        shutil.rmtree(self.nats.store)
        nats.release()
        await nats.until_ready()

    async def stop(self) -> None:
        roles = [member for name, member in self.members.items() if name not in ("postgres", "nats")]
        await asyncio.gather(*(member.stop() for member in roles))
        await asyncio.gather(*(self.members[name].stop() for name in ("postgres", "nats") if name in self.members))
        self.postgres.discard_socket_folder()

    def log(self, count: int = 40) -> str:
        """The last lines of all members."""
        return "\n".join(self.lines[-count:])

    def write_log(self, path: Path) -> None:
        path.write_text("\n".join(self.lines) + "\n")

    def _add(self, program: Program) -> Member:
        member = self.members[program.name] = Member(program, self._say)
        return member

    def _say(self, who: str, line: str) -> None:
        self.lines.append(f"{monotonic() - self._began:8.2f} {who}: {line}")


@asynccontextmanager
async def running_cluster(data_dir: Path, model: ModelProcess, **roles: int) -> AsyncIterator[Cluster]:
    """`roles`: how many of each, such as api=2, worker=2."""
    cluster = Cluster(data_dir)
    try:
        await cluster.start(model, roles)
        yield cluster
    finally:
        await cluster.stop()


def free_port(*, besides: Collection[int] = ()) -> int:
    """`besides`: ports that are promised to who does not listen yet."""
    while True:
        port = PORT_FIRST + random_below(PORT_COUNT)
        if port not in besides and is_free("127.0.0.1", port):
            return port


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found
