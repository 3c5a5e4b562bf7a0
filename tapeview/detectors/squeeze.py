"""Squeeze, stop-run and liquidation cascade: a one-sided run with thin resistance, and what is known to feed it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import numpy as np

from feeds.events import (
    ASK,
    BID,
    CLOCK,
    F_FUNDING_RATE,
    F_HALT,
    F_LIQUIDATION,
    F_NEWS,
    FACT,
    FLOW_PRINTS,
    LIQUIDATION,
    NONE,
    OFF_LOT,
    S_AUCTION,
    S_HALTED,
    S_LIVE,
    TRADE,
)
from tapeview.alert import CLEARED, CONFIRMED, PHASES, RAISED
from tapeview.detectors import _cycle as cycle
from tapeview.detectors import _estimate as estimate
from tapeview.detectors import _fuel as fuel
from tapeview.detectors import _surge as surge
from tapeview.detectors._cycle import ACTIVE, CLEAR, CONFIRM, COOLING, NOTHING, RAISE, drop, finish, step
from tapeview.detectors._declare import A_CRYPTO, A_FUTURE, ABSORBED, Detector, Found, Thresholds, bound
from tapeview.detectors._estimate import logistic
from tapeview.detectors._fuel import funding_sigmas, known, open_interest, refuel, take_input
from tapeview.detectors._squeeze_cases import CASES
from tapeview.detectors._surge import BARS, FLOW, close_bars, look, measure, restart, take_interest, take_print
from tapeview.engine._jit import kernel, part
from tapeview.engine.frame import IS_EVENT, IS_FACT, IS_TRADE

_FITTED: Final = "B: fitted on simulator seeds 0-19"


class SqueezeThresholds(Thresholds, frozen=True, kw_only=True):
    """What makes a run, and what makes it a squeeze or a cascade."""

    window_s: Annotated[int, bound(30, 3600, "Seconds over which return and volume are measured.", _FITTED)] = 120
    history_bars: Annotated[
        int, bound(10, 720, "Thirtieths of the window, before it, from which what is usual must be known.", "J")
    ] = 75
    ret_z: Annotated[float, bound(1, 20, "Return of the window, in its standard deviations.", "J")] = 3.0
    rvol: Annotated[float, bound(1, 50, "Volume of the window over the usual.", _FITTED)] = 1.8
    buy_share: Annotated[
        float, bound(0.5, 1, "Share of aggressors' lots on the run's side in a fifth of the window.", _FITTED)
    ] = 0.6
    flow_z: Annotated[float, bound(0.5, 20, "Their net lots, in standard deviations.", "J")] = 2.0
    vacuum: Annotated[
        float, bound(0.05, 0.99, "Share of the usual depth ahead of the run that is gone, of `depth_ticks`.", _FITTED)
    ] = 0.33
    sweeps_z: Annotated[
        float, bound(0.5, 20, "Orders through several prices in a fifth of the window, in standard deviations.", "J")
    ] = 2.0
    sweep_levels: Annotated[int, bound(2, 20, "Prices at which such an order trades at least.", "J")] = 2
    signs: Annotated[int, bound(1, 6, "How many of the six signs must be there, the return among them.", "J")] = 4
    on: Annotated[float, bound(0.1, 0.999, "Score that confirms.", "J")] = 0.8
    hold_s: Annotated[int, bound(0, 300, "Seconds for which the score must hold.", "J")] = 10
    off: Annotated[float, bound(0.01, 0.99, "Score below which a run fades.", "J")] = 0.4
    off_s: Annotated[int, bound(1, 3600, "Seconds of a low score after which it is over.", "J")] = 120
    cooldown_min: Annotated[int, bound(0, 240, "Minutes before the next run of that side.", _FITTED)] = 10
    turn_z: Annotated[float, bound(0.5, 20, "Net lots against a run that end it, in deviations.", "J")] = 1.5
    turn_rvol: Annotated[float, bound(1, 100, "Volume over the usual at which they do.", "J")] = 5.0
    quiet_min: Annotated[int, bound(1, 240, "Minutes without a new extreme that end a run.", "J")] = 10
    fuel_on: Annotated[float, bound(1, 100, "Fuel from which a run up is a squeeze.", "J")] = 60.0
    fuel_sure: Annotated[float, bound(0, 1, "Least part of the fuel's inputs known, faded by age.", "J")] = 0.15
    fuel_days: Annotated[float, bound(1, 365, "Days in which an input's part fades to an e-th.", "J")] = 30.0
    share_none: Annotated[float, bound(0, 1, "Short interest over free float that is no fuel.", "J")] = 0.10
    share_half: Annotated[float, bound(0, 1, "The same at half.", "J")] = 0.20
    share_full: Annotated[float, bound(0, 3, "The same at full.", "J")] = 0.40
    share_weight: Annotated[float, bound(0, 1, "Weight of the short interest.", "J")] = 0.30
    cover_none: Annotated[float, bound(0, 100, "Days to cover that are no fuel.", "J")] = 3.0
    cover_half: Annotated[float, bound(0, 100, "The same at half.", "X: vendors' rule of thumb")] = 5.0
    cover_full: Annotated[float, bound(0, 100, "The same at full.", "J")] = 10.0
    cover_weight: Annotated[float, bound(0, 1, "Weight of the days to cover.", "J")] = 0.20
    used_none: Annotated[float, bound(0, 1, "Share of the lendable supply in use that is no fuel.", "J")] = 0.70
    used_half: Annotated[float, bound(0, 1, "The same at half.", "J")] = 0.90
    used_full: Annotated[float, bound(0, 1, "The same at full.", "J")] = 1.0
    used_weight: Annotated[float, bound(0, 1, "Weight of the utilisation.", "J")] = 0.20
    fee_none: Annotated[float, bound(0, 10, "Borrow fee a year that is no fuel.", "J")] = 0.01
    fee_half: Annotated[float, bound(0, 10, "The same at half; only a rising fee counts for more.", "J")] = 0.10
    fee_full: Annotated[float, bound(0, 10, "The same at full.", "J")] = 0.50
    fee_weight: Annotated[float, bound(0, 1, "Weight of the borrow fee.", "J")] = 0.20
    oi_drop: Annotated[float, bound(0.0005, 0.5, "Share of the open interest closed in the window.", "J")] = 0.01
    cascade_z: Annotated[float, bound(0.5, 20, "Return of the window in a cascade, in deviations.", "J")] = 2.0
    cascade_cooldown_min: Annotated[
        float, bound(0, 240, "Minutes before the next cascade of that side; none after a mere stop-run.", _FITTED)
    ] = 3.0
    liq_q: Annotated[float, bound(0.5, 0.9999, "Share of times with fewer lots closed by force.", "J")] = 0.99
    naive: Annotated[int, bound(0, 1, "1 asks for nothing but the return: the rule to compare with.", "J")] = 0


SQUEEZE, STOP_RUN, CASCADE = range(3)
FADED, TURNED, QUIET, ABSORBED_THERE = range(1, 5)
_SECOND_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _SECOND_NS
_JOIN_NS: Final = 1_000_000
_FUNDING: Final = surge.MEANS
_LOST_NS: Final = 60 * _SECOND_NS
_HIGH_NS: Final = 180 * _SECOND_NS
_ALMOST: Final = 1e-6
_NEAR_TICKS: Final = 2

MEMORY: Final = np.dtype(
    [
        *cycle.fields(2),
        *estimate.fields(means=surge.MEANS + 1, sizes=surge.SIZES),
        *surge.fields(),
        *fuel.fields(),
        ("s_method", "i8", (2,)), ("s_since_ns", "i8", (2,)), ("s_from", "i8", (2,)), ("s_seq", "i8", (2,)),
        ("s_again_ns", "i8", (2,)),
        ("now_ns", "i8"), ("dead_ns", "i8"), ("halted", "i8"), ("stopped", "i8"), ("second", "i8"),
        ("counted_ns", "i8"), ("score", "f8"), ("value", "f8"), ("method", "i8"), ("grade", "i8"),
    ]
)  # fmt: skip


@part
def clipped(value: float, threshold: float) -> float:
    """A sign's part of the score: its size over its threshold, 0 to 1.5."""
    return min(1.5, max(0.0, value / threshold))


@part
def of_signs(total: float, there: int, needed: int, on: float) -> float:
    """The score of six signs; short of confirming while too few are there."""
    score = logistic(1.2 * total - 4.0)
    return score if there >= needed else min(score, on - _ALMOST)


@part
def judge(m: Any, limit: Any, context: Any, side: int) -> None:
    """Score a run of a side as it stands, and say what it is."""
    moved = clipped(m.x_return, limit.ret_z)
    traded = clipped(m.x_volume, limit.rvol)
    pushed = min(clipped(m.x_share, limit.buy_share), clipped(m.x_flow, limit.flow_z))
    thinned = clipped(m.x_lost, limit.vacuum)
    swept = clipped(m.x_sweeps, limit.sweeps_z)
    there = int(moved >= 1.0) + int(traded >= 1.0) + int(m.x_new >= 1.0)
    common = int(pushed >= 1.0) + int(thinned >= 1.0) + int(swept >= 1.0)
    m.method = STOP_RUN
    total = moved + traded + pushed + thinned + swept + m.x_new
    m.score = of_signs(total, there + common if moved >= 1.0 else 0, limit.signs, limit.on)
    if context.asset == A_CRYPTO:
        known = 5
        closed = 0.0
        if m.interest > 0 and m.r_interest[(m.bar - BARS) % surge.RING] > 0:
            known = 6
            closed = clipped(m.x_interest, limit.oi_drop)
        run = clipped(m.x_return, limit.cascade_z)
        forced = clipped(m.x_forced, 1.0)
        proof = closed if known == 6 else forced
        there = int(closed >= 1.0) + int(run >= 1.0) + int(forced >= 1.0) + common
        if proof >= 1.0 and run >= 1.0:
            total = closed + run + forced + pushed + thinned + swept
            score = of_signs(total * 6.0 / known, there, min(limit.signs, known), limit.on)
            if score >= min(m.score, limit.on):
                m.method = CASCADE
                m.score = score
    elif context.asset != A_FUTURE and side > 0 and m.fuel >= limit.fuel_on and m.fuel_sure >= limit.fuel_sure:
        m.method = SQUEEZE
    m.value = m.score
    if limit.naive != 0:
        m.value = 1.0 if m.x_return >= limit.ret_z else 0.0
        m.score = max(0.0, m.x_return)


@part
def grade_of(m: Any, limit: Any, k: int) -> int:
    """1 as it begins; 2 once it runs: a new extreme since, at most three minutes old, and flow with it; 3 far on."""
    reached = m.high_at if k == 0 else m.low_at
    new = reached > m.s_since_ns[k] and m.live_ns - reached <= _HIGH_NS
    if m.c_phase[k] != ACTIVE or not new or m.x_share < 0.55 or m.value < limit.on:
        return 1
    return 3 if m.x_return >= 2.0 * limit.ret_z else 2


@part
def absorbed(m: Any, b: Any, k: int, seq: int) -> bool:
    """Say whether the board tells, at a row, of absorption ahead of the run that began after it, at its extreme."""
    extreme = m.high if k == 0 else m.low
    for n in range(max(0, b.a_stories - ABSORBED), b.a_stories):
        at = n % ABSORBED
        ahead = b.a_side[at] == 2 * k - 1 and abs(b.a_tick[at] - extreme) <= _NEAR_TICKS
        if ahead and b.a_from_seq[at] > m.s_seq[k] and b.a_from_seq[at] <= seq and seq < b.a_to_seq[at]:
            return True
    return False


@part
def ending(m: Any, limit: Any, b: Any, k: int, seq: int) -> int:
    """Why an active run is over, 0 where it goes on."""
    if absorbed(m, b, k, seq):
        return ABSORBED_THERE
    if m.x_flow <= -limit.turn_z and m.x_volume > limit.turn_rvol:
        return TURNED
    reached = max(m.high_at if k == 0 else m.low_at, m.s_since_ns[k])
    return QUIET if m.live_ns - reached > limit.quiet_min * _MINUTE_NS else 0


@part
def again(m: Any, limit: Any, k: int) -> int:
    """When, of the live time, a cascade of a side whose run is over may be told of."""
    return m.live_ns + int(limit.cascade_cooldown_min * _MINUTE_NS) if m.s_method[k] == CASCADE else m.live_ns


@part
def cool_for_cascades(m: Any, limit: Any, k: int) -> None:
    """While a side is silent after a run, let nothing but a cascade be told of it."""
    if m.c_phase[k] == COOLING:
        if m.method == CASCADE and m.value >= limit.on and m.live_ns >= m.s_again_ns[k]:
            drop(m, k)
    elif m.method != CASCADE and m.live_ns < m.c_cool_ns[k]:
        m.c_phase[k] = COOLING


@part
def tell(
    m: Any, alert: Any, row: Any, i: int, exch_ns: int, k: int, context: Any, phase: int, reason: int
) -> None:  # fmt: skip
    """Write one step of a run's life."""
    side = 1 - 2 * k
    alert.seq, alert.recv_ns, alert.exch_ns, alert.row = row.seq, row.recv_ns, exch_ns, i
    alert.key, alert.phase, alert.reason, alert.method = m.c_key[k], phase, reason, m.s_method[k]
    alert.side = BID if k == 0 else ASK
    alert.tick = row.bid if k == 0 else row.ask
    alert.tick_to = m.s_from[k]
    alert.lots = m.volume - m.r_volume[(m.bar - BARS) % surge.RING]
    alert.grade = m.c_grade[k]
    alert.score = m.score
    alert.v0, alert.v1, alert.v2, alert.v3 = known(m.fuel), m.fuel_sure, known(m.short_share), known(m.cover_days)
    alert.v4 = known(m.fee)
    alert.v5 = math.nan if m.fuel_as_of == NONE else m.fuel_as_of // _SECOND_NS
    alert.v6, alert.v7, alert.v8, alert.v9 = side * m.x_return, m.x_volume, m.x_share, m.x_lost
    alert.v10, alert.v11 = float(m.swept), m.x_new
    alert.v12 = -m.x_interest
    alert.v13 = m.f_value[F_FUNDING_RATE] * 1e-9
    alert.v14 = funding_sigmas(m, _FUNDING)
    alert.v15 = m.forced * context.lot_size * row.bid * context.tick_size


@part
def take_fact(m: Any, row: Any, which: int, ref: int) -> None:
    """Take a slow input, a position closed by force, a halt or news."""
    if which == F_LIQUIDATION:
        if row.marks & OFF_LOT == 0 and row.lots > 0:
            if row.side > 0:
                m.forced_buys += row.lots
            elif row.side < 0:
                m.forced_sells += row.lots
    elif which == F_HALT:
        m.stopped = row.lots
    elif which != F_NEWS and row.marks & OFF_LOT == 0:
        take_input(m, _FUNDING, which, row.lots, ref, row.recv_ns)


@part
def go_on(m: Any, row: Any, bar_ns: int) -> bool:
    """Keep the clock of a CLOCK row's book: say whether it is live, so that runs may be judged."""
    now = row.recv_ns
    live = row.state == S_LIVE and row.warm != 0 and m.stopped == 0 and NONE not in (row.bid, row.ask)
    if not live:
        if m.dead_ns == 0:
            m.dead_ns = now
        if row.state in (S_HALTED, S_AUCTION) or m.stopped != 0:
            m.halted = 1
        m.bar_whole = 0
        m.counted_ns = 0
        return False
    look(m, row)
    if m.begun == 0 or m.halted != 0 or (m.dead_ns != 0 and now - m.dead_ns > _LOST_NS):
        restart(m, now, bar_ns)
    m.dead_ns = 0
    m.halted = 0
    if m.counted_ns != 0:
        m.live_ns += now - m.counted_ns
    m.counted_ns = now
    return True


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Measure at every second of a live book, and tell of runs up and down as they begin, grow and end."""
    m, limit, about, b = memory[0], limits[0], context[0], board[0]
    bar_ns = limit.window_s * _SECOND_NS // BARS
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        if row.kind == TRADE:
            if (FLOW_PRINTS >> row.print) & 1 != 0:
                take_print(m, row, events[i].exch_ns, _JOIN_NS, limit.sweep_levels)
                if row.print == LIQUIDATION:
                    m.forced_buys += row.lots if row.side > 0 else 0
                    m.forced_sells += row.lots if row.side < 0 else 0
            continue
        if row.kind == FACT:
            take_fact(m, row, events[i].aux, events[i].ref)
            continue
        if row.kind != CLOCK or not go_on(m, row, bar_ns):
            continue
        take_interest(m, open_interest(m, row.recv_ns))
        if close_bars(m, row.recv_ns, bar_ns):
            refuel(m, limit, row.recv_ns)
        second = row.recv_ns // _SECOND_NS
        if second == m.second:
            continue
        m.second = second
        if m.e_n[0] < limit.history_bars:
            continue
        for k in range(2):
            side = 1 - 2 * k
            measure(m, side, FLOW * bar_ns, limit.liq_q)
            judge(m, limit, about, side)
            active = m.c_phase[k] == ACTIVE
            if active and m.s_method[k] != STOP_RUN:
                m.method = m.s_method[k]
            if not active and limit.naive == 0:
                cool_for_cascades(m, limit, k)
            done = step(
                m, k, m.live_ns, m.value, 0.5, limit.on, limit.off, limit.hold_s * _SECOND_NS,
                limit.off_s * _SECOND_NS, limit.cooldown_min * _MINUTE_NS, grade_of(m, limit, k),
            )  # fmt: skip
            phase = CONFIRMED
            reason = 0
            if done == CONFIRM:
                m.s_since_ns[k] = m.live_ns
                m.s_seq[k] = row.seq
                m.s_method[k] = m.method
                m.s_from[k] = m.r_mid[(m.bar - BARS) % surge.RING] // 2
            elif done == CLEAR:
                phase, reason = CLEARED, FADED
                m.s_again_ns[k] = again(m, limit, k)
            elif done == RAISE:
                phase = RAISED
                m.s_method[k] = m.method
            elif active:
                reason = ending(m, limit, b, k, row.seq)
                if reason != 0:
                    phase = CLEARED
                    finish(m, k, m.live_ns, limit.cooldown_min * _MINUTE_NS)
                    m.s_again_ns[k] = again(m, limit, k)
                elif m.method != m.s_method[k] and m.value >= limit.on:
                    phase = RAISED
                    m.s_method[k] = m.method
            if done != NOTHING or phase != CONFIRMED:
                tell(m, out[n], row, i, events[i].exch_ns, k, about, phase, reason)
                n += 1
    return n


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ROOM: Final = 78
REASONS: Final = ("", "faded", "flow has turned", "no new extreme", "absorbed at the extreme")


def words(found: Found) -> str:
    """Say what runs, how far, and what feeds it, as much as fits; the date of the inputs always."""
    seen = found.evidence
    up = found.side > 0
    phase = PHASES.index(found.phase)
    if found.method == "squeeze":
        name = ("SQUEEZE IGNITING", "SQUEEZE RUNNING", "SQUEEZE EXHAUSTED")[phase]
    else:
        which = ("UPSIDE STOP-RUN", "DOWNSIDE STOP-RUN")
        if found.method == "cascade":
            which = ("SHORT LIQUIDATION CASCADE", "LONG LIQUIDATION CASCADE")
        name = which[0 if up else 1] + ("", " goes on", " over")[phase]
    line = f"{name} {found.name[:12]} {found.price(found.tick)}"
    if found.phase == "cleared":
        return f"{line} · {found.reason}"
    if found.method == "squeeze":
        fuels = (f"{line} · fuel {seen['fuel']:.0f} ({_inputs(seen, most)})" for most in (2, 1, 0))
        line = next((said for said in fuels if len(said) <= _ROOM), line)
    for piece in _pieces(found.method, seen, up):
        if len(line) + 3 + len(piece) <= _ROOM:
            line += f" · {piece}"
    return line


def _pieces(method: str, seen: dict[str, float], up: bool) -> list[str]:
    out = []
    if method == "cascade":
        if seen["interest"]:
            out.append(f"OI {_signed(100 * seen['interest'], 1)}%")
        out.append(f"{_signed(seen['return'], 1)}σ")
        if seen["forced"]:
            out.append(f"≥{_short(seen['forced'])} closed by force")
        if seen["funding"]:
            z = f" (z {_signed(seen['funding_z'], 1)})" if seen["funding_z"] else ""
            out.append(f"funding {_signed(100 * seen['funding'], 3)}%{z}")
    else:
        out.append(f"{_signed(seen['return'], 1)}σ")
    out.append(f"RVOL* {seen['rvol']:.1f}")
    if seen["depth_lost"] >= 0.005:
        out.append(f"{'asks' if up else 'bids'} −{100 * seen['depth_lost']:.0f}%")
    out.append(f"{seen['sweeps']:.0f} sweeps")
    return out


def _inputs(seen: dict[str, float], most: int) -> str:
    out = [f"SI {100 * seen['short_share']:.0f}%"] if seen["short_share"] >= 0 else []
    out += [f"DTC {seen['cover_days']:.1f}"] if seen["cover_days"] >= 0 else []
    out += [f"fee {100 * seen['fee']:.0f}%"] if seen["fee"] >= 0 else []
    day = datetime.fromtimestamp(seen["as_of"], UTC)
    return ", ".join([*out[:most], f"{day.day}-{_MONTHS[day.month - 1]}"])


def _signed(value: float, decimals: int) -> str:
    return f"{value:+.{decimals}f}".replace("-", "−")


def _short(value: float) -> str:
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.1f}{name}"
    return f"{value:.0f}"


DETECTOR = Detector(
    title="Squeeze and liquidation cascade",
    rule=(
        "Six signs of a run to one side: return of `window_s`, relative volume, aggressors' share and net lots, depth "
        "ahead of it gone while the other side stands, orders through several prices, a new extreme of the session. "
        "Score 1 / (1 + e^(4 - 1.2 x sum of sign/threshold, at most 1.5 each)); told when it is at least `on` with "
        "`signs` signs, the return among them, for `hold_s`. Up with fuel it is a squeeze, without, and "
        "always in a future, a stop-run. Fuel "
        "is 0 to 100 from short interest over float, days to cover, utilisation and borrow fee, each as of its date; "
        "what is missing drops out. In crypto a loss of open interest while the price goes that way, or forced "
        "orders where open interest is unknown, makes it a liquidation cascade. Fuel alone never alerts. Depth is that "
        "within `depth_ticks` of the touch; volume is compared with today's (RVOL*)."
    ),
    thresholds=SqueezeThresholds,
    memory=MEMORY,
    reads=IS_TRADE | IS_EVENT | IS_FACT,
    kernel=watch,
    words=words,
    methods=("squeeze", "stop_run", "cascade"),
    reasons=REASONS,
    evidence=(
        "fuel", "fuel_sure", "short_share", "cover_days", "fee", "as_of", "return", "rvol", "share", "depth_lost",
        "sweeps", "new_extreme", "interest", "funding", "funding_z", "forced",
    ),
    knob="on",
    after=("absorption",),
    baselines={"return-3s": {"naive": 1, "hold_s": 0, "window_s": 300}},
    cases=CASES,
)  # fmt: skip
