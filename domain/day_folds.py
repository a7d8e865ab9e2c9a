"""How plans, calendar events, reminders, wishes and budget warnings change a `Brain`. Part of domain/evolve.py."""

from __future__ import annotations

from collections.abc import Mapping

from domain import limits
from domain.brain import Brain, CalendarState, PlanState, TaskState
from domain.copying import drop, put, with_changes
from domain.events import (
    BudgetWarned,
    CalendarEventAdded,
    CalendarEventChanged,
    CalendarEventRemoved,
    Fact,
    PlanSet,
    ReminderFired,
    WishScheduled,
)
from domain.values import REDACTED


def fold_day(
    brain: Brain, event: PlanSet | CalendarEventAdded | CalendarEventChanged | CalendarEventRemoved, fact: Fact
) -> Brain:
    if isinstance(event, CalendarEventRemoved):
        return with_changes(brain, calendar=drop(brain.calendar, event.calendar_id))
    end = fact.meta.end_version
    if isinstance(event, PlanSet):
        if event.content is REDACTED:
            return brain
        day = event.content
        plan = PlanState(date=day.date, plan=day.plan, basis=day.basis, version=end)
        return with_changes(brain, plans=put(brain.plans, event.plan_ref, plan, keep_max=limits.PLANS_KEPT_MAX))
    if event.content is REDACTED:
        return brain
    state = CalendarState(
        entry=event.content,
        source=event.source,
        created_from=event.created_from,
        created_at_ms=fact.meta.at_ms if isinstance(event, CalendarEventAdded) else event.created_at_ms,
        version=end,
    )
    others = brain.calendar
    if event.calendar_id not in others and len(others) >= limits.CALENDAR_EVENTS_MAX:
        others = _without_past(others, fact.meta.at_ms - limits.CALENDAR_PAST_KEPT_MS)
    # It stays itself, however long it is over: whoever made it is answered with it.
    return with_changes(brain, calendar={**others, event.calendar_id: state})


def _without_past(calendar: Mapping[str, CalendarState], before_ms: int) -> dict[str, CalendarState]:
    """What is over for long stays in the view, and makes room here."""
    return {calendar_id: state for calendar_id, state in calendar.items() if not state.entry.is_over(before_ms)}


def fold_due(brain: Brain, event: ReminderFired | WishScheduled | BudgetWarned, fact: Fact) -> Brain:
    match event:
        case ReminderFired():
            if event.content is REDACTED:
                return brain
            reminded = TaskState(
                task=event.content,
                created_from=event.created_from,
                created_at_ms=event.created_at_ms,
                version=fact.meta.end_version,
                remind_at_ms=event.remind_at_ms,
                reminded_ms=event.due_at_ms,
            )
            return with_changes(brain, tasks={**brain.tasks, event.task_id: reminded})
        case WishScheduled():
            wishes = {wish: at_ms for wish, at_ms in brain.wishes.items() if wish != event.wish}
            if event.at_ms is not None:
                wishes[event.wish] = event.at_ms
            return with_changes(brain, wishes=wishes)
        case BudgetWarned():
            return with_changes(brain, warned={**brain.warned, event.budget: event.window})
