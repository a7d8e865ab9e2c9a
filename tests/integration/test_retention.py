"""Deleting is final: the keys go after the commit, by a sweep that survives a crash."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from api.auth.tickets import StreamTickets
from api.auth.tokens import Principal
from cli.retention import make_retention
from commands.conversations import DeleteConversation
from commands.messages import PostMessage
from commands.notes import AddNote, DeleteNote
from commands.tasks import CreateTask
from commands.write_side import WriteSide, open_write_side
from domain.events import MessageReceived
from domain.ports import Segment
from domain.values import REDACTED, Task
from infra.event_log.tracking import Tracking
from infra.login_codes import issue_login_code, redeem_login_code
from infra.presence import PostgresPresence
from infra.settings import Settings
from infra.work import PostgresSegments
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


# --- what nobody can use any more -------------------------------------------------------------------------------


async def test_spent_and_late_tickets_and_log_in_codes_go_and_good_ones_stay(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await side.keyring.ensure_user("", "u1")
        principal = Principal(issuer="", sub="u1", expires_at=0)
        tickets = StreamTickets(side.queries, side.keyring, seconds=30)
        spent, good = [await tickets.issue(principal, user_id) for _ in range(2)]
        assert await tickets.redeem(spent) == principal
        await StreamTickets(side.queries, side.keyring, seconds=-1).issue(principal, user_id)
        used, late, fresh = [issue_login_code(settings, "u1") for _ in range(3)]
        assert await redeem_login_code(side.queries, used) == "u1"
        late_hash = hashlib.sha256(late.encode()).digest()
        await side.queries.fetch("UPDATE login_codes SET expires_at = now() WHERE code_hash = %s", (late_hash,))
        await make_retention(side).prune()
        left = [await side.queries.fetch(f"SELECT 1 FROM {table}") for table in ("stream_tickets", "login_codes")]  # type: ignore[arg-type]
        assert [len(rows) for rows in left] == [1, 1]
        assert await tickets.redeem(good) == principal
        assert await redeem_login_code(side.queries, fresh) == "u1"


async def test_segments_go_when_they_are_old_and_stay_while_they_are_not(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        segments = PostgresSegments(side.queries)
        for reply_id in ("m_old", "m_new"):
            one = Segment(user_id="00/u", reply_id=reply_id, attempt=1, first_index=1, last_index=2, sealed=b"x")
            await segments.write([one])
        age = "UPDATE segments SET written_at = now() - interval '2 hours' WHERE reply_id = 'm_old'"
        await side.queries.fetch(age)
        await make_retention(side).prune()
        assert await segments.read("00/u", "m_old", attempt=1, after_index=0) == []
        assert len(await segments.read("00/u", "m_new", attempt=1, after_index=0)) == 1


async def test_of_a_users_snapshots_the_newest_stays_alone(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await side.keyring.ensure_user("", "u1")
        for number in range(3):
            await side.handler.handle(user_id, CreateTask(task=Task(title=f"t {number}")))
            await side.states.save_snapshot(user_id, await side.states.refresh(user_id))
        versions = await side.queries.fetch("SELECT originator_version FROM log0_snapshots")
        assert versions == [(3,)]


async def test_a_session_is_inactive_to_others_once_its_process_says_nothing_any_more(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        presence = PostgresPresence(side.queries, beat_seconds=3_600)  # so that this test's own time does not count
        for session_id in ("s_1", "s_2"):
            await presence.seen("00/u", session_id, True)
        await side.queries.fetch("UPDATE presence SET last_seen = now() - interval '2 hours 50 minutes'")
        assert [active for _, active in (await presence.of("00/u")).values()] == [True, True]
        await side.queries.fetch("UPDATE presence SET last_seen = now() - interval '3 hours 10 minutes'")
        assert [active for _, active in (await presence.of("00/u")).values()] == [False, False]
        await presence.beat([("00/u", "s_2")])
        seen = await presence.of("00/u")
        assert (seen["s_1"][1], seen["s_2"][1]) == (False, True)
        assert seen["s_2"][0] - seen["s_1"][0] >= 11_400_000
