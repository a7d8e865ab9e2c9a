"""What every work queue, segment store and election does, on Postgres and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain.ports import Append, Appended, AppendRefused, Segment, VersionConflict, WorkClaimed, WorkDone, WorkWanted
from infra.ids import new_id, new_user_id
from tests.support.stores import KINDS, Stores, an_append, event, open_stores

pytestmark = pytest.mark.anyio

LONG, OVER = 600.0, 0.0  # seconds: a lease that outlasts the test, and one that is over at once


@pytest.fixture(params=KINDS)
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    async with open_stores(request.param, lambda: request.getfixturevalue("database_url")) as stores:
        yield stores


@pytest.fixture
def user() -> str:
    return new_user_id()


async def want(stores: Stores, user: str, reply_id: str = "reply") -> None:
    head = await stores.log.head(user)
    assert isinstance(await stores.log.append(an_append(user, head, event(), work=WorkWanted(reply_id))), Appended)


async def claim(
    stores: Stores, user: str, *, attempt: int, owner: str, reply_id: str = "reply", lease_seconds: float = LONG
) -> object:
    head = await stores.log.head(user)
    work = WorkClaimed(reply_id, attempt, owner, lease_seconds)
    return await stores.log.append(an_append(user, head, event(), work=work))


async def claimable(stores: Stores) -> list[tuple[str, str, int, str | None]]:
    return [(w.user_id, w.reply_id, w.attempt, w.owner) for w in await stores.work.claimable(limit=100)]


# --- work -----------------------------------------------------------------------------------------------------


async def test_what_is_wanted_waits_in_the_order_of_wanting(stores: Stores) -> None:
    users = [new_user_id() for _ in range(5)]
    for user in users:
        await want(stores, user)
    assert await claimable(stores) == [(user, "reply", 0, None) for user in users]
    assert len(await stores.work.claimable(limit=2)) == 2


async def test_wanting_the_same_reply_again_leaves_its_lease_alone(stores: Stores, user: str) -> None:
    await want(stores, user)
    assert isinstance(await claim(stores, user, attempt=1, owner="a"), Appended)
    await want(stores, user)
    assert await claimable(stores) == []


async def test_another_reply_takes_the_row_over(stores: Stores, user: str) -> None:
    await want(stores, user)
    await claim(stores, user, attempt=1, owner="a")
    await want(stores, user, "next")
    assert await claimable(stores) == [(user, "next", 0, None)]


async def test_a_claim_is_taken_once_and_hides_the_work(stores: Stores, user: str) -> None:
    await want(stores, user)
    assert isinstance(await claim(stores, user, attempt=1, owner="a"), Appended)
    head = await stores.log.head(user)
    assert await claim(stores, user, attempt=2, owner="b") == AppendRefused("leased")
    assert await stores.log.head(user) == head
    assert await claimable(stores) == []


async def test_a_lease_that_is_over_can_be_claimed_with_the_next_attempt_only(stores: Stores, user: str) -> None:
    await want(stores, user)
    await claim(stores, user, attempt=1, owner="a", lease_seconds=OVER)
    assert await claimable(stores) == [(user, "reply", 1, "a")]
    for attempt in (1, 3):
        assert await claim(stores, user, attempt=attempt, owner="b") == AppendRefused("leased")
    assert isinstance(await claim(stores, user, attempt=2, owner="b"), Appended)


async def test_the_owner_may_claim_its_next_attempt_under_its_own_lease(stores: Stores, user: str) -> None:
    await want(stores, user)
    await claim(stores, user, attempt=1, owner="a")
    assert isinstance(await claim(stores, user, attempt=2, owner="a"), Appended)


@pytest.mark.parametrize("is_wanted", [True, False])
async def test_what_is_not_wanted_cannot_be_claimed(stores: Stores, user: str, is_wanted: bool) -> None:
    if is_wanted:
        await want(stores, user, "another")
    assert await claim(stores, user, attempt=1, owner="a") == AppendRefused("leased")


async def test_done_takes_the_row_away(stores: Stores, user: str) -> None:
    await want(stores, user)
    await stores.log.append(an_append(user, 1, event(), work=WorkDone()))
    assert await claimable(stores) == []
    assert await claim(stores, user, attempt=1, owner="a") == AppendRefused("leased")


async def test_a_stale_claim_is_a_conflict_before_it_is_leased(stores: Stores, user: str) -> None:
    await want(stores, user)
    await claim(stores, user, attempt=1, owner="a")
    stale = an_append(user, 1, event(), work=WorkClaimed("reply", 2, "b", LONG))
    assert await stores.log.append(stale) == VersionConflict(head=2)


async def test_a_refused_command_changes_no_work(stores: Stores, user: str) -> None:
    await want(stores, user)
    for work in (WorkDone(), WorkWanted("other"), WorkClaimed("reply", 1, "a", LONG)):
        assert isinstance(await stores.log.append(an_append(user, 9, event(), work=work)), VersionConflict)
    assert await claimable(stores) == [(user, "reply", 0, None)]


async def test_a_batch_may_mix_every_change(stores: Stores) -> None:
    wanting, claiming, ending, plain = (new_user_id() for _ in range(4))
    await want(stores, claiming)
    await want(stores, ending)
    appends: list[Append] = [
        an_append(wanting, 0, event(), work=WorkWanted("reply")),
        an_append(claiming, 1, event(), work=WorkClaimed("reply", 1, "a", LONG)),
        an_append(ending, 1, event(), work=WorkDone()),
        an_append(plain, 0, event()),
    ]
    for append in appends:
        assert isinstance(await stores.log.append(append), Appended)
    assert await claimable(stores) == [(wanting, "reply", 0, None)]


async def test_a_renewal_keeps_what_is_still_the_owners(stores: Stores) -> None:
    mine, over, theirs, unclaimed = (new_user_id() for _ in range(4))
    for user in (mine, over, theirs, unclaimed):
        await want(stores, user)
    await claim(stores, mine, attempt=1, owner="a")
    await claim(stores, over, attempt=1, owner="a", lease_seconds=OVER)
    await claim(stores, theirs, attempt=1, owner="b")
    renewed = await stores.work.renew("a", [mine, over, theirs, unclaimed, new_user_id()], LONG)
    assert renewed == {mine, over}
    assert await claimable(stores) == [(unclaimed, "reply", 0, None)]
    assert await stores.work.renew("a", [], LONG) == set()


@pytest.mark.parametrize(("owners", "ended"), [(["a"], 2), (["a", "b", "c"], 3), (None, 3), ([], 0)])
async def test_leases_of_the_dead_end_at_once(stores: Stores, owners: list[str] | None, ended: int) -> None:
    for owner in ("a", "a", "b"):
        user = new_user_id()
        await want(stores, user)
        await claim(stores, user, attempt=1, owner=owner)
    assert await stores.work.release_dead(owners) == ended
    assert len(await claimable(stores)) == ended
    assert await stores.work.release_dead(owners) == 0


# --- segments -------------------------------------------------------------------------------------------------


def a_segment(user: str, first: int, last: int, *, attempt: int = 1, reply_id: str = "reply") -> Segment:
    return Segment(
        user_id=user, reply_id=reply_id, attempt=attempt, first_index=first, last_index=last, sealed=b"\x00%d" % first
    )


async def test_segments_are_read_in_order_from_an_index_on(stores: Stores, user: str) -> None:
    parts = [a_segment(user, 1, 4), a_segment(user, 5, 5), a_segment(user, 6, 10)]
    strangers = [a_segment(new_user_id(), 1, 9), a_segment(user, 1, 9, attempt=2), a_segment(user, 1, 9, reply_id="x")]
    await stores.segments.write([parts[2], *strangers, parts[0]])
    await stores.segments.write([parts[1]])
    for after, expected in ((0, parts), (3, parts), (4, parts[1:]), (5, parts[2:]), (10, [])):
        assert await stores.segments.read(user, "reply", attempt=1, after_index=after) == expected


async def test_a_segment_written_twice_stays_as_it_was(stores: Stores, user: str) -> None:
    await stores.segments.write([a_segment(user, 1, 4)])
    await stores.segments.write([a_segment(user, 1, 4), a_segment(user, 5, 6)])
    await stores.segments.write([])
    assert len(await stores.segments.read(user, "reply", attempt=1, after_index=0)) == 2


# --- leaders --------------------------------------------------------------------------------------------------


async def test_one_leads_until_its_lease_is_over(stores: Stores) -> None:
    role = new_id()
    a, b = stores.leaders("a"), stores.leaders("b")
    assert await a.acquire(role, LONG) == 1
    assert await b.acquire(role, LONG) is None
    assert await a.acquire(role, OVER) == 1
    assert await b.acquire(role, LONG) == 2
    assert await a.acquire(role, LONG) is None


async def test_who_resigns_is_followed_at_once(stores: Stores) -> None:
    role = new_id()
    a, b = stores.leaders("a"), stores.leaders("b")
    await a.acquire(role, LONG)
    await b.resign(role)
    assert await b.acquire(role, LONG) is None
    await a.resign(role)
    assert await b.acquire(role, LONG) == 2
    assert await a.acquire("another role", LONG) == 1
