"""Plans of a day."""

from __future__ import annotations

import pytest

from commands.plans import SetPlan
from domain import limits
from domain.events import DayPlan, PlanSet
from domain.values import Plan
from tests.support.decider import Scenario

DAY = SetPlan(date="2025-11-21", plan_ref="p_21", plan=Plan(priorities=("Send the budget",)))


def planned(day: str = "2025-11-21", **entries: tuple[str, ...]) -> SetPlan:
    return SetPlan(date=day, plan_ref=f"p_{day}", plan=Plan(**entries))


def test_the_newest_plan_of_a_day_holds() -> None:
    s = Scenario().given(DAY)
    newer = SetPlan(date=DAY.date, plan_ref=DAY.plan_ref, plan=Plan(todos=("Call John",)), basis="ab")
    (event,) = s.when(newer).then(PlanSet)
    assert isinstance(event, PlanSet)
    assert event.content == DayPlan(date=DAY.date, plan=newer.plan, basis="ab")
    assert s.brain.plan_of(DAY.date) == s.brain.plans["p_21"]
    assert s.brain.plans["p_21"].plan == newer.plan


def test_the_same_plan_again_changes_nothing() -> None:
    Scenario().given(DAY).when(DAY).then_nothing()


def test_each_day_has_its_own_plan_and_the_state_keeps_the_newest() -> None:
    days = [f"2025-{month:02d}-{day:02d}" for month in (1, 2, 3) for day in range(1, 29)]
    s = Scenario().given(*(planned(day, notes=(day,)) for day in days))
    assert [state.date for state in s.brain.plans.values()] == days[-limits.PLANS_KEPT_MAX :]


@pytest.mark.parametrize(
    "day", ["2025-02-30", "21.11.2025", "2025-1-1", "20251121", "", "tomorrow", "2025-11-21T10:00"]
)
def test_a_plan_is_for_a_day_of_the_calendar(day: str) -> None:
    Scenario().when(planned(day, notes=("x",))).then_refused("date_invalid")


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        (("x",) * (limits.PLAN_ENTRIES_MAX + 1), "plan_too_long"),
        (("x" * (limits.PLAN_ENTRY_CHARACTERS_MAX + 1),), "plan_invalid"),
        (("  ",), "plan_invalid"),
    ],
)
def test_a_plan_has_bounds(entries: tuple[str, ...], code: str) -> None:
    Scenario().when(planned(todos=entries)).then_refused(code)
