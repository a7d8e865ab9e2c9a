"""Every bound of the domain, with its unit in its name, and its reason where the name does not say it.

What an operator may change is in infra/settings.py.
"""

MESSAGE_CHARACTERS_MAX = 8_000  # a message is a thing said, not a document; documents are notes
NOTE_BYTES_MAX = 65_536
TITLE_CHARACTERS_MAX = 500
TASK_NOTES_CHARACTERS_MAX = 8_000
TAGS_MAX = 50
TAG_CHARACTERS_MAX = 64
CONTEXT_IDS_MAX = 100

TASKS_OPEN_MAX = 1_000  # the state carries them all, and evolve copies it
TASKS_DONE_KEPT_MAX = 1_000  # older ones stay in the views; they can no longer be reopened
MEMORIES_MAX = 500
MEMORY_KEY_CHARACTERS_MAX = 128
MEMORY_VALUE_CHARACTERS_MAX = 4_096
NOTES_MAX = 1_000
PREFERENCES_MAX = 200
PREFERENCE_BYTES_MAX = 16_384
SESSIONS_MAX = 100  # opening one more closes the oldest
CONVERSATIONS_MAX = 1_000

TOKENS_PER_CALL_MAX = 10_000_000  # of prompt or answer, that a model call may be said to have cost
REPLIES_WAITING_MAX = 100  # messages of one user that wait for their answer
REPLIES_KEPT_MAX = 50  # ended replies that can still be regenerated; every snapshot has them
CONTEXT_MESSAGES_KEPT_MAX = 40  # versions of the last messages of a conversation, for the prompt
CONTEXT_CONVERSATIONS_KEPT_MAX = 20  # conversations that keep them; a colder one asks the chat view
ACTIONS_PER_MESSAGE_MAX = 10
ACTIONS_KEPT_MAX = 500

PLANS_KEPT_MAX = 60  # newest ones; older plans stay in the views
PLAN_ENTRIES_MAX = 50
PLAN_ENTRY_CHARACTERS_MAX = 500
CALENDAR_EVENTS_MAX = 2_000  # not over yet or repeating; what is over for long makes room
CALENDAR_PAST_KEPT_MS = 35 * 86_400_000
CALENDAR_TEXT_CHARACTERS_MAX = 8_000
CALENDAR_EVENT_DAYS_MAX = 366  # that one takes; longer ones are mistakes, or no appointments
CALENDAR_EXCEPTIONS_MAX = 200  # occurrences of one event that do not happen, and as many that were moved
CALENDAR_IMPORT_MAX = 2_000  # entries of one file or one sync, as they go into the log by one command
CALENDAR_WINDOW_DAYS_MAX = 366  # of one query
ATTENDEES_MAX = 100
ATTENDEE_CHARACTERS_MAX = 320
TRIPS_MAX = 100
WORKFLOWS_KEPT_MAX = 20
OFFERS_KEPT_MAX = 12  # of one search, from the best down
VOICE_JOBS_KEPT_MAX = 100
VOICE_JOBS_RUNNING_MAX = 20  # recordings of one user that wait for their transcript
TRAVEL_NAMES_MAX = 50  # airlines or airports, in one list of the travel preferences
TRAVEL_NAME_CHARACTERS_MAX = 64

REMINDER_LATE_MAX_MS = 24 * 3_600_000  # what was due longer ago when it was set is overdue, and nobody's reminder
WISH_LATE_MAX_MS = 6 * 3_600_000  # a standing wish that was missed by more waits for its next day

RATE_WINDOW_MS = 60_000
RATE_MESSAGES_KEPT_MAX = 1_000  # upper bound of the setting MICROCOS_LIMIT_MESSAGES_PER_MINUTE
DAY_MS = 86_400_000
BUDGET_WARNED_SHARE = 0.8  # of a budget, from when the user is told
