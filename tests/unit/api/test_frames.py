"""Frames as bytes: one line of JSON each, whatever their text holds."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from api.live.frames import Encoded
from domain.frames import Frame


@given(st.text())
@example("a\u2028b\u2029c\x85d\ne\x0bf\x1cg")
def test_the_data_is_one_line_for_whoever_splits_lines_and_is_what_it_was(text: str) -> None:
    encoded = Encoded(Frame("llm.token", {"token": text}))
    event, data = encoded.sse.decode().splitlines()[:2]
    assert event == "event: llm.token"
    assert json.loads(data.removeprefix("data: ")) == {"token": text}
    assert encoded.sse.decode().splitlines()[2:] == [""]
    message = encoded.text
    assert message is not None
    assert len(message.splitlines()) == 1
    assert json.loads(message)["data"] == {"token": text}
