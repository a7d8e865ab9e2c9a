"""Where a text has phone numbers. Pure; `phonenumbers` judges what looks like one, and is imported for that only.

A number that says by its form or by the word before it what it is counts; bare digits may be anything. Dates, times and
amounts are put aside first. It must not find ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files

REGION_ELSE = "US"  # of which the numbers in an English text most likely are, when nothing is known of the user
Span = tuple[int, int]
_Part = tuple[int, int, int]  # start, end, how many digits

DIGITS_MIN = 7
DIGITS_ENOUGH = 9  # after which a part that begins with a 0 is the next number
DIGITS_MAX = 17  # a country's code and a number have at most 15, and some write a (0) between them
PARTS_MAX = 8  # blanks in a number, and one
WORDS_BEFORE_CHARACTERS = 40  # in which a word that says what a number is may stand

# The country that most speakers of a language write numbers as, where a language is all that is known.
_LANGUAGE_REGIONS = (
    {code: code.upper() for code in ("de", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "ro", "ru", "tr")}
    | {"cs": "CZ", "da": "DK", "el": "GR", "he": "IL", "hi": "IN", "ja": "JP", "ko": "KR"}
    | {"nb": "NO", "sv": "SE", "uk": "UA", "vi": "VN", "zh": "CN"}
)

_BLANK = r"[ \t\u00a0\u2007\u2009\u202f]"
_DASH = r"[-\u2010-\u2014]"
_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d{2}"
_CURRENCY = r"(?:[$€£¥₹]|(?:EUR|USD|GBP|CHF|JPY|dollars?|euros?|pounds?|bucks)\b)"
_NO_NUMBER = re.compile(
    "|".join(
        (
            rf"(?<![\d.-]){_YEAR}{_DASH}{_MONTH}{_DASH}{_DAY}(?!\d)(?:[T ]\d{{1,2}}(?=:))?",
            rf"(?<![\d./-]){_YEAR}(?P<sep>[./]){_MONTH}(?P=sep){_DAY}(?![./-]?\d)",
            rf"(?<![\d./-]){_DAY}(?P<sep2>[./-]){_MONTH}(?P=sep2)(?:{_YEAR}|\d{{2}})(?![./-]?\d)",
            rf"(?<![\d./-]){_MONTH}(?P<sep3>[./-]){_DAY}(?P=sep3)(?:{_YEAR}|\d{{2}})(?![./-]?\d)",
            rf"(?<![\d./-])(?<!\d ){_DAY} {_MONTH} {_YEAR}(?! ?\d)",
            rf"(?<![\w.-]){_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:T\d{{4,6}})?(?![\w-])",
            rf"(?<!\d){_YEAR}{_BLANK}?{_DASH}{_BLANK}?{_YEAR}(?!\d)(?!{_DASH}\d)",
            r"(?<!\d)\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?!\d)",
            rf"{_CURRENCY}{_BLANK}?\d[\d.,'’ \u00a0\u202f]{{0,20}}",
            rf"(?<![\d+])(?:\d{{1,3}}(?:[.,'’ \u00a0\u202f]\d{{3}}){{1,5}}|\d{{1,15}})(?:[.,]\d{{1,2}})?"
            rf"{_BLANK}?(?={_CURRENCY}|%)",
        )
    ),
    re.IGNORECASE,
)

_GAP = rf"(?:{_BLANK}|{_DASH}|[()./]){{0,3}}"
_RUN = re.compile(rf"\d(?:{_GAP}\d){{6,}}")  # begins with a digit, so that what has none is passed over fast
_LONE_DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d(?:[T ]\d\d?)?")
_AROUND_CHARACTERS = 16  # beside a run, in which a currency or a sign may stand
_NOT_BEFORE = re.compile(r"(?:[\w+]|[0-9A-Za-z][-_]|\d[.,/])\Z")
_SIGNS = ("(+", "+", "(")
_NOT_AFTER = re.compile(r"\w|[.,:]\d|-\w")
_PART = re.compile(rf"(?:(?!{_BLANK})\S)+")
_STARTS_ANEW = re.compile(r"\(?0\d\d")
_IN_FULL = re.compile(r"\(?(?:\+|00[1-9])")
_BETWEEN = rf"(?:{_BLANK}|{_DASH}|\.){{0,2}}"
_NORTH_AMERICAN = re.compile(rf"(?:1{_BETWEEN})?\(?\d{{3}}\)?{_BETWEEN}\d{{3}}{_BETWEEN}\d{{4}}")
_PUNCTUATED = re.compile(rf"(?:1{_BETWEEN})?(?:\(\d{{3}}\){_BETWEEN}|\d{{3}}[-.])\d{{3}}[-.]\d{{4}}")

_PHONE_WORD = (
    r"(?:phone|telephone|telefon\w*|t[eé]l\w{0,8}|mobile?|mobil\w*|handy\w*|cell|cellphone|call|ring|dial|fax|sms|whatsapp"
    r"|signal|hotline|anrufen|rufnummer|durchwahl|extension|reach)"
)
_FILLER = r"(?:me|him|her|us|them|back|number|nummer|no|nr|is|ist|are|at|on|under|unter|via|my|the|new|it's|to)"
_IS_NAMED = re.compile(rf"\b{_PHONE_WORD}\b(?:[\s.:#=*_-]+{_FILLER}\b){{0,3}}[\s.:#=*_-]*\Z", re.IGNORECASE)
_IS_NEAR = re.compile(rf"\b{_PHONE_WORD}\b(?:\W+[^\W\d]+){{0,3}}\W*\Z", re.IGNORECASE)
_IS_ID = re.compile(
    r"(?:\b(?:order|invoice|ref|reference|ticket|booking|confirmation|tracking|id|pnr|case|isbn|serial|account|customer"
    r"|bestellung|rechnung|version|code|timestamp|rechnungsnummer|bestellnummer|kundennummer|auftrag)\b"
    r"(?:[\s.:=_-]+(?:number|nummer|no|nr|code|id|is|ist)\b){0,2}|\#)[\s.:#=*_-]*\Z",
    re.IGNORECASE,
)


def phone_spans(text: str, regions: Sequence[str]) -> Iterator[Span]:
    """Of numbers as they are written in `regions` (ISO 3166, `DE`), and of international ones."""
    regions = tuple(regions) or (REGION_ELSE,)
    for run in _RUN.finditer(text):
        if _LONE_DATE.fullmatch(run.group()):
            continue
        offset = max(0, run.start() - _AROUND_CHARACTERS)
        near = text[offset : run.end() + _AROUND_CHARACTERS]
        left = _NO_NUMBER.sub(lambda match: "\0" * len(match.group()), near)
        for part in _RUN.finditer(left, run.start() - offset, run.end() - offset):
            before = text[max(0, offset + part.start() - WORDS_BEFORE_CHARACTERS) : offset + part.start()]
            for start, end in _spans_of_run(left, *part.span(), before, regions):
                yield offset + start, offset + end


def _spans_of_run(text: str, start: int, end: int, before: str, regions: tuple[str, ...]) -> Iterator[Span]:
    """Of what blanks divide, as many parts as make one number: "415-555-2671 2 times" has a 2 that is no part of it."""
    parts = [(*part.span(), _count(part.group())) for part in _PART.finditer(text, start, end)]
    if _NOT_AFTER.match(text, end):
        parts.pop()
    sign = next((sign for sign in _SIGNS if text.endswith(sign, 0, start)), "")
    first = 0
    if _NOT_BEFORE.search(text[max(0, start - 4) : start - len(sign)]):
        first = 1
    elif parts:
        parts[0] = (start - len(sign), *parts[0][1:])
        before = before[: len(before) - len(sign)]
    while first < len(parts):
        last = _last_part(text, parts, first, before if parts[first][0] <= start else "", regions)
        if last is not None:
            opening = text[parts[first][0]] == "(" and ")" not in text[parts[first][0] : parts[last][1]]
            yield parts[first][0] + opening, parts[last][1]
            first = last
        first += 1


def _last_part(text: str, parts: Sequence[_Part], first: int, before: str, regions: tuple[str, ...]) -> int | None:
    """The last part of the number that begins with `first`: what is surely one, else what the words before it call so.

    `before` is what stands before the number, if words do.
    """
    if before and _IS_ID.search(before) and "+" not in text[parts[first][0] : parts[first][0] + 2]:
        return None
    reach = _reach(text, parts, first)
    lengths = _lengths(regions) if text[parts[first][0]] in "123456789" else None
    for last, digits in reach:
        if (lengths is None or digits in lengths) and _is_phone(
            text[parts[first][0] : parts[last][1]], before, regions
        ):
            return last
    if before and _IS_NAMED.search(before):
        for last, _ in reach:
            if any(_is_possible(text[parts[first][0] : parts[last][1]], region) for region in regions):
                return last
    return None


def _reach(text: str, parts: Sequence[_Part], first: int) -> list[tuple[int, int]]:
    """The parts that the number that begins with `first` can end with, the last of them first, each with its digits."""
    digits, is_national = 0, "+" not in text[parts[first][0] : parts[first][0] + 2]
    ends: list[tuple[int, int]] = []
    for place in range(first, min(len(parts), first + PARTS_MAX)):
        start, end, count = parts[place]
        if is_national and digits >= DIGITS_ENOUGH and _STARTS_ANEW.match(text, start, end):
            break
        digits += count
        if digits > DIGITS_MAX:
            break
        if digits >= DIGITS_MIN:
            ends.append((place, digits))
    return ends[::-1]


def _count(written: str) -> int:
    return sum(character.isdigit() for character in written)


def _is_phone(written: str, before: str, regions: tuple[str, ...]) -> bool:
    digits = "".join(character for character in written if character.isdigit())
    if written.lstrip("(").startswith("+"):
        return _is_possible(written, regions[0], is_whole=True)
    if _PUNCTUATED.fullmatch(written):
        return True
    if written.isdigit() and not written.startswith("0") and not (len(digits) >= 10 and _IS_NEAR.search(before)):
        return False
    return any(_has_form(written, digits, region) and _is_valid(written, region) for region in regions)


def _has_form(written: str, digits: str, region: str) -> bool:
    """Whether a closer look is worth its time, as it seldom is."""
    known = _national_form(region)
    if known is None:
        return False
    country_code, form = known
    if _IN_FULL.match(written):
        return True
    return form.fullmatch(digits) is not None and (country_code != 1 or _NORTH_AMERICAN.fullmatch(written) is not None)


@lru_cache(1_024)
def _lengths(regions: tuple[str, ...]) -> frozenset[int]:
    """How many digits a number can have that begins with another one than 0, and with no sign."""
    import phonenumbers

    lengths = {10, 11}  # in North America, whose numbers are known anywhere
    for region in regions:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        if metadata is not None and metadata.general_desc is not None and metadata.national_prefix != "0":
            possible = metadata.general_desc.possible_length
            lengths.update(possible, (length + len(metadata.national_prefix or "") for length in possible))
    return frozenset(lengths)


@lru_cache(1_024)
def _national_form(region: str) -> tuple[int, re.Pattern[str]] | None:
    """The country's code, and its numbers as they are dialled inside: where that begins with a 0, only with it."""
    import phonenumbers

    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.general_desc is None or metadata.general_desc.national_number_pattern is None:
        return None
    prefix = re.escape(metadata.national_prefix or "")
    is_needed = "" if prefix == "0" else "?"
    pattern = rf"(?:{prefix}){is_needed}(?:{metadata.general_desc.national_number_pattern})"
    return metadata.country_code or 0, re.compile(pattern)


def _is_possible(written: str, region: str, *, is_whole: bool = False) -> bool:
    """Whether a number can be so long where it is from; without the area's code too, unless it is to be whole."""
    import phonenumbers

    try:
        reason = phonenumbers.is_possible_number_with_reason(phonenumbers.parse(written, region))
    except phonenumbers.NumberParseException:
        return False
    results = phonenumbers.ValidationResult
    return bool(reason == results.IS_POSSIBLE or (reason == results.IS_POSSIBLE_LOCAL_ONLY and not is_whole))


def _is_valid(written: str, region: str) -> bool:
    """Whether numbers like this one are given out."""
    import phonenumbers

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(written, region))
    except phonenumbers.NumberParseException:
        return False


def regions_of(timezone: str, language: str | None) -> tuple[str, ...]:
    """Where a user of this zone and language (`de-AT`) writes phone numbers: at most two countries, or none known."""
    primary, *subtags = (language or "").replace("_", "-").split("-")
    named = next((tag.upper() for tag in subtags if len(tag) == 2 and tag.isalpha()), None)
    by_zone = _zone_countries().get(timezone)
    if by_zone is None and named is None:
        named = _LANGUAGE_REGIONS.get(primary.lower())
    return tuple(dict.fromkeys(region for region in (by_zone, named) if region is not None))


@cache
def _zone_countries() -> dict[str, str]:
    """The country of each zone, from the time zone database itself."""
    table = (files("tzdata.zoneinfo") / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    return {row[2]: row[0] for row in rows}
