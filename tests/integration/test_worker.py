"""The worker as it is deployed: its command line, a real Postgres, a real NATS, and a model over HTTP."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cli.worker import open_worker
from commands.due import with_weekday
from commands.messages import PostMessage, StopReply
from commands.write_side import WriteSide, open_write_side
from domain.brain import Brain
from domain.events import Fact, ReplyCompleted, ReplyFailed, ReplyRequested, ReplyStarted, ReplyStopped, TaskCreated
from domain.frames import TokenChunk
from infra.nats.bus import NatsBus
from infra.settings import Settings
from infra.tokens import decode_chunk
from infra.work import PostgresSegments
from tests.support.fake_openai import fake_openai
from tests.support.model_server import ModelServer, Plan
from tests.support.processes import Running, python
from tests.support.waiting import until, until_true
from workers.consumer import Consumer
from workers.llm import make_model

pytestmark = pytest.mark.anyio

ENDS = (ReplyCompleted, ReplyFailed, ReplyStopped)


@dataclass
class Client:
    """Stands for an API process: it posts, hints, and hears."""

    side: WriteSide
    bus: NatsBus

    async def user(self, name: str = "u1") -> str:
        return await self.side.keyring.ensure_user("", name)

    async def post(self, user_id: str, text: str) -> str:
        keys = await self.side.keyring.load(user_id)
        command = PostMessage(
            channel="chat", text=text, conversation_id=None, conversation_ref=keys.ref("conversation", "main")
        )
        handled = await self.side.handler.handle(user_id, command)
        assert handled.outcome is not None
        return next(f.event.reply.reply_id for f in handled.outcome.facts if isinstance(f.event, ReplyRequested))

    async def facts(self, user_id: str) -> list[Fact]:
        rows = await self.side.log.read_stream(user_id, after=0)
        return await self.side.keyring.open_events(user_id, rows)

    async def ended(self, user_id: str, reply_id: str) -> Any:
        """The event that ended the reply, once it is there; there is only one."""
        while True:
            ends = [f.event for f in await self.facts(user_id) if isinstance(f.event, ENDS)]
            found = [event for event in ends if event.reply.reply_id == reply_id]
            if found:
                assert len(found) == 1
                return found[0]
            await asyncio.sleep(0.02)

    async def brain(self, user_id: str) -> Brain:
        return await self.side.states.refresh(user_id)

    async def chunks(self, user_id: str, entries: list[bytes], reply_id: str) -> list[TokenChunk]:
        keys = await self.side.keyring.load(user_id)
        return [chunk for entry in entries if (chunk := decode_chunk(user_id, reply_id, entry, keys))]


@asynccontextmanager
async def open_client(settings: Settings) -> AsyncIterator[Client]:
    bus = NatsBus(settings, name="test")
    await bus.start()
    async with open_write_side(settings, "test", wake=bus.hint) as side:
        await side.keyring.verify()
        yield Client(side, bus)
    await bus.close()


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Consumer]:
    model = make_model(settings)
    async with open_worker(settings, model, asyncio.Event()) as (consumer, _):
        yield consumer
        await consumer.drain(settings.drain_seconds)
    await model.aclose()


def over(server: ModelServer, settings: Settings, **more: Any) -> Settings:
    """Settings for the model behind `server`, and short waits."""
    return replace(
        settings, llm_provider="openai", llm_base_url=f"{server.url}/v1", llm_model="stand-in", **{**SHORT, **more}
    )


SHORT = {"lease_seconds": 1.0, "lease_renew_seconds": 0.2, "work_poll_seconds": 0.2, "log_poll_seconds": 0.2}


async def spoken(server: ModelServer, tokens: int) -> None:
    """The first call has sent so much."""
    await until(lambda: bool(server.calls) and server.calls[0].tokens_sent >= tokens)


def start_process(settings: Settings) -> Running:
    running = Running(python("-m", "cli.main", "worker"), environment=settings.as_environment())
    running.expect("^ready worker$")
    return running


async def test_a_message_is_answered_and_what_it_asks_for_is_done(settings: Settings) -> None:
    async with open_client(settings) as client, worker(settings) as consumer:
        assert isinstance(consumer.desk.bus, NatsBus)
        for bus in (client.bus, consumer.desk.bus):
            await bus.link.wait_connected()  # what is said before that is said to nobody
        user_id = await client.user()
        reply_id = await client.post(user_id, "Remind me to call John tomorrow at 5pm")
        end = await client.ended(user_id, reply_id)
        (task,) = [f.event for f in await client.facts(user_id) if isinstance(f.event, TaskCreated)]
        assert task.content.title == "call John"
        assert task.content.due.endswith("T17:00")
        assert end.content.text.startswith(f"Done: call John — due {with_weekday(task.content.due)}.")

        async def are_kept() -> bool:
            chunks = await client.chunks(user_id, await client.bus.read_tokens(user_id, reply_id), reply_id)
            actions = [chunk.action["action"] for chunk in chunks if chunk.action]
            return ("".join(chunk.text for chunk in chunks), actions) == (end.content.text, ["create_task"])

        await until_true(are_kept)  # NATS is told before Postgres, and by another connection than ours


async def test_tokens_go_to_segments_while_they_stream(settings: Settings) -> None:
    async with fake_openai(Plan(tokens=1_000, tokens_per_second=50)) as server:
        settings = over(server, settings, segment_seconds=0.05)
        async with open_client(settings) as client, worker(settings):
            user_id = await client.user()
            reply_id = await client.post(user_id, "Count for ever")

            async def saved() -> list[TokenChunk]:
                read = PostgresSegments(client.side.queries).read(user_id, reply_id, attempt=1, after_index=0)
                return await client.chunks(user_id, [segment.sealed for segment in await read], reply_id)

            async def are_several() -> bool:
                return len(await saved()) > 2

            await until_true(are_several)
            await client.side.handler.handle(user_id, StopReply(id=reply_id))
            end = await client.ended(user_id, reply_id)
            assert end.content.text.startswith("".join(chunk.text for chunk in await saved()))


async def test_a_stop_reaches_the_worker_and_closes_the_models_stream(settings: Settings) -> None:
    async with fake_openai(Plan(tokens=1_000, tokens_per_second=50)) as server:
        settings = over(server, settings)
        async with open_client(settings) as client, worker(settings):
            user_id = await client.user()
            reply_id = await client.post(user_id, "Count for ever")
            await spoken(server, 3)
            await client.side.handler.handle(user_id, StopReply(id=reply_id))
            end = await client.ended(user_id, reply_id)
            assert isinstance(end, ReplyStopped)
            assert end.content.text.startswith("w1:")
            assert (await server.wait_for_call(1, ended=True)).outcome == "client_closed"


async def test_without_nats_the_look_at_the_rows_finds_the_message(settings: Settings) -> None:
    settings = replace(settings, nats_url="nats://127.0.0.1:1", **SHORT)
    async with open_client(settings) as client, worker(settings):
        user_id = await client.user()
        end = await client.ended(user_id, await client.post(user_id, "Hello"))
        assert isinstance(end, ReplyCompleted)


async def test_two_workers_answer_every_message_of_many_users_once_and_in_order(settings: Settings) -> None:
    async with fake_openai(Plan(tokens=5)) as server:
        # Neither is ever taken for dead, however slow this machine is.
        settings = over(server, settings, worker_concurrency=8, lease_seconds=120.0)
        async with open_client(settings) as client, worker(settings), worker(settings):
            users = [await client.user(f"u{n}") for n in range(20)]
            posted = {user: [await client.post(user, f"{user} {n}") for n in range(3)] for user in users}
            for user, replies in posted.items():
                for reply_id in replies:
                    assert isinstance(await client.ended(user, reply_id), ReplyCompleted)
                facts = await client.facts(user)
                started = [f.event.reply.reply_id for f in facts if isinstance(f.event, ReplyStarted)]
                ended = [f.event.reply.reply_id for f in facts if isinstance(f.event, ENDS)]
                assert started == ended == replies
            assert set(server.counts().values()) == {1}


async def test_a_killed_worker_is_followed_by_another_and_the_model_is_called_once_an_attempt(
    settings: Settings,
) -> None:
    async with fake_openai(Plan(tokens=200, hang_after=20)) as server:
        settings = over(server, settings)
        async with open_client(settings) as client:
            user_id = await client.user()
            running = await asyncio.to_thread(start_process, settings)
            try:
                reply_id = await client.post(user_id, "Hi")
                await spoken(server, 5)
                running.signal(signal.SIGKILL)
                server.plan = Plan(tokens=3)
                async with worker(settings):
                    end = await client.ended(user_id, reply_id)
            finally:
                running.close()
            assert isinstance(end, ReplyCompleted)
            assert end.attempt == 2
            assert end.content.text.count("w") == 3
            assert len(server.calls) == 2
            reply = (await client.brain(user_id)).replies[reply_id]
            assert (reply.tries, reply.reserved_tokens) == (2, 0)


async def test_a_frozen_worker_that_wakes_up_too_late_changes_nothing(settings: Settings) -> None:
    async with fake_openai(Plan(tokens=100, hang_after=20)) as server:
        settings = over(server, settings)
        async with open_client(settings) as client:
            user_id = await client.user()
            running = await asyncio.to_thread(start_process, settings)
            try:
                reply_id = await client.post(user_id, "Hi")
                await spoken(server, 5)
                running.signal(signal.SIGSTOP)
                server.plan = Plan(tokens=3)
                async with worker(settings):
                    end = await client.ended(user_id, reply_id)
                version = (await client.brain(user_id)).version
                running.signal(signal.SIGCONT)
                await asyncio.to_thread(running.expect, "reply.(refused|dropped)")
                running.signal(signal.SIGTERM)
                assert await asyncio.to_thread(running.wait) == 0
            finally:
                running.close()
            assert end.attempt == 2
            assert (await client.brain(user_id)).version == version


async def test_sigterm_lets_a_running_reply_end_and_claims_no_other(settings: Settings) -> None:
    async with fake_openai(Plan(tokens=60, tokens_per_second=20)) as server:
        settings = over(server, settings, drain_seconds=60.0)
        async with open_client(settings) as client:
            user_id = await client.user()
            running = await asyncio.to_thread(start_process, settings)
            try:
                first, second = await client.post(user_id, "Hi"), await client.post(user_id, "And?")
                await spoken(server, 2)
                running.signal(signal.SIGTERM)
                assert await asyncio.to_thread(running.wait) == 0
            finally:
                running.close()
            brain = await client.brain(user_id)
            assert (brain.replies[first].status, brain.replies[first].attempt) == ("completed", 1)
            assert brain.replies[second].status == "queued"


async def test_sigterm_hands_a_reply_that_lasts_too_long_to_another_worker(settings: Settings) -> None:
    async with fake_openai(Plan(tokens=1_000, hang_after=20)) as server:
        # Were the lease not ended, nobody could follow within this test's time.
        settings = over(server, settings, drain_seconds=0.7, lease_seconds=3_600.0)
        async with open_client(settings) as client:
            user_id = await client.user()
            running = await asyncio.to_thread(start_process, settings)
            try:
                reply_id = await client.post(user_id, "Hi")
                await spoken(server, 2)
                running.signal(signal.SIGTERM)
                assert await asyncio.to_thread(running.wait) == 0
            finally:
                running.close()
            server.plan = Plan(tokens=3)
            async with worker(settings):
                assert (await client.ended(user_id, reply_id)).attempt == 2


def test_logs_are_lines_of_json_without_the_users_words(settings: Settings) -> None:
    async def scenario() -> None:
        async with open_client(settings) as client:
            user_id = await client.user()
            reply_id = await client.post(user_id, "Remind me to feed Rumpelstiltskin tomorrow")
            await client.ended(user_id, reply_id)

    running = start_process(settings)
    try:
        asyncio.run(scenario())
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    finally:
        running.close()
    assert "reply.ended" in running.output
    assert "Rumpelstiltskin" not in running.output
    assert all(line.startswith("{") or line == "ready worker" for line in running.lines)
