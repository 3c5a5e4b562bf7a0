"""Absorption: much is bought or sold at one price, and the market moves far less than so much usually moves it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

import numpy as np

from feeds.events import CLOCK, FLOW_PRINTS, NONE, S_LIVE, TRADE
from tapeview.alert import CLEARED, CONFIRMED, RAISED
from tapeview.detectors import _cycle as cycle
from tapeview.detectors import _estimate as estimate
from tapeview.detectors._cycle import ACTIVE, ARMED, COOLING, IDLE, drop, finish
from tapeview.detectors._declare import ABSORBED, Case, Detector, Found, Thresholds, bound
from tapeview.detectors._estimate import (
    STEP_NS,
    mean_add,
    normal_share,
    sigmas,
    size_add,
    size_quantile,
    slide_add,
    slide_to,
)
from tapeview.engine._jit import kernel, part
from tapeview.engine.frame import IS_EVENT, IS_TRADE


class AbsorptionThresholds(Thresholds, frozen=True, kw_only=True):
    """What is much flow, what is no answer to it, and how long that must last."""

    window_s: Annotated[int, bound(2, 60, "Length of the window of flow and price change, in s.", "J")] = 10
    half_life: Annotated[int, bound(10, 5000, "Windows after which half of the regression is forgotten.", "J")] = 300
    warmup_s: Annotated[int, bound(30, 3600, "Flow to have seen before anything is judged, in s.", "J")] = 120
    flow_q: Annotated[
        float, bound(0.5, 0.9999, "Share of recent windows with less net flow.", "B: fitted on simulated seeds 20-27")
    ] = 0.7
    quiet_q: Annotated[float, bound(0.1, 0.95, "Share of windows with less flow that counts as quiet.", "J")] = 0.60
    resid_z: Annotated[
        float, bound(0.5, 10, "Shortfall of the price against its usual answer, in standard deviations.",
                     "B: fitted on simulated seeds 20-27")
    ] = 0.75  # fmt: skip
    most_ticks: Annotated[int, bound(0, 10, "Ticks the mid may have followed the flow.", "J")] = 1
    drift_ticks: Annotated[
        int, bound(0, 20, "Ticks the mid may have gone against the flow.", "B: fitted on simulated seeds 20-27")
    ] = 3
    price_ticks: Annotated[
        int, bound(0, 20, "Ticks about the price whose trades count as at it.", "B: fitted on simulated seeds 20-27")
    ] = 0
    zone_ticks: Annotated[int, bound(0, 20, "Half-width of a zone in ticks.", "J")] = 2
    share: Annotated[
        float,
        bound(0.1, 1, "Least share of the flow's side that traded at the price.", "B: fitted on simulated seeds 20-27"),
    ] = 0.8
    hit_ratio: Annotated[
        float, bound(0, 50, "Least lots traded over the most lots displayed.", "B: fitted on simulated seeds 20-27")
    ] = 4.5
    opp_ratio: Annotated[
        float,
        bound(1, 50, "Least lots of the flow's side over those of the other.", "B: fitted on simulated seeds 20-27"),
    ] = 1.25
    spread_ratio: Annotated[float, bound(1, 20, "Most spread over its median.", "J")] = 2.0
    unsigned: Annotated[float, bound(0, 1, "Most share of lots without a known aggressor.", "J")] = 0.2
    hold_s: Annotated[
        int, bound(1, 60, "Time for which all this must hold, in s.", "B: fitted on simulated seeds 20-27")
    ] = 1
    lapse_ms: Annotated[
        int, bound(0, 5000, "Interruption of it that does not count, in ms.", "B: fitted on simulated seeds 20-27")
    ] = 2000
    wave_s: Annotated[int, bound(1, 30, "Pause after which the next hit is a second wave, in s.", "J")] = 2
    fail_ticks: Annotated[int, bound(1, 20, "Ticks beyond the price that break it.", "J")] = 2
    fail_s: Annotated[int, bound(0, 60, "Time beyond it that makes it failed, in s.", "J")] = 3
    done_s: Annotated[int, bound(1, 300, "Quiet after which it is over, in s.", "J")] = 15
    cooldown_s: Annotated[int, bound(0, 600, "Time before the same zone is told of again, in s.", "J")] = 30
    volume_sigmas: Annotated[
        float, bound(0, 20, "0; else the naive rule alone: lots at a price beyond mean + so many deviations.",
                     "X: the usual volume marker")
    ] = 0.0  # fmt: skip


HELD, WAVES, VOLUME = range(3)
FAILED, DONE, RESYNC = range(3)
FOREVER: Final = 2**62
RING: Final = 4096
"""Prints kept for a window, those of one side, price and step as one."""
MIDS: Final = 1024
"""Mids kept, one a step; more than the longest window has."""
REACH: Final = 8
"""Ticks from the touch at which a price that stands is looked for."""
_FLOWS, _SPREADS = range(2)
_UNCLIPPED: Final = 60
_CLIP: Final = 3.0
"""Residuals beyond so many deviations are learnt as that many, once so many windows are known: what is looked for
must not become the usual while it happens."""

MEMORY: Final = np.dtype(
    [
        *cycle.fields(2),
        *estimate.fields(windows=3, means=1, sizes=2),
        ("r_step", "i8", (RING,)), ("r_tick", "i8", (RING,)), ("r_lots", "i8", (RING,)), ("r_was", "i8", (RING,)),
        ("mids", "i8", (MIDS,)), ("z_at", "i8", (REACH + 2,)),
        *((name, "i8") for name in (
            "r_start", "r_end", "mid_step", "mid_from", "epoch", "learnt", "much", "quiet", "spread", "sane", "wide",
            "z_tick", "z_lots", "z_all", "z_was", "z_step", "shown",
        )),
        ("b_ff", "f8"), ("b_fd", "f8"), ("b_dd", "f8"), ("b_n", "i8"), ("slope", "f8"), ("sigma", "f8"),
        *((name, "i8", (2,)) for name in (
            "a_tick", "a_since_ns", "a_good_ns", "a_hit_ns", "a_first_ns", "a_lots", "a_was", "a_waves", "a_beyond_ns",
            "a_quiet_ns", "a_story",
        )),
        *((name, "f8", (2,)) for name in ("a_want", "a_got", "a_z", "a_share", "a_score")),
    ]
)  # fmt: skip


# -- what is remembered ---------------------------------------------------------------------------


@part
def remember(m: Any, step: int, side: int, tick: int, lots: int, was: int) -> None:
    """Keep a print for the window: with the last one where only the lots differ."""
    at = (m.r_end - 1) % RING
    if m.r_end > m.r_start and m.r_step[at] == step and m.r_tick[at] == tick and m.r_lots[at] * side > 0:
        m.r_lots[at] += side * lots
        m.r_was[at] = max(m.r_was[at], was)
        return
    if m.r_end - m.r_start == RING:
        m.r_start += 1
    at = m.r_end % RING
    m.r_step[at], m.r_tick[at], m.r_lots[at], m.r_was[at] = step, tick, side * lots, was
    m.r_end += 1


@part
def forget(m: Any, epoch: int) -> None:
    """Drop what was known of single prices, and the mids."""
    m.epoch = epoch
    m.r_start = m.r_end
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
def find_zone(m: Any, oldest: int, side: int, best: int, zone: int) -> None:
    """Find the price at or behind the touch that one side's takers hit most, and what was done about it.

    Gives z_tick, z_lots within the zone of all z_all lots, z_was the most displayed there when hit, and z_step, the
    step of the first hit.
    """
    while m.r_start < m.r_end and m.r_step[m.r_start % RING] < oldest:
        m.r_start += 1
    for n in range(REACH + 2):
        m.z_at[n] = 0
    m.z_all = 0
    for n in range(m.r_start, m.r_end):
        at = n % RING
        lots = m.r_lots[at] * side
        if lots > 0:
            m.z_all += lots
            away = (m.r_tick[at] - best) * side + 1
            if away >= 0 and away < REACH + 2:
                m.z_at[away] += lots
    most = 0
    for n in range(1, REACH + 2):
        if m.z_at[n] > m.z_at[most]:
            most = n
    m.z_tick = best + (most - 1) * side
    m.z_lots = 0
    m.z_was = 0
    m.z_step = m.r_end
    first = -1
    if m.z_at[most] == 0:
        return
    for n in range(m.r_start, m.r_end):
        at = n % RING
        lots = m.r_lots[at] * side
        away = m.r_tick[at] - m.z_tick
        if lots > 0 and away <= zone and away >= -zone:
            m.z_lots += lots
            if first < 0:
                first = at
            if away == 0:
                m.z_was = max(m.z_was, m.r_was[at], 1)
    m.z_step = m.r_step[first]


# -- what is usual --------------------------------------------------------------------------------


@part
def learn(m: Any, limit: Any, flow: int, moved2: int, spread: int) -> None:
    """Once a second: what flow is much, what it usually moves, and how wide the market is."""
    m.learnt += 1
    size_add(m, _SPREADS, max(spread, 0))
    m.spread = size_quantile(m, _SPREADS, 0.5)
    size_add(m, _FLOWS, abs(flow))
    m.much = size_quantile(m, _FLOWS, limit.flow_q)
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
def holds(m: Any, limit: Any, k: int, flow: int, moved2: int, best: int, step: int, cells: int) -> bool:
    """Say whether flow into side k is much, is at one price and moves nothing; its measures go to a_want and so on."""
    side = 1 - 2 * k
    enough = flow * side >= max(m.much, 1)
    got = 0.5 * moved2 * side
    want = m.slope * flow * side
    if not enough or got > limit.most_ticks or got < -limit.drift_ticks or m.sigma <= 0.0:
        return False
    z = (want - got) / m.sigma
    if z < limit.resid_z or m.w_sum[1 - k] * limit.opp_ratio > m.w_sum[k]:
        return False
    find_zone(m, step - cells + 1, side, best, limit.price_ticks)
    if m.z_lots < limit.share * m.z_all or m.z_was == 0:
        return False
    m.a_want[k], m.a_got[k], m.a_z[k] = want, got, z
    m.a_share[k] = m.z_lots / m.z_all
    m.a_score[k] = normal_share(z) * m.a_share[k]
    return True


@part
def arm(m: Any, limit: Any, k: int, now_ns: int, best: int) -> None:
    """Take up the zone just found, or stay with it where it is the same."""
    away = m.z_tick - m.a_tick[k]
    same = away <= limit.zone_ticks and away >= -limit.zone_ticks
    if m.c_phase[k] == COOLING and (not same or now_ns >= m.c_cool_ns[k]):
        m.c_phase[k] = IDLE
    if m.c_phase[k] == COOLING:
        return
    lapsed = now_ns - m.a_good_ns[k] > limit.lapse_ms * 1_000_000
    if m.c_phase[k] != ARMED or not same:
        m.c_phase[k] = ARMED
        m.a_waves[k] = 1
        m.a_lots[k] = m.z_lots
        m.a_was[k] = m.z_was
        m.a_first_ns[k] = m.z_step * STEP_NS
        m.a_hit_ns[k] = now_ns
        lapsed = True
    if lapsed:
        m.a_since_ns[k] = now_ns
    m.a_tick[k] = m.z_tick
    m.a_was[k] = max(m.a_was[k], m.z_was, m.shown if best == m.z_tick else 0)
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
        if now_ns - m.a_beyond_ns[k] >= limit.fail_s * 1_000_000_000:
            return FAILED
    else:
        m.a_beyond_ns[k] = -1
    if flow * side < m.quiet:
        if m.a_quiet_ns[k] < 0:
            m.a_quiet_ns[k] = now_ns
        if now_ns - m.a_quiet_ns[k] >= limit.done_s * 1_000_000_000:
            return DONE
    else:
        m.a_quiet_ns[k] = -1
    return -1


@part
def judge(m: Any, limit: Any, k: int, now_ns: int, flow: int, moved2: int, best: int, mid2: int, cells: int) -> int:
    """Move side k on by a step; give 1 to confirm, 2 to raise, 0 for nothing."""
    step = now_ns // STEP_NS
    good = m.wide == 0 and holds(m, limit, k, flow, moved2, best, step, cells)
    if m.c_phase[k] == ACTIVE:
        grade = grade_of(m, k)
        if good and grade > m.c_grade[k]:
            m.c_grade[k] = grade
            return 2
        return 0
    if not good:
        broken = (best - m.a_tick[k]) * (1 - 2 * k) > limit.most_ticks
        if m.c_phase[k] == ARMED and (broken or now_ns - m.a_good_ns[k] > limit.window_s * 1_000_000_000):
            drop(m, k)
        return 0
    arm(m, limit, k, now_ns, best)
    if m.c_phase[k] != ARMED:
        return 0
    if m.a_lots[k] < limit.hit_ratio * m.a_was[k]:
        return 0
    if m.a_waves[k] < 2 and now_ns - m.a_since_ns[k] < limit.hold_s * 1_000_000_000:
        return 0
    m.c_phase[k] = ACTIVE
    m.c_grade[k] = grade_of(m, k)
    m.c_keys += 1
    m.c_key[k] = m.c_keys
    m.a_beyond_ns[k] = -1
    m.a_quiet_ns[k] = -1
    return 1


@part
def naive(m: Any, limit: Any, k: int, now_ns: int, best: int, cells: int) -> int:
    """The usual volume marker: lots at a price of the window beyond mean and deviations of such lots."""
    if m.c_phase[k] == COOLING and now_ns >= m.c_cool_ns[k]:
        m.c_phase[k] = IDLE
    find_zone(m, now_ns // STEP_NS - cells + 1, 1 - 2 * k, best, 0)
    beyond = sigmas(m, 0, float(m.z_lots))
    mean_add(m, 0, float(m.z_lots), 3600.0)
    if beyond < limit.volume_sigmas or m.z_lots == 0 or m.c_phase[k] != IDLE:
        return 0
    m.c_keys += 1
    m.c_key[k] = m.c_keys
    m.a_tick[k], m.a_lots[k], m.a_was[k], m.a_waves[k] = m.z_tick, m.z_lots, m.z_was, 1
    m.a_first_ns[k], m.a_score[k] = m.z_step * STEP_NS, beyond
    finish(m, k, now_ns, limit.cooldown_s * 1_000_000_000)
    return 1


@kernel
def watch(
    events: Any, frame: Any, rows: Any, context: Any, board: Any, limits: Any, memory: Any, out: Any
) -> int:  # fmt: skip
    """Gather prints; every 100 ms compare what was bought and sold with where the price went."""
    m, limit, b = memory[0], limits[0], board[0]
    cells = limit.window_s * 10
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
                    finish(m, k, row.recv_ns, limit.cooldown_s * 1_000_000_000)
            forget(m, row.epoch)
        if row.kind == TRADE:
            if (FLOW_PRINTS >> row.print) & 1 == 0:
                continue
            side = row.side
            if side == 0:
                slide_add(m, 2, row.recv_ns, cells, row.lots)
                continue
            k = (1 - side) >> 1
            slide_add(m, k, row.recv_ns, cells, row.lots)
            if row.state != S_LIVE:
                continue
            shown = row.was if row.was > 0 else (row.ask_lots if side > 0 else row.bid_lots)
            remember(m, row.recv_ns // STEP_NS, side, row.tick, row.lots, shown)
            away = row.tick - m.a_tick[k]
            if away <= limit.price_ticks and away >= -limit.price_ticks:
                m.a_lots[k] += row.lots
                if row.recv_ns - m.a_hit_ns[k] >= limit.wave_s * 1_000_000_000:
                    m.a_waves[k] += 1
                m.a_hit_ns[k] = row.recv_ns
            continue
        if row.kind != CLOCK:
            continue
        if row.state != S_LIVE or row.warm == 0 or NONE in (row.bid, row.ask):
            m.sane = 0
            for k in range(2):
                m.a_beyond_ns[k] = -1
                m.a_quiet_ns[k] = -1
                if m.c_phase[k] == ARMED:
                    drop(m, k)
            continue
        now_ns = row.recv_ns
        step = now_ns // STEP_NS
        for k in range(3):
            slide_to(m, k, now_ns, cells)
        mid2 = row.bid + row.ask
        keep_mid(m, step, mid2)
        if step - m.mid_from < cells:
            continue
        flow = m.w_sum[0] - m.w_sum[1]
        moved2 = mid2 - m.mids[(step - cells + 1) % MIDS]
        known = m.w_sum[2] <= limit.unsigned * (m.w_sum[0] + m.w_sum[1] + m.w_sum[2])
        spread = row.ask - row.bid
        if step % 10 == 0 and known:
            learn(m, limit, flow, moved2, spread)
        m.wide = 1 if spread > limit.spread_ratio * max(m.spread, 1) or not known else 0
        for k in range(2):
            best = row.ask if k == 0 else row.bid
            m.shown = row.ask_lots if k == 0 else row.bid_lots
            if limit.volume_sigmas > 0.0:
                if step % 10 == 0 and m.learnt >= limit.warmup_s and naive(m, limit, k, now_ns, best, cells) != 0:
                    tell(m, k, row, events[i].exch_ns, out[n], i, CONFIRMED, VOLUME, 0)
                    n += 1
                continue
            if m.c_phase[k] == ACTIVE:
                reason = follow(m, limit, k, now_ns, flow, mid2)
                if reason >= 0:
                    tell(m, k, row, events[i].exch_ns, out[n], i, CLEARED, HELD, reason)
                    n += 1
                    unpost(b, m, k, row.seq)
                    finish(m, k, now_ns, limit.cooldown_s * 1_000_000_000)
                    continue
            if m.learnt < limit.warmup_s:
                continue
            done = judge(m, limit, k, now_ns, flow, moved2, best, mid2, cells)
            if done != 0:
                method = WAVES if m.a_waves[k] > 1 else HELD
                if done == 1:
                    post(b, m, k, row.seq)
                tell(m, k, row, events[i].exch_ns, out[n], i, CONFIRMED if done == 1 else RAISED, method, 0)
                n += 1
    return n


# -- words ----------------------------------------------------------------------------------------


def words(found: Found) -> str:
    """Say what was absorbed where, and how it ended."""
    where, value = found.price(found.tick), found.evidence
    if found.phase == "cleared":
        if found.reason == "failed":
            return f"ABSORPTION FAILED {where}"
        after = f"{found.size(found.lots)} in {value['seconds']:.0f}s"
        return f"ABSORPTION OVER {where} · {after}" + (" · book rebuilt" if found.reason == "resync" else "")
    deed, did = ("BUYING", "bought") if found.side < 0 else ("SELLING", "sold")
    sign = 1 if found.side < 0 else -1
    lots = f"{found.size(found.lots)} {did} in {value['seconds']:.0f}s"
    if found.method == "volume":
        return f"VOLUME {deed} @{where} · {lots}"
    got = value["got_ticks"] * sign
    answer = f"expected {value['expected_ticks'] * sign:+.1f}t got {got:+.1f}t" if got else (
        f"expected {value['expected_ticks'] * sign:+.1f}t got 0"
    )  # fmt: skip
    waves = int(value["waves"])
    return f"ABSORBED {deed} @{where} · {lots}, {answer}" + (f" · {waves} waves" if waves > 1 else "")


# -- worked cases ---------------------------------------------------------------------------------


def _swing(seconds: int, at: int = 100) -> str:
    """A market that follows its flow: 13 s of buying lift it 13 ticks, 13 s of selling sink it."""
    said = ["[", *(f"b{at - n}:50 a{at + 1 + n}:50" for n in range(20)), "]"]
    bid = at
    for second in range(seconds):
        period, within = divmod(second, 26)
        side = 1 if within < 13 else -1
        uneven = (3 * period if side > 0 else 5 * period + 4) % 12
        steps = {uneven: 2, uneven + 1: 0}.get(within % 13, 1)
        said.append(f"~500 +{bid + 1}:{9 + second % 3}" if side > 0 else f"~500 -{bid}:{9 + second % 3}")
        for _ in range(steps):
            said.append(f"~20 a{bid + 1}:0&b{bid + 1}:50" if side > 0 else f"~20 b{bid}:0&a{bid}:50")
            bid += side
        said.append("~480")
    return " ".join(said)


_USUAL: Final = _swing(104)
_SOON: Final = {"warmup_s": 60}
_BUYING: Final = "~250 +101:15 a101:35 ~50 a101:50 "
"""Some 50 lots a second at a price that shows 50."""
_SELLING: Final = "~100 -100:30 b100:20 ~50 b100:50 "
_STILL: Final = "~1000 b98:50 "
_GONE: Final = "~50 a101:0&b101:50 ~50 a102:0&b102:50 ~50 a103:0&b103:50 ~50 a104:0&b104:50 "
DETECTOR = Detector(
    title="Absorption",
    rule=(
        "Over the last `window_s` the flow is larger than most, the mid has moved at least `resid_z` deviations less "
        "than a running regression on the flow expects, and most traded at one price that still stands. Told once "
        "many times what was shown there has traded at it and that has held for `hold_s`, or a second wave has come "
        "after a pause. Failed when the price is broken for `fail_s`, over when the flow is quiet for `done_s`."
    ),
    thresholds=AbsorptionThresholds,
    memory=MEMORY,
    reads=IS_TRADE | IS_EVENT,
    kernel=watch,
    words=words,
    methods=("held", "waves", "volume"),
    reasons=("failed", "done", "resync"),
    evidence=("lots", "seconds", "expected_ticks", "got_ticks", "z", "share", "displayed", "waves"),
    cases=(
        Case(
            "steady buying runs into an ask that is supplied again and again, then stops",
            _USUAL + " " + _BUYING * 50 + _STILL * 27,
            ("ABSORBED BUYING @101", "ABSORBED BUYING @101", "ABSORPTION OVER 101"),
            thresholds=_SOON,
        ),
        Case(
            "the one who supplies it runs out, and the price goes through",
            _USUAL + " " + _BUYING * 50 + _GONE + _STILL * 5,
            ("ABSORBED BUYING @101", "ABSORBED BUYING @101", "ABSORPTION FAILED 101"),
            thresholds=_SOON,
        ),
        Case(
            "two waves of selling into a bid, with a pause of three seconds between them",
            _USUAL + " ~8000 " + _SELLING * 7 + "~2500 " + _SELLING * 2,
            ("ABSORBED SELLING @100",),
            thresholds=_SOON,
        ),
        Case(
            "as a naive rule: any price with far more volume than usual",
            _USUAL + " ~300 +101:145 " + _STILL * 2,
            ("VOLUME BUYING @101",),
            thresholds=_SOON | {"volume_sigmas": 3.0},
        ),
        Case("flow and price as usual", _USUAL, thresholds=_SOON),
        Case("as much buying as ever, but the price goes with it", _USUAL + "".join(
            f" ~250 +{101 + n // 3}:15" + (f" a{101 + n // 3}:0&b{101 + n // 3}:50" if n % 3 == 2 else "")
            for n in range(35)
        ), thresholds=_SOON),
        Case("buying and selling alike meet both sides", _USUAL + " " + "~250 +101:15 ~50 -100:15 " * 35,
             thresholds=_SOON),
        Case("a downtrend: the ask holds since the market falls", _USUAL + "".join(
            " ~250 +101:15" + (f" b{100 - n // 4}:0&a{100 - n // 4}:50" if n % 4 == 3 else "") for n in range(30)
        ), thresholds=_SOON),
        Case("before the usual is known", "[ b100:50 a101:50 ] ~6000 b99:9 " + _BUYING * 35),
        Case("the same out of a market stated to be halted", _USUAL + " !halted " + _BUYING * 35, thresholds=_SOON),
        Case(
            "a gap in the middle of it: what was known of the price is gone",
            _USUAL + " " + _BUYING * 12 + "!gap ~50 [ b100:50 a101:50 ] " + _BUYING * 10,
            thresholds=_SOON,
        ),
    ),
    baselines={"volume at a price > mean + 3 sigma": {"volume_sigmas": 3.0}},
    knob="resid_z",
)  # fmt: skip
