"""How voice jobs change a `Brain`. Part of domain/evolve.py."""

from __future__ import annotations

from dataclasses import replace

from domain import limits
from domain.brain import Brain, VoiceJobState
from domain.copying import put, with_changes
from domain.events import Fact, SpeechMade, VoiceJobEnded, VoiceJobStarted


def fold_voice(brain: Brain, event: VoiceJobStarted | VoiceJobEnded | SpeechMade, fact: Fact) -> Brain:
    """A spoken answer changes nothing here: it is found beside the log for as long as it is kept."""
    end = fact.meta.end_version
    match event:
        case VoiceJobStarted():
            job = VoiceJobState(status="running", speak=event.speak, started_at_ms=fact.meta.at_ms, version=end)
        case VoiceJobEnded():
            known = brain.voice_jobs.get(event.job_id)
            if known is None:
                return brain
            job = replace(known, status=event.status, message_id=event.message_id, code=event.code, version=end)
        case SpeechMade():
            return brain
    jobs = put(brain.voice_jobs, event.job_id, job, keep_max=limits.VOICE_JOBS_KEPT_MAX)
    return with_changes(brain, voice_jobs=jobs)
