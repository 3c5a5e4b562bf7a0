"""The yardsticks do the engine's work: their books and sums agree, written in C and in dictionaries."""

from __future__ import annotations

import shutil

import pytest

from tapeview.bench import engine as bench
from tapeview.bench.streams import level_stream, order_stream
from tapeview.engine import warm

STREAMS = {"levels": level_stream, "orders": order_stream}


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("name", STREAMS)
def test_the_engine_ends_where_the_same_work_in_c_ends(name, tmp_path):
    warm()
    rows = STREAMS[name](60_000)
    seconds, check = bench.Yardstick(tmp_path).run(f"{name}_full", rows, 4096)
    mine, engine = bench.run_engine(rows, 65_536)
    assert bench.check_of(engine) == check
    assert seconds > 0
    assert mine > 0


@pytest.mark.parametrize("name", STREAMS)
def test_dictionaries_take_every_event(name):
    assert bench.run_dictionaries(STREAMS[name](12_000)) > 0
