"""Every column of the frame against a recount from dictionaries."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    BUST,
    CANCEL,
    EVERY,
    FILL,
    FLOW_PRINTS,
    LAST,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    SNAPSHOT,
    STATUSES,
    TRADE,
)
from feeds.instruments import Instrument
from tapeview.engine import FRAME, Engine
from tapeview.engine.frame import IS_BOOK, IS_END, MEANINGS
from tests.kit.reference import NaiveBook
from tests.kit.streams import FINE, market

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")
DEPTH = 10


def side_of(naive: NaiveBook, side: int) -> dict[str, int]:
    """What the frame says of one side."""
    levels = naive.levels(side)
    if not levels:
        return {"tick": NONE, "lots": 0, "orders": 0, "depth": 0, "wall": 0, "away": 0}
    price, _size, orders = levels[0]
    lots = {p: max(1, (s + FINE // 2) // FINE) for p, s, _ in levels}
    # Ticks of depth are counted from the whole tick at or behind the best price.
    edge = price // FINE if side == BID else -(-price // FINE)
    near = [(step, lots.get((edge - side * step) * FINE, 0)) for step in range(DEPTH)]
    wall = max(n for _, n in near)
    return {
        "tick": price // FINE, "lots": lots[price], "orders": orders, "depth": sum(n for _, n in near), "wall": wall,
        "away": next(step for step, n in near if n == wall) if wall else 0,
    }  # fmt: skip


def behind(price: int, side: int) -> int:
    return price // FINE if side == BID else -price // FINE


@pytest.mark.parametrize(("seed", "orders"), [(21, False), (22, True)])
def test_every_column_equals_a_recount(seed, orders):
    rows = market(5000, seed, orders=orders)
    rows = rows[~((rows["kind"] == TRADE) & (rows["aux"] == BUST))]
    engine, naive = Engine(INSTRUMENT), NaiveBook(instrument=INSTRUMENT)
    outcome = engine.apply(rows)
    frame = outcome.frame
    volume = delta = 0
    touches, near, ended = [], [], False
    before = (side_of(naive, BID), side_of(naive, ASK))
    for n, (row, got) in enumerate(zip(rows, frame, strict=True)):
        kind, marks = int(row["kind"]), int(row["marks"])
        order = naive.orders.get(int(row["ref"])) if kind in (CANCEL, FILL, MODIFY) else None
        shown = order.size // FINE if order else 0
        price = int(row["tick"]) if marks & OFF_GRID else int(row["tick"]) * FINE
        side = int(row["side"])
        if order and (kind in (CANCEL, FILL) or row["lots"] == 0):
            price, side = order.price, order.side
        of = -side if kind == TRADE else side
        was = {p: max(1, (s + FINE // 2) // FINE) for p, s, _ in naive.levels(of)}.get(price, 0) if of else 0
        known = kind in (BOOK, ADD, TRADE) or order is not None
        order_was = (order.price, order.side) if order else None
        naive.apply(rows[n : n + 1])
        now = {p: max(1, (s + FINE // 2) // FINE) for p, s, _ in naive.levels(of)}.get(price, 0) if of else 0
        moved = kind == MODIFY and bool(order_was) and order_was != (price, side)
        if kind == TRADE and FLOW_PRINTS >> min(int(row["aux"]), 10) & 1:
            volume += int(row["lots"])
            delta += int(row["lots"]) * side
        bid, ask = side_of(naive, BID), side_of(naive, ASK)
        assert (got["seq"], got["recv_ns"], got["kind"], got["marks"]) == (row["seq"], row["recv_ns"], kind, marks)
        for name, want in (("bid", bid), ("ask", ask)):
            assert got[name] == want["tick"], (n, name)
            assert got[f"{name}_lots"] == want["lots"], (n, name)
            assert got[f"{name}_orders"] == want["orders"], (n, name)
            assert got[f"{name}_depth"] == want["depth"], (n, name)
            assert got[f"{name}_wall_lots"] == want["wall"], (n, name)
            assert got[f"{name}_wall_ticks"] == want["away"], (n, name)
        assert (got["volume"], got["delta"]) == (volume, delta)
        if kind in (BOOK, ADD, CANCEL, FILL, MODIFY, TRADE):
            if known:
                assert got["side"] == side
                assert got["tick"] == price // FINE
                assert got["was"] == was, n
                assert got["now"] == now, n
            assert got["from_tick"] == (order_was[0] // FINE if moved and row["lots"] else NONE), n
            assert got["order_was"] == (shown if kind in (CANCEL, FILL, MODIFY) else 0), n
        if (bid, ask) != before and any(
            one[k] != two[k] for one, two in zip((bid, ask), before, strict=True) for k in ("tick", "lots", "orders")
        ):
            touches.append(n)
        before = (bid, ask)
        if kind in (BOOK, ADD, CANCEL, FILL, MODIFY) and known and side and not marks & NO_BOOK:
            best = naive.levels(side)
            changed = was or price in {p for p, _, _ in best}
            if best and changed and behind(best[0][0], side) - behind(price, side) < DEPTH:
                near.append(n)
        assert STATUSES[got["state"]] in STATUSES
        assert (got["print"] == 255) == (kind != TRADE)
        ended = ended or kind == TRADE or n in near
        if marks & LAST and row["inst"] != EVERY:
            assert bool(outcome.news[n] & IS_END) >= ended, n
            ended = False
        else:
            assert not outcome.news[n] & IS_END
        assert bool(outcome.news[n] & IS_BOOK) == (kind in (BOOK, ADD, MODIFY, CANCEL, FILL) or bool(marks & SNAPSHOT))
    assert outcome.trades.tolist() == np.flatnonzero(rows["kind"] == TRADE).tolist()
    # A level off the grid may move the touch without moving its whole tick; such rows may be more, never fewer.
    assert set(touches) <= set(outcome.touches.tolist())
    assert set(near) <= set(outcome.near.tolist())
    assert set(outcome.touches.tolist()) <= set(outcome.near.tolist())


def test_each_column_has_a_sentence_and_rows_are_of_known_width():
    assert set(MEANINGS) == set(FRAME.names)
    assert all(text.endswith(".") for text in MEANINGS.values())
    assert FRAME.itemsize == 200
