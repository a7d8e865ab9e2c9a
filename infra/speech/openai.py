"""Any server that speaks OpenAI's audio interface: `/audio/transcriptions` and `/audio/speech`."""

from __future__ import annotations

import httpx

from domain.ports import Audio, Transcript
from infra.audio import EXTENSIONS, recognise
from infra.speech import reading
from infra.speech.http import SpeechHttp, failure, json_of, number_of

BASE_URL = "https://api.openai.com/v1"
STT_MODEL = "whisper-1"
TTS_MODEL = "tts-1"
TTS_VOICE = "alloy"
DEADLINE_SECONDS = 300.0
PART_CHARACTERS_MAX = 4_000  # OpenAI takes 4,096


class OpenAISpeechToText:
    """A `SpeechToText`. `base_url` as OpenAI's SDKs take it, with `/v1`; without `api_key` none is sent."""

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        api_key: str = "",
        model: str = STT_MODEL,
        deadline_seconds: float = DEADLINE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = f"{base_url.strip().rstrip('/')}/audio/transcriptions"
        self.name = model
        self._http = SpeechHttp(token=api_key.strip(), deadline_seconds=deadline_seconds, transport=transport)

    async def transcribe(self, audio: bytes, media_type: str, language: str | None = None) -> Transcript:
        # The service tells the container by the file's name.
        file = (f"audio.{EXTENSIONS[media_type]}", audio, media_type)
        fields = {"model": self.name, "response_format": "json"}
        if language:
            fields["language"] = primary(language)
        body = json_of(await self._http.post(self._url, data=fields, files={"file": file}))
        text = body.get("text")
        if not isinstance(text, str):
            raise failure("bad_answer", "a transcription without text")
        usage = body.get("usage")
        told = usage.get("seconds") if isinstance(usage, dict) else body.get("duration")
        heard = body.get("language")
        return Transcript(text.strip(), heard if isinstance(heard, str) else language or "", number_of(told))

    async def check(self) -> str | None:
        return None  # Nothing can be asked that costs nothing: servers for sound alone list no models.

    async def aclose(self) -> None:
        await self._http.aclose()


class OpenAITextToSpeech:
    """A `TextToSpeech` that answers with MP3. Long texts take several calls, one after the other."""

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        api_key: str = "",
        model: str = TTS_MODEL,
        voice: str = TTS_VOICE,
        deadline_seconds: float = DEADLINE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = f"{base_url.strip().rstrip('/')}/audio/speech"
        self.name = model
        self._voice = voice
        self._http = SpeechHttp(token=api_key.strip(), deadline_seconds=deadline_seconds, transport=transport)

    async def speak(self, text: str, language: str | None = None) -> Audio:
        # The language is in the text; the interface has no field for it.
        parts = reading.parts_of(reading.checked(text), PART_CHARACTERS_MAX)
        return reading.joined([await self._speak_part(part) for part in parts if reading.says_something(part)])

    async def check(self) -> str | None:
        return None

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _speak_part(self, part: str) -> Audio:
        body = {"model": self.name, "input": part, "voice": self._voice, "response_format": "mp3"}
        return audio_of((await self._http.post(self._url, json=body)).content)


def primary(language: str) -> str:
    """`en` of `en-US`: services take languages, not regions."""
    return language.replace("_", "-").partition("-")[0].lower()


def audio_of(data: bytes) -> Audio:
    """What a service sent as sound, by its own bytes. Raises `SpeechError`."""
    media_type = recognise(data)
    if media_type is None:
        raise failure("bad_answer", "the speech service answered with something that is no audio")
    return Audio(data, media_type)
