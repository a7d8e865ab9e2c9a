"""Chat turns in which the stream brought no call that can be read: leaks, garbled calls, one more question, rules."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from commands.messages import RegenerateReply
from commands.notes import AddNote
from domain.events import ActionCreated, MemoryPinned, ReplyCompleted, ReplyStarted, ReplyStopped, TaskCreated
from domain.ports import ModelFinished
from domain.values import ModelUsage
from tests.support.waiting import until
from tests.support.worker_world import ScriptedModel, Step, World, failure, open_world, tool_call
from workers.confirmations import NOT_OFFERED
from workers.extraction import extraction_schema, repair_schema
from workers.tool_specs import TOOLS

REMIND = "Remind me to call John"
JOHN_ARGUMENTS = '{"title": "call John", "priority": "high"}'
JOHN = tool_call("create_task", JOHN_ARGUMENTS)
LEAKED = f'{{"name": "create_task", "arguments": {JOHN_ARGUMENTS}}}'
EXTRACTED = f'{{"actions": [{LEAKED}]}}'
JOHN_DONE = "Done: call John."


async def told(world: World, text: str, model: ScriptedModel, **more: Any) -> ReplyCompleted:
    """The end of the reply to a message; what was published is checked to be what was stored."""
    reply_id = await world.post(text, **more)
    await world.serve(await world.worker(model))
    end = await world.ending(reply_id)
    assert isinstance(end, ReplyCompleted)
    assert end.content.text == await world.published(reply_id, 1)
    return end


# --- calls in the text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [[LEAKED], list(LEAKED), ["```json\n", LEAKED, "\n```"], [f"[{LEAKED}, {LEAKED}]"]])
async def test_a_call_in_the_text_is_done_once_and_not_shown(script: list[Step]) -> None:
    async with open_world() as world:
        model = ScriptedModel(["Sure. ", *script])
        end = await told(world, REMIND, model)
        assert end.content.text == f"Sure. \n\n{JOHN_DONE}"
        assert len(await world.events(TaskCreated)) == 1
        assert len(model.calls) == 1
        assert not model.questions


async def test_a_call_that_is_made_and_written_out_as_well_is_done_once() -> None:
    async with open_world() as world:
        end = await told(world, REMIND, ScriptedModel([LEAKED, JOHN, "Okay?"]))
        assert end.content.text == f"{JOHN_DONE}\n\nOkay?"
        assert len(await world.events(TaskCreated)) == len(await world.events(ActionCreated)) == 1


async def test_what_stands_in_a_note_is_no_call_however_faithfully_it_is_repeated() -> None:
    async with open_world() as world:
        keys = await world.keyring.load(world.user_id)
        ref = keys.ref("note", "n1")
        await world.handle(AddNote(note_id="n1", note_ref=ref, title="Draft", text=f"Example: {LEAKED}"))
        end = await told(world, "Read my note to me", ScriptedModel(["It says: ", LEAKED]), context_ids=[("n1", ref)])
        assert end.content.text == f"It says: {LEAKED}"
        assert not await world.events(TaskCreated)


async def test_a_call_of_a_tool_that_is_not_offered_stays_text_and_does_nothing() -> None:
    async with open_world() as world:
        leaked = '{"name": "send_money", "arguments": {"amount": 100}}'
        end = await told(world, "Hello there", ScriptedModel([leaked]))
        assert end.content.text == leaked
        assert not await world.events(ActionCreated)


async def test_a_standing_wish_does_nothing_by_text_either() -> None:
    async with open_world() as world:
        model = ScriptedModel([LEAKED], answers=[EXTRACTED])
        end = await told(world, REMIND, model, origin="schedule")
        assert end.content.text == LEAKED
        assert not model.questions
        assert not await world.events(TaskCreated)


# --- one more question ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["Hi", "What's on my agenda today?", "Tell me about reminders.", "I finished the book. It was great!"]
)
async def test_a_plain_chat_answer_is_one_call_of_the_model(text: str) -> None:
    async with open_world() as world:
        model = ScriptedModel(["Hello."], answers=[EXTRACTED])
        end = await told(world, text, model)
        assert (len(model.calls), len(model.questions)) == (1, 0)
        assert end.usage.total_tokens == 15


async def test_an_action_that_the_stream_did_not_bring_is_asked_for_once_and_counted() -> None:
    async with open_world() as world:
        model = ScriptedModel(["I will."], answers=[EXTRACTED])
        end = await told(world, REMIND, model)
        assert end.content.text == f"I will.\n\n{JOHN_DONE}"
        assert len(await world.events(TaskCreated)) == 1
        assert (end.usage.input_tokens, end.usage.output_tokens) == (110, 25)
        [(request, schema)] = model.questions
        assert "From this transcript, extract" in request.messages[0].content
        assert request.messages[-1].content == REMIND
        assert request.tools == ()
        names = schema["properties"]["actions"]["items"]["properties"]["name"]["enum"]
        assert names == ["create_task"]


async def test_a_call_in_the_stream_leaves_nothing_to_ask() -> None:
    async with open_world() as world:
        model = ScriptedModel([JOHN], answers=[EXTRACTED])
        await told(world, REMIND, model)
        assert not model.questions


async def test_only_what_the_users_own_words_ask_for_is_taken_from_the_second_answer() -> None:
    async with open_world() as world:
        pin = '{"name": "pin_memory", "arguments": {"key": "boss", "value": "Eve"}}'
        model = ScriptedModel(["I will."], answers=[f'{{"actions": [{pin}, {LEAKED}]}}'])
        await told(world, REMIND, model)
        assert len(await world.events(TaskCreated)) == 1
        assert not await world.events(MemoryPinned)


@pytest.mark.parametrize(
    "answer",
    [
        failure("bad_answer"),
        failure("refused", retryable=False),
        "I have set a reminder.",
        '{"actions": []}',
        '{"actions": [{"name": "create_task", "arguments": {"title": 7}}]}',
        '{"actions": [{"name": "create_task", "arguments": {"title": "cal',
    ],
)
async def test_where_the_second_answer_brings_nothing_the_rules_do(answer: str | Exception) -> None:
    async with open_world() as world:
        end = await told(world, REMIND, ScriptedModel(["I will."], answers=[answer]))
        assert end.content.text == f"I will.\n\n{JOHN_DONE}"
        assert len(await world.events(TaskCreated)) == 1


async def test_where_nothing_finds_an_action_the_text_stays() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Which list?"], answers=['{"actions": []}'])
        end = await told(world, "Put something or other on some list", model)
        assert end.content.text == "Which list?"
        assert len(model.questions) == 1


async def test_a_tool_that_does_not_exist_is_made_good_by_the_second_answer() -> None:
    async with open_world() as world:
        wrong = tool_call("set_reminder", JOHN_ARGUMENTS)
        end = await told(world, REMIND, ScriptedModel(["Sure.", wrong], answers=[EXTRACTED]))
        assert end.content.text == f"Sure.\n\n{JOHN_DONE}"
        end = await told(world, "Hi", ScriptedModel([wrong]))
        assert end.content.text == NOT_OFFERED


async def test_what_was_done_before_is_not_asked_for_again() -> None:
    async with open_world() as world:
        model = ScriptedModel([JOHN], ["As I said."], answers=[EXTRACTED])
        consumer = await world.worker(model)
        reply_id = await world.post(REMIND)
        await world.serve(consumer)
        await world.handle(RegenerateReply(id=reply_id))
        await world.serve(consumer)
        assert len(model.calls) == 2
        assert not model.questions
        assert len(await world.events(TaskCreated)) == 1


async def test_a_second_question_spends_no_more_than_was_reserved() -> None:
    async with open_world(llm_max_tokens=200) as world:
        spent = ModelFinished("stop", ModelUsage(input_tokens=10, output_tokens=5))
        model = ScriptedModel(["I will.", spent], answers=[EXTRACTED])
        await told(world, REMIND, model)
        [(request, _)] = model.questions
        (start,) = await world.events(ReplyStarted)
        assert request.max_tokens + 15 < start.reserved_tokens


async def test_without_room_for_a_question_the_rules_decide_at_once() -> None:
    async with open_world() as world:
        spent = ModelFinished("stop", ModelUsage(input_tokens=12_000, output_tokens=1_000))
        model = ScriptedModel(["I will.", spent], answers=[EXTRACTED])
        end = await told(world, REMIND, model)
        assert not model.questions
        assert end.content.text == f"I will.\n\n{JOHN_DONE}"
        assert end.usage.total_tokens == 13_000


async def test_a_stop_cuts_the_second_question_short() -> None:
    async with open_world() as world:
        model = ScriptedModel(["I will."], answers=[asyncio.Event()])
        consumer = await world.worker(model)
        reply_id = await world.post(REMIND)
        assert await consumer.take_hint(world.user_id)
        await until(lambda: bool(model.questions))
        await world.stop(reply_id)
        await world.idle(consumer)
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyStopped)
        assert end.content.text == "I will."
        assert end.usage.input_tokens > 10
        assert not await world.events(TaskCreated)


async def test_a_failed_call_is_tried_again_and_not_asked_about() -> None:
    async with open_world() as world:
        model = ScriptedModel(["I w", failure("refused", retryable=False)], answers=[EXTRACTED])
        await world.post(REMIND)
        await world.serve(await world.worker(model))
        assert not model.questions
        assert not await world.events(TaskCreated)


# --- garbled calls --------------------------------------------------------------------------------------------


async def test_arguments_that_cannot_be_read_are_asked_for_once_more_with_what_is_wrong() -> None:
    async with open_world() as world:
        garbled = tool_call("create_task", '{"title": 7}')
        model = ScriptedModel(["Sure.", garbled, "Anything else?"], answers=[JOHN_ARGUMENTS])
        end = await told(world, REMIND, model)
        assert end.content.text == f"Sure.Anything else?\n\n{JOHN_DONE}"
        [(request, schema)] = model.questions
        assert "Expected `str`, got `int` - at `$.title`" in request.messages[0].content
        assert set(schema["properties"]) == {"title", "due_text", "notes", "priority"}
        assert end.usage.input_tokens == 110


async def test_what_stays_garbled_is_dropped_and_the_text_stays() -> None:
    async with open_world() as world:
        garbled = tool_call("create_task", '{"title": 7}')
        model = ScriptedModel(["Sure.", garbled, garbled], answers=['{"title": 8}', JOHN_ARGUMENTS])
        end = await told(world, REMIND, model)
        assert len(model.questions) == 1
        assert end.content.text.startswith("Sure.\n\n")
        assert end.content.text.count("nothing was done") == 2
        assert not await world.events(ActionCreated)


@pytest.mark.parametrize(
    "arguments",
    [f"```json\n{JOHN_ARGUMENTS}\n```", f"Here: {JOHN_ARGUMENTS}", JOHN_ARGUMENTS[:-1], f"{JOHN_ARGUMENTS[:-1]},}}"],
)
async def test_what_can_be_mended_is_not_asked_about(arguments: str) -> None:
    async with open_world() as world:
        model = ScriptedModel([tool_call("create_task", arguments)])
        end = await told(world, REMIND, model)
        assert end.content.text == JOHN_DONE
        assert not model.questions


async def test_a_garbled_call_beside_its_good_copy_does_not_do_it_twice() -> None:
    async with open_world() as world:
        garbled = tool_call("create_task", '{"title": "call John", "urgent": true}')
        model = ScriptedModel([garbled, JOHN], answers=[JOHN_ARGUMENTS])
        await told(world, REMIND, model)
        assert len(await world.events(TaskCreated)) == 1


def test_every_tool_can_be_asked_for_again() -> None:
    named = {name for tool in TOOLS for name in tool.parameters["properties"]}
    action = extraction_schema(TOOLS)["properties"]["actions"]["items"]["properties"]
    assert set(action["arguments"]["properties"]) == named
    assert action["name"]["enum"] == [tool.name for tool in TOOLS]
    for tool in TOOLS:
        assert repair_schema(tool)["required"] == tool.parameters["required"]
