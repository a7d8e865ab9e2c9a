"""Folded states of users, cached and kept fresh by the log's tail. A cached state may be stale: only an append
proves it fresh (see `handle.py`).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence

import msgspec

from domain.brain import BRAIN_SCHEMA, EMPTY_BRAIN, Brain
from domain.events import Fact
from domain.evolve import evolve
from domain.ports import EventLog, Snapshot
from domain.values import REDACTED
from infra import codec
from infra.keys.keyring import Keyring

PAGE_EVENTS = 5_000
SNAPSHOT_NAME = f"Brain.{BRAIN_SCHEMA}"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Brain).decode


class States:
    """A bounded cache. It is a feed `Listener`: facts of cached users are folded in as they come; what comes while a
    state is being read is read too: left out, it would be missing until the user's next event."""

    def __init__(self, log: EventLog, keyring: Keyring, *, users_max: int = 10_000, snapshot_events: int = 100) -> None:
        self._log = log
        self._keyring = keyring
        self._users_max = users_max
        self._snapshot_events = snapshot_events
        self._brains: OrderedDict[str, Brain] = OrderedDict()
        self._snapshot_versions: dict[str, int] = {}
        self._loading: Counter[str] = Counter()  # reads under way, by user
        self._heard: dict[str, int] = {}  # the newest version that came by the feed during these

    def cached(self, user_id: str) -> Brain | None:
        brain = self._brains.get(user_id)
        if brain is not None:
            self._brains.move_to_end(user_id)
        return brain

    async def load(self, user_id: str) -> Brain:
        """From the cache, or a snapshot and the events after it. For decisions, which an append judges: it may be a
        moment behind other processes, so who answers from a state by itself asks `refresh`."""
        brain = self.cached(user_id)
        return brain if brain is not None else await self.refresh(user_id)

    async def refresh(self, user_id: str) -> Brain:
        """The state folded up to the stream's head, whatever the cache held."""
        self._loading[user_id] += 1
        try:
            brain = await self._read(user_id)
            self.put(user_id, brain)
        finally:
            self._loading[user_id] -= 1
            if not self._loading[user_id]:
                del self._loading[user_id]
                self._heard.pop(user_id, None)
        return brain

    async def _read(self, user_id: str) -> Brain:
        brain = self._brains.get(user_id) or await self._from_snapshot(user_id)
        is_behind = True
        while is_behind or self._heard.get(user_id, 0) > brain.version:
            rows = await self._log.read_stream(user_id, after=brain.version, limit=PAGE_EVENTS)
            for fact in await self._keyring.open_events(user_id, rows) if rows else []:
                brain = evolve(brain, fact)
            is_behind = len(rows) == PAGE_EVENTS  # a page that is not full ends at the head, as it was then
        return brain

    def put(self, user_id: str, brain: Brain) -> None:
        """Keep `brain` unless a newer one is there already."""
        known = self._brains.get(user_id)
        if known is None or known.version <= brain.version:
            self._brains[user_id] = brain
        self._brains.move_to_end(user_id)
        while len(self._brains) > self._users_max:
            evicted, _ = self._brains.popitem(last=False)
            self._snapshot_versions.pop(evicted, None)

    def drop(self, user_id: str) -> None:
        self._brains.pop(user_id, None)
        self._snapshot_versions.pop(user_id, None)

    # --- feed -------------------------------------------------------------------------------------------------

    def wants(self, user_id: str) -> bool:
        return user_id in self._brains or user_id in self._loading

    def receive(self, user_id: str, facts: Sequence[Fact]) -> None:
        if user_id in self._loading:
            self._heard[user_id] = max(self._heard.get(user_id, 0), facts[-1].version)
        brain = self._brains.get(user_id)
        if brain is None:
            return
        for fact in facts:
            if fact.version == brain.version + 1:
                brain = evolve(brain, fact)
            elif fact.version > brain.version:
                self.drop(user_id)  # a gap: the next use reads the stream
                return
        self._brains[user_id] = brain

    # --- snapshots --------------------------------------------------------------------------------------------

    def snapshot_due(self, user_id: str, brain: Brain) -> bool:
        return brain.version - self._snapshot_versions.get(user_id, 0) >= self._snapshot_events

    async def save_snapshot(self, user_id: str, brain: Brain) -> None:
        keys = await self._keyring.load(user_id)
        if keys.is_erased:
            return
        sealed = codec.seal_entry(_encode(brain), _associated(user_id, brain.version), keys.user_key_id, keys)
        await self._log.save_snapshot(Snapshot(user_id, brain.version, SNAPSHOT_NAME, sealed))
        self._snapshot_versions[user_id] = brain.version

    async def _from_snapshot(self, user_id: str) -> Brain:
        snapshot = await self._log.load_snapshot(user_id, SNAPSHOT_NAME)
        if snapshot is None:
            return EMPTY_BRAIN
        # Not from the cache: nothing else shows us keys that came with events which the snapshot stands for.
        keys = await self._keyring.reload(user_id)
        opened = codec.open_entry(snapshot.state, _associated(user_id, snapshot.version), keys.user_key_id, keys)
        if opened is REDACTED:
            return EMPTY_BRAIN
        self._snapshot_versions[user_id] = snapshot.version
        return _decode(opened)


def _associated(user_id: str, version: int) -> str:
    return f"{user_id}\n{SNAPSHOT_NAME}\n{version}"
