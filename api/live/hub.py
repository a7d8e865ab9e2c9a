"""One user's live stream in this process, for as long as the user has clients here.

Merges facts of the log's tail and chunks of the bus by a `Timeline`, encodes each frame once and pushes it to every
client. Behind both stand reads of Postgres: for a gap in the versions, for missing entries, for a silent bus. Must
never wait for a client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass

from api.live.client import Client
from api.live.cursor import Cursor, Place
from api.live.frames import Encoded
from api.live.one_at_a_time import OneAtATime
from api.live.sources import Facts, Tokens
from api.live.state_updates import Changes, StateUpdates
from api.live.timeline import Moment, Sent, Timeline, step
from domain.errors import Unavailable
from domain.events import Fact, ReplyRequested, ReplyStarted, SessionClosed, SessionOpened, UserErased
from domain.frames import TokenChunk
from domain.ports import Clock, Subscription
from infra.telemetry import get_logger, hashed

PAGE_FACTS = 500
SILENCE_SECONDS = 1.0  # a running reply that says nothing for so long may be speaking where we can't hear it
LOSS_TOLD_SECONDS = 3.0  # segments come every half second: what is not there by then may never come
REACH_TRIES = 6
REACH_PAUSE_SECONDS = 0.25

logger = get_logger("api.live.hub")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What every hub of a process shares. `generation` names the log; `changes` reads the views."""

    generation: str
    facts: Facts
    tokens: Tokens
    changes: Changes
    clock: Clock


class Hub:
    def __init__(self, user_id: str, sources: Sources) -> None:
        self.user_id = user_id
        self.clients: set[Client] = set()  # all of them, also those that still read the past
        self.sessions: set[str] = set()
        self.is_erased = False
        self._sources = sources
        self._attached: set[Client] = set()
        self._timeline: Timeline | None = None
        self._early: list[Fact] = []
        self._subscription: Subscription | None = None
        self._heard_at = 0.0
        self._lost_at: float | None = None
        self._loss_told = False
        self._must_read_bus = False
        self._catching_up = OneAtATime(self.catch_up)
        self._recovering = OneAtATime(self._recover)
        self._refreshing = OneAtATime(self._refresh_keys)
        self._updates = StateUpdates(user_id, sources.changes, self._attached, lambda: self.version)

    @property
    def version(self) -> int:
        return 0 if self._timeline is None else self._timeline.version

    @property
    def timeline(self) -> Timeline:
        assert self._timeline is not None, "the hub has not started"
        return self._timeline

    async def start(self) -> None:
        """Subscribe first, then read: what comes in between is seen twice and sent once. Raises `Unavailable`."""
        self._subscription = await self._sources.tokens.subscribe(self.user_id, self.receive_chunk)
        brain = await self._sources.facts.state(self.user_id)
        self._timeline = Timeline.of(self._sources.generation, brain)
        self.sessions = set(brain.sessions)
        self.is_erased = brain.erased
        self._heard_at = self._sources.clock.monotonic()
        early, self._early = self._early, []
        self.receive_facts(early)
        self._must_read_bus = self._timeline.running is not None
        await self._recover()

    async def stop(self) -> None:
        for job in (self._catching_up, self._recovering, self._refreshing):
            await job.cancel()
        await self._updates.stop()
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    async def settle(self) -> None:
        """Returns once all that was asked for in the background is done; for tests and simulations."""
        for job in (self._catching_up, self._refreshing, self._recovering):
            await job.settle()

    # --- what comes in ------------------------------------------------------------------------------------------

    def receive_facts(self, facts: Sequence[Fact]) -> None:
        """From the feed, or from a read. Only the next version is taken; beyond a gap the log is read, and so it is for
        what one command did to thousands of objects: clients get a page at a time, or none could take them all."""
        if self._timeline is None:
            self._early.extend(facts)
            return
        if len(facts) > PAGE_FACTS:
            self._catching_up.request()
        for fact in facts[:PAGE_FACTS]:
            if fact.version == self._timeline.version + 1:
                self._take_fact(self._timeline, fact)
            elif fact.version > self._timeline.version:
                self._catching_up.request()
                return

    def receive_chunk(self, reply_id: str, chunk: TokenChunk | None) -> None:
        timeline = self._timeline
        if timeline is None:
            return
        self._heard_at = self._sources.clock.monotonic()
        if chunk is None:
            self._must_read_bus = True
            self._recovering.request()
            return
        self._broadcast(timeline.take_chunk(reply_id, chunk))
        self._watch_for_loss(timeline)

    def tick(self) -> None:
        """Once a second: the read behind every subscription. Costs nothing while no reply runs."""
        timeline = self._timeline
        if timeline is None:
            return
        if timeline.lacks_facts:
            self._catching_up.request()
        if timeline.running is None:
            return
        silent = self._sources.clock.monotonic() - self._heard_at >= SILENCE_SECONDS
        if timeline.lacks_entries or silent or not self._sources.tokens.connected:
            self._must_read_bus = self._must_read_bus or timeline.lacks_entries
            self._recovering.request()

    def _take_fact(self, timeline: Timeline, fact: Fact) -> None:
        self._broadcast(timeline.take_fact(fact))
        event = fact.event
        if isinstance(event, ReplyRequested):
            self._refreshing.request()  # its conversation may be new, and bring a key
        elif isinstance(event, ReplyStarted):
            self._heard_at = self._sources.clock.monotonic()
        elif isinstance(event, SessionOpened):
            self.sessions.add(event.session_id)
        elif isinstance(event, SessionClosed):
            self.sessions.discard(event.session_id)
            self._end(client for client in self.clients if client.session_id == event.session_id)
        elif isinstance(event, UserErased):
            self.sessions.clear()
            self.is_erased = True
            self._end(self.clients)
        self._watch_for_loss(timeline)
        if self._attached:
            self._updates.request()

    def _end(self, clients: Iterable[Client]) -> None:
        for client in list(clients):
            self.detach(client)
            client.end("closed")

    # --- what goes out ------------------------------------------------------------------------------------------

    def _broadcast(self, sent: Sequence[Sent]) -> None:
        if not self._attached:
            return
        lagging: list[Client] = []
        for each in sent:
            frame = Encoded(each.frame, each.cursor)
            for client in self._attached:
                if not client.push(frame, version=self.version):
                    lagging.append(client)
            while lagging:
                self._attached.discard(lagging.pop())
                logger.warning("stream.lagged", user=hashed(self.user_id))

    async def replay(self, client: Client, cursor: Cursor | None) -> AsyncGenerator[list[Encoded], None]:
        """Everything after `cursor` up to now, in batches; at its end the client is attached and `client.channel`
        goes on exactly there. Raises `Unavailable`."""
        client.replaying = True
        start = await self._start_of(cursor)
        if start is None:
            moment = self._attach(client, since=self.version)
            if cursor is not None or moment.place is not None:
                yield _encode([moment.reset()])
            client.replaying = False
            return
        version, place, ahead = start.version, start.place, start.ahead
        while self.version - version > PAGE_FACTS:
            sent, version, place = await self._read_past(version, place, None, ahead=ahead)
            ahead = False
            yield _encode(sent)
        await self._reach(place)
        # From here on the channel fills; what was before this moment is read, and no more than that.
        moment = self._attach(client, since=start.version)
        while version < moment.version:
            sent, version, place = await self._read_past(version, place, moment.version, ahead=ahead)
            ahead = False
            yield _encode(sent)
        yield _encode(moment.after(place))
        client.replaying = False

    def detach(self, client: Client) -> None:
        self._attached.discard(client)

    def _attach(self, client: Client, *, since: int) -> Moment:
        self._attached.add(client)
        self._updates.greet(client, since)
        return self.timeline.moment()

    async def _start_of(self, cursor: Cursor | None) -> Cursor | None:
        """The cursor when the stream can go on after it: it is of this log and not beyond its head."""
        if cursor is None or cursor.generation != self._sources.generation:
            return None
        if cursor.needed_version > self.version:
            await self.catch_up()  # another process may have been quicker
        return cursor if cursor.needed_version <= self.version else None

    async def _read_past(
        self, version: int, place: Place | None, until: int | None, *, ahead: bool
    ) -> tuple[list[Sent], int, Place | None]:
        facts = await self._sources.facts.read(self.user_id, after=version, until=until, limit=PAGE_FACTS)
        if not facts:
            raise Unavailable("The log ends before what was sent from it.", retry_after_seconds=1)
        sent: list[Sent] = []
        for fact in facts:
            steps, place = step(self._sources.generation, place, fact, ahead=ahead)
            ahead = False
            sent += steps
        return sent, facts[-1].version, place

    async def _reach(self, place: Place | None) -> None:
        """A client that another process served may be ahead of this one by entries that no segment has yet."""
        for _ in range(REACH_TRIES):
            here = self.timeline.place
            if place is None or here is None or not here.same_attempt(place) or here.covers(place):
                return
            self._must_read_bus = True
            await self._recover()
            if not (here := self.timeline.place) or here.covers(place):
                return
            await asyncio.sleep(REACH_PAUSE_SECONDS)

    # --- the reads behind the subscriptions ---------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Read the log until nothing new is there. Raises `Unavailable`."""
        while True:
            before = self.version
            self.receive_facts(await self._sources.facts.read(self.user_id, after=before, limit=PAGE_FACTS))
            if self.version == before:
                return

    async def _recover(self) -> None:
        """Read what is kept of the running reply beyond what was sent."""
        timeline = self.timeline
        place = timeline.place
        if place is None:
            return
        thorough, self._must_read_bus = self._must_read_bus, False
        try:
            chunks = await self._sources.tokens.read(
                self.user_id, place.reply_id, attempt=place.attempt, after_index=place.index, thorough=thorough
            )
        except Unavailable:
            self._must_read_bus = self._must_read_bus or thorough
            raise
        for chunk in chunks:
            self._broadcast(timeline.take_chunk(place.reply_id, chunk))
        self._watch_for_loss(timeline, tried=True)

    def _watch_for_loss(self, timeline: Timeline, *, tried: bool = False) -> None:
        """Missing entries are looked for at once, then each second; after a while the clients are told to wait."""
        if not timeline.lacks_entries:
            self._lost_at, self._loss_told = None, False
            return
        now = self._sources.clock.monotonic()
        if self._lost_at is None:
            self._lost_at = now
            self._must_read_bus = True
            if not tried:
                self._recovering.request()
        elif not self._loss_told and now - self._lost_at >= LOSS_TOLD_SECONDS:
            self._loss_told = True
            logger.warning("stream.entries_lost", user=hashed(self.user_id))
            self._broadcast([timeline.moment().reset()])

    async def _refresh_keys(self) -> None:
        await self._sources.tokens.refresh(self.user_id)


def _encode(sent: Sequence[Sent]) -> list[Encoded]:
    return [Encoded(each.frame, each.cursor) for each in sent]
