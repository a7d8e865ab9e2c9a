"""What is told to be done, without the word "done": "I bought the stamps", "die Rechnung ist bezahlt". Pure.

It completes the open task that is made of the same words, where there is just one; else it is talk.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from domain.text_search import telling_words
from workers.llm.offline.words import Said
from workers.understanding.german_words import german
from workers.understanding.time_words import pattern


def _verbs(rows: str) -> dict[str, str]:
    """What is told, and what was to be done: `bought buy, …`."""
    return dict(row.split() for row in rows.split(", "))


_ENGLISH = _verbs(
    "bought buy, called call, phoned phone, paid pay, sent send, emailed email, mailed mail,"
    " finished finish, wrote write, written write, booked book, ordered order, picked pick, cleaned clean,"
    " fixed fix, washed wash, renewed renew, returned return, submitted submit, signed sign, read read,"
    " watered water, fed feed, took take, packed pack, made make, cancelled cancel, canceled cancel,"
    " scheduled schedule, filed file, texted text, got get, did do"
)
_GERMAN = _verbs(
    "bezahlt bezahlen, gekauft kaufen, angerufen anrufen, geschickt schicken, abgeschickt abschicken,"
    " gesendet senden, geschrieben schreiben, gebucht buchen, bestellt bestellen, abgeholt abholen,"
    " geputzt putzen, gewaschen waschen, repariert reparieren, erneuert erneuern, eingereicht einreichen,"
    " gelesen lesen, unterschrieben unterschreiben, gegossen gießen, gepackt packen, storniert stornieren,"
    " vereinbart vereinbaren, gewechselt wechseln"
)
_TELLS = (
    (
        pattern(r"i(?:'ve| have)?(?: just| already)? (?P<verb>\w+)(?: (?:up|off|out|in))? (?P<what>\S.{0,120}?)[.!]?"),
        _ENGLISH,
    ),
    (pattern(r"(?P<what>\S.{0,120}?) (?:is|are|has been|have been) (?P<verb>\w+)[.!]?"), _ENGLISH),
    (pattern(german(r"(?:ich )?habe? (?P<what>\S.{0,120}?) (?P<verb>\w+)[.!]?")), _GERMAN),
    (pattern(r"(?P<what>\S.{0,120}?) (?:ist|sind|wurden?) (?:schon |jetzt )?(?P<verb>\w+)[.!]?"), _GERMAN),
)


# What was not done, or not wholly: "I did not pay the rent", "ich habe keine Milch gekauft".
_NOT_DONE = re.compile(r"\b(?:not|no|never|nothing|none|nicht|nichts|nie|niemals|kein\w*)\b", re.IGNORECASE)
_ASKS = re.compile(r"habe? ich\b|.*\?$", re.IGNORECASE | re.DOTALL)


def told_done(sentence: str, tasks: Collection[str] | None) -> Said | None:
    """`tasks` are the titles of the open ones."""
    if _ASKS.match(sentence) is not None:
        return None
    not_done = {word.casefold() for word in _NOT_DONE.findall(sentence)}
    for known, verbs in _TELLS:
        match = known.fullmatch(sentence)
        verb = None if match is None else verbs.get(match["verb"].casefold())
        if match is None or verb is None:
            continue
        things = set(telling_words(match["what"]))
        wanted = things | set(telling_words(verb))
        known_words = ((task, set(telling_words(task))) for task in tasks or ())
        named = [task for task, words in known_words if things and (wanted <= words or words == things)]
        # A "no" that is in its name as well, as in "no-show report", says nothing about what was done.
        if len(named) == 1 and not_done <= {word.casefold() for word in _NOT_DONE.findall(named[0])}:
            return "complete_task", {"title": named[0]}
    return None
