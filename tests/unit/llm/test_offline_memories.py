"""The offline model on memories and preferences: what the words say, and what they leave unsaid."""

from __future__ import annotations

import pytest

from workers.llm.offline.intents import wishes_of
from workers.understanding.intents import asked


def wished(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(wish.tool, wish.arguments) for wish in wishes_of(text, ())]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Forget that my favourite airport is JFK", "favourite airport"),
        ("Forget that I prefer aisle seats", "aisle seats"),
        ("Forget that I live in Paris.", "live in"),
        ("forget about JFK", "JFK"),
        ("forget what I said about my boss", "boss"),
        ("Delete the memory about my boss", "boss"),
    ],
)
def test_what_is_forgotten_is_named_as_it_was_remembered(text: str, key: str) -> None:
    assert wished(text) == [("forget_memory", {"key": key})]


@pytest.mark.parametrize("text", ["forget it", "Forget about that.", "forget everything", "forget to call"])
def test_nobody_guesses_what_is_to_be_forgotten(text: str) -> None:
    assert wished(text) == []


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("Set my work hours to 09:00-17:00", "workHours", "09:00-17:00"),
        ("My working hours are 9 to 5.", "workHours", "9 to 5"),
        ("Set working hours from 10 to 18", "workHours", "from 10 to 18"),
        ("change my timezone to Tokyo", "timezone", "Tokyo"),
        ("My time zone is Europe/Berlin", "timezone", "Europe/Berlin"),
        ("Turn off notifications", "notifications", '{"reminders":"none","dailySummary":null}'),
        ("Turn on notifications", "notifications", '{"reminders":"message"}'),
        ("switch my reminders off", "notifications", '{"reminders":"none"}'),
        ("Turn on the daily summary", "notifications", '{"dailySummary":"08:00"}'),
        ("disable the daily briefing", "notifications", '{"dailySummary":null}'),
        ("Set my preferred airline to Delta", "travel", '{"airlines":["Delta"]}'),
        ("Set my home airport to jfk", "travel", '{"homeAirport":"JFK"}'),
        ("Change my currency to EUR", "currency", "EUR"),
    ],
)
def test_preferences_are_set_in_plain_words(text: str, key: str, value: str) -> None:
    assert wished(text) == [("set_preference", {"key": key, "value": value})]
    assert "set_preference" in asked(text).wanted


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("My preferred airline is United", "travel", '{"airlines":["United"]}'),
        ("I never fly with Ryanair", "travel", '{"airlinesAvoided":["Ryanair"]}'),
        ("I always fly business", "travel", '{"cabin":"business"}'),
        ("I'm in Tokyo now", "timezone", "Tokyo"),
        ("I work from 10am to 6pm", "workHours", "10am to 6pm"),
    ],
)
def test_preferences_may_be_told(text: str, key: str, value: str) -> None:
    ((tool, arguments),) = wished(text)
    assert (tool, arguments["key"], arguments["value"].removeprefix("from ")) == ("set_preference", key, value)
    assert "set_preference" in asked(text).kinds


@pytest.mark.parametrize(
    "text", ["I'm in trouble now", "I work from home", "Change my call to Friday", "I never fly on Mondays"]
)
def test_what_sets_no_preference_is_not_taken_for_one(text: str) -> None:
    assert "set_preference" not in [tool for tool, _ in wished(text)]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("my wife's name is Anna", "wife's name", "Anna"),
        ("I live in Brooklyn", "live in", "Brooklyn"),
        ("My anniversary is actually June 14", "anniversary", "June 14"),
        ("My favourite airport is LHR now, remember that", "favourite airport", "LHR"),
        ("Don't forget that I'm vegetarian", "vegetarian", "I'm vegetarian"),
        ("Remember I'm allergic to nuts", "allergic to nuts", "I'm allergic to nuts"),
    ],
)
def test_what_is_told_of_oneself_is_remembered(text: str, key: str, value: str) -> None:
    ((tool, arguments),) = wished(text)
    assert (tool, arguments["key"], arguments["value"]) == ("pin_memory", key, value)
    assert "pin_memory" in asked(text).kinds


@pytest.mark.parametrize(
    "text",
    ["I live in fear of Mondays", "I prefer not to", "My favourite thing is when it snows", "My day is terrible"],
)
def test_what_is_said_in_passing_is_not_remembered(text: str) -> None:
    assert wished(text) == []


def test_an_article_is_no_part_of_another_word() -> None:
    assert wished("Forget the army base") == [("forget_memory", {"key": "army base"})]
    assert wished("Delete the note about pizza recipe") == [("delete_note", {"note": "pizza recipe"})]


def test_what_does_not_work_is_remembered_all_the_same() -> None:
    assert [tool for tool, _ in wished("Merk dir: das Auto fährt nicht")] == ["pin_memory"]
