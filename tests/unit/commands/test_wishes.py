"""The daily summary: at the user's hour, each day once, for who asked for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from commands.messages import PostMessage
from commands.preferences import SetPreference
from commands.wishes import FireWish, next_daily
from domain import limits
from domain.events import (
    ConversationStarted,
    MessageReceived,
    PreferenceSet,
    ReplyRequested,
    WishScheduled,
)
from domain.values import REDACTED, Json
from tests.support.decider import NOW_MS, Scenario

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NEW_YORK = "America/New_York"


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def notify(**value: Json) -> SetPreference:
    return SetPreference(key="notifications", preference_ref="p_n", value=value)


def zone(name: str) -> SetPreference:
    return SetPreference(key="timezone", preference_ref="p_z", value=name)


def fire(at_ms: int) -> FireWish:
    return FireWish(wish="daily_summary", at_ms=at_ms, conversation_ref="c_main")


def by_schedule(s: Scenario, now_ms: int) -> Scenario:
    s.context = replace(s.context, now_ms=now_ms, origin="schedule")
    return s


# --- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "name", "after", "expected"),
    [
        ("08:00", "UTC", "2025-11-19T07:59", "2025-11-19T08:00"),
        ("08:00", "UTC", "2025-11-19T08:00", "2025-11-20T08:00"),
        ("08:00", "Europe/Berlin", "2025-11-19T23:30", "2025-11-20T07:00"),
        # The hour that the spring change skips comes after the gap, and on its own the next night.
        ("02:30", NEW_YORK, "2026-03-08T00:00", "2026-03-08T07:30"),
        ("02:30", NEW_YORK, "2026-03-08T07:30", "2026-03-09T06:30"),
        # The night on which clocks go back.
        ("02:30", NEW_YORK, "2026-10-31T12:00", "2026-11-01T07:30"),
        ("02:30", NEW_YORK, "2026-11-01T07:30", "2026-11-02T07:30"),
        # An hour that comes twice counts the first time.
        ("01:30", NEW_YORK, "2026-11-01T00:00", "2026-11-01T05:30"),
        ("01:30", NEW_YORK, "2026-11-01T05:30", "2026-11-02T06:30"),
        ("01:30", NEW_YORK, "2026-11-01T06:00", "2026-11-02T06:30"),
        # A day that a zone left out.
        ("08:00", "Pacific/Apia", "2011-12-29T18:00", "2011-12-30T18:00"),
    ],
)
def test_a_wish_is_due_at_the_next_such_hour_on_the_users_clock(
    hour: str, name: str, after: str, expected: str
) -> None:
    found = next_daily(hour, name, utc(after))
    assert datetime.fromtimestamp(found / 1000, UTC).strftime("%Y-%m-%dT%H:%M") == expected


@pytest.mark.parametrize("name", [NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
@pytest.mark.parametrize("hour", ["00:00", "01:30", "02:00", "02:30", "03:00", "23:59"])
def test_each_day_of_a_year_has_its_hour_once(name: str, hour: str) -> None:
    at_ms, seen = utc("2026-01-01T12:00"), []
    for _ in range(366):
        following = next_daily(hour, name, at_ms)
        assert DAY_MS - 2 * HOUR_MS <= following - at_ms <= DAY_MS + 2 * HOUR_MS or not seen
        at_ms = following
        seen.append(following)
    assert len(set(seen)) == 366


def test_asking_for_it_schedules_it_in_the_same_command() -> None:
    s = Scenario().given(zone("Europe/Berlin"))
    _, scheduled = s.when(notify(dailySummary="07:30")).then(PreferenceSet, WishScheduled)
    assert scheduled == WishScheduled(wish="daily_summary", at_ms=utc("2025-11-20T06:30"))
    assert s.brain.wishes == {"daily_summary": utc("2025-11-20T06:30")}


def test_only_another_hour_or_another_zone_moves_it() -> None:
    s = Scenario().given(notify(dailySummary="11:00"))
    at_ms = s.brain.wishes["daily_summary"]
    # It is due, and has not been met: nothing else that is set may put it off until tomorrow.
    s.at(at_ms + 1)
    s.when(notify(dailySummary="11:00", reminders="message")).then(PreferenceSet)
    s.when(SetPreference(key="workHours", preference_ref="p_w", value="09:00-17:00")).then(PreferenceSet)
    s.when(zone("UTC")).then(PreferenceSet)
    assert s.brain.wishes == {"daily_summary": at_ms}
    s.when(zone("Europe/London")).then(PreferenceSet, WishScheduled)
    s.when(notify(dailySummary="12:00")).then(PreferenceSet, WishScheduled)
    assert s.brain.wishes == {"daily_summary": utc("2025-11-19T12:00")}


@pytest.mark.parametrize("value", [{"dailySummary": None}, {}, {"reminders": "none"}])
def test_it_can_be_withdrawn(value: dict[str, Json]) -> None:
    s = Scenario().given(notify(dailySummary="11:00"))
    _, scheduled = s.when(notify(**value)).then(PreferenceSet, WishScheduled)
    assert scheduled == WishScheduled(wish="daily_summary", at_ms=None)
    assert s.brain.wishes == {}
    s.when(fire(NOW_MS + HOUR_MS)).then_refused("wish_over")


def test_who_never_asked_has_no_wish() -> None:
    s = Scenario().given(zone("Europe/Berlin"), notify(reminders="message"), notify(reminders="none"))
    assert s.brain.wishes == {}


def test_the_users_clock_counts_where_it_was_set() -> None:
    s = Scenario()
    s.context = replace(s.context, user_offset_ms=30 * DAY_MS)
    s.given(notify(dailySummary="11:00"))
    assert s.brain.wishes == {"daily_summary": NOW_MS + HOUR_MS + 30 * DAY_MS}


# --- that -------------------------------------------------------------------------------------------------------------


def test_it_is_a_message_that_waits_for_a_worker_and_is_due_again_the_next_day() -> None:
    s = Scenario().given(notify(dailySummary="11:00"))
    at_ms = NOW_MS + HOUR_MS
    events = (
        by_schedule(s, at_ms)
        .when(fire(at_ms))
        .then(ConversationStarted, MessageReceived, ReplyRequested, WishScheduled)
    )
    _, received, requested, scheduled = events
    assert isinstance(received, MessageReceived)
    assert received.content is not REDACTED
    assert received.content.text == "Daily summary for Wednesday 2025-11-19"
    assert isinstance(requested, ReplyRequested)
    assert requested.reply.origin == "schedule"
    assert scheduled == WishScheduled(wish="daily_summary", at_ms=at_ms + DAY_MS)
    assert s.brain.queue == (requested.reply.reply_id,)
    assert s.brain.accepted_at_ms == ()
    s.when(fire(at_ms)).then_refused("wish_over")


@pytest.mark.parametrize(
    ("late_ms", "is_met", "next_at"),
    [
        (0, True, "2025-11-20T11:00"),
        (6 * HOUR_MS, True, "2025-11-20T11:00"),
        (6 * HOUR_MS + 1, False, "2025-11-20T11:00"),
        (24 * HOUR_MS - 1, False, "2025-11-20T11:00"),
        # Yesterday's was missed by far, today's an hour ago: today's is the next one.
        (25 * HOUR_MS, False, "2025-11-20T11:00"),
        (31 * HOUR_MS, False, "2025-11-21T11:00"),
    ],
)
def test_one_that_was_missed_by_more_than_six_hours_waits_for_its_next_day(
    late_ms: int, is_met: bool, next_at: str
) -> None:
    s = Scenario().given(notify(dailySummary="11:00"))
    at_ms = NOW_MS + HOUR_MS
    by_schedule(s, at_ms + late_ms).when(fire(at_ms))
    assert any(isinstance(event, MessageReceived) for event in s.events or []) is is_met
    assert s.brain.wishes == {"daily_summary": utc(next_at)}


def test_it_does_not_come_before_its_time_nor_while_too_many_wait() -> None:
    s = Scenario().given(notify(dailySummary="11:00"))
    at_ms = NOW_MS + HOUR_MS
    by_schedule(s, at_ms - 1).when(fire(at_ms)).then_refused("not_due")
    s.context = replace(s.context, origin="user")
    s.with_limits(messages_per_minute=0)
    say = PostMessage(channel="chat", text="Hi", conversation_id=None, conversation_ref="c_main")
    s.given(*[say] * (limits.REPLIES_WAITING_MAX + 1))
    by_schedule(s, at_ms).when(fire(at_ms)).then_refused("replies_waiting")


@pytest.mark.parametrize(
    ("first", "second"),
    [("2026-03-08T07:30", "2026-03-09T06:30"), ("2026-11-01T07:30", "2026-11-02T07:30")],
)
def test_the_summary_of_half_past_two_comes_once_on_the_nights_on_which_clocks_change(first: str, second: str) -> None:
    s = Scenario().at(utc(first) - 12 * HOUR_MS).given(zone(NEW_YORK), notify(dailySummary="02:30"))
    assert s.brain.wishes == {"daily_summary": utc(first)}
    by_schedule(s, utc(first)).given(fire(utc(first)))
    assert s.brain.wishes == {"daily_summary": utc(second)}
