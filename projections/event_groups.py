"""Names of events in groups, for views to say which ones do not concern them. Each event is in one small group at most;
`DUE` and `LATER` are groups of groups.
"""

from __future__ import annotations

CALENDAR = frozenset({"CalendarEventAdded", "CalendarEventChanged", "CalendarEventRemoved"})
REMINDERS = frozenset({"ReminderFired"})
WISHES = frozenset({"WishScheduled"})
BUDGETS = frozenset({"BudgetWarned"})
DUE = REMINDERS | WISHES | BUDGETS
TRAVEL = frozenset(
    {"TripDetected", "TripForgotten", "FlightSearchStarted", "FlightsFound", "FlightSelected", "BookingStepTaken"}
)
VOICE = frozenset({"VoiceJobStarted", "VoiceJobEnded", "SpeechMade"})
DAY = frozenset({"PlanSet"})
LATER = DAY | CALENDAR | DUE | TRAVEL | VOICE
