"""What a keyring does over every key store, in Postgres and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from domain.errors import Gone, NotFound
from domain.values import REDACTED
from infra import codec
from infra.clock import ManualClock
from infra.codec import CorruptEvent, UnknownKey
from infra.ids import new_id, random_bytes
from infra.keys.keyring import CACHED_SECONDS_MAX, Keyring, KeyRow, MasterKeyError
from infra.keys.users import Users
from tests.support.stores import KINDS, Stores, an_append, event, open_stores

pytestmark = pytest.mark.anyio

MASTER_KEY = b"m" * 32


@pytest.fixture(params=KINDS)
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    async with open_stores(request.param, lambda: request.getfixturevalue("database_url")) as stores:
        yield stores


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keyring(stores: Stores, clock: ManualClock) -> Keyring:
    return another(stores, clock)


def another(stores: Stores, clock: ManualClock) -> Keyring:
    """As a second process has it: the same store, nothing cached."""
    return Keyring(stores.keys, MASTER_KEY, monotonic=clock.monotonic)


# --- users ----------------------------------------------------------------------------------------------------


async def test_a_caller_is_the_same_user_in_every_process(stores: Stores, keyring: Keyring, clock: ManualClock) -> None:
    assert await keyring.find_user("issuer", "u1") is None
    user_id = await keyring.ensure_user("issuer", "u1")
    shard, _, rest = user_id.partition("/")
    assert (len(shard), int(shard) < 64, len(rest)) == (2, True, 36)
    for other in (keyring, another(stores, clock)):
        assert await other.ensure_user("issuer", "u1") == user_id
        assert await other.find_user("issuer", "u1") == user_id


async def test_issuer_and_sub_together_are_the_user(keyring: Keyring) -> None:
    pairs = [("a", "u"), ("b", "u"), ("a", "v"), ("", "au"), ("au", ""), ("a\nu", ""), ("a", "\nu")]
    assert len({await keyring.ensure_user(*pair) for pair in pairs}) == len(pairs)


async def test_first_requests_at_once_make_one_user(stores: Stores, clock: ManualClock) -> None:
    rings = [another(stores, clock) for _ in range(8)]
    assert len(set(await asyncio.gather(*(ring.ensure_user("", "u1") for ring in rings)))) == 1


async def test_who_returns_after_erasure_is_somebody_new(stores: Stores, keyring: Keyring) -> None:
    user_id = await keyring.ensure_user("", "u1")
    await stores.log.append(an_append(user_id, 0, event(name="UserErased")))
    keyring.evict(user_id)
    assert await keyring.find_user("", "u1") is None
    assert await keyring.ensure_user("", "u1") != user_id


async def test_a_process_that_did_not_hear_of_an_erasure_finds_out(
    stores: Stores, keyring: Keyring, clock: ManualClock
) -> None:
    user_id = await keyring.ensure_user("", "u1")
    await stores.log.append(an_append(user_id, 0, event(name="UserErased")))
    clock.advance(CACHED_SECONDS_MAX + 1)
    assert await keyring.ensure_user("", "u1") != user_id


async def test_the_cache_of_users_is_bounded(stores: Stores, clock: ManualClock) -> None:
    asked: list[bytes] = []

    class Store:
        async def find_user(self, subject: bytes) -> str | None:
            asked.append(subject)
            return "00/x"

    async def make(_: bytes) -> None:
        raise AssertionError("everybody is known")

    users = Users(Store(), b"key", make, monotonic=clock.monotonic, cached_users_max=2)
    for sub in ("a", "b", "a", "c", "a", "b"):
        await users.ensure("", sub)
    assert len(asked) == 4  # a, b, c, and b again, which c had driven out


# --- keys -----------------------------------------------------------------------------------------------------


async def test_what_one_process_seals_another_opens(stores: Stores, keyring: Keyring, clock: ManualClock) -> None:
    user_id = await keyring.ensure_user("", "u1")
    key_id = new_id()
    keys = await keyring.create_key(user_id, key_id, "conversation", "c_1")
    other = another(stores, clock)
    for sealing_key in (key_id, keys.user_key_id):
        sealed = codec.seal_entry(b"text", "place", sealing_key, keys)
        assert b"text" not in sealed
        assert codec.open_entry(sealed, "place", sealing_key, await other.load(user_id)) == b"text"
    assert keys.ref("conversation", "work") == (await other.load(user_id)).ref("conversation", "work")
    assert keys.keyed_hash("request", b"x") == (await other.load(user_id)).keyed_hash("request", b"x")


async def test_a_key_that_is_made_twice_is_one_key(stores: Stores, keyring: Keyring, clock: ManualClock) -> None:
    user_id = await keyring.ensure_user("", "u1")
    key_id = new_id()
    sealed = codec.seal_entry(b"text", "", key_id, await keyring.create_key(user_id, key_id, "note"))
    for ring in (keyring, another(stores, clock)):
        assert codec.open_entry(sealed, "", key_id, await ring.create_key(user_id, key_id, "note")) == b"text"


async def test_keys_of_two_users_are_apart(keyring: Keyring) -> None:
    ada, bob = [await keyring.load(await keyring.ensure_user("", sub)) for sub in ("ada", "bob")]
    with pytest.raises(UnknownKey):
        bob.cipher(ada.user_key_id)
    assert ada.ref("note", "n") != bob.ref("note", "n")


async def test_a_key_made_beside_us_is_found_when_it_is_needed(
    stores: Stores, keyring: Keyring, clock: ManualClock
) -> None:
    user_id = await keyring.ensure_user("", "u1")
    stale = await keyring.load(user_id)
    key_id = new_id()
    keys = await another(stores, clock).create_key(user_id, key_id, "conversation")
    sealed = codec.seal_entry(b"text", "", key_id, keys)
    with pytest.raises(UnknownKey):
        codec.open_entry(sealed, "", key_id, stale)
    assert await keyring.opened(user_id, lambda known: codec.open_entry(sealed, "", key_id, known)) == b"text"
    with pytest.raises(UnknownKey):
        await keyring.opened(user_id, lambda known: known.cipher(new_id()))


async def test_a_destroyed_key_is_a_tombstone_everywhere(stores: Stores, keyring: Keyring, clock: ManualClock) -> None:
    user_id = await keyring.ensure_user("", "u1")
    key_id = new_id()
    held = await keyring.create_key(user_id, key_id, "conversation")
    other = another(stores, clock)
    sealed = codec.seal_entry(b"text", "", key_id, await other.load(user_id))
    await keyring.destroy([key_id])
    assert held.cipher(key_id) is None
    assert (await keyring.load(user_id)).destroyed(key_id)
    clock.advance(CACHED_SECONDS_MAX + 1)
    assert (await other.load(user_id)).cipher(key_id) is None
    assert codec.open_entry(sealed, "", key_id, held) is REDACTED
    await keyring.create_key(user_id, key_id, "conversation")
    assert (await keyring.load(user_id)).destroyed(key_id), "a destroyed key does not come back"


async def test_without_the_user_key_nothing_is_derived(keyring: Keyring) -> None:
    user_id = await keyring.ensure_user("", "u1")
    keys = await keyring.load(user_id)
    assert keys.ref("note", "n")
    assert keys.keyed_hash("request", b"x") != keys.keyed_hash("command", b"x")
    await keyring.destroy([keys.user_key_id])
    with pytest.raises(Gone):
        keys.ref("note", "n")
    with pytest.raises(Gone):
        keys.keyed_hash("request", b"x")


async def test_an_unknown_user_has_no_keys(keyring: Keyring) -> None:
    with pytest.raises(NotFound):
        await keyring.load("00/nobody")


async def test_the_cache_of_keys_is_bounded(stores: Stores, clock: ManualClock) -> None:
    ring = Keyring(stores.keys, MASTER_KEY, monotonic=clock.monotonic, cached_users_max=2)
    first, *others = [await ring.ensure_user("", str(n)) for n in range(3)]
    kept = await ring.load(first)
    for user_id in others:
        await ring.load(user_id)
    assert await ring.load(first) is not kept
    assert await ring.load(first) is await ring.load(first)


# --- what a process forgets as soon as it hears of it -----------------------------------------------------------


async def test_a_buried_key_opens_nothing_before_it_is_destroyed(keyring: Keyring) -> None:
    user_id = await keyring.ensure_user("", "u1")
    held = await keyring.create_key(user_id, (key_id := new_id()), "conversation")
    sealed = codec.seal_entry(b"text", "", key_id, held)
    keyring.bury(user_id, key_id)
    assert codec.open_entry(sealed, "", key_id, await keyring.reload(user_id)) is REDACTED
    assert not (await keyring.load(user_id)).is_erased


async def test_of_a_buried_user_nothing_is_opened_and_their_name_is_looked_up_again(
    stores: Stores, keyring: Keyring
) -> None:
    user_id = await keyring.ensure_user("", "u1")
    held = await keyring.load(user_id)
    sealed = codec.seal_entry(b"text", "", held.user_key_id, held)
    assert keyring.holds(user_id)
    await stores.log.append(an_append(user_id, 0, event(name="UserErased")))
    keyring.bury_user(user_id)
    assert (await keyring.reload(user_id)).is_erased
    assert codec.open_entry(sealed, "", held.user_key_id, held) is REDACTED
    with pytest.raises(Gone) as refused:
        held.ref("note", "n")
    assert refused.value.code == "erased"
    assert await keyring.find_user("", "u1") is None


async def test_what_is_buried_while_keys_are_read_stays_buried(
    stores: Stores, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = await another(stores, clock).ensure_user("", "u1")
    key_id = new_id()
    await another(stores, clock).create_key(user_id, key_id, "note")
    keyring, read = another(stores, clock), stores.keys.keys_of

    async def read_and_hear(asked: str) -> list[KeyRow]:
        rows = await read(asked)
        assert keyring.holds(asked)
        keyring.bury(asked, key_id)
        return rows

    monkeypatch.setattr(stores.keys, "keys_of", read_and_hear)
    assert (await keyring.load(user_id)).destroyed(key_id)


async def test_keys_that_were_asked_for_first_and_come_last_take_nothing_back(
    stores: Stores, keyring: Keyring, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = await keyring.ensure_user("", "u1")
    destroyed, made = new_id(), new_id()
    await keyring.create_key(user_id, destroyed, "note")
    read, asked, may_come = stores.keys.keys_of, asyncio.Event(), asyncio.Event()

    async def read_and_wait(of: str) -> list[KeyRow]:
        rows = await read(of)
        asked.set()
        await may_come.wait()
        return rows

    monkeypatch.setattr(stores.keys, "keys_of", read_and_wait)
    first = asyncio.create_task(keyring.reload(user_id))
    await asked.wait()
    monkeypatch.setattr(stores.keys, "keys_of", read)
    await keyring.destroy([destroyed])
    await another(stores, clock).create_key(user_id, made, "note")
    await keyring.reload(user_id)
    may_come.set()
    keys = await first
    assert keys.destroyed(destroyed)
    assert not keys.destroyed(made)


async def test_who_is_erased_while_they_are_looked_up_is_not_remembered(
    stores: Stores, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = await another(stores, clock).ensure_user("", "u1")
    keyring, find = another(stores, clock), stores.keys.find_user

    async def find_and_hear(subject: bytes) -> str | None:
        found = await find(subject)
        keyring.bury_user(user_id)
        return found

    monkeypatch.setattr(stores.keys, "find_user", find_and_hear)
    assert await keyring.find_user("", "u1") == user_id
    assert not keyring.holds(user_id)


async def test_all_keys_of_a_user_are_destroyed_and_those_of_others_are_not(
    stores: Stores, keyring: Keyring, clock: ManualClock
) -> None:
    ada, bob = [await keyring.ensure_user("", sub) for sub in ("ada", "bob")]
    key_id = new_id()
    await keyring.create_key(ada, key_id, "note")
    await keyring.destroy_all(ada)
    await keyring.destroy_all(ada)
    other = another(stores, clock)
    assert (await other.load(ada)).destroyed(key_id)
    assert (await other.load(ada)).is_erased
    assert not (await other.load(bob)).is_erased


# --- master key -----------------------------------------------------------------------------------------------


async def test_another_master_key_is_refused_before_anything_is_sealed(stores: Stores, keyring: Keyring) -> None:
    await keyring.verify()
    await keyring.verify()
    stranger = Keyring(stores.keys, random_bytes(32), monotonic=lambda: 0.0)
    with pytest.raises(MasterKeyError, match="MICROCOS_MASTER_KEY"):
        await stranger.verify()


async def test_another_master_key_opens_nothing(stores: Stores, keyring: Keyring) -> None:
    user_id = await keyring.ensure_user("", "u1")
    stranger = Keyring(stores.keys, random_bytes(32), monotonic=lambda: 0.0)
    keys = await stranger.load(user_id)
    with pytest.raises(CorruptEvent, match="unwrapped"):
        keys.cipher(keys.user_key_id)
    assert await stranger.find_user("", "u1") is None


async def test_a_master_key_has_32_bytes(stores: Stores) -> None:
    with pytest.raises(MasterKeyError):
        Keyring(stores.keys, b"short", monotonic=lambda: 0.0)
