"""`microcos dlq …` as an operator meets it: real processes, their output and their exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from commands.conversations import MAIN_CONVERSATION_ID
from commands.messages import PostMessage
from commands.replies import Ending, FailReply, StartReply
from commands.write_side import WriteSide, open_write_side
from domain.values import ModelUsage
from infra.keys.local import make_master_key
from infra.settings import Settings
from tests.support.processes import ROOT
from tests.support.views import catch_up

pytestmark = pytest.mark.anyio


def run(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "dlq", *arguments],
        cwd=ROOT,
        env={**settings.as_environment(), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@dataclass(frozen=True)
class Failed:
    side: WriteSide
    user_id: str
    reply_id: str


@pytest.fixture
async def failed(settings: Settings) -> AsyncIterator[Failed]:
    """A reply that failed after its last attempt."""
    async with open_write_side(settings, "test") as side:
        await side.keyring.verify()
        user_id = await side.keyring.ensure_user("", "u1")
        ref = (await side.keyring.load(user_id)).ref("conversation", MAIN_CONVERSATION_ID)
        message = PostMessage(channel="chat", text="secret", conversation_id=None, conversation_ref=ref)
        await side.handler.handle(user_id, message)
        [reply_id] = (await side.handler.states.load(user_id)).queue
        claim = StartReply(reply_id=reply_id, after_attempt=0, owner="w", lease_seconds=60.0, reserved_tokens=0)
        await side.handler.handle(user_id, claim)
        ending = Ending(text="It did not work.", usage=ModelUsage())
        await side.handler.handle(user_id, FailReply(reply_id=reply_id, attempt=1, ending=ending, code="timeout"))
        catch_up(settings.database_url)
        yield Failed(side, user_id, reply_id)


async def test_it_lists_what_failed_and_no_text(settings: Settings, failed: Failed) -> None:
    code, out, err = run(settings, "list")
    assert (code, err) == (0, "1 failed\n")
    [line] = out.splitlines()
    assert line.startswith(f"{failed.reply_id}  {failed.user_id}  ")
    assert line.endswith("  timeout  attempt 1")


async def test_a_reply_that_is_retried_is_asked_for_again_and_listed_no_more(
    settings: Settings, failed: Failed
) -> None:
    assert run(settings, "retry", failed.reply_id) == (0, f"{failed.reply_id} asked for again\n", "")
    [again] = (await failed.side.handler.states.refresh(failed.user_id)).queue
    assert again != failed.reply_id
    catch_up(settings.database_url)
    assert run(settings, "list") == (0, "", "0 failed\n")


async def test_a_reply_that_is_dropped_is_listed_no_more(settings: Settings, failed: Failed) -> None:
    assert run(settings, "drop", failed.reply_id) == (0, f"{failed.reply_id} dropped\n", "")
    assert run(settings, "list") == (0, "", "0 failed\n")


async def test_what_did_not_fail_is_named(settings: Settings, failed: Failed) -> None:
    for command in ("retry", "drop"):
        code, out, err = run(settings, command, "msg_nothing")
        assert (code, out) == (1, "")
        assert "msg_nothing is no failed reply" in err


async def test_another_master_key_is_refused_in_one_line(settings: Settings, failed: Failed) -> None:
    code, out, err = run(replace(settings, master_key=make_master_key()), "list")
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1


async def test_a_database_that_nobody_serves_yet_does_not_take_the_first_key_that_looks_in_for_its_own(
    settings: Settings,
) -> None:
    stranger = replace(settings, master_key=make_master_key())
    assert run(stranger, "list") == (0, "", "0 failed\n")
    async with open_write_side(settings, "test") as side:
        await side.keyring.verify()
    assert run(stranger, "list")[0] == 1
    assert run(settings, "list")[0] == 0


async def test_a_database_that_is_away_is_told_in_one_line(settings: Settings) -> None:
    nowhere = replace(settings, database_url="postgresql://nobody@127.0.0.1:1/nothing", database_wait_seconds=0.1)
    code, out, err = run(nowhere, "list")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "microcos doctor" in err
