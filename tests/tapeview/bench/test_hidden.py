"""What is counted of hidden executions, on a session small enough to count by hand."""

from __future__ import annotations

import json

import pytest

from feeds.errors import BadInput
from tapeview.bench import hidden
from tapeview.cli import main

MESSAGES = """\
34200.000000000,1,1,100,1000000,1
34200.100000000,1,2,100,1001000,-1
34200.200000000,1,3,50,999900,1
34201.000000000,4,1,100,1000000,1
34201.000000000,5,0,40,1000000,1
34202.000000000,1,4,100,1000000,1
34210.000000000,4,4,100,1000000,1
34210.000000000,5,0,30,1000000,1
34215.000000000,4,2,10,1001000,-1
34220.000000000,5,0,10,1000500,-1
34225.000000000,4,3,50,999900,1
34300.000000000,1,9,10,1003000,-1
34330.000000000,4,2,90,1001000,-1
"""
"""A bid at 100.00 with more behind it, twice; an offer at 100.05 that nobody saw; then the bids are gone through."""


@pytest.fixture
def day(tmp_path):
    folder = tmp_path / "day"
    folder.mkdir()
    (folder / "XYZ_2012-06-21_message_1.csv").write_text(MESSAGES)
    return folder


@pytest.fixture
def rows(day):
    return {row.what: row for row in hidden.measure(str(day), say=lambda _: None)}


@pytest.mark.parametrize(
    ("what", "count", "of"),
    [
        ("executions that the venue calls hidden", 3, None),
        ("their lots, of all lots traded", 80, 430),
        ("found by the identity", 3, 3),
        ("prices in a match event of which it says exactly how much", 3, 3),
        ("prices in a match event where it is wrong: none were hidden", 0, 3),
        ("prices with hidden executions that it finds", 2, 2),
        ("executions at a price that displayed lots when they began", 2, 3),
        ("executions on the price grid", 3, 3),
        ("stands with a second match event (pauses up to 120 s)", 1, 2),
        ("of those, with lots displayed in two of them", 1, 1),
        ("hidden executions: held for 30 s", 1, 3),
        ("hidden executions: held for 60 s", 1, 3),
        ("where lots were displayed: held for 30 s", 0, 2),
        ("where none were: held for 60 s", 1, 1),
    ],
)
def test_it_counts_what_can_be_counted_by_hand(rows, what, count, of):
    assert (rows[what].count, rows[what].of) == (count, of)


def test_the_control_is_displayed_executions_of_the_same_side(rows):
    # Of the bids 2 of 3 were gone through within 30 s, of the offers none.
    row = rows["hidden executions: held for 30 s"]
    assert row.share == pytest.approx(1 / 3)
    assert row.control == pytest.approx((1 / 3 + 1 / 3 + 1) / 3)
    assert row.more == pytest.approx(row.share - row.control)


def test_a_pause_ends_a_stand(day):
    from tapeview.bench.accounts import followed, prints_of

    book, _ = _read(day)
    prints = prints_of(followed(*_read(day)))
    assert len(book) > 0
    assert [hidden.stands_of(prints, pause).max() + 1 for pause in (120, 5)] == [2, 3]


def test_an_order_nobody_told_of_before_changes_no_account(day):
    file = day / "XYZ_2012-06-21_message_1.csv"
    lines = file.read_text().splitlines()
    lines.insert(5, "34201.500000000,3,777,60,1000000,1")
    file.write_text("\n".join(lines) + "\n")
    found = {row.what: row for row in hidden.measure(str(day), say=lambda _: None)}
    assert found["prices in a match event of which it says exactly how much"].count == 3
    assert found["executions at a price that displayed lots when they began"].count == 2


def _read(day):
    import numpy as np

    from feeds import open_source

    source = open_source(day)
    return np.concatenate(list(source.batches())), source.instruments[0]


def test_the_command_prints_a_table_and_json(day, capsys):
    assert main(["bench", "hidden", str(day)]) == 0
    printed = capsys.readouterr().out
    assert "found by the identity" in printed
    assert "0.186" in printed
    assert main(["bench", "hidden", str(day), "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0] == {
        "what": "executions that the venue calls hidden", "count": 3, "of": None, "share": None, "control": None,
        "more": None, "low": None, "high": None,
    }  # fmt: skip


def test_a_source_that_names_nothing_hidden_is_refused(day):
    file = day / "XYZ_2012-06-21_message_1.csv"
    file.write_text("\n".join(line for line in MESSAGES.splitlines() if ",5,0," not in line) + "\n")
    with pytest.raises(BadInput, match="calls hidden"):
        hidden.measure(str(day), say=lambda _: None)
    with pytest.raises(BadInput, match="calls hidden"):
        hidden.measure("simulator:seed=5001,minutes=0.2,tier=B", say=lambda _: None)


@pytest.mark.parametrize("words", [["hidden"], ["engine", "somewhere"], ["cost", "somewhere"]])
def test_a_source_goes_with_hidden_only(words, capsys):
    assert main(["bench", *words]) == 2
    assert "hidden" in capsys.readouterr().err
