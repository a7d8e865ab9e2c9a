"""Loading a user's state where nothing is cached: a long stream against a short one, with the product's snapshots."""

from __future__ import annotations

import time

from benchmarks.figures import Figure, ms, percentile
from benchmarks.long_streams import long_chat, until_snapshot
from benchmarks.run import Run
from benchmarks.servers import Database, fresh_database
from commands.states import States
from commands.write_side import WriteSide, open_write_side

SHORT_EVENTS = 100
GOAL = 1.2


def measure(run: Run) -> list[Figure]:
    events, times = run.count(100_000, 10_000), run.count(400, 100)
    with fresh_database() as database:
        short, long, sizes = run.wait_for(_measure(run, database, events, times), seconds=240)
    ratio = percentile(long, 0.5) / percentile(short, 0.5)
    return [
        Figure(
            name=f"load of {events:,} events",
            measured=ms(percentile(long, 0.5)),
            against=f"load of {SHORT_EVENTS}: {ms(percentile(short, 0.5))}",
            ratio=ratio,
            goal=f"≤ {GOAL}×",
            met=ratio <= GOAL,
            note=f"p50 of {times} each, by turns; p99 {ms(percentile(long, 0.99))} against"
            f" {ms(percentile(short, 0.99))}; snapshots of {sizes[1]:,} and {sizes[0]:,} bytes",
        )
    ]


async def _measure(
    run: Run, database: Database, events: int, times: int
) -> tuple[list[float], list[float], tuple[int, int]]:
    async with open_write_side(database.settings, "bench") as side:
        short = await long_chat(side, "bench", "short", SHORT_EVENTS)
        long = await long_chat(side, "bench", "long", events)
        for user in (short, long):
            brain = await until_snapshot(side, user)
            run.say(f"a stream of {brain.version:,} events")
        sizes = (await _snapshot_bytes(side, short), await _snapshot_bytes(side, long))
        took: dict[str, list[float]] = {short: [], long: []}
        for _ in range(times):
            for user, found in took.items():
                states = States(side.log, side.keyring)
                began = time.perf_counter()
                await states.load(user)
                found.append(time.perf_counter() - began)
    return took[short], took[long], sizes


async def _snapshot_bytes(side: WriteSide, user_id: str) -> int:
    statement = "SELECT length(state)::int FROM log0_snapshots WHERE originator_id = %s"
    return int((await side.queries.fetch(statement, (user_id,)))[0][0])
