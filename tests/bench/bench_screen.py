"""The screen's cost: rows a frame by panel, and the whole layout in a real terminal beside the documented line API.

Run with `pytest tests/bench -o python_files='bench_*.py' --benchmark-enable`.
"""

import asyncio
import itertools

import pytest

from tapeview.bench import screen
from tapeview.bench._market import frames
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.meters import Meters
from tapeview.ui.widgets.status import TruthLine
from tapeview.ui.widgets.tape import Tape
from tapeview.ui.widgets.vwap import Chart
from tests.kit.screen import Stage


@pytest.mark.parametrize(
    ("kind", "size"),
    [(Ladder, (86, 57)), (Tape, (52, 57)), (Chart, (62, 47)), (Meters, (62, 10)), (TruthLine, (200, 1))],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_showing_a_frame(benchmark, kind, size):
    snapshots = itertools.cycle(frames(120))

    async def run():
        panel = kind()
        panel.styles.height = size[1]
        async with Stage(panel).run_test(size=size):
            benchmark(lambda: panel.show(next(snapshots)))
            assert panel.error is None

    asyncio.run(run())


def test_the_whole_screen_in_a_terminal(capsys):
    found = {row.what: row for row in screen.measure(quick=True, say=lambda _: None)}
    with capsys.disabled():
        for row in found.values():
            print(
                f"\n{row.what}: {row.value:.2f} {row.unit}"
                + (f" ({row.ratio:.2f} x {row.against})" if row.ratio else "")
            )
    # Processor time of the same work in the same minute: noise takes part of both.
    assert found["processor a frame"].ratio > 1.2
