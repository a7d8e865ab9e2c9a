"""Which airports somebody means: by code, by city with all its airports, told apart by country, or asked back."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.tools import cities
from workers.tools.airports import CHOICES_MAX, Ambiguous, Place, Unknown, airports
from workers.tools.timetable import distance_km

NEW_YORK = ("JFK", "LGA", "EWR")


def codes(text: str, country: str | None = None) -> tuple[str, ...]:
    found = airports().resolve(text, country=country)
    assert isinstance(found, Place), found
    return found.codes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("JFK", ("JFK",)),
        ("sna", ("SNA",)),
        (" BOS ", ("BOS",)),
        ("JFK airport", ("JFK",)),
        ("NYC", NEW_YORK),
        ("LON", ("LHR", "LGW", "LCY", "STN", "LTN")),
        ("PAR", ("CDG", "ORY")),
        ("New York", NEW_YORK),
        ("new york city", NEW_YORK),
        ("New York, NY", NEW_YORK),
        ("Boston", ("BOS",)),
        ("Paris", ("CDG", "ORY")),
        ("London", ("LHR", "LGW", "LCY", "STN", "LTN")),
        ("London, UK", ("LHR", "LGW", "LCY", "STN", "LTN")),
        ("San Francisco", ("SFO",)),
        ("the Bay Area", ("SFO", "OAK", "SJC")),
        ("Washington DC", ("DCA", "IAD")),
        ("Tokyo", ("HND", "NRT")),
        ("Vancouver", ("YVR",)),
        ("Berlin", ("BER",)),
        ("St. Louis", ("STL",)),
        ("São Paulo", ("GRU", "CGH", "VCP")),
        ("sao paulo", ("GRU", "CGH", "VCP")),
        ("MÜNCHEN", ("MUC",)),
        ("Zürich", ("ZRH",)),
        ("Köln", ("CGN",)),
        ("Nantes", ("NTE",)),
        ("Heathrow", ("LHR",)),
        ("O'Hare", ("ORD",)),
        ("O’Hare International Airport", ("ORD",)),
        ("charles de gaulle", ("CDG",)),
        ("Guernsey", ("GCI",)),
    ],
)
def test_a_place_is_found_by_its_code_its_names_and_its_airports_names(text: str, expected: tuple[str, ...]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Bostn", ("BOS",)), ("Pariss", ("CDG", "ORY")), ("New Yrok", NEW_YORK), ("san fransisco", ("SFO",))],
)
def test_one_slip_of_the_finger_is_forgiven(text: str, expected: tuple[str, ...]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Portland, Maine", ("PWM",)),
        ("Portland, ME", ("PWM",)),
        ("portland oregon", ("PDX",)),
        ("Paris, Texas", ("PRX",)),
        ("paris in texas", ("PRX",)),
        ("london ontario", ("YXU",)),
        ("athens georgia", ("AHN",)),
        ("Naples, Florida", ("APF",)),
        ("Birmingham, England", ("BHX",)),
        ("San Jose, Costa Rica", ("SJO",)),
        ("Manchester, New Hampshire", ("MHT",)),
    ],
)
def test_a_state_or_a_country_behind_the_name_tells_two_apart(text: str, expected: tuple[str, ...]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("Birmingham", "US", ("BHM",)),
        ("Birmingham", "GB", ("BHX",)),
        ("San Jose", "CR", ("SJO",)),
        ("Paris", "US", ("CDG", "ORY")),
        ("London", "CA", ("LHR", "LGW", "LCY", "STN", "LTN")),
        ("Rome", "US", ("FCO", "CIA")),
    ],
)
def test_ones_own_country_decides_between_equals_and_never_against_the_well_known(
    text: str, country: str, expected: tuple[str, ...]
) -> None:
    assert codes(text, country) == expected


@pytest.mark.parametrize(
    ("text", "country", "first"),
    [("Portland", None, "PDX"), ("Portland", "US", "PDX"), ("Springfield", "US", "SGF"), ("San Jose", "DE", "SJC")],
)
def test_what_several_places_are_called_is_asked_back(text: str, country: str | None, first: str) -> None:
    found = airports().resolve(text, country=country)
    assert isinstance(found, Ambiguous)
    assert 2 <= len(found.choices) <= CHOICES_MAX
    assert found.choices[0].codes == (first,)
    assert len({place.label for place in found.choices}) == len(found.choices)
    assert all(f"{place.label} ({place.codes[0]})" in found.question for place in found.choices)
    assert found.question.endswith("?")


@pytest.mark.parametrize("text", ["", "  ", "xyzzy", "QQQ", "the", "the city", "airport", "\u202e", "12", "a" * 5_000])
def test_what_is_no_place_is_said_to_be_unknown(text: str) -> None:
    found = airports().resolve(text)
    assert isinstance(found, Unknown)
    assert len(found.question) < 200
    assert "\u202e" not in found.question


@pytest.mark.parametrize("code", sorted(cities.CLOSED))
def test_a_closed_airport_is_nowhere(code: str) -> None:
    assert airports().get(code) is None
    assert isinstance(airports().resolve(code), Unknown)


@given(st.text(max_size=60), st.sampled_from([None, "US", "DE", "XX"]))
def test_any_text_has_an_answer(text: str, country: str | None) -> None:
    found = airports().resolve(text, country=country)
    assert isinstance(found, Place | Ambiguous | Unknown)
    assert not isinstance(found, Place) or found.airports


@pytest.mark.parametrize(("shown", "others", "served"), cities.served(), ids=lambda value: str(value)[:20])
def test_the_airports_of_a_well_known_place_exist_and_lie_together(
    shown: str, others: tuple[str, ...], served: tuple[str, ...]
) -> None:
    found = [airports().get(code) for code in served]
    assert None not in found
    assert len(set(served)) == len(served)
    assert all(
        distance_km(one, other) < 130 for one in found for other in found if one is not None and other is not None
    )
    for name in (shown, *others):
        assert codes(name) == served


def test_no_name_stands_for_two_well_known_places() -> None:
    names = [name for shown, others, _ in cities.served() for name in (shown.lower(), *others)]
    assert len(set(names)) == len(names)
    assert not set(names) & set(cities.SHARED_NAMES)
    assert all(airports().get(code) for shared in cities.SHARED_NAMES.values() for code in shared)


def test_every_airport_has_a_zone_that_exists_and_lies_on_earth() -> None:
    everywhere = airports()._by_code.values()
    assert len(everywhere) > 7_000
    for zone in {airport.timezone for airport in everywhere}:
        ZoneInfo(zone)
    for airport in everywhere:
        assert len(airport.code) == 3
        assert math.fabs(airport.latitude) <= 90
        assert math.fabs(airport.longitude) <= 180


@pytest.mark.parametrize("text", ["Germany", "Japan", "italy"])
def test_a_country_alone_is_no_place(text: str) -> None:
    assert isinstance(airports().resolve(text), Unknown)


def test_an_island_is_not_taken_for_a_town_of_its_name() -> None:
    assert codes("Malta", "US") == ("MLA",)


def test_a_country_is_no_airport_elsewhere_and_no_slip_of_the_finger() -> None:
    assert [type(airports().resolve(text)) for text in ("Norway", "Poland")] == [Unknown, Unknown]
    assert codes("Taiwan", "US") == ("TPE",)
