"""What the view `state` keeps of speech: recordings on their way to a message, and replies that are to be heard.

Ids, times and states only. The worker looks up across users what waits (`wanted_ms`); users see their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from projections.view import Change, Column, Index, Insert, Patch, Seen, Sweep, Table, Upsert

# `started_version`: the event that has the request. `wanted_ms`: since when it waits; null once it has ended.
JOBS = Table(
    "voice_jobs",
    [Column("id", "text")],
    [
        Column("started_version", "bigint"),
        Column("started_at_ms", "bigint"),
        Column("changed_version", "bigint"),
        Column("status", "text"),
        Column("message_id", "text", nullable=True),
        Column("code", "text", nullable=True),
        Column("wanted_ms", "bigint", nullable=True),
    ],
    indexes=[Index(("wanted_ms",), present="wanted_ms", across_users=True)],
)

# Completed replies whose message asked to hear them. `reply_version`: the event that has the text. `wanted_ms`: when
# it was completed; null once it was spoken. `expires_at_ms`: until when it can be heard.
SPOKEN = Table(
    "spoken_replies",
    [Column("reply_id", "text")],
    [
        Column("reply_version", "bigint"),
        Column("conversation_ref", "text"),
        Column("wanted_ms", "bigint", nullable=True),
        Column("expires_at_ms", "bigint", nullable=True),
    ],
    indexes=[
        Index(("wanted_ms",), present="wanted_ms", across_users=True),
        Index(("expires_at_ms",), present="expires_at_ms", across_users=True),
    ],
)

_ENDED = JOBS.shape("changed_version", "status", "message_id", "code", "wanted_ms")
_MADE = SPOKEN.shape("wanted_ms", "expires_at_ms")


def _job_started(event: Seen) -> Sequence[Change]:
    values = JOBS.row(
        started_version=event.version,
        started_at_ms=event.at_ms,
        changed_version=event.end_version,
        status="running",
        wanted_ms=event.at_ms,
    )
    return [Insert(JOBS, (event.user_id, event.data.job_id), values)]


def _job_ended(event: Seen) -> Sequence[Change]:
    data = event.data
    return [
        Patch(_ENDED, (event.user_id, data.job_id), (event.end_version, data.status, data.message_id, data.code, None))
    ]


def _speech_made(event: Seen) -> Sequence[Change]:
    return [Patch(_MADE, (event.user_id, event.data.reply_id), (None, event.data.expires_at_ms))]


def reply_completed(event: Seen) -> Sequence[Change]:
    """To be done beside what a completed reply changes elsewhere in the view."""
    reply = event.data.reply
    if not reply.speak:
        return ()
    values = SPOKEN.row(reply_version=event.version, conversation_ref=reply.conversation_ref, wanted_ms=event.at_ms)
    return [Upsert(SPOKEN, (event.user_id, reply.reply_id), values)]


def conversation_deleted(event: Seen) -> Sequence[Change]:
    """Nothing of it is heard any more; likewise beside the rest."""
    return [Sweep(SPOKEN, event.user_id, {"conversation_ref": event.data.conversation_ref})]


HANDLERS: Mapping[str, Callable[[Seen], Sequence[Change]]] = {
    "VoiceJobStarted": _job_started,
    "VoiceJobEnded": _job_ended,
    "SpeechMade": _speech_made,
}
