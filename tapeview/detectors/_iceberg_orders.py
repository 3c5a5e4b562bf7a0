"""Native icebergs: orders that execute or show more than what was displayed of them, known by their id.

What such orders executed in the end is kept, in peaks of each, cancelled ones as censored, for the estimate of survival
by E. L. Kaplan and P. Meier (J. Amer. Statist. Assoc. 53, 1958): how much of a running one is probably left.
"""

from __future__ import annotations

from typing import Any

from feeds.events import CANCEL, FILL, MODIFY, NO_BOOK, NONE
from tapeview.detectors._estimate import size_bucket
from tapeview.detectors._iceberg_memory import (
    EATEN,
    LEFT_UNKNOWN,
    NATIVE,
    NATIVES,
    PEAKS,
    PULLED,
    RUNNING,
    SIZE_ROWS,
    WAYS,
    end_story,
    octave,
    open_story,
    refill_story,
    take_level,
)
from tapeview.engine._jit import part


@part
def native_slot(m: Any, number: int) -> int:
    """Give the slot of an order that was refilled, -1 where it has none."""
    base = ((number ^ (number >> 7)) & (NATIVES // WAYS - 1)) * WAYS
    for n in range(base, base + WAYS):
        if m.no_id[n] == number:
            return n
    return -1


@part
def take_native(m: Any, number: int, recv_ns: int) -> int:
    """Give the slot of an order that is refilled, that of the one refilled longest ago where it has none."""
    base = ((number ^ (number >> 7)) & (NATIVES // WAYS - 1)) * WAYS
    oldest = base
    for n in range(base, base + WAYS):
        if m.no_id[n] == number:
            return n
        if m.no_id[oldest] != NONE and (m.no_id[n] == NONE or m.no_ns[n] < m.no_ns[oldest]):
            oldest = n
    m.natives += 1 if m.no_id[oldest] == NONE else 0
    m.no_id[oldest], m.no_ns[oldest] = number, recv_ns
    m.no_refills[oldest], m.no_hidden[oldest], m.no_peak[oldest], m.no_executed[oldest] = 0, 0, 0, 0
    return oldest


# -- how much is left -----------------------------------------------------------------------------


@part
def in_peaks(executed: int, peak: int) -> int:
    """The row of the table of survival: so many sixteenths of a peak, above 31 of them in steps of 6 %."""
    return min(size_bucket(max(executed * 16 // max(peak, 1), 1)), SIZE_ROWS - 1)


@part
def count_life(m: Any, peak: int, executed: int, ended: int) -> None:
    """Keep what an iceberg executed, in its peaks: until its end, or until it was taken back."""
    if executed <= 0:
        return
    place = in_peaks(executed, peak)
    for which in (min(octave(peak), PEAKS - 1), PEAKS):
        if ended != 0:
            m.km_ended[which, place] += 1
            m.km_n[which] += 1
        else:
            m.km_cut[which, place] += 1


@part
def lots_of_bucket(place: int) -> int:
    """The least size of a bucket."""
    if place < 16:
        return place
    return (16 + (place & 15)) << ((place >> 4) - 1)


@part
def estimate_left(m: Any, limit: Any, s: int, peak: int, executed: int) -> None:
    """Put median and quartiles of what is left of an iceberg that executed so much into its story, LEFT_UNKNOWN where
    too few have ended or none has executed more.

    Totals are compared in peaks, with those of icebergs of the same octave of peaks where enough of them have ended,
    else with all: how many tranches an owner has left says more than how many lots others had.
    """
    m.st_left[s], m.st_left_low[s], m.st_left_high[s] = LEFT_UNKNOWN, LEFT_UNKNOWN, LEFT_UNKNOWN
    which = min(octave(peak), PEAKS - 1)
    if m.km_n[which] < limit.km_min_completed:
        which = PEAKS
    if m.km_n[which] < limit.km_min_completed:
        return
    start = in_peaks(executed, peak)
    at_risk, further = 0, 0
    for place in range(start + 1, SIZE_ROWS):
        at_risk += m.km_ended[which, place] + m.km_cut[which, place]
        further += m.km_ended[which, place]
    if further == 0:
        return
    alive = 1.0
    last = 0
    low, median, high = -1, -1, -1
    for place in range(start + 1, SIZE_ROWS):
        ended, cut = m.km_ended[which, place], m.km_cut[which, place]
        if ended > 0:
            alive *= 1.0 - ended / at_risk
            last = -(-lots_of_bucket(place) * peak // 16) - executed
            if low < 0 and alive <= 0.75:
                low = last
            if median < 0 and alive <= 0.5:
                median = last
            if high < 0 and alive <= 0.25:
                high = last
        at_risk -= ended + cut
        if at_risk <= 0:
            break
    m.st_left_low[s] = last if low < 0 else low
    m.st_left[s] = last if median < 0 else median
    m.st_left_high[s] = last if high < 0 else high


@part
def note_refill(m: Any, board: Any, limit: Any, row: Any, number: int, slot: int) -> None:
    """An order at a price was refilled."""
    if slot < 0:
        return
    n = take_native(m, number, row.recv_ns)
    shown = row.now - row.was + row.order_was if row.kind == MODIFY else row.order_was
    shown = row.lots if row.kind == MODIFY else shown
    m.no_refills[n] += 1
    m.no_hidden[n] += row.refill
    m.no_peak[n] = max(m.no_peak[n], shown)
    m.no_executed[n] = row.executed
    m.no_ns[n] = row.recv_ns
    s = m.lv_story[slot] - 1
    if s < 0:
        if row.warm == 0 or limit.rule != 0:
            return
        s = open_story(
            m, board, slot, NATIVE, row.seq, row.recv_ns, shown, m.no_refills[n], m.no_hidden[n], row.executed,
            float(m.no_refills[n]), row.now,
        )  # fmt: skip
        if s < 0:
            return
    else:
        refill_story(m, s, shown, row.refill, row.recv_ns, float(m.st_refills[s] + 1))
        m.st_queue[s] = row.now
    m.st_owner[s] = number
    m.st_executed[s] = max(m.st_executed[s], row.executed)
    estimate_left(m, limit, s, m.no_peak[n], row.executed)


@part
def left_price(m: Any, board: Any, limit: Any, row: Any, number: int) -> None:
    """An order was moved: a story it carried ends."""
    for s in range(m.top):
        if m.st_owner[s] == number and m.st_state[s] == RUNNING:
            end_story(m, board, s, PULLED, row.seq, limit.dup_s * 1_000_000_000)


@part
def native_row(m: Any, board: Any, limit: Any, row: Any, number: int) -> None:
    """Look at a MODIFY, FILL or CANCEL of an order: was it refilled, has it ended, did it go elsewhere."""
    if row.refill > 0:
        slot = take_level(m, row.side, row.tick, row.recv_ns)
        near = (
            slot >= 0 and m.lv_fill_ns[slot] != NONE and row.recv_ns - m.lv_fill_ns[slot] <= limit.native_ms * 1_000_000
        )
        if row.kind != MODIFY or near:
            note_refill(m, board, limit, row, number, slot)
    if row.kind == MODIFY:
        if row.from_tick != NONE:
            left_price(m, board, limit, row, number)
        return
    if m.natives == 0 and m.top == 0:
        return
    if row.kind == FILL and (row.marks & NO_BOOK != 0 or row.lots < row.order_was):
        return
    if row.kind == CANCEL and row.lots < row.order_was:
        return
    executed = row.kind == FILL or m.fill_id == number
    n = native_slot(m, number)
    if n >= 0:
        count_life(m, m.no_peak[n], row.executed, 1 if executed else 0)
        m.no_id[n] = NONE
        m.natives -= 1
    for s in range(m.top):
        if m.st_owner[s] == number and m.st_state[s] == RUNNING and (m.st_method[s] == NATIVE or not executed):
            m.st_executed[s] = max(m.st_executed[s], row.executed)
            end_story(m, board, s, EATEN if executed else PULLED, row.seq, limit.dup_s * 1_000_000_000)
