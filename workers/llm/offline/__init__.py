"""The language model that needs no network and no key: rules over what the user says, by which tools are called and
answers are made.

model.py      the port `LanguageModel`        words.py     how rules are written and read
intents.py    a message, taken apart          followups.py "it", "that", "undo": what came before
tasks.py, done.py, days.py, memories.py, notes.py, preferences.py    what a sentence asks for, in English
german.py, german_days.py, german_kept.py     the same in German
sections.py   the prompt, as it is read       answers.py, agenda.py  what is said when no tool was asked for
"""
