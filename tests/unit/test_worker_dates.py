"""Chat turns about dates: read in the user's zone and language, and repeated as they were understood."""

from __future__ import annotations

import json

import pytest

from commands.preferences import SetPreference
from domain.events import TaskCreated
from tests.support.worker_world import ScriptedModel, open_world, tool_call


def remind(phrase: str) -> object:
    return tool_call("create_task", json.dumps({"title": "call John", "due_text": phrase}))


@pytest.mark.parametrize(
    ("phrase", "due", "sentence"),
    [
        ("every Monday at 9", "2025-11-24T09:00", "call John — due Monday 2025-11-24 09:00, every Monday."),
        ("demain à 17h", "2025-11-20T17:00", "call John — due Thursday 2025-11-20 17:00."),
        ("2026-03-29 at 02:30", "2026-03-29T03:30", "2026-03-29 02:30 does not exist in Europe/Berlin"),
        ("2026-10-25 at 02:30", "2026-10-25T02:30", "comes twice in Europe/Berlin"),
        ("3/12", "2025-12-03", "call John — due Wednesday 2025-12-03."),
    ],
)
async def test_the_resolved_date_is_repeated_with_what_is_special_about_it(
    phrase: str, due: str, sentence: str
) -> None:
    async with open_world() as world:
        await world.handle(SetPreference(key="timezone", preference_ref="r1", value="Europe/Berlin"))
        await world.handle(SetPreference(key="locale", preference_ref="r2", value="en-GB"))
        reply_id = await world.post("Remind me to call John")
        await world.serve(await world.worker(ScriptedModel([remind(phrase)])))
        (created,) = await world.events(TaskCreated)
        assert created.content.due == due
        assert sentence in (await world.ending(reply_id)).content.text
