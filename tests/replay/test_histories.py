"""Old data is a fixture: streams as released versions stored them, read by today's code for ever.

A file in histories/ is never changed. When an event gets a new name or schema version, freeze one more with
`python -m tests.replay.test_histories NAME`, and name it after the version that is about to be released.
"""

from __future__ import annotations

import json
import random
import sys
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.brain import EMPTY_BRAIN
from domain.event_types import EVENTS
from domain.evolve import evolve
from domain.frames import frame_of
from domain.ports import StoredEvent
from infra import codec
from projections.fold import fold
from projections.views import VIEWS
from tests.support.histories import History, PlainKeys, random_history

FOLDER = Path(__file__).parent / "histories"
HISTORIES = sorted(FOLDER.glob("*.json"))
USER = "07/7a1c1f5e-3f07-4a36-b7cb-7a2f0f6f4d55"
STEPS = 600


def rows_of(history: dict[str, Any]) -> list[StoredEvent]:
    user_id = history["user_id"]
    rows = enumerate(history["events"], 1)
    return [StoredEvent(version, user_id, version, row["name"], row["state"].encode()) for version, row in rows]


def folded(rows: list[StoredEvent]) -> dict[str, Any]:
    """What today's code makes of a stream: the state, and how many rows each view has."""
    keys, brain = PlainKeys(USER), EMPTY_BRAIN
    for row in rows:
        brain = evolve(brain, codec.open(row, keys))
    views = {view.name: sum(map(len, fold(view, rows).rows.values())) for view in VIEWS.values()}
    brain_json: dict[str, Any] = json.loads(msgspec.json.encode(brain))
    return {"brain": brain_json, "view_rows": views}


def read(path: Path) -> dict[str, Any]:
    history: dict[str, Any] = json.loads(path.read_text())
    return history


def still_says(now: Any, then: Any) -> bool:
    """Whether all that was said then is said now; objects may have got more properties since."""
    if isinstance(now, dict) and isinstance(then, dict):
        return all(name in now and still_says(now[name], value) for name, value in then.items())
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(still_says, now, then))
    return bool(now == then)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_an_old_stream_folds_as_it_did_when_it_was_written(path: Path) -> None:
    """What the state of then had and today's has not, or has otherwise, was lost on the way."""
    history = read(path)
    now = folded(rows_of(history))
    for name, value in history["brain"].items():
        assert still_says(now["brain"][name], value), name
    # A view that came later has nothing to be compared with.
    assert {view: now["view_rows"][view] for view in history["view_rows"]} == history["view_rows"]


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_every_event_of_an_old_stream_can_be_shown(path: Path) -> None:
    keys = PlainKeys(USER)
    for row in rows_of(read(path)):
        frame = frame_of(codec.open(row, keys))
        assert frame is None or msgspec.json.encode(frame.data)


def test_every_event_at_its_present_schema_is_in_some_history() -> None:
    frozen = {(row["name"], json.loads(row["state"])["schema"]) for path in HISTORIES for row in read(path)["events"]}
    missing = {(name, kind.schema) for name, kind in EVENTS.items()} - frozen - {("ActionResolved", 1)}
    assert not missing, f"freeze a history that has {missing}"


def whole_history(name: str) -> History:
    """A stream that has every event but the last one that there can be."""
    for number in count():
        history = random_history(USER, STEPS, random.Random(f"{name}/{number}"))
        if {row.name for row in history.rows} >= EVENTS.keys() - {"UserErased"}:
            return history
    raise AssertionError("some event is made by no random command")


def freeze(name: str) -> None:
    path = FOLDER / f"{name}.json"
    if path.exists():
        raise SystemExit(f"{path.name} is there: histories are never changed.")
    history = whole_history(name).erase()
    before_erasure = history.rows[:-1]
    events = [{"name": row.name, "state": row.state.decode()} for row in history.rows]
    # The state after erasure says nothing, so the erasure is a history of its own.
    path.write_text(json.dumps({"user_id": USER, "events": events[:-1], **folded(before_erasure)}, indent=0) + "\n")
    erased = {"user_id": USER, "events": events, **folded(history.rows)}
    path.with_name(f"{name}-erased.json").write_text(json.dumps(erased, indent=0) + "\n")


if __name__ == "__main__":
    freeze(sys.argv[1])
