"""What the offline model makes of a message: which tools the user's own words ask for, with which arguments.

Owns how a message is taken apart, into sentences, clauses and lists; what each of them asks for is in the files of
tasks, days, memories, preferences, notes and German. It must not look at anything but the message.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from domain import limits
from domain.ports import ToolCall, ToolSpec
from domain.text_search import has_words, telling_words
from workers.llm.offline.days import event_wish
from workers.llm.offline.done import told_done
from workers.llm.offline.german import german_wish
from workers.llm.offline.memories import memory_wish
from workers.llm.offline.notes import note_wish
from workers.llm.offline.preferences import preference_wish
from workers.llm.offline.tasks import bare_task, duty_wish, name_in, new_task, task_wish
from workers.llm.offline.words import NO_NAME, POLITE, POLITENESS, Said, content_words, squeeze
from workers.understanding.asking import NOTE_ORDER
from workers.understanding.flight_words import flight_arguments
from workers.understanding.intents import wants_action
from workers.understanding.own_words import own_words
from workers.understanding.time_words import pattern, split_leading_when, time_alone

WISHES_MAX = limits.ACTIONS_PER_MESSAGE_MAX
_THANKS_CHARACTERS_MAX = 60
_AHEAD = 200  # characters of what follows, looked at for what it asks
_ORDER_CHARACTERS_MAX = 1_000  # of a sentence that asks for anything but to be kept
_DAY_CHARACTERS_MAX = 40  # of a day that things to do are told of
_BEFORE = 12  # characters before what may be the end of a sentence
_ENDS_LOOKED_AT_MAX = 50  # full stops and clauses that may or may not end something
_BLANKS = re.compile(r"[^\S\n]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """One tool call that the user asked for."""

    tool: str
    arguments: dict[str, str]


_THANKS = pattern(r"[\s,.!]*(?:\b(?:thanks|thank you|thx|please|cheers)\b[\s,.!]*)+$")
_SENTENCE_ENDS = re.compile(r"\n+|(?<=[.!?])\s+(?=[A-Z])")
_ENDS_A_SENTENCE = re.compile(r"(?:[a-z]{3}|\d|[ap]m)[.!?]$")
_ORDINAL = re.compile(r"\b(?:am|an|zum|den|dem|de[rs]|bis|vom|ab|jeden|und)\s+\d{1,2}\.$", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s+")
_CLAUSE_ENDS = re.compile(
    r"(?:,\s*)?\s(?:and|then|und)\s+(?:also\s+|then\s+|please\s+)*|,\s+(?=(?:add|put|remind|schedule)\b)", re.IGNORECASE
)
_REQUEST = pattern(r"[\w\s,!]{0,40}?\b(?:can|could|would|will) you ")
_AND = re.compile(r",? (?:and|und) |, ", re.IGNORECASE)
_COMMA = re.compile(r", (?:and |und )?| (?:and|und) ", re.IGNORECASE)
_SHOPPING = re.compile(r"\b(?:shopping|grocery|einkaufs) ?(?:list|liste)\b", re.IGNORECASE)
_TO = pattern(r"(?:to|about|of) ")
_REMIND_ME = pattern(rf"{POLITE}remind (?:me|us)\b")
_NOTE = pattern(
    rf"{POLITE}{NOTE_ORDER}(?:,? dass\b| ?[:,–-]| (?:that|saying|about|of|to)\b)?"
    r"(?:(?: of)? (?:this|the following) ?:(?=$))?(?:^| ?)(?P<text>.*)"
)
_BARE_DROP = pattern(
    rf"{POLITE}(?:(?P<cancel>cancel|call off|storniere?)|delete|remove|drop|clear|erase"
    r"|l(?:ö|oe)sche?|streiche?|entferne?)"
    r" (?!.*\bnicht\W*$)(?P<what>\S.*)"
)
_GERMAN_ARTICLE = re.compile(r"^(?:de[nr]|die|das|meinen?|meine) (?=\S)", re.IGNORECASE)
_LIST_BEGINS = pattern(
    rf"{POLITE}(?:(?:add|create|make|put) )?(?:(?:these|the following|my|some|new) )*"
    r"(?:things to do|to-?dos?|tasks?|reminders?)"
    r"(?: (?:to|on) (?:my|the) (?:[\w-]+ )?list)?(?: for me)? ?:"
)


def wishes_of(message: str, tasks: Collection[str] | None = None) -> list[Wish]:
    """At most `WISHES_MAX`, in the order in which they were said. What is pasted asks for nothing, but may be a note.

    `tasks` are the titles of the open ones, where they are known: "delete X" asks for something where X is one of them,
    and what is moved and is none of them is an event.
    """
    text = _BLANKS.sub(" ", message)
    if not any(_NOTE.fullmatch(text[start:end].strip()) for start, end, _ in _sentences(text)):
        own = own_words(text)
        text = text if own == text.replace("’", "'") else own
    wishes: list[Wish] = []
    things = _Things()
    before = 0
    is_noting = is_listing = False
    for start, end, following in _sentences(text):
        sentence = text[start:end].strip()
        item = _ITEM.match(sentence)
        sentence = sentence if item is None else sentence[item.end() :]
        note = _NOTE.fullmatch(sentence)
        if note is not None and not note["text"]:
            # What begins on a line of its own is the note, all of it.
            return [*wishes, *_noted(text[following:])][:WISHES_MAX]
        bare = _bare(sentence)
        found = _noted(note["text"]) if note is not None else _wishes_of(bare, tasks)
        if is_listing and item is not None and not found:
            found = _wish(new_task(bare))
        if is_noting and not found and bare:
            found = _noted(wishes.pop().arguments["text"] + text[before:end])  # a note goes on until something is asked
        things.add(bare, is_item=item is not None, is_found=bool(found), place=len(wishes))
        wishes += found
        is_noting = bool(wishes) and wishes[-1].tool == "add_note"
        is_listing = _LIST_BEGINS.fullmatch(bare) is not None or (is_listing and item is not None)
        before = end
    return things.among(wishes)[:WISHES_MAX]


class _Things:
    """The items of a message that is nothing but a list: where one of them is a task, the others are as well, whether
    they say when or not."""

    def __init__(self) -> None:
        self._is_list = True
        self._left: list[tuple[int, str]] = []  # where it belongs among the wishes, and what it says

    def add(self, text: str, *, is_item: bool, is_found: bool, place: int) -> None:
        if not text:
            return
        self._is_list = self._is_list and is_item
        if not is_found:
            self._left.append((place, text))

    def among(self, wishes: list[Wish]) -> list[Wish]:
        if not self._is_list or not any(wish.tool == "create_task" for wish in wishes):
            return wishes
        for place, text in reversed(self._left):
            wishes[place:place] = _wish(bare_task(text))
        return wishes


def _sentences(text: str) -> Iterator[tuple[int, int, int]]:
    """Where each begins, where it ends, and where the next one begins. A full stop ends one where it stands behind a
    whole word, or where something is asked for behind it."""
    start = looked_at = 0
    for gap in _SENTENCE_ENDS.finditer(text):
        before = text[max(0, gap.start() - _BEFORE) : gap.start()]
        is_end = "\n" in gap[0] or (_ENDS_A_SENTENCE.search(before) is not None and _ORDINAL.search(before) is None)
        if not is_end and looked_at < _ENDS_LOOKED_AT_MAX:
            looked_at += 1
            is_end = bool(wants_action(text[gap.end() : gap.end() + _AHEAD]))
        if is_end:
            yield start, gap.start(), gap.end()
            start = gap.end()
    yield start, len(text), len(text)


def _noted(text: str) -> list[Wish]:
    return [Wish("add_note", {"text": text.strip()})] if text.strip() else []


def _wish(said: Said | None) -> list[Wish]:
    return [] if said is None else [Wish(*said)]


def _wishes_of(sentence: str, tasks: Collection[str] | None) -> list[Wish]:
    """Those of its clauses, where each of them asks for something by itself; else that of the sentence."""
    for gap in islice(_CLAUSE_ENDS.finditer(sentence), _ENDS_LOOKED_AT_MAX):
        first, rest = sentence[: gap.start()], sentence[gap.end() :]
        if _REMIND_ME.match(first) and _TO.match(rest):
            rest = f"remind me {rest}"  # "… to call Sarah today and to buy flowers tomorrow"
        wish = _whole_wish(first, tasks) if wants_action(rest[:_AHEAD]) else None
        # "Remind me to pack and cancel the hotel" is one reminder; one that has its time is over.
        if wish is not None and (wish.tool != "create_task" or "due_text" in wish.arguments or _REMIND_ME.match(rest)):
            return [wish, *_wishes_of(rest, tasks)]
    if listed := _listed(sentence):
        return listed
    whole = _whole_wish(sentence, tasks)
    return [] if whole is None else _each_of(whole, sentence, tasks)


def _listed(sentence: str) -> list[Wish]:
    """ "Tomorrow: gym at 7, call John at 4": tasks of that day, where each has its hour."""
    head, _, things = sentence.partition(":")
    day = time_alone(head) if len(head) <= _DAY_CHARACTERS_MAX else ""
    made = [new_task(thing) for thing in _COMMA.split(things.strip(" .!"))] if day else []
    if len(made) < 2 or any(each is None or "due_text" not in each[1] for each in made):
        return []
    return [Wish(each[0], {**each[1], "due_text": f"{day} {each[1]['due_text']}"}) for each in made if each is not None]


def _whole_wish(sentence: str, tasks: Collection[str] | None) -> Wish | None:
    wish = _wish_of(sentence)
    if wish is not None and wish.tool == "update_task" and _is_no_task(wish.arguments["title"], tasks):
        # What is no task is an event: "move the dentist to Monday".
        changed = {"title": "event", "due_text": "start_text", "new_title": "new_title"}
        if wish.arguments.keys() <= changed.keys():
            return Wish("update_event", {changed[name]: text for name, text in wish.arguments.items()})
    if wish is None and len(sentence) <= _ORDER_CHARACTERS_MAX and (done := told_done(sentence, tasks)) is not None:
        return Wish(*done)
    return wish or _dropped(sentence, tasks)


def _is_no_task(title: str, tasks: Collection[str] | None) -> bool:
    """Whether it fits none of the open ones; who does not know them cannot say."""
    wanted = telling_words(title)
    return tasks is not None and not any(
        has_words(each, wanted) or has_words(title, telling_words(each)) for each in tasks
    )


def _each_of(wish: Wish, sentence: str, tasks: Collection[str] | None) -> list[Wish]:
    """ "Mark milk and bread as done": one wish for each, where each is a task; what is bought is as many tasks."""
    titles = _AND.split(wish.arguments.get("title", ""))
    if wish.tool == "create_task" and _SHOPPING.search(sentence) and 1 < len(titles) <= WISHES_MAX:
        return [Wish(wish.tool, {**wish.arguments, "title": title}) for title in titles]
    if wish.tool not in ("complete_task", "delete_task") or len(titles) > WISHES_MAX:
        return [wish]
    named = [known for title in titles for known in tasks or () if content_words(known) == content_words(title)]
    return [Wish(wish.tool, {"title": known}) for known in named] if len(named) == len(titles) > 1 else [wish]


def calls_for(wishes: Sequence[Wish], tools: Sequence[ToolSpec]) -> list[ToolCall]:
    """The wishes that `tools` can grant, as calls, with the arguments that their schemas name."""
    offered = {tool.name: tool.parameters.get("properties") for tool in tools}
    calls: list[ToolCall] = []
    for wish in wishes:
        if wish.tool not in offered:
            continue
        named = offered[wish.tool]
        arguments = {k: v for k, v in wish.arguments.items() if not isinstance(named, dict) or k in named}
        calls.append(ToolCall(f"call_{len(calls)}", wish.tool, msgspec.json.encode(arguments).decode()))
    return calls


def _bare(sentence: str) -> str:
    """Without thanks, and without the question mark of "could you …?"."""
    match = _THANKS.search(sentence, max(0, len(sentence) - _THANKS_CHARACTERS_MAX))
    bare = sentence[: match.start()] if match else sentence
    return bare.rstrip("?! ") if _REQUEST.match(bare) else bare


def _wish_of(sentence: str) -> Wish | None:
    asks = wants_action(sentence)
    bare = POLITENESS.sub("", sentence, count=1)
    if "select_flight" in asks:
        return Wish("select_flight", {"which": squeeze(bare).rstrip(".!?")})
    if "find_flights" in asks:
        return Wish("find_flights", flight_arguments(sentence))
    if len(sentence) > _ORDER_CHARACTERS_MAX:
        said = task_wish(sentence) or memory_wish(sentence)
    else:
        said = note_wish(sentence) or event_wish(bare) or preference_wish(sentence) or german_wish(bare)
        said = said or task_wish(sentence) or memory_wish(sentence) or duty_wish(sentence)
    if said is not None:
        return Wish(*said)
    when, rest = split_leading_when(sentence)
    if when and (wish := _wish_of(rest)) and wish.tool == "create_task":
        made = new_task(wish.arguments["title"], when, wish.arguments.get("due_text", ""))
        return None if made is None else Wish(*made)
    return None


def _dropped(sentence: str, tasks: Collection[str] | None) -> Wish | None:
    """ "Delete water plants", where that is a task, whatever its articles. What else is cancelled is an event."""
    match = _BARE_DROP.fullmatch(sentence)
    if match is None:
        return None
    title = name_in(match["what"])
    wanted = content_words(title)
    named = [known for known in tasks or () if wanted and content_words(known) == wanted]
    if named:
        return Wish("delete_task", {"title": named[0]})
    is_event = match["cancel"] is not None and tasks is not None and not NO_NAME.fullmatch(title)
    return Wish("delete_event", {"event": _GERMAN_ARTICLE.sub("", title, count=1)}) if is_event else None
