"""Names of events in groups, for views to say which ones do not concern them. Each event is in one group at most."""

from __future__ import annotations

CALENDAR = frozenset({"CalendarEventAdded", "CalendarEventChanged", "CalendarEventRemoved"})
DUE = frozenset({"ReminderFired", "WishScheduled", "BudgetWarned"})
TRAVEL = frozenset(
    {"TripDetected", "TripForgotten", "FlightSearchStarted", "FlightsFound", "FlightSelected", "BookingStepTaken"}
)
VOICE = frozenset({"VoiceJobStarted", "VoiceJobEnded", "SpeechMade"})
DAY = frozenset({"PlanSet"})
LATER = DAY | CALENDAR | DUE | TRAVEL | VOICE
