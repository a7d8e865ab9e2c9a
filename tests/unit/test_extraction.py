"""What the model is asked in a second question, what its answers come to, and when a user's words call for one."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports import ModelRequest, PromptMessage, ToolSpec
from workers.extraction import (
    ANSWER_TOKENS_MAX,
    Unreadable,
    calls_by_rule,
    extracted_calls,
    extraction_request,
    extraction_schema,
    repair_request,
    repair_schema,
)
from workers.llm.tokens import estimate_prompt_tokens
from workers.tool_specs import TOOLS
from workers.understanding.intents import wants_action

CREATE, *_ = TOOLS
TALK = [
    PromptMessage(role="system", content="You help. # Notes > a long note"),
    PromptMessage(role="user", content="one"),
    PromptMessage(role="assistant", content="two"),
    PromptMessage(role="user", content="three"),
    PromptMessage(role="assistant", content="four"),
    PromptMessage(role="user", content="Remind me of that"),
]
REQUEST = ModelRequest(messages=TALK, tools=TOOLS, timezone="Europe/Berlin", now_ms=7)
CALL = {"name": "create_task", "arguments": {"title": "call John"}}


# --- when -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Remind me to call John tomorrow at 5", {"create_task"}),
        ("Tomorrow at 5, please remind me to call John", {"create_task"}),
        ("Hey, could you please remind me about the rent?", {"create_task"}),
        ("Don’t forget the milk", {"create_task"}),
        ("Put the dentist on my to-do list", {"create_task"}),
        ("todo: water the plants", {"create_task"}),
        ("Remember that my favourite airport is JFK", {"pin_memory"}),
        ("Mark the rent as done", {"complete_task"}),
        ("Delete the task milk", {"delete_task"}),
        ("Move the dentist to Friday", {"update_task"}),
        ("Forget my favourite airport", {"forget_memory"}),
        ("Set my time zone to Berlin", {"set_preference"}),
        ("Remind me to eat. Then forget my address.", {"create_task", "forget_memory"}),
    ],
)
def test_words_that_ask_for_an_action_name_its_kind(text: str, kinds: set[str]) -> None:
    assert wants_action(text) == kinds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hi, how are you?",
        "What's on my agenda today?",
        "Plan my day",
        "Summarize my week",
        "What did you remind me of?",
        "Remind me what we said about Boston",
        "Do you remember my airport?",
        "Did you delete the task milk?",
        "I remember when we were kids.",
        "I finished the book, it was great",
        "Change of plans: I stay home.",
        "Tell me a story about a list of tasks.",
    ],
)
def test_talk_and_questions_ask_for_none(text: str) -> None:
    assert not wants_action(text)


@given(st.text(max_size=300))
def test_any_text_can_be_looked_at_and_names_only_known_kinds(text: str) -> None:
    assert wants_action(text) <= {tool.name for tool in TOOLS}


@pytest.mark.parametrize(
    "text", ["move " * 1_600, "please " * 1_200, "a. " * 2_600, "remind" * 1_300, "add list " * 800]
)
def test_a_message_as_long_as_may_be_is_looked_at_in_one_go(text: str) -> None:
    assert isinstance(wants_action(text), frozenset)


def test_rules_give_the_calls_of_tools_that_are_offered() -> None:
    calls = calls_by_rule("Remind me to call John tomorrow at 5. Delete the task milk.", TOOLS)
    assert [call.name for call in calls] == ["create_task", "delete_task"]
    assert [call.name for call in calls_by_rule("Delete the task milk.", [CREATE])] == []


# --- what is asked --------------------------------------------------------------------------------------------


def test_the_question_is_the_end_of_the_talk_and_no_notes() -> None:
    request = extraction_request(REQUEST, [CREATE], 2_000)
    assert request is not None
    system, *talk = request.messages
    assert [message.content for message in talk] == ["three", "four", "Remind me of that"]
    assert "create_task(title, due_text?, notes?, priority?)" in system.content
    assert "a long note" not in system.content
    assert (request.tools, request.max_tokens, request.temperature) == ((), ANSWER_TOKENS_MAX, 0.0)
    assert (request.timezone, request.now_ms) == ("Europe/Berlin", 7)


@given(st.integers(0, 1_000))
def test_question_and_answer_fit_into_what_is_left(tokens_max: int) -> None:
    for request in (extraction_request(REQUEST, TOOLS, tokens_max), repair_request(REQUEST, CREATE, "no", tokens_max)):
        if request is not None:
            assert estimate_prompt_tokens(request) + request.max_tokens <= tokens_max
            assert request.messages[-1] == TALK[-1]
        else:
            assert tokens_max < 600


def test_a_question_for_arguments_says_what_was_wrong() -> None:
    request = repair_request(REQUEST, CREATE, "Object missing required field `title`", 2_000)
    assert request is not None
    assert "Object missing required field `title`" in request.messages[0].content
    assert "create_task(title," in request.messages[0].content
    assert repair_schema(CREATE)["properties"]["title"]["maxLength"] > 0


def test_a_property_that_means_two_things_is_plain_text() -> None:
    numbered = ToolSpec(
        name="count",
        description="Count.",
        parameters={"type": "object", "properties": {"priority": {"type": "integer", "description": "How many."}}},
    )
    schema = extraction_schema([CREATE, numbered])
    arguments = schema["properties"]["actions"]["items"]["properties"]["arguments"]["properties"]
    assert arguments["priority"] == {"type": "string", "description": "How many.", "maxLength": 500}
    assert arguments["title"]["type"] == "string"


# --- what its answers come to ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"actions": [CALL]}),
        json.dumps({"actions": [CALL]}, indent=2),
        json.dumps([CALL]),
        f"```json\n{json.dumps({'actions': [CALL]})}\n```",
        f"Here you are: {json.dumps({'actions': [CALL]})} Enjoy!",
        json.dumps({"actions": [CALL]})[:-2],
        json.dumps(json.dumps({"actions": [CALL]})),
        json.dumps({"actions": [{"name": "create_task", "parameters": CALL["arguments"]}]}),
        json.dumps({"actions": [{"name": "create_task", "arguments": json.dumps(CALL["arguments"])}]}),
        json.dumps(
            {"actions": [{**CALL, "arguments": {"title": "call John", "due_text": None, "key": "x", "notes": ""}}]}
        ),
        json.dumps({"actions": [CALL, {"name": "pay", "arguments": {}}, {"name": "create_task"}], "why": "so"}),
    ],
)
def test_calls_of_offered_tools_are_read_out_of_an_answer(text: str) -> None:
    [call] = extracted_calls(text, [CREATE])
    assert call.name == "create_task"
    assert json.loads(call.arguments) == {"title": "call John"}


@pytest.mark.parametrize("text", ["", "I will do that.", "7", '{"answer": []}', '{"actions": 7}', '{"actions": [{"na'])
def test_an_answer_of_another_shape_is_told_from_one_without_actions(text: str) -> None:
    with pytest.raises(Unreadable):
        extracted_calls(text, TOOLS)
    assert extracted_calls('{"actions": []}', TOOLS) == []


@given(st.text(alphabet='{}[]":,actionsme ', max_size=80))
def test_no_answer_breaks_the_reader(text: str) -> None:
    with suppress(Unreadable):
        assert isinstance(extracted_calls(text, TOOLS), list)
