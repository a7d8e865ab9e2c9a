"""A plan that the user changes by chat: the lists that were said, the others as they are. Pure."""

from __future__ import annotations

from commands.actions import Deed
from commands.arguments import NotUnderstood, SetPlanArguments
from commands.plans import SetPlan
from commands.setting import Setting
from domain import limits
from domain.text import clean, one_line
from domain.values import Json, Plan


def change_plan(arguments: SetPlanArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    phrase = one_line(arguments.date_text or "")
    when = setting.when(phrase) if phrase else None
    if phrase and when is None:
        raise NotUnderstood(f"I do not understand the day “{phrase}”, so no plan was changed.")
    day = setting.now.date().isoformat() if when is None else when.due[:10]
    known = setting.brain.plan_of(day)
    before = Plan() if known is None else known.plan
    said = (arguments.priorities, arguments.todos, arguments.notes)
    if all(text is None for text in said):
        raise NotUnderstood("I do not know what to change about your plan, so it stays as it is.")
    priorities, todos, notes = (
        entries if text is None else _entries(text)
        for text, entries in zip(said, (before.priorities, before.todos, before.notes), strict=True)
    )
    plan = Plan(priorities=priorities, todos=todos, notes=notes)
    return plan_payload(day, plan), SetPlan(date=day, plan_ref=setting.ref("plan", day), plan=plan)


def plan_payload(day: str, plan: Plan) -> dict[str, Json]:
    return {
        "date": day,
        "priorities": list(plan.priorities),
        "todos": list(plan.todos),
        "notes": list(plan.notes),
    }


def _entries(text: str) -> tuple[str, ...]:
    lines = (one_line(line).lstrip("-*• ").strip() for line in clean(text).splitlines())
    return tuple(line[: limits.PLAN_ENTRY_CHARACTERS_MAX] for line in lines if line)[: limits.PLAN_ENTRIES_MAX]
