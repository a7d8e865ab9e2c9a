"""The eventsourcing library's own test cases, and an application of its own, on our log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import BaseAggregate, CanInitAggregate, CanMutateAggregate, MetaDomainEvent, event
from eventsourcing.persistence import IntegrityError, ProgrammingError, StoredEvent
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)
from psycopg.conninfo import conninfo_to_dict

from infra.event_log.library_recorder import LogProcessRecorder, LogRecorder
from infra.ids import new_user_id


@pytest.fixture(autouse=True)
def datastore(request: pytest.FixtureRequest, database_url: str) -> Iterator[PostgresDatastore]:
    datastore = a_datastore(database_url)
    if request.instance is not None:
        request.instance.datastore = datastore
    yield datastore
    datastore.close()


def a_datastore(database_url: str, *, enable_db_functions: bool = False) -> PostgresDatastore:
    given: dict[str, Any] = conninfo_to_dict(database_url)
    return PostgresDatastore(
        dbname=given["dbname"],
        host=given["host"],
        port=given.get("port", "5432"),
        user=given["user"],
        password=given["password"],
        pool_size=1,
        max_overflow=19,
        originator_id_type="text",
        enable_db_functions=enable_db_functions,
    )


class TestApplicationRecorder(ApplicationRecorderTestCase[LogRecorder]):
    datastore: PostgresDatastore

    def new_originator_id(self) -> str:
        return new_user_id()

    def create_recorder(self) -> LogRecorder:
        return LogRecorder(self.datastore)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingRecorder(TrackingRecorderTestCase):
    datastore: PostgresDatastore

    def create_recorder(self) -> LogProcessRecorder:
        return LogProcessRecorder(self.datastore)


class TestProcessRecorder(ProcessRecorderTestCase):
    datastore: PostgresDatastore

    def new_originator_id(self) -> str:
        return new_user_id()

    def create_recorder(self) -> LogProcessRecorder:
        return LogProcessRecorder(self.datastore)


def stored(originator_id: str, version: int) -> StoredEvent:
    return StoredEvent(originator_id, version, "topic", str(uuid4()).encode())


def test_a_save_of_several_streams_goes_in_whole_or_not_at_all(datastore: PostgresDatastore) -> None:
    recorder = LogRecorder(datastore)
    first, second = new_user_id(), new_user_id()
    recorder.insert_events([stored(second, 1)])
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(first, 1), stored(second, 1)])
    assert recorder.select_events(first) == []
    ids = recorder.insert_events([stored(second, 2), stored(first, 1), stored(second, 3)])
    assert ids is not None
    # Ids come in the order that was asked; within a stream they grow.
    assert ids[0] < ids[2]
    assert len(set(ids)) == 3


def test_a_stream_with_a_gap_is_refused(datastore: PostgresDatastore) -> None:
    recorder, user = LogRecorder(datastore), new_user_id()
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(user, 1), stored(user, 3)])
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(user, 2)])


def test_the_librarys_own_insert_function_is_refused(database_url: str) -> None:
    unsafe = a_datastore(database_url, enable_db_functions=True)
    with pytest.raises(ProgrammingError, match="lock"):
        LogRecorder(unsafe)
    unsafe.close()


class DogEvent(CanMutateAggregate[str], metaclass=MetaDomainEvent):
    originator_id: str
    originator_version: int
    timestamp: datetime


class DogCreated(CanInitAggregate[str], DogEvent):
    originator_topic: str


class Dog(BaseAggregate[str]):
    class Event(DogEvent):
        pass

    class Created(Event, DogCreated):
        name: str

    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @staticmethod
    def create_id(name: str) -> str:
        return f"07/{name}"

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


class DogSchool(Application[str]):
    name = "log0"


def test_an_application_of_the_library_runs_on_the_log(database_url: str) -> None:
    given: dict[str, Any] = conninfo_to_dict(database_url)
    school = DogSchool(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": given["dbname"],
            "POSTGRES_HOST": given["host"],
            "POSTGRES_USER": given["user"],
            "POSTGRES_PASSWORD": given["password"],
            "ORIGINATOR_ID_TYPE": "text",
            "CREATE_TABLE": "n",
            "APPLICATION_RECORDER_TOPIC": "infra.event_log.library_recorder:LogRecorder",
        }
    )
    dog = Dog("fido")
    dog.add_trick("roll over")
    school.save(dog)
    copy: Dog = school.repository.get(dog.id)
    assert copy.tricks == ["roll over"]
    dog.add_trick("play dead")
    copy.add_trick("sit")
    school.save(copy)
    with pytest.raises(IntegrityError):
        school.save(dog)
    assert [n.originator_version for n in school.notification_log.select(start=1, limit=10)] == [1, 2, 3]
    school.close()
