"""Replies that do not go as they should: models that fail, users who stop, workers that die. Every port in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from commands.conversations import DeleteConversation
from commands.handle import Handled
from commands.replies import Ending, EndReplyByTakeover
from domain.brain import Brain
from domain.errors import StaleAttempt, Unavailable
from domain.events import (
    ReplyFailed,
    ReplyStarted,
    ReplyStopped,
    TaskCreated,
)
from domain.values import ModelUsage
from infra import failpoints
from tests.support.waiting import until
from tests.support.worker_world import ScriptedModel, failure, open_world, tool_call
from workers.confirmations import sorry

JOHN = tool_call("create_task", '{"title": "call John", "due_text": "Friday at 5"}')
JOHN_DONE = "Done: call John — due Friday 2025-11-21 17:00."


async def test_a_failed_call_is_tried_again_as_a_new_attempt() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Half an ans", failure("truncated")], ["A whole answer"])
        reply_id = await world.post("Hi")
        await world.serve(await world.worker(model))
        starts = await world.events(ReplyStarted)
        assert [(start.attempt, start.tries, start.owner) for start in starts] == [
            (1, 1, "worker-1"),
            (2, 2, "worker-1"),
        ]
        assert await world.published(reply_id, 1) == "Half an ans"
        end = await world.ending(reply_id)
        assert end.content.text == "A whole answer" == await world.published(reply_id, 2)
        # What the broken attempt cost is counted too.
        assert end.usage.input_tokens > 10
        assert end.usage.estimated


async def test_when_all_tries_fail_the_text_so_far_ends_with_a_sentence_of_ours() -> None:
    async with open_world(llm_attempts=2) as world:
        model = ScriptedModel([failure()], ["Half an ans", failure("timeout")])
        reply_id = await world.post("Hi")
        await world.serve(await world.worker(model))
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyFailed)
        assert (end.code, end.attempt, len(model.calls)) == ("timeout", 2, 2)
        assert end.content.text == f"Half an ans\n\n{sorry('timeout')}" == await world.published(reply_id, 2)


@pytest.mark.parametrize(
    "error", [failure("refused", retryable=False), failure("rate_limited", retry_after_seconds=3600)]
)
async def test_what_another_try_cannot_help_soon_fails_at_once(error: Any) -> None:
    async with open_world() as world:
        model = ScriptedModel([error])
        reply_id = await world.post("Hi")
        await world.serve(await world.worker(model))
        end = await world.ending(reply_id)
        assert (end.code, end.content.text, len(model.calls)) == (error.code, sorry(error.code), 1)
        assert end.usage.total_tokens == 0


async def test_a_model_that_says_nothing_at_all_has_failed() -> None:
    async with open_world(llm_attempts=1) as world:
        reply_id = await world.post("Hi")
        await world.serve(await world.worker(ScriptedModel([""])))
        assert (await world.ending(reply_id)).code == "bad_answer"


async def test_a_prompt_that_is_too_long_is_halved_and_sent_again() -> None:
    async with open_world() as world:
        model = ScriptedModel(
            ["a " * 400], [failure("context_too_long", retryable=False)], ["ok"], context_tokens_max=2_000
        )
        replies = [await world.post("x " * 800), await world.post("and now?")]
        await world.serve(await world.worker(model))
        assert (await world.ending(replies[1])).content.text == "ok"
        sizes = [sum(len(message.content) for message in call.messages) for call in model.calls]
        assert sizes[2] < sizes[1]


async def test_an_error_of_ours_ends_the_message_too() -> None:
    async with open_world(llm_attempts=2) as world:
        reply_id = await world.post("Hi")
        await world.serve(await world.worker(ScriptedModel(["a", KeyError("a mistake")])))
        assert (await world.ending(reply_id)).code == "internal_error"


async def test_a_stop_ends_the_reply_with_the_text_that_was_published() -> None:
    async with open_world() as world:
        model = ScriptedModel(["One, two", asyncio.Event(), "three"])
        reply_id = await world.post("Count")
        consumer = await world.worker(model)
        await world.starts_to_speak(consumer)
        await world.stop(reply_id)
        await world.idle(consumer)
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyStopped)
        assert end.content.text == "One, two" == await world.published(reply_id, 1)
        assert model.closed == 1


async def test_no_action_commits_after_a_stop() -> None:
    async with open_world() as world:
        gate = asyncio.Event()
        model = ScriptedModel(["Well", gate, JOHN, "never said"])
        reply_id = await world.post("Remind me to call John on Friday at 5")
        consumer = await world.worker(model)
        # The worker does not hear of the stop: it is the decision about the action that notices.
        consumer.receive = lambda user_id, facts: None  # type: ignore[method-assign]
        await world.starts_to_speak(consumer)
        await world.stop(reply_id)
        gate.set()
        await world.idle(consumer)
        assert isinstance(await world.ending(reply_id), ReplyStopped)
        assert not await world.events(TaskCreated)


async def test_a_store_that_is_away_when_a_stop_is_found_out_costs_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_world() as world:
        gate = asyncio.Event()
        reply_id = await world.post("Remind me to call John on Friday at 5")
        consumer = await world.worker(ScriptedModel(["Well", gate, JOHN, "never said"]))
        # The decision about the action notices the stop, and just then the store goes away.
        consumer.receive = lambda user_id, facts: None  # type: ignore[method-assign]
        handler, refused = consumer.desk.handler, asyncio.Event()
        handle, refresh = handler.handle, handler.states.refresh

        async def refused_handle(*command: Any) -> Handled:
            try:
                return await handle(*command)
            except StaleAttempt:
                refused.set()
                raise

        async def refresh_of_an_absent_store(user_id: str) -> Brain:
            if refused.is_set():
                refused.clear()
                raise Unavailable("made to fail")
            return await refresh(user_id)

        monkeypatch.setattr(handler, "handle", refused_handle)
        monkeypatch.setattr(handler.states, "refresh", refresh_of_an_absent_store)
        await world.starts_to_speak(consumer)
        await world.stop(reply_id)
        gate.set()
        await world.idle(consumer)
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyStopped)
        assert end.content.text == "Well" == await world.published(reply_id, 1)


async def test_a_stop_between_two_tries_ends_the_reply_at_once() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Half", failure("rate_limited", retry_after_seconds=15)], ["never asked"])
        reply_id = await world.post("Hi")
        consumer = await world.worker(model)
        await consumer.take_hint(world.user_id)
        await until(lambda: model.closed == 1)
        await world.stop(reply_id)
        await world.idle(consumer)
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyStopped)
        assert (end.content.text, len(model.calls)) == ("Half", 1)


async def test_a_conversation_deleted_meanwhile_ends_its_reply_silently() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Secret", asyncio.Event()], ["for the other one"])
        await world.post("Hi", conversation="a")
        consumer = await world.worker(model)
        await world.starts_to_speak(consumer)
        other = await world.post("Hello", conversation="b")
        keys = await world.keyring.load(world.user_id)
        await world.handle(DeleteConversation(conversation_ref=keys.ref("conversation", "a")))
        await world.idle(consumer)
        assert model.closed == 2
        assert (await world.ending(other)).content.text == "for the other one"


async def test_a_worker_that_lost_its_lease_publishes_and_appends_nothing_more() -> None:
    async with open_world() as world:
        gate = asyncio.Event()
        slow = ScriptedModel(["From the first", gate, " and more"])
        reply_id = await world.post("Hi")
        first = await world.worker(slow)
        await world.starts_to_speak(first)
        world.expire_leases()
        second = await world.worker(ScriptedModel(["From the second"]), owner="worker-2")
        await world.look(second)
        gate.set()
        await world.idle(first)
        end = await world.ending(reply_id)
        assert (end.attempt, end.content.text) == (2, "From the second")
        assert await world.published(reply_id, 1) == "From the first"


async def test_a_renewal_finds_a_lost_lease_where_no_fact_was_heard() -> None:
    async with open_world() as world:
        slow = ScriptedModel(["From the first", asyncio.Event()])
        await world.post("Hi")
        first = await world.worker(slow)
        first.receive = lambda user_id, facts: None  # type: ignore[method-assign]
        await world.starts_to_speak(first)
        await first.renew()
        assert first.running == 1
        world.expire_leases()
        await world.look(await world.worker(ScriptedModel(["From the second"]), owner="worker-2"))
        await first.renew()
        await world.idle(first)
        assert slow.closed == 1


async def test_an_expired_worker_that_nobody_followed_may_still_finish() -> None:
    async with open_world() as world:
        gate = asyncio.Event()
        reply_id = await world.post("Hi")
        consumer = await world.worker(ScriptedModel(["slow", gate, " but sure"]))
        await world.starts_to_speak(consumer)
        world.expire_leases()
        gate.set()
        await world.idle(consumer)
        assert (await world.ending(reply_id)).content.text == "slow but sure"


async def test_another_worker_answers_anew_what_a_dead_one_left() -> None:
    async with open_world() as world:
        reply_id = await world.post("Hi")
        await world.dies_while_speaking(["Half an ans"])
        await world.look(await world.worker(ScriptedModel(["Whole"]), owner="alive"))
        end = await world.ending(reply_id)
        assert (end.attempt, end.content.text) == (2, "Whole")
        assert end.usage.input_tokens > 10  # what the dead one had reserved for its prompt


async def test_actions_of_a_dead_attempt_are_told_again_and_not_done_again() -> None:
    async with open_world() as world:
        reply_id = await world.post("Remind me to call John on Friday at 5 and to buy milk")
        await world.dies_while_speaking([JOHN])
        second = tool_call("create_task", '{"title": "buy milk"}')
        model = ScriptedModel([tool_call("create_task", '{"title": "Call John"}'), second])
        await world.look(await world.worker(model, owner="alive"))
        titles = [created.content.title for created in await world.events(TaskCreated)]
        assert titles == ["call John", "buy milk"]
        assert (await world.ending(reply_id)).content.text == f"{JOHN_DONE}\n\nDone: buy milk."
        system = model.calls[0].messages[0].content
        assert "# Done" in system
        assert '- create_task {"title":"call John","due":"2025-11-21T17:00"}: committed' in system


async def test_when_workers_keep_dying_the_last_words_are_kept_and_the_message_ends() -> None:
    async with open_world(llm_attempts=2) as world:
        reply_id = await world.post("Hi")
        await world.dies_while_speaking(["first"])
        await world.dies_while_speaking(["sec", "ond"], owner="dead too")
        model = ScriptedModel(["never asked"])
        await world.look(await world.worker(model, owner="reaper"))
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyFailed)
        assert (end.code, end.attempt) == ("attempts_exhausted", 3)
        assert end.content.text == f"second\n\n{sorry('attempts_exhausted')}"
        assert [start.tries for start in await world.events(ReplyStarted)] == [1, 2, 2]
        assert not model.calls


async def test_a_stop_that_no_worker_lives_to_hear_ends_with_the_published_text() -> None:
    async with open_world() as world:
        reply_id = await world.post("Count")
        await world.dies_while_speaking(["One, ", "two"])
        await world.stop(reply_id)
        model = ScriptedModel(["never asked"])
        await world.look(await world.worker(model, owner="reaper"))
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyStopped)
        assert (end.content.text, len(model.calls)) == ("One, two", 0)


async def test_the_text_of_a_dead_worker_is_found_in_segments_when_the_bus_lost_it() -> None:
    async with open_world(llm_attempts=1) as world:
        reply_id = await world.post("Count")
        await world.dies_while_speaking(["One, ", "two"])
        world.bus.wipe()
        await world.look(await world.worker(ScriptedModel([]), owner="reaper"))
        assert (await world.ending(reply_id)).content.text.startswith("One, two\n\n")


async def test_a_reply_that_somebody_else_completed_is_dropped() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Mine", asyncio.Event()])
        reply_id = await world.post("Hi")
        consumer = await world.worker(model)
        await world.starts_to_speak(consumer)
        ending = Ending(text="Made elsewhere", usage=ModelUsage())
        await world.handle(EndReplyByTakeover(reply_id=reply_id, after_attempt=None, owner="service", ending=ending))
        await world.idle(consumer)
        assert (await world.ending(reply_id)).content.text == "Made elsewhere"
        assert model.closed == 1


@pytest.mark.parametrize("place", ["append.before", "append.after", "worker.commit.before", "worker.commit.after"])
async def test_the_outcome_of_a_lost_commit_is_found_out_and_nothing_happens_twice(place: str) -> None:
    """Every append of a turn fails once, before or after it took effect: claim, action, end."""
    for nth in (1, 2, 3):
        async with open_world() as world:
            reply_id = await world.post("Remind me to call John on Friday at 5")
            consumer = await world.worker(ScriptedModel([JOHN]))
            with failpoints.armed(place, nth=nth):
                await world.serve(consumer)
            assert (await world.ending(reply_id)).content.text == JOHN_DONE
            assert len(await world.events(TaskCreated)) == len(await world.events(ReplyStarted)) == 1


async def test_with_the_bus_away_the_text_so_far_goes_to_segments_and_the_look_finds_the_work() -> None:
    async with open_world(llm_attempts=1) as world:
        world.bus.disconnect()
        reply_id = await world.post("Count")
        model = ScriptedModel(["One, ", "two", asyncio.Event()])
        consumer = await world.worker(model, owner="dead")
        await consumer.look()
        await until(lambda: bool(model.calls))
        for _ in range(50):
            await asyncio.sleep(0)
        await consumer.desk.tokens.write_segments()
        for task in consumer.tasks():
            task.cancel()
        await world.idle(consumer)
        world.expire_leases()
        await world.look(await world.worker(ScriptedModel([]), owner="reaper"))
        assert (await world.ending(reply_id)).content.text.startswith("One, two\n\n")


async def test_a_worker_that_stops_lets_others_go_on_at_once() -> None:
    async with open_world() as world:
        reply_id = await world.post("Hi")
        first = await world.worker(ScriptedModel(["Half", asyncio.Event()]))
        await world.starts_to_speak(first)
        await first.drain(0.0)
        assert not await first.take_hint(world.user_id)
        await world.look(await world.worker(ScriptedModel(["Whole"]), owner="worker-2"))
        assert (await world.ending(reply_id)).content.text == "Whole"
