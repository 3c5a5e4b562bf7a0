"""Take a Snapshot of an engine: copy what one frame of screen needs, and nothing that can change later."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feeds.events import NONE
from feeds.instruments import Instrument
from tapeview import format as write
from tapeview.engine import Engine
from tapeview.format import Scale
from tapeview.gaplog import Hole
from tapeview.snapshot import (
    HOLE_ROW,
    ROW_ALERT_ASK,
    ROW_ALERT_BID,
    ROW_ALERT_EXTREME,
    ROW_ALERT_STRONG,
    ROW_BAND1,
    ROW_BAND2,
    ROW_BAND3,
    ROW_BEST_ASK,
    ROW_BEST_BID,
    ROW_HIGH,
    ROW_LAST,
    ROW_LOW,
    ROW_OFF_GRID,
    ROW_UNKNOWN_ASK,
    ROW_UNKNOWN_BID,
    ROW_VWAP,
    AlertsPart,
    ChartPart,
    DeskPart,
    Floats,
    Ints,
    LadderPart,
    MetersPart,
    Records,
    Snapshot,
    StatusPart,
    TapePart,
    Window,
)  # fmt: skip

_VALID_NS = 30 * 60 * 1_000_000_000
_NEWER_LIMIT = 5000
SPAN_STEPS_S: Final = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Spans that a chart takes, one after the other, while its session is younger than the one asked for."""


def take(
    engine: Engine,
    instrument: Instrument,
    window: Window,
    status: StatusPart,
    number: int = 0,
    alerts: AlertsPart | None = None,
    holes: tuple[Hole, ...] = (),
    desk: DeskPart | None = None,
) -> Snapshot:
    """Copy what the window asks for; `holes` are the newest ones of the stream, newest first."""
    scale = _scale(instrument)
    return Snapshot(
        number=number,
        window=window,
        scale=scale,
        status=status,
        ladder=ladder(engine, scale, window, alerts.active if alerts is not None else ()) if window.rows > 0 else None,
        tape=tape(engine, window, holes) if window.tape_rows > 0 else None,
        chart=chart(engine, scale, window, holes) if window.chart_columns > 0 else None,
        meters=meters(engine) if window.meters else None,
        alerts=alerts,
        desk=desk,
    )


@lru_cache(maxsize=64)
def _scale(instrument: Instrument) -> Scale:
    # One object for all pictures: every text that is kept is kept with its scale.
    return Scale.of(instrument)


def ladder(
    engine: Engine, scale: Scale, window: Window, active: Iterable[tuple[int, int, int, int]] = ()
) -> LadderPart:
    """The rows of the ladder, grouped: bids round down, asks up; `active` are alerts as an AlertsPart has them."""
    book, prints = engine.book, engine.tape
    n, group = window.rows, max(1, window.group)
    top = window.top if window.top is not None else _centre(engine, group) + n // 2
    low_group = top - n + 1
    # One group more below, because the lowest row's asks come from ticks under its own price.
    low, high = (low_group - 1) * group, (top + 1) * group
    bid_lots, ask_lots, bid_orders, ask_orders = book.rows(low, high)
    buy, sell, unknown = prints.volume(low, high)
    since = window.recent_from_ns
    if since is None:
        since = engine.recv_ns - window.recent_s * 1_000_000_000 if engine.recv_ns != NONE else 0
    bought, sold, covered = prints.recent(since, low, high)

    def floor(dense: Ints) -> Ints:
        return np.ascontiguousarray(dense[group:].reshape(n, group).sum(axis=1)[::-1])

    def ceil(dense: Ints) -> Ints:
        return np.ascontiguousarray(dense[1 : 1 + n * group].reshape(n, group).sum(axis=1)[::-1])

    ticks = np.arange(top, low_group - 1, -1, dtype=np.int64) * group
    columns = {
        "tick": ticks, "bid": floor(bid_lots), "ask": ceil(ask_lots), "bid_orders": floor(bid_orders),
        "ask_orders": ceil(ask_orders), "volume": floor(buy + sell + unknown),
        "sold": floor(sold), "bought": floor(bought),
    }  # fmt: skip
    marks = np.zeros(n, np.int64)
    best_bid, best_ask = book.best_bid, book.best_ask
    newest = prints.raw(2)
    last = newest[0] if len(newest) else None

    def mark(tick: float | None, bit: int, *, up: bool = False) -> None:
        if tick is None or not math.isfinite(tick):
            return
        row = top - (math.ceil(tick / group) if up else math.floor(tick / group))
        if 0 <= row < n:
            marks[row] |= bit

    mark(best_bid, ROW_BEST_BID)
    mark(best_ask, ROW_BEST_ASK, up=True)
    mark(prints.high, ROW_HIGH)
    mark(prints.low, ROW_LOW)
    if last is not None:
        mark(int(last["tick"]), ROW_LAST)
    value = engine.vwap.value(_slot(engine, window))
    if value is not None and value.lots:
        mark(round(value.vwap), ROW_VWAP)
        for k, bit in ((1, ROW_BAND1), (2, ROW_BAND2), (3, ROW_BAND3)):
            mark(round(value.vwap + k * value.sigma), bit)
            mark(round(value.vwap - k * value.sigma), bit)
    for side, tick, tick_to, grade in active:
        _mark_alert(marks, top, group, side, (tick, tick_to), grade)
    known_from, known_to = book.known
    # Above the best bid there is none, wherever the market has gone since the snapshot; asks likewise.
    if known_from is not None:
        marks[ticks + group - 1 < min(known_from, best_bid if best_bid is not None else known_from)] |= ROW_UNKNOWN_BID
    if known_to is not None:
        marks[ticks - group + 1 > max(known_to, best_ask if best_ask is not None else known_to)] |= ROW_UNKNOWN_ASK
    labels = _labels(scale, top, n, group)
    columns["marks"] = marks
    columns, labels = _off_grid(engine, scale, columns, labels, low, high, n) if group == 1 else (columns, labels)
    sizes = np.concatenate([columns["bid"], columns["ask"]])
    sizes = sizes[sizes > 0]
    volumes = columns["volume"]
    return LadderPart(
        top=top,
        group=group,
        label=labels,
        best_bid=best_bid,
        best_ask=best_ask,
        last_tick=int(last["tick"]) if last is not None else None,
        last_direction=int(np.sign(newest[0]["tick"] - newest[1]["tick"])) if len(newest) > 1 else 0,
        last_lots=int(last["lots"]) if last is not None else 0,
        last_side=int(last["side"]) if last is not None else 0,
        last_ns=int(last["recv_ns"]) if last is not None else 0,
        bar_lots=_full_bar(sizes),
        volume_bar=int(volumes.max(initial=0)),
        recent_since_ns=int(covered),
        has_orders=bool(book.has_orders),
        **columns,
    )


def _mark_alert(marks: Ints, top: int, group: int, side: int, zone: tuple[int, int], grade: int) -> None:
    low, high = min(zone), max(zone)
    if side < 0:
        first, last = top - -(-high // group), top - -(-low // group)
    else:
        first, last = top - high // group, top - low // group
    bits = ROW_ALERT_BID if side > 0 else ROW_ALERT_ASK
    bits |= ROW_ALERT_EXTREME if grade > 2 else ROW_ALERT_STRONG if grade > 1 else 0
    marks[max(0, first) : max(0, last + 1)] |= bits


@lru_cache(maxsize=64)
def _labels(scale: Scale, top: int, rows: int, group: int) -> tuple[str, ...]:
    return tuple(write.ladder_price(scale, row * group) for row in range(top, top - rows, -1))


def _full_bar(sizes: Ints) -> int:
    # The 95th percentile between its neighbours; numpy's own takes ten times as long on some dozens of values.
    if not len(sizes):
        return 0
    ordered = np.sort(sizes)
    place = 0.95 * (len(ordered) - 1)
    low = int(place)
    below, above = int(ordered[low]), int(ordered[min(low + 1, len(ordered) - 1)])
    return below + int((above - below) * (place - low))


def _slot(engine: Engine, window: Window) -> int:
    """The anchor asked for, or the session's where that one is gone."""
    return window.anchor if any(a.slot == window.anchor for a in engine.vwap.anchors()) else 0


def _centre(engine: Engine, group: int) -> int:
    bid, ask = engine.book.best_bid, engine.book.best_ask
    if bid is not None and ask is not None:
        return (bid + ask) // 2 // group
    if bid is not None or ask is not None:
        return int(bid if bid is not None else ask or 0) // group
    newest = engine.tape.raw(1)
    return int(newest[0]["tick"]) // group if len(newest) else 0


def _off_grid(
    engine: Engine, scale: Scale, columns: dict[str, Ints], labels: tuple[str, ...], low: int, high: int, n: int
) -> tuple[dict[str, Ints], tuple[str, ...]]:
    """Put every level between ticks on a row of its own, just above the tick below it."""
    bids, asks = engine.book.off_grid(low + 1, high)
    names = list(labels)
    rows = sorted(
        [(int(v["fine"]), "bid", v) for v in bids] + [(int(v["fine"]), "ask", v) for v in asks], key=lambda r: r[0]
    )
    for fine, side, level in rows:
        row = int(np.searchsorted(-columns["tick"], -int(level["tick"])))
        values = dict.fromkeys(columns, 0) | {
            "tick": int(level["tick"]), side: int(level["lots"]), f"{side}_orders": int(level["orders"]),
            "marks": ROW_OFF_GRID,
        }  # fmt: skip
        for key, value in values.items():
            columns[key] = np.insert(columns[key], row, value)[:n]
        names.insert(row, write.spaced(scale.price.fine_text(fine)))
    return columns, tuple(names[:n])


def tape(engine: Engine, window: Window, holes: tuple[Hole, ...] = ()) -> TapePart:
    """The newest prints that pass the filter, unfolded where asked, with the holes between them."""
    view = engine.tape
    merged = view.prints(window.tape_rows, min_lots=window.tape_min_lots, until=window.tape_until)
    if not window.tape_merged:
        rows = view.raw(window.tape_rows, until=window.tape_until)
        rows = rows[rows["lots"] >= window.tape_min_lots]
        depth = np.zeros(len(rows), np.int8)
    elif window.tape_unfold and len(merged):
        pieces, depths = [], []
        for at in range(len(merged)):
            pieces.append(merged[at : at + 1])
            depths.append(np.zeros(1, np.int8))
            if int(merged[at]["seq"]) in window.tape_unfold and merged[at]["count"] > 1:
                raw = view.raw_of(merged[at])
                pieces.append(raw)
                depths.append(np.ones(len(raw), np.int8))
        rows = np.concatenate(pieces)[: window.tape_rows]
        depth = np.concatenate(depths)[: window.tape_rows]
    else:
        rows, depth = merged, np.zeros(len(merged), np.int8)
    newer = 0
    if window.tape_until is not None:
        newest = view.prints(_NEWER_LIMIT, min_lots=window.tape_min_lots)
        newer = int(np.count_nonzero(newest["seq"] > window.tape_until))
    rows, depth, shown = _with_holes(rows.copy(), depth, window, holes)
    return TapePart(
        prints=rows,
        depth=depth,
        newer=newer,
        min_lots=window.tape_min_lots,
        big_lots=view.big_lots or 0,
        per_minute=int(view.meter(60).prints),
        shown_lots=int(merged["lots"].sum()),
        holes=shown,
    )


def _with_holes(
    rows: Records, depth: NDArray[np.int8], window: Window, holes: tuple[Hole, ...]
) -> tuple[Records, NDArray[np.int8], dict[int, Hole]]:
    shown: dict[int, Hole] = {}
    for hole in holes:
        if window.tape_until is not None and hole.seq > window.tape_until:
            continue
        older = np.flatnonzero((depth == 0) & (rows["seq"] < hole.seq))
        if not len(older) and len(rows) >= window.tape_rows:
            break  # it lies below what is shown, and so do the earlier ones
        at = int(older[0]) if len(older) else len(rows)
        line = np.zeros(1, rows.dtype)
        line["seq"] = line["last_seq"] = hole.seq
        line["recv_ns"] = hole.at_ns
        rows = np.concatenate([rows[:at], line, rows[at:]])[: window.tape_rows]
        depth = np.concatenate([depth[:at], np.array([HOLE_ROW], np.int8), depth[at:]])[: window.tape_rows]
        shown[hole.seq] = hole
    return rows, depth, shown


def chart(engine: Engine, scale: Scale, window: Window, holes: tuple[Hole, ...] = ()) -> ChartPart:
    """Price, VWAP and bands in as many columns as the panel has, broken where the stream was."""
    columns, slot = window.chart_columns, _slot(engine, window)
    end = engine.recv_ns if engine.recv_ns != NONE else 0
    span_s = _span_s(window.chart_s, end - engine.tape.first_ns if engine.tape.first_ns != NONE else None)
    column_ns = max(1, span_s * 1_000_000_000 // columns)
    # Columns start at multiples of their length, so that a column does not change its content as time goes on.
    start = (end // column_ns - columns + 1) * column_ns
    seconds = 1 if span_s <= 7200 else 60
    bars = engine.tape.bars(span_s // seconds + 2, seconds=seconds)
    if slot:
        bars = _anchored(engine, bars, slot)
    bars = bars[bars["start_ns"] >= start]
    blank = np.full(columns, np.nan)
    close, high, low, vwap, sigma = (blank.copy() for _ in range(5))
    gap = np.zeros(columns, np.bool_)
    if len(bars):
        column = np.minimum((bars["start_ns"] - start) // column_ns, columns - 1)
        first = np.flatnonzero(np.diff(column, prepend=-1))
        final = np.append(first[1:], len(bars)) - 1
        where = column[first]
        traded = bars["volume"] > 0
        high[where] = np.maximum.reduceat(np.where(traded, bars["high"], -np.inf), first)
        low[where] = np.minimum.reduceat(np.where(traded, bars["low"], np.inf), first)
        high[~np.isfinite(high)] = np.nan
        low[~np.isfinite(low)] = np.nan
        close[where] = bars["close"][final]
        vwap[where] = bars["vwap"][final]
        sigma[where] = bars["sigma"][final]
        gap[where] = np.logical_or.reduceat(bars["gap"] != 0, first)
        for hole in holes:
            until = end if hole.until_ns is None else hole.until_ns
            inside = slice(max(0, (hole.since_ns - start) // column_ns + 1), max(0, (until - start) // column_ns))
            gap[inside] = True
            for line in (close, vwap, sigma, high, low):
                line[inside] = np.nan
        known = int((end - start) // column_ns) + 1
        for line in (close, vwap, sigma):
            _carry(line, int(where[0]), min(known, columns), gap)
    view = engine.vwap
    value = view.value(slot)
    names = {s: name for s, name, _ in view.anchors()}
    since = {s: ns for s, _, ns in view.anchors()}.get(slot, NONE)
    since = engine.tape.first_ns if since == NONE and slot == 0 else since
    if value is not None and value.lots <= 0:
        value = None
    grid = scale.price
    old = since != NONE and end - since >= _VALID_NS
    return ChartPart(
        start_ns=start,
        column_ns=column_ns,
        close=close,
        high=high,
        low=low,
        vwap=vwap,
        sigma=sigma,
        gap=gap,
        anchor=names.get(slot, "–"),
        anchor_slot=slot,
        anchors=tuple(names.values()),
        since_ns=None if since == NONE else since,
        vwap_now=value.vwap if value is not None else None,
        sigma_now=value.sigma if value is not None else None,
        z=view.z(slot) if value is not None else None,
        vwap_text=write.spaced(f"{grid.value(value.vwap):.{grid.decimals}f}") if value is not None else "–",
        sigma_text=f"{grid.value(value.sigma):.{grid.decimals}f}" if value is not None else "–",
        valid=value is not None and old and value.sigma >= 2,
    )


def _span_s(chosen_s: int, elapsed_ns: int | None) -> int:
    """The span chosen, or a shorter one that the prints so far fit; for 0 their time, in whole minutes."""
    if elapsed_ns is None:
        return chosen_s or 60
    elapsed_s = max(1, math.ceil(elapsed_ns / 1e9))
    if chosen_s <= 0:
        return 60 * math.ceil(elapsed_s / 60) if elapsed_s > 30 else 30
    return min(chosen_s, next((step for step in SPAN_STEPS_S if step >= elapsed_s), chosen_s))


def _anchored(engine: Engine, bars: Records, slot: int) -> Records:
    """The bars with an anchor's own VWAP and sigma, from the session's; for drawing, in floats."""
    now, mine = engine.vwap.value(0), engine.vwap.value(slot)
    bars = bars.copy()
    if now is None or mine is None or not len(bars):
        bars["vwap"] = bars["sigma"] = np.nan
        return bars
    # Moments about the session's mean, so that little is lost where large sums are subtracted.
    weight = now.lots - np.append(np.cumsum(bars["volume"][:0:-1])[::-1], 0).astype(np.float64)
    offset = bars["vwap"] - now.vwap
    first, second = offset * weight, (bars["sigma"] ** 2 + offset**2) * weight
    own = mine.vwap - now.vwap
    lots = weight - (now.lots - mine.lots)
    mean = (first + own * mine.lots) / np.where(lots > 0, lots, np.nan)
    square = (second - (now.sigma**2) * now.lots + (mine.sigma**2 + own**2) * mine.lots) / np.where(
        lots > 0, lots, np.nan
    )
    bars["vwap"] = now.vwap + mean
    bars["sigma"] = np.sqrt(np.maximum(square - mean**2, 0))
    return bars


def _carry(line: Floats, first: int, until: int, gap: np.ndarray) -> None:
    """Carry a value over quiet columns, never over a broken one."""
    for at in range(first + 1, until):
        if math.isnan(line[at]) and not gap[at]:
            line[at] = line[at - 1]


def meters(engine: Engine) -> MetersPart:
    """Pressure and pace as they are now."""
    view = engine.tape
    levels = engine.settings.imbalance_levels
    windows = [view.meter(s) for s in (5, 15, 60)]
    totals = view.totals
    elapsed_s = (engine.recv_ns - view.first_ns) / 1e9 if view.first_ns != NONE else 0.0
    usual = totals.trades / elapsed_s if elapsed_s >= 30 else None
    pace = [w.prints / s / usual if usual else None for w, s in zip(windows, (5, 15, 60), strict=True)]
    trades = [(w.buy - w.sell) / (w.buy + w.sell) if w.buy + w.sell else None for w in windows]
    bars = view.bars(300, seconds=1)
    return MetersPart(
        imbalance=engine.book.imbalance,
        levels=levels,
        trades=(trades[0], trades[1], trades[2]),
        pace=(pace[0], pace[1], pace[2]),
        pace_word=_pace_word(pace[1]),
        prints_s=(windows[0].prints, windows[1].prints, windows[2].prints),
        delta=totals.delta,
        cvd=_cvd(bars),
        buy=totals.buy,
        sell=totals.sell,
        volume=totals.volume,
        high=view.high,
        low=view.low,
    )


def _cvd(bars: Records) -> tuple[float, ...]:
    values = bars["cvd"][::-5][::-1].astype(np.float64)
    broken = np.flatnonzero(bars["gap"][::-1] > 0) // 5
    values[len(values) - 1 - broken] = math.nan
    return tuple(values.tolist())


def _pace_word(value: float | None) -> str:
    """Names of the pace, as precedent has them."""
    if value is None:
        return ""
    for limit, word in ((0.75, "quiet"), (1.25, "normal"), (2.0, "elevated")):
        if value < limit:
            return word
    return "surge"
