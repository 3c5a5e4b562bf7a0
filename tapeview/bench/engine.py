"""The engine beside its yardsticks: plain C loops over the same events, dictionaries, and other books where installed.

Times are processor time of this process, without the first quarter of the events (at most 65,536), in which memory
is touched for the first time. Each round starts every contestant anew, one after the other, and a ratio
is taken inside its round; what is printed is the median over rounds. One machine's figures say little, ratios more.
"""

from __future__ import annotations

import bisect
import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from feeds.events import ADD, BID, BOOK, CANCEL, FILL, MODIFY, Events
from feeds.instruments import Instrument
from tapeview.bench import Measured
from tapeview.bench.peers import PEERS, Peer, Touch
from tapeview.bench.streams import level_stream, order_stream
from tapeview.engine import FRAME, Engine

_INSTRUMENT: Final = Instrument(venue="bench", symbol="X", tick="1")
_SOURCE: Final = Path(__file__).with_name("yardstick.c")
_BATCHES: Final = (65_536, 4_096, 100, 1)
_UNIT: Final = "M events/s"


def _timed(apply: Callable[[Events], object], events: Events, batch: int) -> float:
    """Apply all events and give the seconds that as many would take once memory has been touched for the first time."""
    head = min(len(events) // 4, max(_BATCHES))
    for at in range(0, head, batch):
        apply(events[at : min(at + batch, head)])
    began = time.process_time()
    for at in range(head, len(events), batch):
        apply(events[at : at + batch])
    return (time.process_time() - began) * len(events) / (len(events) - head)


class Yardstick:
    """The C loops, compiled by the machine's compiler."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise OSError("no C compiler")
        built = folder / "yardstick.so"
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", str(_SOURCE), "-o", str(built), "-lm"]
        subprocess.run(command, check=True, capture_output=True)
        self._library = ctypes.CDLL(str(built))
        self._library.yardstick_new.restype = ctypes.c_void_p
        self._library.yardstick_check.restype = ctypes.c_int64
        self._frame = np.zeros(max(_BATCHES), FRAME)

    def run(self, name: str, events: Events, batch: int) -> tuple[float, int]:
        """Run one loop over the events; give its seconds and a check over the book it ends with."""
        book = ctypes.c_void_p(self._library.yardstick_new())
        function = getattr(self._library, name)
        frame = (ctypes.c_void_p(self._frame.ctypes.data),) if name.endswith("full") else ()

        def apply(piece: Events) -> None:
            function(book, ctypes.c_void_p(piece.ctypes.data), ctypes.c_int64(len(piece)), *frame)

        seconds = _timed(apply, events, batch)
        check = int(self._library.yardstick_check(book))
        self._library.yardstick_free(book)
        return seconds, check


def run_engine(events: Events, batch: int) -> tuple[float, Engine]:
    """Run the engine over the events; give its seconds and itself."""
    engine = Engine(_INSTRUMENT)
    return _timed(engine.apply, events, batch), engine


def check_of(engine: Engine) -> int:
    """The yardstick's check, of an engine."""
    bid, ask = engine.book.best_bid or 0, engine.book.best_ask or 0
    levels = [engine.book.rows(bid - 9, bid + 1)[0], engine.book.rows(ask, ask + 10)[1]]
    lots = engine.book.bid_lots * 7 + engine.book.ask_lots * 11
    return bid * 3 + ask * 5 + lots + engine.tape.totals.volume * 13 + int(sum(side.sum() for side in levels))


def run_dictionaries(events: Events) -> float:
    """Keep the book as dictionaries and sorted lists of prices; best prices after every event. Give the seconds."""
    rows = [(r[8], r[9], r[3], r[4], r[5]) for r in events.tolist()]
    levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
    prices: dict[int, list[int]] = {1: [], -1: []}
    orders: dict[int, list[int]] = {}

    def put(side: int, tick: int, lots: int) -> None:
        side_levels = levels[side]
        if lots:
            if tick not in side_levels:
                bisect.insort(prices[side], tick)
            side_levels[tick] = lots
        elif side_levels.pop(tick, None) is not None:
            del prices[side][bisect.bisect_left(prices[side], tick)]

    total = 0
    began = time.process_time()
    for kind, side, tick, lots, ref in rows:
        if kind == BOOK:
            put(side, tick, lots)
        elif kind == ADD:
            orders[ref] = [side, tick, lots]
            put(side, tick, levels[side].get(tick, 0) + lots)
        elif kind in (MODIFY, CANCEL, FILL):
            order = orders.get(ref)
            if order is not None:
                old_side, old_tick, old_lots = order
                left = lots if kind == MODIFY else 0 if kind == CANCEL and not lots else max(0, old_lots - lots)
                put(old_side, old_tick, levels[old_side][old_tick] - old_lots)
                if left:
                    new_side, new_tick = (side, tick) if kind == MODIFY else (old_side, old_tick)
                    put(new_side, new_tick, levels[new_side].get(new_tick, 0) + left)
                    orders[ref] = [new_side, new_tick, left]
                else:
                    del orders[ref]
        if prices[BID]:
            total += prices[BID][-1]
        if prices[-1]:
            total += prices[-1][0]
    return time.process_time() - began


def touch_of(engine: Engine) -> Touch:
    """What an engine's book ends with, to compare with a peer's."""
    bid, ask = engine.book.bids(1), engine.book.asks(1)
    return Touch(*(int(side[name][0]) for side in (bid, ask) for name in ("tick", "lots")))


def _rate(events: int, seconds: list[float]) -> float:
    return events / statistics.median(seconds) / 1e6


def _agree(what: str, mine: object, theirs: object, whose: str) -> None:
    if mine != theirs:
        raise AssertionError(f"{what}: the engine ends with {mine}, {whose} with {theirs}")


_FULL: Final = "the same work in C"
_ONLY: Final = "C, book only"
_DICTIONARIES: Final = "dictionaries + bisect, book only"


def _round(what: str, events: Events, yardstick: Yardstick | None, peers: list[Peer]) -> dict[str, float]:
    """Run every contestant once; give the seconds each would take for all events."""
    n = len(events)
    times: dict[str, float] = {}
    check = None
    if yardstick is not None:
        times[_ONLY], _ = yardstick.run(f"{what}_only", events, max(_BATCHES))
        times[_FULL], check = yardstick.run(f"{what}_full", events, max(_BATCHES))
    for batch in _BATCHES:
        part = events[: n if batch > 1000 else max(n // 10, 2000) if batch > 1 else max(n // 100, 2000)]
        seconds, engine = run_engine(part, batch)
        times[f"batches of {batch:,}"] = seconds * n / len(part)
        if batch == max(_BATCHES):
            whole = engine
    if check is not None:
        _agree(what, check_of(whole), check, "the yardstick in C")
    for peer in peers:
        times[f"{peer.name}, {peer.work}"], touch = peer.run(events)
        _agree(what, touch_of(whole), touch, peer.name)
    part = events[: n // 5]
    times[_DICTIONARIES] = run_dictionaries(part) * n / len(part)
    return times


def _family(
    what: str, events: Events, rounds: int, yardstick: Yardstick | None, say: Callable[[str], None]
) -> list[Measured]:
    peers = [peer for peer in PEERS if peer.stream == what]
    for peer in peers:
        if peer.missing:
            say(peer.missing)
    peers = [peer for peer in peers if not peer.missing]
    times: dict[str, list[float]] = {}
    for number in range(rounds):
        say(f"{what}, round {number + 1} of {rounds}")
        for name, seconds in _round(what, events, yardstick, peers).items():
            times.setdefault(name, []).append(seconds)
    mine = [f"batches of {batch:,}" for batch in _BATCHES]
    rows = []
    for name in mine:
        ours = times[name]
        for other, theirs in times.items():
            if other not in mine and other != _ONLY:
                ratio = statistics.median(their / our for their, our in zip(theirs, ours, strict=True))
                rows.append(Measured(f"{what}, whole engine, {name}", _rate(len(events), ours), _UNIT, ratio, other))
    for other, theirs in times.items():
        if other not in mine:
            rows.append(Measured(f"{what}, {other}", _rate(len(events), theirs), _UNIT))
    return rows


def measure(*, quick: bool = False, say: Callable[[str], None] = print) -> list[Measured]:
    """Measure levels and orders, with every yardstick this machine has."""
    n, rounds = (300_000, 3) if quick else (1_000_000, 5)
    rows: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="tapeview-bench-") as folder:
        try:
            yardstick: Yardstick | None = Yardstick(Path(folder))
        except (OSError, subprocess.CalledProcessError) as error:
            say(f"no C yardstick: {error}")
            yardstick = None
        say("making streams")
        rows += _family("levels", level_stream(n), rounds, yardstick, say)
        rows += _family("orders", order_stream(n), rounds, yardstick, say)
    return rows
