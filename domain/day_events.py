"""Facts about the user's days: plans, the calendar, reminders that came due, standing wishes, budgets nearly spent.

The rules of domain/events.py hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.values import Budget, CalendarEntry, CalendarSource, Plan, Redacted, Task, Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPlan:
    """`basis` is a hash of what the plan rests on, hex; None for a plan that the user wrote."""

    date: str
    plan: Plan
    basis: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSet:
    """Replaces the plan of that day. `plan_ref` is the keyed hash of its date."""

    plan_ref: str
    content: DayPlan | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEventAdded:
    calendar_id: str
    source: CalendarSource
    created_from: str | None
    content: CalendarEntry | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEventChanged:
    calendar_id: str
    source: CalendarSource
    created_from: str | None
    created_at_ms: int
    content: CalendarEntry | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEventRemoved:
    calendar_id: str
    source: CalendarSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderFired:
    """The task came due at `due_at_ms`, and changed nothing but that the user was reminded of it.

    `remind_at_ms` is when a recurring one fires next. `message_id` is the message that told the user, if they wished
    for one.
    """

    task_id: str
    due_at_ms: int
    remind_at_ms: int | None = None
    message_id: str | None = None
    created_from: str | None
    created_at_ms: int
    content: Task | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class WishScheduled:
    """When the standing wish is due next; None when it is withdrawn."""

    wish: Wish
    at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWarned:
    """`used` of `limit` has passed four fifths. `window` is the day since 1970 (UTC), or the minute for messages."""

    budget: Budget
    used: int
    limit: int
    window: int
