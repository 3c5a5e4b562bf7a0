"""The fit of the iceberg detector's episodes: what it reads off a tape, and that its table is the one in use."""

from __future__ import annotations

import numpy as np
import pytest

from feeds import script
from tapeview.bench import fit_iceberg
from tapeview.detectors._iceberg_episodes import WEIGHTS


def test_prints_belong_to_the_next_depth_and_find_the_level_as_it_was_before() -> None:
    rows = script.events("[ b100:20 a101:40 ] ~100 +101:9 ~20 +101:3 ~30 a101:35 ~100 -100:5 ~50 b100:0")
    found = list(fit_iceberg.episodes_of(rows))
    assert [one[1:] for one in found] == [(-1, 101, 12, 40, 35), (1, 100, 5, 20, 0)]
    assert found[0].exch_ns < found[1].exch_ns


def test_a_weight_is_the_log_of_how_much_more_often_a_kind_is_seen_at_icebergs() -> None:
    at_icebergs, elsewhere = np.zeros(fit_iceberg.KINDS), np.zeros(fit_iceberg.KINDS)
    at_icebergs[:2], elsewhere[:2] = (60_000, 40_000), (200_000, 800_000)
    got = fit_iceberg.weights(at_icebergs, elsewhere)
    assert got[:2] == pytest.approx([np.log(0.6 / 0.2), np.log(0.4 / 0.8)], abs=0.01)
    assert (got[2:] == 0).all()


def test_a_kind_seen_seldom_weighs_little() -> None:
    at_icebergs, elsewhere = np.full(fit_iceberg.KINDS, 500.0), np.full(fit_iceberg.KINDS, 9000.0)
    at_icebergs[5], elsewhere[5] = 2, 0
    assert abs(fit_iceberg.weights(at_icebergs, elsewhere)[5]) < np.log(50) / 3


@pytest.mark.slow
def test_the_table_in_use_is_what_the_fit_gives(capsys: pytest.CaptureFixture[str]) -> None:
    fit_iceberg.main([])
    said = capsys.readouterr().out.splitlines()
    assert [float(value) for line in said[:-1] for value in line.replace(",", " ").split()] == list(WEIGHTS)
    assert said[-1] == "elsewhere: mean -0.041, standard deviation 0.273"
