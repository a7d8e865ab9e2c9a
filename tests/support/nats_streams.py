"""Empty a NATS server between tests, from synchronous fixtures."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path

import nats

KEPT = ".kept"
GIVE_UP_SECONDS = 60.0
LOOK_SECONDS = 0.002


def empty(url: str, store: Path) -> None:
    """Deletes all streams, and returns once their files are gone. The server (2.15) removes these after it has
    answered: a stream that is made meanwhile may have the messages of the one that had its name. It removes the folder
    around them too, at any moment from then on, unless there is something in it."""
    for folder in glob(f"{store}/*/streams"):
        (Path(folder) / KEPT).mkdir(exist_ok=True)
    delete_all_streams(url)
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while left := [path for path in glob(f"{store}/*/streams/*", include_hidden=True) if Path(path).name != KEPT]:
        assert time.monotonic() < deadline, f"the server did not remove {left}"
        time.sleep(LOOK_SECONDS)


def delete_all_streams(url: str) -> None:
    """In a thread of its own, since the test's event loop belongs to the test."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _delete_all_streams(url)).result()


async def _delete_all_streams(url: str) -> None:
    client = await nats.connect(url, connect_timeout=int(GIVE_UP_SECONDS))
    try:
        stream_manager = client.jetstream(timeout=GIVE_UP_SECONDS)
        for stream in await stream_manager.streams_info():
            assert stream.config.name is not None
            await stream_manager.delete_stream(stream.config.name)
    finally:
        await client.close()
