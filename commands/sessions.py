"""Sessions: a client's place to listen. Only opening and closing are facts; presence is held beside the log."""

from __future__ import annotations

from dataclasses import dataclass

from commands.context import CommandContext
from domain import limits
from domain.brain import Brain
from domain.errors import NotFound
from domain.events import BrainEvent, SessionClosed, SessionOpened


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSession:
    session_id: str


def open_session(brain: Brain, session_id: str) -> list[BrainEvent]:
    """One more session; beyond the cap the oldest is closed first."""
    surplus = len(brain.sessions) + 1 - limits.SESSIONS_MAX
    oldest = list(brain.sessions)[: max(0, surplus)]
    return [*(SessionClosed(session_id=known) for known in oldest), SessionOpened(session_id=session_id)]


def open_new_session(command: OpenSession, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    return open_session(brain, context.new_id("s"))


def close_session(command: CloseSession, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    if command.session_id not in brain.sessions:
        raise NotFound("There is no such session.", code="session_unknown")
    return [SessionClosed(session_id=command.session_id)]
