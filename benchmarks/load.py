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
FULL_EVENTS = 2_000  # by then what the state holds has reached its caps
GOAL = 1.2


def measure(run: Run) -> list[Figure]:
    events, times = run.count(100_000, 10_000), run.count(400, 100)
    with fresh_database() as database:
        (short, full, long), sizes = run.wait_for(_measure(run, database, events, times), seconds=240)
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
            f" {ms(percentile(short, 0.99))}; {FULL_EVENTS:,} events: {ms(percentile(full, 0.5))}; snapshots of"
            f" {sizes[2]:,}, {sizes[0]:,} and {sizes[1]:,} bytes",
        )
    ]


async def _measure(run: Run, database: Database, events: int, times: int) -> tuple[list[list[float]], list[int]]:
    """Times in seconds and bytes of the snapshot, of the short stream, the full one and the long one."""
    async with open_write_side(database.settings, "bench") as side:
        users = [await long_chat(side, "bench", str(count), count) for count in (SHORT_EVENTS, FULL_EVENTS, events)]
        for user in users:
            brain = await until_snapshot(side, user)
            run.say(f"a stream of {brain.version:,} events")
        sizes = [await _snapshot_bytes(side, user) for user in users]
        took: dict[str, list[float]] = {user: [] for user in users}
        for _ in range(times):
            for user, found in took.items():
                states = States(side.log, side.keyring)
                began = time.perf_counter()
                await states.load(user)
                found.append(time.perf_counter() - began)
    return list(took.values()), sizes


async def _snapshot_bytes(side: WriteSide, user_id: str) -> int:
    statement = "SELECT length(state)::int FROM log0_snapshots WHERE originator_id = %s"
    return int((await side.queries.fetch(statement, (user_id,)))[0][0])
