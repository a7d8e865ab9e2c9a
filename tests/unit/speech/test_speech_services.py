"""What a speech service's failures mean, and what is sent to it."""

from __future__ import annotations

import base64
import gzip
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from domain.ports import SpeechError
from infra.audio import EXTENSIONS, inspect
from infra.speech.openai import OpenAISpeechToText, OpenAITextToSpeech
from infra.speech.workers_ai import WorkersAISpeechToText, WorkersAITextToSpeech
from tests.support.fake_speech import ACCOUNT, KEY, Answer, SpeechServer, failed, fake_speech, spoken

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    async with fake_speech() as running:
        yield running


def openai_error(code: str | None) -> bytes:
    return msgspec.json.encode({"error": {"message": "why\nnot", "type": "x", "code": code}})


async def failure_of(server: SpeechServer, answer: Answer, *, deadline_seconds: float = 30) -> SpeechError:
    ear = OpenAISpeechToText(base_url=f"{server.url}/v1/", api_key=KEY, deadline_seconds=deadline_seconds)
    server.next_answers.append(answer)
    with pytest.raises(SpeechError) as caught:
        await ear.transcribe(spoken("x"), "audio/mpeg")
    await ear.aclose()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        (Answer(400, openai_error(None)), "refused", False),
        (Answer(401, openai_error("invalid_api_key")), "refused", False),
        (Answer(404, b"not JSON", "text/plain"), "refused", False),
        (Answer(302, b"", headers=("location: http://127.0.0.1:1/",)), "refused", False),
        (Answer(413, b""), "too_long", False),
        (Answer(429, openai_error("rate_limit_exceeded")), "rate_limited", True),
        (Answer(429, openai_error("insufficient_quota")), "quota", False),
        (Answer(429, failed(3_036)), "quota", False),
        (Answer(429, failed(3_040)), "unavailable", True),
        (Answer(500, b"[]"), "unavailable", True),
        (Answer(503, b'{"error": "busy", "errors": [1, {}]}'), "unavailable", True),
        (Answer(200, b"<html>", "text/html"), "bad_answer", True),
        (Answer(200, b'{"text": 3}'), "bad_answer", True),
        (Answer(200, b'"text"'), "bad_answer", True),
        (Answer(200, gzip.compress(b'{"text": "x"}'), headers=("content-encoding: gzip",)), "bad_answer", True),
    ],
)
async def test_a_failure_has_a_code_and_says_whether_to_try_again(
    server: SpeechServer, answer: Answer, code: str, retryable: bool
) -> None:
    error = await failure_of(server, answer)
    assert (error.code, error.retryable) == (code, retryable)
    assert "\n" not in error.detail
    assert KEY not in error.detail
    assert len(server.calls) == 1, "it never tries twice by itself"


async def test_a_service_that_asks_for_time_is_heard(server: SpeechServer) -> None:
    error = await failure_of(server, Answer(429, openai_error(None), headers=("retry-after: 7",)))
    assert error.retry_after_seconds == 7.0


async def test_a_service_that_never_answers_is_left_at_the_deadline(server: SpeechServer) -> None:
    error = await failure_of(server, Answer(200, b"", hangs=True), deadline_seconds=0.2)
    assert (error.code, error.retryable) == ("timeout", True)


async def test_a_service_that_is_not_there_is_unavailable_and_a_senseless_address_refused() -> None:
    for url, code in (("http://127.0.0.1:1/v1", "unavailable"), ("nonsense", "refused"), ("http://", "refused")):
        ear = OpenAISpeechToText(base_url=url)
        with pytest.raises(SpeechError) as caught:
            await ear.transcribe(spoken("x"), "audio/mpeg")
        assert caught.value.code == code
        await ear.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, failed(5_006)),
        Answer(200, b'{"result": null, "success": true}'),
        Answer(200, b'{"result": {"audio": "###"}, "success": true}'),
        Answer(200, b'{"result": {"audio": 3}, "success": true}'),
        Answer(200, b'{"result": {"audio": "QUFBQQ=="}, "success": true}'),
        Answer(200, b"<html>an error page</html>", "text/html"),
    ],
)
async def test_an_answer_without_sound_is_none(server: SpeechServer, answer: Answer) -> None:
    voice = WorkersAITextToSpeech(account_id=ACCOUNT, api_token=KEY, base_url=server.url)
    server.next_answers.append(answer)
    with pytest.raises(SpeechError) as caught:
        await voice.speak("hello")
    assert (caught.value.code, caught.value.retryable) == ("bad_answer", True)
    await voice.aclose()


@pytest.mark.parametrize("media_type", EXTENSIONS)
async def test_a_file_goes_under_a_name_of_its_kind_and_never_the_users(server: SpeechServer, media_type: str) -> None:
    ear = OpenAISpeechToText(base_url=f"{server.url}/v1", api_key=KEY, model="m")
    await ear.transcribe(spoken("x"), media_type, "de-AT")
    await ear.aclose()
    fields = server.calls[0].fields
    assert fields["file"] == (f"audio.{EXTENSIONS[media_type]}", media_type, spoken("x"))
    assert (fields["model"], fields["language"]) == ("m", "de")


async def test_no_key_is_sent_where_none_is_set(server: SpeechServer) -> None:
    ear = OpenAISpeechToText(base_url=f"{server.url}/v1")
    with pytest.raises(SpeechError, match="401"):
        await ear.transcribe(spoken("x"), "audio/mpeg")
    await ear.aclose()
    assert "authorization" not in server.calls[0].headers


async def test_workers_ai_gets_base64_and_tells_language_and_length(server: SpeechServer) -> None:
    ear = WorkersAISpeechToText(account_id=ACCOUNT, api_token=KEY, base_url=server.url)
    transcript = await ear.transcribe(spoken("Guten Morgen"), "audio/mpeg", "de-AT")
    await ear.aclose()
    assert (transcript.text, transcript.language, transcript.seconds) == ("Guten Morgen", "de", 3.25)
    assert base64.b64decode(server.calls[0].fields["audio"]) == spoken("Guten Morgen")


@pytest.mark.parametrize("provider", ["openai", "workers_ai"])
async def test_a_long_text_takes_several_calls_in_order_and_gives_one_file(server: SpeechServer, provider: str) -> None:
    voice = (
        OpenAITextToSpeech(base_url=f"{server.url}/v1", api_key=KEY)
        if provider == "openai"
        else WorkersAITextToSpeech(account_id=ACCOUNT, api_token=KEY, base_url=server.url)
    )
    text = "".join(f"This is sentence number {n}. " for n in range(250)).strip()
    audio = await voice.speak(text)
    await voice.aclose()
    assert len(server.calls) > 1
    assert "".join(call.fields.get("input") or call.fields["text"] for call in server.calls) == text
    assert inspect(audio.data).media_type == "audio/mpeg"


async def test_melotts_is_asked_in_its_own_words(server: SpeechServer) -> None:
    voice = WorkersAITextToSpeech(
        account_id=ACCOUNT, api_token=KEY, base_url=server.url, model="@cf/myshell-ai/melotts"
    )
    await voice.speak("Bonjour", "fr-FR")
    await voice.aclose()
    assert server.calls[0].fields == {"prompt": "Bonjour", "lang": "fr"}


async def test_an_answer_without_end_is_cut_off() -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield bytes(1 << 20)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    voice = OpenAITextToSpeech(transport=transport)
    with pytest.raises(SpeechError, match="too much"):
        await voice.speak("hello")
    await voice.aclose()
