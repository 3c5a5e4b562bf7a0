"""Scripts: every word, the messages they make, and what is refused."""

from __future__ import annotations

import doctest

import pytest

from feeds import script
from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    CLOCK,
    F_BORROW_FEE,
    F_FUNDING_RATE,
    F_LIQUIDATION,
    F_OPEN_INTEREST,
    FACT,
    FILL,
    GAP,
    LAST,
    MODIFY,
    NONE,
    SNAPSHOT,
    STATUS,
    STATUSES,
    TRADE,
)
from tests.kit.reference import NaiveBook

WORDS = [
    ("b100:5", {"kind": BOOK, "side": BID, "tick": 100, "lots": 5, "aux": 0}),
    ("a101:2", {"kind": BOOK, "side": ASK, "tick": 101, "lots": 2}),
    ("a101:0", {"kind": BOOK, "side": ASK, "tick": 101, "lots": 0}),
    ("b100:5/3", {"kind": BOOK, "tick": 100, "lots": 5, "aux": 3}),
    ("b-7:5", {"kind": BOOK, "tick": -7}),
    ("+101:2", {"kind": TRADE, "side": 1, "tick": 101, "lots": 2}),
    ("-100:1", {"kind": TRADE, "side": -1, "tick": 100, "lots": 1}),
    ("--5:1", {"kind": TRADE, "side": -1, "tick": -5, "lots": 1}),
    ("?100:1", {"kind": TRADE, "side": 0}),
    ("o7b100:5", {"kind": ADD, "ref": 7, "side": BID, "tick": 100, "lots": 5}),
    ("m7a100:3", {"kind": MODIFY, "ref": 7, "side": ASK, "tick": 100, "lots": 3}),
    ("x7", {"kind": CANCEL, "ref": 7, "lots": 0}),
    ("x7:2", {"kind": CANCEL, "ref": 7, "lots": 2}),
    ("f7:2", {"kind": FILL, "ref": 7, "lots": 2}),
    ("!gap", {"kind": GAP, "aux": NONE, "ref": NONE}),
    ("!clear", {"kind": CLEAR}),
    *((f"!{name}", {"kind": STATUS, "aux": number}) for number, name in enumerate(STATUSES)),
]


@pytest.mark.parametrize(("word", "fields"), WORDS)
def test_a_word_is_one_message_of_one_row(word: str, fields: dict[str, int]) -> None:
    (row,) = script.events(word)
    assert {name: int(row[name]) for name in fields} == fields
    assert int(row["marks"]) == LAST
    assert int(row["recv_ns"]) == int(row["exch_ns"]) == script.START_NS


SLOW = [
    ("$borrow_fee:0.44", {"aux": F_BORROW_FEE, "lots": 440_000_000, "ref": script.START_NS}),
    ("$borrow_fee:0.44@5", {"aux": F_BORROW_FEE, "ref": script.START_NS - 5 * 86_400_000_000_000}),
    ("$funding_rate:-0.0001", {"aux": F_FUNDING_RATE, "lots": -100_000}),
    ("$open_interest:700", {"aux": F_OPEN_INTEREST, "lots": 700}),
    ("$+101:2", {"aux": F_LIQUIDATION, "side": 1, "tick": 101, "lots": 2}),
    ("$-101:2", {"aux": F_LIQUIDATION, "side": -1, "tick": 101, "lots": 2}),
]


@pytest.mark.parametrize(("word", "fields"), SLOW)
def test_a_slow_input_is_a_message_of_one_row(word: str, fields: dict[str, int]) -> None:
    (row,) = script.events(word)
    assert {name: int(row[name]) for name in fields} == fields
    assert (int(row["kind"]), int(row["marks"]), int(row["recv_ns"])) == (FACT, LAST, script.START_NS)


def test_words_joined_are_one_message() -> None:
    rows = script.events("b100:5&a101:2 +101:1")
    assert rows["marks"].tolist() == [0, LAST, LAST]


def test_a_snapshot_is_one_message_that_ends_live() -> None:
    rows = script.events("[ b100:5 a101:2 ] b99:1")
    assert rows["kind"].tolist() == [CLEAR, BOOK, BOOK, STATUS, BOOK]
    assert rows["marks"].tolist() == [SNAPSHOT, SNAPSHOT, SNAPSHOT, SNAPSHOT | LAST, LAST]
    book = NaiveBook().apply(rows)
    assert (book.ticks(BID), book.ticks(ASK), book.phase) == ([(100, 5), (99, 1)], [(101, 2)], 1)


def test_time_passes_and_brings_clock_rows() -> None:
    rows = script.events("b100:1 ~250 b100:2")
    assert rows["kind"].tolist() == [BOOK, CLOCK, CLOCK, BOOK]
    assert int(rows["recv_ns"][-1]) == script.START_NS + 250_000_000
    assert rows["seq"].tolist() == [0, 1, 2, 3]
    assert script.events("b100:1 ~250 b100:2", clock=False)["kind"].tolist() == [BOOK, BOOK]


def test_the_start_and_the_instrument_can_be_chosen() -> None:
    (row,) = script.events("b1:1", start_ns=77, inst=3)
    assert (int(row["recv_ns"]), int(row["inst"])) == (77, 3)


def test_update_and_trade_ids_rise() -> None:
    assert script.events("b1:1 +1:1 b2:1")["ref"].tolist() == [1, 2, 3]


def test_no_words_are_no_rows() -> None:
    assert len(script.events("  ")) == 0


def test_a_bar_between_words_changes_nothing() -> None:
    assert script.events("b1:1 | b2:1").tobytes() == script.events("b1:1 b2:1").tobytes()


REFUSED = [
    "b100",
    "b100:-5",
    "b100:5/",
    "c100:5",
    "+:1",
    "o7100:5",
    "x",
    "x7:",
    "f:2",
    "!never",
    "b1:1&",
    "~",
    "~x",
    "~99999999999999999999",
    "b١:1",
    "$nothing:1",
    "$borrow_fee:",
    "$borrow_fee:0.1234567891",
    "$open_interest:0.5",
    "$101:2",
    "&",
]


@pytest.mark.parametrize("word", REFUSED)
def test_what_is_no_word_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="script"):
        script.events(word)


@pytest.mark.parametrize("text", ["[ b1:1", "] b1:1", "[ [ b1:1 ]", "b1:99999999999999999999"])
def test_brackets_that_do_not_pair_and_numbers_too_large_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="script"):
        script.events(text)


def test_the_example_in_the_documentation_is_true() -> None:
    assert doctest.testmod(script).failed == 0
