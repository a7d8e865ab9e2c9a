"""The offline model in German: what the words say, and what they leave unsaid."""

from __future__ import annotations

import pytest

from commands.arguments import CreateTaskArguments
from workers.llm.offline.followups import wishes_in
from workers.llm.offline.intents import wishes_of
from workers.understanding.flight_words import CHOOSE, flight_arguments, spoken
from workers.understanding.grounding import is_spoken_of
from workers.understanding.intents import Intent, asked

OPEN = ("Steuerberater anrufen", "Rechnung bezahlen", "Milch")


def wished(*turns: str) -> list[tuple[str, dict[str, str]]]:
    return [(wish.tool, wish.arguments) for wish in wishes_in(turns, OPEN)]


@pytest.mark.parametrize(
    ("text", "title", "due"),
    [
        ("Ich muss bis Freitag die Miete überweisen", "Miete überweisen", "bis Freitag"),
        ("Erinnere mich jeden Montag um 8 ans Wochenmeeting", "Wochenmeeting", "jeden Montag um 8"),
        ("Erinnere mich am Ersten jedes Monats an die Miete", "Miete", "am Ersten jedes Monats"),
        ("Neue Aufgabe: Reifen wechseln am 1. Dezember", "Reifen wechseln", "am 1. Dezember"),
        ("Setz Brot auf die Einkaufsliste", "Brot", None),
        ("Vergiss nicht, den Müll rauszubringen", "Müll rausbringen", None),
        ("Leg eine Aufgabe an: Pass verlängern bis Ende des Monats", "Pass verlängern", "bis Ende des Monats"),
        ("Erinnere mich zweimal am Tag an die Tabletten", "Tabletten", "zweimal am Tag"),
        ("Erinnere mich morgen an Boden wischen", "Boden wischen", "morgen"),
        ("Erinnere mich daran, kleine Geschenke zu kaufen", "kleine Geschenke kaufen", None),
        ("Erinnere mich daran, einzukaufen", "einkaufen", None),
        ("Erinnere mich daran, gut zuzuhören", "gut zuhören", None),
        ("Erinnere mich daran, nicht zu rauchen", "nicht rauchen", None),
        ("Erinnere mich an die Miete am 3.", "Miete", "am 3."),
        ("Ich muss bis 22.12. die Miete überweisen", "Miete überweisen", "bis 22.12."),
        ("Erinnere mich um 15 Uhr an das Treffen mit Bob", "Treffen mit Bob", "um 15 Uhr"),
        ("Neue Aufgabe: Treffen mit Bob um 15 Uhr vorbereiten", "Treffen mit Bob vorbereiten", "um 15 Uhr"),
    ],
)
def test_what_is_to_be_done_is_a_task(text: str, title: str, due: str | None) -> None:
    expected = {"title": title} if due is None else {"title": title, "due_text": due}
    assert wished(text) == [("create_task", expected)]
    assert "create_task" in asked(text).kinds


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("Hake Milch ab", "complete_task", {"title": "Milch"}),
        ("Markiere Milch als erledigt", "complete_task", {"title": "Milch"}),
        ("Milch ist erledigt", "complete_task", {"title": "Milch"}),
        ("Die Rechnung ist bezahlt", "complete_task", {"title": "Rechnung bezahlen"}),
        ("Ich habe den Steuerberater angerufen", "complete_task", {"title": "Steuerberater anrufen"}),
        ("Öffne die Aufgabe Brot wieder", "reopen_task", {"title": "Brot"}),
        ("Lösche die Aufgabe Rechnung", "delete_task", {"title": "Rechnung"}),
        ("Loesche Milch", "delete_task", {"title": "Milch"}),
        ("Streich Milch von der Liste", "delete_task", {"title": "Milch"}),
        ("Verschieb Milch auf morgen", "update_task", {"title": "Milch", "due_text": "morgen"}),
        ("Verschiebe Milch um einen Tag", "update_task", {"title": "Milch", "due_text": "um einen Tag"}),
        ("Benenne Milch in Hafermilch um", "update_task", {"title": "Milch", "new_title": "Hafermilch"}),
        ("Verschieb den Zahnarzt auf 16 Uhr", "update_event", {"event": "Zahnarzt", "start_text": "16 Uhr"}),
        ("Verschieb Milch auf den 3.1.", "update_task", {"title": "Milch", "due_text": "3.1."}),
        (
            "Verschieb das Treffen mit Bob auf morgen um 10 Uhr",
            "update_event",
            {"event": "Treffen mit Bob", "start_text": "morgen um 10 Uhr"},
        ),
        ("Sag das Meeting mit Bob um 15 Uhr ab", "delete_event", {"event": "Meeting mit Bob um 15 Uhr"}),
        ("Vergiss Kunden Adresse", "forget_memory", {"key": "Kunden Adresse"}),
        ("Storniere Boden reinigen", "delete_event", {"event": "Boden reinigen"}),
        ("Sag das Mittagessen mit Julia ab", "delete_event", {"event": "Mittagessen mit Julia"}),
        ("Merk dir, dass mein Lieblingsflughafen MUC ist", "pin_memory", {"key": "Lieblingsflughafen", "value": "MUC"}),
        ("Meine Frau heißt Anna", "pin_memory", {"key": "Frau", "value": "Anna"}),
        ("Ich wohne in Hamburg", "pin_memory", {"key": "Wohnort", "value": "Hamburg"}),
        ("Vergiss meinen Lieblingsflughafen", "forget_memory", {"key": "Lieblingsflughafen"}),
        ("Vergiss, dass ich in Hamburg wohne", "forget_memory", {"key": "Wohnort"}),
        ("Stell meine Zeitzone auf Europe/Berlin", "set_preference", {"key": "timezone", "value": "Europe/Berlin"}),
        ("Ich arbeite von 9 bis 17 Uhr", "set_preference", {"key": "workHours", "value": "9 - 17"}),
        ("Lösch die Notiz über den Schlüssel", "delete_note", {"note": "Schlüssel"}),
        ("Notiere, dass Ann Tee mag", "add_note", {"text": "Ann Tee mag"}),
        ("den zweiten", "select_flight", {"which": "den zweiten"}),
    ],
)
def test_a_sentence_asks_for_its_tool(text: str, tool: str, arguments: dict[str, str]) -> None:
    ((called, said),) = wished(text)
    assert called == tool
    assert {name: said.get(name) for name in arguments} == arguments
    assert tool in asked(text).kinds


@pytest.mark.parametrize(
    ("text", "title", "start"),
    [
        ("Ich habe am Freitag um 15 Uhr einen Zahnarzttermin", "Zahnarzttermin", "am Freitag um 15 Uhr"),
        ("Trag morgen um 12 Mittagessen mit Julia in den Kalender ein", "Mittagessen mit Julia", "morgen um 12"),
        ("Neuer Termin: Elternabend am Donnerstag um 19 Uhr", "Elternabend", "am Donnerstag um 19 Uhr"),
        ("Treffen mit Jonas am Montag um 14 Uhr", "Treffen mit Jonas", "am Montag um 14 Uhr"),
        ("Ich bin vom 22. Dezember bis 2. Januar im Urlaub", "Urlaub", "22. Dezember"),
        ("Ich bin vom 22.12. bis 2.1. im Urlaub", "Urlaub", "22.12."),
        ("Ich bin ab 22.12. im Urlaub", "Urlaub", "ab 22.12."),
        ("Neuer Termin: Weihnachten am 24.12.", "Weihnachten", "am 24.12."),
        ("Morgen um 12 Uhr habe ich ein Treffen mit Anna", "Treffen mit Anna", "Morgen um 12 Uhr"),
    ],
)
def test_an_event_is_told_or_ordered(text: str, title: str, start: str) -> None:
    ((tool, said),) = wished(text)
    assert (tool, said["title"], said["start_text"]) == ("create_event", title, start)
    assert "create_event" in asked(text).kinds


@pytest.mark.parametrize(
    ("text", "tool", "more"),
    [
        ("mach 18 Uhr draus", "update_task", {"due_text": "18 Uhr"}),
        ("verschieb das auf Freitag", "update_task", {"due_text": "Freitag"}),
        ("nein, doch um 19:30", "update_task", {"due_text": "um 19:30"}),
        ("rückgängig", "delete_task", {}),
        ("mach das rückgängig", "delete_task", {}),
        ("lösch das wieder", "delete_task", {}),
        ("das ist erledigt", "complete_task", {}),
    ],
)
def test_it_is_what_was_asked_for_just_now(text: str, tool: str, more: dict[str, str]) -> None:
    assert wished("Erinnere mich morgen an Yoga", text) == [(tool, {"title": "Yoga", **more})]
    assert tool in asked(text).kinds


def test_what_was_remembered_unasked_is_forgotten_again() -> None:
    for text in ("Vergiss das", "Merk dir das nicht", "rückgängig"):
        assert wished("Ich wohne in Hamburg", text) == [("forget_memory", {"key": "Wohnort"})]
        assert "forget_memory" in asked(text).kinds


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        *(
            (text, "agenda")
            for text in ("Was steht noch offen?", "Welche Aufgaben habe ich?", "Was habe ich morgen vor?")
        ),
        *(
            (text, "agenda")
            for text in ("Wann ist mein Zahnarzttermin?", "Habe ich am Freitag Zeit?", "Zeig mir meine Termine")
        ),
        ("Plane meinen Tag", "plan"),
        ("Was habe ich heute geschafft?", "summary"),
        ("Flüge von Berlin nach Lissabon am Freitag", "flights"),
        ("Gibt es morgen Flüge nach Rom?", "flights"),
        ("Wie heißt meine Frau?", "chat"),
    ],
)
def test_the_words_say_what_it_is_about(text: str, intent: Intent) -> None:
    assert asked(text).intent == intent


@pytest.mark.parametrize(
    "text",
    [
        *("Was ist die Hauptstadt von Frankreich?", "Ich muss sagen, das war gut", "Gestern war ein Treffen um 3"),
        *("Vergiss es", "Ich bin müde", "Das Mittagessen war gut", "Ich muss morgen früh raus", "Ich wohne gern hier"),
    ],
)
def test_talk_asks_for_nothing(text: str) -> None:
    assert wishes_of(text, OPEN) == []


@pytest.mark.parametrize(
    "text",
    [
        "Erinnere mich nicht an die Rechnung",
        "Erinnere mich morgen bitte nicht mehr an Yoga",
        "Lösche die Aufgabe Rechnung nicht",
        "Verschiebe Milch nicht auf morgen",
        "Hake Milch noch nicht ab",
        "Setze Eier nicht auf die Einkaufsliste",
        "Trage das Treffen mit Bob morgen um 15 Uhr nicht in den Kalender ein",
        "Sag das Treffen mit Bob nicht ab",
        "Storniere den Flug nicht",
        "Merke dir nicht, dass ich Tee mag",
        "Merk dir das nicht",
        "Ich habe die Rechnung nicht bezahlt",
        "Ich habe keine Milch gekauft",
        "Ich habe die Milch noch nicht erledigt",
        "Ich muss morgen keine Eier kaufen",
        "Ich habe morgen um 15 Uhr kein Treffen mit Bob",
        "Ich bin nächste Woche nicht im Urlaub",
        "Das Treffen mit Bob morgen um 15 Uhr fällt aus",
    ],
)
def test_what_is_not_to_be_done_or_was_not_asks_for_nothing(text: str) -> None:
    assert wishes_of(text, OPEN) == []


@pytest.mark.parametrize(
    "text",
    [
        "Haben wir morgen um 15 Uhr ein Meeting mit Bob?",
        "hab ich morgen um 15 Uhr ein Meeting mit Bob",
        "Findet morgen um 15 Uhr das Treffen mit Bob statt?",
        "Wir haben morgen um 15 Uhr ein Meeting?",
        "Wenn ich morgen um 15 Uhr ein Treffen mit Bob habe",
        "Danke für das Treffen mit Bob um 15 Uhr",
        "habe ich die Rechnung bezahlt",
        "hab ich Milch schon erledigt",
        "Die Milch ist erledigt?",
        "Ich wohne in Hamburg?",
    ],
)
def test_what_is_asked_or_supposed_asks_for_nothing(text: str) -> None:
    assert wishes_of(text, OPEN) == []


def test_a_question_may_be_an_order_all_the_same() -> None:
    assert wished("Kannst du mich morgen an Eier erinnern?") == [
        ("create_task", {"title": "Eier", "due_text": "morgen"})
    ]


def test_what_is_written_with_a_zu_within_was_spoken_of() -> None:
    arguments = CreateTaskArguments(title="einkaufen")
    assert is_spoken_of(arguments, {}, "Erinnere mich daran, einzukaufen")
    assert not is_spoken_of(arguments, {}, "Erinnere mich daran, anzurufen")


def test_a_flight_is_searched_for_and_the_list_refined() -> None:
    text = "Flüge von Berlin nach Lissabon am Freitag"
    said = {"origin": "Berlin", "destination": "Lissabon", "departure_text": "am Freitag"}
    assert flight_arguments(text) == said
    talk = [("user", text), ("assistant", f"1. A\n{CHOOSE}")]
    assert flight_arguments(spoken([*talk, ("user", "nur direkt")])) == {**said, "stops_max": "0"}
    assert flight_arguments(spoken([*talk, ("user", "günstigere bitte")])) == {**said, "order": "cheapest"}
    assert flight_arguments(spoken([*talk, ("user", "und zurück am Sonntag")])) == {**said, "return_text": "am Sonntag"}
    assert flight_arguments("Flüge nach Rom ab 3.1. zurück am 2.2.") == {
        "destination": "Rom",
        "departure_text": "ab 3.1.",
        "return_text": "am 2.2.",
    }
