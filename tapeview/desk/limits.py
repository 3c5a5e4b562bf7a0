"""Every limit and habit of the desk in one place: bounds, a sentence, and where the default comes from."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta


def _bound(least: float, most: float, description: str, source: str) -> Any:
    return Meta(ge=least, le=most, description=description, extra_json_schema={"source": source})


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be risked, when to stop, and when to rest; numbers only.

    Sources: P a paper, X an exchange, regulator or vendor, S given by the users' guide, J judgement.
    """

    order_lots: Annotated[int, _bound(1, 1_000_000_000, "Most lots in one order.", "J")] = 10
    position_lots: Annotated[int, _bound(1, 1_000_000_000, "Most lots held at a time.", "J")] = 20
    orders_minute: Annotated[int, _bound(1, 600, "Most orders in a minute.", "J")] = 20
    away_ticks: Annotated[int, _bound(1, 1_000_000, "Greatest distance of an order from the touch.", "J")] = 500
    through_ticks: Annotated[int, _bound(0, 1_000_000, "Ticks that a limit may reach through the touch.", "J")] = 10
    iceberg_guard: Annotated[
        int, _bound(0, 2, "Trading into an active iceberg: 0 allowed, 1 warned of, 2 refused.", "S")
    ] = 1
    iceberg_ticks: Annotated[int, _bound(0, 100, "How far ahead an iceberg counts, in ticks.", "J")] = 2
    latency_ms: Annotated[int, _bound(0, 5_000, "Delay of paper orders on their way, in ms.", "J")] = 50
    protect_ticks: Annotated[
        int, _bound(0, 10_000, "Range of a stop with protection, in ticks; 0: a stop at market.", "X: CME")
    ] = 0
    trade_risk: Annotated[
        float, _bound(0.0001, 0.05, "Share of the account one trade may lose at its stop.", "J: user cap")
    ] = 0.01
    kelly_part: Annotated[
        float, _bound(0.01, 1, "Part of the Kelly share that is suggested.", "J: estimates are never certain")
    ] = 0.25
    kelly_cap: Annotated[float, _bound(0.0001, 0.05, "Most of the account that Kelly may suggest.", "J")] = 0.01
    cost_red: Annotated[float, _bound(0.01, 1, "Share of R above which costs are shown as too high.", "J")] = 0.10
    daily_loss: Annotated[
        float, _bound(0.001, 0.05, "Share of the equity at the session's roll at which the desk locks.", "S")
    ] = 0.02
    daily_warn_1: Annotated[float, _bound(0.1, 1, "Share of the daily loss at which it warns.", "J")] = 0.5
    daily_warn_2: Annotated[float, _bound(0.1, 1, "Share of it at which it warns again.", "J")] = 0.75
    daily_warn_3: Annotated[
        float,
        _bound(0.1, 1, "Share of it at which it warns a third time; 1 for none, others use 0.9.", "X: a vendor's rule"),
    ] = 1.0
    add_after_r: Annotated[float, _bound(0, 5, "R in favour before a plan may add.", "J")] = 0.5
    out_near: Annotated[float, _bound(0.1, 1, "Share of the way to the target at which a part goes out.", "S")] = 0.8
    out_part: Annotated[float, _bound(0.1, 1, "Part of the position that goes out there.", "S: half")] = 0.5
    adv_warn: Annotated[float, _bound(0.0001, 1, "Share of the average daily volume that is warned of.", "S")] = 0.01
    adv_most: Annotated[float, _bound(0.0001, 1, "Share of it that is refused.", "S")] = 0.02
    adv_days: Annotated[int, _bound(5, 250, "Complete days the average is taken of.", "S")] = 20
    adv_least_days: Annotated[int, _bound(1, 250, "Days below which history is insufficient.", "J")] = 10
    adv_part: Annotated[
        float, _bound(0.01, 1, "Share of what trades that an exit may be; of 30 minutes, where history lacks.", "J")
    ] = 0.10
    impact_low: Annotated[float, _bound(0.1, 5, "Least factor of the square-root law of impact.", "P: TSE survey")] = (
        0.5
    )
    impact_high: Annotated[float, _bound(0.1, 5, "Greatest factor of it.", "P: TSE survey")] = 1.0
    note_days: Annotated[int, _bound(0, 365, "Days before a dated note within which entries are warned.", "J")] = 5
    naked_s: Annotated[float, _bound(1, 60, "Time a position may be without a resting stop, in s.", "J")] = 5.0
    naked_repeat_s: Annotated[float, _bound(5, 600, "Time after which that alarm repeats, in s.", "J")] = 30.0
    unknown_s: Annotated[
        float, _bound(1, 60, "Silence of the feed after which the state of stops is unknown, in s.", "J")
    ] = 3.0
    trail_ticks: Annotated[int, _bound(1, 10_000, "Least distance of a trailing stop, in ticks.", "J")] = 4
    trail_k: Annotated[
        float, _bound(0, 20, "Average ranges of a minute that it keeps away; the chandelier has 3.", "J")
    ] = 2.5
    trail_minutes: Annotated[int, _bound(2, 60, "Minutes of the average range.", "J: Wilder's 14")] = 14
    trail_arm_r: Annotated[float, _bound(0, 10, "R in favour before it trails.", "J")] = 1.0
    trail_step_ms: Annotated[int, _bound(0, 60_000, "Least time between suggested amends, in ms.", "J")] = 250
    corr_sample_s: Annotated[
        int, _bound(30, 600, "Length of the returns that are compared, in s; shorter ones bias to 0.", "P: Epps 1979")
    ] = 60
    corr_fast_min: Annotated[int, _bound(10, 600, "Half-life of the fast estimate, in min.", "J")] = 60
    corr_slow: Annotated[float, _bound(0.5, 0.999, "Daily memory of the slow estimate.", "P: RiskMetrics")] = 0.94
    corr_prior: Annotated[float, _bound(0, 0.95, "Correlation assumed before there are data.", "J")] = 0.5
    corr_prior_n: Annotated[float, _bound(0, 500, "Samples that assumption counts as.", "J")] = 30.0
    corr_least_min: Annotated[
        int, _bound(10, 240, "Data an extreme state needs, in min.", "J: fewer flag pairs of .5 now and then")
    ] = 30
    corr_enter: Annotated[float, _bound(0.5, 0.99, "Correlation at which a pair is extreme.", "J")] = 0.80
    corr_low: Annotated[float, _bound(0, 0.95, "Least lower end of its interval then.", "J")] = 0.60
    corr_leave: Annotated[float, _bound(0.1, 0.95, "Correlation below which it no longer is.", "J")] = 0.70
    corr_stress: Annotated[float, _bound(0, 0.5, "Added to the correlation of an extreme pair.", "J")] = 0.15
    corr_most: Annotated[float, _bound(0.9, 0.999, "Greatest correlation that is reckoned with.", "J")] = 0.99
    corr_hedge: Annotated[
        float, _bound(0, 0.9, "Greatest correlation by which an opposite position is taken to hedge.", "J")
    ] = 0.5
    work_min: Annotated[int, _bound(15, 480, "Work before a break, in min.", "S: two hours")] = 120
    break_min: Annotated[int, _bound(1, 240, "Least length of the break, in min.", "S")] = 20
    nudge_min: Annotated[int, _bound(5, 480, "Work between hints to look up, in min.", "J")] = 45
    grace_min: Annotated[int, _bound(0, 60, "Grace with a position open, in min.", "J")] = 10
    idle_min: Annotated[int, _bound(1, 120, "Time without a key after which the timer pauses, in min.", "J")] = 10
    cooldown_min: Annotated[int, _bound(0, 240, "Pause after a loss, in min.", "X: a vendor's cooldown rule")] = 10
    cooldown_trades: Annotated[
        int, _bound(0, 20, "Trades of reduced size after that pause.", "X: a vendor's cooldown rule")
    ] = 2
    cooldown_size: Annotated[
        float, _bound(0.1, 1, "Size of those trades, of the usual.", "X: a vendor's cooldown rule")
    ] = 0.5
    losses_stop: Annotated[
        int, _bound(1, 20, "Losses in a row after which the session is over.", "X: a vendor's loss rule")
    ] = 3


DEFAULTS: Final = Limits()
