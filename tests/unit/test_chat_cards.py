"""The cards of `microcos chat`: an action in one line."""

from __future__ import annotations

import pytest

from cli.chat import _card


@pytest.mark.parametrize(
    ("status", "kind", "payload", "line"),
    [
        ("committed", "create_task", {"title": "call John", "notes": "x"}, "✓ create task: call John"),
        ("committed", "pin_memory", {"key": "airport", "value": "JFK"}, "✓ pin memory: JFK"),
        ("committed", "add_note", {"text": "a\nb " * 100}, "✓ add note: " + "a b " * 19 + "a …"),
        ("committed", "find_flights", {"offers": []}, "✓ find flights"),
        ("proposed", "select_flight", None, "? select flight"),
        ("refused", "delete_task", {"title": "x"}, "✗ delete task: x"),
    ],
)
def test_a_card_says_what_became_of_what(status: str, kind: str, payload: dict[str, object] | None, line: str) -> None:
    assert _card({"status": status, "kind": kind, "payload": payload}) == line
