"""The iceberg detector's thresholds."""

from __future__ import annotations

from typing import Annotated

from tapeview.detectors._declare import Thresholds, bound


class IcebergThresholds(Thresholds, frozen=True, kw_only=True):
    """What makes a price that trades worth a line."""

    native_ms: Annotated[
        int,
        bound(
            0,
            1000,
            "Longest time from a fill to the refill of the same order, in ms.",
            "M: refills come in the same match event",
        ),
    ] = 1
    km_min_completed: Annotated[
        int, bound(10, 200, "Completed icebergs of a peak known before any guess at what is left.", "J")
    ] = 30
    events: Annotated[int, bound(1, 5, "Match events with lots left over that make an iceberg.", "M: one ES hour")] = 2
    window_s: Annotated[int, bound(1, 3600, "Longest pause between those, in s.", "M: one ES hour")] = 120
    min_prints: Annotated[int, bound(1, 100_000, "Prints known before one match event alone may suffice.", "J")] = 100
    count_hidden: Annotated[
        int,
        bound(
            0, 1, "1 where prints the venue calls hidden, at a price that displays lots, count as lots left over.", "J"
        ),
    ] = 1
    p1: Annotated[
        float,
        bound(
            0.5,
            0.99,
            "Share of tranches that are followed by another, as far as it can be seen.",
            "B: simulated futures, seeds 0-11",
        ),
    ] = 0.7
    similar: Annotated[
        float,
        bound(
            0.0,
            0.5,
            "How far a tranche's size may lie from the mean of a long chain, half as far again from a first one.",
            "B: simulated futures, seeds 0-11 and 1000-1011",
        ),
    ] = 0.2
    k_min: Annotated[
        int,
        bound(
            2,
            20,
            "Tranches a chain must have, one more where sizes vary.",
            "B: simulated futures, seeds 0-11",
        ),
    ] = 3
    min_ended: Annotated[
        int,
        bound(
            0,
            10_000,
            "Orders executed in full before a chain is told: until then chance is not known.",
            "B: simulated futures, seeds 0-11",
        ),
    ] = 300
    synthetic_score: Annotated[
        float,
        bound(
            3.0,
            24.0,
            "Score at which a chain of tranches of one size is told.",
            "B: simulated futures, seeds 0-11 and 1000-1011",
        ),
    ] = 6.2
    similar_score: Annotated[
        float,
        bound(
            3.0,
            40.0,
            "The same for tranches that are only similar in size.",
            "B: simulated futures, seeds 0-11 and 1000-1011",
        ),
    ] = 7.4
    synthetic_off: Annotated[
        float, bound(0.0, 24.0, "Score from which a later chain counts for a running story.", "J")
    ] = 2.0
    pair_ticks: Annotated[
        int, bound(0, 100, "Ticks within which the other side must show less than half as much.", "J")
    ] = 4
    async_score: Annotated[
        float, bound(2.0, 12.0, "Score at which episodes are told.", "B: simulated futures, seeds 0-11")
    ] = 3.6
    async_drift: Annotated[
        float,
        bound(0.0, 1.0, "Taken off the score with each episode.", "B: simulated futures, seeds 0-11"),
    ] = 0.16
    async_off: Annotated[float, bound(0.0, 12.0, "Score below which a replenishing price is over.", "J")] = 1.0
    min_episodes: Annotated[int, bound(1, 100, "Episodes of a price before it is told.", "M: section 3.4")] = 4
    min_known: Annotated[int, bound(1, 10_000, "Episodes of any price known before one is judged.", "J")] = 100
    half_life: Annotated[
        float, bound(10.0, 10_000.0, "Episodes after which half of what is usual is forgotten.", "M: section 3.4")
    ] = 100.0
    same_orders: Annotated[
        float, bound(0.0, 5.0, "Added where a level came back with no more orders than before.", "J")
    ] = 0.7
    more_orders: Annotated[float, bound(0.0, 5.0, "Taken where it came back with at least two orders more.", "J")] = 1.0
    hold_ms: Annotated[
        int,
        bound(
            50,
            1000,
            "Longest wait of a print for its depth, in ms; 2.5 updates where longer.",
            "M: lags of 35 to 99 ms",
        ),
    ] = 150
    late_ms: Annotated[
        int, bound(0, 1000, "Wait for prints that come after their depth, in ms.", "M: 1.4 to 4.1 % of prints do")
    ] = 60
    idle_clear_s: Annotated[
        int, bound(5, 3600, "Time without a trade after which tranches and episodes are over, in s.", "J")
    ] = 60
    stale_s: Annotated[int, bound(5, 3600, "The same of hidden lots by accounting, in s.", "J")] = 120
    dup_s: Annotated[
        int, bound(0, 3600, "Time during which a price that was cleared is not told again, in s.", "J")
    ] = 120
    chain_dup_s: Annotated[
        int, bound(0, 3600, "The same where tranches were told.", "B: simulated futures, seeds 0-11")
    ] = 180
    gone_ms: Annotated[
        int, bound(100, 60_000, "Time without a refill after which a level traded through was eaten, in ms.", "J")
    ] = 1000
    rule: Annotated[
        int, bound(0, 2, "0 for the detector; 1 and 2 for the naive rules it is measured against.", "J")
    ] = 0
    null_seed: Annotated[
        int, bound(0, 2**31 - 1, "Above 0 the evidence is permuted: every alert is then a false one.", "J")
    ] = 0
