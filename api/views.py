"""What the query routes and hubs read with: the views, their freshness, and presence beside them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from commands.write_side import WriteSide
from domain.values import Json
from infra.presence import PostgresPresence
from projections.reading import Reader
from projections.state_queries import fetch_changes
from projections.wait import Freshness

CHANGES_IN_A_FRAME_MAX = 200


@dataclass(frozen=True, slots=True)
class Views:
    """What the query routes read with. Opened by the composition root."""

    reader: Reader
    freshness: Freshness
    presence: PostgresPresence
    side: WriteSide

    async def wait_for(self, view: str, user_id: str, min_version: int) -> None:
        """Raises `Invalid` above the head, `Unavailable` when the view stays behind."""
        await self.freshness.wait_for(view, user_id, min_version, self.side.settings.min_version_wait_seconds)

    async def catch_up(self, views: Collection[str], user_id: str) -> None:
        """Waits, within reason, until they show what the user's stream has by now."""
        await self.freshness.catch_up(views, user_id, self.side.settings.min_version_wait_seconds)

    async def changes(self, user_id: str, since: int, until: int) -> tuple[int, dict[str, Json]]:
        """For `state.updated`: waits until the state view has reached `until`; what changed after `since`."""
        fetched = await fetch_changes(self.reader, user_id, since=since, limit=CHANGES_IN_A_FRAME_MAX)
        if fetched.mark.version < until:
            # Most often it has by now, and one statement is enough.
            await self.wait_for("state", user_id, until)
            fetched = await fetch_changes(self.reader, user_id, since=since, limit=CHANGES_IN_A_FRAME_MAX)
        told = ("lastSnapshotTs", "version", "more")
        patch = {name: value for name, value in fetched.body.items() if value and name not in told}
        # Of very many changes this is the first part: the next look goes on after it.
        return int(fetched.body["version"]), patch

    async def with_presence(self, user_id: str, sessions: Json) -> Json:
        """Sessions with when they were last seen, in Unix seconds, and whether a client listens now."""
        seen = await self.presence.of(user_id)
        shapes = []
        for session in sessions:
            opened_ms = round(datetime.fromisoformat(session["openedAt"]).timestamp() * 1000)
            last_seen_ms, active = seen.get(session["sessionId"], (opened_ms, False))
            shapes.append({**session, "lastSeen": last_seen_ms // 1000, "active": active})
        return shapes
