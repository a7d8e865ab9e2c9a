"""Chat turns, with every port in memory: what becomes of a reply, whatever the model, the user or other workers do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from commands.conversations import DeleteConversation
from commands.messages import RegenerateReply
from commands.preferences import SetPreference
from commands.replies import REPLY_CHARACTERS_MAX, EndReplyByTakeover, Ending
from domain.events import (
    ActionCreated,
    MemoryPinned,
    ReplyCompleted,
    ReplyFailed,
    ReplyStarted,
    ReplyStopped,
    TaskCreated,
)
from domain.ports import ModelFinished, Segment
from domain.values import ModelUsage
from infra import failpoints
from infra.memory import MemorySegments
from tests.support.waiting import until
from tests.support.worker_world import ScriptedModel, World, failure, open_world, tool_call
from workers.confirmations import BUDGET_SPENT, TOO_MANY_ACTIONS, sorry
from workers.prompts import render, prompt_hash
from workers.context import read_context

JOHN = tool_call("create_task", '{"title": "call John", "due_text": "Friday at 5"}')
JOHN_DONE = "Done: call John — due 2025-11-21 17:00."


async def test_an_answer_is_claimed_streamed_and_stored_as_it_was_published() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Hel", "lo ", "wörld"])
        reply_id = await world.post("Hi")
        await world.serve(await world.worker(model))
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyCompleted)
        assert end.content.text == "Hello wörld" == await world.published(reply_id, 1)
        assert (end.usage.input_tokens, end.usage.output_tokens, end.canned) == (10, 5, False)
        assert end.manifest.model == "scripted"
        assert len(model.calls) == model.closed == 1


async def test_messages_of_one_user_are_answered_one_after_another_with_the_answers_before_them() -> None:
    async with open_world() as world:
        model = ScriptedModel(["one"], ["two"], ["three"])
        replies = [await world.post(text) for text in ("first", "second", "third")]
        await world.serve(await world.worker(model))
        assert [(await world.ending(reply_id)).content.text for reply_id in replies] == ["one", "two", "three"]
        third = [(message.role, message.content) for message in model.calls[2].messages[1:]]
        assert third == [
            ("user", "first"),
            ("assistant", "one"),
            ("user", "second"),
            ("assistant", "two"),
            ("user", "third"),
        ]


async def test_an_action_is_proposed_committed_and_then_confirmed() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Sure.", JOHN, "Anything else?"])
        reply_id = await world.post("Remind me to call John on Friday at 5")
        await world.serve(await world.worker(model))
        (created,) = await world.events(TaskCreated)
        assert (created.content.title, created.content.due) == ("call John", "2025-11-21T17:00")
        text = f"Sure.\n\n{JOHN_DONE}\n\nAnything else?"
        assert (await world.ending(reply_id)).content.text == text == await world.published(reply_id, 1)
        (card,) = await world.actions(reply_id)
        assert card["action"] == "create_task"
        assert card["payload"] == {"title": "call John", "due": "2025-11-21T17:00"}
        facts = await world.facts()
        action = next(fact for fact in facts if isinstance(fact.event, ActionCreated))
        task = next(fact for fact in facts if isinstance(fact.event, TaskCreated))
        assert task.meta.causation_id == action.meta.causation_id == card["actionId"]
        assert task.meta.correlation_id == (await world.message_of(reply_id)).message_id
        assert task.meta.origin == "assistant"
        chunks = await world.chunks(reply_id)
        confirmed = next(chunk for chunk in chunks if "Done" in chunk.text)
        before = next(chunk for chunk in chunks if "Sure" in chunk.text)
        assert before.seen_version < task.version <= action.version == confirmed.seen_version


async def test_what_a_model_cannot_say_right_is_not_done_and_said_honestly() -> None:
    async with open_world() as world:
        model = ScriptedModel([tool_call("create_task", '{"title": 7}'), tool_call("fly_to_the_moon", "{}")])
        reply_id = await world.post("Do something")
        await world.serve(await world.worker(model))
        text = (await world.ending(reply_id)).content.text
        assert text.count("nothing was done") == 2
        assert not await world.events(ActionCreated)
        assert not await world.actions(reply_id)


async def test_at_most_ten_actions_are_done_for_one_message() -> None:
    async with open_world() as world:
        calls = [tool_call("create_task", f'{{"title": "task {n}"}}') for n in range(1_000)]
        reply_id = await world.post("Make a thousand tasks")
        await world.serve(await world.worker(ScriptedModel(calls)))
        assert len(await world.events(TaskCreated)) == len(await world.events(ActionCreated)) == 10
        assert (await world.ending(reply_id)).content.text.count(TOO_MANY_ACTIONS) == 1


async def test_a_refused_deed_is_told_with_its_reason() -> None:
    async with open_world() as world:
        model = ScriptedModel([tool_call("set_preference", '{"key": "timezone", "value": "Mars/Base"}')])
        reply_id = await world.post("I am on Mars")
        await world.serve(await world.worker(model))
        (action,) = await world.events(ActionCreated)
        assert action.status == "refused"
        assert "timezone is an IANA name" in (await world.ending(reply_id)).content.text


async def test_a_standing_wish_is_offered_no_tools() -> None:
    async with open_world() as world:
        model = ScriptedModel([JOHN])
        reply_id = await world.post("My daily summary", origin="schedule")
        await world.serve(await world.worker(model))
        assert model.calls[0].tools == ()
        assert not await world.events(TaskCreated)
        assert "I may not do that here" in (await world.ending(reply_id)).content.text


async def test_a_failed_call_is_tried_again_as_a_new_attempt() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Half an ans", failure("truncated")], ["A whole answer"])
        reply_id = await world.post("Hi")
        await world.serve(await world.worker(model))
        starts = await world.events(ReplyStarted)
        assert [(start.attempt, start.tries, start.owner) for start in starts] == [(1, 1, "worker-1"), (2, 2, "worker-1")]
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
        model = ScriptedModel(["a " * 400], [failure("context_too_long", retryable=False)], ["ok"], context_tokens_max=2_000)
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
        await consumer.take_hint(world.user_id)
        await until(lambda: bool(world.bus._tokens))
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
        reply_id = await world.post("Remind me")
        consumer = await world.worker(model)
        # The worker does not hear of the stop: it is the decision about the action that notices.
        consumer.receive = lambda user_id, facts: None  # type: ignore[method-assign]
        await consumer.take_hint(world.user_id)
        await until(lambda: bool(world.bus._tokens))
        await world.stop(reply_id)
        gate.set()
        await world.idle(consumer)
        assert isinstance(await world.ending(reply_id), ReplyStopped)
        assert not await world.events(TaskCreated)


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
        await consumer.take_hint(world.user_id)
        await until(lambda: bool(world.bus._tokens))
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
        await first.take_hint(world.user_id)
        await until(lambda: bool(world.bus._tokens))
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
        await first.take_hint(world.user_id)
        await until(lambda: bool(world.bus._tokens))
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
        await consumer.take_hint(world.user_id)
        await until(lambda: bool(world.bus._tokens))
        world.expire_leases()
        gate.set()
        await world.idle(consumer)
        assert (await world.ending(reply_id)).content.text == "slow but sure"


async def dies_while_streaming(world: World, script: list[Any], *, owner: str = "dead", settings: Any = None) -> None:
    """A worker that is gone without a trace, with its text so far in segments and on the bus."""
    consumer = await world.worker(ScriptedModel([*script, asyncio.Event()]), owner=owner, settings=settings)
    await consumer.look()
    await until(lambda: any(s.turn is not None and s.turn.is_ours for s in consumer._serving.values()))
    for _ in range(50):
        await asyncio.sleep(0)
    await consumer._desk.tokens.write_segments()
    for serving in consumer._serving.values():
        assert serving.task is not None
        serving.task.cancel()
    await world.idle(consumer)
    world.expire_leases()


async def test_another_worker_answers_anew_what_a_dead_one_left() -> None:
    async with open_world() as world:
        reply_id = await world.post("Hi")
        await dies_while_streaming(world, ["Half an ans"])
        await world.look(await world.worker(ScriptedModel(["Whole"]), owner="alive"))
        end = await world.ending(reply_id)
        assert (end.attempt, end.content.text) == (2, "Whole")
        assert end.usage.input_tokens > 10  # what the dead one had reserved for its prompt


async def test_actions_of_a_dead_attempt_are_told_again_and_not_done_again() -> None:
    async with open_world() as world:
        reply_id = await world.post("Remind me to call John on Friday at 5")
        await dies_while_streaming(world, [JOHN])
        second = tool_call("create_task", '{"title": "buy milk"}')
        model = ScriptedModel([tool_call("create_task", '{"title": "Call John"}'), second])
        await world.look(await world.worker(model, owner="alive"))
        titles = [created.content.title for created in await world.events(TaskCreated)]
        assert titles == ["call John", "buy milk"]
        assert (await world.ending(reply_id)).content.text == f"{JOHN_DONE}\n\nDone: buy milk."
        system = model.calls[0].messages[0].content
        assert "# Done" in system
        assert '- create_task {"title":"call John","due":"2025-11-21T17:00"}: committed' in system


async def test_a_regenerated_reply_does_nothing_twice() -> None:
    async with open_world() as world:
        reply_id = await world.post("Remind me to call John on Friday at 5")
        consumer = await world.worker(ScriptedModel([JOHN], ["As I said.", JOHN]))
        await world.serve(consumer)
        await world.handle(RegenerateReply(id=reply_id))
        await world.serve(consumer)
        assert len(await world.events(TaskCreated)) == 1
        again = (await world.brain()).find_reply((await world.message_of(reply_id)).message_id)
        assert again is not None
        assert (await world.ending(again.ref.reply_id)).content.text == f"{JOHN_DONE}\n\nAs I said."


async def test_when_workers_keep_dying_the_last_words_are_kept_and_the_message_ends() -> None:
    async with open_world(llm_attempts=2) as world:
        reply_id = await world.post("Hi")
        await dies_while_streaming(world, ["first"])
        await dies_while_streaming(world, ["sec", "ond"], owner="dead too")
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
        await dies_while_streaming(world, ["One, ", "two"])
        await world.stop(reply_id)
        model = ScriptedModel(["never asked"])
        await world.look(await world.worker(model, owner="reaper"))
        end = await world.ending(reply_id)
        assert isinstance(end, ReplyStopped)
        assert (end.content.text, len(model.calls)) == ("One, two", 0)


async def test_the_text_of_a_dead_worker_is_found_in_segments_when_the_bus_lost_it() -> None:
    async with open_world(llm_attempts=1) as world:
        reply_id = await world.post("Count")
        await dies_while_streaming(world, ["One, ", "two"])
        world.bus.wipe()
        await world.look(await world.worker(ScriptedModel([]), owner="reaper"))
        assert (await world.ending(reply_id)).content.text.startswith("One, two\n\n")


async def test_a_reply_that_somebody_else_completed_is_dropped() -> None:
    async with open_world() as world:
        model = ScriptedModel(["Mine", asyncio.Event()])
        reply_id = await world.post("Hi")
        consumer = await world.worker(model)
        await consumer.take_hint(world.user_id)
        await until(lambda: bool(world.bus._tokens))
        ending = Ending(text="Made elsewhere", usage=ModelUsage())
        await world.handle(EndReplyByTakeover(reply_id=reply_id, after_attempt=None, owner="service", ending=ending))
        await world.idle(consumer)
        assert (await world.ending(reply_id)).content.text == "Made elsewhere"
        assert model.closed == 1


async def test_a_spent_budget_ends_in_a_canned_answer_without_a_call() -> None:
    async with open_world(limit_tokens_per_day=5_000) as world:
        spending = ScriptedModel(["ok", ModelFinished("stop", ModelUsage(input_tokens=4_000, output_tokens=900))])
        consumer = await world.worker(spending)
        spending.scripts[0].append(ModelFinished("stop", ModelUsage(input_tokens=4_000, output_tokens=900)))
        first = await world.post("Hi")
        await world.serve(consumer)
        second = await world.post("Again")
        await world.serve(consumer)
        assert (await world.ending(first)).canned is False
        end = await world.ending(second)
        assert (end.canned, end.code, end.content.text) == (True, "budget_spent", BUDGET_SPENT)
        assert await world.published(second, 1) == BUDGET_SPENT
        assert len(spending.calls) == 1


async def test_what_is_reserved_at_the_claim_is_the_prompt_and_the_longest_answer() -> None:
    async with open_world(llm_max_tokens=500) as world:
        await world.post("Hi")
        await world.serve(await world.worker(ScriptedModel(["ok"])))
        (start,) = await world.events(ReplyStarted)
        assert 500 < start.reserved_tokens < 3_000
        assert (await world.brain()).tokens_spent(world.clock.now_ms()) == 15


async def test_an_endless_answer_is_cut_off() -> None:
    async with open_world(llm_max_tokens=10) as world:
        reply_id = await world.post("Go on for ever")
        await world.serve(await world.worker(ScriptedModel(["word " * 100] * 50)))
        text = (await world.ending(reply_id)).content.text
        assert len(text) < 2_000 < REPLY_CHARACTERS_MAX


async def test_the_outcome_of_a_lost_commit_is_found_out_and_nothing_happens_twice() -> None:
    for nth in range(1, 5):
        async with open_world() as world:
            reply_id = await world.post("Remind me to call John on Friday at 5")
            consumer = await world.worker(ScriptedModel([JOHN]))
            with failpoints.armed("append.after", nth=nth):
                await world.serve(consumer)
            assert (await world.ending(reply_id)).content.text == JOHN_DONE
            assert len(await world.events(TaskCreated)) == len(await world.events(ReplyStarted)) == 1


async def test_a_worker_that_stops_lets_others_go_on_at_once() -> None:
    async with open_world() as world:
        reply_id = await world.post("Hi")
        first = await world.worker(ScriptedModel(["Half", asyncio.Event()]))
        await first.take_hint(world.user_id)
        await until(lambda: bool(world.bus._tokens))
        await first.drain(0.0)
        assert not await first.take_hint(world.user_id)
        await world.look(await world.worker(ScriptedModel(["Whole"]), owner="worker-2"))
        assert (await world.ending(reply_id)).content.text == "Whole"


async def test_a_worker_takes_no_more_users_than_it_has_places() -> None:
    async with open_world(worker_concurrency=1) as world:
        consumer = await world.worker(ScriptedModel(["Hi", asyncio.Event()]))
        await world.post("Hi")
        assert await consumer.take_hint(world.user_id)
        assert await consumer.take_hint(world.user_id)
        other = await world.keyring.ensure_user("issuer", "another")
        assert not await consumer.take_hint(other)


async def test_a_message_that_comes_with_the_end_of_another_is_not_overlooked() -> None:
    async with open_world() as world:
        posted: list[str] = []

        def another() -> None:
            tasks.append(asyncio.create_task(later()))

        async def later() -> None:
            posted.append(await world.post("And this?"))
            await consumer.take_hint(world.user_id)

        tasks: list[asyncio.Task[None]] = []
        consumer = await world.worker(ScriptedModel(["one", another], ["two"]))
        first = await world.post("Hi")
        await world.serve(consumer)
        await asyncio.gather(*tasks)
        await world.idle(consumer)
        assert [(await world.ending(r)).content.text for r in (first, *posted)] == ["one", "two"]


async def test_the_prompt_can_be_built_again_byte_for_byte_from_its_manifest() -> None:
    async with open_world() as world:
        keys = await world.keyring.load(world.user_id)
        ref = keys.ref("preference", "timezone")
        await world.handle(SetPreference(key="timezone", preference_ref=ref, value="Europe/Berlin"))
        pin = tool_call("pin_memory", '{"key": "favourite airport", "value": "JFK"}')
        model = ScriptedModel([pin, JOHN], ["Friday."])
        consumer = await world.worker(model)
        await world.post("Remember that, and remind me of John")
        await world.serve(consumer)
        reply_id = await world.post("When do I call John?")
        await world.serve(consumer)
        end = await world.ending(reply_id)
        from domain.brain import EMPTY_BRAIN
        from domain.evolve import evolve
        from workers.prompts import Scene

        brain = EMPTY_BRAIN
        facts = await world.facts()
        for fact in facts[: end.manifest.brain_version]:
            brain = evolve(brain, fact)
        scene = Scene(brain=brain, reply=end.reply, facts=[f for f in facts if f.version in end.manifest.versions])
        rebuilt = render(scene, end.manifest)
        assert rebuilt == model.calls[-1].messages
        assert prompt_hash(rebuilt) == end.content.provenance.prompt_hash
        assert "- favourite_airport: JFK" in rebuilt[0].content
        assert "- call John (due 2025-11-21 17:00)" in rebuilt[0].content
        assert await world.events(MemoryPinned)
