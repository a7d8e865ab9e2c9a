"""What a message is about, by the user's own words: its intent, and which tools the turn that answers it may use.

Rules over words, and no model: what a note, an event, a memory or a pasted text says can widen nothing. A standing
wish that runs by itself gets no tools. Must not look at what tools return.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from domain.ports import ToolSpec
from domain.values import Origin
from workers.tool_specs import TOOLS
from workers.understanding.time_words import time_alone

Intent = Literal["chat", "agenda", "plan", "summary", "flights", "task", "memory", "calendar", "preference"]

SENTENCES_MAX = 200  # of one message, looked at
QUESTION_CHARACTERS_MAX = 1_000  # who asks for an agenda, a plan or a summary says so at once
QUOTE_CHARACTERS_MIN = 80  # a shorter one is a title or a name

# A model may take for an event what our rules take for a task: what is done to it is what was asked for.
_ALIKE = (
    frozenset({"create_task", "create_event"}),
    frozenset({"update_task", "update_event"}),
    frozenset({"delete_task", "delete_event", "complete_task"}),
)
TASKS = frozenset({"create_task", "update_task", "complete_task", "reopen_task", "delete_task"})
EVENTS = frozenset({"create_event", "update_event", "delete_event"})
MEMORIES = frozenset({"pin_memory", "forget_memory"})
NOTES = frozenset({"add_note"})
NEW = frozenset({"create_task", "create_event"})


@dataclass(frozen=True, slots=True)
class Asked:
    """`kinds` are the tools that the words leave room for; `wanted` those that they plainly ask for, where a second
    look is worth its price. `words` are the user's own, without what they quote."""

    intent: Intent
    kinds: frozenset[str]
    wanted: frozenset[str]
    words: str

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return tuple(tool for tool in TOOLS if tool.name in self.kinds)


_POLITE = (
    r"(?:(?:hey|hi|hello|ok|okay|so|and|also|then|now|yes|please|pls|let's|i'd like to|i want to|i need to"
    r"|(?:can|could|would|will) you|i(?:'d| would) like you to|i need you to|i want you to|bitte|kannst du)[\s,!–-]+)*"
)
_TASK = r"\b(?:tasks?|to-?dos?|reminders?)\b"
_LIST = rf"(?:{_TASK}|\blists?\b)"
_EVENT = r"\b(?:calendar|meetings?|appointments?|events?|kalender|termine?)\b"
_CLOCK = r"\b\d{1,2}(?:[:.]\d\d)?\s?(?:am|pm|a\.m\.|p\.m\.|o'clock|uhr)"
_SENTENCES = re.compile(r"(?:^|[\n;]+)\s*(?:[-*•]|\d{1,2}[.)])\s+|[\n;]+|(?<=[.!?])\s+")
_CLAUSES = re.compile(
    r",? (?:and|then|und) (?:also |then |please )*(?=(?:add|put|create|set|remind|remember|move|cancel|delete|book|find"
    r"|mark|forget|rename|schedule|note)\b)",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"(?:(?:hey|hi|hello|ok|okay|so|and|please)[\s,!–-]+)*(?:what|who|whom|whose|when|where|why|how|which|do|does|did|is|are|was|were|have|has|should)\b.*\?$",
    re.IGNORECASE | re.DOTALL,
)


def _ask(pattern: str, *kinds: str) -> tuple[re.Pattern[str], frozenset[str]]:
    """`pattern` is looked for where a sentence begins, behind words of politeness."""
    return re.compile(_POLITE + f"(?:{pattern})", re.IGNORECASE), frozenset(kinds)


_FLIGHTS = (
    r"(?:i )?(?:find|search|look|show|get|give|check|need|want|book|list|suggest|compare|any|are there|cheap\w*"
    r"|suche?|finde?|zeig)\b.{0,80}?\b(?:flights?|plane tickets?|airfares?|fl(?:ü|ue)ge?)\b"
    r"|how (?:much|expensive)\b.{0,40}?\bflights?\b"
    r"|(?:flights?|fl(?:ü|ue)ge?) (?:from|to|for|nach|von)\b|(?:what|which) flights\b"
    r"|(?:how can i |help me |i(?:'m| am) )?(?:fly|flying|fliege) .{0,40}?\b(?:to|nach)\b"
)
_SELECT = (
    r"(?:book|select|take|choose|pick|reserve|buy|i'll take|i(?:'d| would) take|go with|nimm|buche?)\b.{0,40}?"
    r"\b(?:first|second|third|fourth|fifth|cheapest|fastest|earliest|best|last|(?:option|flight|number) \d{1,2}"
    r"|#\d{1,2}|the [\w ]{1,30}flight|that (?:one|flight)|this (?:one|flight)|the one)\b"
    r"|(?:the )?(?:first|second|third|fourth|fifth|cheapest|fastest|earliest) (?:one|option|flight)[.!]?$"
)

# "Make a note", "note:", "jot down", "Notiz:"; what follows is the note, whatever it says.
NOTE_ORDER = (
    r"(?:(?!write.{0,12} note (?:to|for) (?!(?:my)?self\b|me\b))"
    r"(?:make|take|write|add|create|save|keep|leave)(?: me| mir)?(?: (?:this|that|it|the following))?"
    r"(?: (?:down|as))? (?:(?:a|another|the following) )?(?:new |quick |short )?note\b(?: to self| for (?:me|myself))?"
    r"(?! (?:to|on|for|in) (?:the|my|this|that)\b.{0,60}?\b(?:tasks?|to-?dos?|reminders?|events?|plan)\b)"
    r"|(?:jot|note|write)(?: (?:this|that|it))? down\b(?: (?:this|that)(?=:))?|(?:new |quick )?note(?: to self)?(?= ?:)"
    r"|notiz(?= ?:)|notiere?\b(?: (?:dir|mir|bitte))*"
    r"|(?:mache?|schreibe?) (?:dir |mir )?(?:bitte )?(?:eine notiz|auf(?= ?:)))"
)

# What plainly asks for one kind of action: a second look pays, and the words allow it.
_ASKS = (
    _ask(r".{0,40}?\b(?:remind|nudge|ping) (?:me|us)\b(?! (?:what|who|when|where|why|how|which)\b)", "create_task"),
    _ask(
        r"(?:don't|do not) (?:let me )?forget\b(?!,? (?:that )?i\b)|remember to\b"
        r"|(?:(?:my|these) )?(?:to-?dos?|tasks?|things to do) ?[:–-]|(?:i )?need a reminder\b",
        "create_task",
    ),
    _ask(rf"(?:add|put|make|create|set|schedule|new|note|jot|write)\b.{{0,200}}?{_LIST}", "create_task"),
    _ask(r"(?:don't|do not|never) forget,? (?:that )?i\b", "pin_memory"),
    _ask(r"erinnere? mich\b|.{0,200}\bmich\b.{0,200}\berinnern\b", "create_task"),
    _ask(r"(?:remember|memori[sz]e|note|keep in mind|bear in mind)\b(?! (?:to|when|what|how|who)\b)", "pin_memory"),
    _ask(
        r"(?:mark|tick|check|cross)\b(?!.{0,200}?\b(?:not |un-?)(?:done|finished|complete))"
        r".{0,200}?\b(?:done|off|complete|completed|finished)\b",
        "complete_task",
    ),
    _ask(rf"(?:complete|finish|close)\b.{{0,200}}?{_TASK}", "complete_task"),
    _ask(r"re-?open\b|(?:mark|set)\b.{0,200}?\b(?:not|un)[ -]?(?:done|finished|complete\w*)\b", "reopen_task"),
    _ask(
        rf"(?:delete|remove|cancel|drop|clear|erase)\b.{{0,200}}?{_LIST}"
        rf"|take\b.{{0,200}}? (?:off|from|out of)\b.{{0,40}}?{_LIST}",
        "delete_task",
    ),
    _ask(
        rf"(?:move|reschedule|postpone|push|shift|delay|rename|change|update)\b(?!.{{0,200}}?(?:{_EVENT}|{_CLOCK}))"
        r".{0,200}?\b(?:to|until|till|by|for|later|earlier)\b|(?:make|set)\b.{0,200}?\bdue\b|snooze\b",
        "update_task",
    ),
    _ask(r"(?:forget|unlearn)\b|(?:delete|remove)\b.{0,200}?\bmemor(?:y|ies)\b", "forget_memory"),
    _ask(
        r"(?:set|change|switch|use|update)\b.{0,200}?\b(?:time ?zone|work(?:ing)? ?hours|preferences?|settings?)\b",
        "set_preference",
    ),
    _ask(
        r"(?:turn|switch) (?:on|off)\b.{0,40}?\b(?:notif\w+|reminders?|daily (?:summar\w+|briefings?))\b"
        r"|(?:turn|switch)\b.{0,40}?\b(?:notif\w+|reminders?|daily (?:summar\w+|briefings?)) (?:on|off)\b"
        r"|(?:enable|disable|mute)\b.{0,40}?\b(?:notif\w+|reminders?|daily (?:summar\w+|briefings?))\b",
        "set_preference",
    ),
    _ask(r"(?:my )?(?:work(?:ing)? ?hours|time ?zone) (?:is|are)\b", "set_preference"),
    _ask(r"(?:set|change|switch) my (?!.{0,60}?" + _EVENT + r")[a-z][a-z ]{1,60}? to\b", "set_preference"),
    _ask(r"(?:(?:send|give|write) me|stop|no more|end)\b.{0,40}?\bdaily (?:summar\w+|briefings?)\b", "set_preference"),
    _ask(
        rf"(?:add|put|create|schedule|enter|set up|make|new)\b.{{0,200}}?{_EVENT}|schedule\b(?!.{{0,40}}?{_TASK})",
        "create_event",
    ),
    _ask(
        rf"(?:move|reschedule|postpone|push|shift|delay|rename|change|update)\b.{{0,200}}?(?:{_EVENT}|{_CLOCK})",
        "update_event",
    ),
    _ask(rf"(?:delete|remove|cancel|drop|call off)\b.{{0,200}}?(?:{_EVENT}|{_CLOCK})", "delete_event"),
    _ask(_SELECT, "select_flight"),
    _ask(_FLIGHTS, "find_flights"),
)

_NOTES = re.compile(_POLITE + NOTE_ORDER, re.IGNORECASE)
_VERBS = r"add|create|put|make|note|jot|move|reschedule|postpone|push|shift|delay|delete|remove|cancel|drop|clear"


def _leave(pattern: str, kinds: frozenset[str]) -> tuple[re.Pattern[str], frozenset[str]]:
    """`pattern` may stand anywhere in a sentence that is no question."""
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), kinds


# What leaves room for a kind: the model may understand what no rule of ours does, but only of what was spoken of.
_ROOM = (
    _leave(
        rf"{_VERBS}|remind\w*|{_TASK}|forget|deadline|due|done|finish(?:ed)?|completed?|snooze|tick|check|cross|rename|priority"
        r"|need to|have to|has to|must|should|ought|make sure|follow up|buy|call|send|erinner\w*|aufgaben?|vergiss"
        r"|erledig\w*|verschieb\w*|l(?:ö|oe)sch\w*|muss|soll\w*|streich\w*",
        TASKS,
    ),
    _leave(
        rf"{_EVENT}|schedule|invite|book|lunch|dinner|breakfast|brunch|coffee|stand-?up|meet|treffen|besprechung",
        EVENTS,
    ),
    _leave(rf"(?:{_VERBS}|verschieb\w*|l(?:ö|oe)sch\w*).{{0,80}}?{_CLOCK}|cancel|reschedule|postpone", EVENTS),
    _leave(r"remember|memori[sz]e|note|in mind|forget|unlearn|know that|fyi|merk\w*|vergiss", MEMORIES),
    _leave(r"notes?|jot|write (?:this|that|it)? ?down|notiz\w*|notiere?", NOTES),
    _leave(r"my \w[\w' ]{0,60}? (?:is|are)|i (?:like|love|prefer|hate|live|work|dislike|avoid|always|never)", MEMORIES),
    _leave(
        r"time ?zone|work(?:ing)? ?hours|preferences?|settings?|notif\w+|daily summary|zeitzone|arbeitszeit\w*"
        r"|i(?:'m| am) (?:now )?(?:in|on)|i (?:usually |normally )?work|my (?:preferred|favou?rite|home|usual|default)"
        r"|i prefer|fly with|fly (?:economy|premium economy|business|first)",
        frozenset({"set_preference"}),
    ),
    _leave(rf"(?:{_VERBS}|set|change)\b.{{0,200}}?\bplan", frozenset({"set_plan"})),
    _leave(r"please|bitte", frozenset({"create_task"})),
    _leave(r"today|tonight|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day|morgen|heute|at \d{1,2}", NEW),
)

_OWN_DAYS = r"(?:today|tomorrow|tonight|yesterday|week(?:end)?|month|(?:mon|tues|wednes|thurs|fri|satur|sun)day|day)"
_KEPT = (
    r"(?:agenda|calendar|schedule|meetings?|appointments?|events?|tasks?|to-?dos?|to-?do list|task list|reminders?"
    r"|deadlines?)"
)
# It changes what was spoken of before, whatever that was.
_FOLLOW_UP = re.compile(
    rf"\bundo\b|\b(?:{_VERBS}|make|change|set|mark|rename|re-?open|complete|finish|forget|keep)\b.{{0,20}}?"
    r"\b(?:it|that|this|them)\b|\b(?:actually|no|sorry)\b.{0,20}?\b(?:it|that)(?:'s| is)\b",
    re.IGNORECASE,
)
_SUMMARY = re.compile(
    r"\b(?:summ(?:ary|ari[sz]e)|recap|wrap[- ]?up|review|zusammenfass\w*|fass\w*)\b"
    r".{0,60}?\b(?:week|day|today|yesterday|month|woche|tag)\b"
    r"|\b(?:weekly|daily) (?:summary|recap|review)\b|\b(?:week|day) in review\b"
    rf"|\bhow (?:was|is|did|has) my {_OWN_DAYS}\b"
    rf"|\bwhat (?:did|have) i (?:get done|do|done|accomplish|achieve|finish|complete)\w*\b.{{0,40}}?\b{_OWN_DAYS}\b",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"\bre-?plan\b|\b(?:plan|organi[sz]e|prioriti[sz]e) (?:out )?(?:my|our|the|for) (?:\w+ ){0,2}?"
    r"(?:day|today|tomorrow|morning|afternoon|\w+day)\b"
    r"|\bwhat(?:'s| is) the plan\b|\bplan (?:today|tomorrow|\w+day)\b|\bmy plan\b"
    r"|\bplan for (?:today|tomorrow|the day|\w+day)\b"
    r"|\b(?:day|daily) plan\b|\bmy (?:top )?priorities\b|\bwhat should i (?:focus|work) on\b"
    r"|\bplane? (?:mir |mal )?(?:meinen|den) tag\b|\btagesplan\b",
    re.IGNORECASE,
)
_PLAN_CHANGE = re.compile(
    r"\b(?:add|put|remove|delete|drop|take|cross)\b.{1,100}?\b(?:to|on|in|into|from|off|out of)\b.{0,20}?\bplan\b",
    re.IGNORECASE,
)
_AGENDA = re.compile(
    r"\bagenda\b|\b(?:my|today's) schedule\b|\bwhat do i (?:have|need to do)\b"
    rf"|\b(?:show|list|tell|give|read|check|see|view|brief)\b.{{0,40}}?\b(?:my|all|me|open|the)\b.{{0,40}}?\b{_KEPT}\b"
    rf"|\b(?:brief me|everything i have|anything)\b.{{0,40}}?\b{_OWN_DAYS}\b"
    # What is asked about one's own things: "do I have any meetings", "when is my dentist appointment".
    rf"|\b(?:what|which|when|how many|do|are|is|have|any)\b.{{0,40}}?\b(?:my|i|there|any)\b.{{0,40}}?\b{_KEPT}\b.*\?"
    rf"|\b(?:what|which|how many) (?:open )?{_KEPT}\b.*\?|^(?:my|open) {_KEPT}[.!?]*$"
    r"|\bam i (?:free|busy|available)\b|\bdo i have time\b|\bhow busy\b"
    r"|\bwhat(?:'s| is|s) (?:next|overdue|due|coming up)\?"
    rf"|\bwhat(?:'s| is|s) (?:on|coming up|happening|next|due|up|overdue|planned)\b.{{0,60}}?"
    rf"\b(?:calendar|{_OWN_DAYS})\b"
    rf"|\b(?:what|how) (?:does|do|is|will) my {_OWN_DAYS}\b"
    r"|\bdue\b.{0,20}\b(?:today|tomorrow|week)\b|\bon my (?:calendar|list|plate)\b|\bmy (?:day|calendar)\b.*\?"
    r"|\bto-?do list\?|\bwas steht\b|\bwhat (?:tasks|meetings|events|reminders)\b",
    re.IGNORECASE,
)

_FENCE = re.compile(r"```.*?(?:```|$)|~~~.*?(?:~~~|$)", re.DOTALL)
_LONG = f"{{{QUOTE_CHARACTERS_MIN},}}"
_LONG_QUOTE = re.compile(rf"“[^”]{_LONG}”|\"[^\"\n]{_LONG}\"|„[^“]{_LONG}“|«[^»]{_LONG}»", re.DOTALL)
# What follows a colon is somebody else's, where the words before it say so; behind some only if it begins a new line.
_PASTED = re.compile(
    r"^.{0,200}?\b(?:(?:summari[sz]e|translate|explain|proofread|rewrite|analy[sz]e|fasse?|(?:ü|ue)bersetze?"
    r"|(?:this|the|an?) (?:e-?mail|text|message|letter|article|document|page|invitation|file|log))"
    r"\b[^\n:]{0,120}:(?=\s)"
    r"|(?:read|check|review|answer|reply|what|here(?:'s| is| are)|below|following|forwarded|fwd|got|received|wrote"
    r"|says?|said|note)\b[^\n:]{0,120}:[ \t]*$)"
    r"|^-{2,} ?(?:original|forwarded)|^(?:from|subject|to|date|von|betreff|fwd): ",
    re.IGNORECASE | re.MULTILINE,
)


def own_words(text: str) -> str:
    """`text` without what it quotes, encloses or pastes: that is somebody else's, whatever it asks for."""
    text = text.replace("’", "'")
    text = _LONG_QUOTE.sub(" ", _FENCE.sub("\n", text))
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith((">", "|")))
    pasted = _PASTED.search(text)
    return text if pasted is None else text[: pasted.end()]


def asked(text: str, *, origin: Origin = "user", hint: str | None = None) -> Asked:
    """`hint` is what a client says the intent is: it decides between what the words leave open, and no more."""
    words = own_words(text)
    if origin != "user":
        return Asked("summary" if _SUMMARY.search(words) else "agenda", frozenset(), frozenset(), words)
    wanted = wants_action(words)
    kinds = _room_in(words)
    fitting = _intents(words, wanted, kinds)
    chosen = next((intent for intent in fitting if intent == hint), fitting[0])
    return Asked(chosen, frozenset(kinds), wanted, words)


def _room_in(words: str) -> set[str]:
    """What is plainly asked for, and what is done alike; in a clause that asks for nothing plainly, what it speaks
    of."""
    kinds: set[str] = set()
    clauses = [part for sentence in _SENTENCES.split(words)[:SENTENCES_MAX] for part in _CLAUSES.split(sentence)]
    for clause in (part.strip() for part in clauses):
        plain = wants_action(clause)
        if plain:
            kinds |= plain.union(*(alike for alike in _ALIKE if alike & plain))
        elif _QUESTION.match(clause) is None:
            if _FOLLOW_UP.search(clause) is not None or time_alone(clause):
                kinds |= TASKS | EVENTS | MEMORIES
            kinds = kinds.union(*(room for pattern, room in _ROOM if pattern.search(clause) is not None))
    return kinds


def _intents(words: str, wanted: frozenset[str], kinds: set[str]) -> Sequence[Intent]:
    """Those that the words fit, the likeliest first; at least one."""
    fitting: list[Intent] = []
    if wanted & {"find_flights", "select_flight"}:
        fitting.append("flights")
    if not wanted - {"set_plan", "find_flights"}:
        for pattern, intent in _ABOUT:
            is_change = intent == "plan" and _PLAN_CHANGE.search(words[:QUESTION_CHARACTERS_MAX]) is not None
            if not is_change and pattern.search(words[:QUESTION_CHARACTERS_MAX]) is not None:
                fitting.append(intent)
    for family, meant in _FAMILIES:
        if wanted & family:
            fitting.append(meant)
    for family, meant in _FAMILIES:
        if kinds & family and meant not in fitting:
            fitting.append("chat")
            fitting.append(meant)
    return fitting or ("chat",)


_ABOUT: tuple[tuple[re.Pattern[str], Intent], ...] = ((_SUMMARY, "summary"), (_PLAN, "plan"), (_AGENDA, "agenda"))
_FAMILIES: tuple[tuple[frozenset[str], Intent], ...] = (
    (TASKS, "task"),
    (EVENTS, "calendar"),
    (MEMORIES | NOTES, "memory"),
    (frozenset({"set_preference"}), "preference"),
)


def wants_action(text: str) -> frozenset[str]:
    """The kinds of action that the words of `text` plainly ask for; none where it is talk or a question.

    It only says where a second look is worth its price: what is done, and whether, is never decided from it.
    """
    kinds: set[str] = set()
    parts = _SENTENCES.split(text.replace("’", "'"))[:SENTENCES_MAX]
    for sentence in (clause.strip() for part in parts for clause in _CLAUSES.split(part)):
        if _QUESTION.match(sentence) is not None and not _ASKS_FLIGHTS.match(sentence):
            continue
        if _NOTES.match(sentence) is not None:
            kinds |= NOTES
            continue
        for pattern, wanted in _ASKS:
            if not wanted <= kinds and pattern.match(sentence) is not None:
                kinds |= wanted
    if kinds & (TASKS | MEMORIES | NOTES):
        kinds.discard("find_flights")
    return frozenset(kinds)


_ASKS_FLIGHTS = re.compile(
    _POLITE + r"(?:(?:what|which|are there)\b.{0,30}?\bflights\b|how (?:much|expensive)\b.{0,40}?\bflights?\b)",
    re.IGNORECASE,
)
