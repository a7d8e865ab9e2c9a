"""Canaries through a real worker process: not in what the model's server is sent, not in a log line, not on NATS."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import nats
import pytest
from nats.aio.msg import Msg

from domain.events import TaskCreated
from infra.settings import Settings
from tests.integration.test_worker import open_client, over, start_process
from tests.support.fake_openai import fake_openai
from tests.support.model_server import Plan
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

CANARIES = ("canary.john@example.org", "+1 212 555 0100", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00")
SAID = "Ask [EMAIL_1] or [Phone 1], not [EMAIL_2]: [CARD_1] or [IBAN_1]"
MEANT = (
    "Ask canary.john@example.org or +1 212 555 0100, not [EMAIL_2]: 4111 1111 1111 1111 or DE89 3704 0044 0532 0130 00"
)


async def test_no_canary_leaves_but_to_its_user(settings: Settings) -> None:
    call = ("create_task", '{"title": "ask [EMAIL_1]"}')
    async with fake_openai(Plan(text=SAID, tool_calls=[call])) as server:
        settings = replace(over(server, settings), log_level="debug")
        connection = await nats.connect(settings.nats_url)
        published: list[tuple[str, bytes]] = []

        async def take(message: Msg) -> None:
            published.append((message.subject, repr(message.headers).encode() + message.data))

        await connection.subscribe(">", cb=take)
        await connection.flush()
        async with open_client(settings) as client:
            process = await asyncio.to_thread(start_process, settings)
            try:
                await until(lambda: "nats.connected" in process.output)
                user_id = await client.user()
                reply_id = await client.post(user_id, f"Remind me to ask {', '.join(CANARIES)}")
                end = await client.ended(user_id, reply_id)
                tasks = [f.event for f in await client.facts(user_id) if isinstance(f.event, TaskCreated)]
                process.expect("reply.ended")
                await until(lambda: any(reply_id in subject for subject, _ in published))
            finally:
                process.close()
        await connection.drain()
        assert end.content.text.startswith(MEANT)
        assert [task.content.title for task in tasks] == ["ask canary.john@example.org"]
        assert server.calls
        sent = "".join(msgspec.json.encode(call.body).decode() for call in server.calls)
        assert "[EMAIL_1], [PHONE_1], [CARD_1], [IBAN_1]" in sent
        for canary in CANARIES:
            assert canary not in sent
            assert canary not in process.output
            assert not [subject for subject, data in published if canary in subject or canary.encode() in data]
