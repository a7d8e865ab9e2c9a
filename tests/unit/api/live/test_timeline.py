"""The order of facts and entries, without any I/O."""

from __future__ import annotations

from dataclasses import replace

from api.live.cursor import Place
from api.live.timeline import HELD_CHUNKS_MAX, Sent, Timeline, step
from commands.actions import RunAction
from commands.conversations import DeleteConversation
from commands.messages import StopReply
from commands.tasks import CreateTask
from domain.events import ReplyCompleted
from domain.frames import TokenChunk
from domain.values import Task
from tests.support.live_world import GENERATION, World


def names(sent: list[Sent]) -> list[str]:
    return [each.frame.name for each in sent if each.frame.name != "message.progress"]


def texts(sent: list[Sent]) -> list[str]:
    return [each.frame.data["token"] for each in sent if each.frame.name == "llm.token"]


class Live:
    """A world with a reply that runs, and a timeline that has all facts so far."""

    def __init__(self, text: str = "hello") -> None:
        self.world = World()
        self.world.history.say(text)
        self.world.start()
        self.timeline = Timeline.of(GENERATION, self.world.history.brain)
        assert self.world.running is not None
        self.reply_id = self.world.running.ref.reply_id

    def take(self, chunk: TokenChunk) -> list[Sent]:
        return self.timeline.take_chunk(self.reply_id, chunk)

    def facts(self) -> list[Sent]:
        return [
            sent for fact in self.world.history.facts[self.timeline.version :] for sent in self.timeline.take_fact(fact)
        ]


def test_entries_leave_in_the_order_of_their_indexes() -> None:
    live = Live()
    one, two, three = live.world.write("one "), live.world.write("two "), live.world.write("three")
    assert texts(live.take(one)) == ["one "]
    assert texts(live.take(three)) == []
    assert live.timeline.lacks_entries
    sent = live.take(two)
    assert texts(sent) == ["two ", "three"]
    assert not live.timeline.lacks_entries
    assert [each.cursor.place for each in sent if each.cursor] == [
        Place(live.reply_id, 1, 2, 8),
        Place(live.reply_id, 1, 3, 13),
    ]


def test_an_entry_is_sent_once_however_often_it_comes() -> None:
    live = Live()
    one, card = live.world.write("one"), live.world.write(action={"action": "create_task", "payload": {}})
    assert texts(live.take(one)) == ["one"]
    assert live.take(one) == []
    assert names(live.take(card)) == ["llm.action"]
    assert live.take(card) == []
    assert live.take(one) == []
    assert live.timeline.place == Place(live.reply_id, 1, 2, 3)


def test_a_larger_piece_is_cut_to_what_is_missing_by_code_points() -> None:
    live = Live()
    first, second = live.world.write("a😀"), live.world.write("b😀c")
    live.take(first)
    whole = replace(second, first_index=1, offset=0, text=first.text + second.text)
    sent = live.take(whole)
    assert [(each.frame.data["token"], each.frame.data["offset"], each.frame.data["index"]) for each in sent] == [
        ("b😀c", 2, 2)
    ]


def test_an_entry_waits_for_the_facts_that_its_worker_had_seen() -> None:
    live = Live()
    deed = CreateTask(task=Task(title="call John"))
    live.world.history.do(
        RunAction(reply_id=live.reply_id, attempt=1, kind="create_task", ordinal=1, payload={}, deed=deed)
    )
    confirmation = live.world.write("Done.")
    assert live.take(confirmation) == []
    assert live.timeline.lacks_facts
    assert not live.timeline.lacks_entries
    assert names(live.facts()) == ["task.created", "action.created", "llm.token"]


def test_the_missing_tail_comes_before_the_end_and_nothing_after_it() -> None:
    live = Live()
    live.take(live.world.write("one "))
    late = live.world.write("two ")
    live.world.end(tail="three")
    sent = live.facts()
    assert names(sent) == ["llm.token", "message.completed"]
    assert sent[0].frame.data["token"] == "two three"
    assert sent[0].frame.data["offset"] == 4
    assert sent[0].cursor is not None
    assert sent[0].cursor.version == live.timeline.version - 1
    assert live.take(late) == []


def test_a_new_attempt_drops_the_entries_of_the_old_one() -> None:
    live = Live()
    live.take(live.world.write("old "))
    stale = live.world.write("older")
    live.world.start()
    fresh = live.world.write("new")
    assert live.take(fresh) == []
    restarted = live.facts()
    assert names(restarted) == ["llm.restarted", "llm.token"]
    assert texts(restarted) == ["new"]
    assert live.take(stale) == []
    assert live.timeline.moment().text == "new"
    assert live.timeline.held_count == 0


def test_entries_of_an_attempt_that_was_over_before_it_was_known_are_forgotten() -> None:
    live = Live()
    live.world.start()
    live.world.write("lost")
    live.take(live.world.write("second attempt"))
    live.world.start()
    assert live.timeline.held_count == 1
    live.facts()
    assert live.timeline.held_count == 0


def test_entries_of_a_reply_that_has_ended_are_not_kept() -> None:
    live = Live()
    late = live.world.write("late")
    live.world.end()
    live.facts()
    live.take(late)
    assert live.timeline.held_count == 0


def test_entries_that_are_there_already_are_not_kept() -> None:
    live = Live()
    one = live.world.write("one")
    live.take(one)
    live.take(one)
    assert live.timeline.held_count == 0


def test_an_entry_may_come_before_its_reply_is_known() -> None:
    live = Live()
    live.world.end()
    live.world.history.say("again")
    live.world.start()
    chunk = live.world.write("hi")
    assert live.world.running is not None
    assert live.timeline.take_chunk(live.world.running.ref.reply_id, chunk) == []
    assert names(live.facts()) == ["message.completed", "message.created", "message.created", "llm.token"]


def test_a_takeover_is_a_restart_and_then_the_whole_text() -> None:
    live = Live()
    live.take(live.world.write("half a sen"))
    live.world.end("take_over", tail="answer")
    sent = live.facts()
    assert names(sent) == ["llm.restarted", "llm.token", "message.completed"]
    assert texts(sent) == ["whole answer"]
    assert [each for each in sent if each.frame.name == "message.progress"] == []


def test_a_reminder_beside_a_running_reply_leaves_it_where_it_is() -> None:
    live = Live()
    live.world.history.opt_in()
    live.facts()
    live.take(live.world.write("one "))
    place = live.timeline.place
    live.world.history.remind()
    sent = live.facts()
    created = ["message.created", "message.created"]
    assert names(sent) == ["task.created", *created, "llm.token", "message.completed", "reminder.due"]
    assert texts(sent) == ["Reminder: due (10:00)."]
    token, end = [each.cursor for each in sent if each.frame.name in ("llm.token", "message.completed")]
    assert token is not None
    assert end is not None
    assert (token.place, token.ahead, token.needed_version) == (place, True, end.version)
    assert (end.place, end.ahead) == (place, False)
    assert texts(live.take(live.world.write("two"))) == ["two"]
    assert live.timeline.moment().text == "one two"


def test_a_client_that_was_cut_off_behind_a_reminders_text_is_not_sent_it_again() -> None:
    live = Live()
    live.world.history.opt_in().remind()
    facts = live.world.history.facts
    (end,) = [fact for fact in facts if isinstance(fact.event, ReplyCompleted)]
    place = Place(live.reply_id, 1, 2, 8)
    sent, after = step(GENERATION, place, end, ahead=True)
    assert (names(sent), after) == (["message.completed"], place)
    sent, after = step(GENERATION, place, end)
    assert (names(sent), after) == (["llm.token", "message.completed"], place)


def test_a_reply_that_never_started_ends_without_text() -> None:
    live = Live()
    live.world.history.say("second")
    live.facts()
    waiting = live.world.history.brain.queue[1]
    live.world.history.do(StopReply(id=waiting))
    assert names(live.facts()) == ["message.stopped"]
    assert live.timeline.place is not None


def test_a_final_text_that_does_not_continue_what_was_sent_is_sent_as_a_reset() -> None:
    live = Live()
    live.take(live.world.write("soon to be deleted"))
    live.world.history.do(DeleteConversation(conversation_ref="c_main"))
    sent = live.facts()
    assert names(sent) == ["stream.reset", "message.stopped", "conversation.deleted"]
    assert sent[0].frame.data["text"] == ""


def test_an_action_card_has_its_own_index_and_shows_progress() -> None:
    live = Live()
    live.take(live.world.write("I will "))
    sent = live.take(live.world.write(action={"action": "create_task", "payload": {"title": "x"}}))
    assert [each.frame.name for each in sent] == ["llm.action", "message.progress"]
    assert sent[0].frame.data["index"] == 2
    assert sent[0].frame.data["offset"] == 7
    assert sent[1].cursor is None
    assert sent[1].frame.data["tool"] == "create_task"


def test_a_moment_gives_text_and_action_cards_after_any_place() -> None:
    live = Live()
    live.take(live.world.write("one "))
    live.take(live.world.write(action={"action": "create_task", "payload": {}}))
    live.take(live.world.write("two"))
    moment = live.timeline.moment()
    whole = moment.after(None)
    assert [(each.frame.name, each.frame.data["index"], each.frame.data["offset"]) for each in whole] == [
        ("llm.token", 1, 0),
        ("llm.action", 2, 4),
        ("llm.token", 3, 4),
    ]
    assert names(moment.after(Place(live.reply_id, 1, 1, 4))) == ["llm.action", "llm.token"]
    assert names(moment.after(Place(live.reply_id, 1, 2, 4))) == ["llm.token"]
    assert moment.after(Place(live.reply_id, 1, 3, 7)) == []
    assert names(moment.after(Place(live.reply_id, 1, 9, 99))) == ["stream.reset"]
    assert names(moment.after(Place(live.reply_id, 7, 1, 1))) == ["stream.reset"]
    assert names(moment.after(Place("m_other", 1, 9, 99))) == ["llm.token", "llm.action", "llm.token"]


def test_what_waits_is_bounded_and_the_missing_entry_is_still_taken() -> None:
    live = Live()
    chunk = live.world.write("x")
    for index in range(2, HELD_CHUNKS_MAX + 10):
        live.take(replace(chunk, first_index=index, last_index=index, offset=index - 1))
    sent = live.take(chunk)
    assert sum(len(text) for text in texts(sent)) == HELD_CHUNKS_MAX + 1
    assert not live.timeline.lacks_entries


def test_progress_is_told_without_an_id() -> None:
    live = Live()
    live.world.history.say("next")
    sent = live.facts()
    assert [each.frame.data["stage"] for each in sent if each.frame.name == "message.progress"] == ["queued"]
    live.world.end()
    live.facts()
    live.world.start()
    (thinking,) = live.facts()
    assert thinking.frame.data["stage"] == "thinking"
    assert thinking.cursor is None
