"""Plans of a day: written by the user or by the assistant; the newest one of a date holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from commands.context import CommandContext
from commands.preconditions import check_version
from domain import limits
from domain.brain import Brain
from domain.errors import Invalid
from domain.events import BrainEvent, DayPlan, PlanSet
from domain.values import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPlan:
    """`plan_ref` is the keyed hash of `date` (`YYYY-MM-DD`). `basis`: a hash of what the assistant planned with."""

    date: str
    plan_ref: str
    plan: Plan
    basis: str | None = None
    expected_version: int | None = None


def set_plan(command: SetPlan, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    check_date(command.date)
    for name, entries in (
        ("priorities", command.plan.priorities),
        ("todos", command.plan.todos),
        ("notes", command.plan.notes),
    ):
        _check_entries(name, entries)
    known = brain.plans.get(command.plan_ref)
    check_version("plan", None if known is None else known.version, command.expected_version)
    if known is not None and (known.plan, known.basis) == (command.plan, command.basis):
        return []
    content = DayPlan(date=command.date, plan=command.plan, basis=command.basis)
    return [PlanSet(plan_ref=command.plan_ref, content=content)]


def check_date(text: str) -> date:
    """Raises `Invalid` for what is no `YYYY-MM-DD` of the calendar."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise Invalid("A date reads YYYY-MM-DD and is one of the calendar.", code="date_invalid")
    return found


def _check_entries(name: str, entries: Sequence[str]) -> None:
    if len(entries) > limits.PLAN_ENTRIES_MAX:
        raise Invalid(f"A plan has at most {limits.PLAN_ENTRIES_MAX} {name}.", code="plan_too_long")
    if any(not entry.strip() or len(entry) > limits.PLAN_ENTRY_CHARACTERS_MAX for entry in entries):
        raise Invalid(
            f"Each of a plan's {name} has 1 to {limits.PLAN_ENTRY_CHARACTERS_MAX} characters.", code="plan_invalid"
        )
