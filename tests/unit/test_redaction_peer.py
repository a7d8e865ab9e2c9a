"""A detector that nobody here wrote reads what we redacted, and what we leave as it is."""

from __future__ import annotations

import pytest
from datafog.engine import scan
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.privacy.redaction import redact

# Its dates and postal codes are what tasks are made of, and what we must leave.
KINDS = frozenset({"EMAIL", "PHONE", "SSN", "CREDIT_CARD", "IP_ADDRESS"})

NAMES = st.from_regex(r"[a-z]{2,8}(?:[._+-][a-z0-9]{1,6})?", fullmatch=True)
EMAILS = st.builds(lambda name, host: f"{name}@{host}.com", NAMES, st.from_regex(r"[a-z]{3,10}", fullmatch=True))
PHONES = st.from_regex(r"\([2-9][0-9]{2}\) [2-9][0-9]{2}-[0-9]{4}|[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}", fullmatch=True)
NUMBERS = st.from_regex(r"(?:00[1-9]|[1-57][0-9][1-9])-(?:0[1-9]|[1-9][0-9])-[0-9]{3}[1-9]", fullmatch=True)
MACHINES = st.ip_addresses(v=4).filter(lambda a: not a.is_loopback and not a.is_unspecified).map(str)
CARDS = st.sampled_from(("4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"))
SENTENCES = st.sampled_from(("Please note {}.", "{}", "He wrote {} and left", "due 2025-11-21: {}", "a, {}, b"))


def seen_by_peer(text: str) -> set[str]:
    return {entity.type for entity in scan(text, engine="regex").entities} & KINDS


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        ("mail john@x.org", "EMAIL"),
        ("call (212) 555-0100", "PHONE"),
        ("it is 078-05-1120", "SSN"),
        ("card 4111 1111 1111 1111", "CREDIT_CARD"),
        ("from 192.168.17.23", "IP_ADDRESS"),
    ],
)
def test_the_peer_does_see_what_is_not_redacted(sample: str, kind: str) -> None:
    assert kind in seen_by_peer(sample)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(SENTENCES, st.one_of(EMAILS, PHONES, NUMBERS, MACHINES, CARDS)), min_size=1, max_size=5))
def test_the_peer_finds_nothing_in_what_we_redacted(written: list[tuple[str, str]]) -> None:
    text = "\n".join(sentence.format(value) for sentence, value in written)
    redacted = redact([text], ("US",)).texts[0]
    assert not seen_by_peer(redacted), redacted


def test_what_the_peer_takes_for_a_date_we_leave() -> None:
    text = "Call John on 2025-11-21 at 17:00"
    assert redact([text], ("US",)).texts[0] == text
