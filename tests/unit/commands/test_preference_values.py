"""Preferences that others rest on: what they may say, and how what they say is read."""

from __future__ import annotations

import pytest

from commands.preference_values import check_preference, summary_hour, value_of_text, wants_reminders
from domain import limits
from domain.errors import Invalid
from domain.values import Json


@pytest.mark.parametrize(
    ("value", "reminds", "hour"),
    [
        ({}, False, None),
        ({"reminders": "none"}, False, None),
        ({"reminders": "message"}, True, None),
        ({"dailySummary": None}, False, None),
        ({"dailySummary": "00:00"}, False, "00:00"),
        ({"reminders": "message", "dailySummary": "23:59"}, True, "23:59"),
    ],
)
def test_notifications_say_what_the_user_opted_in_to(value: Json, reminds: bool, hour: str | None) -> None:
    check_preference("notifications", value)
    assert (wants_reminders(value), summary_hour(value)) == (reminds, hour)


@pytest.mark.parametrize(
    "value",
    [
        *("all", [], None, 1, True),
        *({"reminders": given} for given in ("email", None, True, ["message"], {}, "Message")),
        *({"dailySummary": given} for given in ("8:00", "24:00", "08:60", "", 8, True, "08:00 ", "٠٨:٠٠", ["08:00"])),
        *({"email": False}, {"reminders": "none", "sms": None}),
    ],
)
def test_notifications_that_make_no_sense_are_refused_and_opt_in_to_nothing(value: Json) -> None:
    with pytest.raises(Invalid) as refusal:
        check_preference("notifications", value)
    assert refusal.value.code == "value_invalid"
    assert (wants_reminders(value), summary_hour(value)) == (False, None)


TRAVEL: dict[str, Json] = {
    "airlines": ["Delta", "Lufthansa"],
    "airlinesAvoided": ["x" * limits.TRAVEL_NAME_CHARACTERS_MAX],
    "airports": ["JFK", "EWR"],
    "homeAirport": "JFK",
    "country": "US",
    "stopsMax": 0,
    "cabin": "premium_economy",
}


@pytest.mark.parametrize("value", [{}, TRAVEL, *({key: given} for key, given in TRAVEL.items()), {"airports": []}])
def test_travel_wishes_are_taken(value: Json) -> None:
    check_preference("travel", value)


@pytest.mark.parametrize(
    "value",
    [
        *("x", [], None, 1),
        *({"airlines": given} for given in ("Delta", [""], [" "], [1], None, ["x" * 65], ["x"] * 51, {"Delta": 1})),
        *({"airports": given} for given in (["jfk"], ["JFKX"], ["J K"], [None], "JFK", ["JFK"] * 51)),
        *({"homeAirport": given} for given in ("New York", "jfk", "", None, ["JFK"])),
        *({"country": given} for given in ("USA", "us", None, 1)),
        *({"stopsMax": given} for given in (-1, 4, 1.0, True, "1", None)),
        *({"cabin": given} for given in ("eco", "Economy", None, ["economy"])),
        {"seat": "window"},
    ],
)
def test_travel_wishes_that_make_no_sense_are_refused(value: Json) -> None:
    with pytest.raises(Invalid) as refusal:
        check_preference("travel", value)
    assert refusal.value.code == "value_invalid"


@pytest.mark.parametrize(
    ("key", "text", "known", "value"),
    [
        ("timezone", "Europe/Berlin", None, "Europe/Berlin"),
        ("theme", '{"dark": true}', None, '{"dark": true}'),
        ("notifications", '{"dailySummary": "08:00"}', None, {"dailySummary": "08:00"}),
        (
            "notifications",
            '{"dailySummary": null}',
            {"reminders": "message", "dailySummary": "08:00"},
            {"reminders": "message", "dailySummary": None},
        ),
        ("travel", '{"stopsMax": 0}', "odd", {"stopsMax": 0}),
        ("notifications", "every morning at 8", {"reminders": "message"}, "every morning at 8"),
        ("notifications", "[" * 500, {}, "[" * 500),
        ("notifications", "5", {}, 5),
    ],
)
def test_what_a_model_writes_as_text_becomes_the_value_that_it_stands_for(
    key: str, text: str, known: Json, value: Json
) -> None:
    assert value_of_text(key, text, known) == value


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Tokyo", "Asia/Tokyo"),
        ("new york", "America/New_York"),
        ("London time", "Europe/London"),
        ("Singapore", "Asia/Singapore"),
        ("europe/paris", "Europe/Paris"),
        ("UTC", "UTC"),
        ("America/Argentina/San_Juan", "America/Argentina/San_Juan"),
    ],
)
def test_a_zone_may_be_named_by_its_city(text: str, zone: str) -> None:
    assert value_of_text("timezone", text, None) == zone
    check_preference("timezone", zone)


@pytest.mark.parametrize("text", ["Mars", "Nicosia", "San Juan", "Pacific", ""])
def test_of_several_zones_or_none_nobody_guesses(text: str) -> None:
    with pytest.raises(Invalid):
        check_preference("timezone", value_of_text("timezone", text, None))


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("09:00-17:00", "09:00-17:00"),
        ("9 to 5", "09:00-17:00"),
        ("from 9:30am to 6 pm.", "09:30-18:00"),
        ("8-16:30", "08:00-16:30"),
        ("12 to 8", "12:00-20:00"),
        ("7 to 7", "07:00-19:00"),
        ("9 bis 17 Uhr", "09:00-17:00"),
    ],
)
def test_hours_of_work_are_read_as_people_say_them(text: str, hours: str) -> None:
    assert value_of_text("workHours", text, None) == hours
    check_preference("workHours", hours)


@pytest.mark.parametrize("text", ["soon", "10pm to 6am", "17:00-09:00", "9 to 25", "9", "9 to 5 and a bit"])
def test_hours_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        check_preference("workHours", value_of_text("workHours", text, None))
