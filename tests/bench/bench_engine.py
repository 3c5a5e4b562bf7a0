"""The engine's speed beside its yardsticks.

Run with `pytest tests/bench -o python_files='bench_*.py' --benchmark-enable`.
"""

import shutil

import pytest

from feeds.instruments import Instrument
from tapeview.bench import engine as bench
from tapeview.bench.peers import PEERS
from tapeview.bench.streams import level_stream, order_stream
from tapeview.engine import Engine, warm

INSTRUMENT = Instrument(venue="bench", symbol="X", tick="1")
STREAMS = {"levels": level_stream, "orders": order_stream}


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm()


@pytest.fixture(scope="module", params=STREAMS)
def stream(request):
    return request.param, STREAMS[request.param](300_000)


@pytest.mark.parametrize("batch", [65_536, 4_096, 100])
def test_the_whole_engine(benchmark, stream, batch):
    name, rows = stream
    benchmark.group = name
    benchmark.pedantic(lambda: bench.run_engine(rows, batch), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("loop", ["full", "only"])
def test_the_yardstick_in_c(benchmark, stream, loop, tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    name, rows = stream
    benchmark.group = name
    yardstick = bench.Yardstick(tmp_path)
    benchmark.pedantic(lambda: yardstick.run(f"{name}_{loop}", rows, 65_536), rounds=5, warmup_rounds=1)


def test_dictionaries(benchmark, stream):
    name, rows = stream
    benchmark.group = name
    benchmark.pedantic(lambda: bench.run_dictionaries(rows[:60_000]), rounds=3)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_another_book(benchmark, peer):
    if peer.missing:
        pytest.skip(peer.missing)
    rows = STREAMS[peer.stream](300_000)
    # Its own clock leaves out the translation, which the case's time has in it.
    benchmark.group = f"{peer.stream}, with the translation"
    seconds = []
    benchmark.pedantic(lambda: seconds.append(peer.run(rows)[0]), rounds=3, warmup_rounds=1)
    benchmark.extra_info["M events/s, book only"] = len(rows) / min(seconds) / 1e6


def test_single_rows(benchmark, stream):
    name, rows = stream
    benchmark.group = f"{name}, one row a call"
    engine = Engine(INSTRUMENT)
    rows = rows[:2000]
    benchmark(lambda: [engine.apply(rows[n : n + 1]) for n in range(1000)])


def test_the_engine_holds_its_own_against_c(capsys):
    found = bench.measure(quick=True, say=lambda _: None)
    with capsys.disabled():
        for row in found:
            ratio = f"{row.ratio:7.2f} x {row.against}" if row.ratio is not None else ""
            print(f"{row.what:55s} {row.value:8.2f} {row.unit} {ratio}")
    for row in found:
        if row.against == "the same work in C" and "65,536" in row.what:
            assert row.ratio >= 0.6, row
