"""Deleting is final: the keys go after the commit, by a sweep that survives a crash."""

from __future__ import annotations

import asyncio

import pytest

from cli.retention import make_retention
from commands.conversations import DeleteConversation
from commands.messages import PostMessage
from commands.notes import AddNote, DeleteNote
from commands.write_side import WriteSide, open_write_side
from domain.events import MessageReceived
from domain.values import REDACTED
from infra.settings import Settings
from infra.tracking import Tracking
from workers.retention import TRACKING_NAME

pytestmark = pytest.mark.anyio


async def until_noted(side: WriteSide, position: int) -> None:
    while await Tracking(side.queries, TRACKING_NAME).position() < position:
        await asyncio.sleep(0.01)


async def test_what_was_deleted_is_unreadable_in_the_log_after_the_sweep(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await side.keyring.ensure_user("", "u1")
        post = PostMessage(channel="chat", text="secret", conversation_id="c", conversation_ref="c_1")
        await side.handler.handle(user_id, post)
        await side.handler.handle(user_id, AddNote(note_id="n", note_ref="n_1", text="secret too"))
        await side.handler.handle(user_id, DeleteConversation(conversation_ref="c_1"))
        await side.handler.handle(user_id, DeleteNote(note_id="n", note_ref="n_1"))
        sweep = asyncio.create_task(make_retention(side).run())
        async with asyncio.timeout(20):
            await until_noted(side, await side.log.last_position())
        sweep.cancel()
        await asyncio.gather(sweep, return_exceptions=True)
        facts = await side.keyring.open_events(user_id, await side.log.read_stream(user_id, after=0))
        (received,) = [fact.event for fact in facts if isinstance(fact.event, MessageReceived)]
        assert received.content is REDACTED


async def test_a_page_that_was_swept_before_a_crash_is_swept_again_without_harm(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await side.keyring.ensure_user("", "u1")
        await side.handler.handle(user_id, AddNote(note_id="n", note_ref="n_1", text="x"))
        await side.handler.handle(user_id, DeleteNote(note_id="n", note_ref="n_1"))
        page = await side.log.read_log(after=0)
        retention = make_retention(side)
        assert [await retention.sweep(page), await retention.sweep(page)] == [1, 1]
        # A fresh process folds the stream although its text is gone.
        async with open_write_side(settings, "other") as other:
            assert (await other.states.refresh(user_id)).notes == {}
