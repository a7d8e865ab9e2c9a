"""Speech by Cloudflare Workers AI over its own REST interface, directly or through an AI Gateway."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import httpx

from domain.ports import Audio, Transcript
from infra.speech import reading
from infra.speech.http import SpeechHttp, failure, failure_in, json_of, number_of
from infra.speech.openai import DEADLINE_SECONDS, audio_of, primary
from infra.workers_ai import run_url

STT_MODEL = "@cf/openai/whisper-large-v3-turbo"
TTS_MODEL = "@cf/deepgram/aura-1"
PART_CHARACTERS_MAX = 1_900  # aura-1 takes 2,000


class WorkersAISpeechToText:
    """A `SpeechToText` by a Whisper that takes base64."""

    def __init__(
        self,
        *,
        account_id: str,
        api_token: str,
        gateway: str = "",
        model: str = STT_MODEL,
        base_url: str = "",
        deadline_seconds: float = DEADLINE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = run_url(account_id=account_id, gateway=gateway, model=model, base_url=base_url)
        self.name = model
        self._http = SpeechHttp(token=api_token.strip(), deadline_seconds=deadline_seconds, transport=transport)

    async def transcribe(self, audio: bytes, media_type: str, language: str | None = None) -> Transcript:
        body: dict[str, Any] = {"audio": base64.b64encode(audio).decode(), "task": "transcribe", "vad_filter": True}
        if language:
            body["language"] = primary(language)
        result = result_of(await self._http.post(self._url, json=body))
        text = result.get("text")
        if not isinstance(text, str):
            raise failure("bad_answer", "a transcription without text")
        told = result.get("transcription_info")
        info = told if isinstance(told, dict) else {}
        heard = info.get("language")
        found = heard if isinstance(heard, str) else language or ""
        return Transcript(text.strip(), found, number_of(info.get("duration")))

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        await self._http.aclose()


class WorkersAITextToSpeech:
    """A `TextToSpeech`, by models that answer with the sound itself (aura) or with base64 in JSON (melotts)."""

    def __init__(
        self,
        *,
        account_id: str,
        api_token: str,
        gateway: str = "",
        model: str = TTS_MODEL,
        voice: str = "",
        base_url: str = "",
        deadline_seconds: float = DEADLINE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = run_url(account_id=account_id, gateway=gateway, model=model, base_url=base_url)
        self.name = model
        self._voice = voice
        self._http = SpeechHttp(token=api_token.strip(), deadline_seconds=deadline_seconds, transport=transport)

    async def speak(self, text: str, language: str | None = None) -> Audio:
        parts = reading.parts_of(reading.checked(text), PART_CHARACTERS_MAX)
        spoken = [await self._speak_part(part, language) for part in parts if reading.says_something(part)]
        return reading.joined(spoken)

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _speak_part(self, part: str, language: str | None) -> Audio:
        response = await self._http.post(self._url, json=self._body(part, language))
        if "json" not in response.headers.get("content-type", ""):
            return audio_of(response.content)
        encoded = result_of(response).get("audio")
        if not isinstance(encoded, str):
            raise failure("bad_answer", "an answer without audio")
        try:
            return audio_of(base64.b64decode(encoded, validate=True))
        except binascii.Error:
            raise failure("bad_answer", "audio that is not base64") from None

    def _body(self, part: str, language: str | None) -> dict[str, str]:
        if "melotts" in self.name:
            return {"prompt": part, "lang": primary(language or "en")}
        body = {"text": part, "encoding": "mp3"}
        if self._voice:
            body["speaker"] = self._voice
        return body


def result_of(response: httpx.Response) -> dict[str, Any]:
    """What a model gave, out of Cloudflare's envelope or, behind some gateways, without it. Raises `SpeechError`."""
    body = json_of(response)
    if body.get("success") is False or body.get("errors"):
        raise failure_in(body, "bad_answer")
    result = body.get("result", body)
    if not isinstance(result, dict):
        raise failure("bad_answer", "an answer without a result")
    return result
