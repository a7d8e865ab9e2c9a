"""Handle each event once, every user's in order: `python subscriber.py nats://token@host:port handled.db`."""

import asyncio
import sqlite3
import sys

import nats


async def follow(url: str, path: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)  # an event's id and its effect belong into one transaction
    db.execute("CREATE TABLE IF NOT EXISTS handled (id TEXT PRIMARY KEY, user TEXT, version INTEGER)")
    stream, consumer = (await nats.connect(url, max_reconnect_attempts=-1)).jetstream(), None
    one_at_a_time = nats.js.api.ConsumerConfig(max_ack_pending=1, ack_wait=5)  # so that no repetition is overtaken
    while True:
        try:  # the consumer is made where there is none: it goes when NATS loses its store, then all comes again
            consumer = consumer or await stream.pull_subscribe("evt.v1.>", "example", "EVT", one_at_a_time)
            [event] = await consumer.fetch(1, timeout=1)
            row = (event.headers["ce-id"], event.headers["ce-subject"], event.headers["ce-userversion"])
            db.execute("INSERT OR IGNORE INTO handled VALUES (?, ?, ?)", row)
            await event.ack()
        except (TimeoutError, nats.errors.Error) as error:
            consumer = consumer if isinstance(error, TimeoutError) else await asyncio.sleep(0.2, None)


asyncio.run(follow(*sys.argv[1:]))
