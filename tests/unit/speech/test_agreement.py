"""Which words of a growing transcript are stable: those that two passes in a row agree on, and they stay."""

from __future__ import annotations

from infra.speech.agreement import Agreement, Partial


def partials(*transcripts: str) -> list[Partial]:
    agreement = Agreement()
    return [agreement.take(transcript) for transcript in transcripts]


def test_a_word_is_stable_once_two_passes_in_a_row_have_it() -> None:
    assert partials("send the", "send the budget", "send the budget report") == [
        Partial("send the", ""),
        Partial("send the budget", "send the"),
        Partial("send the budget report", "send the budget"),
    ]


def test_a_word_that_only_one_pass_heard_is_never_stable() -> None:
    assert [partial.stable for partial in partials("send a", "send the", "send a")] == ["", "send", "send"]


def test_a_stable_word_stays_when_later_passes_hear_another() -> None:
    assert partials("I scream", "I scream", "ice cream now", "ice cream now please")[-1] == Partial(
        "I scream now please", "I scream now"
    )


def test_a_shorter_pass_takes_nothing_back() -> None:
    assert partials("call John tomorrow", "call John tomorrow", "call")[-1] == Partial(
        "call John tomorrow", "call John tomorrow"
    )


def test_the_mark_behind_the_last_stable_word_comes_and_goes_with_what_follows() -> None:
    assert partials("Send the budget.", "Send the budget.", "Send the budget report.", "Send the budget report.") == [
        Partial("Send the budget.", ""),
        Partial("Send the budget.", "Send the budget"),
        Partial("Send the budget report.", "Send the budget"),
        Partial("Send the budget report.", "Send the budget report"),
    ]


def test_a_mark_inside_the_stable_text_is_kept_as_it_became_stable() -> None:
    assert partials("hello John", "hello John", "hello, John, are you", "hello John, are you")[-1] == Partial(
        "hello John, are you", "hello John, are you"
    )


def test_capitals_and_marks_do_not_part_two_passes() -> None:
    assert partials("send the", "Send the,")[-1] == Partial("Send the,", "Send the")


def test_words_made_of_marks_alone_are_words() -> None:
    assert partials("… !", "… !")[-1] == Partial("… !", "… !")


def test_silence_is_an_empty_partial() -> None:
    assert partials("", "  \n ") == [Partial("", ""), Partial("", "")]
