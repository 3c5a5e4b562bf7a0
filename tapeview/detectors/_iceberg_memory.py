"""What the iceberg detector remembers: prices that traded, and the stories it tells about some of them.

A price of a side that traded has a slot in a table of sets of four; the newest 512 or so have one, and a price with
a running story keeps its own. Stories are told by a pump, at most two alerts a row.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from feeds.events import NONE
from tapeview.alert import CLEARED, CONFIRMED, RAISED
from tapeview.detectors import _estimate as estimate
from tapeview.detectors._declare import B_ICEBERG, STORIES
from tapeview.engine._jit import high_bit, inlined, part

NATIVE, ATOMIC, SYNTHETIC, ASYNC, NAIVE = range(5)
METHODS: Final = ("native", "atomic", "synthetic", "async", "naive")
EATEN, PULLED, STALE, RESYNC = range(1, 5)
REASONS: Final = ("", "eaten", "pulled", "stale", "resync")
EVIDENCE: Final = (
    "refills", "peak", "hidden", "executed", "score", "left_median", "left_low", "left_high", "detectability", "queue",
    "hits", "episodes", "refilled", "delay_ms", "seconds",
)  # fmt: skip

LEVELS: Final = 512
WAYS: Final = 4
SETS: Final = LEVELS // WAYS
ENDS: Final = 12
"""Executed orders of a price whose successor may come."""
OWN: Final = 12
"""Sizes of a price whose part in the counts of chance is known."""
ORDERS: Final = 48
"""Orders of a price that are followed one by one."""
LINKS: Final = 64
HELD: Final = 64
"""Stories that run at once."""
CHAIN_SETS: Final = 128
NATIVES: Final = 512
BINS: Final = 6
SIZE_ROWS: Final = 320
STEPS: Final = 176
"""Rows of the tables of likelihood: delays up to 2.5 s."""
PEAKS: Final = 16
MESSAGE_KEYS: Final = 64
QUEUE: Final = 1024
RING: Final = 2048
UPDATES: Final = 1024
BUCKETS: Final = 40
RESERVOIR: Final = 64
FOREVER: Final = 2**62
LEFT_UNKNOWN: Final = -1
"""What is left of an iceberg of which that is not known."""
SECOND_NS: Final = 1_000_000_000

IDLE, RUNNING, OVER = range(3)
TELL_CONFIRM, TELL_RAISE, TELL_CLEAR = 1, 2, 4


def _numbers(*names: str, shape: tuple[int, ...] = (), kind: str = "i8") -> list[tuple[Any, ...]]:
    return [(name, kind, shape) if shape else (name, kind) for name in names]


MEMORY: Final = np.dtype(
    [
        *estimate.fields(means=2, sizes=1),
        # where in the stream; `told` and `untold` count match events that came with and without their change
        *_numbers("epoch", "now_ns", "message", "touched_n", "before_n", "inexact", "told", "untold", "keys",
                  "stories_n", "top", "telling", "large_print", "prints", "fill_id", "random",
                  "natives", "links_n", "gone_lots", "come_lots",
                  "counted"),
        # prices that traded
        *_numbers(
            "lv_tick", "lv_side", "lv_last_ns", "lv_exch_ns", "lv_volume", "lv_story", "lv_cool_ns",
            "lv_since_ns", "lv_fill_ns", "lv_now", "lv_orders",
            # in this message
            "lv_message", "lv_was", "lv_is", "lv_traded", "lv_unseen", "lv_seen",
            # by the atomic identity
            "lv_hit_ns", "lv_hits", "lv_hidden",
            # by episodes
            "lv_episodes", "lv_refilled", "lv_episode_ns", "lv_replaced",
            # by the naive rules
            "lv_prior", "lv_prior_ns", "lv_first_ns", "lv_second_ns", "lv_shown", "lv_turnover",
            "lv_refills", "lv_window_ns", "lv_dipped", "lv_ring",
            # orders executed there, and those that wait
            "lv_end_ns", "lv_end_exch_ns", "lv_eaten", "lv_known", "lv_block", "lv_block_orders", "lv_sum",
            shape=(LEVELS,),
        ),
        *_numbers("lv_score", "lv_detect", shape=(LEVELS,), kind="f8"),
        # executed orders whose successor may come, with the chain each ends
        *_numbers("en_lots", "en_ns", "en_exch_ns", "en_links", "en_alike", "en_sum", shape=(LEVELS * ENDS,)),
        *_numbers("en_score", "en_like", shape=(LEVELS * ENDS,), kind="f8"),
        # waiting orders of a price, oldest first, where only their number is told
        *_numbers("or_left", "or_lots", "or_links", "or_alike", "or_sum", shape=(LEVELS * ORDERS,)),
        *_numbers("or_score", "or_like", shape=(LEVELS * ORDERS,), kind="f8"),
        # the order that came last, with the chain it goes on with
        *_numbers("ad_lots", "ad_links", "ad_alike", "ad_sum"),
        *_numbers("ad_score", "ad_like", kind="f8"),
        # orders that are tranches of a chain
        *_numbers("ch_id", "ch_sum", "ch_lots", "ch_links", "ch_alike", "ch_ns", shape=(CHAIN_SETS * WAYS,)),
        *_numbers("ch_score", "ch_like", shape=(CHAIN_SETS * WAYS,), kind="f8"),
        *_numbers("lk_lots", "lk_slot", "lk_ns", shape=(LINKS,)),
        # how often sizes come anyway, and what sizes of a price added to that
        *_numbers("nu_density", "nu_missing", shape=(STEPS,), kind="f8"),
        *_numbers("nu_all", "nu_ends_all", kind="f8"),
        *_numbers("nu_bins", shape=(BINS,), kind="f8"),
        *_numbers("nu_adds", "nu_ends", "nu_moved", "nu_makers", "nu_prior", shape=(SIZE_ROWS,), kind="f8"),
        *_numbers("nu_after", "nu_like", shape=(SIZE_ROWS, BINS), kind="f8"),
        *_numbers("ow_lots", "ow_ns", "ow_ends", "ow_adds", shape=(LEVELS * OWN,)),
        *_numbers("ow_after", "ow_like", shape=(LEVELS * OWN, BINS)),
        # orders that were refilled, and what such orders executed in the end
        *_numbers("no_id", "no_refills", "no_hidden", "no_peak", "no_executed", "no_ns", shape=(NATIVES,)),
        *_numbers("km_ended", "km_cut", shape=(PEAKS + 1, SIZE_ROWS)),
        *_numbers("km_n", shape=(PEAKS + 1,)),
        # prints that wait for their depth, rows of depth, and its updates
        *_numbers("q_n", "q_oldest", "u_first", "u_at", "u_n", "u_number", "r_n", "update_open", "gap_ns"),
        *_numbers("last_update_ns"),
        *_numbers("q_exch_ns", "q_side", "q_tick", "q_lots", "q_recv_ns", shape=(QUEUE,)),
        *_numbers("r_side", "r_tick", "r_was", "r_now", "r_update", "r_orders", "r_before", shape=(RING,)),
        *_numbers("u_exch_ns", "u_due_ns", "u_row", "u_which", shape=(UPDATES,)),
        # episodes and sizes of long ago, for the permuted run
        *_numbers("rv_n", shape=(BUCKETS,)),
        *_numbers("rv_left", "rv_after", shape=(BUCKETS * RESERVOIR,)),
        # prices that traded in this message, and levels it changed before they did
        *_numbers("tm_slot", "bf_side", "bf_tick", "bf_was", shape=(MESSAGE_KEYS,)),
        # stories
        *_numbers(
            "st_state", "st_tell", "st_side", "st_tick", "st_slot", "st_method", "st_key", "st_grade", "st_reason",
            "st_refills", "st_peak", "st_hidden", "st_executed", "st_since", "st_refill_ns", "st_trade_ns",
            "st_first_ns", "st_gone_ns", "st_owner", "st_board", "st_queue", "st_hits", "st_episodes", "st_refilled",
            "st_delay", "st_left", "st_left_low", "st_left_high",
            shape=(HELD,),
        ),
        *_numbers("st_score", "st_detect", shape=(HELD,), kind="f8"),
    ]
)  # fmt: skip


# -- prices that traded ---------------------------------------------------------------------------


@inlined
def find_level(m: Any, side: int, tick: int) -> int:
    """Give the slot of a price, -1 where it has none."""
    slot = ((2 * tick + ((1 - side) >> 1)) & (SETS - 1)) * WAYS
    # All four are compared: a branch out of a loop could not be foretold.
    found = slot if m.lv_tick[slot] == tick and m.lv_side[slot] == side else -1
    found = slot + 1 if m.lv_tick[slot + 1] == tick and m.lv_side[slot + 1] == side else found
    found = slot + 2 if m.lv_tick[slot + 2] == tick and m.lv_side[slot + 2] == side else found
    return slot + 3 if m.lv_tick[slot + 3] == tick and m.lv_side[slot + 3] == side else found


@part
def clean_level(m: Any, slot: int) -> None:
    """Forget all about a price."""
    m.lv_side[slot] = 0
    m.lv_exch_ns[slot], m.lv_volume[slot], m.lv_story[slot], m.lv_cool_ns[slot] = NONE, 0, 0, NONE
    m.lv_ring[slot] = -1
    m.lv_now[slot], m.lv_orders[slot], m.lv_message[slot], m.lv_eaten[slot] = 0, -1, 0, 0
    m.lv_hits[slot], m.lv_hidden[slot], m.lv_hit_ns[slot] = 0, 0, NONE
    m.lv_episodes[slot], m.lv_refilled[slot], m.lv_episode_ns[slot], m.lv_replaced[slot] = 0, 0, NONE, 0
    m.lv_score[slot], m.lv_detect[slot] = 0.0, 0.0
    m.lv_prior[slot], m.lv_prior_ns[slot], m.lv_first_ns[slot], m.lv_second_ns[slot] = 0, NONE, NONE, NONE
    m.lv_shown[slot], m.lv_turnover[slot], m.lv_refills[slot], m.lv_window_ns[slot] = 0, 0, 0, NONE
    m.lv_dipped[slot], m.lv_fill_ns[slot], m.lv_end_ns[slot], m.lv_end_exch_ns[slot] = 0, NONE, NONE, NONE
    m.lv_known[slot], m.lv_block[slot], m.lv_block_orders[slot], m.lv_sum[slot] = 0, 0, 0, 0
    for n in range(slot * ENDS, slot * ENDS + ENDS):
        m.en_lots[n] = 0
    for n in range(slot * OWN, slot * OWN + OWN):
        m.ow_lots[n] = 0


@part
def take_level(m: Any, side: int, tick: int, recv_ns: int) -> int:
    """Give the slot of a price that trades; where it has none, that of the one whose last trade is oldest."""
    base = ((2 * tick + ((1 - side) >> 1)) & (SETS - 1)) * WAYS
    oldest = -1
    for slot in range(base, base + WAYS):
        if m.lv_tick[slot] == tick and m.lv_side[slot] == side:
            return slot
        if m.lv_story[slot] == 0 and (
            oldest < 0
            or (m.lv_side[oldest] != 0 and (m.lv_side[slot] == 0 or m.lv_last_ns[slot] < m.lv_last_ns[oldest]))
        ):
            oldest = slot
    if oldest < 0:
        return -1
    clean_level(m, oldest)
    m.lv_tick[oldest], m.lv_side[oldest], m.lv_since_ns[oldest] = tick, side, recv_ns
    m.lv_last_ns[oldest] = NONE
    return oldest


@part
def forget_levels(m: Any) -> None:
    """Forget every price, and what waits for depth."""
    for slot in range(LEVELS):
        if m.lv_side[slot] != 0:
            clean_level(m, slot)
    for n in range(NATIVES):
        m.no_id[n] = NONE
    for n in range(CHAIN_SETS * WAYS):
        m.ch_id[n] = NONE
    for n in range(LINKS):
        m.lk_lots[n] = 0
    m.touched_n = m.before_n = m.q_n = m.u_n = m.update_open = m.inexact = m.natives = 0
    m.gone_lots = m.come_lots = 0
    m.last_update_ns = NONE


@part
def grade_of(refills: int) -> int:
    """1 from the first refill, 2 from the 6th, 3 from the 20th."""
    return 3 if refills >= 20 else (2 if refills >= 6 else 1)


# -- stories --------------------------------------------------------------------------------------


@part
def open_story(
    m: Any, board: Any, slot: int, method: int, seq: int, now_ns: int, peak: int, refills: int, hidden: int,
    executed: int, score: float, lots: int,
) -> int:  # fmt: skip
    """Begin a story about a price, told with this row; -1 where too many run."""
    place = -1
    for n in range(HELD):
        if m.st_state[n] == IDLE:
            place = n
            break
    if place < 0:
        return -1
    m.keys += 1
    m.stories_n += 1
    m.top = max(m.top, place + 1)
    m.lv_story[slot] = place + 1
    m.st_state[place], m.st_tell[place], m.st_slot[place], m.st_method[place] = RUNNING, TELL_CONFIRM, slot, method
    m.telling += 1
    m.st_side[place], m.st_tick[place], m.st_key[place] = m.lv_side[slot], m.lv_tick[slot], m.keys
    m.st_refills[place], m.st_peak[place], m.st_hidden[place], m.st_executed[place] = refills, peak, hidden, executed
    m.st_score[place], m.st_queue[place], m.st_reason[place] = score, lots, 0
    m.st_grade[place] = grade_of(refills)
    m.st_since[place], m.st_refill_ns[place], m.st_trade_ns[place], m.st_gone_ns[place] = 0, now_ns, now_ns, NONE
    m.st_first_ns[place] = now_ns
    m.st_owner[place], m.st_hits[place] = NONE, m.lv_hits[slot]
    m.st_episodes[place], m.st_refilled[place] = m.lv_episodes[slot], m.lv_refilled[slot]
    m.st_detect[place], m.st_delay[place] = m.lv_detect[slot], 0
    m.st_left[place], m.st_left_low[place], m.st_left_high[place] = LEFT_UNKNOWN, LEFT_UNKNOWN, LEFT_UNKNOWN
    at = board.stories % STORIES
    board.stories += 1
    m.st_board[place] = at
    board.what[at], board.key[at], board.side[at], board.tick[at] = (
        B_ICEBERG, m.keys, m.lv_side[slot], m.lv_tick[slot],
    )  # fmt: skip
    board.from_seq[at], board.to_seq[at] = seq, FOREVER
    return place


@part
def refill_story(m: Any, n: int, lots: int, hidden: int, now_ns: int, score: float) -> None:
    """Count one more refill of a running story."""
    m.st_refills[n] += 1
    m.st_hidden[n] += hidden
    m.st_peak[n] = lots
    m.st_since[n] = 0
    m.st_refill_ns[n] = now_ns
    m.st_gone_ns[n] = NONE
    m.st_score[n] = max(m.st_score[n], score)
    grade = grade_of(m.st_refills[n])
    if grade > m.st_grade[n]:
        m.st_grade[n] = grade
        if m.st_tell[n] == 0:
            m.st_tell[n] = TELL_RAISE
            m.telling += 1


@part
def end_story(m: Any, board: Any, n: int, reason: int, seq: int, cool_ns: int) -> None:
    """End a running story, told with this row."""
    m.st_state[n] = OVER
    m.st_reason[n] = reason
    m.telling += 1 if m.st_tell[n] == 0 else 0
    m.st_tell[n] = (m.st_tell[n] & TELL_CONFIRM) | TELL_CLEAR
    slot = m.st_slot[n]
    m.lv_story[slot] = 0
    m.lv_cool_ns[slot] = m.now_ns + cool_ns
    m.lv_hits[slot], m.lv_hidden[slot], m.lv_score[slot] = 0, 0, 0.0
    m.lv_episodes[slot], m.lv_refilled[slot], m.lv_detect[slot] = 0, 0, 0.0
    at = m.st_board[n]
    if board.key[at] == m.st_key[n]:
        board.to_seq[at] = max(seq, board.from_seq[at] + 1)


@part
def of_left(lots: int) -> float:
    """What is left as evidence has it: not a number where it is unknown."""
    return float(lots) if lots != LEFT_UNKNOWN else math.nan


@part
def tell_one(m: Any, alert: Any, seq: int, recv_ns: int, exch_ns: int, i: int) -> int:
    """Write the next alert that is due; give 1, 0 where nothing is due."""
    for n in range(m.top):
        tell = m.st_tell[n]
        if tell == 0:
            continue
        bit = tell & -tell
        m.st_tell[n] = tell - bit
        m.telling -= 1 if tell == bit else 0
        phase = CONFIRMED if bit == TELL_CONFIRM else (RAISED if bit == TELL_RAISE else CLEARED)
        alert.seq, alert.recv_ns, alert.exch_ns, alert.row = seq, recv_ns, exch_ns, i
        alert.key, alert.side, alert.phase, alert.method = m.st_key[n], m.st_side[n], phase, m.st_method[n]
        alert.reason = m.st_reason[n] if phase == CLEARED else 0
        alert.tick, alert.tick_to, alert.lots = m.st_tick[n], m.st_tick[n], m.st_executed[n]
        alert.score, alert.grade = m.st_score[n], m.st_grade[n]
        alert.v0, alert.v1, alert.v2 = float(m.st_refills[n]), float(m.st_peak[n]), float(m.st_hidden[n])
        alert.v3, alert.v4 = float(m.st_executed[n]), m.st_score[n]
        alert.v5, alert.v6, alert.v7 = of_left(m.st_left[n]), of_left(m.st_left_low[n]), of_left(m.st_left_high[n])
        alert.v8, alert.v9 = m.st_detect[n], float(m.st_queue[n])
        alert.v10, alert.v11 = float(m.st_hits[n]), float(m.st_episodes[n])
        alert.v12, alert.v13 = float(m.st_refilled[n]), float(m.st_delay[n])
        alert.v14 = (recv_ns - m.st_first_ns[n]) / 1e9
        if phase == CLEARED:
            m.st_state[n] = IDLE
            m.stories_n -= 1
            while m.top > 0 and m.st_state[m.top - 1] == IDLE:
                m.top -= 1
        return 1
    return 0


@part
def next_random(m: Any) -> int:
    """Draw 31 bits: a linear congruence, so that a permuted run is the same everywhere."""
    m.random = (m.random * 1_103_515_245 + 12_345) & 0x7FFFFFFF
    return m.random >> 8


@part
def octave(value: int) -> int:
    """The place of a number's highest bit, 0 for numbers below 2."""
    return high_bit(value) if value > 1 else 0
