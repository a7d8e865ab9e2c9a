"""The eventsourcing library's recorders over our append function: its `Application`, its runners and its own test case
work on this log. Synchronous and one call a save; the product itself appends through `infra/event_log/store.py`.

Use it with the application name `log0`, `ORIGINATOR_ID_TYPE=text` and `CREATE_TABLE=n`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from eventsourcing.persistence import IntegrityError, ProcessRecorder, ProgrammingError, StoredEvent, Tracking
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresTrackingRecorder
from psycopg import Connection
from psycopg.rows import DictRow, tuple_row

from domain.ports import Append, Appended, NewEvent
from infra.event_log import binary_arrays
from infra.event_log.append_call import APPEND, append_parameters, verdict_of
from infra.ids import new_id


class LogRecorder(PostgresApplicationRecorder):
    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "log0_events", **kwargs: Any) -> None:
        if datastore.enable_db_functions:
            raise ProgrammingError("The library's own insert function takes no lock: readers of the log miss events.")
        super().__init__(datastore, events_table_name=events_table_name, **kwargs)
        self.channel_name = "log0"  # what the append function notifies

    def create_table(self) -> None:
        """Alembic has made it; only the type adapters are ours to register."""
        self.datastore.register_type_adapters()

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """All or none; their notification ids. Raises `IntegrityError` where a stream is not as expected."""
        tracking: Tracking | None = kwargs.get("tracking")
        with self.datastore.get_connection() as connection, connection.transaction():
            if tracking is not None:
                self._track(connection, tracking)
            return _append(connection, stored_events) if stored_events else []

    def _track(self, connection: Connection[DictRow], tracking: Tracking) -> None:
        raise ProgrammingError("This recorder keeps no tracking.")


class LogProcessRecorder(PostgresTrackingRecorder, LogRecorder, ProcessRecorder):
    def __init__(
        self,
        datastore: PostgresDatastore,
        *,
        events_table_name: str = "log0_events",
        tracking_table_name: str = "log0_tracking",
    ) -> None:
        super().__init__(datastore, tracking_table_name=tracking_table_name, events_table_name=events_table_name)

    def create_table(self) -> None:
        LogRecorder.create_table(self)

    def _track(self, connection: Connection[DictRow], tracking: Tracking) -> None:
        with connection.cursor() as cursor:
            self._insert_tracking(cursor, tracking)


def _append(connection: Connection[DictRow], events: Sequence[StoredEvent]) -> list[int]:
    """One command for each stream, all in one batch: as the transaction ends with the first refusal, all or none."""
    binary_arrays.accept(connection)
    streams = [list(group) for _, group in groupby(sorted(events, key=_place), key=lambda event: event.originator_id)]
    with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        rows = cursor.execute(APPEND, append_parameters([_command(stream) for stream in streams])).fetchall()
    for row in rows:
        verdict = verdict_of(row)
        if not isinstance(verdict, Appended):
            raise IntegrityError(f"{row[0]}: {verdict}")
    positions = {(user_id, version): position for user_id, _, version, position, *_ in rows}
    return [positions[_place(event)] for event in events]


def _command(stream: list[StoredEvent]) -> Append:
    first = stream[0].originator_version
    if [event.originator_version for event in stream] != list(range(first, first + len(stream))):
        raise IntegrityError(f"{stream[0].originator_id}: versions must follow each other")
    return Append(
        user_id=str(stream[0].originator_id),
        expected_version=first - 1,
        events=[NewEvent(event.topic, event.state) for event in stream],
        command_id=new_id(),
    )


def _place(event: StoredEvent) -> tuple[str, int]:
    return str(event.originator_id), event.originator_version
