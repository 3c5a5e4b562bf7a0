"""Executions that a venue itself calls hidden, against what accounting finds of them, what is told, and what follows.

A source that names its hidden executions is reduced to what a feed of levels and prints tells in one match event, the
venue's word taken away. Within an event, what traded at a price less what its level lost is h = V - (Q- - Q+): h > 0
was never displayed. That is counted here from the rows alone, apart from the detector. A stand is a run of hidden
executions at one side and price without a pause of more than `PAUSE_S`. A price holds when nothing trades beyond it;
the control is the same of displayed executions on the same side within 15 minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import ADD, FILL, HIDDEN, REGULAR, Events
from feeds.instruments import Instrument
from feeds.simulator.projectors import to_b
from feeds.source import OpenOptions, open_source
from tapeview.bench.accounts import Bools, Ints, Prints, followed, is_print, number_of, prints_of

PAUSE_S: Final = 120
HORIZONS_S: Final = (30, 60)
NEIGHBOURHOOD_NS: Final = 900_000_000_000
BLOCK_NS: Final = 300_000_000_000
"""Executions of the same five minutes are drawn together."""
GRACE_NS: Final = 5_000_000_000
_SECOND_NS: Final = 1_000_000_000
_RESAMPLES: Final = 2000


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: so many of so many, or a share beside its control."""

    what: str
    count: int
    of: int | None = None
    share: float | None = None
    control: float | None = None
    more: float | None = None
    low: float | None = None
    high: float | None = None


def measure(source: str, options: OpenOptions | None = None, say: Callable[[str], None] = print) -> list[Row]:
    """Measure one source of orders; raise BadInput where it names no hidden executions."""
    import tapeview.watch  # noqa: F401  (its kernels are compiled with the engine's)

    opened = open_source(source, options or OpenOptions())
    if len(opened.instruments) != 1:
        opened.close()
        raise BadInput("source", source, "a source of one instrument")
    instrument = opened.instruments[0]
    rows = np.concatenate(list(opened.batches()))
    opened.close()
    if not (np.isin(rows["kind"], (ADD, FILL))).any() or not (is_print(rows) & (rows["aux"] == HIDDEN)).any():
        raise BadInput("source", source, "orders one by one, and executions that the venue calls hidden")
    say(f"{source}: {len(rows):,} rows")
    book = followed(rows, instrument)
    prints = prints_of(book)
    control = Control(prints)
    out = _found(control)
    told = Clock().insert(to_b(book.rows, book.depth))
    plain = told.copy()
    plain["aux"][is_print(plain) & (plain["aux"] == HIDDEN)] = REGULAR
    runs = (
        ("tier B", "B", plain),
        ("tier B that names them", "B", told),
        ("order by order", opened.info.tier, rows),
    )
    for name, tier, feed in runs:
        say(f"{source}: detectors, {name}")
        out += _told(name, control, alerts_of(feed, instrument, tier))
    return out


# -- what is counted ------------------------------------------------------------------------------


def stands_of(prints: Prints, pause_s: int = PAUSE_S) -> Ints:
    """The stand each print belongs to: runs of hidden executions at one side and price; -1 for other prints."""
    out = np.full(len(prints.tick), -1, np.int64)
    at = np.flatnonzero(prints.hidden & prints.on_grid)
    order = at[np.lexsort((np.arange(len(at)), prints.tick[at], prints.side[at]))]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (
        (prints.side[order][1:] != prints.side[order][:-1])
        | (prints.tick[order][1:] != prints.tick[order][:-1])
        | (np.diff(prints.time_ns[order]) > pause_s * _SECOND_NS)
    )
    out[order] = np.cumsum(new) - 1
    return out


def _part(what: str, count: int, of: int) -> Row:
    return Row(what=what, count=count, of=of, share=count / of if of else None)


def _found(control: Control) -> list[Row]:
    prints, hidden = control.prints, control.prints.hidden
    seen = hidden & (prints.over > 0)
    many = int(hidden.sum())
    key = number_of(prints.event, prints.side, prints.tick * 2 + prints.on_grid)
    unseen = np.bincount(key, np.where(hidden, prints.lots, 0)).astype(np.int64)
    over = np.zeros(len(unseen), np.int64)
    over[key] = prints.over
    stand = stands_of(prints)
    level = number_of(prints.side, prints.tick, prints.on_grid.astype(np.int64))
    levels, found = len(np.unique(level[hidden])), len(np.unique(level[seen]))
    again, refilled = _again(prints, stand, prints.on_grid), _again(prints, stand, prints.shown)
    return [
        Row(what="executions that the venue calls hidden", count=many),
        _part("their lots, of all lots traded", int(prints.lots[hidden].sum()), int(prints.lots.sum())),
        _part("found by the identity", int(seen.sum()), many),
        _part("prices in a match event of which it says exactly how much", int(((unseen > 0) & (over == unseen)).sum()),
              int((unseen > 0).sum())),
        _part("prices in a match event where it is wrong: none were hidden", int(((unseen == 0) & (over > 0)).sum()),
              int((unseen == 0).sum())),
        _part("prices with hidden executions that it finds", found, levels),
        _part("executions at a price that displayed lots when they began", int((hidden & prints.shown).sum()), many),
        _part("executions on the price grid", int((hidden & prints.on_grid).sum()), many),
        _part(f"stands with a second match event (pauses up to {PAUSE_S} s)", int(again.sum()), len(again)),
        _part("of those, with lots displayed in two of them", int(refilled.sum()), int(again.sum())),
        *_held("hidden executions", control, _places(prints, hidden & prints.on_grid)),
        *_held("where lots were displayed", control, _places(prints, hidden & prints.on_grid & prints.shown)),
        *_held("where none were", control, _places(prints, hidden & prints.on_grid & ~prints.shown)),
    ]  # fmt: skip


def _again(prints: Prints, stand: Ints, where: Bools) -> Bools:
    """Which stands have hidden executions in at least two match events, of those that count."""
    at = np.flatnonzero((stand >= 0) & where)
    pairs = np.unique(np.stack([stand[at], prints.event[at]], axis=1), axis=0)
    found: Bools = np.bincount(pairs[:, 0], minlength=int(stand.max()) + 1) >= 2
    return found


def alerts_of(rows: Events, instrument: Instrument, tier: str) -> list[Any]:
    """What the iceberg detector confirms, with its defaults."""
    from tapeview.engine import Engine
    from tapeview.session import pieces
    from tapeview.watch import Watch, default_thresholds

    engine, watch = Engine(instrument), Watch(instrument, tier, default_thresholds(("iceberg",)))
    told = (finding.alert for piece in pieces(rows) for finding in watch.apply(engine.apply(piece)))
    return [alert for alert in told if alert.phase == "confirmed" and alert.tick is not None]


def _told(name: str, control: Control, alerts: Sequence[Any]) -> list[Row]:
    prints = control.prints
    stand = stands_of(prints)
    at = np.flatnonzero(stand >= 0)
    stands = int(stand.max()) + 1
    first, last = np.full(stands, np.iinfo(np.int64).max), np.zeros(stands, np.int64)
    np.minimum.at(first, stand[at], prints.time_ns[at])
    np.maximum.at(last, stand[at], prints.time_ns[at])
    side, tick = np.zeros(stands, np.int64), np.zeros(stands, np.int64)
    side[stand[at]], tick[stand[at]] = prints.side[at], prints.tick[at]
    right, hit = 0, np.zeros(stands, dtype=bool)
    for alert in alerts:
        mine = (side == alert.side) & (tick == alert.tick)
        mine &= (first <= alert.recv_ns) & (alert.recv_ns <= last + GRACE_NS)
        right += bool(mine.any())
        hit |= mine
    again, refilled = _again(prints, stand, prints.on_grid), _again(prints, stand, prints.shown)
    on_grid = int((prints.hidden & prints.on_grid).sum())
    return [
        Row(what=f"{name}: alerts", count=len(alerts)),
        _part(f"{name}: of them at a stand of hidden executions", right, len(alerts)),
        _part(f"{name}: stands told", int(hit.sum()), stands),
        _part(f"{name}: stands of two match events told", int((hit & again).sum()), int(again.sum())),
        _part(f"{name}: of those, with lots displayed", int((hit & refilled).sum()), int(refilled.sum())),
        _part(f"{name}: executions at a stand that is told", int(hit[stand[at]].sum()), on_grid),
        *_held(f"{name}: prices of alerts", control, [(alert.recv_ns, alert.side, alert.tick) for alert in alerts]),
    ]


def held(prints: Prints, time_ns: int, side: int, tick: int, seconds: int) -> bool | None:
    """Whether nothing traded beyond a price for so long; None where the session ended before."""
    until = time_ns + seconds * _SECOND_NS
    if until > int(prints.time_ns[-1]):
        return None
    low, high = np.searchsorted(prints.time_ns, [time_ns, until], side="right").tolist()
    some = slice(low, high)
    return not bool((((prints.tick[some] - tick) * side < 0) & prints.on_grid[some]).any())


class Control:
    """How displayed executions held, by horizon and side, each computed once."""

    def __init__(self, prints: Prints) -> None:
        self.prints = prints
        self._known: dict[tuple[int, int], tuple[Ints, NDArray[np.float64]]] = {}

    def near(self, time_ns: int, side: int, seconds: int) -> float | None:
        """The share of those within 15 minutes on a side that held; None where there are none."""
        if (side, seconds) not in self._known:
            some = np.flatnonzero(~self.prints.hidden & self.prints.on_grid & (self.prints.side == side))
            outcome = [
                (when, got)
                for when, tick in zip(self.prints.time_ns[some].tolist(), self.prints.tick[some].tolist(), strict=True)
                if (got := held(self.prints, when, side, tick, seconds)) is not None
            ]
            times = np.array([when for when, _ in outcome], np.int64)
            self._known[side, seconds] = times, np.cumsum([0.0, *(float(got) for _, got in outcome)])
        times, total = self._known[side, seconds]
        a, b = np.searchsorted(times, [time_ns - NEIGHBOURHOOD_NS, time_ns + NEIGHBOURHOOD_NS + 1]).tolist()
        return float(total[b] - total[a]) / (b - a) if b > a else None


def _held(what: str, control: Control, places: Iterable[tuple[int, int, int]]) -> list[Row]:
    """One row a horizon for (time, side, tick) of each place."""
    out = []
    places = list(places)
    for seconds in HORIZONS_S:
        pairs: list[tuple[int, float, float]] = []
        for when, side, tick in places:
            got, other = held(control.prints, when, side, tick, seconds), control.near(when, side, seconds)
            if got is not None and other is not None:
                pairs.append((when // BLOCK_NS, float(got), other))
        out.append(_beside(f"{what}: held for {seconds} s", pairs))
    return out


def _places(prints: Prints, mask: Bools) -> list[tuple[int, int, int]]:
    return list(zip(prints.time_ns[mask].tolist(), prints.side[mask].tolist(), prints.tick[mask].tolist(), strict=True))


def _beside(what: str, pairs: list[tuple[int, float, float]]) -> Row:
    if not pairs:
        return Row(what=what, count=0)
    block, got, control = (np.array(column) for column in zip(*pairs, strict=True))
    low, high = _interval(block, got - control)
    return Row(
        what=what, count=int(got.sum()), of=len(pairs), share=float(got.mean()), control=float(control.mean()),
        more=float((got - control).mean()), low=low, high=high,
    )  # fmt: skip


def _interval(block: NDArray[Any], values: NDArray[Any]) -> tuple[float | None, float | None]:
    """95 % of the mean by bootstrap over blocks of time, seeded."""
    _, number = np.unique(block, return_inverse=True)
    sums, counts = np.bincount(number, values), np.bincount(number)
    if len(sums) < 2:
        return None, None
    picks = np.random.default_rng(1).integers(0, len(sums), (_RESAMPLES, len(sums)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return low, high
