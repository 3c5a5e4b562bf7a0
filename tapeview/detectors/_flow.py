"""What detectors of flow share: order flow at the touch, signed volume, relative volume; collected per 100 ms.

`fields()` gives a memory what `hear` and `flush` need. Rows of one receive time are one change of the touch, so that
what happens inside a venue message is not counted. Flow goes into plain sums until a CLOCK row, where the detector
moves them into its windows; per event nothing is divided and nothing is searched.

Detectors that look at the flow on CLOCK rows only share one pass: `collect` walks the rows and writes a MOMENT for each
that is news of time, validity or facts, and they take up those with `take_moment`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from feeds.events import CLOCK, FACT, FLOW_PRINTS, NONE, S_LIVE, TRADE
from tapeview.engine._jit import inlined, kernel, part, table
from tapeview.engine.frame import IS_EVENT, IS_FACT, IS_TOUCH, IS_TRADE

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
DAY_MINUTES: Final = 1440
SESSIONS: Final = 5
"""Days that the curve of a minute must know before it is used."""
MOST_SESSIONS: Final = 14


COLLECTED: Final = IS_TOUCH | IS_TRADE | IS_EVENT | IS_FACT
"""News of the rows that `collect` walks."""
MOMENTS: Final = IS_EVENT | IS_FACT
"""News of the rows that have a MOMENT; a detector that takes them up reads just these."""
MOMENT: Final = np.dtype(
    [
        (name, "i8")
        for name in (
            "bid", "bid_lots", "ask", "ask_lots", "known", "epoch", "since_ns", "lost", "ofi", "buy", "sell", "none",
            "most",
        )
    ]
)  # fmt: skip
"""The flow as it stands at a row: the touch whose changes are counted, and sums since the last CLOCK row before it."""
moment = table("moment", MOMENT)


def fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields of the flow at the touch."""
    return tuple(
        (name, "i8")
        for name in (
            "q_bid", "q_bid_lots", "q_ask", "q_ask_lots", "q_known",
            "n_bid", "n_bid_lots", "n_ask", "n_ask_lots", "n_open", "n_ns",
            "q_epoch", "q_since_ns", "q_lost", "a_ofi", "a_buy", "a_sell", "a_none", "a_most",
        )
    )  # fmt: skip


def curve_fields() -> tuple[tuple[Any, ...], ...]:
    """The memory fields of relative volume."""
    return (
        ("r_minute", "i8"), ("r_whole", "i8"), ("r_lots", "i8"), ("r_mean", "f8"), ("r_n", "i8"),
        ("r_curve", "f8", (DAY_MINUTES,)), ("r_days", "i8", (DAY_MINUTES,)),
    )  # fmt: skip


# -- the touch ------------------------------------------------------------------------------------


@inlined
def order_flow(
    bid_was: int, bid_lots_was: int, ask_was: int, ask_lots_was: int, bid: int, bid_lots: int, ask: int, ask_lots: int
) -> int:  # fmt: skip
    """Net lots added to the bid less the ask by one change of the touch.

    R. Cont, A. Kukanov, S. Stoikov, The price impact of order book events, Journal of Financial Econometrics 12(1),
    2014, equation 4.
    """
    flow = 0
    if bid >= bid_was:
        flow += bid_lots
    if bid <= bid_was:
        flow -= bid_lots_was
    if ask <= ask_was:
        flow -= ask_lots
    if ask >= ask_was:
        flow += ask_lots_was
    return flow


@inlined
def settle(m: Any) -> None:
    """Count the change of the touch that has ended."""
    m.n_open = 0
    if m.q_known != 0 and NONE not in (m.n_bid, m.n_ask):
        m.a_ofi += order_flow(
            m.q_bid, m.q_bid_lots, m.q_ask, m.q_ask_lots, m.n_bid, m.n_bid_lots, m.n_ask, m.n_ask_lots
        )
    m.q_bid = m.n_bid
    m.q_bid_lots = m.n_bid_lots
    m.q_ask = m.n_ask
    m.q_ask_lots = m.n_ask_lots
    m.q_known = 0 if NONE in (m.n_bid, m.n_ask) else 1


@inlined
def hear(m: Any, row: Any) -> None:
    """Take in what a row says of the touch, a print and the book's validity.

    Call `settle` before where a change is open and the row has another receive time. `q_lost` counts the times that
    memory of the book had to be dropped; whoever reads it sets it back to 0.
    """
    if row.epoch != m.q_epoch or m.q_since_ns == 0:
        if m.q_since_ns != 0:
            m.q_lost += 1
        m.q_epoch = row.epoch
        m.q_since_ns = row.recv_ns
        m.q_known = 0
        m.n_open = 0
    if row.kind == TRADE:
        if (FLOW_PRINTS >> row.print) & 1 != 0:
            lots = row.lots
            if row.side > 0:
                m.a_buy += lots
            elif row.side < 0:
                m.a_sell += lots
            else:
                m.a_none += lots
            m.a_most = max(m.a_most, lots)
    elif row.state == S_LIVE:
        m.n_bid = row.bid
        m.n_bid_lots = row.bid_lots
        m.n_ask = row.ask
        m.n_ask_lots = row.ask_lots
        m.n_ns = row.recv_ns
        m.n_open = 1
    else:
        m.q_known = 0
        m.n_open = 0


# -- one pass for several -------------------------------------------------------------------------

FLOW: Final = np.dtype([("walked", "i8"), *fields()])
"""The memory of `collect`; no beginning of any detector's, which the compiler would take for the same."""


@kernel
def collect(frame: Any, news: Any, rows: Any, board: Any, memory: Any) -> None:
    """Count the flow of a batch, and write the moments of the rows that have one, in order."""
    m, b = memory[0], board[0]
    m.walked += len(rows)
    n = 0
    for at in range(len(rows)):
        i = rows[at]
        row = frame[i]
        kind = row.kind
        if m.n_open != 0 and row.recv_ns != m.n_ns:
            settle(m)
        if kind != FACT and (kind != CLOCK or row.epoch != m.q_epoch or row.state != S_LIVE):
            hear(m, row)
        if news[i] & MOMENTS == 0:
            continue
        now = moment(b, n)
        n += 1
        now.bid, now.bid_lots, now.ask, now.ask_lots = m.q_bid, m.q_bid_lots, m.q_ask, m.q_ask_lots
        now.known, now.epoch, now.since_ns, now.lost = m.q_known, m.q_epoch, m.q_since_ns, m.q_lost
        now.ofi, now.buy, now.sell, now.none, now.most = m.a_ofi, m.a_buy, m.a_sell, m.a_none, m.a_most
        m.q_lost = 0
        if kind == CLOCK:
            m.a_ofi = m.a_buy = m.a_sell = m.a_none = m.a_most = 0


@part
def take_moment(m: Any, b: Any, at: int) -> None:
    """Take up the moment of the row that is the `at`th a detector of MOMENTS reads."""
    now = moment(b, at)
    m.q_bid, m.q_bid_lots, m.q_ask, m.q_ask_lots = now.bid, now.bid_lots, now.ask, now.ask_lots
    m.q_known, m.q_epoch, m.q_since_ns, m.q_lost = now.known, now.epoch, now.since_ns, now.lost
    m.a_ofi, m.a_buy, m.a_sell, m.a_none, m.a_most = now.ofi, now.buy, now.sell, now.none, now.most


@part
def forget(m: Any, windows: int, cells: int) -> None:
    """Empty the sliding sums 0 to `windows` - 1."""
    for k in range(windows):
        m.w_sum[k] = 0
        for cell in range(cells):
            m.w_lots[k, cell] = 0


# -- relative volume ------------------------------------------------------------------------------


@part
def count_volume(m: Any, now_ns: int, lots: int, minute_ns: int, half_life: float) -> None:
    """Add the volume of the 100 ms that end at a time to its minute; learn from a minute when it has ended.

    A minute may be of another length, but then nothing is learnt of the time of day.
    """
    minute = (now_ns - 1) // minute_ns
    if minute != m.r_minute:
        if m.r_whole != 0:
            volume = float(m.r_lots)
            for _ in range(min(minute - m.r_minute, 5)):
                m.r_n += 1
                weight = 1.0 - 0.5 ** (1.0 / half_life)
                if m.r_n * weight < 1.0:
                    weight = 1.0 / m.r_n
                m.r_mean += weight * (volume - m.r_mean)
                volume = 0.0
            if minute_ns == MINUTE_NS:
                at = m.r_minute % DAY_MINUTES
                m.r_days[at] += 1
                m.r_curve[at] += (m.r_lots - m.r_curve[at]) / min(m.r_days[at], MOST_SESSIONS)
        m.r_whole = 1 if m.r_minute != 0 else 0
        m.r_minute = minute
        m.r_lots = 0
    m.r_lots += lots


@part
def relative_volume(m: Any, now_ns: int, lots: int, least_minutes: int) -> float:
    """Lots of the last minute over what is usual; 0 while too little is known.

    Usual is the mean of this minute of the day over up to 14 days (C. Zarattini, A. Barbon, A. Aziz, A profitable day
    trading strategy for the U.S. equity market, 2024) once 5 are known, before that the running mean of today.
    """
    at = (now_ns - 1) // MINUTE_NS % DAY_MINUTES
    if m.r_days[at] >= SESSIONS and m.r_curve[at] > 0.0:
        return lots / m.r_curve[at]
    if m.r_n < least_minutes or m.r_mean <= 0.0:
        return 0.0
    return lots / m.r_mean


@part
def knows_days(m: Any, now_ns: int) -> int:
    """Say whether relative volume at a time is against earlier days."""
    return 1 if m.r_days[(now_ns - 1) // MINUTE_NS % DAY_MINUTES] >= SESSIONS else 0


# -- medians --------------------------------------------------------------------------------------


@part
def follow_median(median: int, value: int) -> int:
    """Move a running median of values above 0, in 1/16, one step towards a value; 0 means none is known yet."""
    seen = value * 16
    if median == 0:
        return seen
    step = (median >> 6) + 1
    if seen > median:
        return min(median + step, seen)
    if seen < median:
        return max(median - step, seen)
    return median


# -- words ----------------------------------------------------------------------------------------

ROOM: Final = 78
"""Columns of an alert's words that leave room for its score and tier."""


def fit(*texts: str) -> str:
    """The first text that leaves room for score and tier; the last where none does, cut to fit."""
    return next((text for text in texts if len(text) <= ROOM), texts[-1][:ROOM])
