"""Names of events in groups, for views to say which ones do not concern them. `SPINE`, `DUE` and
`LATER` are made of others."""

from __future__ import annotations

CONVERSATIONS = frozenset(
    {
        *("ConversationStarted", "ConversationRenamed", "ConversationArchived", "ConversationRestored"),
        "ConversationDeleted",
    }
)
SESSIONS = frozenset({"SessionOpened", "SessionClosed"})
MESSAGES = frozenset({"MessageReceived"})
REPLIES = frozenset(
    {"ReplyRequested", "ReplyStarted", "ReplyStopRequested", "ReplyCompleted", "ReplyFailed", "ReplyStopped"}
)
ACTIONS = frozenset({"ActionCreated", "ActionResolved"})
TASKS = frozenset({"TaskCreated", "TaskUpdated", "TaskCompleted", "TaskReopened", "TaskDeleted"})
KEPT = frozenset({"MemoryPinned", "MemoryForgotten", "NoteAdded", "NoteDeleted", "PreferenceSet"})
SPINE = CONVERSATIONS | SESSIONS | MESSAGES | REPLIES | ACTIONS | TASKS | KEPT
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
