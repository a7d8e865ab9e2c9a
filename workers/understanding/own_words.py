"""Which words of a message are the user's own: without what they quote, enclose, paste or forward. Pure.

The rest is somebody else's, whatever it asks for.
"""

from __future__ import annotations

import re

QUOTE_CHARACTERS_MIN = 80  # a shorter one is a title or a name

_FENCE = re.compile(r"```.*?(?:```|$)|~~~.*?(?:~~~|$)", re.DOTALL)
_LONG = f"{{{QUOTE_CHARACTERS_MIN},}}"
_LONG_QUOTE = re.compile(rf"“[^”]{_LONG}”|\"[^\"\n]{_LONG}\"|„[^“]{_LONG}“|«[^»]{_LONG}»", re.DOTALL)
# What follows a colon is somebody else's, where the words before it say so; behind some only if it begins a new line.
_PASTED = re.compile(
    r"^.{0,200}?\b(?:(?:summari[sz]e|translate|explain|proofread|rewrite|analy[sz]e|fasse?|(?:ü|ue)bersetze?"
    r"|(?:this|the|an?) (?:e-?mail|text|message|letter|article|document|page|invitation|file|log))"
    r"\b[^\n:]{0,120}:(?=\s)"
    r"|(?:read|check|review|answer|reply|what|here(?:'s| is| are)|below|following|forwarded|fwd|got|received|wrote"
    r"|says?|said|note)\b[^\n:]{0,120}:[ \t]*$)"
    r"|^-{2,} ?(?:original|forwarded)|^(?:from|subject|to|date|von|betreff|fwd): ",
    re.IGNORECASE | re.MULTILINE,
)


def own_words(text: str) -> str:
    """`text` without what it quotes, encloses or pastes: that is somebody else's, whatever it asks for."""
    text = text.replace("’", "'")
    text = _LONG_QUOTE.sub(" ", _FENCE.sub("\n", text))
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith((">", "|")))
    pasted = _PASTED.search(text)
    return text if pasted is None else text[: pasted.end()]
