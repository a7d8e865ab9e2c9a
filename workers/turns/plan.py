"""The plan of a day: asked for as JSON, kept, and told from what was kept.

A plan says what it rests on by a hash, its basis: while that is the same it is shown again and no model is asked. One
that the user wrote has none; it is shown, and replaced only where they ask for a new one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec

from commands.json_text import readings
from commands.plan_deeds import plan_payload
from commands.plans import SetPlan
from commands.setting import Proposal
from domain.brain import Brain, PlanState
from domain.limits import PLAN_ENTRY_CHARACTERS_MAX
from domain.text import one_line
from domain.values import Json, Plan
from infra.telemetry import get_logger
from workers.day_words import plan_text
from workers.turns.turn import Turn
from workers.understanding.days import Days, event_line, events_on, local_due, name_of, open_tasks

logger = get_logger("workers.turns.plan")

PRIORITIES, TODOS, NOTES = 3, 5, 1
BY_RULES = "rules:"  # before the basis of a plan that no model made: asked again, it is written anew
QUESTION_SECONDS_MAX = 60.0
NO_MODEL = "The language model gave me no plan, so I made this one from your tasks by their dates and priorities."

_ENTRY: dict[str, Json] = {"type": "string", "maxLength": PLAN_ENTRY_CHARACTERS_MAX}
PLAN_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "priorities": {"type": "array", "items": _ENTRY, "maxItems": PRIORITIES},
        "todos": {"type": "array", "items": _ENTRY, "maxItems": TODOS},
        "notes": {"type": "array", "items": _ENTRY, "maxItems": NOTES},
    },
    "required": ["priorities", "todos", "notes"],
    "additionalProperties": False,
}

_ANEW = re.compile(
    r"\bre-?plan|\bagain\b|\banew\b|\bnew plan\b|\banother\b|\bfresh\b|\boverwrite\b|\bstart over\b"
    r"|\bneu(?:en)?\b|\bnochmal\b",
    re.IGNORECASE,
)


class _PlanOut(msgspec.Struct):
    priorities: list[str]
    todos: list[str]
    notes: list[str]


async def write_plan(turn: Turn) -> None:
    """Raises `Stopped`, `Lost`, or `StaleAttempt` where it came too late."""
    days = Days(str(turn.prompt.manifest.parameters["first_day"]), 1)
    known = turn.acting.brain.plan_of(days.first)
    basis = plan_basis(turn.acting.brain, days)
    if known is not None and _still_holds(known, basis, turn.asked.words):
        turn.stream.write_lines(plan_text(known.date, known.plan, is_own=known.basis is None))
        return
    turn.stream.progress("thinking", "Planning your day")
    plan = await _asked_for(turn)
    if plan is None:
        plan, basis = plan_by_rules(turn.acting.brain, days), BY_RULES + basis
        turn.stream.write_paragraph(NO_MODEL)
    if known is not None and (known.plan, known.basis) == (plan, basis):
        turn.stream.write_lines(plan_text(known.date, known.plan))  # made anew, it is the same
        return
    deed = SetPlan(date=days.first, plan_ref=turn.acting.keys.ref("plan", days.first), plan=plan, basis=basis)
    await turn.acting.commit(Proposal(kind="set_plan", payload=plan_payload(days.first, plan), deed=deed), 1)
    kept = turn.acting.brain.plan_of(days.first)
    if kept is not None and kept.plan != plan:
        # An attempt before this one wrote another, which stands.
        turn.stream.write_lines(plan_text(kept.date, kept.plan))


def _still_holds(known: PlanState, basis: str, words: str) -> bool:
    if _ANEW.search(words) or known.plan == Plan():
        return False  # one with nothing in it is none
    return known.basis is None or known.basis == basis


def plan_basis(brain: Brain, days: Days) -> str:
    """SHA-256, hex, of what a plan rests on: the open tasks, the day's events, the hours of work, and the day."""
    tasks = sorted(
        (task_id, state.task.title, state.task.due or "", state.task.priority) for task_id, state in open_tasks(brain)
    )
    events = [(name_of(one), one.entry.title, one.starts_at_ms, one.ends_at_ms) for one in events_on(brain, days)]
    text = msgspec.json.encode([days.first, tasks, events, brain.preference("workHours"), brain.timezone])
    return hashlib.sha256(text).hexdigest()


async def _asked_for(turn: Turn) -> Plan | None:
    """The model's plan, None where there is none to be had."""
    request = replace(turn.prompt.request, tools=())
    text = await turn.questions.ask("plan", request, PLAN_SCHEMA, turn.deadline, seconds_max=QUESTION_SECONDS_MAX)
    plan = None if text is None else plan_from(text)
    if text is not None and plan is None:
        logger.warning("plan.unreadable", count=len(text))
    return plan


def plan_from(text: str) -> Plan | None:
    """The plan that an answer is, its lists cut to their lengths; None for what is none."""
    for reading in readings(text):
        with suppress(msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            out = msgspec.json.decode(reading, type=_PlanOut)
            plan = Plan(
                priorities=_entries(out.priorities, PRIORITIES),
                todos=_entries(out.todos, TODOS),
                notes=_entries(out.notes, NOTES),
            )
            return plan if plan.priorities or plan.todos or plan.notes else None
    return None


def _entries(texts: Sequence[str], count: int) -> tuple[str, ...]:
    lines = (one_line(text).strip()[:PLAN_ENTRY_CHARACTERS_MAX] for text in texts)
    return tuple(dict.fromkeys(line for line in lines if line))[:count]


def plan_by_rules(brain: Brain, days: Days) -> Plan:
    """What is urgent or due by then, then what else is open, and how much the calendar holds."""
    tasks = [state.task for _, state in open_tasks(brain)]
    is_due = [task for task in tasks if (due := local_due(task, brain.timezone)) and due[:10] <= days.last]
    urgent = sorted(is_due or [], key=lambda task: task.priority != "high")
    urgent += [task for task in tasks if task.priority == "high" and task not in urgent]
    ordered = [*urgent, *(task for task in tasks if task not in urgent)]
    titles = [one_line(task.title) for task in ordered]
    events = events_on(brain, days)
    note = f"First comes {event_line(events[0], brain.timezone)}." if events else "The day has no appointments."
    return Plan(
        priorities=_entries(titles[:PRIORITIES], PRIORITIES),
        todos=_entries(titles[PRIORITIES : PRIORITIES + TODOS], TODOS),
        notes=(note[:PLAN_ENTRY_CHARACTERS_MAX],),
    )
