"""Erasure leaves nothing to read: canaries in every text of a user, looked for in all that is stored anywhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from cli.retention import make_erasure, make_retention
from commands.conversations import ChangeConversation, DeleteConversation
from commands.erasure import EraseUser
from commands.messages import PostMessage
from commands.notes import AddNote
from commands.sessions import CloseSession, OpenSession
from commands.tasks import CreateTask
from commands.voice import StartVoiceJob
from commands.write_side import WriteSide, open_write_side, run_feed
from domain.errors import Gone, NotFound, Unavailable
from domain.events import MessageReceived, SessionOpened, VoiceRequest
from domain.ports import Audio
from domain.values import REDACTED, Task
from infra import failpoints
from infra.audio_store import audio_id, audio_store
from infra.embedded.nats import EmbeddedNats
from infra.erasure import TABLES
from infra.ids import new_id
from infra.leases import PostgresLeaders
from infra.login_codes import issue_login_code
from infra.nats.bus import NatsBus
from infra.presence import PostgresPresence
from infra.settings import Settings
from projections.verify import compare_live
from projections.views import VIEWS
from tests.support.api_routes import own_objects
from tests.support.api_world import ApiWorld, User, open_world, world_settings
from tests.support.databases import PostgresServer
from tests.support.views import Silent
from tests.support.waiting import eventually_true
from workers.relay import Relay

pytestmark = pytest.mark.anyio

WORD = "canary-5f0c51b1"
KEEP = {"log0_events", "users", "keys"}  # ciphertext, and tombstones that say whose it was


def tables_of_users(url: str) -> set[tuple[str, str]]:
    """Every table with a column that names a user, but for those of the views."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT c.table_name, c.column_name FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
            " AND c.column_name IN ('user_id', 'originator_id')"
        ).fetchall()
    views = {f"{table.name}_b" for view in VIEWS.values() for table in view.tables}
    return {(name, column) for name, column in rows if name not in KEEP and name.rstrip("0123456789") not in views}


def rows_of(url: str, user_id: str) -> dict[str, int]:
    """How many rows each table still has of a user, those of the views included."""
    with psycopg.connect(url) as connection:
        views = [(table.name, "user_id") for view in VIEWS.values() for table in view.tables]
        return {
            table: connection.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", (user_id,)).fetchone()[0]  # type: ignore[index]
            for table, column in [*tables_of_users(url), *views]
        }


def dump(url: str) -> bytes:
    """All rows of all tables as Postgres would write them out."""
    written: list[bytes] = []
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            with connection.cursor().copy(f"COPY {name} TO STDOUT (FORMAT binary)") as copy:
                written += [bytes(part) for part in copy]
    return b"".join(written)


def files_with(word: str, *folders: Path) -> list[str]:
    found = []
    for folder in folders:
        for parent, _, names in os.walk(folder):  # which passes over a folder that is gone
            for path in (Path(parent, name) for name in names):
                try:
                    if path.is_file() and word.encode() in path.read_bytes():
                        found.append(str(path))
                except FileNotFoundError:
                    continue  # a file of the server's that came and went
    return found


@asynccontextmanager
async def relaying(world: ApiWorld) -> AsyncIterator[None]:
    """Domain events go to NATS while the block runs."""
    side = world.apps[0].side
    bus = NatsBus(world.settings, name="relay")
    await bus.start()
    leaders = PostgresLeaders(side.queries, new_id())
    relay = Relay(side.log, await bus.fact_stream(), leaders, side.clock, world.settings)
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.close()


async def leave_traces(user: User) -> str:
    """Everything that may be stored of a user; their internal id."""
    owned = await own_objects(user, WORD)
    await user.ended((await user.say(f"Remind me to call {WORD} tomorrow at 5", clientMessageId=WORD))["replyId"])
    await user.put("/plan/2025-11-21", {"priorities": [WORD], "todos": [WORD], "notes": [WORD]})
    await user.put(f"/preferences/{WORD}", {"value": WORD})
    await user.made("/stream/ticket")
    await user.made("/tasks", {"task": {"title": WORD}}, key=f"{WORD}-key")
    side = user.world.apps[0].side
    user_id = await user.world.user_id(user.sub)
    await side.states.save_snapshot(user_id, await side.states.refresh(user_id))
    await PostgresPresence(side.queries).seen(user_id, owned.session_id, True)
    issue_login_code(user.world.settings, user.sub)
    return user_id


async def test_no_canary_is_left_anywhere(
    database_url: str,
    nats_url: str,
    nats_server: EmbeddedNats,
    postgres_server: PostgresServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with open_world(world_settings(database_url, nats_url, tmp_path), apis=1) as world, relaying(world):
        user = world.user(WORD)
        user_id = await leave_traces(user)
        others = world.user("somebody-else")
        await others.task("stays")
        before = rows_of(database_url, user_id)
        assert {table for table, count in before.items() if count} >= {"commands", "log0_snapshots", "presence"}
        await user.made("/erase")

        async def swept() -> bool:
            return not any(rows_of(database_url, user_id).values())

        await eventually_true(swept, "what was stored of the user to be gone", every_seconds=0.05)
        with psycopg.connect(database_url, autocommit=True) as connection:
            kept = connection.execute(
                "SELECT count(*), count(wrapped) FROM keys WHERE user_id = %s", (user_id,)
            ).fetchone()
            assert kept is not None
            assert (kept[0] > 2, kept[1]) == (True, 0), "each key is a tombstone"
            assert connection.execute("SELECT subject FROM users WHERE user_id = %s", (user_id,)).fetchone() == (None,)
            connection.execute("VACUUM")
            comparisons = [compare_live(connection, view, Silent()) for view in VIEWS.values()]
            assert [comparison.different for comparison in comparisons] == [0] * len(VIEWS)
        with psycopg.connect(postgres_server.server.url("postgres", superuser=True), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        assert [task["title"] for task in (await others.read("/tasks"))["tasks"]] == ["stays"]
        assert (await user.get("/state")).json()["messages"] == []
        assert user_id.encode() in dump(database_url), "the dump holds what is kept"
        assert WORD.encode() not in dump(database_url)
        assert files_with(WORD, tmp_path, nats_server.data_dir, postgres_server.server.cluster) == []
        facts = await world.apps[0].side.keyring.open_events(
            user_id, await world.apps[0].side.log.read_stream(user_id, after=0)
        )
        assert {fact.event.content for fact in facts if isinstance(fact.event, MessageReceived)} == {REDACTED}
    heard = capsys.readouterr()
    assert WORD not in heard.out + heard.err, "the log holds what a user said"


def test_no_table_with_rows_of_users_is_forgotten(database_url: str) -> None:
    assert tables_of_users(database_url) == set(TABLES)


# --- crashes ----------------------------------------------------------------------------------------------------


async def erased_user(side: WriteSide) -> str:
    """Somebody with a row in each table, whose stream has just ended."""
    user_id = await side.keyring.ensure_user("", "u1")
    post = PostMessage(channel="chat", text="secret", conversation_id="c", conversation_ref="c_1")
    await side.handler.handle(user_id, post)
    await side.handler.handle(user_id, AddNote(note_id="n", note_ref="n_1", text="secret too"))
    await side.states.save_snapshot(user_id, await side.states.refresh(user_id))
    await PostgresPresence(side.queries).seen(user_id, "s_1", True)
    await side.handler.handle(user_id, EraseUser())
    return user_id


def wrapped_keys(url: str, user_id: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(wrapped) FROM keys WHERE user_id = %s", (user_id,)).fetchone()
    assert row is not None
    return int(row[0])


POINTS = ["keys.destroy.before", "keys.destroy.after", "erasure.files.before"]
POINTS += [f"erasure.{table}.before" for table, _ in TABLES]


@pytest.mark.parametrize("point", POINTS)
async def test_a_sweep_that_breaks_anywhere_is_finished_by_the_next(settings: Settings, point: str) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await erased_user(side)
        with failpoints.armed(point), pytest.raises((OSError, Unavailable)):
            await make_erasure(side).erase(user_id)
    # Another process, later: nobody tells it where the first one stopped.
    async with open_write_side(settings, "other") as side:
        await make_retention(side).sweep(await side.log.read_log(after=0))
        left = rows_of(settings.database_url, user_id)
        assert {table: left[table] for table, _ in TABLES} == dict.fromkeys([table for table, _ in TABLES], 0)
        assert wrapped_keys(settings.database_url, user_id) == 0


async def test_what_is_written_late_by_somebody_who_had_not_heard_goes_too(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await erased_user(side)
        retention = make_retention(side)
        await retention.sweep(await side.log.read_log(after=0))
        await PostgresPresence(side.queries).seen(user_id, "s_1", True)
        await retention.prune()
        assert rows_of(settings.database_url, user_id)["presence"] == 0


async def test_nobody_loses_their_keys_who_was_not_erased(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await side.keyring.ensure_user("", "u1")
        with pytest.raises(AssertionError):
            await make_erasure(side).erase(user_id)
        assert wrapped_keys(settings.database_url, user_id) == 1


async def test_audio_of_the_user_goes_with_them(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await side.keyring.ensure_user("", "u1")
        job_id = f"v_{new_id().replace('-', '')}"
        started = StartVoiceJob(job_id=job_id, media_type="audio/wav", bytes=1, speak=False, request=VoiceRequest())
        await side.handler.handle(user_id, started)
        store = audio_store(settings, side.clock)
        store.write(audio_id(job_id), Audio(b"x", "audio/wav"))
        kept = new_id()
        store.write(kept, Audio(b"x", "audio/wav"))
        await side.handler.handle(user_id, EraseUser())
        await make_erasure(side).erase(user_id)
        assert store.job_ids() == [kept]


# --- other processes --------------------------------------------------------------------------------------------


async def test_every_process_that_follows_the_log_forgets_keys_at_once(settings: Settings) -> None:
    async with open_write_side(settings, "one") as one, open_write_side(settings, "two") as two, run_feed(two):
        user_id = await one.keyring.ensure_user("", "u1")
        assert await two.keyring.find_user("", "u1") == user_id
        for ref in ("c_1", "c_2"):
            post = PostMessage(channel="chat", text="secret", conversation_id=ref, conversation_ref=ref)
            await one.handler.handle(user_id, post)
        conversations = (await two.states.refresh(user_id)).conversations
        held = await two.keyring.load(user_id)
        assert not held.destroyed(conversations["c_1"].key_id)
        await one.handler.handle(user_id, DeleteConversation(conversation_ref="c_1"))

        async def buried() -> bool:
            return held.destroyed(conversations["c_1"].key_id)

        await eventually_true(buried, "the key of the conversation to be forgotten", every_seconds=0.01)
        assert not held.destroyed(conversations["c_2"].key_id)
        await one.handler.handle(user_id, EraseUser())

        async def forgotten() -> bool:
            return held.is_erased

        await eventually_true(forgotten, "all keys of the user to be forgotten", every_seconds=0.01)
        with pytest.raises(Gone):
            held.ref("note", "n")
        assert await two.keyring.ensure_user("", "u1") != user_id


async def test_a_command_about_what_was_just_deleted_elsewhere_is_refused_and_not_broken(settings: Settings) -> None:
    async with open_write_side(settings, "one") as one, open_write_side(settings, "two") as two:
        user_id = await one.keyring.ensure_user("", "u1")
        post = PostMessage(channel="chat", text="secret", conversation_id="c", conversation_ref="c_1")
        await one.handler.handle(user_id, post)
        key_id = (await two.states.refresh(user_id)).conversations["c_1"].key_id
        await one.handler.handle(user_id, DeleteConversation(conversation_ref="c_1"))
        # The key is forgotten here, and the cached state does not know yet why.
        (await two.keyring.load(user_id)).bury(key_id)
        with pytest.raises(NotFound):
            await two.handler.handle(user_id, ChangeConversation(conversation_ref="c_1", title="late"))
        await one.handler.handle(user_id, EraseUser())
        two.keyring.bury_user(user_id)
        with pytest.raises(Gone):
            await two.handler.handle(user_id, CreateTask(task=Task(title="too late")))


async def test_presence_of_a_closed_session_is_forgotten(settings: Settings) -> None:
    async with open_write_side(settings, "test") as side:
        user_id = await side.keyring.ensure_user("", "u1")
        handled = await side.handler.handle(user_id, OpenSession())
        assert handled.outcome is not None
        (opened,) = [fact.event for fact in handled.outcome.facts if isinstance(fact.event, SessionOpened)]
        presence = PostgresPresence(side.queries)
        await presence.seen(user_id, opened.session_id, True)
        await side.handler.handle(user_id, CloseSession(session_id=opened.session_id))
        await make_retention(side).sweep(await side.log.read_log(after=0))
        await presence.seen(user_id, opened.session_id, False)  # its client is told last of all, and leaves then
        await presence.beat([(user_id, opened.session_id)])
        assert await presence.of(user_id) == {}
