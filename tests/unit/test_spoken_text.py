"""What is left of Markdown when it is read aloud."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.speech.spoken_text import spoken_text


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("Hello.", "Hello."),
        ("No full stop", "No full stop."),
        ("# Your day #\n\nTwo things", "Your day.\nTwo things."),
        ("- **Call** John\n* buy *milk*\n+ rest", "Call John.\nbuy milk.\nrest."),
        ("1. First\n2. Second", "1. First.\n2. Second."),
        ("- [ ] open\n- [x] done", "open.\ndone."),
        ("> quoted\n> > twice", "quoted.\ntwice."),
        ("***Very*** __strong__ _words_ ~~gone~~", "Very strong words gone."),
        ("a **b *c* d** e", "a b c d e."),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4."),
        ("Run `make test` now", "Run make test now."),
        ("See [the plan](https://a.example/p(1)?q=2) today", "See the plan today."),
        ("See [the plan][1]\n\n[1]: https://a.example/p", "See the plan."),
        ("![a chart](https://a.example/c.png)", "a chart."),
        ("At https://www.a.example/very/long?x=1, then.", "At a.example, then."),
        ("<https://a.example/x> or <me@a.example>", "a.example or me@a.example."),
        ("Before\n```python\nprint(1)\n```\nAfter", "Before.\nAfter."),
        ("Before\n~~~\ncode without an end", "Before."),
        ("one<br>two <b>three</b><!-- not this -->", "one two three."),
        ("a < b and c > d", "a < b and c > d."),
        ("above\n\n---\n\nbelow", "above.\nbelow."),
        ("| Day | Task |\n|-----|:----:|\n| Mon | Call |", "Day, Task.\nMon, Call."),
        (r"1\. not a list \*at all\*", "1. not a list *at all*."),
        ("Done: call John — due 2025-11-21 17:00!", "Done: call John — due 2025-11-21 17:00!"),
        ("", ""),
        ("---\n***\n", ""),
        ("👍", ""),
        ("Ça va, 東京?", "Ça va, 東京?"),
    ],
)
def test_it_says_the_words_and_not_the_marks(markdown: str, said: str) -> None:
    assert spoken_text(markdown) == said


@given(st.text(alphabet="ab *_`~#[]()!<>|-\\\n.:/h", max_size=200))
def test_whatever_comes_is_read_and_reading_it_again_adds_nothing(markdown: str) -> None:
    said = spoken_text(markdown)
    assert all(any(c.isalnum() for c in line) for line in said.split("\n") if said)
    letters = [c for c in said if c.isalnum()]
    assert all(letters.count(c) <= markdown.count(c) for c in set(letters)), "it says nothing of its own"


@pytest.mark.parametrize("mark", ["*", "**", "_", "`", "[", "![", "<", "<!--", "```\n", "|", "\\", "](", "> "])
def test_thousands_of_marks_are_read_to_the_end(mark: str) -> None:
    begins_code = mark[0] == "`"  # which never ends
    assert spoken_text(mark * 5_000 + "\n\nthe end").endswith("" if begins_code else "the end.")
