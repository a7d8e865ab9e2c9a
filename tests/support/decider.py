"""Given/when/then for deciders: facts folded, one command decided, events or a refusal expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from commands.context import CommandContext, Limits, event_id
from commands.decide import Command, decide
from domain.brain import EMPTY_BRAIN, Brain
from domain.errors import DomainError
from domain.events import BrainEvent, Fact, Meta
from domain.evolve import evolve

USER = "07/11111111-2222-4333-8444-555555555555"
NOW_MS = 1_763_546_400_000  # 2025-11-19T10:00:00Z, a Wednesday


@dataclass(slots=True)
class Scenario:
    """`given(...)` folds what earlier commands led to; `when(...)` decides; `then(...)` compares."""

    brain: Brain = EMPTY_BRAIN
    context: CommandContext = field(
        default_factory=lambda: CommandContext(user_id=USER, command_id="c-0", now_ms=NOW_MS)
    )
    events: list[BrainEvent] | None = None
    refusal: DomainError | None = None
    commands: int = 0

    def at(self, now_ms: int) -> Scenario:
        self.context = replace(self.context, now_ms=now_ms)
        return self

    def with_limits(self, **values: int) -> Scenario:
        self.context = replace(self.context, limits=Limits(**values))
        return self

    def given(self, *commands: Command) -> Scenario:
        for command in commands:
            self.when(command)
            assert self.refusal is None, f"the given {command} was refused: {self.refusal}"
        return self

    def when(self, command: Command) -> Scenario:
        self.commands += 1
        self.context = replace(self.context, command_id=f"c-{self.commands}")
        self.events, self.refusal = None, None
        try:
            self.events = decide(command, self.brain, self.context)
        except DomainError as error:
            self.refusal = error
        else:
            self.brain = fold(self.brain, self.events, self.context)
        return self

    def then(self, *kinds: type[BrainEvent]) -> list[BrainEvent]:
        assert self.events is not None, f"refused: {self.refusal}"
        assert [type(event) for event in self.events] == list(kinds)
        return self.events

    def then_nothing(self) -> None:
        assert self.events == []

    def then_refused(self, code: str) -> None:
        assert self.refusal is not None, f"expected a refusal, got {self.events}"
        assert self.refusal.code == code


def fold(brain: Brain, events: Sequence[BrainEvent], context: CommandContext) -> Brain:
    end = brain.version + len(events)
    for ordinal, event in enumerate(events):
        meta = Meta(
            event_id=event_id(context.user_id, context.command_id, ordinal),
            command_id=context.command_id,
            causation_id=context.command_id,
            correlation_id=context.command_id,
            origin=context.origin,
            at_ms=context.now_ms,
            end_version=end,
        )
        brain = evolve(brain, Fact(version=brain.version + 1, event=event, meta=meta))
    return brain


@pytest.fixture
def scenario() -> Scenario:
    return Scenario()
