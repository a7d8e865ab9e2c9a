"""Pinned memories: the same type and key replaces, and keeps what it replaced."""

from __future__ import annotations

from dataclasses import dataclass

from commands.context import CommandContext
from domain import limits
from domain.brain import Brain
from domain.errors import Conflict, Invalid, NotFound
from domain.events import BrainEvent, MemoryForgotten, MemoryPinned
from domain.values import Memory, MemoryType, Replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class PinMemory:
    type: MemoryType
    key: str
    value: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetMemory:
    memory_id: str


def pin_memory(command: PinMemory, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    if not command.value.strip() or len(command.value) > limits.MEMORY_VALUE_CHARACTERS_MAX:
        raise Invalid(f"A memory has 1 to {limits.MEMORY_VALUE_CHARACTERS_MAX} characters.", code="value_invalid")
    for memory_id, known in brain.memories.items():
        if (known.memory.type, known.memory.key) == (command.type, command.key):
            if known.memory.value == command.value:
                return []
            before = Replaced(value=known.memory.value, version=known.version, message_id=known.memory.message_id)
            return [MemoryPinned(memory_id=memory_id, content=_memory(command, before))]
    if len(brain.memories) >= limits.MEMORIES_MAX:
        raise Conflict(f"At most {limits.MEMORIES_MAX} memories. Forget one first.", code="memories_full")
    return [MemoryPinned(memory_id=context.new_id("mem"), content=_memory(command, None))]


def _memory(command: PinMemory, replaced: Replaced | None) -> Memory:
    return Memory(
        type=command.type, key=command.key, value=command.value, message_id=command.message_id, replaced=replaced
    )


def forget_memory(command: ForgetMemory, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    if command.memory_id not in brain.memories:
        raise NotFound("There is no such memory.", code="memory_unknown")
    return [MemoryForgotten(memory_id=command.memory_id)]
