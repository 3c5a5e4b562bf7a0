"""Streams of EVENT rows for property tests: whole venue messages of levels and of orders, well formed or not."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from feeds.clock import Clock
from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    FILL,
    GAP,
    KEEPS_PLACE,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    OFF_LOT,
    QUOTE,
    S_HALTED,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
    Events,
)
from feeds.instruments import Instrument

START_NS = 1_700_000_000_000_000_000
INSTRUMENTS = (
    Instrument(venue="test", symbol="ONE", tick="0.25", lot="1"),
    Instrument(venue="test", symbol="TWO", tick="0.1", lot="0.001"),
)


def _row(rng: random.Random) -> dict[str, int]:
    kind = rng.choice((BOOK, BOOK, BOOK, ADD, ADD, MODIFY, CANCEL, FILL, TRADE, CLEAR, STATUS, QUOTE, GAP))
    if kind == CLEAR and rng.random() < 0.8:  # rare enough to let a book grow
        kind = MODIFY
    tick = rng.choice((rng.randint(95, 105), rng.randint(-3, 3), rng.choice((-(2**40), 2**40, 10**7))))
    lots = rng.choice((rng.randint(0, 4), rng.randint(0, 10**9)))
    row = {"kind": kind, "tick": tick, "lots": lots, "side": rng.choice((BID, ASK)), "marks": 0}
    row["ref"] = rng.choice((rng.randint(0, 12), rng.randint(-(2**62), 2**62), NONE))
    row["aux"] = rng.choice((rng.randint(0, 5), NONE, rng.randint(-(2**62), 2**62)))
    if kind in (BOOK, ADD, MODIFY, TRADE) and rng.random() < 0.1:
        row["marks"] |= OFF_GRID
        row["tick"] = tick * 7 + 3
    if kind in (BOOK, ADD, MODIFY, CANCEL, FILL) and lots and rng.random() < 0.1:
        row["marks"] |= OFF_LOT
        row["lots"] = lots * 1_000_003 + 1
    if kind in (ADD, MODIFY, CANCEL, FILL):
        row["ref"] = rng.randint(0, 12)
        if not row["marks"] and rng.random() < 0.8:  # orders meet at the same levels
            row["tick"], row["lots"] = rng.randint(100, 101), rng.randint(0, 9)
    if kind == MODIFY:
        row["marks"] |= rng.choice((0, 0, KEEPS_PLACE))
        row["side"] = rng.choice((BID, ASK, 0))
    if kind == FILL:
        row["marks"] |= rng.choice((0, NO_BOOK))
    if kind == CLEAR:
        row["side"] = rng.choice((0, BID, ASK))
    if kind == STATUS:
        row["aux"] = rng.randint(0, S_HALTED)
    return row


def stream(seed: int, messages: int, instruments: int = 1) -> Events:
    """Numbered rows with CLOCK rows; receive time mostly rises and sometimes steps back."""
    rng, out, recv_ns = random.Random(seed), EventBuffer(), START_NS
    for _ in range(messages):
        recv_ns += rng.choice((0, 1, 1_000_000, 70_000_000, 250_000_000, -5_000_000))
        exch_ns = rng.choice((recv_ns, recv_ns - 3_000_000, NONE))
        inst, snapshot = rng.randrange(instruments), SNAPSHOT if rng.random() < 0.1 else 0
        for _ in range(rng.randint(1, 6)):
            row = _row(rng)
            row["marks"] |= snapshot
            out.append(recv_ns=recv_ns, exch_ns=exch_ns, inst=inst, **row)
        out.mark_last(LAST)
    return Clock().insert(out.take())


def streams(instruments: int = 1, max_messages: int = 60) -> st.SearchStrategy[Events]:
    """Any stream of up to so many messages."""
    return st.builds(stream, st.integers(0, 2**32), st.integers(1, max_messages), st.just(instruments))


@st.composite
def cuts(draw: st.DrawFn, length: int, most: int = 8) -> list[int]:
    """Places to cut a stream of some length into batches, from 0 to the length."""
    inner = draw(st.lists(st.integers(0, length), max_size=most))
    return [0, *sorted(inner), length]
