"""Which events are trips, and where they go: by their words, without any tool."""

from __future__ import annotations

from typing import Any

import pytest

from commands.calendar_entries import patched
from commands.places import AMBIGUOUS, PLACES
from commands.trips import trip_of


def trip(title: str, **fields: Any) -> tuple[str, str, str | None] | None:
    """Destination, departure, return."""
    entry = patched(None, {"title": title, "start": "2025-12-10T09:00", **fields}, "UTC")
    found = trip_of(entry)
    return None if found is None else (found.destination, found.departure_date, found.return_date)


@pytest.mark.parametrize(
    ("title", "destination"),
    [
        ("Paris trip", "Paris"),
        ("paris trip", None),  # no name: a word
        ("NYC trip", "New York"),
        ("Our San Francisco trip!", "San Francisco"),
        ("Trip to Paris", "Paris"),
        ("trip to paris", "Paris"),
        ("Business trip to Salt Lake City, with Jim", "Salt Lake City"),
        ("Flight to Boston", "Boston"),
        ("Flight LH 454 to San Francisco", "San Francisco"),
        ("Flight from Paris to Berlin", "Berlin"),
        ("Fly to London (BA117)", "London"),
        ("Traveling to Tokyo for the summit", "Tokyo"),
        ("Travel to Smallville", "Smallville"),
        ("Vacation in Nice", "Nice"),
        ("Train to Köln", "Cologne"),
        ("Reise nach München", "Munich"),
        ("Dienstreise nach Bielefeld", "Bielefeld"),
        ("Flug nach Wien", "Vienna"),
        ("Boston visit", "Boston"),
    ],
)
def test_a_trip_goes_where_its_words_say(title: str, destination: str | None) -> None:
    found = trip(title)
    assert (found[0] if found else None) == destination


@pytest.mark.parametrize(
    "title",
    [
        *("Dentist", "Field trip", "Business trip", "Road trip", "Nice trip", "Guilt trip", "Trip to the dentist"),
        *(
            "Trip to my office",
            "Plan Paris trip",
            "Book flight to Boston",
            "Cancelled: Paris trip",
            "Abgesagt: Paris trip",
        ),
        *("Paris", "Lunch at Café Paris", "Call with London", "Strip to be mended", "Trip to", "Flight", "🧳"),
    ],
)
def test_what_is_no_trip_is_none(title: str) -> None:
    assert trip(title) is None


def test_what_lasts_days_and_names_a_place_is_a_trip() -> None:
    days = {"start": "2025-12-10", "end": "2025-12-13"}
    assert trip("DevConf", location="Congress Centre, Berlin, Germany", **days) == (
        "Berlin",
        "2025-12-10",
        "2025-12-12",
    )
    assert trip("London offsite", **days) == ("London", "2025-12-10", "2025-12-12")
    assert trip("Summit", description="We travel to Rome on Friday.", **days) == ("Rome", "2025-12-10", "2025-12-12")
    assert trip("DevConf", location="Berlin", start="2025-12-10", end="2025-12-11") is None
    assert trip("DevConf", location="Berlin", timezone="Europe/Berlin", **days) is None
    assert trip("Budget weeks", **days) is None


@pytest.mark.parametrize(
    ("start", "end", "departure", "back"),
    [
        ("2025-05-10T08:00:00Z", "2025-05-15T22:00:00Z", "2025-05-10", "2025-05-15"),
        ("2025-05-10", "2025-05-16", "2025-05-10", "2025-05-15"),
        ("2025-05-10", "2025-05-11", "2025-05-10", None),
        ("2025-05-10T08:00", "2025-05-16T00:00", "2025-05-10", "2025-05-15"),
        ("2025-05-10T22:00", "2025-05-11T10:00", "2025-05-10", None),  # a night flight
    ],
)
def test_a_trip_leaves_and_returns_on_local_days(start: str, end: str, departure: str, back: str | None) -> None:
    assert trip("Trip to Rome", start=start, end=end) == ("Rome", departure, back)


def test_a_series_is_no_trip() -> None:
    assert trip("Flight to Boston", recurrence="FREQ=WEEKLY") is None


def test_a_long_title_is_looked_through_in_no_time() -> None:
    assert trip(("trip to " * 70)[:500]) is None
    assert trip("a-" * 249) is None


def test_places_are_written_once() -> None:
    assert PLACES["nyc"] == PLACES["new york"] == "New York"
    assert PLACES["köln"] == "Cologne"
    assert set(PLACES) >= {"nice", "paris", "san francisco", "são paulo"}
    assert AMBIGUOUS - {"dc", "la"} <= set(PLACES)
