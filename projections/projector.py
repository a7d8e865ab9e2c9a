"""Keeps the live views: one elected runner, all views of a page of the log in one transaction, each event once.

The views' rows, the position that was read and the proof of leadership commit together. Any number of processes may
run; two that both believe to lead do no harm. An event that cannot be read stops the runner: it is never skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from psycopg import AsyncConnection

from domain.errors import Unavailable
from domain.ports import Clock, StoredEvent
from infra import failpoints
from infra.codec import CorruptEvent
from infra.event_log import binary_arrays
from infra.ids import jitter
from infra.leadership import Candidate
from infra.leases import LeadershipLost, PostgresLeaders
from infra.postgres import connect, limit_transactions
from infra.queries import STORE_FAILURES, Queries, shut_after
from infra.settings import Settings
from infra.telemetry import counter, gauge, get_logger, hashed, histogram
from infra.together import until_one_ends
from projections.builds import ADVANCE, LIVE, SESSION, Build, StaleBuild, applied, names_of, whole_commands
from projections.peek import see
from projections.sql import Statement
from projections.view import Seen
from projections.views import VIEWS

logger = get_logger("projections.projector")

ROLE = "projections"
RETRY_SECONDS = 0.3
COMMIT_SECONDS_MAX = 120.0
STATEMENT_SECONDS_MAX = 60.0  # what takes long here, such as the end of a huge conversation, must get through once

EVENTS = counter("microcos_projections_events_total", "Events that this process brought into the live views.")
POSITION = gauge("microcos_projections_position", "Place in the log that the live views have reached.")
LEADS = gauge("microcos_projections_leads", "1 while this process is the one that keeps the views.")
LAG = histogram("microcos_projections_lag_seconds", "From an event's time to its commit in the views.")


class ViewLog(Protocol):
    """What the runner needs of an event log."""

    async def read_log(self, *, after: int, limit: int = 5_000) -> list[StoredEvent]: ...
    def tail(self, *, after: int | None = None) -> AsyncGenerator[list[StoredEvent], None]: ...


class Projector:
    def __init__(
        self, log: ViewLog, queries: Queries, leaders: PostgresLeaders, clock: Clock, settings: Settings
    ) -> None:
        self._log = log
        self._queries = queries
        self._leaders = leaders
        self._candidate = Candidate(leaders, ROLE, settings, leads=LEADS)
        self._clock = clock
        self._settings = settings
        self._epoch = 0

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """For ever; cancel it to stop. `ready` is called once it is known whether this one leads.

        Raises `infra.codec.CorruptEvent` for an event that cannot be read.
        """
        await self._candidate.run(self._lead, stand_by=self._stand_by, ready=ready)

    def _stand_by(self) -> None:
        logger.info("projections.stands_by", epoch=self._epoch)

    # --- leading ----------------------------------------------------------------------------------------------

    async def _lead(self, epoch: int) -> None:
        self._epoch = epoch
        logger.info("projections.leads", epoch=epoch)
        while True:
            try:
                await self._project_from_the_tables()
            except StaleBuild:
                continue  # a view was rebuilt, or another leader was here: look again
            except LeadershipLost:
                logger.info("projections.overtaken", epoch=self._epoch)
            except (Unavailable, *STORE_FAILURES) as failure:
                logger.warning("projections.interrupted", error=type(failure).__name__)
            await asyncio.sleep(jitter(RETRY_SECONDS))

    async def _project_from_the_tables(self) -> None:
        """What is live, and where it stands, is asked of the tables: at start and after anything unexpected."""
        found = await self._live_builds()
        builds = [build for build in found if build.version == build.view.version]
        left_out = VIEWS.keys() - {build.view.name for build in builds}
        for name in sorted(left_out):
            # Its rows were made by other code than ours, or it is not there yet; going on would mix the two.
            logger.error("projections.needs_rebuild", view=name, to_version=VIEWS[name].version)
        work = [self._follow(builds)] if builds else []
        if left_out:
            work.append(self._until_rebuilt(found))
        await until_one_ends(*work)

    async def _live_builds(self) -> list[Build]:
        rows = await self._queries.fetch(LIVE)
        return [Build(VIEWS[view], build, version, at) for view, build, version, at in rows if view in VIEWS]

    async def _until_rebuilt(self, found: Sequence[Build]) -> None:
        known = set(names_of(found))
        while True:
            await asyncio.sleep(self._settings.leader_renew_seconds)
            if set(names_of(await self._live_builds())) != known:
                return

    async def _follow(self, builds: list[Build]) -> None:
        seconds = STATEMENT_SECONDS_MAX
        connection = await connect(self._settings, "projections", statement_timeout_seconds=seconds)
        async with connection:
            binary_arrays.accept(connection)
            with shut_after(connection, COMMIT_SECONDS_MAX):
                await connection.execute(SESSION)
                await limit_transactions(connection, COMMIT_SECONDS_MAX)
            builds = await self._catch_up(connection, builds)
            left: list[StoredEvent] = []
            async with aclosing(self._log.tail(after=builds[0].position)) as pages:
                async for page in pages:
                    left += page
                    while left:
                        part = left[: self._settings.projection_page]
                        seen = _see(part)
                        count = whole_commands(seen)
                        if count < len(part) == len(left):
                            if await self._log.read_log(after=left[-1].position, limit=1):
                                break  # the rest of the last command comes with the next page
                            count = len(part)
                        builds = await self._commit(connection, builds, seen[:count], part[count - 1].position)
                        del left[:count]

    async def _catch_up(self, connection: AsyncConnection[Any], builds: list[Build]) -> list[Build]:
        """Builds that are behind the others, alone, until all stand at one place."""
        while (last := min(build.position for build in builds)) < max(build.position for build in builds):
            behind = [build for build in builds if build.position == last]
            others = [build for build in builds if build.position != last]
            until = min(build.position for build in others)
            page = await self._log.read_log(after=last, limit=self._settings.projection_page)
            part = [event for event in page if event.position <= until]
            seen = _see(part)
            if len(part) == self._settings.projection_page:
                seen = seen[: whole_commands(seen)]
                until = part[len(seen) - 1].position
            # Else this is all there is for them: the gap up to the others holds nothing.
            builds = [*others, *await self._commit(connection, behind, seen, until)]
        return builds

    async def _commit(
        self, connection: AsyncConnection[Any], builds: Sequence[Build], events: Sequence[Seen], to: int
    ) -> list[Build]:
        """All changes of a page, and the position read, as one; the builds as they are then."""
        statements = [statement for build in builds for statement in applied(build, events)]
        await failpoints.reach("projections.commit.before")
        with shut_after(connection, COMMIT_SECONDS_MAX):
            await self._apply(connection, statements, builds, to)
        await failpoints.reach("projections.commit.after")
        if events:
            EVENTS.inc(len(events))
            POSITION.set(to)
            LAG.observe(max(0.0, (self._clock.now_ms() - events[-1].at_ms) / 1000))
        return [Build(build.view, build.build, build.version, to) for build in builds]

    async def _apply(
        self, connection: AsyncConnection[Any], statements: Sequence[Statement], builds: Sequence[Build], to: int
    ) -> None:
        after = builds[0].position
        async with connection.pipeline() as pipeline, connection.transaction():
            # Holding the tracking rows keeps the builds from being replaced and dropped under us.
            advanced = await connection.execute(ADVANCE, (to, names_of(builds), after))
            await pipeline.sync()  # should we freeze here, the server ends the transaction: see `still_leads`
            if len(await advanced.fetchall()) != len(builds):
                raise StaleBuild(f"not all of {names_of(builds)} stand at {after}")
            for statement, parameters in statements:
                await connection.execute(statement, parameters)
            await self._leaders.still_leads(connection, ROLE, self._epoch, pipeline)
            await failpoints.reach("projections.commit.within")


def _see(page: Sequence[StoredEvent]) -> list[Seen]:
    seen = []
    for event in page:
        try:
            seen.append(see(event.user_id, event.version, event.name, event.state))
        except CorruptEvent as error:
            logger.critical(
                "projections.event_unreadable",
                position=event.position,
                user=hashed(event.user_id),
                version=event.version,
                event_name=event.name if event.name.isalpha() else "",
                error=type(error).__name__,
            )
            raise
    return seen
