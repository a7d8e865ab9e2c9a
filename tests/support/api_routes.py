"""Every route of the API as its own OpenAPI document lists it, with a request for each that is accepted.

A route that is in the document and not here fails the tests: nobody may add one without saying what is good to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.api_world import ApiWorld, User

BASE = "/api/v1"
METHODS = ("get", "post", "put", "patch", "delete")
USERS_AT_ONCE = 8
GOOD_QUERIES = {"search": "?q=text"}  # where one is needed


@dataclass(frozen=True)
class Route:
    """`path` is as the document has it, without the base; `parameters` are the names in it."""

    operation: str
    method: str
    path: str
    description: Mapping[str, Any]

    @property
    def parameters(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def takes_body(self) -> bool:
        return "requestBody" in self.description

    def filled(self, **values: str) -> str:
        path = self.path
        for name in self.parameters:
            path = path.replace("{" + name + "}", values[name])
        return path + GOOD_QUERIES.get(self.operation, "")


async def routes_of(world: ApiWorld) -> dict[str, Route]:
    """By operation id: those under the base, but for the WebSocket."""
    document = (await world.clients[0].get("/schema/openapi.json")).json()
    found: dict[str, Route] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            operation = item.get(method)
            if operation is not None and path.startswith(BASE) and "101" not in operation["responses"]:
                name = operation["operationId"]
                assert name not in found, f"two routes are called {name}"
                found[name] = Route(name, method.upper(), path.removeprefix(BASE), operation)
    return found


@dataclass(frozen=True)
class Owned:
    """One of each kind of object of a user: what stands for each path parameter and in bodies."""

    message_id: str
    session_id: str
    task_id: str
    memory_id: str
    note_id: str
    conversation_id: str
    event_id: str
    workflow_id: str
    flight_id: str
    action_id: str
    key: str = "theme"
    job_id: str = "v_x"
    date: str = "2025-11-19"

    def path_values(self) -> dict[str, str]:
        return dict(vars(self))


UNKNOWN = Owned("m_x", "s_x", "t_x", "mem_x", "n_x", "nothing", "cal_x", "wf_x", "f_x", "act_x")


async def own_objects(user: User, word: str = "mine") -> Owned:
    """`word` stands in every text of theirs."""
    ack = await user.say(f"{word} Hello", conversationId="trip", clientMessageId=f"{word}-client")
    await user.ended(ack["replyId"])
    task = await user.task(f"{word} task", notes=f"{word} notes", tags=[word], assignee=word)
    memory = await user.made("/memory/pin", {"type": "fact", "key": f"{word}_key", "value": f"{word} value"})
    note = await user.made("/notes", {"id": "note_1", "title": f"{word} title", "text": f"{word} text"})
    event = {"title": f"{word} trip to Paris", "start": "2025-05-10", "description": word, "location": word}
    made = await user.made("/calendar/event", {**event, "attendees": [word]})
    await user.put("/preferences/theme", {"value": word})
    await user.put("/plan/2025-11-19", {"priorities": [f"{word} plan"]})
    await user.patch("/conversations/trip", {"title": f"{word} trip"})
    return Owned(
        message_id=ack["replyId"],
        session_id=ack["sessionId"],
        task_id=task["id"],
        memory_id=memory["id"],
        note_id=note["id"],
        conversation_id="trip",
        event_id=made["id"],
        **await _flights(user),
    )


async def known_users(world: ApiWorld, count: int) -> list[tuple[User, Owned]]:
    """Somebody new each, with one of each kind of object; several at once, since most of it is waiting for replies."""
    places = asyncio.Semaphore(USERS_AT_ONCE)

    async def known() -> tuple[User, Owned]:
        async with places:
            user = world.user()
            return user, await own_objects(user)

    return await asyncio.gather(*(known() for _ in range(count)))


async def _flights(user: User) -> dict[str, str]:
    """What was found, and an action that waits for approval to select one of it."""
    await user.ended((await user.say("Find flights from JFK to Boston tomorrow", conversationId="trip"))["replyId"])
    asked = await user.ended((await user.say("Book the first one", conversationId="trip"))["replyId"])
    (action,) = asked["actions"]
    payload = action["payload"]
    return {"workflow_id": payload["workflow_id"], "flight_id": payload["flight_id"], "action_id": action["id"]}


def good_body(operation: str, owned: Owned) -> dict[str, Any] | None:
    """A body that the route accepts, with as many fields as it has; None for routes without one."""
    bodies: dict[str, dict[str, Any] | None] = {
        "postMessage": {
            "channel": "chat",
            "text": "Hello",
            "contextIds": [owned.note_id],
            "conversationId": owned.conversation_id,
            "clientMessageId": "local-2",
            "sessionId": owned.session_id,
            "language": "en-GB",
            "intent": "greeting",
            "speak": False,
        },
        "stopReply": {},
        "regenerateReply": {},
        "changeTask": {
            "action": "create",
            "task": {
                "title": "x",
                "due": "2025-11-21",
                "timezone": "America/New_York",
                "recurrence": "FREQ=DAILY",
                "tags": ["finance"],
                "status": "open",
                "priority": "low",
                "notes": "n",
                "assignee": "Jim",
            },
        },
        "setCalendarEvent": {
            "title": "Paris trip",
            "start": "2025-05-10T08:00:00Z",
            "end": "2025-05-15T22:00:00Z",
            "timezone": "Europe/Paris",
            "description": "Business trip to Paris",
            "location": "Paris",
            "attendees": ["jim@example.com"],
            "recurrence": "FREQ=YEARLY",
            "excluded": ["2026-05-10"],
        },
        "pinMemory": {"type": "preference", "key": "favorite_airport", "value": "JFK"},
        "addNote": {"id": "note_2", "title": "t", "text": "x"},
        "setPreference": {"value": "dark"},
        "changeConversation": {"title": "T", "archived": False},
        "openSession": {},
        "issueStreamTicket": {},
        "setPlan": {"priorities": ["Send the budget"], "todos": ["Call John"], "notes": ["One thing at a time."]},
        "selectFlight": {},
        "approveAction": {},
        "rejectAction": {},
    }
    without = {
        *("listTasks", "getTask", "listMemories", "forgetMemory", "listNotes", "deleteNote", "listPreferences"),
        *("listSessions", "closeSession", "listConversations", "listMessages", "deleteConversation", "getState"),
        *("listCalendarEvents", "removeCalendarEvent"),
        *("getUsage", "openStream", "search", "listTravelSuggestions", "getPlan"),
    }
    if operation in without:
        return None
    assert operation in bodies, f"say in tests/support/api_routes.py what {operation} accepts"
    return bodies[operation]


# For services; with a file that is no JSON; answered with a file; the last of a user; with engines that are not here:
# each has its own tests.
SPECIAL = (
    *("completeReply", "importCalendar", "exportUser", "eraseUser"),
    *("uploadVoice", "getVoiceJob", "getMessageAudio"),
)
