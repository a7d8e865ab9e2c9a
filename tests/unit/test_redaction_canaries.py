"""Canaries: personal data that a user wrote anywhere goes to no model and into no log, and comes back in the answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from commands.notes import AddNote
from commands.preferences import SetPreference
from domain.brain import EMPTY_BRAIN
from domain.events import MemoryPinned, TaskCreated
from domain.evolve import evolve
from domain.ports import ModelEvent, ModelFinished, ModelRequest, TextDelta, ToolCall
from domain.values import ModelUsage
from infra import telemetry
from infra.settings import Settings
from tests.support.worker_world import ScriptedModel, World, open_world, tool_call
from workers.llm.offline.model import OfflineModel
from workers.prompts.build import REDACTED_RULE, TEMPLATE_VERSION, prompt_hash, render
from workers.prompts.days import Scene

CANARIES = (
    "canary.john@example.org",
    "+1 212 555 0100",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "078-05-1120",
    "192.168.17.23",
    "sk-canaryabcdefghijklmnop1234",
    "s3cr3tcanary",
)
TEXT = (
    "Mail canary.john@example.org, call +1 212 555 0100, pay by 4111 1111 1111 1111 or DE89 3704 0044 0532 0130 00, "
    "078-05-1120 from 192.168.17.23 with sk-canaryabcdefghijklmnop1234 at https://bob:s3cr3tcanary@db.example.com/x"
)


class Parrot(ScriptedModel):
    """Says the user's message back in small pieces, and makes a task of it where it may."""

    name = "parrot"

    def __init__(self, *, pieces: int = 3, calls: bool = False) -> None:
        super().__init__([])
        self.pieces, self.makes_calls = pieces, calls

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.calls.append(request)
        return self._say(request.messages[-1].content)

    async def _say(self, text: str) -> AsyncIterator[ModelEvent]:
        for at in range(0, len(text), self.pieces):
            yield TextDelta(text[at : at + self.pieces])
        if self.makes_calls:
            yield ToolCall("c", "create_task", '{"title": "Pay", "notes": "%s"}' % text)  # noqa: UP031
        yield ModelFinished("stop", ModelUsage(input_tokens=10, output_tokens=5))


def check_nothing_left(requests: list[ModelRequest]) -> None:
    assert requests
    for request in requests:
        sent = repr(request)
        for canary in CANARIES:
            assert canary not in sent


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Everything is logged while a test runs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.configure_logging(Settings(log_level="debug"), "test")
    yield capsys
    telemetry.configure_logging(Settings(), "unset")
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 1_000])
async def test_what_the_model_says_back_has_the_real_values_and_what_it_was_told_has_none(
    pieces: int, logged: pytest.CaptureFixture[str]
) -> None:
    async with open_world() as world:
        model = Parrot(pieces=pieces, calls=True)
        reply_id = await world.post(TEXT)
        await world.serve(await world.worker(model))
        answer = (await world.ending(reply_id)).content.text
        assert answer.startswith(TEXT)
        assert answer == await world.published(reply_id, 1)
        (task,) = await world.events(TaskCreated)
        assert task.content.notes == TEXT
        (card,) = await world.actions(reply_id)
        assert card["payload"]["notes"] == TEXT
        check_nothing_left(model.calls)
        assert REDACTED_RULE in model.calls[0].messages[0].content
        lines = logged.readouterr().err
        assert "reply.ended" in lines
        assert not [canary for canary in CANARIES if canary in lines]


async def test_wherever_it_is_written_down_it_is_hidden_under_one_placeholder() -> None:
    async with open_world() as world:
        keys = await world.keyring.load(world.user_id)
        john = "canary.john@example.org"
        await world.handle(
            AddNote(note_id="n", note_ref=keys.ref("note", "n"), title=f"About {john}", text=f"He is\n{john}")
        )
        preference = {"notes": f"first\n{john}", "card": 4_111_111_111_111_111}
        await world.handle(SetPreference(key="mine", preference_ref=keys.ref("preference", "mine"), value=preference))
        pin = tool_call("pin_memory", '{"key": "mail of john", "value": "[EMAIL_1]"}')
        task = tool_call("create_task", '{"title": "mail [EMAIL_1]"}')
        model = ScriptedModel(["Yes, [email_1].", pin, task], ["[EMAIL 1]"])
        consumer = await world.worker(model)
        await world.post(f"Remember {john} and remind me to mail him")
        await world.serve(consumer)
        reply_id = await world.post("What do you know?", context_ids=[("n", keys.ref("note", "n"))])
        await world.serve(consumer)
        check_nothing_left(model.calls)
        system, *talk = (message.content for message in model.calls[-1].messages)
        for line in (
            "- mail_of_john: [EMAIL_1]",
            "- mail [EMAIL_1]",
            "- About [EMAIL_1]",
            "> [EMAIL_1]",
            "first [EMAIL_1]",
        ):
            assert line in system
        assert '"card":[CARD_1]' in system
        assert talk[0] == "Remember [EMAIL_1] and remind me to mail him"
        assert talk[1].startswith("Yes, [EMAIL_1].")
        assert (await world.ending(reply_id)).content.text == john


async def rebuilt(world: World, reply_id: str) -> None:
    end = await world.ending(reply_id)
    brain = EMPTY_BRAIN
    facts = await world.facts()
    for fact in facts[: end.manifest.brain_version]:
        brain = evolve(brain, fact)
    scene = Scene(brain=brain, reply=end.reply, facts=[f for f in facts if f.version in end.manifest.versions])
    assert end.manifest.template_version == TEMPLATE_VERSION
    assert prompt_hash(render(scene, end.manifest)) == end.content.provenance.prompt_hash


async def test_the_redacted_prompt_is_what_was_hashed_and_can_be_built_again() -> None:
    async with open_world() as world:
        model = Parrot()
        consumer = await world.worker(model)
        for text in (TEXT, f"Again: {TEXT}", "[EMAIL_1] is what? I mean canary.john@example.org"):
            reply_id = await world.post(text)
            await world.serve(consumer)
            assert (
                prompt_hash(model.calls[-1].messages) == (await world.ending(reply_id)).content.provenance.prompt_hash
            )
            await rebuilt(world, reply_id)
            assert (await world.ending(reply_id)).content.text == text


async def test_a_prompt_without_personal_data_says_nothing_of_placeholders() -> None:
    async with open_world() as world:
        model = ScriptedModel(["[EMAIL_1]?"])
        reply_id = await world.post("The call is on 2025-11-21 at 17:00")
        await world.serve(await world.worker(model))
        assert REDACTED_RULE not in model.calls[0].messages[0].content
        assert model.calls[0].messages[-1].content == "The call is on 2025-11-21 at 17:00"
        assert (await world.ending(reply_id)).content.text == "[EMAIL_1]?"


async def test_the_offline_model_works_with_placeholders() -> None:
    async with open_world() as world:
        consumer = await world.worker(OfflineModel())
        for text in (
            "Remind me to mail canary.john@example.org tomorrow at 5",
            "Remember that my account is DE89 3704 0044 0532 0130 00",
            "Remind me to call +1 212 555 0100 on Friday at 9am",
        ):
            await world.post(text)
            await world.serve(consumer)
        first, second = await world.events(TaskCreated)
        assert (first.content.title, first.content.due) == ("mail canary.john@example.org", "2025-11-20T17:00")
        assert (second.content.title, second.content.due) == ("call +1 212 555 0100", "2025-11-21T09:00")
        (pinned,) = await world.events(MemoryPinned)
        assert pinned.content.value == "DE89 3704 0044 0532 0130 00"
        reply_id = await world.post("What's my account?")
        await world.serve(consumer)
        assert "account: DE89 3704 0044 0532 0130 00" in (await world.ending(reply_id)).content.text


async def test_a_question_for_garbled_arguments_quotes_no_value_and_its_answer_is_restored() -> None:
    async with open_world() as world:
        garbled = tool_call("create_task", '{"title": "mail", "[EMAIL_1]": 1}')
        model = ScriptedModel(["Sure.", garbled], answers=['{"title": "mail [EMAIL_1]"}'])
        await world.post("Remind me to mail canary.john@example.org")
        await world.serve(await world.worker(model))
        ((question, _),) = model.questions
        check_nothing_left([*model.calls, question])
        assert "[EMAIL_1]" in question.messages[0].content
        (task,) = await world.events(TaskCreated)
        assert task.content.title == "mail canary.john@example.org"


async def test_a_call_that_leaked_into_the_text_is_made_with_the_real_values() -> None:
    async with open_world() as world:
        leaked = '{"name": "create_task", "arguments": {"title": "mail [EMAIL_1]"}}'
        reply_id = await world.post("Remind me to mail canary.john@example.org")
        await world.serve(await world.worker(ScriptedModel([*leaked])))
        (task,) = await world.events(TaskCreated)
        assert task.content.title == "mail canary.john@example.org"
        assert "canary.john@example.org" in (await world.ending(reply_id)).content.text
