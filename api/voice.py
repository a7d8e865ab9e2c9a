"""Voice over HTTP: a recording is uploaded or pointed to, its transcript becomes a message; a spoken answer is heard.

Audio is held in memory while it comes in, and lies sealed in the store from before its job is promised until its end.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from api.http.answers import BytesAnswer
from api.http.request import Call, single_headers
from api.http.upload_body import UploadBody, read_upload
from api.problems import Problem, Refused
from api.queries import answer_query
from api.schemas.answers import VoiceJobAccepted, VoiceJobOut
from api.schemas.requests import VoiceFields, VoiceIn
from api.services import STREAM_VERSION, Services, User, caller, check_body_user, json_response
from api.views import Views
from commands.handle import Answer, Outcome
from commands.handle import Request as CommandRequest
from commands.voice import StartVoiceJob
from domain.errors import DomainError, Gone, Invalid, NotFound, Unavailable
from domain.events import VoiceRequest
from domain.ports import Audio
from domain.values import Json
from infra.audio import AudioError, inspect
from infra.audio_store import audio_id
from infra.ids import new_id
from infra.safe_fetch import FetchError
from projections.reading import Fetched
from projections.voice_queries import fetch_spoken, fetch_voice_job

_AUDIO_STATUS = {"audio_too_large": 413, "unsupported_audio": 415}
_FIELDS = ("language", "speak", "conversationId", "sessionId", "clientMessageId", "userId")
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    **{name: {"type": "string"} for name in _FIELDS},
                    "speak": {"enum": ["true", "false"]},
                },
            }
        },
        "application/json": {"schema": {"$ref": "#/components/schemas/VoiceIn"}},
    },
}


@post(
    "/voice-upload",
    operation_id="uploadVoice",
    status_code=202,
    opt={"body": _FORM, "schemas": (VoiceIn,), "answer": VoiceJobAccepted},
    tags=["voice"],
)
async def upload(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Accept a recording (WAV, Ogg or WebM with Opus, MP3, M4A, FLAC; 25 MiB, 10 minutes), sent here or behind an https
    address. What is said in it becomes a message."""
    services, call, user = await caller(request)
    desk = services.voice
    desk.check_hearing()
    if call.body is not None:
        body = call.read(VoiceIn)
        check_body_user(body, user)
        try:
            desk.fetch.check(body.url)
        except FetchError as error:
            raise Invalid(error.detail, code=error.code) from None
        return await _accept(services, user, call, _command(body, url=body.url), body, None)
    with desk.upload_of(user.user_id):
        headers, _ = single_headers(request.scope["headers"])
        came = await read_upload(headers[b"content-type"], request.receive, fields=_FIELDS)
        fields = _fields(came)
        check_body_user(fields, user)
        audio = await asyncio.to_thread(_recognised, came.file)
        digest = await asyncio.to_thread(sha256, audio.data)
        # What the request is told apart by, as there is no JSON: a boundary is another one each time.
        call.body = {**came.fields, "file": digest.hexdigest()}
        return await _accept(services, user, call, _command(fields, audio=audio), fields, audio)


def _fields(came: UploadBody) -> VoiceFields:
    given: dict[str, Json] = dict(came.fields)
    if "speak" in given:
        given["speak"] = {"true": True, "false": False}.get(came.fields["speak"], came.fields["speak"])
    return VoiceFields.model_validate(given)


def _recognised(data: bytes | None) -> Audio:
    """Raises `Refused` for what is no audio, or too much of it."""
    try:
        if data is None:
            raise Refused(Problem(status=400, code="file_missing", detail="Send the audio as the part called `file`."))
        return Audio(data, inspect(data).media_type)
    except AudioError as error:
        status = _AUDIO_STATUS.get(error.code, 400)
        raise Refused(Problem(status=status, code=error.code, detail=error.detail)) from None


def _command(body: VoiceFields, *, url: str | None = None, audio: Audio | None = None) -> StartVoiceJob:
    return StartVoiceJob(
        job_id=f"v_{new_id().replace('-', '')}",
        media_type="" if audio is None else audio.media_type,
        bytes=0 if audio is None else len(audio.data),
        speak=body.speak is True,
        request=VoiceRequest(
            url=url,
            language=body.language,
            conversation_id=body.conversationId,
            session_id=body.sessionId,
            client_message_id=body.clientMessageId,
        ),
    )


async def _accept(
    services: Services, user: User, call: Call, command: StartVoiceJob, body: VoiceFields, audio: Audio | None
) -> Response[bytes]:
    """The audio is there before the job is: whoever finds the job finds it too."""

    def answer(outcome: Outcome) -> Answer:
        return Answer(body={"transcriptJobId": command.job_id, "version": outcome.after.version}, status=202)

    store, file_id = services.voice.store, audio_id(command.job_id)
    if audio is not None:
        await asyncio.to_thread(store.write, file_id, audio)
    is_needed = True
    try:
        request = CommandRequest(
            key=call.idempotency_key or body.clientMessageId,
            fingerprint=call.fingerprint(),
            correlation_id=call.request_id,
        )
        handled = await services.handler.handle(user.user_id, command, request, answer)
        is_needed = handled.outcome is not None  # else it was accepted before, with a file of its own
    except DomainError as error:
        # Where nobody knows whether it was accepted, a sweep finds out.
        is_needed = isinstance(error, Unavailable)
        raise
    finally:
        if audio is not None and not is_needed:
            await asyncio.to_thread(store.delete, file_id)
    return json_response(handled.body, handled.status, handled.version)


@get(
    "/voice-jobs/{job_id:str}",
    operation_id="getVoiceJob",
    opt={"query": ("min_version",), "answer": VoiceJobOut, "also": (304,)},
    tags=["voice"],
)
async def get_job(request: Request[Any, Any, Any], job_id: FromPath[str]) -> Response[bytes]:
    """How far a recording has come. `code` says why it became no message."""

    async def fetch(views: Views, user: User) -> Fetched:
        return await fetch_voice_job(views.reader, user.user_id, job_id)

    return await answer_query(request, fetch)


@get(
    "/message/{message_id:str}/audio",
    operation_id="getMessageAudio",
    media_type="audio/*",
    tags=["voice"],
)
async def get_audio(request: Request[Any, Any, Any], message_id: FromPath[str]) -> Response[bytes]:
    """The answer as it is read aloud, for an hour after `message.audio` has announced it; 410 from then on."""
    services, _, user = await caller(request)
    # Whoever has seen `message.audio`, perhaps at another process, shall hear it. So the log itself says how far the
    # stream is: what this process knows of it may be a moment behind, as the view may.
    version = await services.log.head(user.user_id)
    await services.views.wait_for("state", user.user_id, version)
    spoken = await fetch_spoken(services.views.reader, user.user_id, message_id)
    if spoken.expires_at_ms is None:
        services.voice.check_speaking()
        raise NotFound("There is nothing to hear of this message (yet).", code="audio_unknown")
    try:
        if spoken.expires_at_ms <= services.clock.now_ms():
            raise NotFound("It is over.")
        audio = await asyncio.to_thread(services.voice.store.read, audio_id(message_id))
    except NotFound:
        raise Gone("This answer was kept for an hour. Its text is still there.", code="audio_expired") from None
    headers = [(b"cache-control", b"private, no-store"), (STREAM_VERSION.encode(), b"%d" % version)]
    return BytesAnswer(audio.data, headers=headers, media_type=audio.media_type.encode())
