"""What English words ask for: tables of patterns, each with the kinds of action that it stands for. Data, and no logic.

German has a table of its own in asking_german.py; how they are read is for intents.py.
"""

from __future__ import annotations

import re

TASKS = frozenset({"create_task", "update_task", "complete_task", "reopen_task", "delete_task"})
EVENTS = frozenset({"create_event", "update_event", "delete_event"})
MEMORIES = frozenset({"pin_memory", "forget_memory"})
NOTES = frozenset({"add_note"})
NOTES_GONE = frozenset({"delete_note"})
NEW = frozenset({"create_task", "create_event"})

Ask = tuple[re.Pattern[str], frozenset[str]]

POLITE = (
    r"(?:(?:hey|hi|hello|ok|okay|so|and|also|then|now|yes|please|pls|let's|i'd like to|i want to|i need to"
    r"|(?:can|could|would|will) you|i(?:'d| would) like you to|i need you to|i want you to|bitte|(?:kannst|könntest"
    r"|koenntest|würdest|wuerdest) du|ich (?:möchte|moechte|will)(?=,? dass)|und|auch|dann|jetzt)[\s,!–-]+)*"
)
_TASK = r"\b(?:tasks?|to-?dos?|reminders?)\b"
_LIST = rf"(?:{_TASK}|\blists?\b)"
_EVENT = r"\b(?:calendar|meetings?|appointments?|events?)\b"
_CLOCK = r"\b\d{1,2}(?:[:.]\d\d)?\s?(?:am|pm|a\.m\.|p\.m\.|o'clock|uhr)"


def ask(pattern: str, *kinds: str) -> Ask:
    """`pattern` is looked for where a sentence begins, behind words of politeness."""
    return re.compile(POLITE + f"(?:{pattern})", re.IGNORECASE), frozenset(kinds)


def leave(pattern: str, kinds: frozenset[str]) -> Ask:
    """`pattern` may stand anywhere in a sentence that is no question."""
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), kinds


_FLIGHTS = (
    r"(?:i )?(?:find|search|look|show|get|give|check|need|want|book|list|suggest|compare|any|are there|cheap\w*"
    r"|suche?|finde?|zeig)\b.{0,80}?\b(?:flights?|plane tickets?|airfares?|fl(?:ü|ue)ge?)\b"
    r"|how (?:much|expensive)\b.{0,40}?\bflights?\b"
    r"|(?:flights?|fl(?:ü|ue)ge?) (?:from|to|for|nach|von)\b|(?:what|which) flights\b(?! (?:did|do|have) you\b)"
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

# "Delete the note about the boiler".
GONE = (
    r"(?:delete|remove|erase|drop|discard|trash|throw away|get rid of)\b.{0,80}?\bnotes?\b(?! (?:of|from|on) the task)"
)

# What plainly asks for one kind of action: a second look pays, and the words allow it.
ASKS = (
    ask(r".{0,40}?\b(?:remind|nudge|ping) (?:me|us)\b(?! (?:what|who|when|where|why|how|which)\b)", "create_task"),
    ask(
        r"(?:don't|do not) (?:let me )?forget\b(?!,? (?:that )?i\b)|remember to\b"
        r"|(?:(?:my|these) )?(?:to-?dos?|tasks?|things to do) ?[:–-]|(?:i )?need a reminder\b",
        "create_task",
    ),
    ask(rf"(?:add|put|make|create|set|schedule|new|note|jot|write)\b.{{0,200}}?{_LIST}", "create_task"),
    ask(r"(?:don't|do not|never) forget,? (?:that )?i\b", "pin_memory"),
    ask(r"wake me\b|set (?:an? |my )?(?:timer|alarm)\b", "create_task"),
    ask(r"(?:remember|memori[sz]e|note|keep in mind|bear in mind)\b(?! (?:to|when|what|how|who)\b)", "pin_memory"),
    ask(
        r"(?:mark|tick|check|cross)\b(?!.{0,200}?\b(?:not |un-?)(?:done|finished|complete))"
        r".{0,200}?\b(?:done|off|complete|completed|finished)\b",
        "complete_task",
    ),
    ask(rf"(?:complete|finish|close)\b.{{0,200}}?{_TASK}", "complete_task"),
    ask(r"re-?open\b|(?:mark|set)\b.{0,200}?\b(?:not|un)[ -]?(?:done|finished|complete\w*)\b", "reopen_task"),
    ask(
        rf"(?:delete|remove|cancel|drop|clear|erase)\b.{{0,200}}?{_LIST}"
        rf"|take\b.{{0,200}}? (?:off|from|out of)\b.{{0,40}}?{_LIST}",
        "delete_task",
    ),
    ask(
        rf"(?:move|reschedule|postpone|push|shift|delay|rename|change|update)\b(?!.{{0,200}}?(?:{_EVENT}|{_CLOCK}))"
        r".{0,200}?\b(?:to|until|till|by|for|later|earlier)\b|(?:make|set)\b.{0,200}?\bdue\b|snooze\b",
        "update_task",
    ),
    ask(
        r"(?:forget|unlearn)\b|(?:delete|remove)\b.{0,200}?\bmemor(?:y|ies)\b"
        r"|(?:no,? )*(?:don't|do not) (?:remember|keep|save|store|memori[sz]e) (?:that|this|it)\b",
        "forget_memory",
    ),
    ask(r"stop (?:reminding|pinging|nudging) (?:me|us)\b|stop (?:the|my|that) .{1,80}? reminders?\b", "delete_task"),
    ask(
        r"(?:set|change|switch|use|update)\b.{0,200}?\b(?:time ?zone|work(?:ing)? ?hours|preferences?|settings?)\b",
        "set_preference",
    ),
    ask(
        r"(?:turn|switch) (?:on|off)\b.{0,40}?\b(?:notif\w+|reminders?|daily (?:summar\w+|briefings?))\b"
        r"|(?:turn|switch)\b.{0,40}?\b(?:notif\w+|reminders?|daily (?:summar\w+|briefings?)) (?:on|off)\b"
        r"|(?:enable|disable|mute)\b.{0,40}?\b(?:notif\w+|reminders?|daily (?:summar\w+|briefings?))\b",
        "set_preference",
    ),
    ask(r"(?:my )?(?:work(?:ing)? ?hours|time ?zone) (?:is|are)\b", "set_preference"),
    ask(r"(?:set|change|switch) my (?!.{0,60}?" + _EVENT + r")[a-z][a-z ]{1,60}? to\b", "set_preference"),
    ask(r"(?:(?:send|give|write) me|stop|no more|end)\b.{0,40}?\bdaily (?:summar\w+|briefings?)\b", "set_preference"),
    ask(
        rf"(?:add|put|create|schedule|enter|set up|make|new)\b.{{0,200}}?{_EVENT}|schedule\b(?!.{{0,40}}?{_TASK})",
        "create_event",
    ),
    ask(
        rf"(?:move|reschedule|postpone|push|shift|delay|rename|change|update)\b.{{0,200}}?(?:{_EVENT}|{_CLOCK})",
        "update_event",
    ),
    ask(rf"(?:delete|remove|cancel|drop|call off)\b.{{0,200}}?(?:{_EVENT}|{_CLOCK})", "delete_event"),
    ask(r"block\b.{0,200}?(?:\b\d{1,2}\b|\bmorning|\bafternoon|day\b)", "create_event"),
    ask(_SELECT, "select_flight"),
    ask(_FLIGHTS, "find_flights"),
)


_VERBS = r"add|create|put|make|note|jot|move|reschedule|postpone|push|shift|delay|delete|remove|cancel|drop|clear"


# What leaves room for a kind: the model may understand what no rule of ours does, but only of what was spoken of.
ROOM = (
    leave(
        rf"{_VERBS}|remind\w*|{_TASK}|forget|deadline|due|done|finish(?:ed)?|completed?|snooze|tick|check|cross|rename|priority"
        r"|need to|have to|has to|must|should|ought|make sure|follow up|buy|call|send"
        r"|stop reminding|i(?:'ve| have)?(?: just| already)? (?:\w+ed|bought|paid|sent|wrote|written"
        r"|took|got|made|did|fed|read)"
        r"|(?:is|are|has been|have been) \w+(?:ed|id|nt|tten)",
        TASKS,
    ),
    leave(
        rf"{_EVENT}|schedule|invite|book|lunch|dinner|breakfast|brunch|coffee|stand-?up|meet|party",
        EVENTS,
    ),
    leave(rf"(?:{_VERBS}|verschieb\w*|l(?:ö|oe)sch\w*).{{0,80}}?{_CLOCK}|cancel|reschedule|postpone", EVENTS),
    leave(r"remember|memori[sz]e|note|in mind|forget|unlearn|know that|fyi", MEMORIES),
    leave(r"vacation|holidays?|out of office|pto|day off|days off|off work|on leave", EVENTS),
    leave(r"call me", MEMORIES),
    leave(r"notes?|jot|write (?:this|that|it)? ?down|notiz\w*|notiere?", NOTES),
    leave(r"my \w[\w' ]{0,60}? (?:is|are)|i (?:like|love|prefer|hate|live|work|dislike|avoid|always|never)", MEMORIES),
    leave(
        r"time ?zone|work(?:ing)? ?hours|preferences?|settings?|notif\w+|daily summary"
        r"|i(?:'m| am) (?:now )?(?:in|on)|i (?:usually |normally )?work|my (?:preferred|favou?rite|home|usual|default)"
        r"|i prefer|fly with|fly (?:economy|premium economy|business|first)",
        frozenset({"set_preference"}),
    ),
    leave(rf"(?:{_VERBS}|set|change)\b.{{0,200}}?\bplan", frozenset({"set_plan"})),
    leave(r"please|bitte", frozenset({"create_task"})),
    leave(
        r"today|tonight|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day|daily|every \w+"
        r"|at \d{1,2}(?:[:.]\d\d)?(?: ?[ap]\.?m)?",
        NEW,
    ),
)
# It changes what was spoken of before, whatever that was.
FOLLOW_UP = re.compile(
    rf"\bundo\b|\b(?:{_VERBS}|make|change|set|mark|rename|re-?open|complete|finish|forget|keep|remember|save)\b.{{0,20}}?"
    r"\b(?:it|that|this|them)\b|\bcall (?:it|that|this) off\b"
    r"|\b(?:actually|no|sorry)\b.{0,20}?\b(?:it|that)(?:'s| is)\b",
    re.IGNORECASE,
)
