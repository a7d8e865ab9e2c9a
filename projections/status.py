"""What can be said about the views from outside: which builds there are, how far they are, who keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from domain.ports import Clock
from infra.queries import Queries
from projections.projector import ROLE
from projections.views import VIEWS

LAG_EVENTS_MAX = 100_000  # counting more would take longer than anybody waits for

BUILDS = """SELECT b.view, b.build, b.version, b.status, t.notification_id,
    (SELECT count(*) FROM (SELECT 1 FROM log0_events WHERE notification_id > t.notification_id LIMIT %(most)s) behind),
    (SELECT state FROM log0_events WHERE notification_id > t.notification_id ORDER BY notification_id LIMIT 1)
FROM view_builds b LEFT JOIN log0_tracking t ON t.application_name = b.view || '_b' || b.build
ORDER BY b.view, b.build"""

LEADER = "SELECT owner, epoch FROM leaders WHERE role = %s AND log = 0 AND until > clock_timestamp()"


class _Timed(msgspec.Struct):
    at_ms: int


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """`position` is None while it is loaded in bulk. `lag_seconds` is the age of the oldest event not yet in it."""

    view: str
    build: int
    version: int
    status: Literal["live", "building", "retired"]
    position: int | None
    lag_events: int
    lag_seconds: float

    @property
    def needs_rebuild(self) -> bool:
        """Its rows were made by another version of the code."""
        return self.status == "live" and self.view in VIEWS and VIEWS[self.view].version != self.version


@dataclass(frozen=True, slots=True)
class Leader:
    owner: str
    epoch: int


async def fetch_builds(queries: Queries, clock: Clock) -> list[BuildStatus]:
    """All builds, by view. Raises `Unavailable`."""
    builds = []
    for view, build, version, status, position, lag_events, oldest in await queries.fetch(
        BUILDS, {"most": LAG_EVENTS_MAX}
    ):
        waits_ms = 0 if oldest is None else clock.now_ms() - msgspec.json.decode(oldest, type=_Timed).at_ms
        builds.append(BuildStatus(view, build, version, status, position, lag_events, max(0.0, waits_ms / 1000)))
    return builds


async def fetch_leader(queries: Queries) -> Leader | None:
    """Who keeps the live views now, if anybody does. Raises `Unavailable`."""
    rows = await queries.fetch(LEADER, (ROLE,))
    return Leader(*rows[0]) if rows else None
