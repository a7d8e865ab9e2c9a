"""German as it is typed: patterns in which an umlaut or an ß may also be written without one, and words of time."""

from __future__ import annotations

import re

_SPELLINGS = str.maketrans({"ä": "(?:ä|ae)", "ö": "(?:ö|oe)", "ü": "(?:ü|ue)", "ß": "(?:ß|ss)"})


def german(pattern: str) -> str:
    """`pattern` with "ü" standing for "ue" too, and so on; not to be used within square brackets."""
    return pattern.translate(_SPELLINGS)


# "Anzurufen" is "anrufen", "einzukaufen" is "einkaufen".
TO_WITHIN = re.compile(
    german(
        r"\b(\w{0,8}(?:ab|an|auf|aus|bei|durch|ein|fertig|her|hin|los|mit|nach|um|unter|vor|weg|weiter|zu|zurück|zusammen))"
        r"zu(?=\w+n$)"
    ),
    re.IGNORECASE,
)

_DAY = r"(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag)"
_PART = german(r"(?:früh|morgen|vormittag|mittag|nachmittag|abend|nacht)s?\b")
_MONTH = german(
    r"(?:januar|jänner|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember"
    r"|jan|feb|mrz|apr|jun|jul|aug|sept?|okt|nov|dez)\b\.?"
)
_ORDINAL_WORD = german(r"(?:erste|zweite|dritte|vierte|fünfte|sechste|siebte|achte|neunte|zehnte|letzte)[nrsm]?")
_NUMBER = german(
    r"(?:eine?[nrm]?|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|fünfzehn|zwanzig|dreißig"
    r"|ein paar|\d{1,3})"
)
_UNIT = r"(?:minute|stunde|tag|woche|monat|quartal|jahr)(?:en|e|n|s)?\b"
_HOUR = german(r"(?:\d{1,2}(?:[:.]\d\d)?|eins|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf)")
_OCLOCK = r" ?uhr\b(?: [0-5]\d\b)?"
_ROUND = rf"(?:halb|viertel (?:vor|nach)|{_NUMBER} (?:minuten )?(?:vor|nach)) {_HOUR}\b(?:{_OCLOCK})?"
_DATE = (
    rf"\d{{1,2}}\. ?(?:{_MONTH}(?: \d{{4}})?|(?:1[0-2]|0?[1-9])\.(?:\d{{4}}|\d{{2}})?)"  # before any hour: "bis 22.12."
)
_EVERY = german(r"(?:jede[nrsm]?|alle)")
_NEXT = german(r"(?:nächste|kommende|diese|übernächste)[nrsm]?")

# More often than once a day, or so many times: no rule of ours says when that is.
GERMAN_TIMES = (
    rf"(?:{_NUMBER} ?mal|mehrmals) (?:am|pro|in der|im) (?:tag|woche|monat|stunde)\b"
    rf"|(?:jede|alle {_NUMBER}|alle) (?:halbe )?(?:stunden?|minuten?)\b" + german(r"|stündlich\b")
)
# Phrases of time, found and cut out, never resolved: what they mean is for commands/phrases.
GERMAN_TIME = "|".join(
    (
        GERMAN_TIMES,
        rf"(?:an |am )?{_EVERY} (?:(?:{_ORDINAL_WORD}|{_NUMBER}|\d{{1,2}}\.) )?"
        rf"(?:{_DAY}(?:(?:,| und)? (?:jeden )?{_DAY})*+|werktage?|wochenenden?|{_UNIT}|{_PART}|{_MONTH}"
        rf"|\d{{1,2}}\.(?: (?:des monats|im monat))?)(?: {_PART})?(?: (?:des monats|im monat)\b)?",
        rf"(?:am|zum) (?:{_ORDINAL_WORD}|\d{{1,2}}\.) (?:jedes|jeden|eines jeden|des|im) monats?\b",
        german(r"(?:täglich|wöchentlich|monatlich|jährlich|werktags)\b"),
        rf"{_DAY}s\b(?: und {_DAY}s\b)*+",
        german(rf"(?:bis |ab |von )?(?:heute|morgen|übermorgen)\b(?: {_PART})?"),
        rf"(?:(?:bis|ab|am|an|zum|den|{_NEXT}|von) )*{_DAY}(?:{_PART})?\b(?: {_PART})?",
        rf"(?:bis |in der |am |im )?{_NEXT} (?:woche|monat|jahr|wochenende|quartal)\b|(?:am |bis )?wochenende\b",
        rf"(?:bis |zum |am )*(?:ende|anfang|mitte) (?:der|des|dieser|dieses|{_NEXT}) (?:woche|monats?|jahre?s?)\b"
        r"|(?:am |bis |zum )*(?:monats|jahres)ende\b",
        rf"in (?:einer halben stunde|{_NUMBER} {_UNIT})",
        rf"(?:(?:am|bis|zum|ab|den|vom) )*{_DATE}",
        rf"(?:um|gegen|ab|bis) (?:{_ROUND}|{_HOUR}\b(?:{_OCLOCK})?)(?: {_PART})?",
        rf"{_ROUND}|\d{{1,2}}(?:[:.]\d\d)?{_OCLOCK}(?: {_PART})?",
        r"(?:am|bis zum|zum) \d{1,2}\.(?=\s|$)",
        german(r"(?:am (?:abend|morgen|vormittag|nachmittag|mittag)|mittags|abends|morgens|um mitternacht)\b"),
    )
)
GERMAN_MOVED_BY = rf"um {_NUMBER} {_UNIT}(?: (?:nach hinten|nach vorne?|" + german(r"später|früher") + r"))?"
