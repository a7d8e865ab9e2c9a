"""An answer as it is read aloud: its words without the marks of Markdown. Pure."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]{0,500})?/?>")
# What may stand between two marks is bounded, so that thousands of opening ones cost little.
_ADDRESS = r"\([^()\n]{0,2000}(?:\([^()\n]{0,200}\)[^()\n]{0,200}){0,5}\)"
_IMAGE = re.compile(rf"!\[([^\]\n]{{0,500}})\]{_ADDRESS}")
_LINK = re.compile(rf"\[([^\[\]\n]{{1,500}})\](?:{_ADDRESS}|\[[^\]\n]{{0,200}}\])")
_LINK_NAMED = re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]+\S.*$", re.MULTILINE)
_AUTOLINK = re.compile(r"<(https?://[^<>\s]+|[^<>\s@]+@[^<>\s]+)>")
_URL = re.compile(r"https?://(?:www\.)?([^\s/?#)>\]]+)[^\s)>\]]*[^\s)>\].,;:!?]|https?://(?:www\.)?([^\s/?#)>\]]+)")
_RULE = re.compile(r"^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|={3,})$", re.MULTILINE)
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$", re.MULTILINE)
_LINE_HEAD = re.compile(r"^[ \t]*(?:>[ \t]?)*(?:#{1,6}[ \t]+|[-*+][ \t]+(?:\[[ xX]\][ \t]+)?)?", re.MULTILINE)
_HEADING_TAIL = re.compile(r"[ \t]+#+[ \t]*$", re.MULTILINE)
_CODE = re.compile(r"(`{1,3})(.{1,500}?)\1")
_STRONG = re.compile(r"(\*\*\*|\*\*|~~)(?=\S)(.{1,500}?)(?<=\S)\1", re.DOTALL)
_STARRED = re.compile(r"(?<![*\w])\*(?=\S)([^*\n]{1,500}?)(?<=\S)\*(?![*\w])")
_UNDERLINED = re.compile(r"(?<!\w)(_{1,3})(?=\S)(.{1,500}?)(?<=\S)\1(?!\w)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")
# Marks that were escaped mean nothing: meanwhile they stand in a block of characters that no text has.
_ASIDE = 0xF0000
_SET_ASIDE = re.compile("[\U000f0021-\U000f007e]")
_CELLS = re.compile(r"[ \t]*\|[ \t]*")
_ENDS = re.compile(r"[.!?:;,…]$")


def spoken_text(markdown: str) -> str:
    """Paragraphs and lines, each one that is a line of its own closed by a full stop, so that a voice pauses there.

    Code blocks, comments and the addresses of links are left out; of a bare address its host is said.
    """
    text = markdown.replace("\r\n", "\n")
    for pattern in (_FENCE, _COMMENT, _LINK_NAMED, _TABLE_RULE, _RULE):
        text = pattern.sub("", text)
    text = _ESCAPED.sub(lambda found: chr(_ASIDE + ord(found[1])), text)
    text = _AUTOLINK.sub(r"\1", text)
    text = _IMAGE.sub(r"\1", text)
    text = _LINK.sub(r"\1", text)
    text = _URL.sub(lambda found: found[1] or found[2], text)
    text = _TAG.sub(" ", text)
    text = _HEADING_TAIL.sub("", _LINE_HEAD.sub("", text))
    text = _CODE.sub(r"\2", text)
    for _ in range(2):  # one kind of emphasis may stand within another
        text = _UNDERLINED.sub(r"\2", _STARRED.sub(r"\1", _STRONG.sub(r"\2", text)))
    text = _SET_ASIDE.sub(lambda found: chr(ord(found[0]) - _ASIDE), text)
    return "\n".join(line for line in map(_said, text.split("\n")) if line)


def _said(line: str) -> str:
    if line.count("|") > 1:
        line = _CELLS.sub(", ", line.strip().strip("|").strip())
    line = " ".join(line.split())
    if not any(character.isalnum() for character in line):
        return ""
    return line if _ENDS.search(line) else f"{line}."
