"""What the touch tells: queue imbalance against the next move of the mid, order flow against the move beside it.

The touch is looked at once at a random time between each two moves of the mid: its queue imbalance, and the chance of a
rise that the imbalance detector gave it by what it had learnt up to the CLOCK before. Both are looked at once a second
as well. Order flow is computed here from the touch after each message (Cont, Kukanov and Stoikov 2014, equation 2),
over windows of 10 s side by side, divided by twice the mean depth of the window as the detector's pressure is; the same
of all lots within the watched depth, which is the sum of the flows of its levels (Xu, Gould and Howison 2018); and so
are the lots bought less those sold, which it has to beat.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import CLOCK, FLOW_PRINTS, LAST, NONE, S_LIVE, TRADE, Events
from feeds.instruments import Instrument

WINDOW_NS: Final = 10_000_000_000
LEAST_WINDOWS: Final = 30
_SECOND_NS: Final = 1_000_000_000
_CELLS: Final = 201
"""Values of the queue imbalance told apart."""
_NEXT_NS: Final = 60_000_000_000
"""A move later than this is not the next one."""
_Ints = NDArray[np.int64]


class _Learnt(NamedTuple):
    """What the detector had learnt at its CLOCK rows."""

    when: _Ints
    weights: NDArray[np.float64]
    """By TERMS; all 0 as long as it knows too little."""
    flow: NDArray[np.float64]


class _Piece(NamedTuple):
    events: Events
    frame: NDArray[Any]
    news: NDArray[np.uint8]


class Pressure:
    """Collects what one instrument's batches tell; `measures` gives the numbers of the whole."""

    def __init__(self, instrument: Instrument, tier: str) -> None:
        from tapeview.detectors import load
        from tapeview.watch import Watch

        self._watch = Watch(instrument, tier, {"imbalance": load()["imbalance"].thresholds()})
        self._samples: list[tuple[int, float, float]] = []
        self._touches: list[NDArray[Any]] = []
        self._prints: list[NDArray[Any]] = []
        self._second = -1
        self._learnt: list[tuple[int, NDArray[np.float64], float]] = []
        self._trade_side = 0
        self._last_side: list[int] = []

    def take(self, outcome: Any) -> None:
        """Take what a batch did; the same however rows are cut."""
        events, frame, news = outcome.events, outcome.frame, outcome.news
        self._keep(events, frame)
        clocks = np.flatnonzero(frame["kind"] == CLOCK)
        seconds = frame["recv_ns"][clocks] // _SECOND_NS
        start = 0
        for at, second in zip(clocks.tolist(), seconds.tolist(), strict=True):
            self._watch.apply(_Piece(events[start : at + 1], frame[start : at + 1], news[start : at + 1]))
            self._learn(int(frame["recv_ns"][at]))
            self._follow(frame[start : at + 1])
            start = at + 1
            if second != self._second:
                self._second = second
                self._sample(frame[at])
        if start < len(events):
            self._watch.apply(_Piece(events[start:], frame[start:], news[start:]))
            self._follow(frame[start:])

    def _learn(self, now_ns: int) -> None:
        from tapeview.detectors.imbalance import learnt

        self._learnt.append((now_ns, *learnt(self._watch._posts[0].memory)))

    def _follow(self, frame: NDArray[Any]) -> None:
        sides = frame["side"][(frame["kind"] == TRADE) & (frame["side"] != 0)]
        if len(sides):
            self._trade_side = int(sides[-1])

    def _sample(self, row: Any) -> None:
        from tapeview.detectors.imbalance import reading

        if row["state"] != S_LIVE or not row["warm"] or NONE in (row["bid"], row["ask"]):
            return
        known = reading(self._watch._posts[0].memory)
        self._samples.append((int(row["recv_ns"]), float(known["qi"]), float(known["p_up"])))
        self._last_side.append(self._trade_side)

    def _keep(self, events: Events, frame: NDArray[Any]) -> None:
        # Within a message the touch is half changed.
        whole = ((events["marks"] & LAST != 0) | (frame["kind"] == CLOCK)) & (frame["kind"] != 0)
        rows = frame[whole]
        live = (rows["state"] == S_LIVE) & (rows["warm"] != 0) & (rows["bid"] != NONE) & (rows["ask"] != NONE)
        touch = np.stack(
            [
                rows["recv_ns"], live, rows["bid"], rows["ask"], rows["bid_lots"], rows["ask_lots"], rows["epoch"],
                rows["bid_depth"], rows["ask_depth"],
            ]
        )  # fmt: skip
        changed = np.ones(touch.shape[1], dtype=bool)
        changed[1:] = (touch[1:, 1:] != touch[1:, :-1]).any(axis=0)
        changed[rows["kind"] == CLOCK] = True
        self._touches.append(touch[:, changed].astype(np.int64))
        prints = frame[frame["kind"] == TRADE]
        prints = prints[(FLOW_PRINTS >> prints["print"].astype(np.int64)) & 1 != 0]
        self._prints.append(np.stack([prints["recv_ns"], prints["side"] * prints["lots"]]).astype(np.int64))

    def measures(self) -> dict[str, tuple[float, ...]]:
        """Counts for the area and the calibration of the queue imbalance, and both shares of variance told."""
        if not self._touches:
            return {}
        touch = np.concatenate(self._touches, axis=1)
        return self._queue(touch) | self._flow(touch)

    def _queue(self, touch: _Ints) -> dict[str, tuple[float, ...]]:
        when, live, middle = touch[0], touch[1] != 0, touch[2] + touch[3]
        moves = np.flatnonzero(live[1:] & live[:-1] & (middle[1:] != middle[:-1]) & (touch[6][1:] == touch[6][:-1])) + 1
        up = middle[moves] > middle[moves - 1]
        times = np.array([sample[0] for sample in self._samples], np.int64)
        at = np.searchsorted(when[moves], times, side="right")
        known = at < len(moves)
        known[known] = when[moves[at[known]]] - times[known] <= _NEXT_NS
        chance = np.array([sample[2] for sample in self._samples])[known]
        side = np.array(self._last_side, np.int64)[known]
        rose = up[at[known]]
        cells = _cell(np.array([sample[1] for sample in self._samples])[known])
        tenth = np.clip((chance * 10).astype(np.int64), 0, 9)
        # One look at a random time between each two moves, as Gould and Bonart (2016) take it.
        between = np.flatnonzero(np.diff(when[moves]) > 0)
        since, until = when[moves[between]], when[moves[between + 1]]
        looks = since + (np.random.default_rng(1).random(len(between)) * (until - since)).astype(np.int64)
        seen = np.searchsorted(when, looks, side="right") - 1
        good = live[seen] & (touch[6][seen] == touch[6][moves[between + 1]]) & (until - since <= _NEXT_NS)
        lots, other = touch[4][seen[good]], touch[5][seen[good]]
        imbalance, spread = (lots - other) / np.maximum(lots + other, 1), (touch[3] - touch[2])[seen[good]]
        by_move, upward = _cell(imbalance), up[between + 1][good]
        stated = _cell(2.0 * self._stated(looks[good], imbalance, spread) - 1.0)
        tick = spread == 1
        return {
            "stated.up": _counts(stated[upward], _CELLS),
            "stated.down": _counts(stated[~upward], _CELLS),
            "tick.up": _counts(by_move[tick & upward], _CELLS),
            "tick.down": _counts(by_move[tick & ~upward], _CELLS),
            "queue.up": _counts(by_move[upward], _CELLS),
            "queue.down": _counts(by_move[~upward], _CELLS),
            "moves": (float(good.sum()),),
            "second.up": _counts(cells[rose], _CELLS),
            "second.down": _counts(cells[~rose], _CELLS),
            "trade.up": _counts(side[rose] + 1, 3),
            "trade.down": _counts(side[~rose] + 1, 3),
            "chance.said": tuple(np.bincount(tenth, chance, 10).tolist()),
            "chance.was": tuple(np.bincount(tenth, rose.astype(np.float64), 10).tolist()),
            "chance.n": _counts(tenth, 10),
            "samples": (float(known.sum()),),
        }

    def _stated(self, looks: _Ints, imbalance: NDArray[np.float64], spread: _Ints) -> NDArray[np.float64]:
        """The chance of a rise that the detector gave a touch by what it had learnt before; 1/2 where nothing."""
        known = _Learnt(
            np.array([one[0] for one in self._learnt], np.int64), np.array([one[1] for one in self._learnt]),
            np.array([one[2] for one in self._learnt]),
        )  # fmt: skip
        at = np.searchsorted(known.when, looks, side="right") - 1
        terms = np.stack(
            [np.ones(len(looks)), np.where(spread == 1, imbalance, 0.0), np.where(spread != 1, imbalance, 0.0),
             known.flow[at]]
        )  # fmt: skip
        said = (known.weights[at].T * terms).sum(axis=0)
        return np.where(at >= 0, 1.0 / (1.0 + np.exp(-said)), 0.5)

    def _flow(self, touch: _Ints) -> dict[str, tuple[float, ...]]:
        when, live, bid, ask, bid_lots, ask_lots, epoch, bid_deep, ask_deep = touch
        live = live != 0
        both = live[1:] & live[:-1] & (epoch[1:] == epoch[:-1])
        prints = np.concatenate(self._prints, axis=1)
        first, last = int(when[0]) // WINDOW_NS + 1, int(when[-1]) // WINDOW_NS
        if last - first < LEAST_WINDOWS:
            return {}
        edges = np.arange(first, last + 1) * WINDOW_NS
        at = np.searchsorted(when, edges, side="right") - 1
        flow = np.concatenate([[0], np.cumsum(np.where(both, _steps(bid, ask, bid_lots, ask_lots), 0))])[at]
        deep = np.concatenate([[0], np.cumsum(np.where(both, _steps(bid, ask, bid_deep, ask_deep), 0))])[at]
        broken = np.concatenate([[0], np.cumsum(~both)])[at]
        signed = np.concatenate([[0], np.cumsum(prints[1])])[np.searchsorted(prints[0], edges, side="right")]
        whole = np.diff(broken) == 0
        moved = np.diff((bid + ask)[at])[whole].astype(np.float64)
        if whole.sum() < LEAST_WINDOWS or not moved.any():
            return {}
        depth = _mean_between(when, (bid_lots + ask_lots) / 2.0, edges)[whole]
        whole_depth = _mean_between(when, (bid_deep + ask_deep) / 2.0, edges)[whole]
        of_flow = _told(np.diff(flow)[whole] / (2.0 * np.maximum(depth, 1e-9)), moved)
        of_deep = _told(np.diff(deep)[whole] / (2.0 * np.maximum(whole_depth, 1e-9)), moved)
        of_trades = _told(np.diff(signed)[whole].astype(np.float64), moved)
        return {
            "flow": (of_flow,), "deep": (of_deep,), "trades": (of_trades,), "gain": (of_flow - of_trades,),
            "deep.gain": (of_deep - of_trades,),
        }  # fmt: skip


def _steps(bid: _Ints, ask: _Ints, bid_lots: _Ints, ask_lots: _Ints) -> _Ints:
    """The order flow of each change of a touch."""
    return (
        np.where(bid[1:] >= bid[:-1], bid_lots[1:], 0) - np.where(bid[1:] <= bid[:-1], bid_lots[:-1], 0)
        - np.where(ask[1:] <= ask[:-1], ask_lots[1:], 0) + np.where(ask[1:] >= ask[:-1], ask_lots[:-1], 0)
    )  # fmt: skip


def _mean_between(when: _Ints, values: NDArray[np.float64], edges: _Ints) -> NDArray[np.float64]:
    """The mean of a step function over time between edges; an edge lies where it is known."""
    area = np.concatenate([[0.0], np.cumsum(values[:-1] * np.diff(when))])
    at = np.searchsorted(when, edges, side="right") - 1
    return np.diff(area[at] + values[at] * (edges - when[at])) / np.diff(edges)


def _cell(signal: NDArray[np.float64]) -> _Ints:
    """Which of the values told apart a queue imbalance is."""
    return np.clip(np.rint((signal + 1.0) / 2.0 * (_CELLS - 1)).astype(np.int64), 0, _CELLS - 1)


def _counts(cells: _Ints, n: int) -> tuple[float, ...]:
    return tuple(np.bincount(cells, minlength=n).astype(np.float64).tolist())


def _told(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The share of the variance of y that a straight line of x tells."""
    if not x.any() or x.std() == 0.0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1] ** 2)
