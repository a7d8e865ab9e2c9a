"""The stores in memory: one `MemoryDatabase`, and over it the same ports as over Postgres, held to the same contract
suite. For simulations and fast tests; it is product code and judges commands by the same rules in the same order.

Nothing survives the process. Faults come from the same failpoints.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.ports import (
    Append,
    Appended,
    AppendRefused,
    Duplicate,
    Segment,
    Snapshot,
    StoredEvent,
    Verdict,
    VersionConflict,
    Work,
    WorkClaimed,
    WorkDone,
    WorkWanted,
)
from infra import failpoints
from infra.ids import SHARDS
from infra.keys.keyring import KeyRow
from infra.queries import unavailable

PAGE_EVENTS_MAX = 5_000


@dataclass(slots=True)
class _WorkRow:
    reply_id: str
    attempt: int = 0
    owner: str | None = None
    lease_until: float | None = None


class MemoryDatabase:
    """`monotonic` is the database's clock, which leases are read by."""

    def __init__(self, monotonic: Callable[[], float], *, generation: str = "00000000-0000-0000-0000-000000000000"):
        self.monotonic = monotonic
        self.generation = generation
        self.log: list[StoredEvent] = []
        self.streams: dict[str, list[StoredEvent]] = {}
        self.commands: dict[tuple[str, str], Duplicate] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.work: dict[str, _WorkRow] = {}  # in the order of wanting
        self.segments: dict[tuple[str, str, int, int], tuple[Segment, float]] = {}
        self.shards = {f"{shard:02d}": 0 for shard in range(SHARDS)}
        self.users: dict[bytes, str] = {}
        self.keys: dict[str, KeyRow] = {}
        self.check_value: bytes | None = None
        self.leaders: dict[str, tuple[str, int, float]] = {}
        self.committed = asyncio.Event()


class MemoryEventLog:
    """`domain.ports.EventLog`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def append(self, append: Append) -> Verdict:
        UUID(append.command_id)  # as in Postgres, a mistake of ours and no verdict
        await asyncio.sleep(0)
        try:
            await failpoints.reach("append.before")
            verdict = self._judge(append)
            if isinstance(verdict, Appended):
                self._store(append)
            await failpoints.reach("append.after")
        except failpoints.InjectedFault as error:
            raise unavailable("The outcome is unknown. Send the same command again, with the same key.") from error
        return verdict

    def _judge(self, append: Append) -> Verdict:
        database = self._database
        duplicate = database.commands.get((append.user_id, append.command_id))
        if duplicate is not None:
            return duplicate
        stream = database.streams.get(append.user_id)
        if stream and stream[-1].name == "UserErased":
            return AppendRefused("erased")
        if database.shards.get(append.user_id[:2]) != 0:
            return AppendRefused("not_owned")
        head = stream[-1].version if stream else 0
        if head != append.expected_version:
            return VersionConflict(head)
        if isinstance(append.work, WorkClaimed) and not self._claimable(append.user_id, append.work):
            return AppendRefused("leased")
        position = len(database.log) + len(append.events) if append.events else 0
        return Appended(head + len(append.events), position)

    def _claimable(self, user_id: str, claim: WorkClaimed) -> bool:
        row = self._database.work.get(user_id)
        if row is None or row.reply_id != claim.reply_id or row.attempt != claim.attempt - 1:
            return False
        is_free = row.lease_until is None or row.lease_until <= self._database.monotonic()
        return is_free or row.owner == claim.owner

    def _store(self, append: Append) -> None:
        database = self._database
        stream = database.streams.setdefault(append.user_id, [])
        for event in append.events:
            position = len(database.log) + 1
            stored = StoredEvent(position, append.user_id, len(stream) + 1, event.name, event.state)
            database.log.append(stored)
            stream.append(stored)
            if event.name == "UserErased":
                database.users = {s: user for s, user in database.users.items() if user != append.user_id}
        if append.answer is not None:
            database.commands[append.user_id, append.command_id] = Duplicate(
                append.fingerprint, append.status, append.answer, append.answer_key_id, len(stream)
            )
        self._change_work(append)
        if append.events:
            committed, database.committed = database.committed, asyncio.Event()
            committed.set()

    def _change_work(self, append: Append) -> None:
        work, now = self._database.work, self._database.monotonic()
        row = work.get(append.user_id)
        match append.work:
            case WorkWanted(reply_id):
                if row is None or row.reply_id != reply_id:
                    work.pop(append.user_id, None)  # so that it goes to the end of the line
                    work[append.user_id] = _WorkRow(reply_id)
            case WorkClaimed(_, attempt, owner, lease_seconds):
                assert row is not None
                row.attempt, row.owner, row.lease_until = attempt, owner, now + lease_seconds
            case WorkDone():
                work.pop(append.user_id, None)

    async def find_command(self, user_id: str, command_id: str) -> Duplicate | None:
        return self._database.commands.get((user_id, command_id))

    async def head(self, user_id: str) -> int:
        stream = self._database.streams.get(user_id)
        return stream[-1].version if stream else 0

    async def read_stream(
        self, user_id: str, *, after: int, until: int | None = None, limit: int = 5_000
    ) -> list[StoredEvent]:
        stream = self._database.streams.get(user_id, [])
        return stream[after : until if until is None else max(after, until)][:limit]

    async def read_versions(self, user_id: str, versions: Sequence[int]) -> list[StoredEvent]:
        wanted = set(versions)
        return [event for event in self._database.streams.get(user_id, []) if event.version in wanted]

    async def read_log(self, *, after: int, limit: int = 5_000) -> list[StoredEvent]:
        start = bisect_right(self._database.log, after, key=lambda event: event.position)
        return self._database.log[start : start + limit]

    async def last_position(self) -> int:
        return len(self._database.log)

    async def load_snapshot(self, user_id: str, name: str) -> Snapshot | None:
        snapshot = self._database.snapshots.get(user_id)
        return snapshot if snapshot is not None and snapshot.name == name else None

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        known = self._database.snapshots.get(snapshot.user_id)
        if known is None or known.version <= snapshot.version:
            self._database.snapshots[snapshot.user_id] = snapshot

    async def generation(self) -> str:
        return self._database.generation

    def tail(self, *, after: int | None = None) -> AsyncGenerator[list[StoredEvent], None]:
        return self._pages(after)

    def poke(self) -> None:
        """Nothing to do: followers hear of every append."""

    async def _pages(self, after: int | None) -> AsyncGenerator[list[StoredEvent], None]:
        position = await self.last_position() if after is None else after
        while True:
            committed = self._database.committed
            page = await self.read_log(after=position, limit=PAGE_EVENTS_MAX)
            if page:
                position = page[-1].position
                yield page
            else:
                await committed.wait()


class MemoryWorkQueue:
    """`domain.ports.WorkQueue`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def claimable(self, *, limit: int) -> list[Work]:
        now = self._database.monotonic()
        free = [
            item for item in self._database.work.items() if item[1].lease_until is None or item[1].lease_until <= now
        ]
        return [Work(user, row.reply_id, row.attempt, row.owner) for user, row in free[:limit]]

    async def renew(self, owner: str, user_ids: Sequence[str], lease_seconds: float) -> set[str]:
        mine = {user for user in user_ids if (row := self._database.work.get(user)) and row.owner == owner}
        for user in mine:
            self._database.work[user].lease_until = self._database.monotonic() + lease_seconds
        return mine

    async def release_dead(self, owners: Sequence[str] | None) -> int:
        now = self._database.monotonic()
        released = 0
        for row in self._database.work.values():
            is_leased = row.lease_until is not None and row.lease_until > now
            if is_leased and (owners is None or row.owner in owners):
                row.lease_until = now
                released += 1
        return released


class MemorySegments:
    """`domain.ports.Segments`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def write(self, segments: Sequence[Segment]) -> None:
        now = self._database.monotonic()
        for segment in segments:
            place = (segment.user_id, segment.reply_id, segment.attempt, segment.first_index)
            self._database.segments.setdefault(place, (segment, now))

    async def read(self, user_id: str, reply_id: str, *, attempt: int, after_index: int) -> list[Segment]:
        found = [
            segment
            for place, (segment, _) in self._database.segments.items()
            if place[:3] == (user_id, reply_id, attempt) and segment.last_index > after_index
        ]
        return sorted(found, key=lambda segment: segment.first_index)

    async def prune(self, *, older_than_seconds: float) -> int:
        since = self._database.monotonic() - older_than_seconds
        old = [place for place, (_, written_at) in self._database.segments.items() if written_at < since]
        for place in old:
            del self._database.segments[place]
        return len(old)


class MemoryKeyStore:
    """`infra.keys.keyring.KeyStore`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def check_value(self, offered: bytes) -> bytes:
        if self._database.check_value is None:
            self._database.check_value = offered
        return self._database.check_value

    async def find_user(self, subject: bytes) -> str | None:
        return self._database.users.get(subject)

    async def insert_user(self, subject: bytes, key: KeyRow) -> None:
        if subject not in self._database.users:
            self._database.users[subject] = key.user_id
            self._database.keys[key.key_id] = key

    async def insert_key(self, key: KeyRow) -> None:
        self._database.keys.setdefault(key.key_id, key)

    async def keys_of(self, user_id: str) -> list[KeyRow]:
        return [key for key in self._database.keys.values() if key.user_id == user_id]

    async def destroy(self, key_ids: Sequence[str]) -> None:
        for key_id in key_ids:
            if key_id in self._database.keys:
                self._database.keys[key_id] = replace(self._database.keys[key_id], wrapped=None)


class MemoryLeaders:
    """`infra.leases.Leaders`."""

    def __init__(self, database: MemoryDatabase, owner: str) -> None:
        self._database = database
        self.owner = owner

    async def acquire(self, role: str, lease_seconds: float) -> int | None:
        now = self._database.monotonic()
        owner, epoch, until = self._database.leaders.get(role, ("", 0, now))
        if owner != self.owner and until > now:
            return None
        epoch += owner != self.owner
        self._database.leaders[role] = (self.owner, epoch, now + lease_seconds)
        return epoch

    async def resign(self, role: str) -> None:
        owner, epoch, _ = self._database.leaders.get(role, ("", 0, 0.0))
        if owner == self.owner:
            self._database.leaders[role] = (owner, epoch, self._database.monotonic())
