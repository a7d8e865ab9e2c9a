"""Speech behind the ports `SpeechToText` and `TextToSpeech` of domain/ports.py: one factory each for whoever composes
a process. They stand in infra because the API, for live speech, and the workers, for uploads, both need them.

none.py         off, and says what to set            local.py        on this machine: extra `voice`
openai.py       OpenAI's audio interface             local_engine.py the child that local.py runs, jobs.py its words
workers_ai.py   Cloudflare's                         http.py         one call, and what its failures mean
reading.py      long texts in parts                  live.py         an utterance as it is spoken, with
                                                     endpointing.py and agreement.py
"""

from __future__ import annotations

from pathlib import Path

from domain.ports import SpeechToText, TextToSpeech
from infra.settings import PREFIX, Settings, SettingsError
from infra.speech import local, openai, workers_ai
from infra.speech.local import LocalSpeechToText, LocalTextToSpeech
from infra.speech.none import NoSpeechToText, NoTextToSpeech
from infra.speech.openai import OpenAISpeechToText, OpenAITextToSpeech
from infra.speech.workers_ai import WorkersAISpeechToText, WorkersAITextToSpeech
from infra.workers_ai import check_account


def make_speech_to_text(settings: Settings) -> SpeechToText:
    """The engine that the settings name. Raises `SettingsError` where they, or this machine, lack what it needs."""
    deadline_seconds = settings.speech_deadline_seconds
    match settings.stt_provider:
        case "none":
            return NoSpeechToText()
        case "local":
            _check_local(local.missing(local.STT_PACKAGES), "STT_PROVIDER")
            if settings.stt_model and not Path(settings.stt_model).is_dir():
                raise SettingsError(f"{PREFIX}STT_MODEL: for provider local, a folder with a CTranslate2 Whisper.")
            return LocalSpeechToText(model=settings.stt_model, deadline_seconds=deadline_seconds)
        case "openai":
            return OpenAISpeechToText(
                base_url=settings.speech_base_url or openai.BASE_URL,
                api_key=settings.ascii_key("speech_api_key"),
                model=settings.stt_model or openai.STT_MODEL,
                deadline_seconds=deadline_seconds,
            )
        case "workers_ai":
            check_account(settings, "STT_PROVIDER")
            return WorkersAISpeechToText(
                account_id=settings.cf_account_id,
                api_token=settings.ascii_key("cf_api_token"),
                gateway=settings.cf_gateway,
                model=settings.stt_model or workers_ai.STT_MODEL,
                deadline_seconds=deadline_seconds,
            )


def make_text_to_speech(settings: Settings) -> TextToSpeech:
    """The engine that the settings name. Raises `SettingsError` where they, or this machine, lack what it needs."""
    deadline_seconds = settings.speech_deadline_seconds
    match settings.tts_provider:
        case "none":
            return NoTextToSpeech()
        case "local":
            _check_local(local.missing(local.TTS_PACKAGES), "TTS_PROVIDER")
            if settings.tts_model and not Path(settings.tts_model).is_file():
                raise SettingsError(f"{PREFIX}TTS_MODEL: for provider local, an ONNX file of a voice.")
            return LocalTextToSpeech(
                model=settings.tts_model, voice=settings.tts_voice, deadline_seconds=deadline_seconds
            )
        case "openai":
            return OpenAITextToSpeech(
                base_url=settings.speech_base_url or openai.BASE_URL,
                api_key=settings.ascii_key("speech_api_key"),
                model=settings.tts_model or openai.TTS_MODEL,
                voice=settings.tts_voice or openai.TTS_VOICE,
                deadline_seconds=deadline_seconds,
            )
        case "workers_ai":
            check_account(settings, "TTS_PROVIDER")
            return WorkersAITextToSpeech(
                account_id=settings.cf_account_id,
                api_token=settings.ascii_key("cf_api_token"),
                gateway=settings.cf_gateway,
                model=settings.tts_model or workers_ai.TTS_MODEL,
                voice=settings.tts_voice,
                deadline_seconds=deadline_seconds,
            )


def _check_local(problem: str | None, variable: str) -> None:
    if problem is not None:
        raise SettingsError(f"{PREFIX}{variable}=local: {problem}.")
