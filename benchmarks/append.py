"""Appends of 32 concurrent users, in one order of the log, against pgbench with the same row and no order.

pgbench runs before and after, in the same minute: on a shared disk only a ratio within one window means anything.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from benchmarks import machine
from benchmarks.figures import Figure, ms, percentile
from benchmarks.run import Run
from benchmarks.servers import Database, fresh_database
from domain.ports import Append, Appended, NewEvent
from infra.embedded.binaries import postgres_binaries
from infra.event_log.store import PostgresEventLog, open_event_log
from infra.ids import new_id, new_user_id

USERS = 32
PGBENCH_THREADS = 2
STATE_BYTES = 273  # of a stored event, about what a small command makes

TABLE = """CREATE TABLE bench_events (
    originator_id text NOT NULL, originator_version bigint NOT NULL, topic text NOT NULL, state bytea,
    notification_id bigserial UNIQUE, PRIMARY KEY (originator_id, originator_version))"""
# Each client counts its own rows up, as a user's versions do.
SCRIPT = """\\set version :version + 1
INSERT INTO bench_events (originator_id, originator_version, topic, state) VALUES (
    '07/8d1c7c1e-2f2b-4c55-9b1e-' || lpad((:client_id)::text, 12, '0'), :version, 'PreferenceSet',
    decode('{state}', 'hex')
) RETURNING notification_id;
"""
VERSIONS_OF_A_RUN = 1_000_000_000


def measure(run: Run) -> list[Figure]:
    seconds = run.count(6, 2)
    with fresh_database() as database:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(TABLE)
        before = _pgbench(database, 0, seconds)
        run.say(f"pgbench before: {before:,.0f} rows/s")
        rate, took, cpu = run.wait_for(_append(database, seconds), seconds=60)
        run.say(f"ours: {rate:,.0f} appends/s")
        after = _pgbench(database, VERSIONS_OF_A_RUN, seconds)
        run.say(f"pgbench after: {after:,.0f} rows/s")
        fsync = machine.fsync_seconds(database.folder)
    ceiling = (before + after) / 2
    goal = 1.3 if fsync <= machine.FAST_FSYNC_SECONDS else 0.75
    return [
        Figure(
            name="append, 32 concurrent users, order kept",
            measured=f"{rate:,.0f}/s",
            against=f"pgbench, 32 clients: {before:,.0f} before, {after:,.0f} after",
            ratio=rate / ceiling,
            goal=f"≥ {goal}×",
            met=rate >= goal * ceiling,
            note=f"fsync {ms(fsync)}; p99 {ms(percentile(took, 0.99))}; client CPU {cpu * 1e6:.0f} µs an append; "
            f"pgbench of the wheel, -M prepared -j {PGBENCH_THREADS}",
        )
    ]


def _pgbench(database: Database, first_version: int, seconds: int) -> float:
    """Rows a second of 32 clients. Raises `CalledProcessError`."""
    script = Path(database.folder / "insert.sql")
    script.write_text(SCRIPT.format(state="ab" * STATE_BYTES))
    options = ["-n", "-M", "prepared", "-c", str(USERS), "-j", str(PGBENCH_THREADS), "-T", str(seconds)]
    options += ["-D", f"version={first_version}"]
    command = [str(postgres_binaries() / "pgbench"), *options, "-f", str(script), database.url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    found = re.search(r"tps = ([\d.]+) \(without initial", said)
    assert found is not None, said
    return float(found[1])


async def _append(database: Database, seconds: float) -> tuple[float, list[float], float]:
    """Appends a second, how long each took, and this process's CPU seconds for each."""
    took: list[float] = []
    async with _opened(database) as log:
        users = [new_user_id() for _ in range(USERS)]
        # Connects and prepares.
        await asyncio.gather(*(_writer(log, user, time.perf_counter() + 0.5, []) for user in users))
        users = [new_user_id() for _ in range(USERS)]
        began, cpu_before = time.perf_counter(), time.process_time()
        await asyncio.gather(*(_writer(log, user, began + seconds, took) for user in users))
        elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu_before
    return len(took) / elapsed, took, cpu / len(took)


@asynccontextmanager
async def _opened(database: Database) -> AsyncIterator[PostgresEventLog]:
    async with open_event_log(database.settings) as log:
        yield log


async def _writer(log: PostgresEventLog, user_id: str, until: float, took: list[float]) -> None:
    version, state = 0, b"\xab" * STATE_BYTES
    while (began := time.perf_counter()) < until:
        append = Append(
            user_id=user_id,
            expected_version=version,
            events=[NewEvent("PreferenceSet", state)],
            command_id=new_id(),
            fingerprint=b"",
            status=0,
            answer=None,
        )
        verdict = await log.append(append)
        assert isinstance(verdict, Appended), verdict
        version = verdict.version
        took.append(time.perf_counter() - began)
