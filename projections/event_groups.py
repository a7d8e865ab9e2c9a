"""Names of events in groups, for views to say which ones do not concern them. `DUE` and `LATER` are made of others."""

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
