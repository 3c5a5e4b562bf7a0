import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadInput
from tapeview.ui.screens._ticket import Ticket, read_note, read_ticket


@pytest.mark.parametrize(
    ("line", "ticket"),
    [
        ("", Ticket()),
        ("   ", Ticket()),
        ("pullback", Ticket("pullback")),
        ("pullback 65", Ticket("pullback", 0.65)),
        ("pullback 65% second test", Ticket("pullback", 0.65, "second test")),
        ("pullback second test 65", Ticket("pullback", None, "second test 65")),
        ("- 0", Ticket("", 0.0)),
        ("- 100 of the low", Ticket("", 1.0, "of the low")),
        ("- held", Ticket("", None, "held")),
        ("3bar -5", Ticket("3bar", None, "-5")),
        ("\u0663 \u0665", Ticket("\u0663", None, "\u0665")),
    ],
)
def test_a_ticket_is_setup_sureness_and_note(line, ticket):
    assert read_ticket(line) == ticket


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("pullback 101", "0 to 100"),
        ("x 99999999999999999999", "0 to 100"),
        ("y" * 41, "40"),
        ("a 5 " + "n" * 501, "500"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(line, wrong):
    with pytest.raises(BadInput, match=wrong):
        read_ticket(line)


@given(st.text())
def test_any_line_is_a_ticket_or_refused(line):
    try:
        ticket = read_ticket(line)
    except BadInput:
        return
    assert ticket.sure is None or 0 <= ticket.sure <= 1
    assert bool(ticket) == (ticket != Ticket())
    assert ticket.words()


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("", ("", None)), ("waited for it", ("waited for it", None)), ("+", ("", True)),
        ("- too early", ("too early", False)),
        (" + as planned ", ("as planned", True)), ("a - b", ("a - b", None)),
    ],
)  # fmt: skip
def test_a_note_may_say_whether_the_plan_was_followed(line, note):
    assert read_note(line) == note


def test_words_of_a_ticket_are_few():
    assert Ticket("pullback", 0.65, "second test").words() == "pullback 65% noted"
    assert Ticket("", None, "x").words() == "no setup noted"
