import itertools

import numpy as np

from tapeview.bench import screen
from tapeview.bench._market import CHANGED_ROWS, PRINTS_A_FRAME, frames
from tapeview.snapshot import Snapshot


def same(one, other):
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
    return one == other


def test_the_made_up_market_is_the_same_every_time():
    first, second = frames(5), frames(5)
    for a, b in zip(first, second, strict=True):
        assert isinstance(a, Snapshot)
        for part in ("status", "ladder", "tape", "chart", "meters"):
            one, other = getattr(a, part), getattr(b, part)
            assert all(same(getattr(one, name), getattr(other, name)) for name in one.__slots__), part


def test_the_made_up_market_moves_as_it_says():
    market = frames(60)
    sizes = [np.concatenate((frame.ladder.bid, frame.ladder.ask)) for frame in market]
    changed = [np.count_nonzero(a != b) for a, b in itertools.pairwise(sizes)]
    assert 10 < np.mean(changed) <= CHANGED_ROWS + 2
    for a, b in itertools.pairwise(market):
        assert b.tape.prints["seq"][PRINTS_A_FRAME:].tolist() == a.tape.prints["seq"][:-PRINTS_A_FRAME].tolist()
        assert b.ladder.best_ask == b.ladder.best_bid + 1
        assert len(b.ladder.label) == len(b.ladder.bid) == 55


def test_a_child_in_a_terminal_measures_itself():
    found = screen.run_once("ready", 0.5, "pty")
    assert set(found) == {"fps", "cpu", "ms", "kb", "slowdown"}
    assert found["fps"] > 1
    assert 0 < found["ms"] < 1000
    # Fifty-odd rows of ladder and tape cannot be told in less, nor does a frame repeat the whole screen many times.
    assert 1 < found["kb"] < 200
