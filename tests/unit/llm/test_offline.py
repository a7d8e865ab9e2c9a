"""The offline model: what it understands, what it says, and that nothing makes it stumble."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ports import ModelFinished, ModelRequest, PromptMessage, TextDelta, ToolCall, ToolSpec
from domain.values import ModelUsage
from tests.support.models import CREATE_TASK, answer, asked, text_of
from workers.llm.offline.intents import wishes_of
from workers.llm.offline.model import LABEL, OfflineModel
from workers.llm.tokens import estimate_prompt_tokens, estimate_tokens

pytestmark = pytest.mark.anyio

MODEL = OfflineModel()


def tool(name: str, *properties: str) -> ToolSpec:
    schema = {name: {"type": "string", "description": name} for name in properties}
    return ToolSpec(name=name, description=name, parameters={"type": "object", "properties": schema})


TOOLS = (
    CREATE_TASK,
    tool("complete_task", "title"),
    tool("update_task", "title", "due_text", "new_title"),
    tool("delete_task", "title"),
    tool("pin_memory", "type", "key", "value"),
    tool("forget_memory", "key"),
    tool("set_preference", "key", "value"),
)
CONTEXT = """You are a chief of staff.

# Tasks
- call John (due tomorrow 17:00)
- buy milk
- pay rent
- book hotel

# Calendar
- 09:00 stand-up

# Memories
- favourite_airport: JFK
- wife's birthday: 3 May
"""


async def said(text: str, context: str = CONTEXT) -> str:
    messages = [PromptMessage(role="system", content=context), PromptMessage(role="user", content=text)]
    return text_of(await answer(MODEL, ModelRequest(messages=messages)))


async def called(text: str, *tools: ToolSpec) -> list[tuple[str, Any]]:
    events = await answer(MODEL, asked(text, *(tools or TOOLS)))
    return [(e.name, msgspec.json.decode(e.arguments)) for e in events if isinstance(e, ToolCall)]


@pytest.mark.parametrize(
    ("text", "title", "due"),
    [
        ("Remind me to call John tomorrow at 5", "call John", "tomorrow at 5"),
        ("remind me tomorrow at 5 to call John", "call John", "tomorrow at 5"),
        ("Remind me tomorrow to call John at 5.", "call John", "tomorrow at 5"),
        ("Tomorrow at 5pm, remind me to call John", "call John", "Tomorrow at 5pm"),
        ("please   remind me to\tcall John", "call John", None),
        ("Can you remind me to call Mr. Smith on Friday? Thanks!", "call Mr. Smith", "on Friday"),
        ("Remind me about the dentist next Tuesday at 9:30am", "the dentist", "next Tuesday at 9:30am"),
        ("Remind me in 10 minutes to check the oven", "check the oven", "in 10 minutes"),
        ("Remind me: pay taxes by April 15", "pay taxes", "by April 15"),
        ("Set a reminder for tomorrow at 8 to call mum", "call mum", "tomorrow at 8"),
        ("don’t forget to feed the cat tonight", "feed the cat", "tonight"),
        ("Remember to send the invoice on 12/24", "send the invoice", "on 12/24"),
        ("remind me to email a@b.com at noon, please", "email a@b.com", "at noon"),
        ("remind me to water the plants every Monday at 9", "water the plants", "every Monday at 9"),
        ("remind me on 2025-12-01 to renew the passport", "renew the passport", "on 2025-12-01"),
        ("remind me to read chapter 5", "read chapter 5", None),
        ("add a task to write the report by end of month", "write the report", "by end of month"),
        ("create a task: fix the “door”", "fix the “door”", None),
        ('new task "buy bread"', "buy bread", None),
        ("todo: pay rent on the 1st", "pay rent", "on the 1st"),
        ("Add milk to my shopping list", "milk", None),
        ("remind me to 打电话给妈妈 tomorrow", "打电话给妈妈", "tomorrow"),
    ],
)
async def test_a_reminder_becomes_a_task_with_the_time_as_it_was_said(text: str, title: str, due: str | None) -> None:
    expected = {"title": title} if due is None else {"title": title, "due_text": due}
    assert await called(text) == [("create_task", expected)]


@pytest.mark.parametrize(
    ("text", "kind", "key", "value"),
    [
        ("Remember that my favourite airport is JFK", "preference", "favourite airport", "JFK"),
        ("please remember my wife's birthday is 3 May.", "fact", "wife's birthday", "3 May"),
        ("Remember that I prefer aisle seats", "preference", "aisle seats", "I prefer aisle seats"),
        ("Remember I live in Paris", "fact", "live in", "Paris"),
        ("Keep in mind that Anna is vegetarian", "fact", "Anna", "vegetarian"),
        ("Remember: the door code: 1234", "fact", "door code", "1234"),
        ("remember that we never fly on a Monday", "fact", "we never fly on a Monday", "we never fly on a Monday"),
    ],
)
async def test_what_is_to_be_remembered_is_pinned(text: str, kind: str, key: str, value: str) -> None:
    assert await called(text) == [("pin_memory", {"type": kind, "key": key, "value": value})]


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("finish the report", "complete_task", {"title": "report"}),
        ("I'm done with the laundry", "complete_task", {"title": "laundry"}),
        ("I’ve finished chapter 3.", "complete_task", {"title": "chapter 3"}),
        ('Mark "buy milk" as done', "complete_task", {"title": "buy milk"}),
        ("complete task write report", "complete_task", {"title": "write report"}),
        ("delete the task buy milk", "delete_task", {"title": "buy milk"}),
        ("move the dentist to next Friday", "update_task", {"title": "dentist", "due_text": "next Friday"}),
        ("rename buy milk to buy oat milk", "update_task", {"title": "buy milk", "new_title": "buy oat milk"}),
        ("forget my favourite airport", "forget_memory", {"key": "favourite airport"}),
        *(
            (text, "set_preference", {"key": "notifications", "value": f'{{"dailySummary":{hour}}}'})
            for text, hour in (
                ("Send me a daily summary at 8am", '"08:00"'),
                ("Please send me my daily briefing at 6:30 pm.", '"18:30"'),
                ("Give me a daily summary every morning", '"08:00"'),
                ("Stop sending me the daily summary", "null"),
            )
        ),
        ("set my timezone to Europe/Paris", "set_preference", {"key": "timezone", "value": "Europe/Paris"}),
    ],
)
async def test_tasks_and_memories_are_changed_by_their_tools(text: str, name: str, arguments: Any) -> None:
    assert await called(text) == [(name, arguments)]


@pytest.mark.parametrize(
    "text",
    [
        "What's on my agenda today?",
        "Do you remember my birthday?",
        "Remind me what I said about Bob",
        "remind me",
        "Summarize my week",
        "hello",
        "I will never complete this",
        "What did I finish?",
        "She said: remind me to call John",
    ],
)
async def test_talk_is_not_taken_for_an_order(text: str) -> None:
    assert await called(text) == []


async def test_several_wishes_in_one_message_are_several_calls() -> None:
    text = "Remind me to call John tomorrow. Remember that my favourite airport is JFK.\ntodo: buy milk"
    assert [name for name, _ in await called(text)] == ["create_task", "pin_memory", "create_task"]
    assert len(await called("\n".join(f"todo: thing {n}" for n in range(50)))) == 10


async def test_only_offered_tools_are_called_and_only_with_arguments_that_they_have() -> None:
    bare = ToolSpec(name="create_task", description="x", parameters={"type": "object", "properties": {"title": {}}})
    assert await called("remind me to call John tomorrow", bare) == [("create_task", {"title": "call John"})]
    assert await called("remind me to call John tomorrow", tool("other", "x")) == []
    assert "may not" in await said("remind me to call John tomorrow")


async def test_calls_come_before_the_words_and_the_words_are_but_the_label() -> None:
    call, *words, last = await answer(MODEL, asked("Remind me to call John tomorrow at 5", *TOOLS))
    assert isinstance(call, ToolCall)
    assert text_of(words) == LABEL
    assert isinstance(last, ModelFinished)
    assert last.reason == "tool_calls"


async def test_only_the_last_message_of_the_user_is_an_order() -> None:
    texts = [("user", "remind me to call John"), ("assistant", "todo: a"), ("user", "thanks"), ("tool", "todo: b")]
    messages = [PromptMessage(role=role, content=text) for role, text in texts]  # type: ignore[arg-type]
    events = await answer(MODEL, ModelRequest(messages=messages, tools=TOOLS))
    assert not any(isinstance(event, ToolCall) for event in events)


async def test_every_answer_ends_with_the_label() -> None:
    for text in ("hello", "count to 3", "Remind me to call John", "thanks", "What's on my agenda?", "", "x" * 8_000):
        assert (await said(text)).endswith(LABEL)


async def test_agenda_plan_and_summary_are_made_of_the_prompt_and_of_nothing_else() -> None:
    agenda = await said("What's on my agenda today?")
    assert "- 09:00 stand-up" in agenda
    assert "- call John (due tomorrow 17:00)" in agenda
    plan = await said("Plan my day")
    assert plan.index("Priorities") < plan.index("- call John") < plan.index("To-dos") < plan.index("- book hotel")
    assert plan.index("- book hotel") < plan.index("Note: 1 event")
    assert "4 open tasks, 1 event, no earlier messages" in await said("Summarize my week")
    assert "nothing on your agenda" in await said("what's on my agenda?", context="You help.")
    assert "no open tasks" in await said("what are my tasks?", context="You help.")
    assert "no open tasks" in await said("what's my plan for today", context="# Tasks\n")


async def test_a_known_memory_is_an_answer_and_an_unknown_one_is_not_invented() -> None:
    assert "favourite airport: JFK" in await said("What is my favourite airport?")
    assert "You told me" not in await said("What is my favourite colour?")
    assert "wife's birthday" in await said("what do you know about me?")


async def test_long_answers_are_there_for_those_who_ask() -> None:
    numbers = await said("count to 500")
    assert numbers.startswith("1, 2, 3, 4, 5")
    assert ", 500" in numbers
    assert len((await said("tell me a long story")).split()) > 300
    assert len((await said("write 600 words")).split()) == 602
    assert await said("tell me a long story") == await said("tell me a long story")


async def test_an_answer_stops_at_the_limit_and_says_so() -> None:
    for limit in (1, 2, 3, 10, 100):
        *_, last = events = await answer(MODEL, asked("count to 500", max_tokens=limit))
        assert estimate_tokens(text_of(events)) <= limit
        assert isinstance(last, ModelFinished)
        assert last.reason == "length"


async def test_usage_is_estimated_and_counts_prompt_and_answer() -> None:
    request = asked("count to 20", *TOOLS)
    *words, last = await answer(MODEL, request)
    tokens = estimate_tokens(text_of(words))
    usage = ModelUsage(input_tokens=estimate_prompt_tokens(request), output_tokens=tokens, estimated=True)
    assert last == ModelFinished("stop", usage)


def test_tokens_are_estimated_by_characters() -> None:
    assert [estimate_tokens(text) for text in ("", "a", "abcd", "abcde", "é", "日本語", "ab日本")] == [
        0,
        1,
        1,
        2,
        1,
        3,
        3,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "please " * 1_140,
        "remind me " * 800,
        "remind me to " + "at 5 " * 1_590,
        "remind me to " + "a" * 7_500 + " " * 400 + "at",
        "add " + "a to my " * 990,
        "move " + "x to " * 1_600,
        "tomorrow " * 880 + "x",
        "remember that " + "a is" * 1_900,
        "rename " + "a to" * 1_990,
        "todo:" + " " * 7_900,
        "1st " * 2_000 + "x",
        " , . ! " * 1_100,
    ],
)
async def test_no_long_message_keeps_it_busy(text: str) -> None:
    events = await answer(MODEL, asked(text, *TOOLS))
    assert isinstance(events[-1], ModelFinished)


PHRASES = (
    *(
        "remind me",
        "to",
        "tomorrow",
        "at 5",
        ".",
        "\n",
        "remember that",
        "my",
        "is",
        "todo:",
        "'",
        "“",
        "mark",
        "as done",
    ),
    *("# Tasks", "- ", "move", "every", "\x00", "\u202e", "😀", "a" * 600),
)


@given(text=st.text(max_size=300) | st.lists(st.sampled_from(PHRASES), max_size=14).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_any_text_makes_wishes_that_fit_their_limits(text: str) -> None:
    for wish in wishes_of(text):
        assert all(value.strip() for value in wish.arguments.values())
        assert len(wish.arguments.get("title", "x")) <= 500
        assert len(wish.arguments.get("key", "x")) <= 128


@given(text=st.text(max_size=200), context=st.text(max_size=200))
@settings(max_examples=100, deadline=None)
async def test_any_text_gets_the_same_labelled_answer_twice(text: str, context: str) -> None:
    messages = [PromptMessage(role="system", content=context), PromptMessage(role="user", content=text)]
    request = ModelRequest(messages=messages, tools=TOOLS)
    events = await answer(MODEL, request)
    assert events == await answer(MODEL, request)
    assert text_of(events).endswith(LABEL)
    assert all(event.text for event in events if isinstance(event, TextDelta))
