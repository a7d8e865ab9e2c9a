"""Commands on a real log: idempotency, conflicts between processes, refusals confirmed, snapshots."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from commands.conversations import DeleteConversation
from commands.handle import Answer, Handled, Outcome, Request
from commands.messages import PostMessage
from commands.tasks import CompleteTask, CreateTask
from commands.write_side import WriteSide, open_write_side, run_feed
from domain.brain import BRAIN_SCHEMA
from domain.errors import Gone, KeyReused, NotFound
from domain.values import Task
from infra.settings import Settings

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def two_processes(settings: Settings) -> AsyncIterator[tuple[WriteSide, WriteSide, str]]:
    """Two write sides as two API processes have them, and a user."""
    async with open_write_side(settings, "a") as a, open_write_side(settings, "b") as b:
        await a.keyring.verify()
        yield a, b, await a.keyring.ensure_user("", "u1")


def of_version(outcome: Outcome) -> Answer:
    return Answer(body={"tasks": sorted(outcome.after.tasks), "version": outcome.after.version}, status=201)


async def create(side: WriteSide, user_id: str, key: str | None = None, title: str = "t") -> Handled:
    command = CreateTask(task=Task(title=title))
    return await side.handler.handle(user_id, command, Request(key=key, fingerprint=title.encode()), of_version)


async def until_version(side: WriteSide, user_id: str, version: int) -> bool:
    """Listens to the feed until the cached state has folded `version`."""
    heard = asyncio.Event()

    class Ear:
        def wants(self, _: str) -> bool:
            return True

        def receive(self, *_: object) -> None:
            heard.set()

    side.feed.add(Ear())
    while (brain := side.states.cached(user_id)) is None or brain.version < version:
        await heard.wait()
        heard.clear()
    return True


async def test_the_same_key_answers_the_same_bytes_in_every_process(settings: Settings) -> None:
    async with two_processes(settings) as (a, b, user_id):
        first = await create(a, user_id, "k")
        await create(a, user_id)
        again = [await create(side, user_id, "k") for side in (a, b)]
        assert {(h.status, h.body) for h in again} == {(first.status, first.body)}
        assert await a.log.head(user_id) == 2


async def test_a_key_with_another_request_is_refused(settings: Settings) -> None:
    async with two_processes(settings) as (a, b, user_id):
        await create(a, user_id, "k")
        with pytest.raises(KeyReused):
            await create(b, user_id, "k", title="other")


async def test_many_at_once_with_one_key_commit_once(settings: Settings) -> None:
    async with two_processes(settings) as (a, b, user_id):
        handled = await asyncio.gather(*(create(side, user_id, "k") for side in (a, b) * 20))
        assert len({h.body for h in handled}) == 1
        assert await a.log.head(user_id) == 1


async def test_commands_of_one_user_in_two_processes_all_commit_without_gaps(settings: Settings) -> None:
    async with two_processes(settings) as (a, b, user_id):
        handled = await asyncio.gather(*(create(side, user_id) for side in (a, b) * 15))
        assert sorted(h.version for h in handled) == list(range(1, 31))


async def test_a_refusal_from_a_stale_state_is_decided_again(settings: Settings) -> None:
    async with two_processes(settings) as (a, b, user_id):
        await b.states.load(user_id)  # b holds the empty state
        made = json.loads((await create(a, user_id)).body)
        done = await b.handler.handle(user_id, CompleteTask(task_id=made["tasks"][0]))
        assert done.version == 2


async def test_a_refused_command_leaves_nothing_and_may_be_sent_again(settings: Settings) -> None:
    async with two_processes(settings) as (a, _, user_id):
        request = Request(key="k", fingerprint=b"x")
        with pytest.raises(NotFound):
            await a.handler.handle(user_id, CompleteTask(task_id="t_none"), request)
        assert await a.log.head(user_id) == 0
        with pytest.raises(NotFound):
            await a.handler.handle(user_id, CompleteTask(task_id="t_none"), request)


async def test_an_answer_that_showed_a_deleted_conversation_is_gone(settings: Settings) -> None:
    async with two_processes(settings) as (a, b, user_id):
        post = PostMessage(channel="chat", text="hi", conversation_id="c", conversation_ref="c_1")

        def answer(outcome: Outcome) -> Answer:
            return Answer(body={"ok": True}, key_id=outcome.after.conversations["c_1"].key_id)

        request = Request(key="k", fingerprint=b"x")
        await a.handler.handle(user_id, post, request, answer)
        brain = await a.states.load(user_id)
        await a.handler.handle(user_id, DeleteConversation(conversation_ref="c_1"))
        await a.keyring.destroy([brain.conversations["c_1"].key_id])
        b.keyring.evict(user_id)
        for side in (a, b):
            with pytest.raises(Gone):
                await side.handler.handle(user_id, post, request, answer)


async def test_a_state_folded_from_a_snapshot_equals_one_folded_from_the_stream(settings: Settings) -> None:
    async with two_processes(settings) as (a, b, user_id):
        for n in range(105):
            await create(a, user_id, title=f"task {n}")
        await a.handler.aclose()
        from_snapshot = await b.states.load(user_id)
        assert await b.log.load_snapshot(user_id, f"Brain.{BRAIN_SCHEMA}") is not None
        assert from_snapshot == a.states.cached(user_id)


async def test_the_feed_keeps_another_processs_state_fresh(settings: Settings) -> None:
    async with two_processes(settings) as (a, b, user_id):
        await b.states.load(user_id)
        async with run_feed(b), asyncio.timeout(60):
            await create(a, user_id)
            assert await until_version(b, user_id, 1)
