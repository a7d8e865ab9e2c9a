"""Text as its reader sees it: without the characters that hide or reorder it."""

from __future__ import annotations

import re

# Bidirectional marks, tag characters and variation selectors of the supplement, joiners that show nothing, control
# characters but for tabs and line breaks, and halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff"
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]"
)


def clean(text: str) -> str:
    """Without characters that are not seen but change what is read."""
    return _HIDDEN.sub("", text)


def one_line(text: str) -> str:
    return " ".join(clean(text).split())
