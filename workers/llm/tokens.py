"""How many tokens a text has, roughly: for budgets and for providers that do not count. It knows no tokenizer."""

from __future__ import annotations

import re

import msgspec

from domain.ports import ModelRequest

MESSAGE_TOKENS = 4  # what a chat template adds to each message

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def estimate_tokens(text: str) -> int:
    """A quarter of the ASCII characters, rounded up, and one for each other character.

    English comes out 10-20 % high with the tokenizers of common models, other scripts up to twice too high: an
    estimate that errs upwards never overdraws a budget.
    """
    others = sum(len(run) for run in _NOT_ASCII.findall(text)) if not text.isascii() else 0
    return (len(text) - others + 3) // 4 + others


def estimate_prompt_tokens(request: ModelRequest) -> int:
    """Messages and tools of a request, with what their form adds."""
    tokens = sum(estimate_tokens(message.content) + MESSAGE_TOKENS for message in request.messages)
    for tool in request.tools:
        tokens += estimate_tokens(tool.name) + estimate_tokens(tool.description)
        tokens += estimate_tokens(msgspec.json.encode(tool.parameters).decode())
    return tokens
