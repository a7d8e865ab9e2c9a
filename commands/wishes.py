"""Standing wishes: what the user asked for once and gets again and again. Today there is one, the daily summary.

A wish is due at an hour on the user's clock, each day once, whatever the clocks do: an hour that is skipped comes
after the gap, one that is repeated counts the first time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from commands.context import CommandContext
from commands.due import resolve_due, with_weekday
from commands.preference_values import summary_hour
from commands.scheduled import has_place, scheduled_message
from domain import limits
from domain.brain import Brain
from domain.errors import Conflict, TooMany
from domain.events import BrainEvent, WishScheduled
from domain.local_times import local_moment
from domain.values import Json, Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class FireWish:
    """The wish that is due at `at_ms`. `conversation_ref` is the keyed hash of the main conversation's id."""

    wish: Wish
    at_ms: int
    conversation_ref: str


def fire_wish(command: FireWish, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """A message that a worker answers, and when the wish is due next; only that for one that was missed by far.

    Refused when the wish is withdrawn or due at another time, and while too many messages wait.
    """
    if brain.wishes.get(command.wish) != command.at_ms:
        raise Conflict("This wish has been met, or has changed.", code="wish_over")
    now_ms = context.user_now_ms
    if command.at_ms > now_ms:
        raise Conflict("This wish is not due yet.", code="not_due")
    earliest_ms = now_ms - limits.WISH_LATE_MAX_MS
    hour = summary_hour(brain.preference("notifications"))
    next_ms = None if hour is None else next_daily(hour, brain.timezone, max(command.at_ms, earliest_ms))
    scheduled = WishScheduled(wish=command.wish, at_ms=next_ms)
    if command.at_ms < earliest_ms or not has_place(brain, command.conversation_ref):
        return [scheduled]
    if len(brain.queue) > limits.REPLIES_WAITING_MAX:
        raise TooMany("Too many messages wait for an answer.", code="replies_waiting", retry_after_seconds=5)
    day = local_moment(command.at_ms, brain.timezone).date().isoformat()
    text = f"Daily summary for {with_weekday(day)}"
    posted, _ = scheduled_message(text, command.conversation_ref, brain, context, intent="summary")
    return [*posted, scheduled]


def wishes_after(key: str, value: Json, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """What setting a preference to `value` means for the wishes. Only another hour or another zone moves one."""
    notifications, zone = brain.preference("notifications"), brain.timezone
    was = (summary_hour(notifications), zone)
    if key == "notifications":
        notifications = value
    elif key == "timezone":
        zone = str(value)
    hour = summary_hour(notifications)
    if (hour, zone) == was or (hour is None and "daily_summary" not in brain.wishes):
        return []
    at_ms = None if hour is None else next_daily(hour, zone, context.user_now_ms)
    return [] if brain.wishes.get("daily_summary") == at_ms else [WishScheduled(wish="daily_summary", at_ms=at_ms)]


def next_daily(hour: str, zone: str, after_ms: int) -> int:
    """The first instant after another at which a clock in `zone` shows `hour` (`HH:MM`), in Unix milliseconds."""
    day = local_moment(after_ms, zone).date()
    while True:
        _, at_ms = resolve_due(f"{day.isoformat()}T{hour}", zone)
        if at_ms > after_ms:
            return at_ms
        day += timedelta(days=1)
