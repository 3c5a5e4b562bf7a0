"""Faults of a feed: what was done is what is found, and nothing else was touched."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    C_SEQUENCE,
    CANCEL,
    CLEAR,
    CLOCK,
    FILL,
    GAP,
    LAST,
    MODIFY,
    S_HALTED,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
)  # fmt: skip
from feeds.simulator import generate
from feeds.simulator.faults import FAULTS, book_at, orders_at
from tests.kit.reference import NaiveBook, message_ends

ORDER = {"seed": 31, "minutes": 6}


def rows_of(tape):
    return tape.events[tape.events["kind"] != CLOCK]


@pytest.fixture(scope="module")
def clean():
    return {tier: rows_of(generate(**ORDER, tier=tier)) for tier in "ABC"}


def messages(rows):
    """Every message as bytes without numbers and receive times."""
    rows = rows.copy()
    rows["seq"] = rows["recv_ns"] = 0
    ends = message_ends(rows)
    return [rows[a:b].tobytes() for a, b in zip([0, *ends[:-1]], ends, strict=True)]


@pytest.mark.parametrize("tier", "ABC")
def test_dropped_messages_are_missing_and_no_others(tier, clean):
    tape = generate(**ORDER, tier=tier, faults=("drop:every=15",))
    missing = Counter(messages(clean[tier])) - Counter(messages(rows_of(tape)))
    assert sum(missing.values()) == len(tape.faults) > 5
    assert not Counter(messages(rows_of(tape))) - Counter(messages(clean[tier]))
    lost = {np.frombuffer(message, rows_of(tape).dtype)["exch_ns"][0] for message in missing}
    assert len(lost) == len(tape.faults)


@pytest.mark.parametrize("tier", "ABC")
def test_duplicated_messages_come_twice_in_a_row(tier, clean):
    tape = generate(**ORDER, tier=tier, faults=("duplicate:every=15",))
    more = Counter(messages(rows_of(tape))) - Counter(messages(clean[tier]))
    assert sum(more.values()) == len(tape.faults) > 5
    told = messages(rows_of(tape))
    assert all(any(a == b == message for a, b in itertools.pairwise(told)) for message in more)


@pytest.mark.parametrize("tier", "ABC")
def test_reordered_messages_are_all_there_one_place_later(tier, clean):
    tape = generate(**ORDER, tier=tier, faults=("reorder:every=15",))
    rows = rows_of(tape).copy()
    moved = rows["marks"] & 4 != 0
    rows["marks"][moved] ^= 4
    told, true = messages(rows), messages(clean[tier])
    assert Counter(told) == Counter(true)
    swapped = [n for n in range(len(true)) if told[n] != true[n]]
    assert len(swapped) == 2 * len(tape.faults) > 10
    for n in swapped[::2]:
        assert (told[n], told[n + 1]) == (true[n + 1], true[n])


@pytest.mark.parametrize("tier", "ABC")
def test_after_a_gap_the_book_is_sent_anew_as_it_is(tier, clean):
    tape = generate(**ORDER, tier=tier, faults=("gap:every=60",))
    rows = rows_of(tape)
    assert [fault.kind for fault in tape.faults] == ["gap"] * len(tape.faults)
    gaps = np.flatnonzero(rows["kind"] == GAP)
    assert len(gaps) == len(tape.faults) > 2
    assert rows["recv_ns"][gaps].tolist() == [fault.recv_ns for fault in tape.faults]
    assert (rows["lots"][gaps] == C_SEQUENCE).all()
    phases = rows["aux"][rows["kind"] == STATUS].tolist()
    assert phases[1:] == [S_SYNCING, S_LIVE] * len(gaps)
    put_in = (rows["marks"] & SNAPSHOT != 0).sum() - (clean[tier]["marks"] & SNAPSHOT != 0).sum() + 2 * len(gaps)
    assert len(rows) == len(clean[tier]) - sum(fault.rows for fault in tape.faults) + put_in
    one, other = NaiveBook().apply(rows), NaiveBook().apply(clean[tier])
    assert [one.levels(side) for side in (BID, ASK)] == [other.levels(side) for side in (BID, ASK)]
    assert one.state()[2] == other.state()[2]


@pytest.mark.parametrize("tier", "ABC")
def test_a_crossed_burst_crosses_the_book_for_its_time(tier, clean):
    tape = generate(**ORDER, tier=tier, faults=("crossed:every=60",))
    rows = rows_of(tape)
    assert len(tape.faults) > 2
    book = NaiveBook()
    crossed, at = [], 0
    for n, end in enumerate(message_ends(rows)):
        book.apply(rows[at:end])
        at = end
        when = int(rows["recv_ns"][end - 1])
        near = any(fault.recv_ns - 10**9 <= when <= fault.until_ns + 10**9 for fault in tape.faults)
        if (near or n % 100 == 0) and book.crossed:
            crossed.append(when)
    assert crossed
    inside = [any(f.recv_ns <= when <= f.until_ns for f in tape.faults) for when in crossed]
    assert all(inside)
    assert all(any(f.recv_ns <= when <= f.until_ns for when in crossed) for f in tape.faults)


def test_a_wrong_clock_moves_exchange_times_and_nothing_else(clean):
    tape = generate(**ORDER, faults=("skew:every=60",))
    rows = rows_of(tape)
    off = rows["exch_ns"] - clean["A"]["exch_ns"]
    inside = np.zeros(len(rows), dtype=bool)
    for fault in tape.faults:
        inside |= (rows["recv_ns"] >= fault.recv_ns) & (rows["recv_ns"] <= fault.until_ns)
    assert (off[~inside] == 0).all()
    assert len(np.unique(off)) > 2
    assert (np.abs(off) < 1_000_000_000).all()
    for name in ("recv_ns", "tick", "lots", "ref", "kind"):
        assert (rows[name] == clean["A"][name]).all()


@pytest.mark.parametrize("tier", "AC")
def test_a_halt_of_the_venue_says_so_and_opens_with_a_snapshot(tier):
    tape = generate(**ORDER, tier=tier, faults=("halt:every=90",))
    rows = rows_of(tape)
    phases = rows[rows["kind"] == STATUS]
    assert phases["aux"][1:].tolist() == [S_HALTED, S_LIVE] * len(tape.faults)
    assert (rows["kind"] == CLEAR).sum() == 1 + len(tape.faults)
    assert tape.faults


def test_all_faults_at_once_are_listed_in_time_and_do_not_touch_each_other():
    tape = generate(**ORDER, tier="C", faults=tuple(FAULTS))
    assert {fault.kind for fault in tape.faults} >= {"drop", "duplicate", "reorder", "gap"}
    for before, after in zip(tape.faults, tape.faults[1:], strict=False):
        assert before.until_ns < after.recv_ns
    assert tape.events["marks"][-1] & LAST


def test_another_fault_moves_none_of_the_first():
    alone = generate(**ORDER, faults=("drop:every=20",))
    both = generate(**ORDER, faults=("drop:every=20", "duplicate:every=100"))
    drops = [fault for fault in both.faults if fault.kind == "drop"]
    assert set(drops) <= set(alone.faults)
    assert len(drops) >= len(alone.faults) - len(both.faults) + len(drops)


def test_the_book_and_the_queues_in_the_middle_of_a_tape_are_those_of_a_naive_book(clean):
    rows = clean["A"][: message_ends(clean["A"])[4000]]
    book = NaiveBook().apply(rows)
    for side in (BID, ASK):
        assert sorted(book_at(rows)[side].items()) == sorted((t // 10**6, n // 10**6) for t, n, _ in book.levels(side))
    queues = {}
    for row in orders_at(rows):
        queues.setdefault((int(row["side"]), int(row["tick"]) * 10**6), []).append(int(row["ref"]))
    assert queues == {key: [ref for ref, _ in book.queue(*key)] for key in queues}
    assert sum(map(len, queues.values())) == len(book.orders)
    assert {ADD, FILL, CANCEL, MODIFY} <= set(rows["kind"].tolist())
    assert BOOK not in rows["kind"]
