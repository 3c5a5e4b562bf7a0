"""Absorption: much is bought or sold at one price, and the market moves far less than so much usually moves it."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from feeds.events import CLOCK, FLOW_PRINTS, NONE, S_LIVE, TRADE
from tapeview.alert import CLEARED, CONFIRMED, RAISED
from tapeview.detectors import _absorption_level as level
from tapeview.detectors import _cycle as cycle
from tapeview.detectors import _estimate as estimate
from tapeview.detectors import _null as null
from tapeview.detectors._absorption_cases import CASES, words
from tapeview.detectors._absorption_level import find_price, forget_prices, hit, learn_usual, lots_within, measure
from tapeview.detectors._absorption_thresholds import AbsorptionThresholds
from tapeview.detectors._absorption_weights import BIAS, BIAS_C, WEIGHTS, WEIGHTS_C
from tapeview.detectors._cycle import ACTIVE, ARMED, COOLING, IDLE, drop, finish
from tapeview.detectors._declare import ABSORBED, Detector
from tapeview.detectors._estimate import (
    STEP_NS,
    logistic,
    mean_add,
    sigmas,
    size_add,
    size_quantile,
    size_share,
    slide_add,
    slide_to,
)
from tapeview.detectors._null import borrowed
from tapeview.engine._jit import kernel, part
from tapeview.engine.frame import IS_EVENT, IS_TRADE

HELD, WAVES, VOLUME = range(3)
FAILED, DONE, RESYNC = range(3)
FOREVER: Final = 2**62
MIDS: Final = 1024
"""Mids kept, one a step; more than the longest window has."""
_FLOWS, _SPREADS = range(2)
_UNCLIPPED: Final = 60
_CLIP: Final = 3.0
"""Residuals beyond so many deviations are learnt as that many, once so many windows are known: what is looked for
must not become the usual while it happens."""
_SINCE_NS: Final = 5_000_000_000
"""A price is judged as long as its last hit is no further back."""
CONFLATED: Final = 2
"""The first tier whose levels come together every so often."""
_SECOND: Final = 1_000_000_000
_MS: Final = 1_000_000

MEMORY: Final = np.dtype(
    [
        *cycle.fields(2),
        *estimate.fields(windows=3, means=1, sizes=2),
        *null.move_fields(),
        *level.fields(),
        ("mids", "i8", (MIDS,)),
        *((name, "i8") for name in (
            "mid_step", "mid_from", "epoch", "learnt", "quiet", "spread", "sane", "wide", "conflated",
        )),
        ("b_ff", "f8"), ("b_fd", "f8"), ("b_dd", "f8"), ("b_n", "i8"), ("slope", "f8"), ("sigma", "f8"),
        *((name, "i8", (2,)) for name in (
            "a_tick", "a_since_ns", "a_good_ns", "a_hit_ns", "a_first_ns", "a_lots", "a_was", "a_waves", "a_beyond_ns",
            "a_quiet_ns", "a_story", "s_tick", "s_lots",
        )),
        *((name, "f8", (2,)) for name in ("a_want", "a_got", "a_z", "a_share", "a_score")),
    ]
)  # fmt: skip


# -- what is remembered ---------------------------------------------------------------------------


@part
def forget(m: Any, epoch: int) -> None:
    """Drop what was known of single prices, and the mids."""
    m.epoch = epoch
    forget_prices(m)
    m.s_lots[0] = m.s_lots[1] = 0
    m.sane = 0
    for k in range(2):
        if m.c_phase[k] != ACTIVE:
            drop(m, k)


@part
def keep_mid(m: Any, step: int, mid2: int) -> None:
    """Note the mid of a step, and of those passed over since the last."""
    if m.sane == 0 or step - m.mid_step >= MIDS:
        m.sane = 1
        m.mid_from = step
        m.mid_step = step - 1
    while m.mid_step < step:
        m.mid_step += 1
        m.mids[m.mid_step % MIDS] = mid2


@part
def learn(m: Any, limit: Any, flow: int, moved2: int, spread: int, touch_lots: float) -> None:
    """Once a second: what flow is usual, what it usually moves, and how wide the market is."""
    m.learnt += 1
    learn_usual(m, touch_lots, flow, limit.window_s)
    size_add(m, _SPREADS, max(spread, 0))
    m.spread = size_quantile(m, _SPREADS, 0.5)
    size_add(m, _FLOWS, abs(flow))
    m.quiet = size_quantile(m, _FLOWS, limit.quiet_q)
    if m.c_phase[0] == ACTIVE or m.c_phase[1] == ACTIVE:
        return
    # Windows overlap, one a second: a window's weight is spread over its seconds.
    m.b_n += 1
    weight = 1.0 - 0.5 ** (1.0 / (limit.half_life * limit.window_s))
    if m.b_n * weight < 1.0:
        weight = 1.0 / m.b_n
    f, d = float(flow), 0.5 * moved2
    if m.b_n > _UNCLIPPED and m.sigma > 0.0:
        usual = m.slope * f
        d = min(max(d, usual - _CLIP * m.sigma), usual + _CLIP * m.sigma)
    m.b_ff += weight * (f * f - m.b_ff)
    m.b_fd += weight * (f * d - m.b_fd)
    m.b_dd += weight * (d * d - m.b_dd)
    m.slope = m.b_fd / m.b_ff if m.b_ff > 0.0 else 0.0
    m.sigma = math.sqrt(max(m.b_dd - m.slope * m.b_fd, 0.0))


# -- alerts ---------------------------------------------------------------------------------------


@part
def tell(m: Any, k: int, row: Any, exch_ns: int, alert: Any, i: int, phase: int, method: int, reason: int) -> None:
    """Write one step of side k's story."""
    alert.seq, alert.recv_ns, alert.exch_ns, alert.row = row.seq, row.recv_ns, exch_ns, i
    alert.key, alert.side, alert.phase, alert.method, alert.reason = m.c_key[k], 2 * k - 1, phase, method, reason
    alert.tick, alert.tick_to, alert.lots = m.a_tick[k], m.a_tick[k], m.a_lots[k]
    alert.grade, alert.score = max(m.c_grade[k], 1), m.a_score[k]
    alert.v0, alert.v1, alert.v2 = float(m.a_lots[k]), (row.recv_ns - m.a_first_ns[k]) * 1e-9, m.a_want[k]
    alert.v3, alert.v4, alert.v5 = m.a_got[k], m.a_z[k], m.a_share[k]
    alert.v6, alert.v7 = float(m.a_was[k]), float(m.a_waves[k])


@part
def post(b: Any, m: Any, k: int, seq: int) -> None:
    """Put the story of side k on the board."""
    at = b.a_stories % ABSORBED
    b.a_side[at], b.a_tick[at], b.a_from_seq[at], b.a_to_seq[at] = 2 * k - 1, m.a_tick[k], seq, FOREVER
    m.a_story[k] = b.a_stories
    b.a_stories += 1


@part
def unpost(b: Any, m: Any, k: int, seq: int) -> None:
    """Say on the board that the story of side k is over."""
    if b.a_stories - m.a_story[k] <= ABSORBED:
        b.a_to_seq[m.a_story[k] % ABSORBED] = seq


@part
def weigh(m: Any, k: int) -> float:
    """How likely it is that a price with what was measured is being absorbed."""
    total = BIAS if m.conflated == 0 else BIAS_C
    for n in range(len(WEIGHTS)):
        total += (WEIGHTS[n] if m.conflated == 0 else WEIGHTS_C[n]) * m.x[k, n]
    return logistic(total)


@part
def holds(m: Any, limit: Any, k: int, now_ns: int, flow: int, moved2: int, best: int, mid2: int) -> int:
    """The account of a price that takes what hits it and stands, or -1; its measures go to a_want and so on."""
    side = 1 - 2 * k
    m.x_tick[k] = NONE
    at = find_price(m, k, best, now_ns, 0, _SINCE_NS)
    if at < 0 or m.sigma <= 0.0 or m.l_lots[k, at] < limit.hit_ratio * max(m.l_mean[k, at], 1.0):
        return -1
    got = 0.5 * (mid2 - m.l_mid2[k, at]) * side
    if got > limit.most_ticks or got < -limit.drift_ticks:
        return -1
    measure(m, k, at, now_ns, flow, moved2, mid2, m.w_sum[k], limit.window_s, m.slope, m.sigma)
    m.x_tick[k] = m.l_tick[k, at]
    m.x_at[k] = at
    if m.l_looks[k, at] < limit.least_hits or m.l_lots[k, at] < limit.touch_ratio * m.u_touch:
        return -1
    score = weigh(m, k)
    if score < limit.on or m.x[k, 8] < limit.share or m.x[k, 9] < limit.resid_z:
        return -1
    m.a_got[k], m.a_z[k], m.a_share[k], m.a_score[k] = got, m.x[k, 9], min(m.x[k, 8], 1.0), score
    m.a_want[k] = m.slope * (m.t_lots[k] - m.l_same[k, at] - m.t_lots[1 - k] + m.l_other[k, at])
    return at


@part
def arm(m: Any, limit: Any, k: int, at: int, now_ns: int) -> None:
    """Take up the price just found, or stay with it where it is the same."""
    away = m.l_tick[k, at] - m.a_tick[k]
    same = away <= limit.zone_ticks and away >= -limit.zone_ticks
    if m.c_phase[k] == COOLING and (not same or now_ns >= m.c_cool_ns[k]):
        m.c_phase[k] = IDLE
    if m.c_phase[k] == COOLING:
        return
    if m.c_phase[k] != ARMED or not same:
        m.c_phase[k] = ARMED
        m.a_since_ns[k] = now_ns
    elif now_ns - m.a_good_ns[k] > limit.lapse_ms * _MS:
        m.a_since_ns[k] = now_ns
    m.a_tick[k], m.a_lots[k], m.a_was[k] = m.l_tick[k, at], m.l_lots[k, at], m.l_most[k, at]
    m.a_first_ns[k], m.a_hit_ns[k], m.a_waves[k] = m.l_first_ns[k, at], m.l_last_ns[k, at], m.l_waves[k, at]
    m.a_good_ns[k] = now_ns


@part
def grade_of(m: Any, k: int) -> int:
    """How strong side k's story is."""
    times = m.a_lots[k] / max(m.a_was[k], 1)
    if m.a_z[k] >= 4.0 and times >= 10.0:
        return 3
    return 2 if m.a_z[k] >= 3.0 and times >= 5.0 else 1


@part
def follow(m: Any, limit: Any, k: int, now_ns: int, flow: int, mid2: int) -> int:
    """Say whether the active story of side k goes on: -1, or the reason why it is over."""
    side = 1 - 2 * k
    if (mid2 - 2 * m.a_tick[k]) * side >= 2 * limit.fail_ticks:
        if m.a_beyond_ns[k] < 0:
            m.a_beyond_ns[k] = now_ns
        if now_ns - m.a_beyond_ns[k] >= limit.fail_s * _SECOND:
            return FAILED
    else:
        m.a_beyond_ns[k] = -1
    if flow * side < m.quiet:
        if m.a_quiet_ns[k] < 0:
            m.a_quiet_ns[k] = now_ns
        if now_ns - m.a_quiet_ns[k] >= limit.done_s * _SECOND:
            return DONE
    else:
        m.a_quiet_ns[k] = -1
    return -1


@part
def judge(m: Any, limit: Any, k: int, now_ns: int, flow: int, moved2: int, best: int, mid2: int) -> int:
    """Move side k on by a step; give 1 to confirm, 2 to raise, 0 for nothing."""
    at = -1
    if m.wide == 0:
        at = holds(m, limit, k, now_ns, flow, moved2, best, mid2)
    if m.c_phase[k] == ACTIVE:
        if at >= 0:
            grade = grade_of(m, k)
            if grade > m.c_grade[k]:
                m.c_grade[k] = grade
                return 2
        return 0
    if at < 0:
        broken = (best - m.a_tick[k]) * (1 - 2 * k) > limit.most_ticks
        if m.c_phase[k] == ARMED and (broken or now_ns - m.a_good_ns[k] > limit.window_s * _SECOND):
            drop(m, k)
        return 0
    arm(m, limit, k, at, now_ns)
    if m.c_phase[k] != ARMED or now_ns - m.a_since_ns[k] < limit.hold_ms * _MS:
        return 0
    m.c_phase[k] = ACTIVE
    m.c_grade[k] = grade_of(m, k)
    m.c_keys += 1
    m.c_key[k] = m.c_keys
    m.a_beyond_ns[k] = -1
    m.a_quiet_ns[k] = -1
    return 1


@part
def naive(m: Any, limit: Any, k: int, now_ns: int, best: int) -> int:
    """The usual volume marker: lots at a price of the window beyond mean and deviations of such lots."""
    if m.c_phase[k] == COOLING and now_ns >= m.c_cool_ns[k]:
        m.c_phase[k] = IDLE
    at = find_price(m, k, best, now_ns, limit.window_s, limit.window_s * _SECOND)
    lots = lots_within(m, k, at, now_ns, limit.window_s) if at >= 0 else 0
    beyond = sigmas(m, 0, float(lots))
    mean_add(m, 0, float(lots), 3600.0)
    if beyond < limit.volume_sigmas or lots == 0 or m.c_phase[k] != IDLE:
        return 0
    m.c_keys += 1
    m.c_key[k] = m.c_keys
    m.a_tick[k], m.a_lots[k], m.a_was[k], m.a_waves[k] = m.l_tick[k, at], lots, m.l_most[k, at], 1
    m.a_first_ns[k], m.a_score[k] = max(m.l_first_ns[k, at], now_ns - limit.window_s * _SECOND), beyond
    finish(m, k, now_ns, limit.cooldown_s * _SECOND)
    return 1


@part
def trade_row(m: Any, limit: Any, row: Any, cells: int) -> None:
    """Count a print: in the flow, at its price, and in the story of its price."""
    if row.side == 0:
        slide_add(m, 2, row.recv_ns, cells, row.lots)
        return
    k = (1 - row.side) >> 1
    slide_add(m, k, row.recv_ns, cells, row.lots)
    if row.state != S_LIVE or NONE in (row.bid, row.ask):
        return
    shown = row.was if row.was > 0 else (row.ask_lots if row.side > 0 else row.bid_lots)
    if m.s_tick[k] == row.tick and m.s_lots[k] == row.was + row.lots:
        shown = m.s_lots[k]  # the depth came before its trade
    hit(m, k, row.tick, row.lots, shown, row.recv_ns, row.bid + row.ask, limit.idle_s * _SECOND, limit.wave_s * _SECOND)
    if row.tick == m.a_tick[k] and m.c_phase[k] == ACTIVE:
        m.a_lots[k] += row.lots
        if row.recv_ns - m.a_hit_ns[k] >= limit.wave_s * _SECOND:
            m.a_waves[k] += 1
        m.a_hit_ns[k] = row.recv_ns


@part
def pause(m: Any) -> None:
    """The book cannot be judged: what was under way is dropped, clocks stand still."""
    m.sane = 0
    m.s_lots[0] = m.s_lots[1] = 0
    m.u_last = m.t_prints
    for k in range(2):
        m.a_beyond_ns[k] = -1
        m.a_quiet_ns[k] = -1
        if m.c_phase[k] == ARMED:
            drop(m, k)


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Gather prints; every 100 ms compare what was bought and sold with where the price went."""
    m, limit, b = memory[0], limits[0], board[0]
    cells = limit.window_s * 10
    m.conflated = 1 if context[0].tier >= CONFLATED else 0
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        if row.epoch != m.epoch:
            for k in range(2):
                if m.c_phase[k] == ACTIVE:
                    tell(m, k, row, events[i].exch_ns, out[n], i, CLEARED, HELD, RESYNC)
                    n += 1
                    unpost(b, m, k, row.seq)
                    finish(m, k, row.recv_ns, limit.cooldown_s * _SECOND)
            forget(m, row.epoch)
        if row.kind == TRADE:
            if (FLOW_PRINTS >> row.print) & 1 != 0:
                trade_row(m, limit, row, cells)
            continue
        if row.kind != CLOCK:
            continue
        if row.state != S_LIVE or row.warm == 0 or NONE in (row.bid, row.ask):
            pause(m)
            continue
        now_ns = row.recv_ns
        step = now_ns // STEP_NS
        for k in range(3):
            slide_to(m, k, now_ns, cells)
        mid2 = row.bid + row.ask
        m.s_tick[0], m.s_lots[0], m.s_tick[1], m.s_lots[1] = row.ask, row.ask_lots, row.bid, row.bid_lots
        keep_mid(m, step, mid2)
        if step - m.mid_from < cells:
            continue
        flow = m.w_sum[0] - m.w_sum[1]
        moved2 = mid2 - m.mids[(step - cells + 1) % MIDS]
        known = m.w_sum[2] <= limit.unsigned * (m.w_sum[0] + m.w_sum[1] + m.w_sum[2])
        spread = row.ask - row.bid
        if step % 10 == 0 and known:
            learn(m, limit, flow, moved2, spread, 0.5 * (row.bid_lots + row.ask_lots))
        if limit.null_seed != 0:
            moved2 = borrowed(m, limit.null_seed, step, flow, moved2, cells, size_share(m, _FLOWS, abs(flow)))
        m.wide = 1 if spread > limit.spread_ratio * max(m.spread, 1) or not known else 0
        for k in range(2):
            best = row.ask if k == 0 else row.bid
            if limit.volume_sigmas > 0.0:
                if step % 10 == 0 and m.learnt >= limit.warmup_s and naive(m, limit, k, now_ns, best) != 0:
                    tell(m, k, row, events[i].exch_ns, out[n], i, CONFIRMED, VOLUME, 0)
                    n += 1
                continue
            if m.c_phase[k] == ACTIVE:
                reason = follow(m, limit, k, now_ns, flow, mid2)
                if reason >= 0:
                    tell(m, k, row, events[i].exch_ns, out[n], i, CLEARED, HELD, reason)
                    n += 1
                    unpost(b, m, k, row.seq)
                    finish(m, k, now_ns, limit.cooldown_s * _SECOND)
                    continue
            if m.learnt < limit.warmup_s:
                continue
            done = judge(m, limit, k, now_ns, flow, moved2, best, mid2)
            if done != 0:
                method = WAVES if m.a_waves[k] > 1 else HELD
                if done == 1:
                    post(b, m, k, row.seq)
                tell(m, k, row, events[i].exch_ns, out[n], i, CONFIRMED if done == 1 else RAISED, method, 0)
                n += 1
    return n


DETECTOR = Detector(
    title="Absorption",
    rule=(
        "A price is hit again and again and stands: several times what is usually shown there has traded at it, and "
        "the mid has moved no more than `most_ticks` since the first hit. How likely it is that somebody takes all "
        "that comes is weighed from the hits, how steadily as much stands there again, the flow and the shortfall of "
        "the price against a running regression on it, and what the other side trades. Told when that has been `on` "
        "for `hold_ms`. Failed when the price is broken for `fail_s`, over when the flow is quiet for `done_s`."
    ),
    thresholds=AbsorptionThresholds,
    memory=MEMORY,
    reads=IS_TRADE | IS_EVENT,
    kernel=watch,
    words=words,
    methods=("held", "waves", "volume"),
    reasons=("failed", "done", "resync"),
    evidence=("lots", "seconds", "expected_ticks", "got_ticks", "z", "share", "displayed", "waves"),
    cases=CASES,
    baselines={"volume at a price > mean + 3 sigma": {"volume_sigmas": 3.0}},
    knob="on",
)
