"""One clock for all processes of a `dev`, and one that tests move."""

from __future__ import annotations

from infra.clock import ManualClock, SystemClock, system_clock
from infra.settings import Settings

DAY_MS = 86_400_000


def test_users_see_real_time_unless_told_otherwise() -> None:
    clock = system_clock(Settings())
    before = clock.now_ms()
    assert before <= clock.user_now_ms() <= clock.now_ms()


def test_a_process_that_starts_later_sees_the_same_set_time() -> None:
    started_ms = SystemClock().now_ms() - 2 * DAY_MS
    clock = system_clock(Settings(now="2025-11-19T10:00:00Z", now_started_ms=started_ms))
    start_ms = Settings(now="2025-11-19T10:00:00Z").now_start_ms()
    assert start_ms is not None
    before = clock.now_ms()
    elapsed_ms = clock.user_now_ms() - start_ms
    assert before - started_ms <= elapsed_ms <= clock.now_ms() - started_ms


def test_set_time_changes_neither_event_times_nor_deadlines() -> None:
    real, moved = SystemClock(), SystemClock(user_offset_ms=DAY_MS)
    before = real.now_ms()
    assert before <= moved.now_ms() <= real.now_ms()
    early = real.monotonic()
    assert early <= moved.monotonic() <= real.monotonic()


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(1_000)
    assert (clock.now_ms(), clock.user_now_ms(), clock.monotonic()) == (1_000, 1_000, 0.0)
    clock.advance(1.5)
    assert (clock.now_ms(), clock.monotonic()) == (2_500, 1.5)
    clock.step_wall(-2)
    assert (clock.now_ms(), clock.monotonic()) == (500, 1.5)
