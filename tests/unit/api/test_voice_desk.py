"""How much a process takes in at once, and that every place is free again, however it was left."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from api.live.frames import Reply
from api.socket_voice import SocketVoice
from api.voice_desk import UPLOADS_AT_ONCE_MAX, UPLOADS_AT_ONCE_OF_USER_MAX, VoiceDesk
from domain.errors import Conflict, TooMany, Unavailable
from domain.values import Json
from infra.audio_store import AudioStore
from infra.clock import ManualClock
from infra.speech.none import NoSpeechToText
from tests.support.voices import Ears

START: dict[str, Json] = {"format": "pcm16", "rate": 16_000}


def desk_of(path: Path, ears: Ears | NoSpeechToText, **options: int) -> VoiceDesk:
    return VoiceDesk(AudioStore(path, bytes(32), ManualClock()), ears, can_speak=False, **options)


def test_one_user_does_not_take_all_the_places(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, Ears())
    with ExitStack() as held:
        for _ in range(UPLOADS_AT_ONCE_OF_USER_MAX):
            held.enter_context(desk.upload_of("ada"))
        with pytest.raises(TooMany), desk.upload_of("ada"):
            pass
        for number in range(UPLOADS_AT_ONCE_MAX - UPLOADS_AT_ONCE_OF_USER_MAX):
            held.enter_context(desk.upload_of(f"user {number}"))
        with pytest.raises(Unavailable), desk.upload_of("bob"):
            pass
    with desk.upload_of("ada"), desk.upload_of("bob"):
        pass


def test_a_place_is_free_after_a_failure(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, Ears(), live_at_once_max=1)
    for _ in range(UPLOADS_AT_ONCE_MAX + 1):
        with suppress(ZeroDivisionError), desk.upload_of("ada"):
            raise ZeroDivisionError
        with suppress(ZeroDivisionError), desk.speaker():
            raise ZeroDivisionError


def test_what_is_off_says_which_setting_to_set(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, NoSpeechToText())
    with pytest.raises(Conflict, match="MICROCOS_STT_PROVIDER"):
        desk.check_hearing()
    with pytest.raises(Conflict, match="MICROCOS_TTS_PROVIDER"):
        desk.check_speaking()
    desk_of(tmp_path, Ears()).check_hearing()


@pytest.mark.anyio
async def test_a_socket_that_leaves_at_once_leaves_its_place(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, Ears(), live_at_once_max=1)
    shown: list[Reply] = []

    async def post(body: dict[str, Json], key: str | None) -> bytes:
        raise AssertionError("nothing is posted")

    for _ in range(3):
        voice = SocketVoice(desk, post, shown.append)
        voice.start("v1", START, None)
        assert desk.speakers == 1
        await voice.aclose()
        assert desk.speakers == 0
    assert shown == []
