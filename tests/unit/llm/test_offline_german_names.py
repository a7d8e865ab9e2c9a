"""The offline model on German events as they are told, and on names that have a "no" in them."""

from __future__ import annotations

import pytest

from workers.llm.offline.intents import wishes_of

OPEN = ("kein Zucker kaufen", "Milch")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Ich habe morgen um 10 Uhr beim Zahnarzt einen Termin", "beim Zahnarzt einen Termin"),
        ("Ich habe mit Bob morgen um 10 Uhr ein Treffen", "mit Bob ein Treffen"),
        ("Wir haben leider morgen um 10 Uhr ein Meeting", "leider ein Meeting"),
        ("Morgen um 10 Uhr kurzes Telefonat mit Anna", "kurzes Telefonat mit Anna"),
        ("Morgen um 10 Uhr ist ein Treffen mit Bob", "Treffen mit Bob"),
        ("Nicht vergessen: morgen um 10 Uhr Meeting mit Bob", "Meeting mit Bob"),
        ("Wir haben morgen um 10 Uhr ein Meeting mit Bob, nicht vergessen!", "Meeting mit Bob, nicht vergessen"),
        ("Trage morgen um 10 Uhr ein Meeting mit Bob ein", "Meeting mit Bob"),
        ("Kannst du morgen um 10 Uhr ein Meeting mit Bob eintragen?", "Meeting mit Bob"),
        ("Neuer Termin: Kein-Meeting-Tag morgen um 10 Uhr", "Kein-Meeting-Tag"),
        ("Ein neuer Termin: Zahnarzt morgen um 10 Uhr?", "Zahnarzt"),
    ],
)
def test_an_event_is_told_in_many_ways(text: str, title: str) -> None:
    (wish,) = wishes_of(text, OPEN)
    assert (wish.tool, wish.arguments["title"]) == ("create_event", title)
    assert wish.arguments["start_text"].casefold() == "morgen um 10 uhr"


@pytest.mark.parametrize(
    ("text", "tool", "title"),
    [
        ("Lösche die Aufgabe kein Zucker kaufen", "delete_task", "kein Zucker kaufen"),
        ("Markiere kein Zucker kaufen als erledigt", "complete_task", "kein Zucker kaufen"),
        ("Neue Aufgabe: der Drucker geht nicht", "create_task", "Drucker geht nicht"),
        ("Ich muss morgen das Nicht-EU-Formular ausfüllen", "create_task", "Nicht-EU-Formular ausfüllen"),
        ("Ich muss morgen Milch kaufen, nicht vergessen!", "create_task", "Milch kaufen, nicht vergessen"),
    ],
)
def test_a_no_in_a_name_takes_no_order_back(text: str, tool: str, title: str) -> None:
    (wish,) = wishes_of(text, OPEN)
    assert (wish.tool, wish.arguments["title"]) == (tool, title)


@pytest.mark.parametrize("text", ["Lösche keinen Termin", "Hake keine Milch ab", "Trage morgen um 10 kein Treffen ein"])
def test_an_order_for_none_asks_for_nothing(text: str) -> None:
    assert wishes_of(text, OPEN) == []
