"""Running estimates against plain counting."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapeview.detectors import _estimate as estimate
from tapeview.engine._jit import call_plain

COUNTS = st.lists(st.tuples(st.integers(0, 959), st.integers(1, 20)), max_size=20)
SHARES = st.sampled_from([0.0, 0.05, 0.5, 0.9, 0.95, 0.995, 0.9995, 1.0])


def table(counts: list[tuple[int, int]]) -> Any:
    """A table of sizes with so many in each bucket, put there one by one as detectors do."""
    memory = np.zeros(1, np.dtype(list(estimate.fields(sizes=1))))

    def fill(m: Any) -> None:
        for bucket, times in counts:
            for _ in range(times):
                estimate.size_add(m[0], 0, least_of(bucket))

    call_plain(fill, memory)
    return memory


def least_of(bucket: int) -> int:
    """The least size of a bucket."""
    return bucket if bucket < 16 else (16 + (bucket & 15)) << ((bucket >> 4) - 1)


def quantile(counts: list[int], share: float) -> int:
    """The least bucket that no more than 1 - share reach or pass, bucket by bucket."""
    allowed = math.floor((1.0 - share) * sum(counts))
    reach = np.cumsum(counts[::-1])[::-1].tolist()
    n = len(counts)
    while n > 0 and reach[n - 1] <= allowed:
        n -= 1
    return least_of(n)


def test_buckets_are_exact_below_sixteen_and_then_sixteen_to_an_octave() -> None:
    assert [estimate.size_bucket(lots) for lots in range(17)] == list(range(17))
    for lots in [*range(16, 5000), 2**20 + 7, 2**40 - 1]:
        octave = lots.bit_length() - 1
        sixteenth = (lots - 2**octave) * 16 // 2**octave
        assert estimate.size_bucket(lots) == (octave - 3) * 16 + sixteenth
    assert estimate.size_bucket(2**63 - 1) == estimate.SIZES - 1


@settings(max_examples=40, deadline=None)
@given(counts=COUNTS, share=SHARES, bucket=st.integers(0, 959))
def test_a_table_walked_by_octaves_tells_what_one_walked_bucket_by_bucket_does(
    counts: list[tuple[int, int]], share: float, bucket: int
) -> None:
    memory = table(counts)
    plain = memory["h_count"][0, 0].tolist()
    assert call_plain(lambda m: estimate.size_quantile(m[0], 0, share), memory) == quantile(plain, share)
    lots = least_of(bucket)
    smaller = sum(plain[:bucket]) / sum(plain) if sum(plain) else 0.0
    assert call_plain(lambda m: estimate.size_share(m[0], 0, lots), memory) == smaller


def test_octaves_stay_the_sums_of_their_buckets_through_halving_and_taking_back() -> None:
    memory = np.zeros(1, np.dtype(list(estimate.fields(sizes=2))))
    sizes = np.random.default_rng(3).lognormal(3, 2, 20_000).astype(int).tolist()

    def fill(m: Any) -> None:
        for lots in sizes:
            estimate.size_add(m[0], 1, lots)
        for lots in sizes[-500:]:
            estimate.size_take(m[0], 1, estimate.size_bucket(lots))

    call_plain(fill, memory)
    counts, octaves = memory["h_count"][0, 1], memory["h_octave"][0, 1]
    assert octaves.tolist() == counts.reshape(-1, 16).sum(axis=1).tolist()
    assert int(memory["h_n"][0, 1]) == int(counts.sum()) < len(sizes)
    assert not memory["h_count"][0, 0].any()


@pytest.mark.parametrize("cells", [1, 7, 50, 600])
def test_a_sliding_sum_holds_what_came_in_its_window(cells: int) -> None:
    memory = np.zeros(1, np.dtype(list(estimate.fields(windows=1))))
    draw = np.random.default_rng(cells)
    times = np.cumsum(draw.integers(0, 400_000_000, 300)) + 1_700_000_000_000_000_000
    lots = draw.integers(-50, 50, 300)

    def add(m: Any, n: int) -> int:
        estimate.slide_add(m[0], 0, int(times[n]), cells, int(lots[n]))
        return int(m[0].w_sum[0])

    steps = times // estimate.STEP_NS
    for n in range(len(times)):
        inside = (steps[: n + 1] > steps[n] - cells) & (steps[: n + 1] <= steps[n])
        assert call_plain(add, memory, n) == int(lots[: n + 1][inside].sum())


def test_nothing_that_could_pass_is_passed_over_for_want_of_a_logarithm() -> None:
    from tapeview.detectors._iceberg_chance import may_pass

    draw = np.random.default_rng(5)
    seen = SimpleNamespace(passed=0, spared=0)
    for ratio in [0.0, 1e-300, 1.0, 1.0 + 1e-15, *np.exp(draw.normal(0, 3, 5000))]:
        score, best = draw.uniform(0, 8), draw.uniform(0, 8)
        value = score + (math.log(ratio) if ratio > 0 else -math.inf)
        may = may_pass(score, float(ratio), best)
        assert may or not value > best
        seen.passed += value > best
        seen.spared += not may
    assert seen.passed > 500
    assert seen.spared > 500
