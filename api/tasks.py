"""Tasks over HTTP: one command route for all changes, and the queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from api.http.preconditions import expected_version
from api.http.query import integer
from api.http.request import call_of
from api.queries import answer_query
from api.schemas.answers import TaskChanged, TaskOut, TasksOut
from api.schemas.requests import TaskFields, TaskIn
from api.services import User, caller, check_body_user, run
from api.views import Views
from commands.decide import Command
from commands.handle import Answer, Outcome
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from domain.errors import Invalid
from domain.events import TaskCreated
from domain.shapes import task_state_json
from domain.values import Task, TaskStatus
from projections.reading import Fetched
from projections.task_queries import TaskFilter, fetch_task, fetch_tasks

LIST_PARAMETERS = ("status", "due_from", "due_to", "tag", "limit", "cursor", "min_version")
IF_MATCH_MEANS = "Change the task only if it is at this version: its `version`, or its ETag. Else 412."
BOUND = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2})?", re.ASCII)


@post(
    "/tasks",
    operation_id="changeTask",
    status_code=200,
    opt={"body": TaskIn, "answer": TaskChanged, "also": (201,), "headers": {"If-Match": IF_MATCH_MEANS}},
    tags=["tasks"],
)
async def change_task(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Create (201), update, complete, reopen or delete a task; `If-Match` with its version guards a change."""
    services, call, user = await caller(request)
    body = call.read(TaskIn)
    check_body_user(body, user)
    version = expected_version(request, None if body.action == "create" else body.task.id)
    command = task_command(body, version)
    return await run(services, user, call, command, created if body.action == "create" else changed(body.task.id or ""))


def task_command(body: TaskIn, version: int | None) -> Command:
    fields = body.task
    if body.action == "create":
        return CreateTask(task=_new_task(fields))
    if fields.id is None:
        raise Invalid("Name the task: task.id is missing.", code="task_id_missing")
    patch = fields.model_dump(exclude_unset=True, exclude={"id"})
    if body.action == "update":
        if "title" in patch and patch["title"] is None:
            raise Invalid("A task keeps a title: task.title cannot be null.", code="title_invalid")
        return UpdateTask(task_id=fields.id, patch=patch, expected_version=version)
    if patch:
        raise Invalid(f"To {body.action} a task, send its id alone.", code="task_fields_unexpected")
    if body.action == "complete":
        return CompleteTask(task_id=fields.id, expected_version=version)
    if body.action == "reopen":
        return ReopenTask(task_id=fields.id, expected_version=version)
    return DeleteTask(task_id=fields.id, expected_version=version)


def _new_task(fields: TaskFields) -> Task:
    if fields.id is not None:
        raise Invalid("A new task gets its id from the server: leave task.id out.", code="task_id_unexpected")
    if fields.title is None:
        raise Invalid("A new task needs a title.", code="title_invalid")
    if fields.status == "done":
        raise Invalid("A new task is open. Create it, then complete it.", code="status_invalid")
    return Task(
        title=fields.title,
        due=fields.due,
        timezone=fields.timezone,
        recurrence=fields.recurrence,
        tags=tuple(fields.tags or ()),
        priority=fields.priority or "normal",
        notes=fields.notes,
        assignee=fields.assignee,
    )


def created(outcome: Outcome) -> Answer:
    event = next(fact.event for fact in outcome.facts if isinstance(fact.event, TaskCreated))
    return Answer(body=task_state_json(event.task_id, outcome.after.tasks[event.task_id]), status=201)


def changed(task_id: str) -> Callable[[Outcome], Answer]:
    def answer(outcome: Outcome) -> Answer:
        state = outcome.after.tasks.get(task_id)
        if state is None:
            return Answer(body={"id": task_id, "deleted": True, "version": outcome.after.version})
        return Answer(body=task_state_json(task_id, state))

    return answer


@get(
    "/tasks",
    operation_id="listTasks",
    tags=["tasks"],
    opt={"query": LIST_PARAMETERS, "answer": TasksOut, "also": (304,)},
)
async def list_tasks(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Tasks by status, due range (both ends included) and tag, in pages."""
    query = call_of(request).query
    wanted = _filter(query)
    limit = integer(query, "limit", default=100, minimum=1, maximum=500) or 100

    async def fetch(views: Views, user: User) -> Fetched:
        return await fetch_tasks(views.reader, user.user_id, wanted=wanted, limit=limit, cursor=query.get("cursor"))

    return await answer_query(request, fetch, view="tasks")


def _filter(query: Mapping[str, str]) -> TaskFilter:
    status = query.get("status")
    if status not in (None, "open", "done"):
        raise Invalid("status is open or done.", code="status_invalid")
    for name in ("due_from", "due_to"):
        if name in query and not _is_bound(query[name]):
            raise Invalid(f"{name} is YYYY-MM-DD or YYYY-MM-DDTHH:MM.", code="due_invalid")
    kind: TaskStatus | None = None if status is None else ("open" if status == "open" else "done")
    return TaskFilter(status=kind, due_from=query.get("due_from"), due_to=query.get("due_to"), tag=query.get("tag"))


def _is_bound(text: str) -> bool:
    if BOUND.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@get(
    "/tasks/{task_id:str}",
    operation_id="getTask",
    tags=["tasks"],
    opt={"query": ("min_version",), "answer": TaskOut, "also": (304,)},
)
async def get_task(request: Request[Any, Any, Any], task_id: FromPath[str]) -> Response[bytes]:
    """One task, at its own version."""
    return await answer_query(
        request, lambda views, user: fetch_task(views.reader, user.user_id, task_id), view="tasks"
    )
