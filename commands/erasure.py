"""Erasing a user: the last command of a stream. What is stored of them is destroyed after the commit, by a sweep."""

from __future__ import annotations

from dataclasses import dataclass

from commands.context import CommandContext
from commands.conversations import stopped_for_good
from domain.brain import Brain
from domain.events import BrainEvent, UserErased


@dataclass(frozen=True, slots=True)
class EraseUser:
    """Everything of the user, for good. Whoever returns under the same name is somebody new."""


def erase_user(command: EraseUser, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Waiting and running replies end in the same command, so that each message ends for those who listen."""
    return [*(stopped_for_good(brain, reply_id) for reply_id in brain.queue), UserErased()]
