"""Pulled liquidity: its thresholds."""

from __future__ import annotations

from typing import Annotated

from tapeview.detectors._declare import Thresholds, bound


class PulledThresholds(Thresholds, frozen=True, kw_only=True):
    """What is a large order, what is unusual about how it goes, and how often makes a pattern."""

    size_q: Annotated[float, bound(0.5, 0.9999, "Share of recent adds that are smaller.", "J")] = 0.99
    lvl_mult: Annotated[
        float, bound(0, 100, "Least size over the median level.", "B: fitted on simulated seeds 30-37")
    ] = 2.4
    least_ticks: Annotated[int, bound(1, 100, "Least distance from the touch when shown, in ticks.", "J")] = 1
    most_ticks: Annotated[int, bound(1, 100, "Most distance from the touch when shown, in ticks.", "J")] = 10
    imbalance: Annotated[
        float, bound(0, 1, "Least change of the imbalance of depth that it made.", "B: fitted on simulated seeds 30-37")
    ] = 0.0
    unfilled: Annotated[float, bound(0.5, 1, "Least share of it that never traded.", "J")] = 0.95
    dropped: Annotated[
        float, bound(0.3, 1, "Least share of a level's rise that goes at once when it is taken back.", "J")
    ] = 0.85
    watch_q: Annotated[float, bound(0.1, 0.99, "Share of adds smaller than those that tell what is usual.", "J")] = 0.90
    min_class: Annotated[
        int, bound(20, 100_000, "Lives known before they are evidence.", "B: fitted on simulated seeds 30-37")
    ] = 100
    min_adds: Annotated[int, bound(50, 100_000, "Adds seen before any is large.", "J")] = 1000
    quote_ms: Annotated[int, bound(0, 1000, "Time in which amends and bursts of quotes show, in ms.", "J")] = 5
    hold_ms: Annotated[int, bound(0, 2000, "Longest delay of trades behind the depth, in ms.", "M: lags 35-99 ms")] = (
        150
    )
    burst: Annotated[int, bound(2, 100, "Large levels that leave together in a burst of quotes.", "J")] = 3
    common: Annotated[
        float,
        bound(0, 1000, "Adds of such a size to expect in a window, at most.", "B: fitted on simulated seeds 30-37"),
    ] = 5.0
    life_p: Annotated[
        float, bound(0, 1, "Largest share of lives like it that were shorter.", "B: fitted on simulated seeds 30-37")
    ] = 0.9
    single_p: Annotated[
        float, bound(0, 1, "Largest p-value of a single one that counts.", "B: fitted on simulated seeds 30-37")
    ] = 0.1
    pattern_n: Annotated[int, bound(2, 50, "Least of them in a pattern.", "J")] = 3
    p: Annotated[float, bound(0, 1, "Largest p-value of them together.", "B: fitted on simulated seeds 30-37")] = 0.002
    same: Annotated[float, bound(0, 1, "Most difference of their sizes.", "B: fitted on simulated seeds 30-37")] = 0.15
    window_s: Annotated[
        int, bound(10, 7200, "Time in which they come, in s.", "B: fitted on simulated seeds 30-37")
    ] = 120
    clear_s: Annotated[
        int, bound(10, 7200, "Time without another after which it is over, in s.", "B: fitted on simulated seeds 30-37")
    ] = 60
    null_seed: Annotated[
        int, bound(0, 2**31 - 1, "Above 0 lives are permuted: every alert is then a false one.", "J")
    ] = 0
    naive: Annotated[
        int, bound(0, 1, "1: the naive rule alone, 10 times the median add and gone within 1 s.", "M: base rates")
    ] = 0
