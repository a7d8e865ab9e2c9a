"""Keys: who a user is, and what their text is sealed under. Owns the tables users, keys and master_key.

Data keys are random, wrapped by the master key, committed before they are used, and used only as they are read back:
no text is ever sealed under a key that a lost commit took away. A destroyed key leaves a tombstone, the one thing
that turns text into `REDACTED`; every other failure raises `CorruptEvent`.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import Gone, NotFound
from domain.event_types import KeyScope
from domain.events import Fact
from domain.ports import StoredEvent
from infra import codec, ids
from infra.codec import NONCE_BYTES, CorruptEvent, UnknownKey
from infra.keys.users import Users, UserStore

T = TypeVar("T")

KEY_BYTES = 32
CACHED_USERS_MAX = 10_000
CACHED_SECONDS_MAX = 60.0  # another process may destroy a key; a cache forgets it within this time
CHECK_TEXT = b"microcos master key check"


class MasterKeyError(Exception):
    """The master key is not the one that this database's keys are wrapped by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """`wrapped` is None once the key was destroyed. `subject` is the ref or id of what the key is for."""

    key_id: str
    user_id: str
    scope: KeyScope
    subject: str
    wrapped: bytes | None


class KeyStore(UserStore, Protocol):
    """Where keys and users are kept. Raises `domain.errors.Unavailable`."""

    async def check_value(self, offered: bytes) -> bytes:
        """The stored check value; `offered` is stored first where there is none."""
        ...

    async def insert_user(self, subject: bytes, key: KeyRow) -> None:
        """The user and their key, both or, where the subject has a user already, neither."""
        ...

    async def insert_key(self, key: KeyRow) -> None:
        """Does nothing when there is one of this id."""
        ...

    async def keys_of(self, user_id: str) -> list[KeyRow]: ...

    async def destroy(self, key_ids: Sequence[str]) -> None: ...


class UserKeys:
    """The keys of one user, opened when they are first used. One object a user and process: it is kept up to date."""

    __slots__ = (
        *("_buried", "_ciphers", "_hasher", "_is_erased", "_random_bytes", "_reference_key", "_rows", "_unwrap"),
        *("user_id", "user_key_id"),
    )

    def __init__(
        self, user_id: str, unwrap: Callable[[KeyRow, bytes], bytes], random_bytes: Callable[[int], bytes]
    ) -> None:
        self.user_id = user_id
        self.user_key_id = ""
        self._unwrap = unwrap
        self._random_bytes = random_bytes
        self._rows: dict[str, KeyRow] = {}
        self._buried: set[str] = set()
        self._is_erased = False
        self._ciphers: dict[str, AESGCM] = {}
        self._reference_key: bytes | None = None
        self._hasher: hmac.HMAC | None = None

    def update(self, rows: Sequence[KeyRow]) -> None:
        """Rows never leave the store and a destroyed key stays destroyed: of two answers, the one that was asked for
        first may come last, and takes nothing back."""
        for row in rows:
            known = self._rows.get(row.key_id)
            is_gone = self._is_buried(row) or (known is not None and known.wrapped is None)
            self._rows[row.key_id] = replace(row, wrapped=None) if is_gone else row
        for row in self._rows.values():
            if row.scope == "user":
                self.user_key_id = row.key_id
            if row.wrapped is None:
                self._ciphers.pop(row.key_id, None)
                if row.scope == "user":
                    self._reference_key = self._hasher = None

    def bury(self, key_id: str) -> None:
        """From now on as if it were destroyed."""
        self._buried.add(key_id)
        self.update(list(self._rows.values()))

    def bury_all(self) -> None:
        """From now on as if the user's last key were destroyed, whatever is still read of them."""
        self._is_erased = True
        self.update(list(self._rows.values()))

    @property
    def is_erased(self) -> bool:
        """Whether the user's own key is gone, and with it all that is not sealed under others."""
        return self._is_erased or self.cipher(self.user_key_id) is None

    def _is_buried(self, row: KeyRow) -> bool:
        return self._is_erased or row.key_id in self._buried

    @property
    def reference_key(self) -> bytes:
        """Makes ids that the user chose into refs. Raises `Gone` once the user was erased."""
        if self._reference_key is None:
            self._reference_key = hmac.digest(self._open(self.user_key_id), b"reference", "sha256")
        return self._reference_key

    def cipher(self, key_id: str) -> AESGCM | None:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            row = self._rows.get(key_id)
            if row is None:
                raise UnknownKey(self.user_id, key_id)
            if row.wrapped is None:
                return None
            cipher = self._ciphers[key_id] = AESGCM(self._open(key_id))
        return cipher

    def nonce(self) -> bytes:
        return self._random_bytes(NONCE_BYTES)

    def ref(self, kind: str, text: str) -> str:
        """As `codec.ref`."""
        return codec.ref(kind, text, self)

    def keyed_hash(self, purpose: str, data: bytes) -> bytes:
        """32 bytes that only this user's key makes: fingerprints, command ids. Raises `Gone` as `reference_key`."""
        if self._hasher is None:
            self._hasher = hmac.new(self.reference_key, digestmod="sha256")
        # Each command makes two: a copy of a keyed hasher costs a third of keying a new one.
        hasher = self._hasher.copy()
        hasher.update(purpose.encode() + b"\n" + data)
        return hasher.digest()

    def key_ids(self) -> list[str]:
        """Every key of the user, destroyed ones too."""
        return list(self._rows)

    def destroyed(self, key_id: str) -> bool:
        """Raises `UnknownKey`."""
        return self.cipher(key_id) is None

    def _open(self, key_id: str) -> bytes:
        row = self._rows[key_id]
        if row.wrapped is None:
            raise Gone("This user was erased.", code="erased")
        return self._unwrap(row, row.wrapped)


class Keyring:
    """`monotonic` tells the age of what is cached; `random_bytes` makes keys and nonces."""

    def __init__(
        self,
        store: KeyStore,
        master_key: bytes,
        *,
        monotonic: Callable[[], float],
        random_bytes: Callable[[int], bytes] = ids.random_bytes,
        new_id: Callable[[], str] = ids.new_id,
        new_user_id: Callable[[], str] = ids.new_user_id,
        cached_users_max: int = CACHED_USERS_MAX,
    ) -> None:
        if len(master_key) != KEY_BYTES:
            raise MasterKeyError(f"The master key must be {KEY_BYTES} bytes long.")
        self._store = store
        self._wrapping = AESGCM(hmac.digest(master_key, b"wrap", "sha256"))
        self._users = Users(
            store,
            hmac.digest(master_key, b"subject", "sha256"),
            self._make_user,
            monotonic=monotonic,
            cached_users_max=cached_users_max,
        )
        self._check_value = hmac.digest(hmac.digest(master_key, b"check", "sha256"), CHECK_TEXT, "sha256")
        self._monotonic = monotonic
        self._random_bytes = random_bytes
        self._new_id = new_id
        self._new_user_id = new_user_id
        self._cached_users_max = cached_users_max
        self._cache: OrderedDict[str, tuple[UserKeys, float]] = OrderedDict()

    async def verify(self) -> None:
        """Raises `MasterKeyError` when the database's keys are wrapped by another master key."""
        stored = await self._store.check_value(self._check_value)
        if not hmac.compare_digest(stored, self._check_value):
            raise MasterKeyError(
                "The master key does not belong to this database. Set MICROCOS_MASTER_KEY to the one that it was"
                " first started with; nothing was changed."
            )

    async def find_user(self, issuer: str, sub: str) -> str | None:
        """The internal id, None when there is no such user, or no longer."""
        return await self._users.find(issuer, sub)

    async def ensure_user(self, issuer: str, sub: str) -> str:
        """The internal id; the user and their key are made where there are none."""
        return await self._users.ensure(issuer, sub)

    async def _make_user(self, subject: bytes) -> None:
        await self._store.insert_user(subject, self._new_key(self._new_user_id(), self._new_id(), "user", ""))

    async def create_key(self, user_id: str, key_id: str, scope: KeyScope, subject: str = "") -> UserKeys:
        """Commit a key of this id, if there is none, and give the user's keys as they are read back.

        `subject` may say what the key is for.
        """
        await self._store.insert_key(self._new_key(user_id, key_id, scope, subject))
        keys = await self.reload(user_id)
        keys.cipher(key_id)
        return keys

    async def load(self, user_id: str) -> UserKeys:
        """The user's keys, from the cache where they are fresh. Raises `NotFound` for no such user."""
        cached = self._cache.get(user_id)
        if cached is None or self._monotonic() - cached[1] > CACHED_SECONDS_MAX:
            return await self.reload(user_id)
        self._cache.move_to_end(user_id)
        return cached[0]

    async def reload(self, user_id: str) -> UserKeys:
        """As `load`, from the database: for when a key is unknown."""
        cached = self._cache.get(user_id)
        # It is in the cache before the question is asked, so that what is buried meanwhile is buried in the answer.
        keys = cached[0] if cached else UserKeys(user_id, self._unwrap, self._random_bytes)
        self._cache[user_id] = cached or (keys, -inf)
        self._cache.move_to_end(user_id)
        rows = await self._store.keys_of(user_id)
        self._cache.pop(user_id, None)
        if not rows:
            raise NotFound("No such user.")
        keys.update(rows)
        self._cache[user_id] = (keys, self._monotonic())
        while len(self._cache) > self._cached_users_max:
            self._cache.popitem(last=False)
        return keys

    def evict(self, user_id: str) -> None:
        """The next `load` reads the database, and so does the next look for who this user is."""
        self._cache.pop(user_id, None)
        self._users.evict(user_id)

    async def destroy(self, key_ids: Sequence[str]) -> None:
        """For good. What was sealed under them is `REDACTED` from now on; processes that do not follow the log
        (infra/keys/deleted.py) find out within a minute."""
        await self._store.destroy(key_ids)
        gone = set(key_ids)
        for user_id in [user for user, (keys, _) in self._cache.items() if gone.intersection(keys.key_ids())]:
            await self.reload(user_id)

    async def destroy_all(self, user_id: str) -> None:
        """Every key of a user who was erased."""
        self.bury_user(user_id)
        await self.destroy([row.key_id for row in await self._store.keys_of(user_id) if row.wrapped is not None])

    def holds(self, user_id: str) -> bool:
        """Whether anything of this user is cached here."""
        return user_id in self._cache or self._users.holds(user_id)

    def bury(self, user_id: str, key_id: str) -> None:
        """What the key seals was deleted, and the sweep that destroys it is on its way: nothing is opened till then."""
        cached = self._cache.get(user_id)
        if cached is not None:
            cached[0].bury(key_id)

    def bury_user(self, user_id: str) -> None:
        """The user was erased: nothing of theirs is opened here, and who comes under the same name is somebody new."""
        cached = self._cache.get(user_id)
        if cached is not None:
            cached[0].bury_all()
        self._users.evict(user_id)

    async def open_events(self, user_id: str, events: Sequence[StoredEvent]) -> list[Fact]:
        """Decode one user's events, with newer keys where a process beside us has made some."""
        return await self.opened(user_id, lambda keys: [codec.open(event, keys) for event in events])

    async def opened(self, user_id: str, read: Callable[[UserKeys], T]) -> T:
        """`read(keys)`, and once more with keys just loaded when it raises `UnknownKey`."""
        try:
            return read(await self.load(user_id))
        except UnknownKey:
            return read(await self.reload(user_id))

    def _new_key(self, user_id: str, key_id: str, scope: KeyScope, subject: str) -> KeyRow:
        nonce = self._random_bytes(NONCE_BYTES)
        wrapped = nonce + self._wrapping.encrypt(nonce, self._random_bytes(KEY_BYTES), _place(user_id, key_id))
        return KeyRow(key_id=key_id, user_id=user_id, scope=scope, subject=subject, wrapped=wrapped)

    def _unwrap(self, row: KeyRow, wrapped: bytes) -> bytes:
        try:
            return self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _place(row.user_id, row.key_id))
        except InvalidTag:
            raise CorruptEvent(f"key {row.key_id} of {row.user_id} cannot be unwrapped") from None


def _place(user_id: str, key_id: str) -> bytes:
    return f"{user_id}\n{key_id}".encode()
