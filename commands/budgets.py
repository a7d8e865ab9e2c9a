"""Budgets of a user: the warning at four fifths, once in each of their windows, and the refusal of a flight search.

A message too many is refused in messages.py; a reply that nobody can pay for ends with a canned text, in the worker.
"""

from __future__ import annotations

from commands.context import CommandContext
from domain import limits
from domain.brain import Brain, Reply
from domain.errors import TooMany
from domain.events import BrainEvent, BudgetWarned
from domain.values import Budget, ModelUsage


def warn_of_messages(brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Beside one more message."""
    used = brain.messages_within(limits.RATE_WINDOW_MS, context.now_ms) + 1
    window = context.now_ms // limits.RATE_WINDOW_MS
    return _warn(brain, "messages", used, context.limits.messages_per_minute, window)


def warn_of_tokens(
    brain: Brain, context: CommandContext, reply: Reply, usage: ModelUsage, *, is_spent: bool = False
) -> list[BrainEvent]:
    """Beside the end of `reply`, which used so much. `is_spent`: what is left was too little for its call."""
    used = brain.tokens_spent(context.now_ms) - reply.reserved_tokens + usage.total_tokens
    window = context.now_ms // limits.DAY_MS
    return _warn(brain, "tokens", used, context.limits.tokens_per_day, window, is_spent=is_spent)


def warn_of_searches(brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Beside one more flight search. Raises `TooMany` when the day has none left."""
    limit, made = context.limits.flight_searches_per_day, brain.searches_made(context.now_ms)
    if limit and made >= limit:
        midnight_ms = (context.now_ms // limits.DAY_MS + 1) * limits.DAY_MS
        raise TooMany(
            f"At most {limit} flight searches a day (UTC). Ask again tomorrow.",
            code="flight_searches_per_day",
            retry_after_seconds=(midnight_ms - context.now_ms) / 1000,
        )
    return _warn(brain, "flight_searches", made + 1, limit, context.now_ms // limits.DAY_MS)


def _warn(
    brain: Brain, budget: Budget, used: int, limit: int, window: int, *, is_spent: bool = False
) -> list[BrainEvent]:
    is_near = is_spent or used >= limit * limits.BUDGET_WARNED_SHARE
    if not limit or not is_near or brain.warned.get(budget) == window:
        return []
    return [BudgetWarned(budget=budget, used=used, limit=limit, window=window)]
