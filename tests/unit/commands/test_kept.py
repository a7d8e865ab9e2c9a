"""Memories, notes, preferences, conversations: what is kept for the user."""

from __future__ import annotations

import pytest

from commands.conversations import ChangeConversation
from commands.memory import ForgetMemory, PinMemory
from commands.messages import PostMessage
from commands.notes import AddNote, DeleteNote
from commands.preferences import SetPreference
from domain import limits
from domain.events import (
    ConversationArchived,
    ConversationRenamed,
    ConversationRestored,
    MemoryForgotten,
    MemoryPinned,
    NoteAdded,
    NoteDeleted,
    PreferenceSet,
)
from domain.values import Memory, Replaced
from tests.support.decider import Scenario

JFK = PinMemory(type="preference", key="favorite_airport", value="JFK", message_id="m_1")


def test_pinning_the_same_type_and_key_replaces_and_keeps_what_it_replaced() -> None:
    s = Scenario().given(JFK)
    (memory_id,) = s.brain.memories
    (event,) = s.when(PinMemory(type="preference", key="favorite_airport", value="EWR")).then(MemoryPinned)
    assert isinstance(event, MemoryPinned)
    assert event.memory_id == memory_id
    assert isinstance(event.content, Memory)
    assert event.content.replaced == Replaced(value="JFK", version=1, message_id="m_1")


def test_pinning_the_same_value_again_changes_nothing() -> None:
    Scenario().given(JFK).when(JFK).then_nothing()


def test_another_type_with_the_same_key_is_another_memory() -> None:
    s = Scenario().given(JFK, PinMemory(type="fact", key="favorite_airport", value="JFK"))
    assert len(s.brain.memories) == 2


def test_a_memory_is_forgotten_once() -> None:
    s = Scenario().given(JFK)
    (memory_id,) = s.brain.memories
    s.when(ForgetMemory(memory_id=memory_id)).then(MemoryForgotten)
    s.when(ForgetMemory(memory_id=memory_id)).then_refused("memory_unknown")


def test_memories_are_capped() -> None:
    s = Scenario().given(*(PinMemory(type="fact", key=f"k{n}", value="v") for n in range(limits.MEMORIES_MAX)))
    s.when(JFK).then_refused("memories_full")


def test_a_note_is_added_once_and_deleted_for_good() -> None:
    note = AddNote(note_id="note_1", note_ref="n_1", text="Budget")
    s = Scenario()
    s.when(note).then(NoteAdded)
    s.when(note).then_refused("note_exists")
    s.when(DeleteNote(note_id="note_1", note_ref="n_1")).then(NoteDeleted)
    s.when(DeleteNote(note_id="note_1", note_ref="n_1")).then_refused("note_unknown")


def test_a_notes_size_is_counted_in_bytes() -> None:
    fits = AddNote(note_id="n", note_ref="n", text="é" * (limits.NOTE_BYTES_MAX // 2))
    Scenario().when(fits).then(NoteAdded)
    too_long = AddNote(note_id="n", note_ref="n", text="é" * (limits.NOTE_BYTES_MAX // 2) + "x")
    Scenario().when(too_long).then_refused("text_too_long")


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("timezone", "Mars/Olympus", "timezone_unknown"),
        ("timezone", "../etc/passwd", "timezone_unknown"),
        ("timezone", "localtime", "timezone_unknown"),
        ("timezone", "right/UTC", "timezone_unknown"),
        ("timezone", 5, "timezone_unknown"),
        ("workHours", "9-17", "work_hours_invalid"),
        ("workHours", "17:00-09:00", "work_hours_invalid"),
        ("notifications", "all", "value_invalid"),
        ("anything", "x" * limits.PREFERENCE_BYTES_MAX, "value_too_large"),
    ],
)
def test_a_preference_that_others_could_not_rest_on_is_refused(key: str, value: object, code: str) -> None:
    Scenario().when(SetPreference(key=key, preference_ref=key, value=value)).then_refused(code)


def test_a_preference_is_set_and_set_again_only_when_it_differs() -> None:
    zone = SetPreference(key="timezone", preference_ref="p_1", value="America/New_York")
    s = Scenario()
    s.when(zone).then(PreferenceSet)
    s.when(zone).then_nothing()
    assert s.brain.timezone == "America/New_York"


def test_a_conversation_is_renamed_archived_and_restored() -> None:
    s = Scenario().given(PostMessage(channel="chat", text="Hi", conversation_id="c", conversation_ref="c_1"))
    s.when(ChangeConversation(conversation_ref="c_1", title=" Trip ", archived=True)).then(
        ConversationRenamed, ConversationArchived
    )
    s.when(ChangeConversation(conversation_ref="c_1", archived=True)).then_nothing()
    s.when(ChangeConversation(conversation_ref="c_1", archived=False)).then(ConversationRestored)
    s.when(ChangeConversation(conversation_ref="c_1", title=" ")).then_refused("title_invalid")
