"""The judges of a kill test, judged: a sound stream passes each, and each planted violation is caught."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest

from commands.tasks import CreateTask
from domain.events import Fact, MessageReceived, ReplyCompleted, ReplyStarted, TaskCreated
from domain.frames import frame_of
from domain.values import Task
from tests.support import checkers
from tests.support.chaos_client import ChaosClient, Follower, as_sent
from tests.support.histories import History as Stream
from tests.support.history import History, Op


def sound_stream() -> list[Fact]:
    """A task, a message that was answered at the second attempt, and one that was answered at once."""
    stream = Stream("00/u").do(CreateTask(task=Task(title="one")))
    return stream.say("hard").start().start().answer("at last").say("easy").answer("at once").facts


def told(facts: list[Fact]) -> list[Op]:
    """What clients were told of it."""
    ops = []
    for fact in facts:
        match fact.event:
            case TaskCreated(task_id=task_id, content=task):
                body: dict[str, Any] = {"id": task_id, "version": fact.meta.end_version}
                sent: dict[str, Any] = {"task": {"title": task.title}}
                ops.append(Op("c", "create_task", task.title, 0, 1, 201, text=json.dumps(body), sent=sent))
            case MessageReceived(message_id=message_id, content=message):
                reply = next(f.event.reply.reply_id for f in facts if f.version == fact.version + 1)
                body = {"messageId": message_id, "replyId": reply, "version": fact.meta.end_version}
                sent = {"text": message.text}
                ops.append(Op("c", "message", message.text, 0, 1, 202, text=json.dumps(body), sent=sent))
    return ops


def without(facts: list[Fact], kind: type) -> list[Fact]:
    place = max(place for place, fact in enumerate(facts) if isinstance(fact.event, kind))
    return [*facts[:place], *facts[place + 1 :]]


def doubled(facts: list[Fact], kind: type) -> list[Fact]:
    last = next(fact for fact in reversed(facts) if isinstance(fact.event, kind))
    return [*facts, replace(last, version=len(facts) + 1)]


def test_a_sound_stream_passes() -> None:
    facts = sound_stream()
    ops = told(facts)

    assert checkers.acknowledged_once(ops, facts) == []
    assert checkers.texts_once(ops, facts) == []
    assert checkers.replies_end_once(facts) == []
    assert checkers.attempts_are_fenced(facts) == []
    assert checkers.attempts_of(facts) == {"hard": 2, "easy": 1}
    assert checkers.model_calls_are_counted(facts, {"hard": 2, "easy": 1}) == []
    assert checkers.usage_of(facts)["completed"] == 2


@pytest.mark.parametrize("kind", [TaskCreated, MessageReceived])
def test_what_was_acknowledged_and_is_gone_is_caught(kind: type) -> None:
    facts = sound_stream()

    assert checkers.acknowledged_once(told(facts), without(facts, kind))
    assert checkers.texts_once(told(facts), without(facts, kind))


@pytest.mark.parametrize("kind", [TaskCreated, MessageReceived])
def test_what_happened_twice_is_caught(kind: type) -> None:
    facts = sound_stream()

    assert checkers.acknowledged_once(told(facts), doubled(facts, kind))
    assert checkers.texts_once(told(facts), doubled(facts, kind))


def test_what_nobody_sent_is_caught() -> None:
    facts = sound_stream()

    assert checkers.texts_once(told(facts)[1:], facts)


def test_a_reply_without_an_end_or_with_two_is_caught() -> None:
    facts = sound_stream()

    assert checkers.replies_end_once(without(facts, ReplyCompleted))
    assert checkers.replies_end_once(doubled(facts, ReplyCompleted))


def test_a_word_of_an_old_attempt_is_caught() -> None:
    facts = sound_stream()
    place = next(p for p, f in enumerate(facts) if isinstance(f.event, ReplyCompleted) and f.event.attempt == 2)
    facts[place] = replace(facts[place], event=replace(cast(ReplyCompleted, facts[place].event), attempt=1))

    assert checkers.attempts_are_fenced(facts)


def test_an_attempt_after_the_end_is_caught() -> None:
    assert checkers.attempts_are_fenced(doubled(sound_stream(), ReplyStarted))


def test_a_call_that_no_attempt_stands_for_is_caught() -> None:
    assert checkers.model_calls_are_counted(sound_stream(), {"hard": 3, "easy": 1})


async def follower_of(frames: list[dict[str, Any]], *, after_version: int = 0) -> Follower:
    async with httpx.AsyncClient(verify=False, trust_env=False) as http:
        client = ChaosClient("c", "", ["http://127.0.0.1:1"], http, History(), "0")
        follower = Follower(client, "s", http)
    follower.facts = as_sent(frames)
    follower.after_version = after_version
    return follower


def frames_of(facts: list[Fact]) -> list[dict[str, Any]]:
    return [frame.data for fact in facts if (frame := frame_of(fact)) is not None]


async def test_a_follower_who_was_told_everything_once_passes() -> None:
    facts = sound_stream()

    assert checkers.stream_is_exact(await follower_of(frames_of(facts)), facts) == []
    assert checkers.stream_is_exact(await follower_of(frames_of(facts)[1:], after_version=1), facts) == []


async def test_a_fact_that_never_came_came_twice_or_came_otherwise_is_caught() -> None:
    facts = sound_stream()
    frames = frames_of(facts)

    assert checkers.stream_is_exact(await follower_of(frames[:2] + frames[3:]), facts)
    assert checkers.stream_is_exact(await follower_of(frames[:2] + frames[1:]), facts)
    assert checkers.stream_is_exact(await follower_of([{**frames[0], "origin": "nobody"}, *frames[1:]]), facts)


async def test_an_event_with_the_id_of_the_one_before_is_caught() -> None:
    follower = await follower_of([])
    event = {"event": "task.created", "id": "g.1", "data": {"type": "task.created", "version": 1}}
    follower.take_event(event)

    with pytest.raises(AssertionError):
        follower.take_event({**event, "data": {"type": "task.created", "version": 2}})
