"""Streams as long as a benchmark wants them: commands decided and sealed in memory, copied into the log at one stroke.

The first command goes the product's own way, and so does the last: keys are real, and the snapshot is the product's.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from commands.handle import Request
from commands.messages import PostMessage
from commands.preferences import SetPreference
from commands.write_side import WriteSide
from domain.brain import Brain
from domain.ports import StoredEvent
from infra.ids import new_id
from infra.keys.keyring import UserKeys
from tests.support.histories import History

QUESTION = "Could you tell me what is on my agenda today, and whether I can still make it to the airport in time?"
ANSWER = (
    "You have two things today: call John at five, and dinner with Ada at half past seven. The airport is an hour away,"
    " so leave by three if you want to be back for the call. I have kept the evening free otherwise."
)


class LongHistory(History):
    """A `History` under a user's real keys."""

    def use(self, keys: UserKeys) -> LongHistory:
        self.keys = keys  # type: ignore[assignment]
        return self


async def long_chat(side: WriteSide, issuer: str, sub: str, events: int) -> str:
    """A user whose stream has `events` events or a few more: questions and answers in one conversation."""
    user_id = await side.keyring.ensure_user(issuer, sub)
    first = PostMessage(channel="chat", text=QUESTION, conversation_id="main", conversation_ref="c_main")
    await side.handler.handle(user_id, first, Request(key=new_id()))
    brain = await side.states.load(user_id)
    facts = await side.keyring.open_events(user_id, await side.log.read_stream(user_id, after=0))
    history = LongHistory(user_id, brain=brain, facts=facts, now_ms=brain.last_at_ms)
    history.use(await side.keyring.load(user_id))
    history.answer(ANSWER)
    while len(history.facts) < events - 1:
        history.now_ms += 60_000
        history.say(QUESTION).answer(ANSWER)
    copy_in(side.settings.database_url, history.rows)
    side.states.drop(user_id)
    return user_id


async def until_snapshot(side: WriteSide, user_id: str) -> Brain:
    """The product takes its snapshot in the background of a command that finds one due."""
    command = SetPreference(key="colour", preference_ref="p_colour", value="blue")
    handled = await side.handler.handle(user_id, command, Request(key=new_id()))
    await side.handler.aclose()
    assert handled.outcome is not None
    return handled.outcome.after


def copy_in(database_url: str, rows: Sequence[StoredEvent]) -> None:
    with psycopg.connect(database_url) as connection:
        cursor = connection.cursor()
        with cursor.copy("COPY log0_events (originator_id, originator_version, topic, state) FROM STDIN") as copy:
            for row in rows:
                copy.write_row((row.user_id, row.version, row.name, row.state))
        connection.execute("NOTIFY log0")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ANALYZE log0_events")
