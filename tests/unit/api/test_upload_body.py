"""Multipart bodies, in whatever pieces they come, whole or not."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.body_gate import ClientGone
from api.http.upload_body import UploadBody, read_upload
from api.problems import Refused
from tests.support.voices import form

FIELDS = ("language", "speak")


def read(pieces: list[bytes], kind: str, *, ends: bool = True) -> UploadBody:
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request" if ends else "http.disconnect"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return asyncio.run(read_upload(kind.encode("latin-1"), receive, fields=FIELDS))


def refused(pieces: list[bytes], kind: str) -> str:
    with pytest.raises(Refused) as problem:
        read(pieces, kind)
    assert problem.value.problem.status == 400
    assert problem.value.problem.close
    return problem.value.problem.code


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=20))
def test_the_pieces_that_it_comes_in_change_nothing(file: bytes, cuts: list[int]) -> None:
    data, kind = form(file, language="en", speak="true")
    body = read(pieces_of(data, cuts), kind)
    assert (body.file, body.fields) == (file, {"language": "en", "speak": "true"})


@given(st.integers(0, 10_000), st.lists(st.integers(0, 10_000), max_size=5))
def test_what_was_cut_off_is_refused_wherever_it_was_cut(length: int, cuts: list[int]) -> None:
    data, kind = form(b"\r\n--sound\r\n" * 10, language="en")
    cut = data[: length % (len(data) - len("\r\n"))]
    if not cut.endswith(b"--bOuNdArY--"):
        assert refused(pieces_of(cut, cuts), kind) == "invalid_multipart"


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    refused([data], "multipart/form-data; boundary=x")


def test_a_client_that_left_is_nobody_to_answer() -> None:
    data, kind = form(b"sound")
    with pytest.raises(ClientGone):
        read([data[:-10]], kind, ends=False)


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        f"multipart/form-data; boundary={'x' * 71}",
        "multipart/form-data; boundary=ä",
        "multipart/form-data; charset=utf-8",
    ],
)
def test_a_type_without_a_good_boundary_is_refused(kind: str) -> None:
    assert refused([form(b"sound")[0]], kind) == "invalid_multipart"


def test_a_field_that_is_not_text_is_refused() -> None:
    data, kind = form(b"sound", language="en")
    assert refused([data.replace(b"\r\n\r\nen\r\n", b"\r\n\r\n\xff\xfe\r\n")], kind) == "invalid_multipart"
