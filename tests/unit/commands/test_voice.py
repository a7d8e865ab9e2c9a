"""Recordings that become messages or fail, and answers that are to be heard."""

from __future__ import annotations

import pytest

from commands.messages import PostMessage
from commands.preferences import SetPreference
from commands.sessions import CloseSession, OpenSession
from commands.voice import EndVoiceJob, KeepSpeech, StartVoiceJob
from domain import limits
from domain.events import (
    ConversationStarted,
    MessageReceived,
    ReplyRequested,
    SessionOpened,
    SpeechMade,
    VoiceJobEnded,
    VoiceJobStarted,
    VoiceRequest,
)
from tests.support.decider import Scenario

JOB = "v_0123456789abcdef0123456789abcdef"
MESSAGE = PostMessage(channel="voice", text="Call John", conversation_id="main", conversation_ref="c_main", speak=True)


def start(job_id: str = JOB, **request: str) -> StartVoiceJob:
    return StartVoiceJob(job_id=job_id, media_type="audio/ogg", bytes=7, speak=True, request=VoiceRequest(**request))


def say(text: str = "Hello", *, speak: bool = False) -> PostMessage:
    return PostMessage(channel="chat", text=text, conversation_id="main", conversation_ref="c_main", speak=speak)


def test_a_recording_that_is_understood_becomes_a_message_by_one_command() -> None:
    s = Scenario().given(start())
    assert s.brain.voice_jobs[JOB].status == "running"
    events = s.when(EndVoiceJob(job_id=JOB, message=MESSAGE)).then(
        SessionOpened, ConversationStarted, MessageReceived, ReplyRequested, VoiceJobEnded
    )
    received, requested, ended = events[-3:]
    assert isinstance(received, MessageReceived)
    assert isinstance(requested, ReplyRequested)
    assert isinstance(ended, VoiceJobEnded)
    assert (received.channel, received.speak, requested.reply.speak) == ("voice", True, True)
    assert (ended.status, ended.message_id) == ("completed", received.message_id)
    assert s.brain.voice_jobs[JOB].message_id == received.message_id


def test_a_recording_that_fails_says_why() -> None:
    s = Scenario().given(start())
    (ended,) = s.when(EndVoiceJob(job_id=JOB, code="bad_audio")).then(VoiceJobEnded)
    assert isinstance(ended, VoiceJobEnded)
    assert (ended.status, ended.message_id, ended.code) == ("failed", None, "bad_audio")


@pytest.mark.parametrize(
    ("text", "code"), [("", "nothing_heard"), (" \n", "nothing_heard"), ("x" * 8_001, "text_too_long")]
)
def test_words_that_are_no_message_leave_the_job_open_for_its_failure(text: str, code: str) -> None:
    message = PostMessage(channel="voice", text=text, conversation_id="main", conversation_ref="c_main")
    s = Scenario().given(start()).when(EndVoiceJob(job_id=JOB, message=message))
    s.then_refused(code)
    s.when(EndVoiceJob(job_id=JOB, code=code)).then(VoiceJobEnded)


def test_a_recording_ends_once() -> None:
    s = Scenario().given(start(), EndVoiceJob(job_id=JOB, code="bad_audio"))
    s.when(EndVoiceJob(job_id=JOB, message=MESSAGE)).then_refused("voice_job_over")
    s.when(EndVoiceJob(job_id="v_unknown", code="x")).then_refused("voice_job_over")


def test_only_so_many_recordings_wait_at_once() -> None:
    s = Scenario().given(*(start(f"v_{n:032x}") for n in range(limits.VOICE_JOBS_RUNNING_MAX)))
    s.when(start()).then_refused("voice_jobs_running")
    s.given(EndVoiceJob(job_id=f"v_{0:032x}", code="x")).when(start()).then(VoiceJobStarted)


def test_a_recording_counts_as_the_message_that_it_will_be() -> None:
    """It is refused when it comes, and never once it was understood."""
    s = Scenario().with_limits(messages_per_minute=1).given(start(), say())
    s.when(start("v_" + "1" * 32)).then_refused("messages_per_minute")
    s.when(EndVoiceJob(job_id=JOB, message=MESSAGE)).then(MessageReceived, ReplyRequested, VoiceJobEnded)


def test_a_session_must_be_there_when_a_recording_comes_and_may_go_meanwhile() -> None:
    s = Scenario().when(start(session_id="s_x"))
    s.then_refused("session_unknown")
    s.given(OpenSession(), OpenSession())
    first, second = s.brain.sessions
    s.given(start(session_id=first), CloseSession(session_id=first))
    message = PostMessage(
        channel="voice", text="Hello", conversation_id="main", conversation_ref="c_main", session_id=first
    )
    s.when(EndVoiceJob(job_id=JOB, message=message))
    assert s.events is not None
    (received,) = [event for event in s.events if isinstance(event, MessageReceived)]
    assert received.session_id == second


def test_who_prefers_to_hear_answers_hears_each_of_them() -> None:
    s = Scenario().given(SetPreference(key="speak", preference_ref="p_speak", value=True), say())
    (reply,) = s.brain.replies.values()
    assert reply.ref.speak


@pytest.mark.parametrize("value", [False, "true", 1, None])
def test_a_preference_that_is_anything_but_true_speaks_for_nobody(value: object) -> None:
    s = Scenario().given(SetPreference(key="speak", preference_ref="p_speak", value=value), say())  # type: ignore[arg-type]
    (reply,) = s.brain.replies.values()
    assert not reply.ref.speak


def test_speech_is_kept_for_replies_that_are_there() -> None:
    s = Scenario().given(say(speak=True))
    (reply_id,) = s.brain.replies
    speech = KeepSpeech(reply_id=reply_id, media_type="audio/mpeg", bytes=9, expires_at_ms=5)
    (made,) = s.when(speech).then(SpeechMade)
    assert made == SpeechMade(reply_id=reply_id, media_type="audio/mpeg", bytes=9, expires_at_ms=5)
    unknown = KeepSpeech(reply_id="m_unknown", media_type="audio/mpeg", bytes=9, expires_at_ms=5)
    s.when(unknown).then_refused("message_unknown")
