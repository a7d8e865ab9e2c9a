"""What the offline model says when no tool was asked for: short texts made of the message and the prompt's sections.

A system message may hold sections, `# Tasks` and the like, with one line `- …` for each item. It must not invent:
what is not in a section is not said. Days are told in agenda.py, notes in notes.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from domain.ports import PromptMessage
from workers.llm.offline.agenda import agenda, plan, summary
from workers.llm.offline.notes import attached_notes, found_notes
from workers.llm.offline.sections import (
    all_words,
    content_of,
    lines_of,
    notes_kept,
    notes_under,
    now_in,
    section,
    sections_of,
    spelled_alike,
)
from workers.llm.offline.words import POLITE
from workers.understanding.flight_words import CHOOSE, WAITS
from workers.understanding.german_words import german
from workers.understanding.intents import asked
from workers.understanding.notes import notes_asked
from workers.understanding.own_words import own_words
from workers.understanding.time_words import pattern

COUNT_MAX = 5_000
STORY_WORDS = 400
STORY_WORDS_MAX = 5_000

ABILITIES = (
    "I can keep tasks and reminders (“remind me to call John tomorrow at 5”), remember facts "
    "(“remember that my favourite airport is JFK”), make notes (“note: the door code is 1234”), keep your calendar, "
    "find flights, show your agenda, plan your day and summarize your week."
)

REMIND_OF_WHAT = (
    "I did not understand what to remind you of, or when, so nothing was done. Please say it in one sentence, with the"
    " time itself, such as “remind me tomorrow at 9 to call John”."
)
NOT_UNDERSTOOD = f"I did not understand what to do, so nothing was done. {ABILITIES}"
NO_BOOKING = (
    "I can neither book nor pay. A flight that you choose (“select the first one”) waits for your approval on its card;"
    " once you approve it, I note it down and make the tasks that are left: paying for it and checking in."
)
WAITING = (
    "It waits for you: approve it on its card. I then note it down and make the tasks that are left, paying for it and"
    " checking in. I can neither book nor pay."
)
NO_UNDO = "I cannot take that back. Say what is to be changed instead, such as “move call John to Friday at 3”."
NOT_TOLD = "I do not know that: you have not told me. Say “remember that my … is …”, and I will."
NO_MESSAGES = "I cannot send messages, so nothing was sent. I can remind you of it: “remind me at 5 to write to Anna”."
NO_ORDERS = "I can order and reserve nothing, so nothing was done. I can remind you of it, or put it in your calendar."
MAYBE_A_TASK = "Is that to be a task? Nothing was done yet: say “remind me to …”, or say when it is to be done."

_GREETING = re.compile(
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings|salut|hola"
    r"|hallo|moin|servus|guten (?:morgen|tag|abend))\b",
    re.IGNORECASE,
)
_ABLE = re.compile(
    r"\b(?:what can you do|who are you|how can you help|was kannst du|wer bist du|wie kannst du (?:mir )?helfen)\b",
    re.IGNORECASE,
)
_GRATITUDE = re.compile(r"(?:thanks|thank you|thx|cheers|danke\w*|vielen dank)\b", re.IGNORECASE)
_COUNT = re.compile(r"\bcount\s+(?:up\s+)?(?:from\s+(\d{1,4})\s+)?to\s+(\d{1,4})\b", re.IGNORECASE)
_WORDS = re.compile(r"\b(\d{1,4})[\s-]+words?\b", re.IGNORECASE)
_STORY = re.compile(r"\b(?:story|essay|tale|lorem ipsum)\b", re.IGNORECASE)
_SUMMARY = re.compile(r"\bsumm(?:ary|ari[sz]e)\b", re.IGNORECASE)
_PLAN = re.compile(r"\bplan\b", re.IGNORECASE)
_DAY = re.compile(r"\b(?:day|today|tomorrow|morning|week)\b", re.IGNORECASE)
_WEEK = re.compile(r"\b(?:week|woche)\b", re.IGNORECASE)
_MY = re.compile(
    r"\b(?:what|who|where|when|wer|wo|wann|was)(?:['’]s|\s+is|\s+are|\s+was|\s+ist|\s+sind)\s+(?:my|meine?r?)\s+"
    r"([^?!.]{1,100})",
    re.IGNORECASE,
)
_NAME_GERMAN = re.compile(r"\bwie\s+hei(?:ß|ss)(?:t|en)\s+(?:meine?\s+)?([^?!.]{1,100})", re.IGNORECASE)
_ATTACHED = re.compile(
    r"\b(?:this|these|that|it|notes?|attach\w*|documents?|texts?|files?|above|below|notiz\w*|dokument\w*)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:what|which|who|whose|where|when|how|was|wer|wo|wann|wie|welche\w*)\b.*\?$", re.IGNORECASE | re.DOTALL
)
_PREFERENCES = re.compile(
    r"\b(?:preferences|settings|time ?zone|work(?:ing)? ?hours|einstellungen|zeitzone|arbeitszeit\w*)\b", re.IGNORECASE
)
_KNOWN = re.compile(
    r"\bwhat\s+do\s+you\s+(?:know|remember)\b|\bmy\s+memories\b"
    + german(r"|\bwas\s+wei(?:ß|ss)t\s+du\b|\bwas\s+hast\s+du\s+dir\s+gemerkt\b"),
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"\bwhat(?:['’]s| is)?\s+(?:the\s+)?(?:current\s+)?(?:time|date|day)\b(?:\s+is\s+it)?"
    r"(?:\s+(?:now|today|is\s+today))*\s*\??$"
    + german(r"|\bwie\s+spät\s+ist\s+es\b|\bwelche[rsn]?\s+(?:tag|datum)\s+(?:ist|haben\s+wir)\b"),
    re.IGNORECASE,
)

_FLIGHTS_AGAIN = re.compile(
    r"\b(?:what|which) flights (?:did|do|have) you\b|\bflights again\b"
    + german(r"|\bwelche flüge hast du\b|\bflüge (?:noch ?mal|nochmal|noch einmal)\b"),
    re.IGNORECASE,
)
_NEVER_MIND = re.compile(r"(?:never ?mind|forget it|nothing|no worries|egal|schon gut|vergiss es)[.!]?", re.IGNORECASE)
_BOOK = pattern(
    rf"{POLITE}(?:yes,? )?(?:book|buy|reserve|purchase|pay for|buche?|kaufe?|reservier\w*|bezahle?) "
    r"(?:it|that|this|them|the flight|that flight|ihn|sie|es|das|den flug)(?: for me| now| please| bitte)*[.!?]?"
)
# What is plainly asked for and nobody can do here: whoever says so is told, and not that they were not understood.
_BEYOND = (
    (
        pattern(
            rf"{POLITE}(?:(?:send|write|shoot|drop) (?:an? )?(?:.{{0,40}}? )?(?:e-?mail|message|text|sms|whatsapp)\b.*"
            r"|(?:text|e-?mail|message|whatsapp) (?!me\b)\S.*"
            r"|(?:schicke?|sende?|schreibe?) .{0,60}?(?:e-?mails?|mail|nachricht|sms|whatsapp)\b.*)"
        ),
        NO_MESSAGES,
    ),
    (
        pattern(
            rf"{POLITE}(?:(?:order|book|reserve|get|call) (?:me |us )?(?:an? |some )?"
            r"(?:taxi|cab|uber|ride|table|restaurant|pizza|food|hotel|room|car|train)\b.*"
            + german(
                r"|(?:bestelle?|buche?|reserviere?|rufe?) (?:mir |uns )?(?:ein(?:e[nm]?)? )?"
                r"(?:taxi|tisch|restaurant|pizza|essen|hotel|zimmer|auto|zug)\b.*)"
            )
        ),
        NO_ORDERS,
    ),
    (pattern(rf"{POLITE}(?:undo|revert|take back)(?: (?:that|this|it))?[.!]?"), NO_UNDO),
    (pattern(german(r"(?:mach\w* (?:das|es) )?(?:wieder )?rückgängig(?: machen)?[.!]?")), NO_UNDO),
    (
        pattern(
            rf"{POLITE}(?:buy|call|pay|pick up|order|finish|submit|renew|return|clean|fix|pack|wash|book) "
            r"(?!me\b)[^?]{1,60}"
        ),
        MAYBE_A_TASK,
    ),
)

_STORY_SENTENCES = (
    "Once there was a small office at the edge of a harbour.",
    "Every morning a clerk opened its green door and put the kettle on.",
    "She wrote down what people asked her to remember, and she never lost a line.",
    "A captain left the name of an airport, a baker the birthday of her son.",
    "When the wind was strong the papers flew about, but each had its number.",
    "So the clerk laid them back in order, one after another, and went on.",
    "In the evening she read aloud what was still to do, and the harbour grew quiet.",
)


def answer_to(text: str, messages: Sequence[PromptMessage]) -> str:
    """The answer to the last message, without the label that the model puts after it. What it pastes asks nothing."""
    own = own_words(text)
    is_pasting = own != text.replace("’", "'")
    told = _told(own) or _of_the_moment(own, messages)
    if told is not None:
        return told
    sections = sections_of(messages)
    attached = notes_under("Notes", messages)
    if attached and _ATTACHED.search(own):
        return attached_notes(attached)
    about = _about_days(own, sections, messages, is_pasting=is_pasting)
    if about is not None:
        return about
    found = [note for note in notes_under("Notes found", messages) if note[1]]
    kept = notes_kept(messages)
    if kept is not None:
        wanted = notes_asked(own)
        return found_notes(found, kept, is_all=wanted is not None and not wanted.words)
    known = _from_what_is_known(own, sections, [*found, *attached])
    if known is not None:
        return known
    if found:
        return found_notes(found, len(found))
    if attached:
        return attached_notes(attached)
    return _small_talk(own.strip())


def _told(text: str) -> str | None:
    """Numbers and stories, for whoever tries out how answers stream."""
    if match := _COUNT.search(text):
        return _count(int(match.group(1) or 1), int(match.group(2)))
    if match := _WORDS.search(text):
        return _story(int(match.group(1)))
    return _story(STORY_WORDS) if _STORY.search(text) else None


def _of_the_moment(text: str, messages: Sequence[PromptMessage]) -> str | None:
    """What time it is, and what became of a flight that somebody wants to be booked."""
    if _CLOCK.search(text) and (now := now_in(messages)) is not None:
        return f"It is {now['now']} ({now['zone']})."
    if _FLIGHTS_AGAIN.search(text):
        lists = (message.content for message in reversed(messages) if message.role == "assistant")
        return next((said.split(CHOOSE)[0].strip() + f"\n\n{CHOOSE}" for said in lists if CHOOSE in said), None)
    if _BOOK.fullmatch(text.strip()):
        last = next((message.content for message in reversed(messages[:-1]) if message.role == "assistant"), "")
        return WAITING if WAITS in last else NO_BOOKING if CHOOSE in last else None
    return None


def _about_days(
    text: str, sections: Mapping[str, list[str]], messages: Sequence[PromptMessage], *, is_pasting: bool
) -> str | None:
    intent = asked(text).intent
    if intent == "summary" or (_SUMMARY.search(text) and not is_pasting):
        return summary(sections, messages)
    if intent == "plan" or (_PLAN.search(text) and _DAY.search(text)):
        return plan(sections, is_week=_WEEK.search(text) is not None)
    if intent != "agenda":
        return None
    if (match := _MY.search(text)) and (found := _memories_about(match.group(1), sections)):
        return "You told me:\n" + lines_of(found)
    return agenda(text, sections, messages)


def _from_what_is_known(text: str, sections: Mapping[str, list[str]], notes: Sequence[object]) -> str | None:
    """Memories and preferences; where these are silent, `notes` may know."""
    about = _MY.search(text) or _NAME_GERMAN.search(text)
    if about and (found := _memories_about(about.group(1), sections)):
        return "You told me:\n" + lines_of(found)
    if _PREFERENCES.search(text) and (set_up := section(sections, "preferences")):
        return "Your preferences:\n" + lines_of(set_up)
    if _KNOWN.search(text):
        memories = _memories(sections)
        return "You told me:\n" + lines_of(memories) if memories else "You have not asked me to remember anything yet."
    if _ASKS.match(text.strip()) and (found := _memories_with(content_of(text), sections)):
        return "You told me:\n" + lines_of(found)
    return NOT_TOLD if about is not None and "now" in sections and not notes else None


def _small_talk(text: str) -> str:
    if _GREETING.match(text):
        return f"Hello! {ABILITIES}"
    if _ABLE.search(text):
        return ABILITIES
    if _GRATITUDE.match(text):
        return "You are welcome."
    if _NEVER_MIND.fullmatch(text):
        return "All right."
    for known, said in _BEYOND:
        if known.fullmatch(text) is not None:
            return said
    return f"I cannot talk about that without a real model. {ABILITIES}"


def _memories(sections: Mapping[str, list[str]]) -> list[str]:
    """As `favourite airport: JFK`, also where the key is written `favourite_airport`."""
    lines = (memory.partition(":") for memory in section(sections, "memor"))
    return ["".join((key.replace("_", " "), colon, value)) for key, colon, value in lines]


def _memories_about(subject: str, sections: Mapping[str, list[str]]) -> list[str]:
    """Memories that hold every word of the subject."""
    return _memories_with([word for word in all_words(subject.casefold()) if len(word) > 2], sections)


def _memories_with(words: Sequence[str], sections: Mapping[str, list[str]]) -> list[str]:
    """Memories that hold all of these words, however the user spells them."""
    wanted = {spelled_alike(word) for word in words}
    known = _memories(sections)
    return [memory for memory in known if wanted and wanted <= set(all_words(spelled_alike(memory.casefold())))]


def _count(first: int, last: int) -> str:
    last = min(last, first + COUNT_MAX - 1)
    return ", ".join(str(number) for number in range(first, last + 1)) or "There is nothing to count."


def _story(word_count: int) -> str:
    """So many words, always the same ones."""
    count = min(word_count, STORY_WORDS_MAX)
    told = " ".join(_STORY_SENTENCES).split()
    words = (told * (count // len(told) + 1))[:count]
    return " ".join(words).rstrip(".,") + "." if words else ABILITIES
