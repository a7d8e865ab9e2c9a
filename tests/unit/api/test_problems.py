"""One table from what went wrong to what the client sees."""

from __future__ import annotations

import errno
import inspect
from typing import Annotated, Any, Literal

import litestar.exceptions
import msgspec
import psycopg
import psycopg_pool
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, field_validator

from api.auth.tokens import AuthError, KeysUnavailable
from api.field_errors import FieldError, of_pydantic
from api.problems import INTERNAL, TITLES, Problem, problem_of
from domain import errors
from domain.values import Json

TABLE: list[tuple[BaseException, int, str]] = [
    (errors.Invalid("x"), 400, "invalid"),
    (errors.Invalid("x", code="cursor"), 400, "cursor"),
    (errors.Forbidden("x"), 403, "forbidden"),
    (errors.NotFound("x"), 404, "not_found"),
    (errors.Conflict("x"), 409, "conflict"),
    (errors.StaleAttempt("x"), 409, "stale_attempt"),
    (errors.Gone("x"), 410, "gone"),
    (errors.PreconditionFailed("x"), 412, "precondition_failed"),
    (errors.KeyReused("x"), 422, "idempotency_key_reused"),
    (errors.TooMany("x"), 429, "too_many"),
    (errors.Unavailable("x"), 503, "unavailable"),
    (AuthError("canary"), 401, "unauthorized"),
    (KeysUnavailable("canary"), 503, "auth_unavailable"),
    (litestar.exceptions.NotFoundException(), 404, "not_found"),
    (litestar.exceptions.MethodNotAllowedException(headers={"allow": "POST, GET"}), 405, "method_not_allowed"),
    (litestar.exceptions.NotAuthorizedException(), 401, "unauthorized"),
    (litestar.exceptions.PermissionDeniedException(), 403, "forbidden"),
    (litestar.exceptions.ClientException("canary"), 400, "invalid"),
    (litestar.exceptions.SerializationException("canary"), 500, "internal"),
    (litestar.exceptions.TooManyRequestsException(), 429, "too_many"),
    (litestar.exceptions.ServiceUnavailableException(), 503, "unavailable"),
    (litestar.exceptions.InternalServerException("canary"), 500, "internal"),
    (litestar.exceptions.HTTPException("canary", status_code=418), 400, "invalid"),
    (litestar.exceptions.HTTPException("canary", status_code=502), 500, "internal"),
    (RequestEntityTooLarge("canary"), 413, "body_too_large"),
    (litestar.exceptions.ImproperlyConfiguredException("canary"), 500, "internal"),
    (psycopg.OperationalError("canary"), 503, "unavailable"),
    (psycopg.errors.QueryCanceled("canary"), 503, "unavailable"),
    (psycopg.errors.DiskFull("canary"), 503, "unavailable"),
    (psycopg.errors.AdminShutdown("canary"), 503, "unavailable"),
    (psycopg.errors.ReadOnlySqlTransaction("canary"), 503, "unavailable"),
    (psycopg.InterfaceError("canary"), 503, "unavailable"),
    (psycopg_pool.PoolTimeout("canary"), 503, "unavailable"),
    (psycopg.DataError("canary"), 400, "invalid"),
    (psycopg.errors.UntranslatableCharacter("canary"), 400, "invalid"),
    (psycopg.errors.NumericValueOutOfRange("canary"), 400, "invalid"),
    (psycopg.IntegrityError("canary"), 500, "internal"),
    (psycopg.ProgrammingError("canary"), 500, "internal"),
    (TimeoutError("canary"), 503, "unavailable"),
    (ConnectionResetError("canary"), 503, "unavailable"),
    (OSError(errno.ENOSPC, "canary"), 507, "no_space"),
    (OSError(errno.ENOENT, "canary"), 500, "internal"),
    (RecursionError("canary"), 400, "invalid"),
    (UnicodeDecodeError("utf-8", b"canary", 0, 1, "canary"), 400, "invalid"),
    (ValueError("canary"), 500, "internal"),
    (AssertionError("canary"), 500, "internal"),
    (ExceptionGroup("canary", [errors.NotFound("x")]), 404, "not_found"),
    (ExceptionGroup("canary", [errors.NotFound("x"), errors.NotFound("x")]), 500, "internal"),
]


@pytest.mark.parametrize(("error", "status", "code"), TABLE)
def test_each_failure_has_its_status_and_code(error: BaseException, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)
    body = msgspec.json.decode(problem.body())
    assert body["type"] == f"/problems/{code}"
    assert body["status"] == status
    assert body["title"] == TITLES[status]
    assert body["detail"].endswith(".") or body["detail"] == "x"
    assert "canary" not in problem.body().decode()


def test_every_leaf_of_the_domain_has_its_own_row() -> None:
    leaves = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.DomainError)]
    tested = {type(error) for error, _, _ in TABLE}
    assert set(leaves) - tested == {errors.DomainError}


@pytest.mark.parametrize(("seconds", "header"), [(None, b"1"), (0.0, b"1"), (1.0, b"1"), (1.01, b"2"), (59.9, b"60")])
@pytest.mark.parametrize("kind", [errors.TooMany, errors.Unavailable])
def test_retry_after_is_in_whole_seconds_and_never_too_early(
    kind: type[errors.DomainError], seconds: float | None, header: bytes
) -> None:
    assert dict(problem_of(kind("x", retry_after_seconds=seconds)).headers)[b"retry-after"] == header


def test_405_lists_its_methods_in_order() -> None:
    error = litestar.exceptions.MethodNotAllowedException(headers={"allow": "POST, OPTIONS, GET"})
    assert dict(problem_of(error).headers)[b"allow"] == b"GET, OPTIONS, POST"


def test_a_problem_names_no_request() -> None:
    """Two answers about things that a user can't see must be the same bytes."""
    assert INTERNAL.body() == INTERNAL.body()
    assert set(msgspec.json.decode(Problem(status=404, code="not_found", detail="x.").body())) == {
        *("type", "title", "status", "detail", "code"),
    }


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    title: str = Field(max_length=10)
    due: str | None = Field(default=None, pattern=r"^[0-9-]+$")


class Create(Inner):
    action: Literal["create"]


class Update(Inner):
    action: Literal["update"]
    id: str


class Command(RootModel[Annotated[Create | Update, Field(discriminator="action")]]):
    pass


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    channel: Literal["chat", "voice"] = "chat"
    tasks: list[Inner] = []
    either: Inner | int = 1
    count: int = 0
    name: str = ""

    @field_validator("name")
    @classmethod
    def _not_shouted(cls, value: str) -> str:
        if value.isupper():
            raise ValueError(f"{value} is shouted.")
        if value.endswith("!"):
            raise ValueError("Leave the exclamation mark out.")
        return value


def _errors(model: type[BaseModel], body: Json) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return {error.pointer: error.message for error in problem_of(caught.value, body).errors}


def test_pointers_lead_to_the_field_in_the_body() -> None:
    body: Json = {"tasks": [{"title": "ok"}, {"title": "far too long a title", "a/b~c": 1}], "extra": 1}
    found = _errors(Outer, body)
    assert set(found) == {"/tasks/1/title", "/tasks/1/a~1b~0c", "/extra"}
    assert found["/extra"] == "There is no such field."


def test_a_missing_field_is_pointed_at_where_it_should_stand() -> None:
    assert _errors(Outer, {"tasks": [{}]}) == {"/tasks/0/title": "This field is required."}


def test_names_of_union_members_do_not_get_into_pointers() -> None:
    assert _errors(Command, {"action": "update", "title": 1}) == {
        "/title": "Input should be a valid string",
        "/id": "This field is required.",
    }
    assert set(_errors(Outer, {"either": {"title": "x" * 11}})) == {"/either/title", "/either"}


def test_a_wrong_tag_is_told_what_tags_there_are_and_not_what_it_is() -> None:
    found = _errors(Command, {"action": "canary", "title": "x"})
    assert found == {"": "'action' must be one of 'create', 'update'."}


def test_a_message_that_quotes_the_value_is_replaced() -> None:
    assert _errors(Outer, {"name": "CANARY"}) == {"/name": "This value can't be accepted."}
    assert _errors(Outer, {"name": "canary!"}) == {"/name": "Leave the exclamation mark out."}


def test_only_the_first_errors_are_listed() -> None:
    assert len(_errors(Outer, {f"field{n}": 1 for n in range(100)})) == 20


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["channel", "tasks", "either", "count", "name", "action", "id"]), _json))
def test_no_value_that_was_sent_comes_back(body: dict[str, Any]) -> None:
    marked = _marked(body)
    told = "".join(error.message for model in (Outer, Command) for error in _found(model, marked))
    assert "canary" not in told


def _found(model: type[BaseModel], body: Json) -> tuple[FieldError, ...]:
    try:
        model.model_validate(body)
    except ValidationError as error:
        return of_pydantic(error.errors(), body)
    return ()


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner) for inner in value]
    return "canary" + value if isinstance(value, str) else value
