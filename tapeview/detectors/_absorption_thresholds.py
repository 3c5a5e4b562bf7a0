"""Absorption: its thresholds."""

from __future__ import annotations

from typing import Annotated, Final

from tapeview.detectors._declare import Thresholds, bound

_FITTED: Final = "B: fitted on simulated seeds 0-79"


class AbsorptionThresholds(Thresholds, frozen=True, kw_only=True):
    """What is much flow, what is no answer to it, and how long that must last."""

    window_s: Annotated[int, bound(2, 60, "Length of the window of flow and price change, in s.", "J")] = 10
    half_life: Annotated[int, bound(10, 5000, "Windows after which half of the regression is forgotten.", "J")] = 300
    warmup_s: Annotated[int, bound(30, 3600, "Flow to have seen before anything is judged, in s.", "J")] = 60
    idle_s: Annotated[int, bound(1, 60, "Time without a hit after which a price is any other again, in s.", "J")] = 8
    on: Annotated[float, bound(0.05, 0.999, "Least share of prices that look like it and were absorbed.", _FITTED)] = (
        0.55
    )
    resid_z: Annotated[
        float, bound(-5, 10, "Shortfall of the price since the first hit, in standard deviations, at least.", _FITTED)
    ] = -1.0  # fmt: skip
    most_ticks: Annotated[
        int, bound(0, 10, "Ticks the mid may have followed the flow since the first hit.", _FITTED)
    ] = 2
    drift_ticks: Annotated[int, bound(0, 20, "Ticks the mid may have gone against it.", _FITTED)] = 6
    share: Annotated[
        float, bound(0.1, 1, "Least share of the flow's side that traded at the price.", _FITTED)
    ] = 0.3  # fmt: skip
    hit_ratio: Annotated[float, bound(0, 50, "Least lots traded over the lots usually displayed.", _FITTED)] = 5.0
    touch_ratio: Annotated[
        float, bound(0, 50, "Least lots traded over the lots usually at the touch.", _FITTED)
    ] = 2.0  # fmt: skip
    least_hits: Annotated[
        int, bound(1, 1000, "Least hits 80 ms or more apart: one order that prints often is one.", _FITTED)
    ] = 5  # fmt: skip
    quiet_q: Annotated[float, bound(0.1, 0.95, "Share of windows with less flow that counts as quiet.", "J")] = 0.60
    zone_ticks: Annotated[int, bound(0, 20, "Half-width of a zone in ticks.", "J")] = 2
    spread_ratio: Annotated[float, bound(1, 20, "Most spread over its median.", "J")] = 2.0
    unsigned: Annotated[float, bound(0, 1, "Most share of lots without a known aggressor.", "J")] = 0.2
    hold_ms: Annotated[int, bound(0, 60_000, "Time for which all this must hold, in ms.", _FITTED)] = 600
    lapse_ms: Annotated[int, bound(0, 5000, "Interruption of it that does not count, in ms.", _FITTED)] = 1500
    wave_s: Annotated[int, bound(1, 30, "Pause after which the next hit is a second wave, in s.", "J")] = 2
    fail_ticks: Annotated[int, bound(1, 20, "Ticks beyond the price that break it.", "J")] = 2
    fail_s: Annotated[int, bound(0, 60, "Time beyond it that makes it failed, in s.", "J")] = 3
    done_s: Annotated[int, bound(1, 300, "Quiet after which it is over, in s.", "J")] = 15
    cooldown_s: Annotated[int, bound(0, 600, "Time before the same zone is told of again, in s.", "J")] = 30
    null_seed: Annotated[
        int, bound(0, 2**31 - 1, "Above 0 moves of the mid are permuted: every alert is then a false one.", "J")
    ] = 0
    volume_sigmas: Annotated[
        float, bound(0, 20, "0; else the naive rule alone: lots at a price beyond mean + so many deviations.",
                     "X: the usual volume marker")
    ] = 0.0  # fmt: skip
