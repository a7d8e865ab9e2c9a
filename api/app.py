"""The composition root of the API: opens everything, wires it by explicit arguments, closes it in reverse order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import httpx
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from api import (
    actions,
    calendar,
    completions,
    conversations,
    health,
    login,
    memory,
    messages,
    notes,
    own_data,
    plans,
    preferences,
    search,
    sessions,
    tasks,
    travel,
    usage,
    voice,
)
from api import state as state_routes
from api.auth.authenticator import authenticator_from_settings
from api.auth.tickets import StreamTickets
from api.auth.tokens import Principal
from api.http.edge import Edge, litestar_options
from api.http.headers import Cors
from api.http.request_metrics import watch
from api.live.hub import Sources
from api.live.hub_registry import HubRegistry
from api.live.presence_writes import PresenceWrites
from api.live.sources import BusTokens, LogFacts
from api.openapi import openapi_config, openapi_document
from api.realtime import REALTIME_PATH, RealtimeEndpoint
from api.services import Services
from api.socket_commands import socket_commands
from api.stream import StreamEndpoint, stream_route
from api.views import Views
from api.voice_desk import voice_desk
from api.web import WebClient, auth_config, login_origins
from commands.write_side import WriteSide, open_write_side, run_feed
from domain.ports import SpeechToText
from infra.ids import new_id
from infra.keys.keyring import MasterKeyError
from infra.login_codes import redeem_login_code
from infra.nats.bus import NatsBus
from infra.presence import PostgresPresence
from infra.schema import head_revision, revision_of
from infra.settings import Settings
from infra.speech import make_speech_to_text
from infra.work import PostgresSegments
from projections.reading import Reader
from projections.wait import Freshness

HANDLERS = [
    messages.post_message,
    messages.stop_reply,
    messages.regenerate_reply,
    tasks.change_task,
    tasks.list_tasks,
    tasks.get_task,
    memory.pin_memory,
    memory.list_memories,
    memory.forget_memory,
    notes.add_note,
    notes.list_notes,
    notes.delete_note,
    calendar.set_event,
    calendar.list_events,
    calendar.remove_event,
    calendar.import_file,
    preferences.list_preferences,
    preferences.set_preference,
    plans.get_plan,
    plans.set_plan,
    travel.list_suggestions,
    travel.select_offer,
    actions.approve,
    actions.reject,
    sessions.open_session,
    sessions.list_sessions,
    sessions.close_session,
    sessions.issue_ticket,
    conversations.list_conversations,
    conversations.list_messages,
    conversations.change_conversation,
    conversations.delete_conversation,
    voice.upload,
    voice.get_job,
    voice.get_audio,
    state_routes.get_state,
    usage.get_usage,
    search.search,
    own_data.export_user,
    own_data.erase_user,
    completions.complete_llm,
]


@dataclass(frozen=True, slots=True)
class OpenApi:
    """`feed` is the task that follows the log: without it caches go stale and streams fall silent. `side` is what
    commands are handled with."""

    app: Edge
    streams: HubRegistry
    feed: asyncio.Task[None]
    side: WriteSide


@asynccontextmanager
async def open_api(settings: Settings, *parts: health.Part, ears: SpeechToText | None = None) -> AsyncIterator[OpenApi]:
    """The ASGI application and its streams, for as long as the block runs. `parts` are looked at for readiness too.

    `ears` stands in for the engine that the settings name. Raises `SettingsError`, `MasterKeyError`, and `Unavailable`
    when Postgres is away: nothing can be opened without keys.
    """
    async with AsyncExitStack() as stack:
        bus = NatsBus(settings, name="api")
        await bus.start()
        stack.push_async_callback(bus.close)
        side = await stack.enter_async_context(open_write_side(settings, "api", wake=bus.hint))
        await side.keyring.verify()
        generation = await side.log.generation()
        presence = PostgresPresence(side.queries, beat_seconds=settings.stream_ping_seconds)
        tickets = StreamTickets(side.queries, side.keyring, seconds=settings.ticket_seconds)
        freshness = Freshness(side.queries)
        stack.push_async_callback(freshness.aclose)
        reader = Reader(side.queries, side.keyring)
        ears = ears or make_speech_to_text(settings)
        stack.push_async_callback(ears.aclose)
        views = Views(reader=reader, freshness=freshness, presence=presence, side=side)
        services = Services(
            settings=settings,
            log=side.log,
            keyring=side.keyring,
            handler=side.handler,
            clock=side.clock,
            generation=generation,
            views=views,
            tickets=tickets,
            voice=voice_desk(settings, ears, side.clock),
            redeem_login=lambda code: redeem_login_code(side.queries, code),
        )
        registry = _registry(side, bus, views, presence, generation)
        side.feed.add(registry)
        feed = await stack.enter_async_context(run_feed(side))
        timers = asyncio.create_task(registry.run(), name="stream timers")
        stack.push_async_callback(_cancelled, timers)
        stack.push_async_callback(registry.aclose)
        app = _application(services, registry, _health(side, bus, parts))
        http = await stack.enter_async_context(httpx.AsyncClient())
        authenticator = authenticator_from_settings(settings, side.clock, http)
        stack.push_async_callback(authenticator.aclose)
        edge = Edge(
            app,
            authenticator,
            clock=side.clock,
            new_id=new_id,
            cors=Cors(settings.cors_origins),
            tickets=tickets,
            watch=watch,
            version_of=services.version_for,
        )
        yield OpenApi(edge, registry, feed, side)


def _registry(side: WriteSide, bus: NatsBus, views: Views, presence: PostgresPresence, generation: str) -> HubRegistry:
    segments = PostgresSegments(side.queries)
    sources = Sources(
        generation=generation,
        facts=LogFacts(side.log, side.keyring, side.states.refresh),
        tokens=BusTokens(bus, segments, side.keyring),
        changes=views.changes,
        clock=side.clock,
    )
    settings = side.settings
    return HubRegistry(
        sources,
        PresenceWrites(presence),
        queue_frames=settings.stream_queue_frames,
        streams_per_user=settings.limit_streams_per_user,
        ping_seconds=settings.stream_ping_seconds,
    )


def _application(services: Services, registry: HubRegistry, checks: health.Health) -> Litestar:
    async def user_id_of(principal: Principal) -> str:
        return await services.keyring.ensure_user(principal.issuer, principal.sub)

    commands = socket_commands(services)
    realtime = RealtimeEndpoint(registry, user_id_of, commands, services.clock, services.voice)
    live = [stream_route(StreamEndpoint(registry, user_id_of)), realtime.route()]
    web = WebClient(login_origins=login_origins(services.settings))
    return _litestar(live, State({"services": services, "health": checks}), web.routes())


def _litestar(
    live: Sequence[ControllerRouterHandler], state: State, pages: Sequence[ControllerRouterHandler] = ()
) -> Litestar:
    versioned = Router("/api/v1", route_handlers=[*HANDLERS, *live])
    return Litestar(
        [versioned, login.exchange_code, auth_config, health.live, health.ready, health.metrics, *pages],
        state=state,
        openapi_config=openapi_config(version("microcos"), extra_paths=REALTIME_PATH),
        **litestar_options(),
    )


def describe_api() -> dict[str, Any]:
    """The OpenAPI document as it is served, made without opening anything."""

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("this application only describes itself")

    return openapi_document(_litestar([stream_route(nothing)], State()), REALTIME_PATH)


def _health(side: WriteSide, bus: NatsBus, parts: Sequence[health.Part]) -> health.Health:
    async def postgres() -> str | None:
        await side.log.last_position()
        return None

    async def migrations() -> str | None:
        found = await revision_of(side.queries)
        # A newer schema is no fault of this process: the code that it is for is on its way.
        return None if found is not None and found >= head_revision() else "behind: run `microcos migrate`"

    async def keys() -> str | None:
        try:
            await side.keyring.verify()
        except MasterKeyError:
            return "not this database's"
        return None

    async def nats() -> str | None:
        return None if bus.connected else "away"

    return health.Health(
        [
            health.Part("postgres", postgres, essential=True),
            health.Part("migrations", migrations, essential=True),
            health.Part("keys", keys, essential=True),
            health.Part("nats", nats),
            *parts,
        ],
        wait_seconds=side.settings.database_wait_seconds,
    )


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
