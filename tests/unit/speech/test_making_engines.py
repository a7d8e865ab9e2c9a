"""Which engine the settings name, and what is said where they lack something."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from domain.ports import SpeechError
from infra.settings import Settings, SettingsError
from infra.speech import local, make_speech_to_text, make_text_to_speech
from infra.speech.local import LocalSpeechToText, LocalTextToSpeech
from infra.speech.openai import OpenAISpeechToText, OpenAITextToSpeech
from infra.speech.workers_ai import WorkersAISpeechToText, WorkersAITextToSpeech

pytestmark = pytest.mark.anyio

ACCOUNT = {"cf_account_id": "a", "cf_api_token": "t"}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


async def test_speech_is_off_until_somebody_chooses_and_says_which_setting_that_is() -> None:
    with pytest.raises(SpeechError, match="MICROCOS_STT_PROVIDER") as caught:
        await make_speech_to_text(Settings()).transcribe(b"", "audio/wav")
    assert (caught.value.code, caught.value.retryable) == ("off", False)
    with pytest.raises(SpeechError, match="MICROCOS_TTS_PROVIDER") as caught:
        await make_text_to_speech(Settings()).speak("hello")
    assert (caught.value.code, caught.value.retryable) == ("off", False)


async def test_each_provider_has_an_engine(installed: None) -> None:
    ears = {"local": LocalSpeechToText, "openai": OpenAISpeechToText, "workers_ai": WorkersAISpeechToText}
    voices = {"local": LocalTextToSpeech, "openai": OpenAITextToSpeech, "workers_ai": WorkersAITextToSpeech}
    for provider in ears:
        chosen: dict[str, Any] = {"stt_provider": provider, "tts_provider": provider, **ACCOUNT}
        ear, voice = make_speech_to_text(Settings(**chosen)), make_text_to_speech(Settings(**chosen))
        assert (type(ear), type(voice)) == (ears[provider], voices[provider])
        await ear.aclose()
        await voice.aclose()


def test_without_the_extra_local_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"MICROCOS_STT_PROVIDER=local: .*make voice"):
        make_speech_to_text(Settings(stt_provider="local"))
    with pytest.raises(SettingsError, match=r"MICROCOS_TTS_PROVIDER=local: .*make voice"):
        make_text_to_speech(Settings(tts_provider="local"))
    assert local.missing(()) is None


def test_a_local_model_must_be_here(installed: None, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MICROCOS_STT_MODEL"):
        make_speech_to_text(Settings(stt_provider="local", stt_model="large-v3"))
    with pytest.raises(SettingsError, match="MICROCOS_TTS_MODEL"):
        make_text_to_speech(Settings(tts_provider="local", tts_model=str(tmp_path)))
    assert make_speech_to_text(Settings(stt_provider="local", stt_model=str(tmp_path))).name.endswith(str(tmp_path))


@pytest.mark.parametrize("lacking", sorted(ACCOUNT))
def test_workers_ai_needs_an_account_and_its_token(lacking: str) -> None:
    given: dict[str, Any] = {**ACCOUNT, lacking: ""}
    with pytest.raises(SettingsError, match=lacking.upper()):
        make_speech_to_text(Settings(stt_provider="workers_ai", **given))
    with pytest.raises(SettingsError, match=lacking.upper()):
        make_text_to_speech(Settings(tts_provider="workers_ai", **given))


def test_a_key_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError, match="MICROCOS_SPEECH_API_KEY") as caught:
        make_speech_to_text(Settings(stt_provider="openai", speech_api_key="schlüssel"))
    assert "schlüssel" not in str(caught.value)
