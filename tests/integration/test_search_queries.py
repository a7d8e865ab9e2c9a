"""A search looks through a bounded number of rows at a time, and its cursor leads through all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from commands.messages import PostMessage
from commands.tasks import CreateTask
from commands.write_side import open_write_side
from domain.text_search import Wanted
from domain.values import Task
from infra.settings import Settings
from projections import search_queries
from projections.reading import Reader
from projections.search_queries import fetch_matches
from tests.support.histories import History
from tests.support.views import World, catch_up, open_world, reader_of, user, write_log

pytestmark = pytest.mark.anyio

USER = user(1)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with open_world(database_url) as world:
        yield world


async def found(world: World, history: History, query: str, limit: int) -> tuple[list[str], int]:
    """All snippets, and in how many pages they came."""
    snippets: list[str] = []
    cursor: str | None = None
    for pages in range(1, 1_000):
        fetched: Any = await fetch_matches(reader_of(world, history), USER, Wanted(query), limit=limit, cursor=cursor)
        assert len(fetched.body["results"]) <= limit
        snippets += [match["snippet"] for match in fetched.body["results"]]
        cursor = fetched.body["nextCursor"]
        if cursor is None:
            return snippets, pages
    raise AssertionError("it never ends")


@pytest.mark.parametrize(("rows_max", "chunk"), [(4_000, 250), (3, 250), (3, 2), (1, 1)])
@pytest.mark.parametrize("limit", [1, 4, 100])
async def test_each_match_is_found_once_whatever_one_request_may_look_at(
    world: World, monkeypatch: pytest.MonkeyPatch, rows_max: int, chunk: int, limit: int
) -> None:
    history = History(USER)
    for number in range(12):
        history.do(CreateTask(task=Task(title=f"{'needle' if number % 3 == 0 else 'hay'} {number}")))
    history.say("needle in a message").answer("no hay here")
    write_log(world.url, history.rows)
    catch_up(world.url)
    monkeypatch.setattr(search_queries, "ROWS_SCANNED_MAX", rows_max)
    monkeypatch.setattr(search_queries, "CHUNK_ROWS", chunk)
    snippets, pages = await found(world, history, "needle", limit)
    assert snippets == ["needle in a message", "needle 9", "needle 6", "needle 3", "needle 0"]
    assert pages > 1 or (rows_max > 14 and limit > 4)


async def test_large_rows_end_a_page_sooner(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(USER)
    for number in range(6):
        history.do(CreateTask(task=Task(title=f"needle {number}", notes="x" * 5_000)))
    write_log(world.url, history.rows)
    catch_up(world.url)
    monkeypatch.setattr(search_queries, "BYTES_SCANNED_MAX", 10_000)
    snippets, pages = await found(world, history, "needle", 100)
    assert len(snippets) == 6
    assert pages > 2


async def test_a_search_makes_do_with_one_connection_whatever_keys_were_made_beside_us(settings: Settings) -> None:
    narrow = replace(settings, database_pool_size=1)
    async with open_write_side(narrow, "here") as here, open_write_side(settings, "beside") as beside:
        user_id = await here.keyring.ensure_user("", "u1")
        await here.keyring.load(user_id)
        post = PostMessage(channel="chat", text="needle", conversation_id="c", conversation_ref="c_1")
        await beside.handler.handle(user_id, post)
        catch_up(settings.database_url)
        fetched: Any = await fetch_matches(Reader(here.queries, here.keyring), user_id, Wanted("needle"))
        assert [match["snippet"] for match in fetched.body["results"]] == ["needle"]
