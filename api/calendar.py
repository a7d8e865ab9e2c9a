"""The calendar over HTTP: an event set or removed, a file imported, and what takes place in a window of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath

from api.http.preconditions import expected_version
from api.http.query import integer
from api.http.request import call_of
from api.queries import answer_query
from api.schemas.answers import DeletedOut
from api.schemas.calendar_answers import CalendarEventOut, CalendarEventsOut, CalendarImportOut
from api.schemas.requests import CalendarEventIn
from api.services import Services, User, caller, check_body_user, run, services_of
from api.views import Views
from commands.calendar import ImportCalendar, RemoveCalendarEvent, SetCalendarEvent
from commands.calendar_times import moved_past_gap, read_time
from commands.foreign_events import Skipped, Taken, take
from commands.handle import Answer, Outcome
from commands.preference_values import check_timezone
from domain import limits
from domain.brain import Brain
from domain.day_shapes import calendar_json
from domain.errors import Invalid
from domain.events import CalendarEventAdded, CalendarEventChanged, CalendarEventRemoved
from domain.local_times import later, local_time
from domain.values import Json
from infra.ics import read_calendar_file
from infra.keys.keyring import UserKeys
from projections.calendar_queries import Window, fetch_occurrences
from projections.reading import Fetched

IF_MATCH_MEANS = "Change the event only if it is at this version, as its `version` says. Else 412."
PARAMETERS = ("from", "to", "timezone", "limit", "cursor", "min_version")
USUAL_WINDOW = timedelta(days=31)
FILE = {"required": True, "content": {"text/calendar": {"schema": {"type": "string", "format": "binary"}}}}


@post(
    "/calendar/event",
    operation_id="setCalendarEvent",
    status_code=200,
    opt={
        "body": CalendarEventIn,
        "answer": CalendarEventOut,
        "also": (201,),
        "headers": {"If-Match": IF_MATCH_MEANS},
    },
    tags=["calendar"],
)
async def set_event(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Make an event (201), or change the one with this id: what is left out stays, null clears; `If-Match` with its
    version guards a change. What is told as a trip becomes a travel event."""
    services, call, user = await caller(request)
    body = call.read(CalendarEventIn)
    check_body_user(body, user)
    fields = body.model_dump(exclude_unset=True, exclude={"id", "userId"})
    command = SetCalendarEvent(calendar_id=body.id, fields=fields, expected_version=expected_version(request, body.id))
    return await run(services, user, call, command, _event_answer(body.id))


def _event_answer(calendar_id: str | None) -> Callable[[Outcome], Answer]:
    def answer(outcome: Outcome) -> Answer:
        made = [fact.event.calendar_id for fact in outcome.facts if isinstance(fact.event, CalendarEventAdded)]
        shape = event_shape(outcome.after, calendar_id or made[0])
        return Answer(body=shape, status=201 if calendar_id is None else 200)

    return answer


def event_shape(brain: Brain, calendar_id: str) -> dict[str, Json]:
    state = brain.calendar[calendar_id]
    shape = calendar_json(
        calendar_id,
        state.entry,
        source=state.source,
        created_from=state.created_from,
        created_at_ms=state.created_at_ms,
        version=state.version,
    )
    trip = next((trip_id for trip_id, trip in brain.trips.items() if trip.calendar_id == calendar_id), None)
    return shape if trip is None else {**shape, "travelEventId": trip}


@delete(
    "/calendar/events/{event_id:str}",
    operation_id="removeCalendarEvent",
    status_code=200,
    opt={"answer": DeletedOut, "headers": {"If-Match": IF_MATCH_MEANS}},
    tags=["calendar"],
)
async def remove_event(request: Request[Any, Any, Any], event_id: FromPath[str]) -> Response[bytes]:
    """Remove an event, a series with all of its occurrences; `If-Match` with its version guards that too."""
    services, call, user = await caller(request)

    def answer(outcome: Outcome) -> Answer:
        return Answer(body={"id": event_id, "deleted": True, "version": outcome.after.version})

    command = RemoveCalendarEvent(calendar_id=event_id, expected_version=expected_version(request, event_id))
    return await run(services, user, call, command, answer)


# --- files --------------------------------------------------------------------------------------------------------


@post(
    "/calendar/import",
    operation_id="importCalendar",
    status_code=200,
    opt={"body": FILE, "answer": CalendarImportOut},
    tags=["calendar"],
)
async def import_file(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Import an .ics file: the same events again change nothing. What can't be taken is listed with its reason."""
    services, call, user = await caller(request)
    call.body = await request.body()  # what the request is told apart by, as there is no JSON
    brain = await services.handler.states.refresh(user.user_id)
    taken = await asyncio.to_thread(_read, call.body, brain.timezone, user.keys)
    command = ImportCalendar(entries=taken.entries, cancelled=taken.cancelled)
    return await run(services, user, call, command, _import_answer(taken))


def _read(data: bytes, zone: str, keys: UserKeys) -> Taken:
    page = read_calendar_file(data, events_max=limits.CALENDAR_IMPORT_MAX)
    taken = take(page.events, zone=zone, id_of=lambda uid: f"cal_{keys.ref('calendar.ics', uid)}")
    taken.skipped.extend(Skipped(uid, "unreadable") for uid in page.unread)
    return taken


def _import_answer(taken: Taken) -> Callable[[Outcome], Answer]:
    def answer(outcome: Outcome) -> Answer:
        kinds = [type(fact.event) for fact in outcome.facts]
        imported, updated = kinds.count(CalendarEventAdded), kinds.count(CalendarEventChanged)
        return Answer(
            body={
                "imported": imported,
                "updated": updated,
                "removed": kinds.count(CalendarEventRemoved),
                "unchanged": len(taken.entries) - imported - updated,
                "skipped": [{"uid": one.uid, "reason": one.reason} for one in taken.skipped],
                "version": outcome.after.version,
            }
        )

    return answer


# --- reading ------------------------------------------------------------------------------------------------------


@get(
    "/calendar/events",
    operation_id="listCalendarEvents",
    tags=["calendar"],
    opt={"query": PARAMETERS, "answer": CalendarEventsOut, "also": (304,)},
)
async def list_events(request: Request[Any, Any, Any]) -> Response[bytes]:
    """What takes place between `from` and `to`, each occurrence of a series by itself, by start, in pages.
    Without both: every event, of a series what takes place in the coming month."""
    services, query = services_of(request), call_of(request).query
    limit = integer(query, "limit", default=100, minimum=1, maximum=500) or 100

    async def fetch(views: Views, user: User) -> Fetched:
        window = await _window(services, user, query)
        return await fetch_occurrences(
            views.reader, user.user_id, window=window, limit=limit, cursor=query.get("cursor")
        )

    return await answer_query(request, fetch, view="calendar")


async def _window(services: Services, user: User, query: Mapping[str, str]) -> Window:
    """Days and times without an offset are on the clock of `timezone`, or else of the user: from today on, for a month,
    where nothing is said. With neither end only series are bounded, or an event that was just made might be missing."""
    if "timezone" in query:
        zone = check_timezone(query["timezone"])
    else:
        zone = (await services.handler.states.refresh(user.user_id)).timezone
    if "from" in query:
        begins = read_time("from", query["from"], zone)
    else:
        begins = moved_past_gap(local_time(services.clock.user_now_ms(), zone)[:10], zone)
    ends = (
        read_time("to", query["to"], zone) if "to" in query else moved_past_gap(later(begins.local, USUAL_WINDOW), zone)
    )
    if ends.at_ms <= begins.at_ms:
        raise Invalid("`to` is after `from`, and not included.", code="window_invalid")
    if ends.at_ms - begins.at_ms > limits.CALENDAR_WINDOW_DAYS_MAX * limits.DAY_MS:
        raise Invalid(f"Ask for {limits.CALENDAR_WINDOW_DAYS_MAX} days at most.", code="window_too_large")
    return Window(from_ms=begins.at_ms, until_ms=ends.at_ms, only_series=not {"from", "to"} & query.keys())
