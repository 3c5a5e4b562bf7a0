"""Episodes of conflated depth put together by hand, and how well an iceberg could be seen in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from feeds.events import ASK, BID, BOOK, BUY, LAST, REGULAR, SELL, TRADE, empty
from feeds.simulator.tape import generate
from tapeview.bench.detectability import detectability, episodes_of, usual_variance

MS = 1_000_000


class Truth(NamedTuple):
    side: int
    tick: int
    t1_ns: int
    params: dict[str, Any]


def tape(*rows: tuple[int, int, int, int, int]) -> np.ndarray:
    """(kind, ms, side, tick, lots)."""
    out = empty(len(rows))
    for at, (kind, ms, side, tick, lots) in enumerate(rows):
        out["kind"][at], out["side"][at], out["tick"][at], out["lots"][at] = kind, side, tick, lots
        out["exch_ns"][at] = out["recv_ns"][at] = ms * MS
        out["aux"][at] = REGULAR if kind == TRADE else 0
    out["marks"] |= LAST
    return out


ROWS = (
    (BOOK, 0, ASK, 101, 10), (BOOK, 0, BID, 100, 20),
    # 6 bought in two prints, one told late; the level loses 2: 4 came back
    (TRADE, 150, BUY, 101, 4), (BOOK, 200, ASK, 101, 8), (TRADE, 190, BUY, 101, 2),
    # 5 sold and 5 gone: nothing came back
    (TRADE, 250, SELL, 100, 5), (BOOK, 300, BID, 100, 15),
    # traded at a price that shows nothing: no episode
    (TRADE, 350, BUY, 105, 9), (BOOK, 400, ASK, 106, 1),
    # traded, and depth never said another word about it: all came back
    (TRADE, 450, SELL, 100, 3), (BOOK, 500, ASK, 106, 2),
    # after the last update
    (TRADE, 650, SELL, 100, 3),
)  # fmt: skip


def test_prints_go_with_the_first_update_not_before_them():
    found = episodes_of(tape(*ROWS))
    got = {(int(s), int(t), int(ns) // MS): (int(v), int(n)) for s, t, ns, v, n in zip(*found, strict=True)}
    assert got == {(ASK, 101, 200): (6, 4), (BID, 100, 300): (5, 0), (BID, 100, 500): (3, 3)}


def test_detectability_is_the_sum_of_squares_over_what_is_usual_elsewhere():
    labels = [Truth(ASK, 101, 600 * MS, {"begin_ns": 100 * MS}), Truth(ASK, 101, 180 * MS, {"begin_ns": 100 * MS})]
    usual = usual_variance(np.array([0, 3]))
    assert detectability(tape(*ROWS), labels) == [pytest.approx(36 / usual), 0.0]


def test_one_wild_value_does_not_become_the_usual():
    quiet = np.array([1, -1] * 50)
    assert usual_variance(quiet) == 1
    assert usual_variance(np.append(quiet, 1000)) < 2


def test_larger_and_longer_icebergs_are_easier_to_see():
    small, large = (
        generate(seed=3, minutes=8, plants=(f"native:every=40:display={display}:tranches=10:cancel=0",), tier="C")
        for display in (1, 25)
    )
    got = [
        np.median(detectability(made.events, [one for one in made.labels if one.type == "iceberg"]))
        for made in (small, large)
    ]
    assert got[1] > 3 * got[0]
