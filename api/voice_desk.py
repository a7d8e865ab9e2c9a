"""What the voice routes and the sockets share in one process: where audio lies, who listens, and how much at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from domain.errors import Conflict, TooMany, Unavailable
from domain.ports import Clock, SpeechToText
from infra.audio_store import AudioStore, audio_store
from infra.safe_fetch import SafeFetch
from infra.settings import PREFIX, Settings
from infra.speech.none import CHOICES

UPLOADS_AT_ONCE_MAX = 8  # in this process: each is held in memory, with its sealed copy
UPLOADS_AT_ONCE_OF_USER_MAX = 2
LIVE_AT_ONCE_MAX = 16
# A minute of speech is transcribed some forty times while it grows: a machine's own engine keeps up with one speaker.
LIVE_AT_ONCE_MAX_LOCAL = 1
BUSY_SECONDS = 2.0


def voice_desk(settings: Settings, ears: SpeechToText, clock: Clock) -> VoiceDesk:
    """The desk of a process. Raises `SettingsError` without a master key."""
    return VoiceDesk(
        store=audio_store(settings, clock),
        ears=ears,
        can_speak=settings.tts_provider != "none",
        live_at_once_max=LIVE_AT_ONCE_MAX_LOCAL if settings.stt_provider == "local" else LIVE_AT_ONCE_MAX,
    )


@dataclass(slots=True)
class VoiceDesk:
    """`ears` is called `none` where nobody transcribes. `can_speak`: whether a worker reads answers aloud. `speakers`:
    how many are listened to live."""

    store: AudioStore
    ears: SpeechToText
    can_speak: bool
    live_at_once_max: int = LIVE_AT_ONCE_MAX
    speakers: int = 0
    fetch: SafeFetch = field(default_factory=SafeFetch)
    _uploads: Counter[str] = field(default_factory=Counter)

    def check_hearing(self) -> None:
        """Raises `Conflict` where speech to text is off."""
        if self.ears.name == "none":
            raise Conflict(f"Speech to text is off: set {PREFIX}STT_PROVIDER to {CHOICES}.", code="voice_off")

    def check_speaking(self) -> None:
        """Raises `Conflict` where text to speech is off."""
        if not self.can_speak:
            raise Conflict(f"Text to speech is off: set {PREFIX}TTS_PROVIDER to {CHOICES}.", code="speech_off")

    @contextmanager
    def upload_of(self, user_id: str) -> Iterator[None]:
        """Room for one upload. Raises `TooMany` and `Unavailable`."""
        if self._uploads[user_id] >= UPLOADS_AT_ONCE_OF_USER_MAX:
            raise TooMany(
                f"At most {UPLOADS_AT_ONCE_OF_USER_MAX} uploads at once. Wait for one to end.",
                code="uploads_at_once",
                retry_after_seconds=BUSY_SECONDS,
            )
        if self._uploads.total() >= UPLOADS_AT_ONCE_MAX:
            raise _busy("Many uploads are under way. Try again in a moment.")
        self._uploads[user_id] += 1
        try:
            yield
        finally:
            self._uploads[user_id] -= 1
            if not self._uploads[user_id]:
                del self._uploads[user_id]

    @contextmanager
    def speaker(self) -> Iterator[None]:
        """Room for one who is listened to live. Raises `Unavailable` when there is none."""
        if self.speakers >= self.live_at_once_max:
            raise _busy("Somebody else is being listened to. Try again in a moment, or upload a recording.")
        self.speakers += 1
        try:
            yield
        finally:
            self.speakers -= 1


def _busy(detail: str) -> Unavailable:
    return Unavailable(detail, code="busy", retry_after_seconds=BUSY_SECONDS)
