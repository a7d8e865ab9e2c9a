"""The sending side of the benchmark `tokens`, as a process of its own: 50 streams at 100 tokens a second.

`ours` writes into running replies as a worker does; `floor` publishes to core NATS. The same pace, the same texts, each
with the microsecond at which it was handed over, so that only the way differs.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import nats
import uvloop

from benchmarks.programs import tell, until_input_closes
from commands.messages import PostMessage
from commands.replies import StartReply
from commands.sessions import OpenSession
from commands.write_side import WriteSide, open_write_side
from infra.nats.bus import NatsBus
from infra.settings import Settings
from infra.work import PostgresSegments
from tests.support.model_server import now_us
from workers.token_stream import TokenPublisher, TokenStream

FLOOR_SUBJECT = "floor"
PADDING = "x" * 120  # makes a core message as long as a token of ours is on the bus


def token_text(index: int) -> str:
    """As the stand-in of a model writes them."""
    return f"w{index}:{now_us():x} "


async def _pace(writes: list[Callable[[int], None]], rate: float, seconds: float) -> int:
    """Call each of them `rate` times a second, spread evenly; how often altogether."""
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.1

    async def one(place: int, write: Callable[[int], None]) -> int:
        due, index = began + place / len(writes) / rate, 0
        while due < began + seconds:
            await asyncio.sleep(due - loop.time())
            index += 1
            write(index)
            due += 1 / rate
        return index

    return sum(await asyncio.gather(*(one(place, write) for place, write in enumerate(writes))))


async def _floor(settings: Settings, streams: int, rate: float, seconds: float) -> None:
    client = await nats.connect(settings.nats_url)
    tell({"ready": True})

    def writer(place: int) -> Callable[[int], None]:
        subject = f"{FLOOR_SUBJECT}.{place}"

        def write(index: int) -> None:
            # As `publish` does without its coroutine, which would ask for a turn of the loop for each.
            payload = f"{token_text(index)}{PADDING}".encode()
            client._pending.append(b"PUB %s %d\r\n%s\r\n" % (subject.encode(), len(payload), payload))
            client._pending_data_size += len(payload)
            if client._flush_queue is not None and client._flush_queue.empty():
                client._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

        return write

    await _heard()
    sent = await _pace([writer(place) for place in range(streams)], rate, seconds)
    await client.flush()
    tell({"sent": sent})
    await until_input_closes()
    await client.close()


async def _ours(settings: Settings, streams: int, rate: float, seconds: float) -> None:
    bus = NatsBus(settings, name="bench")
    await bus.start()
    async with open_write_side(settings, "bench") as side:
        publisher = TokenPublisher(bus, PostgresSegments(side.queries), segment_seconds=settings.segment_seconds)
        running = [await _running_reply(side, publisher, f"tokens.{place}") for place in range(streams)]
        saving = asyncio.create_task(_save(publisher))
        tell({"users": [[user_id, session_id] for user_id, session_id, _ in running]})
        await _heard()
        sent = await _pace([_writer(stream) for _, _, stream in running], rate, seconds)
        tell({"sent": sent})
        await until_input_closes()
        saving.cancel()
    await bus.close()


def _writer(stream: TokenStream) -> Callable[[int], None]:
    return lambda index: stream.write(token_text(index))


async def _running_reply(side: WriteSide, publisher: TokenPublisher, sub: str) -> tuple[str, str, TokenStream]:
    """A user whose reply is claimed by us, and where to write it."""
    user_id = await side.keyring.ensure_user("", sub)
    await side.handler.handle(user_id, OpenSession())
    question = PostMessage(channel="chat", text="Go on.", conversation_id="main", conversation_ref="c_main")
    await side.handler.handle(user_id, question)
    reply_id = (await side.states.load(user_id)).queue[0]
    claim = StartReply(reply_id=reply_id, after_attempt=0, owner="bench", lease_seconds=600, reserved_tokens=0)
    handled = await side.handler.handle(user_id, claim)
    assert handled.outcome is not None
    brain = handled.outcome.after
    stream = publisher.open(
        user_id,
        reply_id,
        1,
        key_id=brain.conversations["c_main"].key_id,
        keys=await side.keyring.load(user_id),
        seen_version=brain.version,
    )
    return user_id, next(iter(brain.sessions)), stream


async def _save(publisher: TokenPublisher) -> None:
    while True:
        await asyncio.sleep(publisher.segment_seconds)
        await publisher.write_segments()


async def _heard() -> None:
    """Until whoever started us says that it listens."""
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    which, count, pace, duration = sys.argv[1:5]
    way = {"floor": _floor, "ours": _ours}[which]
    uvloop.run(way(Settings.load(), int(count), float(pace), float(duration)))
