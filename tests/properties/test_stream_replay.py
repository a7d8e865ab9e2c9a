"""Whatever is lost, late or cut, and wherever a client comes back: it ends with every fact and every character once.

Random interleavings of commands, entries, segments, deliveries, losses, wiped buses, cut connections and returns to
another process. The client (`tests/support/sse_reader.py`) accepts nothing twice, nothing out of order and no gap.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from api.live import hub as hub_module
from commands.actions import RunAction
from commands.conversations import DeleteConversation
from commands.messages import RegenerateReply, StopReply
from commands.tasks import CreateTask
from domain.frames import frame_of
from domain.values import Task
from tests.support.live_world import Connection, Process, World
from tests.support.sse_reader import Reducer, read_events

EXAMPLES = int(os.environ.get("STREAM_REPLAY_EXAMPLES", "300"))
TEXTS = ("a", "word ", "\r\n\n", "data: x\n\n", "\0", "😀é", "e\u0301", "\u2028", "long " * 40)
# How often each step is drawn. A reply must live long enough to be seen half written, at one process and the other.
WEIGHTS = (
    "say 3, start 4, write 14, card 1, act 2, save 3, task 1,"
    "remind 2, complete 1, fail 1, take_over 1, stop 1, delete 1, regenerate 1, restart 1,"
    "facts 7, chunk 12, lose 2, twice 1, all 2, tick 4, turn 4, settle 6, connect 6, cut 4, bus 2, wipe 3"
)
STEPS = tuple(word for each in WEIGHTS.split(",") for word in each.split()[:1] * int(each.split()[1]))


@dataclass
class Client:
    """Reads one stream after another; of each only as much as came through before it was cut."""

    connection: Connection | None = None
    began_at: int | None = None
    reducer: Reducer = field(default_factory=Reducer)

    def connect(self, process: Process, *, after: str | None = None) -> None:
        self.connection = Connection(process, cursor=self.reducer.cursor, after=after)

    async def cut(self, share: float = 1.0) -> None:
        connection, self.connection = self.connection, None
        assert connection is not None
        await connection.leave()
        for event in read_events(connection.data[: round(len(connection.data) * share)]):
            self.reducer.apply(event)
        if self.began_at is None:
            self.began_at = int(connection.headers.get(b"x-stream-version", b"0"))
        if self.reducer.cursor is None:
            # It has seen nothing with an id, so it starts afresh, with no text that it could not know.
            self.began_at, self.reducer = None, Reducer()


@dataclass
class Run:
    world: World
    clients: list[Client]

    async def step(self, kind: str, number: int) -> None:
        world, process = self.world, self.world.processes[number % 2]
        client = self.clients[number // 2 % len(self.clients)]
        if kind in ("facts", "chunk", "lose", "twice", "all", "tick", "bus", "turn", "settle"):
            await self._deliver(kind, number, process)
        elif kind == "connect":
            if client.connection is None:
                client.connect(process)
        elif kind == "cut":
            if client.connection is not None:
                await client.cut(number % 101 / 100)
        elif kind in ("write", "card", "act", "complete", "fail", "take_over", "restart"):
            if world.running is not None:
                self._work(kind, number)
        else:
            self._command(kind, number)

    def _work(self, kind: str, number: int) -> None:
        world = self.world
        running = world.running
        assert running is not None
        match kind:
            case "write":
                world.write(TEXTS[number % len(TEXTS)], entries=1 + number % 3)
            case "card":
                world.write(action={"action": "create_task", "payload": {"title": "x"}})
            case "act":
                deed = CreateTask(task=Task(title="from chat"))
                reply_id, attempt = running.ref.reply_id, running.attempt
                act = RunAction(
                    reply_id=reply_id,
                    attempt=attempt,
                    kind="create_task",
                    ordinal=1 + number % 3,
                    payload={},
                    deed=deed,
                )
                world.history.do(act)
            case "restart":
                world.start()
            case _:
                world.end(kind, tail=TEXTS[number % len(TEXTS)] if number % 2 else "")

    def _command(self, kind: str, number: int) -> None:
        world, brain = self.world, self.world.history.brain
        newest = list(brain.replies)[-1] if brain.replies else ""
        match kind:
            case "say":
                world.history.say("hello", ("a", "b", None)[number % 3])
            case "start":
                if world.running is None:
                    world.start()
            case "save":
                world.save()
            case "stop":
                world.history.do(StopReply(id=newest))
            case "regenerate":
                world.history.do(RegenerateReply(id=newest))
            case "delete":
                if number % 4 == 0:
                    world.history.do(DeleteConversation(conversation_ref=("c_a", "c_b", "c_main")[number % 3]))
            case "task":
                world.history.do(CreateTask(task=Task(title="t")))
            case "wipe":
                world.wipe_bus()
            case "remind":
                world.history.remind()

    async def _deliver(self, kind: str, number: int, process: Process) -> None:
        match kind:
            case "facts":
                process.give_facts(1 + number % 4)
            case "chunk" | "lose" | "twice":
                process.give_chunk(lose=kind == "lose", twice=kind == "twice")
            case "all":
                process.give_all()
            case "tick":
                self.world.clock.advance(1)
                process.registry.tick()
            case "bus":
                process.tokens.connected = not process.tokens.connected
            case "turn":
                for _ in range(number % 7):
                    await asyncio.sleep(0)
            case "settle":
                await process.settle()

    async def heal(self) -> None:
        """Everything that will ever happen has happened; every client comes back once more."""
        world = self.world
        world.save()
        while world.history.brain.queue:
            if world.running is None:
                world.start()
            world.end("complete", tail="the end")
        for process in world.processes:
            process.tokens.connected = True
            process.give_all()
            await process.settle()
        for number, client in enumerate(self.clients):
            if client.connection is not None:
                await client.cut()
            client.connect(world.processes[number % 2])
        for process in world.processes:
            await process.settle()
        for client in self.clients:
            await client.cut()

    def check(self) -> None:
        facts = self.world.history.facts
        framed = [(fact.version, frame.name) for fact in facts if (frame := frame_of(fact)) is not None]
        for client in self.clients:
            reducer = client.reducer
            seen = reducer.facts
            if not seen:
                continue
            first = seen[0][0]
            assert client.began_at is not None
            assert first > client.began_at
            assert seen == [each for each in framed if each[0] >= first], "a fact is missing"
            for version, last in reducer.preceded:
                overtaken = [each for each in framed if last < each[0] <= version and each[0] >= first]
                assert not overtaken, "a token came before a fact that its worker had seen"


@contextmanager
def without_pauses() -> Iterator[None]:
    before = hub_module.REACH_PAUSE_SECONDS
    hub_module.REACH_PAUSE_SECONDS = 0
    try:
        yield
    finally:
        hub_module.REACH_PAUSE_SECONDS = before


async def play(steps: list[tuple[str, int]]) -> None:
    world = World()
    Process(world)
    Process(world)
    run = Run(world, [Client(), Client(), Client()])
    # One client is there from the beginning, and must see everything.
    run.clients[0].reducer.cursor, run.clients[0].began_at = "g1.0", 0
    run.clients[0].connect(world.processes[0])
    world.history.opt_in().say("hello")
    world.start()
    for kind, number in steps:
        await run.step(kind, number)
    await run.heal()
    run.check()
    witness = run.clients[0].reducer
    expected = [fact.version for fact in world.history.facts if frame_of(fact) is not None]
    assert [version for version, _ in witness.facts] == expected
    for process in world.processes:
        await process.close()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1_000)), min_size=20, max_size=150))
def test_a_client_ends_with_every_fact_and_every_character_once(steps: list[tuple[str, int]]) -> None:
    with without_pauses():
        asyncio.run(play(steps))
