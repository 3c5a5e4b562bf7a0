"""The band of paper fills against the truth of queues, on worked tapes, a simulated market, and a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds import script
from feeds.errors import BadInput
from feeds.instruments import Instrument
from tapeview.bench import queue
from tapeview.bench.queue import Course, Phantom, Row
from tapeview.cli.entry import main
from tapeview.desk import queue as kernels  # noqa: F401  (compiled with the engine's)
from tapeview.desk.paper import PaperVenue
from tapeview.engine import warm

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm()


def quiet(_: str) -> None:
    """Say nothing."""


def shares(rows: list[Row], feed: str = "levels, every message") -> dict[str, float]:
    return {row.what: row.value for row in rows if row.feed == feed}


def test_a_simulated_market_lies_inside_the_band() -> None:
    rows = queue.measure("simulator:seed=5002,minutes=1,tier=A", say=quiet)
    for feed in ("levels, every message", "levels, every 100 ms"):
        found = shares(rows, feed)
        assert found["outcome inside the band"] >= queue.WANTED
        assert found["filled, says the pessimist"] <= found["filled, says the optimist"]
    assert shares(rows)["place in the queue inside"] >= queue.WANTED
    assert shares(rows, "orders")["filled"] > 0.5


def test_an_hour_of_apple_begins_inside_the_band(data: Path) -> None:
    file = data / "lobster-aapl" / "AAPL_2012-06-21_message_50.csv"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    found = shares(queue.measure(str(file), quick=True, say=quiet))
    assert found["outcome inside the band"] >= queue.WANTED
    assert found["of orders that any view fills"] >= queue.WANTED
    assert found["fill time inside"] >= queue.WANTED


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lobster-aapl/AAPL_2012-06-21_message_50.csv", "bitstamp-l3/2015-05-01.log.bz2"])
def test_real_tapes_lie_inside_the_band_in_all_that_is_measured(data: Path, name: str) -> None:
    if not (data / name).exists():
        pytest.skip(f"{data / name} is not there")
    rows = queue.measure(str(data / name), say=quiet)
    assert [row.what for row in rows if row.wanted is not None and not row.value >= row.wanted] == []


def test_shares_are_counted_as_they_are_meant() -> None:
    phantoms = [Phantom(n, 0, 1, 100) for n in range(1, 6)]
    # Inside with a width of 2 s; before the optimist; after the pessimist; pessimist alone; nobody.
    exact = Course({1: 2 * 10**9, 2: 1, 3: 9}, {(1, 0): 5, (2, 0): 9})
    pessimist = Course({1: 3 * 10**9, 3: 8, 4: 7}, {(1, 0): 8, (2, 0): 8})
    optimist = Course({1: 10**9, 2: 2, 3: 1}, {(1, 0): 4, (2, 0): 2})
    rows = queue._rows("x", "f", phantoms, exact, pessimist, optimist, same_times=True)
    found = shares(rows, "f")
    assert found["outcome inside the band"] == 4 / 5
    assert found["of orders that any view fills"] == 3 / 4
    assert found["fill time inside"] == 2 / 5
    assert found["both views say the same"] == 3 / 5
    assert found["place in the queue inside"] == 1 / 2
    assert found["width of the place"] == pytest.approx((4 / 8 + 6 / 8) / 2)
    assert "missed" in queue.cells(next(row for row in rows if row.what == "fill time inside"))[-1]


def test_a_phantom_is_filled_when_its_queue_is_eaten_and_taken_back_after_a_minute() -> None:
    rows = script.events(
        "[ o1b100:5 o2a101:5 ] ~1000 o3b100:1 ~2000 f1:5&-100:5 ~100 f3:1&-100:1 ~70000 o4b100:1 ~1000 f4:1&-100:1"
        " ~1000 o5b99:1"
    )
    start = int(rows["recv_ns"][0])
    mine = [Phantom(1, start + 500_000_000, 1, 100), Phantom(2, start + 500_000_000, 1, 99)]
    (course,) = queue.play(rows, INSTRUMENT, [PaperVenue(hopeful=False, latency_ns=1, exact=True)], mine)
    # Behind order 1 and before order 3: the first lot after the five is its own.
    assert course.filled_ns == {1: start + 3_100_000_000}


def test_a_source_of_levels_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match="orders one by one"):
        queue.measure("simulator:seed=5002,minutes=0.2,tier=B", say=quiet)
    assert main(["bench", "queue"]) == 2
    assert "a SOURCE of orders one by one" in capsys.readouterr().err
    assert main(["bench", "engine", "x"]) == 2
    assert "'hidden' or 'queue'" in capsys.readouterr().err


def test_the_word_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "queue", "simulator:seed=5002,minutes=0.5,tier=A"]) == 0
    assert "outcome inside the band" in capsys.readouterr().out
