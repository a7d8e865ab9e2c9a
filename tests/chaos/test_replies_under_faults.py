"""P6, P7, P8: each message is answered once, whoever of the workers and whatever of the model fails on the way."""

from __future__ import annotations

import asyncio

import pytest

from domain.events import Fact, ReplyStarted
from tests.support import checkers
from tests.support.chaos_client import Follower
from tests.support.cluster import Member
from tests.support.ledger import Ledger
from tests.support.model_process import slow
from tests.support.model_server import Plan
from tests.support.waiting import eventually_true
from tests.support.world import World

pytestmark = pytest.mark.chaos

OWNERS = "SELECT user_id FROM work WHERE owner LIKE %s AND attempt > 0 AND lease_until > clock_timestamp()"


def broken_plans(world: World, count: int) -> list[Plan]:
    """Calls that hang, are cut or are refused, before the first token or after some."""
    makers = (
        lambda after: slow(hang_after=after),
        lambda after: slow(cut_after=after),
        lambda after: Plan(status=500),
        lambda after: Plan(status=429, retry_after_seconds=0.1),
        lambda after: Plan(text=""),
        lambda after: slow(),
    )
    return [world.rng.choice(makers)(world.rng.choice([-1, 0, 1, 7, 20])) for _ in range(count)]


async def one_of_workers_speaks(world: World, ledger: Ledger) -> Member:
    """A worker in mid-reply, any one."""

    async def look() -> Member | None:
        for member in world.rng.sample(world.cluster.named("worker"), 2):
            if member.is_ready and await ledger.fetch(OWNERS, (f"{member.name}-%",)):
                return member
        return None

    found = await eventually_true(look, "a worker that writes a reply", every_seconds=0.02)
    assert found is not None
    return found


async def talk(world: World, user: str, messages: int) -> Follower:
    """One user who says it all and then waits for every answer."""
    follower = await world.newcomer(user, seconds=180)
    client = world.client(user)
    said = [await client.say(f"{user} says {number}") for number in range(messages)]
    for op in said:
        await follower.until_ended(op.body["replyId"], seconds=180)
    return follower


async def judge(world: World, followers: dict[str, Follower]) -> None:
    problems: list[str] = []
    calls = await world.model.counts()
    async with world.ledger() as ledger:
        for user, follower in followers.items():
            facts = await world.settled(ledger, user)
            await follower.until_version(facts[-1].version)
            ops = [op for op in world.history.ops if op.client.split(".")[0] == user]
            problems += checkers.acknowledged_once(ops, facts)
            problems += checkers.replies_end_once(facts)
            problems += checkers.attempts_are_fenced(facts)
            problems += checkers.model_calls_are_counted(facts, calls)
            problems += checkers.stream_is_exact(follower, facts)
    assert not problems, "\n".join(problems)


async def test_each_message_is_answered_once_whatever_workers_and_model_do(world: World) -> None:
    users = [f"u{number}" for number in range(world.count(50, least=10))]
    messages = world.count(500, least=60) // len(users)
    await world.model.answer_next(*broken_plans(world, len(users) * messages // 3))
    talks = {user: world.spawn(talk(world, user, messages)) for user in users}
    async with world.ledger() as ledger:
        for _ in range(world.count(5, least=3)):
            victim = await one_of_workers_speaks(world, ledger)
            if world.rng.random() < 0.5:
                await victim.kill()
            else:
                victim.freeze()
                # As often within the lease as past it.
                await asyncio.sleep(2 * world.cluster.settings.lease_seconds * world.rng.random())
                victim.thaw()
            await asyncio.sleep(world.rng.random())
    followers = {user: await task for user, task in talks.items()}
    await judge(world, followers)


async def test_a_worker_that_was_frozen_past_its_lease_writes_nothing_more(world: World) -> None:
    users = [f"u{number}" for number in range(6)]
    followers = {user: await world.newcomer(user) for user in users}
    async with world.ledger() as ledger:
        overtaken = 0
        for number in range(world.count(50)):
            overtaken += await freeze_and_thaw(world, ledger, followers, number)
    print(f"{overtaken} replies were taken over from a frozen worker")
    assert overtaken
    await judge(world, followers)


async def freeze_and_thaw(world: World, ledger: Ledger, followers: dict[str, Follower], number: int) -> int:
    """One worker sleeps until another has ended its replies, and wakes up in the middle of its own."""
    # So slow that whoever is seen to speak still does when it is frozen.
    await world.model.plan(slow(tokens_per_second=15))
    said = {user: await world.client(user, str(number)).say(f"{user} asks {number}") for user in followers}
    victim = await one_of_workers_speaks(world, ledger)
    victim.freeze()
    await world.model.plan(slow())
    for user, op in said.items():
        await followers[user].until_ended(op.body["replyId"], seconds=120)
    victim.thaw()
    # Once it claims again it has had every chance to go on with the old ones.
    claimed = await eventually_true(lambda: claims_again(world, ledger, victim, followers, number), "a new claim")
    assert claimed
    overtaken = 0
    for user, op in said.items():
        starts = starts_of(await ledger.facts(world.sub(user)), op.body["replyId"])
        overtaken += len({start.owner for start in starts}) > 1
    return overtaken


async def claims_again(
    world: World, ledger: Ledger, victim: Member, followers: dict[str, Follower], number: int
) -> bool:
    """Whether one more message was answered by the one who woke up."""
    user = world.rng.choice(list(followers))
    client = world.client(user, f"{number}-{world.rng.random()}")
    op = await client.say(f"{user} goes on {client.name}")
    await followers[user].until_ended(op.body["replyId"], seconds=120)
    starts = starts_of(await ledger.facts(world.sub(user)), op.body["replyId"])
    return any(start.owner.startswith(f"{victim.name}-") for start in starts)


def starts_of(facts: list[Fact], reply_id: str) -> list[ReplyStarted]:
    found = [fact.event for fact in facts if isinstance(fact.event, ReplyStarted)]
    return [event for event in found if event.reply.reply_id == reply_id]
