from __future__ import annotations

import pytest

from tests.support import checkers
from tests.support.chaos_client import cursor_of
from tests.support.world import World


@pytest.mark.chaos
async def test_smoke(world: World) -> None:
    client = world.client("u1")
    session = await client.session()
    op = await client.create_task("one")
    assert op.status == 201, op
    said = await client.say("Tell me something")
    assert said.status == 202, said
    follower = await world.follower(client, session, after=cursor_of(said))
    text = await follower.until_ended(said.body["replyId"])
    print(text)
    async with world.ledger() as ledger:
        facts = await ledger.facts(world.sub("u1"))
        for f in facts: print(f.version, type(f.event).__name__)
        print(checkers.stream_is_exact(follower, facts, after=2))
        print(checkers.acknowledged_once(world.history.ops, facts), checkers.texts_once(world.history.ops, facts))
        print(checkers.replies_end_once(facts), checkers.attempts_are_fenced(facts), await world.model.counts(), checkers.attempts_of(facts), checkers.usage_of(facts))
    op = await client.send("x", "GET", "/state?min_version=%d" % len(facts))
    print(op.status, op.version, op.text[:300])
    op = await client.send("x", "GET", "/usage?min_version=%d" % len(facts))
    print(op.status, op.version, op.text[:300])
    assert 0
