"""Personal data in texts replaced by placeholders such as `[EMAIL_1]`, and back. Pure.

Within one call the same value has the same placeholder, and none that a text already had is given out: what somebody
wrote that looks like one stays as it is, on the way there and back. Owns the form of placeholders; what is personal is
for personal_data.py.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workers.privacy.personal_data import KINDS, VALUE_CHARACTERS_MAX, Finding, Kind, find

KEPT_TEXTS_MAX = 8_192
KEPT_CHARACTERS_MIN = 32  # shorter ones are looked through in the time that a hash takes

_PHONE_CHARACTERS = "0123456789 ()+-./"
_PHONE_CHARACTERS_MAX = 40

# Models change the case, put blanks in, leave the underscore out, or escape it as Markdown wants it.
_BLANKS = r"[ \u00a0]{0,2}"
_JOINT = r"(?:\\{0,2}_|[ \u00a0-]){0,3}"
_NUMBER = "[1-9][0-9]{0,4}"
_KINDS = "|".join(KINDS)
_BEGINNINGS = "|".join(sorted({kind[:length] for kind in KINDS for length in range(1, len(kind))}))
_PLACEHOLDER = re.compile(rf"\[{_BLANKS}({_KINDS}){_JOINT}({_NUMBER}){_BLANKS}\]", re.IGNORECASE | re.ASCII)
_BEGUN = re.compile(
    rf"\[{_BLANKS}(?:(?:{_BEGINNINGS})?|(?:{_KINDS}){_JOINT}(?:\\{{1,2}}|(?:{_NUMBER}{_BLANKS})?))",
    re.IGNORECASE | re.ASCII,
)


# What `find` said of a text, by the text's SHA-256 and the regions: a pure function's answers. The oldest goes first.
_kept: dict[tuple[bytes, tuple[str, ...]], tuple[Finding, ...]] = {}


@dataclass(frozen=True, slots=True)
class Redaction:
    """`placeholders`: for each placeholder, as `[EMAIL_1]`, the value that it stands for."""

    texts: tuple[str, ...]
    placeholders: Mapping[str, str] = field(repr=False)


def redact(texts: Sequence[str], regions: Sequence[str] = ()) -> Redaction:
    """The same texts give the same placeholders, numbered as they come. `regions`: see `find`."""
    written = {_key(match) for text in texts for match in _PLACEHOLDER.finditer(text)}
    numbers = dict.fromkeys(KINDS, 0)
    given: dict[tuple[Kind, str], str] = {}

    def placeholder(kind: Kind, value: str) -> str:
        known = given.get((kind, value))
        while known is None:
            numbers[kind] += 1
            free = _form(kind, numbers[kind])
            if free not in written:
                known = given[kind, value] = free
        return known

    redacted = []
    for text in texts:
        parts, last = [], 0
        for finding in _found(text, tuple(regions)):
            value = text[finding.start : finding.end]
            if not _PLACEHOLDER.fullmatch(value):  # a password that is hidden already
                parts += [text[last : finding.start], placeholder(finding.kind, value)]
                last = finding.end
        redacted.append("".join([*parts, text[last:]]))
    return Redaction(tuple(redacted), {name: value for (_, value), name in given.items()})


def _found(text: str, regions: tuple[str, ...]) -> Sequence[Finding]:
    """As `find`. Prompts repeat the talk before them: where something was found in a text is kept, the text is not."""
    if len(text) < KEPT_CHARACTERS_MIN:
        return find(text, regions)
    key = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), regions)
    known = _kept.get(key)
    if known is None:
        if len(_kept) >= KEPT_TEXTS_MAX:
            del _kept[next(iter(_kept))]
        known = _kept[key] = tuple(find(text, regions))
    return known


def restore_in_json(text: str, placeholders: Mapping[str, str]) -> str:
    """As `restore`, where the placeholders stand in the strings of a JSON text: a password may have quotes in it."""
    return restore(text, {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in placeholders.items()})


def restore(text: str, placeholders: Mapping[str, str]) -> str:
    """With the values in their places. A placeholder that stands for nothing stays as it is.

    Holds for a JSON text too: no value has a character that is written otherwise in a JSON string.
    """
    if not placeholders or "[" not in text:
        return text
    return _PLACEHOLDER.sub(lambda match: placeholders.get(_key(match), match.group()), text)


def hide(text: str, placeholders: Mapping[str, str]) -> str:
    """The other way: for a text of ours that quotes what was restored, and goes to the model again."""
    for placeholder, value in sorted(placeholders.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, placeholder)
    return text


def begun_at(text: str) -> int:
    """Where a placeholder may have begun that goes on after the end of `text`; its length where none has."""
    start = text.rfind("[")
    return start if start >= 0 and _BEGUN.fullmatch(text, start) else len(text)


def cut(text: str, characters_max: int) -> str:
    """The first characters, at most so many. No value is cut in two: what is left of it would not be found."""
    if len(text) <= characters_max:
        return text
    for finding in find(text[: characters_max + VALUE_CHARACTERS_MAX]):
        if finding.start < characters_max < finding.end:
            return text[: finding.start]
    # What is a phone number depends on the user's country: any number at the end goes.
    kept, end = text[: max(0, characters_max - _PHONE_CHARACTERS_MAX)], text[:characters_max]
    return kept + end[len(kept) :].rstrip(_PHONE_CHARACTERS)


def _form(kind: str, number: int) -> str:
    return f"[{kind}_{number}]"


def _key(match: re.Match[str]) -> str:
    """The placeholder as it is given out, whatever was made of it."""
    return _form(match.group(1).upper(), int(match.group(2)))
