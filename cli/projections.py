"""`microcos projections …`: keep the read models, look at them, build one anew, compare them with the log."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click
import psycopg
import uvloop

from cli.outages import away, told_once
from cli.progress import WorkProgress
from cli.roles import run_until_told, stop_event, tell_ready
from domain.errors import Unavailable
from infra.clock import system_clock
from infra.codec import CorruptEvent
from infra.event_log.store import BACKGROUND_GATHER_SECONDS, open_event_log
from infra.ids import new_id
from infra.leases import PostgresLeaders
from infra.postgres import conninfo, open_pool
from infra.queries import Queries
from infra.settings import Settings
from infra.telemetry import configure_logging, serve_metrics
from projections.builds import StaleBuild
from projections.projector import Projector
from projections.rebuild import Rebuild, RebuildFailed
from projections.status import BuildStatus, Leader, fetch_builds, fetch_leader
from projections.verify import Comparison, compare_live
from projections.view import View
from projections.views import VIEWS

NAME = click.Choice(list(VIEWS))
ROW = "{:<8} {:>5} {:>7}  {:<9} {:>12} {:>11} {:>9}"


@click.group()
def projections() -> None:
    """Run, list, rebuild and verify the read models (projections of the event log)."""


@projections.command("run")
def run_command() -> None:
    """Keep the live views. Any number of these processes may run; one leads, the others stand by."""
    settings = Settings.load()
    configure_logging(settings, "projections")
    serve_metrics(settings)
    if not uvloop.run(_run(settings)):
        sys.exit(1)


@projections.command("list")
def list_command() -> None:
    """The views that this code knows, with their tables."""
    for view in VIEWS.values():
        click.echo(f"{view.name:<8} version {view.version}  {', '.join(table.name for table in view.tables)}")


@projections.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def status(as_json: bool) -> None:
    """Each view's live build, its position, how far it is behind, and who keeps the views."""
    builds, leader = uvloop.run(_status(Settings.load()))
    if as_json:
        click.echo(json.dumps({"leader": leader and asdict(leader), "builds": [asdict(build) for build in builds]}))
        return
    click.echo(ROW.format("view", "build", "version", "status", "position", "lag events", "lag s"))
    for build in builds:
        click.echo(_status_line(build))
    click.echo(f"kept by {leader.owner} (epoch {leader.epoch})" if leader else "kept by nobody")


@projections.command()
@click.argument("name", type=NAME)
def rebuild(name: str) -> None:
    """Build view NAME anew from the log beside the live one, check it, and swap it in.

    Commands and queries go on. When it is stopped, even killed, the live view serves on; run it again and it goes on
    where it was.
    """
    settings = Settings.load()
    configure_logging(settings, "rebuild")
    try:
        with WorkProgress(f"rebuild {name}", system_clock(settings)) as progress:
            build = Rebuild(settings, VIEWS[name], progress).run()
    except KeyboardInterrupt:
        raise click.ClickException(f"Stopped. Run `microcos projections rebuild {name}` again to go on.") from None
    except RebuildFailed as error:
        _show(error.comparison)
        raise click.ClickException(f"{error}; the new build was dropped, the old one serves on.") from None
    except (StaleBuild, CorruptEvent, psycopg.Error) as error:
        raise click.ClickException(f"The old build of {name} serves on. {error}") from error
    click.echo(f"{name} is live as build {build.build}, version {build.version}, at position {build.position}")


@projections.command()
@click.argument("name", type=NAME, required=False)
def verify(name: str | None) -> None:
    """Compare view NAME, or all, with a fold of the log. Exits with 1 when a row differs."""
    settings = Settings.load()
    configure_logging(settings, "verify")
    views = [VIEWS[name]] if name is not None else list(VIEWS.values())
    are_equal = [_verify(settings, view) for view in views]
    if not all(are_equal):
        sys.exit(1)


def _verify(settings: Settings, view: View) -> bool:
    text = conninfo(settings, "verify", statement_timeout_seconds=0)
    try:
        with (
            WorkProgress(f"verify {view.name}", system_clock(settings)) as progress,
            psycopg.connect(text, autocommit=True) as connection,
        ):
            comparison = compare_live(connection, view, progress)
    except (StaleBuild, CorruptEvent, psycopg.Error) as error:
        raise click.ClickException(str(error)) from error
    _show(comparison)
    return not comparison.different


def _show(comparison: Comparison) -> None:
    click.echo(
        f"{comparison.view}: build {comparison.build} at position {comparison.position}:"
        f" {comparison.users:,} users, {comparison.rows:,} rows, {comparison.different:,} differences"
    )
    for difference in comparison.differences:
        click.echo(f"  {difference.table} {' '.join(map(str, difference.key))}: {difference.what}")


def _status_line(build: BuildStatus) -> str:
    position = "loading" if build.position is None else str(build.position)
    line = ROW.format(
        build.view,
        build.build,
        build.version,
        build.status,
        position,
        build.lag_events,
        f"{build.lag_seconds:.1f}",
    )
    return f"{line}  needs a rebuild" if build.needs_rebuild else line


async def _status(settings: Settings) -> tuple[Sequence[BuildStatus], Leader | None]:
    told_once()
    async with open_pool(settings, "status", size=1) as pool:
        queries = Queries(pool)
        try:
            return await fetch_builds(queries, system_clock(settings)), await fetch_leader(queries)
        except Unavailable as error:
            raise away(error) from error


async def _run(settings: Settings) -> bool:
    """Whether it ended because it was told to."""
    stop = stop_event()
    async with (
        open_pool(settings, "projections", size=2) as pool,
        open_event_log(settings, pool, gather_seconds=BACKGROUND_GATHER_SECONDS) as log,
    ):
        queries = Queries(pool)
        projector = Projector(log, queries, PostgresLeaders(queries, new_id()), system_clock(settings), settings)
        return await run_until_told(projector.run(lambda: tell_ready("projections")), stop)
