"""`microcos dev`: the servers, the schema, and each role as a child process, kept alive until we are told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import psycopg

from cli.children import free_port, role_command, role_environment, run_to_end
from cli.data_dir import DataDirLock
from cli.output import Printer
from cli.token import base_url, login_link
from domain.errors import Unavailable
from infra.clock import SystemClock, system_clock
from infra.dev_tokens import make_token
from infra.embedded import launch
from infra.embedded.binaries import EmbeddedError
from infra.embedded.nats import EmbeddedNats
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.supervise import Child, Role, RoleProgram, Say, ServerProgram, Stops
from infra.keys.local import key_path, private_folder, with_local_keys
from infra.login_codes import issue_login_code
from infra.postgres import open_pool
from infra.queries import Queries
from infra.schema import current_revision, head_revision
from infra.settings import PREFIX, Settings, SettingsError, unknown_variables
from infra.telemetry import configure_logging
from infra.work import PostgresWorkQueue

USER_SUB = "me"
START_SECONDS_MAX = 60.0
RELEASE_SECONDS = 5.0
EXPECTED = (SettingsError, EmbeddedError, Unavailable, psycopg.Error, OSError)

# Together with the servers' below the ten seconds that a stop may take.
ROLE_STOPS: Stops = ((signal.SIGTERM, 6.0), (signal.SIGKILL, 1.0))
POSTGRES_STOPS: Stops = ((signal.SIGINT, 2.5), (signal.SIGQUIT, 0.5), (signal.SIGKILL, 0.5))
NATS_STOPS: Stops = ((signal.SIGINT, 1.0), (signal.SIGKILL, 0.5))


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Default 8000; 0 takes any free one.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=None, help="Default .microcos.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
def dev(port: int | None, data_dir: Path | None, workers: int) -> None:
    """Run everything on this machine: Postgres and NATS unless their URLs are set, and one process a role."""
    settings = Settings.from_environment()
    if data_dir is not None:
        settings = replace(settings, data_dir=data_dir)
    if port is not None:
        settings = replace(settings, port=port)
    settings = replace(settings, data_dir=settings.data_dir.absolute())
    if settings.now and not settings.now_started_ms:
        settings = replace(settings, now_started_ms=SystemClock().now_ms())
    configure_logging(settings, "dev")
    printer = Printer()
    try:
        with DataDirLock(settings.data_dir):
            refuse_lost_keys(settings)
            is_ok = asyncio.run(Dev(with_local_keys(settings), workers, printer.say).run())
    except (SettingsError, EmbeddedError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{settings.data_dir} cannot be used: {error}.") from error
    finally:
        printer.close()
    if not is_ok:
        sys.exit(1)


async def release_leases(settings: Settings, owners: list[str] | None) -> None:
    """End the leases of these workers, of all for None, so that their replies need not wait. Raises `Unavailable`."""
    async with open_pool(settings, "dev", size=1) as pool:
        # Postgres may have died beside them, and be on its way back.
        queries = Queries(pool, deadline_seconds=RELEASE_SECONDS)
        await PostgresWorkQueue(queries).release_dead(owners)


class Dev:
    """One run of `dev`: the settings grow by the addresses of what was started.

    `command` makes a command line of a role's arguments, `release_leases` is given the owners that are dead, or None
    for all.
    """

    def __init__(
        self,
        settings: Settings,
        workers: int,
        say: Say,
        *,
        command: Callable[[list[str]], list[str]] = role_command,
        release_leases: Callable[[Settings, list[str] | None], Awaitable[None]] = release_leases,
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._say = say
        self._command = command
        self._release_leases = release_leases
        self._servers: list[Child] = []
        self._roles: list[Child] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._hurry = False

    async def run(self) -> bool:
        """Until it is told to stop; whether everything came up."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Who started us with nohup wants us to outlive the terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_signal)
        up = asyncio.create_task(self._bring_up())
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait([up, stop], return_when=asyncio.FIRST_COMPLETED)
        failure: BaseException | None = None
        if up.done() and (failure := up.exception()) is None:
            await stop
        up.cancel()
        stop.cancel()
        await asyncio.gather(up, stop, return_exceptions=True)
        if failure is not None:
            self._say("dev", f"gives up: {failure}")
        await self._shut_down()
        if failure is not None and not isinstance(failure, EXPECTED):
            raise failure
        return failure is None

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hurry = True
            children = [*self._roles, *self._servers]
            self._tasks += [asyncio.create_task(child.stop(at_once=True)) for child in children]
        self._stop.set()

    async def _bring_up(self) -> None:
        began = asyncio.get_running_loop().time()
        self._settings = replace(self._settings, port=free_port(self._settings.host, self._settings.port))
        for variable in unknown_variables():
            self._say("dev", f"{variable} is set but is no setting; `microcos settings` lists them")
        is_own_database = not self._settings.database_url
        self._start_servers()
        await self._all_ready(self._servers)
        # Most starts find the schema as they need it, and only who changes it has to wait for Alembic.
        if await asyncio.to_thread(current_revision, self._settings.database_url) != head_revision():
            await run_to_end("migrate", self._command(["migrate"]), self._settings)
        if is_own_database:
            # Nobody of the last run is alive, whatever its leases say.
            await self._release_leases(self._settings, None)
        self._write_addresses()
        self._start_roles()
        await self._all_ready(self._roles)
        seconds = asyncio.get_running_loop().time() - began
        self._say("dev", f"ready in {seconds:.1f} s; Ctrl-C stops; data is in {self._settings.data_dir}")
        await self._greet()

    def _start_servers(self) -> None:
        data_dir = self._settings.data_dir
        if not self._settings.database_url:
            postgres = EmbeddedPostgres(data_dir)
            if launch.way_out_of_root() == "nobody":
                self._say("postgres", "runs as user nobody, since root may not and user namespaces are forbidden here")
            self._servers.append(Child(ServerProgram(postgres, POSTGRES_STOPS), self._say))
            self._settings = replace(self._settings, database_url=postgres.url())
        if not self._settings.nats_url:
            nats = EmbeddedNats(data_dir)
            nats.choose_port()
            self._servers.append(Child(ServerProgram(nats, NATS_STOPS), self._say))
            self._settings = replace(self._settings, nats_url=nats.url)
        self._tasks += [asyncio.create_task(self._keep_alive(child)) for child in self._servers]

    def _start_roles(self) -> None:
        workers = [f"worker-{number}" for number in range(1, self._workers + 1)]
        roles = (
            ("relay", ["relay"]),
            ("projections", ["projections", "run"]),
            *((worker, ["worker"]) for worker in workers),
            ("api", ["api"]),
        )
        for place, (name, arguments) in enumerate(roles):
            is_worker = name in workers
            role = Role(
                name=name,
                command=partial(self._command, arguments),
                environment=partial(role_environment, self._settings, owner=name if is_worker else "", place=place),
                stops=ROLE_STOPS,
                on_end=self._on_worker_end if is_worker else None,
            )
            self._roles.append(Child(RoleProgram(role), self._say))
        self._tasks += [asyncio.create_task(self._keep_alive(child)) for child in self._roles]

    async def _keep_alive(self, child: Child) -> None:
        """A supervisor that fails stops everything: better than a child that is quietly no longer looked after."""
        try:
            await child.run()
        finally:
            self._stop.set()

    async def _on_worker_end(self, environment: Mapping[str, str]) -> None:
        """Its replies need not wait for their leases to run out: we saw it die."""
        if self._stop.is_set():
            return
        with suppress(Unavailable):
            await self._release_leases(self._settings, [environment[PREFIX + "WORKER_OWNER"]])

    async def _all_ready(self, children: list[Child]) -> None:
        for child in children:
            try:
                async with asyncio.timeout(START_SECONDS_MAX):
                    await child.ready.wait()
            except TimeoutError:
                raise EmbeddedError(f"{child.name} did not become ready in {START_SECONDS_MAX:.0f} s") from None

    async def _greet(self) -> None:
        self._say("url", base_url(self._settings))
        if self._settings.auth_mode != "dev":
            return
        self._say("token", make_token(self._settings, system_clock(self._settings), USER_SUB))
        code = await asyncio.to_thread(issue_login_code, self._settings, USER_SUB)
        self._say("log in", login_link(self._settings, code))

    def _write_addresses(self) -> None:
        """For other commands on this machine, such as `microcos doctor` in another terminal."""
        names = ("database_url", "nats_url", "host", "port", "now", "now_started_ms")
        values = {name: str(getattr(self._settings, name)) for name in names}
        path = addresses_path(self._settings)
        # Renamed into place: a command in another terminal finds all of it or nothing.
        draft = path.with_name(f".{path.name}.draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({name: value for name, value in values.items() if value not in ("", "0")}))
        draft.replace(path)

    async def _shut_down(self) -> None:
        """The roles first, so that what they still have to say finds the servers."""
        self._say("dev", "stops")
        for children in (self._roles, self._servers):
            await asyncio.gather(*(child.stop(at_once=self._hurry) for child in children))
        await asyncio.gather(*self._tasks)
        addresses_path(self._settings).unlink(missing_ok=True)


def addresses_path(settings: Settings) -> Path:
    return private_folder(settings.data_dir / "run") / "dev.json"


def refuse_lost_keys(settings: Settings) -> None:
    """A new master key would make everything that is stored unreadable, quietly and for good."""
    cluster = EmbeddedPostgres(settings.data_dir)
    if settings.database_url or settings.master_key or not cluster.exists:
        return
    path = key_path(settings.data_dir, "master_key")
    if not path.exists():
        raise SettingsError(f"{cluster.cluster} holds data but {path} is gone: put the key back, or remove both.")
