"""How a session looks in numbers, the same for a simulated and a real one, so that they can be put side by side.

Books are looked at every 100 ms of receive time once they are live. Prints of one instant and side count as one
taker, because some venues tell every fill and others the sum. Methods after Vyetrenko et al., "Get Real" (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import (
    ADD,
    ASK,
    BID,
    BOOK,
    CANCEL,
    CLEAR,
    CLOCK,
    FILL,
    FLOW_PRINTS,
    MODIFY,
    NO_BOOK,
    NONE,
    OFF_GRID,
    OFF_LOT,
    S_LIVE,
    STATUS,
    TRADE,
    Events,
)
from feeds.instruments import Instrument

LAGS: Final = (1, 2, 5, 10, 20, 50)
"""Lags of the autocorrelation of the takers' sides."""
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_LOOKS: Final = 10
"""Looks in a second."""
_REACHES: Final = (1, 10, 50)
_SHORTEST: Final = 100
_Floats = NDArray[np.float64]


class Figures(msgspec.Struct, kw_only=True):
    """What was measured; sizes in lots, distances in ticks, times in ms."""

    minutes: float
    price: float
    """Mean mid price in ticks."""
    spread_one: float
    """Share of looks with a spread of one tick."""
    spread: list[float]
    """Quantiles of the spread."""
    touch: list[float]
    """Quantiles of the lots at the best bid and ask."""
    near: list[float]
    """Mean lots a side within each of 1, 10 and 50 ticks of the touch, the touch included."""
    levels: list[float]
    """Mean count of levels a side within the same."""
    takers_minute: float
    lots_minute: float
    sizes: list[float]
    """Quantiles of a taker's lots."""
    gaps_ms: list[float]
    """Quantiles of the time between takers."""
    signs: list[float]
    """Autocorrelation of the takers' sides at LAGS; nan where all are on one side."""
    withdrawn: float
    """Share of the lots leaving the book that were taken back, not traded."""
    vol_1s: float
    """Root mean square of the mid price's change in a second."""
    vol_60s: float
    """The same in a minute, over windows that overlap."""
    still_1s: float
    """Share of seconds in which the mid price did not change."""
    book_rows_second: float


class _Book:
    """Levels of one instrument from its rows; off-grid rows are left out."""

    def __init__(self) -> None:
        self.levels: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
        self.orders: dict[int, tuple[int, int, int]] = {}
        self.left = 0
        self.live = False

    def apply(self, rows: Events) -> None:
        orders = self.orders
        fields = ("kind", "side", "tick", "lots", "ref", "aux", "marks")
        for kind, side, tick, lots, ref, aux, marks in zip(*(rows[f].tolist() for f in fields), strict=True):
            if kind == CLEAR:
                orders.clear()
                self.levels = {BID: {}, ASK: {}}
            elif kind == STATUS:
                self.live = aux == S_LIVE
            elif marks & (OFF_GRID | OFF_LOT):
                continue
            elif kind == BOOK:
                self._change(side, tick, lots - self.levels[side].get(tick, 0))
            elif kind == ADD:
                orders[ref] = side, tick, lots
                self._change(side, tick, lots)
            elif kind in (MODIFY, CANCEL, FILL) and ref in orders and not (kind == FILL and marks & NO_BOOK):
                old = orders.pop(ref)
                new = (side, tick, lots) if kind == MODIFY else (*old[:2], old[2] - lots if lots else 0)
                if new[2] > 0:
                    orders[ref] = new
                if new[:2] == old[:2]:
                    self._change(*old[:2], max(new[2], 0) - old[2])
                else:
                    self._change(*old[:2], -old[2])
                    self._change(*new)

    def _change(self, side: int, tick: int, more: int) -> None:
        level = self.levels[side]
        now = level.get(tick, 0) + more
        if now > 0:
            level[tick] = now
        else:
            level.pop(tick, None)
        if more < 0 and self.live:
            self.left -= more

    def look(self) -> list[float] | None:
        """Best bid, best ask, their lots, then per reach lots and levels of both sides."""
        bids, asks = self.levels[BID], self.levels[ASK]
        if not (self.live and bids and asks):
            return None
        bid, ask = max(bids), min(asks)
        out: list[float] = [bid, ask, bids[bid], asks[ask]]
        for reach in _REACHES:
            ticks = [t for t in range(bid, bid - reach, -1) if t in bids]
            others = [t for t in range(ask, ask + reach) if t in asks]
            out += [(sum(bids[t] for t in ticks) + sum(asks[t] for t in others)) / 2, (len(ticks) + len(others)) / 2]
        return out


def measure(batches: Iterable[Events], inst: int = 0) -> Figures:
    """Measure one instrument of a session; raise BadInput where there is no live book or hardly a trade."""
    book = _Book()
    looks: list[list[float]] = []
    trades: list[Events] = []
    first = last = changes = 0
    for batch in batches:
        rows = batch[(batch["inst"] == inst) | (batch["kind"] == CLOCK)]
        at = 0
        for clock in np.flatnonzero(rows["kind"] == CLOCK).tolist():
            book.apply(rows[at:clock])
            at = clock + 1
            if (seen := book.look()) is not None:
                looks.append(seen)
        book.apply(rows[at:])
        trades.append(rows[rows["kind"] == TRADE])
        changes += int(np.isin(rows["kind"], (BOOK, ADD, MODIFY, CANCEL, FILL)).sum())
        if len(batch):
            first, last = first or int(batch["recv_ns"][0]), int(batch["recv_ns"].max())
    tape = np.concatenate(trades) if trades else np.zeros(0)
    if len(looks) < _SHORTEST or len(tape) < _SHORTEST:
        raise BadInput("session", f"{len(looks)} looks, {len(tape)} trades", f"a live book and {_SHORTEST} trades")
    return _figures(np.array(looks), tape, book.left, (last - first) / 1e9, changes)


def _figures(looks: _Floats, tape: Events, left: int, seconds: float, changes: int) -> Figures:
    flow = tape[(FLOW_PRINTS >> tape["aux"] & 1 != 0) & (tape["marks"] & (OFF_GRID | OFF_LOT) == 0)]
    when = np.where(flow["exch_ns"] == NONE, flow["recv_ns"], flow["exch_ns"])
    new = np.ones(len(flow), dtype=bool)
    new[1:] = (np.diff(when) != 0) | (np.diff(flow["side"]) != 0)
    lots = np.add.reduceat(flow["lots"], np.flatnonzero(new))
    signs = flow["side"][new].astype(float)
    signs -= signs.mean()
    power = float((signs * signs).sum())
    mids = (looks[:, 0] + looks[:, 1]) / 2
    second, minute = mids[_LOOKS:] - mids[:-_LOOKS], mids[60 * _LOOKS :] - mids[: -60 * _LOOKS]
    spread = looks[:, 1] - looks[:, 0]
    return Figures(
        minutes=seconds / 60,
        price=float(mids.mean()),
        spread_one=float((spread == 1).mean()),
        spread=_quantiles(spread),
        touch=_quantiles(looks[:, 2:4].ravel()),
        near=[float(looks[:, 4 + 2 * i].mean()) for i in range(len(_REACHES))],
        levels=[float(looks[:, 5 + 2 * i].mean()) for i in range(len(_REACHES))],
        takers_minute=len(lots) / seconds * 60,
        lots_minute=float(lots.sum()) / seconds * 60,
        sizes=_quantiles(lots),
        gaps_ms=_quantiles(np.diff(when[new]) / 1e6),
        signs=[float((signs[:-k] * signs[k:]).sum()) / power if power else float("nan") for k in LAGS],
        withdrawn=1 - float(lots.sum()) / left if left else 0.0,
        vol_1s=_root_mean_square(second),
        vol_60s=_root_mean_square(minute) if len(minute) else float("nan"),
        still_1s=float((second == 0).mean()),
        book_rows_second=changes / seconds,
    )


def _root_mean_square(values: _Floats) -> float:
    return float(np.sqrt((values * values).mean()))


def _quantiles(values: NDArray[Any]) -> list[float]:
    return [float(x) for x in np.quantile(values, QUANTILES)]


def table(columns: Sequence[tuple[str, Instrument, Figures]]) -> str:
    """Write sessions side by side, sizes in the instrument's own units."""

    def row(name: str, texts: Iterable[str]) -> str:
        return f"{name:34}" + "".join(f"{text:>40}" for text in texts)

    def many(values: Iterable[float], form: str = "{:.4g}") -> str:
        return " ".join(form.format(value) for value in values)

    def basis(figures: Figures, ticks: float) -> str:
        return f"{ticks:.2f} ticks  {ticks / figures.price * 1e4:.2f} bp"

    quantiles = " ".join(f"{q * 100:g}" for q in QUANTILES)
    lines = [row("", (name for name, _, _ in columns))]

    def add(name: str, text: Callable[[Instrument, Figures], str]) -> None:
        lines.append(row(name, (text(instrument, figures) for _, instrument, figures in columns)))

    add("minutes", lambda _, f: f"{f.minutes:.2f}")
    add("mean price", lambda i, f: f"{i.price.value(f.price):.2f}")
    add("spread of one tick, share", lambda _, f: f"{f.spread_one:.4f}")
    add("spread, ticks, % " + quantiles, lambda _, f: many(f.spread))
    add("at the touch, % " + quantiles, lambda i, f: many(map(i.size.value, f.touch)))
    add("a side within " + " ".join(map(str, _REACHES)), lambda i, f: many(map(i.size.value, f.near)))
    add("levels a side, the same", lambda _, f: many(f.levels))
    add("book rows a second", lambda _, f: f"{f.book_rows_second:.0f}")
    add("takers a minute", lambda _, f: f"{f.takers_minute:.0f}")
    add("volume a minute", lambda i, f: f"{i.size.value(f.lots_minute):.4g}")
    add("taker's size, % " + quantiles, lambda i, f: many(map(i.size.value, f.sizes)))
    add("ms between takers, % " + quantiles, lambda _, f: many(f.gaps_ms, "{:.3g}"))
    add("sign autocorr. " + " ".join(map(str, LAGS)), lambda _, f: many(f.signs, "{:.2f}"))
    add("taken back of what left", lambda _, f: f"{f.withdrawn:.3f}")
    add("volatility 1 s", lambda _, f: basis(f, f.vol_1s))
    add("volatility 60 s", lambda _, f: basis(f, f.vol_60s))
    add("seconds without a move, share", lambda _, f: f"{f.still_1s:.3f}")
    return "\n".join(line.rstrip() for line in lines)
