"""The offline model on what busy people say: lists, things that are done, times off, and what nobody can do."""

from __future__ import annotations

import pytest

from domain.events import TaskCreated
from domain.ports import ModelRequest, PromptMessage
from tests.support.models import answer, text_of
from tests.support.worker_world import ScriptedModel, answered, open_world, tool_call
from workers.llm.offline.intents import wishes_of
from workers.llm.offline.model import OfflineModel
from workers.tool_specs import TOOLS
from workers.understanding.intents import asked

pytestmark = pytest.mark.anyio

OPEN = ("buy stamps", "call the plumber", "send the invoice to Acme", "bread")
NOW = "# Now\nWednesday 2025-11-19 10:00 (UTC)"


def wished(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(wish.tool, wish.arguments) for wish in wishes_of(text, OPEN)]


async def said(text: str, system: str = NOW) -> str:
    messages = [PromptMessage(role="system", content=system), PromptMessage(role="user", content=text)]
    return text_of(await answer(OfflineModel(), ModelRequest(messages=messages, tools=TOOLS)))


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("Move the invoice reminder to 3pm", "update_task", {"title": "invoice", "due_text": "3pm"}),
        ("Mark the plumber call as done", "complete_task", {"title": "plumber call"}),
        ("Delete the bread one", "delete_task", {"title": "bread"}),
        ("Stop reminding me to call the plumber", "delete_task", {"title": "call the plumber"}),
        ("Stop the invoice reminder", "delete_task", {"title": "invoice"}),
        ("I bought the stamps", "complete_task", {"title": "buy stamps"}),
        ("I just called the plumber.", "complete_task", {"title": "call the plumber"}),
        ("I bought the bread", "complete_task", {"title": "bread"}),
        ("Wake me up at 6:30", "create_task", {"title": "wake up", "due_text": "at 6:30 am"}),
        ("Set a timer for 10 minutes", "create_task", {"title": "timer", "due_text": "in 10 minutes"}),
        (
            "Block Thursday 2-4pm for deep work",
            "create_event",
            {"title": "deep work", "start_text": "Thursday at 2 pm"},
        ),
        (
            "I'm on vacation from December 22 to January 2",
            "create_event",
            {"title": "vacation", "start_text": "December 22", "end_text": "until January 2"},
        ),
        ("Call me Sam", "pin_memory", {"type": "fact", "key": "name", "value": "Sam"}),
        (
            "Remind me to pay the nanny every Friday until Christmas",
            "create_task",
            {"title": "pay the nanny", "due_text": "every Friday until Christmas"},
        ),
    ],
)
def test_a_sentence_asks_for_its_tool(text: str, tool: str, arguments: dict[str, str]) -> None:
    ((called, given),) = wished(text)
    assert called == tool
    assert {name: given.get(name) for name in arguments} == arguments
    assert tool in asked(text).kinds


@pytest.mark.parametrize(
    "text",
    [
        "I bought a car",
        "I called Ann",
        "I read a book",
        "Call me back",
        "I'm on it",
        "Push everything to tomorrow",
        "Remind me 30 minutes before lunch",
        "remind me to eat the day before at 4",
        "I bought no bread",
        "I bought the bread?",
        "Finished bread?",
        "I must not call Bob tomorrow",
        "There's no meeting tomorrow at 3",
        "Meeting with Bob tomorrow at 3 cancelled",
        "Meeting with Bob moved to Friday at 3",
        "I'm on vacation tomorrow?",
    ],
)
def test_what_is_only_told_changes_nothing(text: str) -> None:
    assert wished(text) == []


def test_what_was_not_done_completes_nothing() -> None:
    assert wishes_of("I did not pay the rent", ("pay the rent",)) == []
    assert wishes_of("I paid the rent", ("pay the rent",)) != []


def test_a_list_is_done_whole_or_not_at_all() -> None:
    titles = [given["title"] for _, given in wished("- buy milk\n- pick up the laundry tomorrow at 5\n- pay rent")]
    assert titles == ["buy milk", "pick up the laundry", "pay rent"]
    assert wished("- buy milk\n- pay rent") == []
    dues = [given["due_text"] for _, given in wished("tomorrow: gym at 7am, call John at 4")]
    assert dues == ["tomorrow at 7am", "tomorrow at 4"]
    assert wished("tomorrow: gym at 7am, maybe more") == []


def test_what_is_bought_is_as_many_tasks() -> None:
    assert [given["title"] for _, given in wished("Add eggs, milk and butter to my shopping list")] == [
        *("eggs", "milk", "butter")
    ]
    assert [given["title"] for _, given in wished("Add Ann and Bob to my to-do list")] == ["Ann and Bob"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Send an email to Bob saying hi", "cannot send"),
        ("Text Anna that I am late", "cannot send"),
        ("Order a taxi for 8pm", "order and reserve nothing"),
        ("Book a table for two", "order and reserve nothing"),
        ("Call mom", "Is that to be a task?"),
        ("undo that", "cannot take that back"),
        ("What time is it?", "It is Wednesday 2025-11-19 10:00 (UTC)."),
        ("What day is it today?", "It is Wednesday 2025-11-19 10:00 (UTC)."),
        ("What is my favourite restaurant?", "you have not told me"),
    ],
)
async def test_what_cannot_be_done_or_known_is_said_in_a_sentence(text: str, part: str) -> None:
    assert wished(text) == []
    assert part in await said(text)


async def test_only_what_is_overdue_is_called_so_and_what_is_not_there_is_not_found() -> None:
    agenda = f"{NOW}\n\n# Agenda of 2025-11-19\n- Due that day at 17:00: slides"
    assert "Nothing is overdue." in await said("What's overdue?", agenda)
    late = await said("What's overdue?", f"{agenda}\n- Overdue: rent (was due 2025-11-01)")
    assert "rent" in late
    assert "slides" not in late
    assert "Due that day at 17:00: slides" in await said("What time is the slides meeting?", agenda)
    assert "nothing called “dentist”" in await said("When is my dentist appointment?", agenda)
    due = agenda.replace("slides", "finish the slides")
    assert "17:00: finish the slides" in await said("When do I have to finish the slides?", due)


# --- hours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_scripted", [False, True])
async def test_two_hours_of_a_day_are_two_reminders_whichever_model_it_is(is_scripted: bool) -> None:
    async with open_world() as world:
        call = tool_call("create_task", '{"title": "take my pills", "due_text": "every day at 8am and 8pm"}')
        model = ScriptedModel([call]) if is_scripted else OfflineModel()
        text = await answered(world, "Remind me every day at 8am and 8pm to take my pills", model=model)
        created = [event.content for event in await world.events(TaskCreated)]
        assert [task.due for task in created] == ["2025-11-20T08:00", "2025-11-19T20:00"]
        assert {task.recurrence for task in created} == {"FREQ=DAILY"}
        assert text.count("Done: take my pills") == 2


@pytest.mark.parametrize("phrase", ["every hour", "twice a day", "every 15 minutes", "twice a week"])
async def test_what_no_rule_can_say_is_refused_with_what_can_be_done(phrase: str) -> None:
    async with open_world() as world:
        text = await answered(world, f"Remind me {phrase} to stretch")
        assert f"“{phrase}” was not set up" in text
        assert "Name the" in text
        assert not await world.events(TaskCreated)


@pytest.mark.parametrize(
    ("phrase", "rule"),
    [
        ("every weekday at 9", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("every other Friday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"),
        ("on Tuesdays and Fridays at 7am", "FREQ=WEEKLY;BYDAY=TU,FR"),
        ("on the first of each month", "FREQ=MONTHLY;BYMONTHDAY=1"),
    ],
)
async def test_what_a_rule_can_say_repeats(phrase: str, rule: str) -> None:
    async with open_world() as world:
        await answered(world, f"Remind me {phrase} to stretch")
        (created,) = await world.events(TaskCreated)
        assert (created.content.title, created.content.recurrence) == ("stretch", rule)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("I have a call with Dr. No tomorrow at 3", "call with Dr. No"),
        ("We have a not-for-profit meeting on Friday at 10", "not-for-profit meeting"),
        ("There's a meeting in room No. 5 tomorrow at noon", "meeting in room No. 5"),
        ("Meeting about the cancelled order tomorrow at 3pm", "Meeting about the cancelled order"),
        ("Lunch with Bob on Friday at noon, not at the office", "Lunch with Bob not at the office"),
    ],
)
def test_a_no_in_the_name_of_an_event_takes_nothing_back(text: str, title: str) -> None:
    (wish,) = wishes_of(text)
    assert (wish.tool, wish.arguments["title"]) == ("create_event", title)


def test_a_no_in_the_name_of_a_task_says_nothing_of_what_was_done() -> None:
    (wish,) = wishes_of("I wrote the no-show report", ("write the no-show report",))
    assert (wish.tool, wish.arguments) == ("complete_task", {"title": "write the no-show report"})
    assert wishes_of("I never wrote the no-show report", ("write the no-show report",)) == []


def test_what_must_not_be_forgotten_is_to_be_done() -> None:
    (wish,) = wishes_of("I must not forget to call Bob tomorrow")
    assert (wish.tool, wish.arguments) == ("create_task", {"title": "call Bob", "due_text": "tomorrow"})


def test_an_order_to_tick_off_may_end_in_a_question_mark() -> None:
    assert [wish.tool for wish in wishes_of("Please complete the report, ok?")] == ["complete_task"]
