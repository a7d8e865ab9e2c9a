"""Which airports somebody means: a code, a city with all its airports, a country or state to tell two apart, or a
question back. Reads the table of `airportsdata`, once and only when it is first asked. Must not guess between two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Any

from domain.text import one_line
from domain.travel import Airport
from workers.tools import cities

PLACE_CHARACTERS_MAX = 100
CHOICES_MAX = 6
TYPO_CHARACTERS_MIN = 5  # in shorter names one letter makes another city
TYPO_LIKENESS = 0.82

_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_AROUND = re.compile(r"^(?:the|city of) |(?: international)? airports?$")
_WORDS = frozenset({"all", "and", "any", "can", "new", "see", "the"})  # codes too, but not in lower case


@dataclass(frozen=True, slots=True)
class Place:
    """One place, and every airport by which one gets there, the main one first."""

    label: str
    airports: tuple[Airport, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(airport.code for airport in self.airports)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several places of this name: the user is asked."""

    choices: tuple[Place, ...]

    @property
    def question(self) -> str:
        *others, last = (f"{place.label} ({', '.join(place.codes)})" for place in self.choices)
        return f"Which one do you mean: {', '.join(others)} or {last}?"


@dataclass(frozen=True, slots=True)
class Unknown:
    text: str

    @property
    def question(self) -> str:
        return f"I know no airport for “{self.text}”. Which city or airport code do you mean?"


Resolved = Place | Ambiguous | Unknown


@lru_cache(maxsize=1)
def airports() -> Airports:
    """The one table of this process; reading it takes about 0.1 s."""
    return Airports()


class Airports:
    """Airports by code, and places by what people call them."""

    def __init__(self) -> None:
        import airportsdata  # Here and not above: nobody pays for the table who asks for no flight.

        rows: dict[str, Any] = dict(airportsdata.load("IATA"))
        self._by_code = {code: _airport(row) for code, row in rows.items() if code not in cities.CLOSED}
        areas: dict[str, Any] = dict(airportsdata.load_iata_macs())
        self._areas = {code: (area["name"], tuple(area["airports"])) for code, area in areas.items()}
        self._served = {
            plain(name): Place(shown, tuple(self._by_code[code] for code in codes))
            for shown, others, codes in cities.served()
            for name in (shown, *others)
        }

    def get(self, code: str) -> Airport | None:
        return self._by_code.get(code)

    def resolve(self, text: str, *, country: str | None = None) -> Resolved:
        """What `text` names. `country` (ISO 3166) is the traveller's own: it decides between places of one name, and
        never against a well-known one."""
        shown = one_line(text)[:PLACE_CHARACTERS_MAX]
        name = _AROUND.sub("", plain(shown))
        if not name:
            return Unknown(shown)
        if _CODE.fullmatch(shown) and (by_code := self._code(shown)):
            return by_code
        if found := self._named(name, country) or self._qualified(name):
            return found
        if name in cities.COUNTRIES:
            # Norway is neither Norway House in Manitoba nor a slip of the finger.
            airport = self._of_airport_name(name)
            is_there = airport is not None and airport.airports[0].country == cities.COUNTRIES[name]
            return airport if airport is not None and is_there else Unknown(shown)
        if name not in _WORDS and (by_code := self._code(name.upper())):
            return by_code
        return self._of_airport_name(name) or self._misspelled(name, country) or Unknown(shown)

    @cached_property
    def _by_city(self) -> dict[str, list[Airport]]:
        found: dict[str, list[Airport]] = {}
        for airport in self._by_code.values():
            found.setdefault(plain(airport.city), []).append(airport)
        return found

    def _code(self, code: str) -> Place | None:
        if code in cities.METRO_CODES:
            return self._served[cities.METRO_CODES[code]]
        if airport := self._by_code.get(code):
            return Place(airport.name, (airport,))
        if code in self._areas:
            name, codes = self._areas[code]
            return self._served.get(plain(name)) or Place(name, tuple(self._by_code[code] for code in codes))
        return None

    def _named(self, name: str, country: str | None) -> Place | Ambiguous | None:
        if place := self._served.get(name):
            return place
        if codes := cities.SHARED_NAMES.get(name):
            shared = [self._by_code[code] for code in codes]
            return _decided([Place(_label(airport), (airport,)) for airport in shared], country)
        return _decided(_groups(self._by_city.get(name, ())), country)

    def _qualified(self, name: str) -> Place | Ambiguous | None:
        """A name with its state or country behind it: `portland, me`, `london ontario`, `paris in texas`."""
        words = name.replace(",", " ").split()
        for count in range(1, min(4, len(words))):  # a country alone is no city
            city, behind = " ".join(words[:-count]).removesuffix(" in"), " ".join(words[-count:])
            region = plain(cities.STATES.get(behind, behind))
            code = cities.COUNTRIES.get(behind)
            known = [*self._by_city.get(city, ()), *self._main(city)]
            within = {a.code: a for a in known if plain(a.region) == region or a.country == code}
            main = [airport for airport in self._main(city) if airport.code in within]
            if main and city in self._served:
                return self._served[city]
            if within:
                return _decided(_groups(main or within.values()), None)
        return None

    def _main(self, city: str) -> list[Airport]:
        place = self._served.get(city)
        shared = cities.SHARED_NAMES.get(city, ())
        return [*(place.airports if place else ()), *(self._by_code[code] for code in shared)]

    def _of_airport_name(self, name: str) -> Place | None:
        """The one airport that is called so, such as Heathrow; those with service to the world before airfields."""
        if len(name) < TYPO_CHARACTERS_MIN - 1:
            return None
        pattern = re.compile(rf"\b{re.escape(name)}\b")
        known = {code for place in self._served.values() for code in place.codes}
        matching = [a for a in self._by_code.values() if pattern.search(plain(a.name))]
        for group in ([a for a in matching if a.code in known], list(filter(_is_international, matching)), matching):
            if len(group) == 1:
                return Place(group[0].name, (group[0],))
        return None

    def _misspelled(self, name: str, country: str | None) -> Place | Ambiguous | None:
        if len(name) < TYPO_CHARACTERS_MIN:
            return None
        # The well-known alone: a slip of the finger in `Bostn` is not about the airfield that is spelled like it.
        names = [*self._served, *cities.SHARED_NAMES]
        alike = [known for known in names if known[0] == name[0] and abs(len(known) - len(name)) <= 2]
        close = get_close_matches(name, alike, n=1, cutoff=TYPO_LIKENESS)
        return self._named(close[0], country) if close else None


def plain(text: str) -> str:
    """Lower case, without accents, dots and apostrophes; blanks and hyphens are one blank."""
    bare = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return " ".join(re.sub(r"[-/_ ]+", " ", re.sub(r"[.'’`]", "", bare)).split())


def _airport(row: dict[str, Any]) -> Airport:
    return Airport(
        code=row["iata"],
        name=row["name"],
        city=row["city"],
        region=row["subd"],
        country=row["country"],
        timezone=row["tz"],
        latitude=row["lat"],
        longitude=row["lon"],
    )


def _label(airport: Airport) -> str:
    return f"{airport.city}, {airport.region or airport.country}"


def _is_international(airport: Airport) -> bool:
    return bool(re.search(r"\binternational\b|\bintl\b", airport.name.lower()))


def _groups(found: Iterable[Airport]) -> list[Place]:
    """One place for each state or country. Where some airports call themselves international, those alone count."""
    found = list(found)
    chosen = [airport for airport in found if _is_international(airport)] or found
    groups: dict[tuple[str, str], list[Airport]] = {}
    for airport in sorted(chosen, key=lambda airport: airport.code):
        groups.setdefault((airport.country, airport.region), []).append(airport)
    return [Place(_label(group[0]), tuple(group)) for group in groups.values()]


def _decided(places: list[Place], country: str | None) -> Place | Ambiguous | None:
    """The only place, or the only one in the traveller's own country; else all of them, own country first."""
    if len(places) <= 1:
        return places[0] if places else None
    at_home = [place for place in places if place.airports[0].country == country]
    if len(at_home) == 1:
        return at_home[0]
    abroad = [place for place in places if place not in at_home]
    if len({place.airports[0].country for place in places}) > 1:
        return Ambiguous(tuple(map(_with_country, [*at_home, *abroad][:CHOICES_MAX])))
    return Ambiguous(tuple([*at_home, *abroad][:CHOICES_MAX]))


def _with_country(place: Place) -> Place:
    airport = place.airports[0]
    return Place(f"{place.label}, {airport.country}", place.airports) if airport.region else place
