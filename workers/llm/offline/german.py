"""What the offline model makes of a German sentence: tasks and reminders here, days and what is kept in its siblings.

Pure. In German the time may stand anywhere, and verbs stand at the end: titles are told as one would write them down.
"""

from __future__ import annotations

import re

from workers.llm.offline.german_days import german_event
from workers.llm.offline.german_kept import german_kept
from workers.llm.offline.tasks import about_task
from workers.llm.offline.words import NO_NAME, Rule, Said, first_made, rule, squeeze, title_of
from workers.understanding.german_words import GERMAN_MOVED_BY, TO_WITHIN, german
from workers.understanding.time_words import ENDS_WITH_DATE, WHEN, pattern, split_anywhere

_TASK = german(r"(?:aufgabe|erinnerung|to-?do)")
_THE_TASK = rf"(?:(?:die|meine|das) )?(?:{_TASK} (?:an (?:de[nr]|die|das) |an |zu |zum |namens |: ?)?)?"
_LIST = r"(?:die|der|meine|meiner|den) \w*(?:liste|aufgaben|to-?dos)"
_MOVED = rf"(?P<when>{WHEN}|\d{{1,2}}(?:[:.]\d\d)?)"
_DONE = r"(?:erledigt|fertig|gemacht|abgehakt|geschafft)"

_ARTICLE = re.compile(r"^(?:de[nrm]|die|das|einen?|eine[mr]?|meine[nrm]?|mein|unsere?n?) (?=\S)", re.IGNORECASE)
_VERB_BEHIND = re.compile(r" \w+n$")
_THAT_I = re.compile(r"dass (?:ich|wir) ", re.IGNORECASE)
_DUTY_BEHIND = re.compile(german(r" (?:muss|soll|müssen|sollen)$"), re.IGNORECASE)
# "Milch zu kaufen" is written down as "Milch kaufen".
_WITH_TO = re.compile(r"\bzu (?=\w+n$)", re.IGNORECASE)
_TALK = german(
    r"(?!.*\b(?:was|wer|wann|wo|warum|wie|ob|gestern|zugeben|sagen|gestehen|war|hatte"
    r"|nicht(?!-| vergessen\b)|nie|niemals|kein\w*)\b)"
)
# In German the "not" of an order stands behind what it is about: "Lösche die Aufgabe Miete nicht".
_NOT = re.compile(r"\b(?:nicht|nie|niemals)\b", re.IGNORECASE)
_NOT_BEHIND = re.compile(r"\b(?:nicht|nie|niemals)(?: mehr)?$", re.IGNORECASE)
_NONE = re.compile(r"kein\w*\b(?!-)", re.IGNORECASE)
# A name that begins so, "die Aufgabe kein Zucker", or reads like a task, "kein Zucker kaufen", is no order.
_NAMED = re.compile(r"(?::|\b(?:aufgabe|erinnerung|termin|to-?do)) ?\W?kein\w*\b", re.IGNORECASE)
_READS_LIKE_A_TASK = re.compile(r"\w+ \S.* [a-zäöüß]\w*n$")
# With a question mark these ask for something all the same; what is told, with one, is a question.
_ORDER = pattern(
    german(
        r"(?:mich|uns|bitte|erinner|vergiss|denk|neue|eine|erstell|leg|mach|setz|schreib|pack|füg|nimm|tu|hak|markier"
        r"|öffne|lösch|entfern|streich|verschieb|verleg|benenn|trag|plan|vereinbar|sag|stornier|merk|behalt|stell|wechs"
        r"|änder|termin|ein neuer|.* (?:eintragen|setzen)$)"
    )
)
_ONLY_TIME = pattern(rf"(?:{WHEN})")


def german_wish(sentence: str) -> Said | None:
    """The tool that a German sentence asks for, with its arguments."""
    bare = sentence.strip(" !?")
    bare = bare if ENDS_WITH_DATE.search(bare) else bare.strip(" .!?")
    if sentence.rstrip().endswith("?") and _ORDER.match(bare) is None:
        return None
    said = german_kept(bare) or german_event(bare) or first_made(_RULES, bare)
    return None if said is None or _is_not_wanted(said, bare) else said


def _is_not_wanted(said: Said, sentence: str) -> bool:
    """Whether the order was that it is not to be done."""
    tool, arguments = said
    named = arguments.get("title") or arguments.get("event") or ""
    if tool.startswith("create_") and ":" in sentence:
        return False  # what stands behind a colon is a name: "Neue Aufgabe: der Drucker geht nicht"
    if _NOT_BEHIND.search(named) is not None:
        return True
    is_none = tool != "create_task" and _NONE.match(named) is not None
    return is_none and _NAMED.search(sentence) is None and _READS_LIKE_A_TASK.match(named) is None


def german_title(text: str) -> str:
    text = _THAT_I.sub("", _DUTY_BEHIND.sub("", title_of(text)), count=1)
    text = _ARTICLE.sub("", title_of(text), count=1)
    return TO_WITHIN.sub(r"\1", _WITH_TO.sub("", text))


def _new(what: str, *whens: str) -> Said | None:
    """None where nobody knows what is to be done, and where the time is still in the title."""
    title, when = split_anywhere(what)
    title = german_title(title.strip(" ,"))
    if not title or NO_NAME.fullmatch(title) or _ONLY_TIME.fullmatch(title) is not None:
        return None
    due = " ".join(squeeze(part) for part in (*whens, when) if part)
    return "create_task", {"title": title, "due_text": due} if due else {"title": title}


def _remind(match: re.Match[str]) -> Said | None:
    if _NOT.search(match["before"] or ""):
        return None  # "Erinnere mich nicht mehr an …"
    return _new(match["what"], match["before"] or "")


def _add(match: re.Match[str]) -> Said | None:
    return _new(match["what"], match.groupdict().get("when") or "")


def _duty(match: re.Match[str]) -> Said | None:
    """What has to be done is a task where it says when, and ends in a verb: "morgen früh raus" does not."""
    made = _new(match["what"])
    is_task = made is not None and "due_text" in made[1] and _VERB_BEHIND.search(made[1]["title"]) is not None
    return made if is_task else None


def _complete(match: re.Match[str]) -> Said | None:
    return about_task("complete_task", german_title(match["what"]))


def _finished(match: re.Match[str]) -> Said | None:
    return about_task("complete_task", german_title(match["done"] or match["what"]))


def _reopen(match: re.Match[str]) -> Said | None:
    return about_task("reopen_task", german_title(match["what"]))


def _delete(match: re.Match[str]) -> Said | None:
    return about_task("delete_task", german_title(match["what"]))


def _moved(match: re.Match[str]) -> Said | None:
    wish = about_task("update_task", german_title(match["what"]))
    when = match["by"] or match["when"] or match["alone"]
    return wish and (wish[0], {**wish[1], "due_text": squeeze(when)})


def _rename(match: re.Match[str]) -> Said | None:
    wish, new = about_task("update_task", german_title(match["what"])), title_of(match["new"])
    return (wish[0], {**wish[1], "new_title": new}) if wish and new else None


_WHAT = r"(?P<what>\S.*?)"
_RULES: tuple[Rule[Said], ...] = (
    rule(
        r"erinnere? (?:mich|uns)(?: bitte)?(?P<before>(?: \S+){0,8}?)"
        rf",? (?:(?:daran|dran)\b,?(?: dass (?:ich|wir)\b)? |(?:an|ans|dass (?:ich|wir)) ){_WHAT}",
        _remind,
    ),
    rule(
        r"(?:mich|uns)(?: bitte)?(?P<before>(?: \S+){0,8}?),? (?:daran,? |dran,? |an |ans )"
        rf"{_WHAT},?(?: zu)? erinnern",
        _remind,
    ),
    rule(rf"(?:vergiss (?:bitte )?nicht|denke? (?:bitte )?(?:daran|dran)),?(?: an)?(?P<before>) {_WHAT}", _remind),
    rule(rf"(?:eine )?(?:neue )?{_TASK} ?[:–-] ?{_WHAT}", _add),
    rule(
        rf"(?:erstelle?|lege?|mache?|neue)(?: mir)?(?: eine)?(?: neue)? {_TASK}(?: an)?(?: ?:| zu| zum|,)? {_WHAT}",
        _add,
    ),
    rule(
        german(r"(?:setze?|schreibe?|packe?|füge?|nimm|tu)(?: mir)?(?: bitte)? ")
        + german(rf"{_WHAT} (?:auf|in|zu) {_LIST}(?: hinzu)?(?: (?P<when>{WHEN}))?"),
        _add,
        needs="liste|aufgaben|to-?dos",
    ),
    rule(german(rf"(?:ich|wir) (?:muss|müssen|soll|sollte|sollten) (?:noch )?{_TALK}{_WHAT}"), _duty),
    rule(rf"(?:hake?) {_THE_TASK}{_WHAT} ab", _complete),
    rule(rf"markiere? {_THE_TASK}{_WHAT} als (?:nicht |un){_DONE}", _reopen),
    rule(rf"markiere? {_THE_TASK}{_WHAT} als {_DONE}", _complete),
    rule(rf"{_THE_TASK}{_WHAT} (?:ist|sind) (?:doch )?(?:noch )?nicht {_DONE}", _reopen),
    rule(rf"{_THE_TASK}{_WHAT} (?:ist|sind) (?:jetzt |schon |bereits )?{_DONE}", _complete),
    rule(rf"(?:ich habe?|habe?(?! ich\b)) {_WHAT} {_DONE}|erledigt: ?(?P<done>\S.*)", _finished),
    rule(german(rf"öffne {_THE_TASK}{_WHAT} (?:wieder|erneut)"), _reopen),
    rule(german(rf"(?:lösche?|entferne?|streiche?|nimm) {_THE_TASK}{_WHAT} (?:von|aus) {_LIST}"), _delete),
    rule(
        german(
            rf"(?:lösche?|entferne?|streiche?) (?:die |meine |das )?{_TASK} (?:an (?:de[nr]|die|das) |an |zu )?{_WHAT}"
        ),
        _delete,
    ),
    rule(
        german(
            rf"(?:verschiebe?|verlege?) {_THE_TASK}{_WHAT} "
            rf"(?:(?P<by>{GERMAN_MOVED_BY})|(?:auf|bis|nach)(?: de[nm])? {_MOVED}|(?P<alone>{WHEN}))"
        ),
        _moved,
        needs="verschieb|verleg",
    ),
    rule(rf"benenne? {_THE_TASK}{_WHAT} (?:in|zu) (?P<new>\S.*?) um", _rename),
)
