"""Who a caller is inside: (issuer, sub) to the random internal id. Keeps no name: only a keyed hash of the pair.

The answer is cached, for it is asked at every request. Whoever learns that a user was erased (the log refuses to
append to them) calls `evict`, and the next request makes somebody new.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol

CACHED_SECONDS_MAX = 60.0  # for processes that have not heard of an erasure


class UserStore(Protocol):
    """Raises `domain.errors.Unavailable`."""

    async def find_user(self, subject: bytes) -> str | None:
        """The internal id of a user who is not erased."""
        ...


class Users:
    """`make(subject)` commits a new user, unless another process has just made one."""

    def __init__(
        self,
        store: UserStore,
        subject_key: bytes,
        make: Callable[[bytes], Awaitable[None]],
        *,
        monotonic: Callable[[], float],
        cached_users_max: int,
    ) -> None:
        self._store = store
        self._subject_key = subject_key
        self._make = make
        self._monotonic = monotonic
        self._cached_users_max = cached_users_max
        self._cache: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._subjects: dict[str, bytes] = {}  # of those in the cache, by internal id
        self._evictions = 0

    async def find(self, issuer: str, sub: str) -> str | None:
        """The internal id, None when there is no such user, or no longer."""
        return await self._find(self.subject(issuer, sub))

    async def ensure(self, issuer: str, sub: str) -> str:
        """The internal id of a user who is there for good when this returns."""
        subject = self.subject(issuer, sub)
        known = await self._find(subject)
        while known is None:
            await self._make(subject)
            # What counts is what can be read: another process may have been quicker.
            known = await self._find(subject)
        return known

    def evict(self, user_id: str) -> None:
        """The next look goes to the store."""
        self._evictions += 1
        subject = self._subjects.pop(user_id, None)
        if subject is not None:
            del self._cache[subject]

    def holds(self, user_id: str) -> bool:
        return user_id in self._subjects

    def subject(self, issuer: str, sub: str) -> bytes:
        """What stands for the pair: nobody finds out who it is without the master key."""
        # The length keeps apart pairs that would read alike when joined.
        return hmac.digest(self._subject_key, f"{len(issuer)}\n{issuer}\n{sub}".encode(), "sha256")

    async def _find(self, subject: bytes) -> str | None:
        cached = self._cache.get(subject)
        if cached is not None and self._monotonic() - cached[1] <= CACHED_SECONDS_MAX:
            self._cache.move_to_end(subject)
            return cached[0]
        evictions = self._evictions
        known = await self._store.find_user(subject)
        self._forget(subject)
        # Who was evicted while we asked may be who was found: then the answer is not kept.
        if known is not None and evictions == self._evictions:
            self._cache[subject] = (known, self._monotonic())
            self._subjects[known] = subject
            while len(self._cache) > self._cached_users_max:
                self._forget(next(iter(self._cache)))
        return known

    def _forget(self, subject: bytes) -> None:
        cached = self._cache.pop(subject, None)
        if cached is not None:
            self._subjects.pop(cached[0], None)
