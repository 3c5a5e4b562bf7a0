"""The weights of absorption: the regression finds what made the data, and knows what was true when."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tapeview.bench import weights
from tapeview.bench.score import GRACE_NS
from tapeview.detectors._absorption_level import NAMES
from tapeview.detectors._absorption_weights import BIAS, BIAS_C, WEIGHTS, WEIGHTS_C

SECOND = 1_000_000_000


def absorber(**changes: object) -> SimpleNamespace:
    known = {"type": "absorber", "side": 1, "tick": 100, "t0_ns": 50 * SECOND, "t1_ns": 60 * SECOND}
    return SimpleNamespace(**(known | {"params": {"evident": True}} | changes))


def test_the_regression_finds_the_weights_that_made_the_data() -> None:
    draw = np.random.default_rng(1)
    x = np.column_stack((draw.normal(3, 2, 60_000), draw.normal(-1, 0.2, 60_000), draw.exponential(5, 60_000)))
    wanted = np.array([0.8, -4.0, 0.05])
    y = (draw.random(60_000) < 1 / (1 + np.exp(-(-7.0 + x @ wanted)))).astype(float)
    bias, found = weights.fit(x, y)
    assert bias == pytest.approx(-7.0, abs=0.35)
    assert found == pytest.approx(wanted, rel=0.1, abs=0.01)


def test_the_regression_says_on_average_what_happened() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(0, 1, (4000, 2))
    y = (draw.random(4000) < 0.1).astype(float)
    bias, found = weights.fit(x, y)
    # Where the likelihood is greatest the mean of what is said is the mean of what was.
    assert (1 / (1 + np.exp(-(bias + x @ found)))).mean() == pytest.approx(y.mean(), abs=1e-6)


def test_a_price_is_absorbed_from_its_first_evidence_to_five_seconds_after() -> None:
    labels = [absorber()]
    assert not weights.truth(labels, 50 * SECOND - 1, 1, 100)
    assert weights.truth(labels, 50 * SECOND, 1, 102)
    assert weights.truth(labels, 60 * SECOND + GRACE_NS, 1, 98)
    assert not weights.truth(labels, 60 * SECOND + GRACE_NS + 1, 1, 100)
    assert not weights.truth(labels, 55 * SECOND, -1, 100)
    assert not weights.truth(labels, 55 * SECOND, 1, 103)


def test_what_nobody_could_see_yet_is_not_absorbed() -> None:
    assert not weights.truth([absorber(params={"evident": False})], 55 * SECOND, 1, 100)
    assert not weights.truth([absorber(type="negative")], 55 * SECOND, 1, 100)


def test_there_is_a_weight_for_everything_measured() -> None:
    assert len(WEIGHTS) == len(WEIGHTS_C) == len(NAMES)
    assert all(np.isfinite((BIAS, *WEIGHTS, BIAS_C, *WEIGHTS_C)))
