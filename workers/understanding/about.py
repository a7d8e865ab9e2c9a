"""What a message is about that asks to be told something: an agenda, a plan, a summary; English and German. Data."""

from __future__ import annotations

import re

from workers.understanding.german_words import german

_OWN_DAYS = r"(?:today|tomorrow|tonight|yesterday|week(?:end)?|month|(?:mon|tues|wednes|thurs|fri|satur|sun)day|day)"
_KEPT = (
    r"(?:agenda|calendar|schedule|meetings?|appointments?|events?|tasks?|to-?dos?|to-?do list|task list|reminders?"
    r"|deadlines?)"
)
_DAYS_GERMAN = german(r"(?:heute|morgen|übermorgen|gestern|woche|wochenende|monat|\w+tag|mittwoch|tag)")
_KEPT_GERMAN = german(
    r"(?:\w*termine?|aufgaben?|erinnerungen|kalender|\w*treffen|\w*meetings?|\w*besprechung(?:en)?|to-?dos?)"
)
_AGENDA_GERMAN = (
    rf"|\bwas steht\b|\bwas (?:habe ich|ist|liegt|mache ich)\b.{{0,60}}?\b(?:vor|an|los|{_DAYS_GERMAN})\b.{{0,40}}\?"
    rf"|\b(?:welche|was für|wie viele|hab(?:e)? ich|gibt es|wann (?:ist|habe|sind))\b.{{0,60}}?\b{_KEPT_GERMAN}\b.*\?"
    rf"|\b(?:zeige?|liste?|nenne?|lies)\b.{{0,40}}?\b{_KEPT_GERMAN}\b|^meine {_KEPT_GERMAN}[.!?]*$"
    rf"|\b(?:hab(?:e)? ich|bin ich)\b.{{0,60}}?\b(?:zeit|frei|verfügbar)\b"
    rf"|\bwas (?:ist|wäre) (?:noch )?(?:offen|fällig|überfällig)\b"
    rf"|\bwann ist (?:mein|der|die|das)\b.*\?|\bwas kommt\b.{{0,30}}\b{_DAYS_GERMAN}\b"
    rf"|\bmein(?:e)? (?:tag|woche|{_DAYS_GERMAN}) aus\b"
)
SUMMARY = re.compile(
    r"\b(?:summ(?:ary|ari[sz]e)|recap|wrap[- ]?up|review|zusammenfass\w*|fass\w*)\b"
    r".{0,60}?\b(?:week|day|today|yesterday|month|woche|tag)\b"
    r"|\b(?:weekly|daily) (?:summary|recap|review)\b|\b(?:week|day) in review\b"
    rf"|\bhow (?:was|is|did|has) my {_OWN_DAYS}\b"
    rf"|\bwhat (?:did|have) i (?:get done|do|done|accomplish|achieve|finish|complete)\w*\b.{{0,40}}?\b{_OWN_DAYS}\b"
    r"|\bwas habe? ich\b.{0,60}?\b(?:geschafft|erledigt|gemacht)\b|\bwie war mein(?:e)? (?:tag|woche)\b",
    re.IGNORECASE,
)

PLAN = re.compile(
    r"\bre-?plan\b|\b(?:plan|organi[sz]e|prioriti[sz]e) (?:out )?(?:my|our|the|for) (?:\w+ ){0,2}?"
    r"(?:day|today|tomorrow|morning|afternoon|\w+day)\b"
    r"|\bwhat(?:'s| is) the plan\b|\bplan (?:today|tomorrow|\w+day)\b|\bmy plan\b"
    r"|\bplan for (?:today|tomorrow|the day|\w+day)\b"
    r"|\b(?:day|daily) plan\b|\bmy (?:top )?priorities\b|\bwhat should i (?:focus|work) on\b"
    r"|\bwhat should i (?:do|start with|tackle|begin with)(?: first| next| now| today)?\?"
    + german(r"|\bplane? (?:mir |mal |bitte )?(?:meinen|den|mein(?:en)?) (?:tag|\w+tag|vormittag)\b|\btagesplan\b")
    + german(
        r"|\bplane (?:mir |mal )?(?:heute|morgen)\b|\bwas sind meine prioritäten\b|\bwomit soll(?:te)? ich anfangen\b"
    ),
    re.IGNORECASE,
)

PLAN_CHANGE = re.compile(
    r"\b(?:add|put|remove|delete|drop|take|cross)\b.{1,100}?\b(?:to|on|in|into|from|off|out of)\b.{0,20}?\bplan\b",
    re.IGNORECASE,
)

AGENDA = re.compile(
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
    r"|\bto-?do list\?|\bwhat (?:tasks|meetings|events|reminders)\b"
    rf"|\bwhat(?:'s| is) (?:still )?(?:left|open|outstanding)\b|\bwhat(?:'s| is) on (?:my list|my plate)\b"
    rf"|\bwhat does (?:the )?(?:next |this |coming )?{_OWN_DAYS} look like\b"
    rf"|\bhow does (?:my |next |this )?{_OWN_DAYS} look\b"
    r"|\bwhen(?:'s| is) (?:my|the|our)\b(?!.{0,60}\b(?:birthday|anniversary)\b).*\?"
    r"|\bwhat time (?:is|are|does|do) (?!it\b).*\?"
    r"|\bwhen (?:do|am|will|should) (?:i|we)\b.*\?|\b(?:who|where|what) am i (?:having|meeting|seeing|doing)\b.*\?"
    r"|\bhow many (?:things|items)\b.{0,40}\b(?:list|plate)\b" + _AGENDA_GERMAN,
    re.IGNORECASE,
)
