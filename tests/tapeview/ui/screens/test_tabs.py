from dataclasses import replace

import pytest

from tapeview.ui.screens._tabs import InstrumentTabs
from tests.kit import snapshots as kit


def line(width, count, index):
    frame = kit.snapshot()
    names = tuple(f"SYM{n}" for n in range(1, count + 1))
    frame = replace(frame, status=replace(frame.status, instruments=names, index=index))
    return "".join(text for text, _ in InstrumentTabs().rows(frame, width, 1)[0])


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("count", [2, 9, 40])
def test_the_line_is_as_wide_as_the_screen_and_has_the_one_shown(width, count):
    for index in range(count):
        told = line(width, count, index)
        assert len(told) == width
        assert f"SYM{index + 1} " in told
        assert told.count("▸") == 1


def test_numbers_are_those_alt_takes():
    assert line(120, 3, 1).split() == ["1", "SYM1", "▸2", "SYM2", "3", "SYM3"]
