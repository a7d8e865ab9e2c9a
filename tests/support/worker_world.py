"""A whole worker in memory: the product's own stores, bus and handler, and a model that does as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from commands.context import Limits
from commands.decide import Command
from commands.handle import CommandHandler, Handled, Request
from commands.messages import PostMessage, StopReply
from commands.states import States
from domain.brain import Brain, Reply
from domain.events import (
    BrainEvent,
    Fact,
    MessageReceived,
    ReplyCompleted,
    ReplyFailed,
    ReplyRequested,
    ReplyStopped,
)
from domain.frames import TokenChunk
from domain.ports import JsonAnswer, ModelError, ModelEvent, ModelFinished, ModelRequest, TextDelta, ToolCall
from domain.values import Json, ModelUsage
from infra.clock import ManualClock
from infra.event_log.feed import FactFeed
from infra.ids import new_id
from infra.keys.keyring import Keyring
from infra.memory import MemoryDatabase, MemoryEventLog, MemoryKeyStore, MemorySegments, MemoryWorkQueue
from infra.memory_bus import MemoryBus
from infra.settings import Settings
from infra.tokens import decode_chunk
from tests.support.waiting import until
from workers.consumer import Consumer
from workers.desk import Desk
from workers.llm.offline.model import OfflineModel
from workers.token_stream import TokenPublisher
from workers.tools.flights import FlightsInMemory

NOW_MS = 1_763_546_400_000  # Wednesday 2025-11-19 10:00 UTC

# What a scripted model does: say something, call a tool, fail, wait for an event, or run something of the test's.
Step = str | ToolCall | ModelFinished | Exception | asyncio.Event | Callable[[], None]


def tool_call(name: str, arguments: str) -> ToolCall:
    return ToolCall("call_0", name, arguments)


class ScriptedModel:
    """Each call plays the next script; the last one is played again. `calls` are the requests.

    `answers` are given to questions for JSON, in turn; without one the model cannot keep to the schema. `questions`
    are these requests, with their schemas.
    """

    name = "scripted"

    def __init__(
        self,
        *scripts: Sequence[Step],
        context_tokens_max: int = 8_192,
        answers: Sequence[str | Exception | asyncio.Event] = (),
    ) -> None:
        self.scripts = [list(script) for script in scripts]
        self.calls: list[ModelRequest] = []
        self.context_tokens_max = context_tokens_max
        self.closed = 0
        self.answers = list(answers)
        self.questions: list[tuple[ModelRequest, Mapping[str, Json]]] = []

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.calls.append(request)
        return self._play(self.scripts[min(len(self.calls), len(self.scripts)) - 1])

    async def _play(self, script: list[Step]) -> AsyncIterator[ModelEvent]:
        try:
            for step in script:
                await asyncio.sleep(0)
                if isinstance(step, str):
                    yield TextDelta(step)
                elif isinstance(step, ToolCall | ModelFinished):
                    yield step
                elif isinstance(step, Exception):
                    raise step
                elif isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    step()
            if not any(isinstance(step, ModelFinished) for step in script):
                yield ModelFinished("stop", ModelUsage(input_tokens=10, output_tokens=5))
        finally:
            self.closed += 1

    async def complete_json(self, request: ModelRequest, schema: Mapping[str, Json]) -> JsonAnswer:
        self.questions.append((request, schema))
        answer = self.answers.pop(0) if self.answers else failure("bad_answer")
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            raise failure()
        if isinstance(answer, Exception):
            raise answer
        return JsonAnswer(answer, ModelUsage(input_tokens=100, output_tokens=20))

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        return None


def failure(
    code: str = "unavailable", *, retryable: bool = True, retry_after_seconds: float | None = None
) -> ModelError:
    return ModelError(code, "made to fail", retryable=retryable, retry_after_seconds=retry_after_seconds)


@dataclass
class World:
    """One user, `user_id`, in one database; any number of workers over it."""

    settings: Settings
    clock: ManualClock
    database: MemoryDatabase
    bus: MemoryBus
    log: MemoryEventLog
    keyring: Keyring
    user_id: str = ""
    handler: Any = None
    consumers: list[Consumer] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    flights: Any = None  # found at any time of the clock, as our own timetable has them
    heard: list[str] = field(default_factory=list)  # for each chunk that a client got, its reply

    def new_handler(self) -> tuple[CommandHandler, FactFeed]:
        states = States(self.log, self.keyring)
        feed = FactFeed(self.log, self.keyring)
        feed.add(states)
        limits = Limits(messages_per_minute=0, tokens_per_day=self.settings.limit_tokens_per_day)
        return CommandHandler(self.log, self.keyring, states, self.clock, new_id, limits), feed

    async def worker(self, model: Any, *, owner: str = "worker-1", settings: Settings | None = None) -> Consumer:
        """A process of its own, as far as caches go. It takes only what it is told to: `serve`."""
        settings = settings or self.settings
        handler, feed = self.new_handler()
        segments = MemorySegments(self.database)
        desk = Desk(
            log=self.log,
            keyring=self.keyring,
            handler=handler,
            tokens=TokenPublisher(self.bus, segments, segment_seconds=settings.segment_seconds),
            segments=segments,
            bus=self.bus,
            model=model,
            flights=self.flights,
            clock=self.clock,
            settings=settings,
            owner=owner,
        )
        consumer = Consumer(desk, MemoryWorkQueue(self.database))
        feed.add(consumer)
        self.consumers.append(consumer)
        self.tasks.append(asyncio.create_task(feed.run(after=0)))
        return consumer

    async def handle(self, command: Command, **request: Any) -> Handled:
        return await self.handler.handle(self.user_id, command, Request(**request))

    async def post(self, text: str, *, conversation: str = "main", **more: Any) -> str:
        """The id of the reply to come."""
        keys = await self.keyring.load(self.user_id)
        origin = more.pop("origin", "user")
        command = PostMessage(
            channel="chat",
            text=text,
            conversation_id=conversation,
            conversation_ref=keys.ref("conversation", conversation),
            **more,
        )
        handled = await self.handle(command, origin=origin)
        assert handled.outcome is not None
        return next(f.event.reply.reply_id for f in handled.outcome.facts if isinstance(f.event, ReplyRequested))

    async def stop(self, reply_id: str) -> None:
        await self.handle(StopReply(id=reply_id))

    async def serve(self, consumer: Consumer) -> None:
        """Wake the worker, and wait until it has nothing to do."""
        assert await consumer.take_hint(self.user_id)
        await self.idle(consumer)

    async def look(self, consumer: Consumer) -> None:
        await consumer.look()
        await self.idle(consumer)

    async def idle(self, consumer: Consumer) -> None:
        await until(lambda: consumer.running == 0)

    async def starts_to_speak(self, consumer: Consumer) -> None:
        """Wake the worker, and wait until its first chunk is out."""
        heard = len(self.heard)
        await consumer.look()
        await until(lambda: len(self.heard) > heard)

    async def dies_while_speaking(self, script: Sequence[Step], *, owner: str = "dead") -> None:
        """A worker that is gone without a word, its text in segments and on the bus, its lease over."""
        consumer = await self.worker(ScriptedModel([*script, asyncio.Event()]), owner=owner)
        await self.starts_to_speak(consumer)
        for _ in range(50):
            await asyncio.sleep(0)
        await consumer.desk.tokens.write_segments()
        for task in consumer.tasks():
            task.cancel()
        await self.idle(consumer)
        self.expire_leases()

    def expire_leases(self) -> None:
        self.clock.advance(self.settings.lease_seconds + 1)

    async def brain(self) -> Brain:
        return await self.handler.states.refresh(self.user_id)

    async def reply(self, reply_id: str) -> Reply:
        return (await self.brain()).replies[reply_id]

    async def facts(self) -> list[Fact]:
        return await self.keyring.open_events(self.user_id, await self.log.read_stream(self.user_id, after=0))

    async def events(self, *kinds: type[BrainEvent]) -> list[Any]:
        return [fact.event for fact in await self.facts() if isinstance(fact.event, kinds)]

    async def ending(self, reply_id: str) -> Any:
        """The event that ended the reply; there must be exactly one."""
        ends = [e for e in await self.events(ReplyCompleted, ReplyFailed, ReplyStopped) if e.reply.reply_id == reply_id]
        assert len(ends) == 1
        return ends[0]

    async def chunks(self, reply_id: str, *, progress: bool = False) -> list[TokenChunk]:
        """Entries of the reply; or what was said about what is being done."""
        keys = await self.keyring.load(self.user_id)
        entries = await self.bus.read_tokens(self.user_id, reply_id)
        read = [chunk for entry in entries if (chunk := decode_chunk(self.user_id, reply_id, entry, keys))]
        return [chunk for chunk in read if (chunk.progress is not None) == progress]

    async def published(self, reply_id: str, attempt: int) -> str:
        """The text that clients got of an attempt; its numbering is checked on the way."""
        text, index = "", 0
        for chunk in await self.chunks(reply_id):
            if chunk.attempt == attempt:
                assert (chunk.first_index, chunk.offset) == (index + 1, len(text))
                text, index = text + chunk.text, chunk.last_index
        return text

    async def actions(self, reply_id: str) -> list[dict[str, Json]]:
        return [dict(chunk.action) for chunk in await self.chunks(reply_id) if chunk.action is not None]

    async def message_of(self, reply_id: str) -> MessageReceived:
        reply = await self.reply(reply_id)
        return next(e for e in await self.events(MessageReceived) if e.message_id == reply.ref.message_id)


@asynccontextmanager
async def open_world(**changes: Any) -> AsyncIterator[World]:
    """`changes` are settings."""
    clock = ManualClock(NOW_MS)
    database = MemoryDatabase(clock.monotonic)
    log = MemoryEventLog(database)
    keyring = Keyring(MemoryKeyStore(database), bytes(32), monotonic=clock.monotonic)
    world = World(Settings(**changes), clock, database, MemoryBus(), log, keyring)
    world.flights = FlightsInMemory(clock)
    world.user_id = await keyring.ensure_user("issuer", "sub")
    await world.bus.subscribe_tokens(world.user_id, lambda reply_id, entry: world.heard.append(reply_id))
    world.handler, feed = world.new_handler()
    world.tasks.append(asyncio.create_task(feed.run(after=0)))
    try:
        yield world
    finally:
        for consumer in world.consumers:
            await consumer.drain(0.0)
        for task in world.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def answered(world: World, *texts: str, model: object | None = None) -> str:
    """The text of the last answer, when one worker has answered each of these in turn."""
    consumer = await world.worker(model or OfflineModel(), owner=f"worker-{len(world.consumers) + 1}")
    said = ""
    for text in texts:
        reply_id = await world.post(text)
        await world.serve(consumer)
        said = (await world.ending(reply_id)).content.text
    return said
