"""A user's stream, a worker, a bus that loses things and any number of API processes, all in memory and in hand.

Nothing reaches a process by itself: a test hands out each fact and each chunk, late, twice or never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from api.auth.tokens import Principal
from api.http.request import Call
from api.live.hub import Hub, Sources
from api.live.hub_registry import HubRegistry
from api.live.presence_writes import PresenceWrites
from api.live.sources import ReceiveChunk
from api.stream import StreamEndpoint
from commands.replies import CompleteReply, EndReplyByTakeover, FailReply
from commands.sessions import OpenSession
from domain.brain import EMPTY_BRAIN, Brain, Reply
from domain.errors import Unavailable
from domain.events import Fact
from domain.frames import TokenChunk
from domain.values import Json
from infra.clock import ManualClock
from tests.support.histories import History, ending
from tests.support.sse_reader import read_events

USER = "07/11111111-2222-4333-8444-555555555555"
PRINCIPAL = Principal("", "u1", 4_000_000_000)
GENERATION = "g1"


@dataclass
class World:
    """The log, the worker and what the bus and the segments keep of replies."""

    history: History = field(default_factory=lambda: History(USER))
    on_bus: dict[str, list[TokenChunk]] = field(default_factory=dict)
    in_segments: dict[str, list[TokenChunk]] = field(default_factory=dict)
    unsaved: list[TokenChunk] = field(default_factory=list)
    written: list[TokenChunk] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)
    log_away: bool = False
    presence: list[tuple[str, bool]] = field(default_factory=list)
    beats: list[list[str]] = field(default_factory=list)
    looks: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history.do(OpenSession())
        self.session_id = next(iter(self.history.brain.sessions))

    # --- the worker -----------------------------------------------------------------------------------------------

    @property
    def running(self) -> Reply | None:
        brain = self.history.brain
        reply = brain.replies[brain.queue[0]] if brain.queue else None
        return reply if reply is not None and reply.attempt else None

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.written)

    def start(self) -> None:
        before = len(self.history.facts)
        self.history.start()
        if len(self.history.facts) > before:  # a reply that is being stopped can't be started again
            self.written, self.unsaved = [], []

    def write(self, text: str = "", *, entries: int = 1, action: dict[str, Json] | None = None) -> TokenChunk:
        """One chunk of the running reply, stored on the bus and on its way to every process."""
        reply = self.running
        assert reply is not None
        first = self.written[-1].last_index + 1 if self.written else 1
        chunk = TokenChunk(
            attempt=reply.attempt,
            first_index=first,
            last_index=first + entries - 1,
            offset=len(self.text),
            seen_version=len(self.history.facts),
            text=text,
            action=action,
        )
        self.written.append(chunk)
        self.unsaved.append(chunk)
        reply_id = reply.ref.reply_id
        reachable = [process for process in self.processes if process.tokens.connected]
        if reachable:
            self.on_bus.setdefault(reply_id, []).append(chunk)
        for process in reachable:
            process.chunks.append((reply_id, chunk))
        return chunk

    def save(self) -> None:
        """What is not in a segment yet becomes one; an action is always one of its own."""
        reply = self.running
        if reply is None:
            return
        kept = self.in_segments.setdefault(reply.ref.reply_id, [])
        for chunk in self.unsaved:
            last = kept[-1] if kept else None
            mergeable = last is not None and last.attempt == chunk.attempt and last.action is None
            if last is not None and mergeable and chunk.action is None and self.unsaved[0] is not chunk:
                kept[-1] = replace(
                    last, last_index=chunk.last_index, seen_version=chunk.seen_version, text=last.text + chunk.text
                )
            else:
                kept.append(chunk)
        self.unsaved = []

    def end(self, how: str = "complete", *, tail: str = "") -> None:
        reply = self.running
        assert reply is not None
        reply_id, attempt = reply.ref.reply_id, reply.attempt
        match how:
            case "complete":
                self.history.do(CompleteReply(reply_id=reply_id, attempt=attempt, ending=ending(self.text + tail)))
            case "fail":
                last = ending(self.text + tail)
                self.history.do(FailReply(reply_id=reply_id, attempt=attempt, ending=last, code="timeout"))
            case "take_over":
                last = ending("whole " + tail)
                self.history.do(EndReplyByTakeover(reply_id=reply_id, after_attempt=None, owner="r", ending=last))

    def wipe_bus(self) -> None:
        self.on_bus.clear()

    # --- ports ----------------------------------------------------------------------------------------------------

    async def state(self, user_id: str) -> Brain:
        await asyncio.sleep(0)
        self._check_log()
        return self.history.brain if user_id == USER else EMPTY_BRAIN

    async def read(self, user_id: str, *, after: int, until: int | None = None, limit: int = 500) -> list[Fact]:
        await asyncio.sleep(0)
        self._check_log()
        return self.history.facts[after:until][:limit] if user_id == USER else []

    async def changes(self, user_id: str, since: int, until: int) -> tuple[int, dict[str, Json]]:
        self._check_log()
        self.looks.append((since, until))
        return until, {"tasks": [{"version": until}]} if until > since else {}

    async def seen(self, user_id: str, session_id: str, active: bool) -> None:
        self.presence.append((session_id, active))

    async def beat(self, sessions: Sequence[tuple[str, str]]) -> None:
        self.beats.append([session_id for _, session_id in sessions])

    def _check_log(self) -> None:
        if self.log_away:
            raise Unavailable("away", retry_after_seconds=1)


class WorldTokens:
    """`api.live.sources.Tokens` of one process."""

    def __init__(self, world: World) -> None:
        self.connected = True
        self.receivers: list[ReceiveChunk] = []
        self.reads: list[bool] = []
        self.refreshed = 0
        self._world = world

    async def subscribe(self, user_id: str, receive: ReceiveChunk) -> Any:
        self.receivers.append(receive)
        await asyncio.sleep(0)
        return self

    async def unsubscribe(self) -> None:
        self.receivers.clear()

    async def refresh(self, user_id: str) -> None:
        self.refreshed += 1

    async def read(
        self, user_id: str, reply_id: str, *, attempt: int, after_index: int, thorough: bool
    ) -> list[TokenChunk]:
        self.reads.append(thorough)
        await asyncio.sleep(0)
        chunks = list(self._world.in_segments.get(reply_id, ()))
        if thorough and self.connected:
            chunks += self._world.on_bus.get(reply_id, ())
        return [chunk for chunk in chunks if chunk.attempt == attempt and chunk.last_index > after_index]


class Process:
    """One API process: what is on its way to it, and its registry of hubs."""

    def __init__(self, world: World, **options: Any) -> None:
        self.world = world
        self.tokens = WorldTokens(world)
        self.chunks: list[tuple[str, TokenChunk]] = []
        self.facts_given = len(world.history.facts)
        sources = Sources(
            generation=GENERATION, facts=world, tokens=self.tokens, changes=world.changes, clock=world.clock
        )
        self.registry = HubRegistry(sources, PresenceWrites(world), **options)
        self.endpoint = StreamEndpoint(self.registry, self._user_id_of)
        world.processes.append(self)

    async def _user_id_of(self, principal: Principal) -> str:
        return USER

    def give_facts(self, count: int | None = None) -> None:
        facts = self.world.history.facts[self.facts_given :][:count]
        self.facts_given += len(facts)
        if facts and self.registry.wants(USER):
            self.registry.receive(USER, facts)

    def give_chunk(self, *, lose: bool = False, twice: bool = False) -> None:
        if not self.chunks:
            return
        chunk = self.chunks.pop(0)
        for receive in [] if lose else self.tokens.receivers * (2 if twice else 1):
            receive(*chunk)

    def give_all(self) -> None:
        self.give_facts()
        while self.chunks:
            self.give_chunk()

    @property
    def hub(self) -> Hub:
        return self.registry._entries[USER].hub

    async def settle(self) -> None:
        """Let everything happen that needs no more input."""
        for _ in range(8):
            await asyncio.sleep(0)
        if self.registry.wants(USER):
            entry = self.registry._entries[USER]
            await asyncio.wait((entry.started,))
            await entry.hub.settle()
        for _ in range(4):
            await asyncio.sleep(0)

    async def close(self) -> None:
        await self.registry.aclose()


class Connection:
    """One SSE request to a process, as bytes."""

    def __init__(
        self,
        process: Process,
        *,
        cursor: str | None = None,
        after: str | None = None,
        session_id: str | None = None,
        principal: Principal = PRINCIPAL,
        stall_after_sends: int | None = None,
    ) -> None:
        self.stall_after_sends = stall_after_sends
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.data = b""
        self.sends = 0
        self.complete = False
        self.aborted = False
        self.writable = asyncio.Event()
        self.writable.set()
        self._gone = asyncio.Event()
        call = Call("request-1", "GET", "/api/v1/stream/s", principal=principal)
        if after is not None:
            call.query = {"after": after}
        scope = {
            "type": "http",
            "method": "GET",
            "headers": [] if cursor is None else [(b"last-event-id", cursor.encode())],
            "state": {"call": call},
            "path_params": {"session_id": session_id or process.world.session_id},
            "extensions": {"microcos.abort": self.abort},
        }
        self.task = asyncio.create_task(process.endpoint(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        await self.writable.wait()
        if self._gone.is_set():
            return
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.data += message["body"]
            self.sends += 1
            if self.sends == self.stall_after_sends:
                self.writable.clear()
            self.complete = not message["more_body"]

    def abort(self) -> None:
        self.aborted = True
        self.leave_now()

    def leave_now(self) -> None:
        self._gone.set()
        self.writable.set()

    async def leave(self) -> None:
        self.leave_now()
        await self.task

    def events(self) -> list[dict[str, Any]]:
        return read_events(self.data)

    def names(self) -> list[str]:
        """The events' names, without those that only say how things go."""
        quiet = ("state.updated", "message.progress")
        return [event["event"] for event in self.events() if event["event"] not in quiet]


async def opened(process: Process, **options: str) -> Connection:
    """A connection that has been answered, and sent all that there was to send."""
    connection = Connection(process, **options)  # type: ignore[arg-type]
    await process.settle()
    return connection
