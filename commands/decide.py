"""`decide`: the one match from a command to the decider that judges it."""

from __future__ import annotations

from typing import assert_never

from commands.actions import (
    ApproveAction,
    RejectAction,
    RunAction,
    resolve_action,
    run_action,
)
from commands.calendar import (
    ImportCalendar,
    RemoveCalendarEvent,
    SetCalendarEvent,
    SyncCalendar,
    change_calendar,
)
from commands.context import CommandContext
from commands.conversations import ChangeConversation, DeleteConversation, change_conversation, delete_conversation
from commands.erasure import EraseUser, erase_user
from commands.memory import ForgetMemory, PinMemory, forget_memory, pin_memory
from commands.messages import (
    PostMessage,
    RegenerateReply,
    StopReply,
    post_message,
    regenerate_reply,
    stop_reply,
)
from commands.notes import AddNote, DeleteNote, add_note, delete_note
from commands.plans import SetPlan, set_plan
from commands.preferences import SetPreference, set_preference
from commands.reminders import FireReminder, fire_reminder
from commands.replies import (
    CompleteReply,
    EndReplyByTakeover,
    FailReply,
    StartReply,
    complete_reply,
    end_reply_by_takeover,
    fail_reply,
    start_reply,
)
from commands.sessions import CloseSession, OpenSession, close_session, open_new_session
from commands.tasks import (
    CompleteTask,
    CreateTask,
    DeleteTask,
    ReopenTask,
    UpdateTask,
    change_task,
    create_task,
)
from commands.travel import (
    KeepFlights,
    SelectFlight,
    StartFlightSearch,
    keep_flights,
    select_flight,
    start_flight_search,
)
from commands.voice import EndVoiceJob, KeepSpeech, StartVoiceJob, end_voice_job, keep_speech, start_voice_job
from commands.wishes import FireWish, fire_wish
from domain.brain import Brain
from domain.errors import Gone
from domain.events import BrainEvent

Command = (
    PostMessage
    | StopReply
    | RegenerateReply
    | StartReply
    | CompleteReply
    | FailReply
    | EndReplyByTakeover
    | RunAction
    | ApproveAction
    | RejectAction
    | CreateTask
    | UpdateTask
    | CompleteTask
    | ReopenTask
    | DeleteTask
    | PinMemory
    | ForgetMemory
    | AddNote
    | DeleteNote
    | SetPreference
    | FireReminder
    | FireWish
    | SetPlan
    | StartFlightSearch
    | KeepFlights
    | SelectFlight
    | SetCalendarEvent
    | RemoveCalendarEvent
    | ImportCalendar
    | SyncCalendar
    | StartVoiceJob
    | EndVoiceJob
    | KeepSpeech
    | OpenSession
    | CloseSession
    | ChangeConversation
    | DeleteConversation
    | EraseUser
)


def decide(command: Command, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """The events that `command` leads to; none when there is nothing to change. Raises `DomainError` to refuse."""
    if brain.erased:
        raise Gone("This user was erased.", code="erased")
    match command:
        case PostMessage():
            return post_message(command, brain, context)
        case StopReply():
            return stop_reply(command, brain, context)
        case RegenerateReply():
            return regenerate_reply(command, brain, context)
        case StartReply():
            return start_reply(command, brain, context)
        case CompleteReply():
            return complete_reply(command, brain, context)
        case FailReply():
            return fail_reply(command, brain, context)
        case EndReplyByTakeover():
            return end_reply_by_takeover(command, brain, context)
        case RunAction():
            return run_action(command, brain, context)
        case ApproveAction() | RejectAction():
            return resolve_action(command, brain, context)
        case CreateTask():
            return create_task(command, brain, context)
        case UpdateTask() | CompleteTask() | ReopenTask() | DeleteTask():
            return change_task(command, brain, context)
        case PinMemory():
            return pin_memory(command, brain, context)
        case ForgetMemory():
            return forget_memory(command, brain, context)
        case AddNote():
            return add_note(command, brain, context)
        case DeleteNote():
            return delete_note(command, brain, context)
        case SetPreference():
            return set_preference(command, brain, context)
        case FireReminder():
            return fire_reminder(command, brain, context)
        case FireWish():
            return fire_wish(command, brain, context)
        case SetPlan():
            return set_plan(command, brain, context)
        case StartFlightSearch():
            return start_flight_search(command, brain, context)
        case KeepFlights():
            return keep_flights(command, brain, context)
        case SelectFlight():
            return select_flight(command, brain, context)
        case SetCalendarEvent() | RemoveCalendarEvent() | ImportCalendar() | SyncCalendar():
            return change_calendar(command, brain, context)
        case StartVoiceJob():
            return start_voice_job(command, brain, context)
        case EndVoiceJob():
            return end_voice_job(command, brain, context)
        case KeepSpeech():
            return keep_speech(command, brain, context)
        case OpenSession():
            return open_new_session(command, brain, context)
        case CloseSession():
            return close_session(command, brain, context)
        case ChangeConversation():
            return change_conversation(command, brain, context)
        case DeleteConversation():
            return delete_conversation(command, brain, context)
        case EraseUser():
            return erase_user(command, brain, context)
        case _:
            assert_never(command)
