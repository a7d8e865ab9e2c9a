"""What German words ask for: tables of patterns beside those of asking.py, read in the same way. Data, and no logic."""

from __future__ import annotations

import re

from workers.understanding.asking import EVENTS, MEMORIES, NEW, NOTES, TASKS, Ask, ask, leave
from workers.understanding.german_words import german

_TASK = german(r"\b(?:aufgaben?|erinnerung(?:en)?|to-?dos?)\b")
_LIST = rf"(?:{_TASK}|\b\w*liste\b)"
_EVENT = german(
    r"\b(?:\w*kalender|\w*termine?s?|\w*treffen|\w*besprechung(?:en)?|\w*meetings?|verabredung|mittagessen|abendessen)\b"
)
_DROP = german(r"(?:lösch\w*|entfern\w*|streich\w*)")
_MOVE = german(r"(?:verschieb\w*|verleg\w*|änder\w*|benenn\w*)")
_PLACE = german(r"(?:erste|zweite|dritte|vierte|fünfte|letzte|günstigste|billigste|schnellste|früheste|beste)[nrs]?")

ASKS_GERMAN: tuple[Ask, ...] = (
    ask(r"erinnere? (?:mich|uns)\b|.{0,200}\b(?:mich|uns)\b.{0,200}\berinnern\b", "create_task"),
    ask(
        rf"(?:neue |eine )?{_TASK} ?[:–-]|vergiss (?:bitte )?nicht\b|denke? (?:bitte )?(?:daran|dran)\b", "create_task"
    ),
    ask(
        german(
            rf"(?:setze?|schreibe?|packe?|füge?|nimm|tu|erstelle?|lege?|mache?|neue)\b(?!.{{0,200}}{_EVENT}).{{0,200}}?"
        )
        + _LIST,
        "create_task",
    ),
    ask(
        r"(?:hake?|hak)\b.{0,200}?\bab\b|markiere?\b.{0,200}?(?<!nicht )(?<!un)\b(?:erledigt|fertig)\b", "complete_task"
    ),
    ask(german(r"öffne\b.{0,200}\bwieder\b|markiere?\b.{0,200}?\b(?:nicht |un)(?:erledigt|fertig)\b"), "reopen_task"),
    ask(rf"{_DROP}\b.{{0,200}}?{_LIST}", "delete_task"),
    ask(rf"{_MOVE}\b(?!.{{0,200}}{_EVENT}).{{0,200}}?\b(?:auf|um|bis|in|nach)\b", "update_task"),
    ask(rf"{_MOVE}\b.{{0,200}}?{_EVENT}", "update_event"),
    ask(rf"sage?\b.{{0,200}}?\bab\b|(?:{_DROP}|storniere?)\b.{{0,200}}?{_EVENT}", "delete_event"),
    ask(
        german(r"(?:trage?|schreibe?|setze?|packe?|nimm|mache?|erstelle?|lege?|plane?|vereinbare?|neue[rns]?|füge?)\b")
        + rf".{{0,200}}?{_EVENT}",
        "create_event",
    ),
    ask(r"merke? (?:dir|mir)\b(?! das nicht)|behalte? (?:dir )?\b", "pin_memory"),
    ask(r"vergiss\b(?! (?:bitte )?nicht\b)|merke? dir das nicht\b", "forget_memory"),
    ask(
        german(r"(?:stell\w*|setz\w*|änder\w*|wechs\w*)\b.{0,100}?\b(?:zeitzone|arbeitszeit\w*|einstellung\w*)\b")
        + r"|meine (?:arbeitszeit\w*|zeitzone) (?:ist|sind|geht)\b",
        "set_preference",
    ),
    ask(
        german(rf"(?:nimm|ich nehme|buche?|wähle?|reserviere?)\b.{{0,40}}?\b{_PLACE}\b")
        + rf"|(?:de[nr] |die |das )?{_PLACE}(?: (?:flug|option|bitte))?[.!]?$",
        "select_flight",
    ),
    ask(
        german(
            r"(?:ich )?(?:suche?|finde?|zeige?|brauche|will|möchte)\b.{0,80}?\bfl(?:ug|üge)\b"
            r"|fl(?:ug|üge) (?:von|nach|ab)\b"
        )
        + german(
            r"|(?:ich (?:will|möchte|muss) .{0,40}?\bnach\b.{0,40}?\bfliegen\b"
            r"|(?:was kostet|gibt es|welche)\b.{0,40}?\bfl(?:ug|üge)\b)"
        ),
        "find_flights",
    ),
)
GONE_GERMAN = rf"{_DROP}\b.{{0,80}}?\bnotiz(?:en)?\b"

ROOM_GERMAN: tuple[Ask, ...] = (
    leave(
        german(
            r"erinner\w*|aufgaben?|vergiss|erledig\w*|fertig|verschieb\w*|verleg\w*|lösch\w*|entfern\w*|muss|müssen|soll\w*"
            r"|streich\w*|hake?|\w*liste|(?:ist|sind|habe?|wurden?) .{0,80}\w+(?:t|en)|öffne|benenne?|nenne?"
        ),
        TASKS,
    ),
    leave(_EVENT + r"|verabred\w*|storniere?|sage? .{1,80} ab|ich bin .{0,60}(?:im urlaub|in urlaub|verreist)", EVENTS),
    leave(rf"(?:{_DROP}|{_MOVE})\b.{{0,80}}?\d{{1,2}} ?uhr", EVENTS),
    leave(r"merke?|merken|vergiss", MEMORIES),
    leave(
        german(
            r"(?:mein|meine|meinen) \w[\w ]{0,60}? (?:ist|sind|heißt|heißen|hat)"
            r"|ich (?:mag|liebe|hasse|wohne|arbeite|heiße"
        )
        + r"|bevorzuge|esse|trinke|bin (?:vegetarier\w*|veganer\w*|allergisch))",
        MEMORIES,
    ),
    leave(r"zeitzone|arbeitszeit\w*|einstellung\w*|ich arbeite|heimatflughafen", frozenset({"set_preference"})),
    leave(german(r"heute|morgen|übermorgen|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|um \d{1,2}"), NEW),
    leave(r"notiz\w*|notiere?", NOTES),
)
# It changes what was spoken of before, whatever that was.
FOLLOW_UP_GERMAN = re.compile(
    german(
        r"\brückgängig\b|\b(?:mach\w*|verschieb\w*|verleg\w*|lösch\w*|streich\w*|vergiss|setz\w*|ändere?|merk\w*)\b.{0,20}?"
        r"\b(?:das|es|ihn|sie|draus|daraus|dies\w*)\b|\b(?:draus|daraus)\b|\bdoch (?:nicht|lieber)\b"
    ),
    re.IGNORECASE,
)
QUESTION_GERMAN = (
    r"was|wer|wen|wem|wann|wo|wohin|woher|warum|wieso|wie|welche\w*|hab(?:e)? ich|bin ich|gibt es|ist|sind|war|weißt du"
)
