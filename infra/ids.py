"""The only module that makes randomness: ids, tokens, jitter. Derived ids (UUIDv5) are made where they are derived."""

from __future__ import annotations

import random
import secrets
import uuid

SHARDS = 64


def new_id() -> str:
    """A random UUID; satisfies `domain.ports.NewId`."""
    return str(uuid.uuid4())


def new_user_id() -> str:
    """An internal user id, `NN/<uuid>`: NN is the logical shard, fixed for as long as the user lives."""
    return f"{secrets.randbelow(SHARDS):02d}/{uuid.uuid4()}"


def random_bytes(count: int) -> bytes:
    return secrets.token_bytes(count)


def random_token(byte_count: int = 32) -> str:
    """URL-safe text that nobody can guess."""
    return secrets.token_urlsafe(byte_count)


def random_below(bound: int) -> int:
    return secrets.randbelow(bound)


def jitter(seconds: float) -> float:
    """Between half of it and all of it, so that many waiters do not wake at once."""
    return seconds * (0.5 + random.random() / 2)


class SeededIds:
    """The same seed gives the same ids in the same order: for simulations and tests."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def __call__(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
