"""A turn that plans a day: asked for as strict JSON, kept with its basis, and told from what was kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.calendar import SetCalendarEvent
from commands.decide import Command
from commands.handle import Handled, Request
from commands.plans import SetPlan
from commands.replies import StartReply
from commands.tasks import CreateTask
from domain.brain import EMPTY_BRAIN
from domain.events import ActionCreated, Fact, PlanSet, ReplyStopped, ReplyStopRequested
from domain.evolve import evolve
from domain.values import ModelUsage, Plan, Task
from tests.support.worker_world import ScriptedModel, answered, failure, open_world
from workers.prompts.build import prompt_hash, render
from workers.prompts.days import Scene
from workers.turns.plan import BY_RULES, NO_MODEL, NOTES, PRIORITIES, TODOS, plan_from

pytestmark = pytest.mark.anyio

TODAY = "2025-11-19"
ANSWER = json.dumps({"priorities": ["Write the offer"], "todos": ["Call John", "Read"], "notes": ["Well begun."]})
TOLD = "Your plan for Wednesday 2025-11-19:\n\nPriorities:\n1. Write the offer\n\nTo-dos:\n- Call John\n- Read"


async def test_a_plan_is_one_question_for_json_and_is_told_from_what_was_kept() -> None:
    async with open_world() as world:
        await world.handle(CreateTask(task=Task(title="Write the offer")))
        model = ScriptedModel(["never"], answers=[ANSWER])
        assert (await answered(world, "Plan my day", model=model)).startswith(TOLD)
        ((request, schema),) = model.questions
        assert not model.calls
        assert not request.tools
        system = request.messages[0].content
        assert f"produce a prioritized plan for {TODAY}" in system
        assert "- Write the offer" in system
        assert schema["required"] == ["priorities", "todos", "notes"]
        (kept,) = await world.events(PlanSet)
        assert kept.content.basis is not None
        (action,) = await world.events(ActionCreated)
        assert (action.kind, action.status) == ("set_plan", "committed")


async def test_the_question_can_be_built_again_from_the_manifest() -> None:
    async with open_world() as world:
        await world.handle(SetCalendarEvent(fields={"title": "Board", "start": f"{TODAY}T15:00"}))
        reply_id = await world.post("Plan my day")
        model = ScriptedModel(["never"], answers=[ANSWER])
        await world.serve(await world.worker(model))
        end, brain, facts = await world.ending(reply_id), EMPTY_BRAIN, await world.facts()
        for fact in facts[: end.manifest.brain_version]:
            brain = evolve(brain, fact)
        scene = Scene(brain=brain, reply=end.reply, facts=[f for f in facts if f.version in end.manifest.versions])
        assert render(scene, end.manifest) == model.questions[0][0].messages
        assert prompt_hash(render(scene, end.manifest)) == end.content.provenance.prompt_hash


async def test_a_plan_is_shown_again_without_a_model_until_what_it_rests_on_changes() -> None:
    async with open_world() as world:
        model = ScriptedModel(["never"], answers=[ANSWER, ANSWER, ANSWER])
        first = await answered(world, "Plan my day", model=model)
        assert await answered(world, "What's my plan for today?", model=model) == first
        assert len(model.questions) == 1
        changes: list[Command] = [
            CreateTask(task=Task(title="New")),
            SetCalendarEvent(fields={"title": "Board", "start": f"{TODAY}T15:00"}),
        ]
        for number, change in enumerate(changes, start=2):
            await world.handle(change)
            await answered(world, "What's my plan for today?", model=model)
            assert len(model.questions) == number


async def test_a_plan_of_the_users_own_is_replaced_only_where_they_ask_for_a_new_one() -> None:
    async with open_world() as world:
        keys = await world.keyring.load(world.user_id)
        own = SetPlan(date=TODAY, plan_ref=keys.ref("plan", TODAY), plan=Plan(priorities=("Rest",)))
        await world.handle(own)
        model = ScriptedModel(["never"], answers=[ANSWER])
        assert "Your own plan" in await answered(world, "Plan my day", model=model)
        assert not model.questions
        assert TOLD in await answered(world, "Plan my day again", model=model)


async def test_a_plan_that_is_made_anew_and_is_the_same_is_told_again() -> None:
    async with open_world() as world:
        model = ScriptedModel(["never"], answers=[ANSWER, ANSWER])
        first = await answered(world, "Plan my day", model=model)
        assert await answered(world, "Replan my day", model=model) == first
        assert len(await world.events(PlanSet)) == 1


async def test_a_plan_with_nothing_in_it_is_none() -> None:
    async with open_world() as world:
        keys = await world.keyring.load(world.user_id)
        await world.handle(SetPlan(date=TODAY, plan_ref=keys.ref("plan", TODAY), plan=Plan()))
        text = await answered(world, "Plan my day", model=ScriptedModel(["never"], answers=[ANSWER]))
        assert TOLD in text


@pytest.mark.parametrize("answer", [failure(), failure("bad_answer"), "no JSON", '{"priorities": 1}', "{}"])
async def test_without_a_plan_of_the_models_the_rules_make_one_and_say_so(answer: Any) -> None:
    async with open_world() as world:
        await world.handle(CreateTask(task=Task(title="Pay rent", priority="high")))
        text = await answered(world, "Plan my day", model=ScriptedModel(["never"], answers=[answer]))
        assert text.startswith(NO_MODEL)
        assert "1. Pay rent" in text
        (kept,) = await world.events(PlanSet)
        assert kept.content.basis.startswith(BY_RULES)
        again = await answered(world, "What's my plan for today?", model=ScriptedModel(["never"], answers=[ANSWER]))
        assert TOLD in again


async def test_a_second_attempt_tells_the_plan_of_the_first_and_asks_no_model() -> None:
    async with open_world() as world:
        reply_id = await world.post("Plan my day")
        consumer = await world.worker(ScriptedModel(["never"], answers=[ANSWER]), owner="dead")
        await world.starts_to_speak(consumer)
        for task in consumer.tasks():
            task.cancel()
        await world.idle(consumer)
        world.expire_leases()
        model = ScriptedModel(["never"])
        await world.look(await world.worker(model, owner="alive"))
        if (await world.reply(reply_id)).attempt == 2:
            assert (await world.ending(reply_id)).content.text.startswith(TOLD)
        assert len(await world.events(PlanSet)) == 1
        assert not model.questions


async def test_who_stops_before_the_question_is_asked_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_world() as world:
        reply_id = await world.post("Plan my day")
        model = ScriptedModel(["never"], answers=[ANSWER])
        consumer = await world.worker(model)
        handle, receive, told = consumer.desk.handler.handle, consumer.receive, asyncio.Event()

        def receive_the_stop(user_id: str, facts: Sequence[Fact]) -> None:
            receive(user_id, facts)
            if any(isinstance(fact.event, ReplyStopRequested) for fact in facts):
                told.set()

        async def handle_and_stop(user_id: str, command: Command, request: Request) -> Handled:
            handled = await handle(user_id, command, request)
            if isinstance(command, StartReply):
                await world.stop(reply_id)
                await told.wait()
            return handled

        monkeypatch.setattr(consumer, "receive", receive_the_stop)
        monkeypatch.setattr(consumer.desk.handler, "handle", handle_and_stop)
        await world.serve(consumer)
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyStopped)
        assert not model.questions
        assert end.usage == ModelUsage()


def test_lists_are_cut_to_their_lengths() -> None:
    many = {name: [f"{name} {n}" for n in range(20)] for name in ("priorities", "todos", "notes")}
    plan = plan_from(f"Here you are:\n```json\n{json.dumps(many)}\n```")
    assert plan is not None
    assert (len(plan.priorities), len(plan.todos), len(plan.notes)) == (PRIORITIES, TODOS, NOTES)


@given(st.text(max_size=300))
def test_any_answer_is_a_plan_or_none(text: str) -> None:
    plan = plan_from(text)
    assert plan is None or isinstance(plan, Plan)
