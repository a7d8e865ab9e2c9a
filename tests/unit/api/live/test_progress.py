"""What is being done right now reaches who looks now, and nobody later."""

from __future__ import annotations

from api.live.timeline import Sent
from domain.frames import TokenChunk
from tests.unit.api.live.test_timeline import Live

SEARCHING = {"stage": "tool", "label": "Searching flights", "tool": "find_flights"}


def progress(live: Live, *, index: int, seen_version: int | None = None) -> TokenChunk:
    return TokenChunk(
        attempt=1,
        first_index=index,
        last_index=index,
        offset=0,
        seen_version=live.timeline.version if seen_version is None else seen_version,
        progress=SEARCHING,
    )


def labels(sent: list[Sent]) -> list[str]:
    return [each.frame.data["label"] for each in sent if each.frame.name == "message.progress"]


def test_progress_is_a_frame_without_a_cursor_and_moves_nothing() -> None:
    live = Live()
    before = live.timeline.place
    (sent,) = live.take(progress(live, index=0))
    assert sent.cursor is None
    assert {name: sent.frame.data[name] for name in ("stage", "label", "tool")} == SEARCHING
    assert sent.frame.data["messageId"] == live.reply_id
    assert live.timeline.place == before


def test_progress_that_is_over_is_not_told() -> None:
    live = Live()
    said = progress(live, index=0)
    live.take(live.world.write("one"))
    assert live.take(said) == []


def test_progress_waits_for_the_facts_and_entries_before_it() -> None:
    live = Live()
    ahead = progress(live, index=1)
    assert live.take(ahead) == []
    assert labels(live.take(live.world.write("one"))) == ["Searching flights"]


def test_progress_of_another_attempt_is_dropped() -> None:
    live = Live()
    said = TokenChunk(attempt=7, first_index=0, last_index=0, offset=0, seen_version=1, progress=SEARCHING)
    assert live.take(said) == []
    assert live.timeline.held_count == 0
