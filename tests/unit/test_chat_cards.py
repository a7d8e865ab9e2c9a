"""The cards of `microcos chat`: an action in one line, and nothing that a terminal would obey."""

from __future__ import annotations

import io

import pytest

from cli.chat import Answer, Event, _card


@pytest.mark.parametrize(
    ("status", "kind", "payload", "line"),
    [
        ("committed", "create_task", {"title": "call John", "notes": "x"}, "✓ create task: call John"),
        ("committed", "pin_memory", {"key": "airport", "value": "JFK"}, "✓ pin memory: JFK"),
        ("committed", "add_note", {"text": "a\nb " * 100}, "✓ add note: " + "a b " * 19 + "a …"),
        ("committed", "find_flights", {"offers": []}, "✓ find flights"),
        ("proposed", "select_flight", None, "? select flight"),
        ("refused", "delete_task", {"title": "x"}, "✗ delete task: x"),
        (
            "committed",
            "set_preference",
            {"key": "workHours", "value": {"start": "09:00", "days": ["MO", "TU"]}},
            "✓ set preference: start 09:00, days MO, TU",
        ),
        ("committed", "set_preference", {"key": "dailySummary", "value": False}, "✓ set preference: false"),
        ("committed", "set_preference", {"key": "limit", "value": 0}, "✓ set preference: 0"),
    ],
)
def test_a_card_says_what_became_of_what(status: str, kind: str, payload: dict[str, object] | None, line: str) -> None:
    assert _card({"status": status, "kind": kind, "payload": payload}) == line


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    out = io.StringIO()
    answer = Answer("r1", out)
    action = {"status": "committed", "kind": "create_task", "payload": {"title": "\x1b]0;owned\x07call\rJohn"}}
    answer.take(Event("action.created", None, {"messageId": "r1", "action": action}))
    for offset, character in enumerate("a\x1b[2J\x9b\r\u202eb\n"):
        answer.take(Event("llm.token", None, {"messageId": "r1", "token": character, "offset": offset}))
    assert out.getvalue() == "\n[✓ create task: ]0;ownedcall John]\na[2Jb\n"
