"""Keeps Python's collector of reference cycles from stopping a process for long. Owns no memory.

Modules, types, routes and schemas are hundreds of thousands of objects that stay; a full collection that visits them
all stops the event loop, and every client's stream with it, for up to 0.1 s.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports() -> Iterator[None]:
    """Around imports: what they make stays, so no collection runs meanwhile and none visits it later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def set_aside_what_stays() -> None:
    """Once a role is ready: later collections visit only what was made after this."""
    gc.collect()
    gc.freeze()
