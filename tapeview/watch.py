"""Run the detectors over what an engine did, and turn what they find into alerts."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import BOOK, CLEAR, EVENT, FILL, NONE, OFF_GRID, SNAPSHOT, Events
from feeds.instruments import Instrument
from tapeview import format as fmt
from tapeview.alert import CLEARED, CONFIRMED, PHASES, TIERS, UNKNOWN, Alert
from tapeview.detectors import load
from tapeview.detectors._calibration import confidence
from tapeview.detectors._declare import ALERT, BOARD, CONTEXT, VALUES, Detector, Found, Thresholds, asset_of, record
from tapeview.detectors._flow import COLLECTED, FLOW, MOMENT, collect
from tapeview.detectors._rows import pick
from tapeview.engine import _jit
from tapeview.engine.engine import Engine
from tapeview.engine.frame import FRAME
from tapeview.engine.settings import EngineSettings

BUDGET: Final = 12
"""Alerts an hour that reach the screen; those beyond are held back and counted.

One of them is kept free for each detector that has told nothing for an hour, so that a talkative one holds back itself
and not a rarer one.
"""
_HOUR_NS: Final = 3_600_000_000_000
_FIELDS: Final = ALERT.names or ()
_ROW: Final = _FIELDS.index("row")
_NO_ROWS: Final = np.zeros(0, np.uint32)
_VALUES: Final = tuple(f"v{n}" for n in range(VALUES))
_BOOK_ROWS: Final = 10
_PRINTS: Final = 20
_MAGIC: Final = b"TVWATCH3"
_KNOWN: Final = load()
"""Loaded with this module, so that their kernels are compiled with the rest."""


class Batch(Protocol):
    """What an engine or a session says a batch did."""

    @property
    def events(self) -> Events:
        """The rows."""

    @property
    def frame(self) -> NDArray[Any]:
        """A FRAME row for each."""

    @property
    def news(self) -> NDArray[np.uint8]:
        """IS_ bits of each."""


class Slice(NamedTuple):
    """The market at the row that decided an alert."""

    bids: tuple[tuple[int, int], ...] | None
    """(tick, lots), best first; None where it cannot be told any more."""
    asks: tuple[tuple[int, int], ...] | None
    prints: tuple[tuple[int, int, int, int], ...]
    """(recv_ns, tick, lots, side) of the last prints, newest first."""


class Finding(NamedTuple):
    """An alert and the market around it."""

    alert: Alert
    market: Slice | None
    """Given for confirmed alerts."""
    record: NDArray[Any]
    """The ALERT record behind it, an array of one."""


class _Post:
    """One detector at work."""

    def __init__(self, name: str, detector: Detector, thresholds: Thresholds) -> None:
        self.name = name
        self.detector = detector
        self.thresholds = thresholds
        self.limits = record(thresholds)
        self.memory = np.zeros(1, detector.memory)
        if detector.prepare is not None:
            detector.prepare(self.limits, self.memory)
        self.entry: Callable[..., int] | None = None


class Watch:
    """Detectors over one instrument. The same rows give the same alerts however they were cut into batches."""

    def __init__(
        self,
        instrument: Instrument,
        tier: str,
        thresholds: Mapping[str, Thresholds],
        settings: EngineSettings | None = None,
        inst: int = 0,
    ) -> None:
        self.inst = inst
        self.instrument = instrument
        self.tier = tier
        self.seq = -1
        self.held = 0
        """Alerts held back so far."""
        self._scale = fmt.Scale.of(instrument)
        self._context = context_of(instrument, tier, settings or EngineSettings())
        self._board = np.zeros(1, BOARD)
        self._posts = [
            _Post(name, detector, thresholds[name]) for name, detector in _KNOWN.items() if name in thresholds
        ]
        self._recent: deque[tuple[int, str]] = deque()
        """(recv_ns, detector) of the alerts of the last hour that were not held back."""
        self._rows: dict[int, NDArray[np.uint32]] = {}
        self._pick: Callable[..., int] | None = None
        self._out = np.zeros(0, ALERT)
        self._flow = np.zeros(1, FLOW)
        self._moments = np.zeros(0, MOMENT)
        self._moments_wanted = any(post.detector.moments for post in self._posts)
        self._collect: Callable[..., None] | None = None

    @property
    def detectors(self) -> tuple[str, ...]:
        """Names of the detectors at work, in the order they run."""
        return tuple(post.name for post in self._posts)

    @property
    def board(self) -> NDArray[Any]:
        """Stories of this instrument that others build on; a BOARD record."""
        return self._board

    def apply(self, outcome: Batch, engine: Engine | None = None) -> list[Finding]:
        """Look at what one batch did; with the engine as it stands after it, confirmed alerts have their market."""
        n = len(outcome.events)
        if not n or not self._posts:
            return []
        if len(self._out) < 2 * n + 8:
            self._out = np.zeros(1 << (2 * n + 8).bit_length(), ALERT)
            self._rows = {}
            self._moments = np.zeros(len(self._out), MOMENT)
            self._board["moment_at"], self._board["moment_slots"] = self._moments.ctypes.data, len(self._moments)
        events, frame = outcome.events, outcome.frame
        if events.dtype != EVENT or frame.dtype != FRAME or not frame.flags.c_contiguous or not frame.flags.writeable:
            raise TypeError(f"a batch is EVENT and FRAME rows, not {events.dtype} and {frame.dtype}")
        events = events.view() if events.flags.c_contiguous else np.ascontiguousarray(events)
        events.flags.writeable = False
        picked = {0: _NO_ROWS}
        seen = int(np.bitwise_or.reduce(outcome.news))
        if self._moments_wanted:
            flow = frame, outcome.news, self._picked(outcome.news, COLLECTED & seen, picked), self._board, self._flow
            if self._collect is not None:
                self._collect(*flow)
            else:
                _jit.call(collect, *flow)
                self._collect = _jit.entry(collect, *flow)
        written: list[tuple[int, int, int, tuple[Any, ...], Any]] = []
        for number, post in enumerate(self._posts):
            rows = self._picked(outcome.news, post.detector.reads & seen, picked)
            if not len(rows):
                continue
            args = events, frame, rows, self._context, self._board, post.limits, post.memory, self._out
            if post.entry is not None:
                count = post.entry(*args)
            else:
                count = _jit.call(post.detector.kernel, *args)
                post.entry = _jit.entry(post.detector.kernel, *args)
            for at in range(count):
                self._out["detector"][at] = number
                one = self._out[at : at + 1].copy()
                values = one[0].item()
                written.append((values[_ROW], number, at, values, one))
        written.sort(key=lambda w: w[:3])
        return [self._finding(post, values, one, outcome, engine) for _, post, _, values, one in written]

    def _picked(self, news: NDArray[np.uint8], mask: int, picked: dict[int, NDArray[np.uint32]]) -> NDArray[np.uint32]:
        """The rows that are news of a mask; `picked` holds those of the same batch that were asked for before."""
        rows = picked.get(mask)
        if rows is not None:
            return rows
        for other, those in picked.items():
            # All rows are news of a part of the mask, as they mostly are of changes and trades.
            if other & ~mask == 0 and len(those) == len(news):
                return those
        room = self._rows.get(mask)
        if room is None:
            room = self._rows[mask] = np.zeros(len(self._out), np.uint32)
        if self._pick is not None:
            count = self._pick(news, mask, room)
        else:
            count = _jit.call(pick, news, mask, room)
            self._pick = _jit.entry(pick, news, mask, room)
        rows = picked[mask] = room[:count]
        return rows

    def _finding(
        self, number: int, values: tuple[Any, ...], one: NDArray[Any], outcome: Batch, engine: Engine | None
    ) -> Finding:
        post = self._posts[number]
        told = dict(zip(_FIELDS, values, strict=True))
        alert = self._alert(post, told)
        if engine is None or told["phase"] != CONFIRMED:
            return Finding(alert, None, one)
        return Finding(alert, market_at(engine, outcome, told["row"]), one)

    def _alert(self, post: _Post, told: dict[str, Any]) -> Alert:
        detector = post.detector
        method = detector.methods[told["method"]]
        score, phase = told["score"], told["phase"]
        reason = detector.reasons[told["reason"]] if phase == CLEARED else ""
        evidence = {name: _known(told[value]) for name, value in zip(detector.evidence, _VALUES, strict=False)}
        sure = confidence(post.name, method, self.tier, score) if phase != CLEARED else None
        tick, tick_to = told["tick"], told["tick_to"]
        found = Found(
            method, PHASES[phase], reason, told["side"], tick, tick_to, told["lots"], told["grade"], score, self.tier,
            evidence, self._price, self._size, self.instrument.symbol,
        )  # fmt: skip
        how_sure = f"score {_number(score)}" if sure is None else f"conf {_share(sure)}"
        text = f"{detector.words(found)} · {how_sure} · tier {self.tier}"
        held = phase == CONFIRMED and self._over_budget(told["recv_ns"], post.name)
        return Alert(
            detector=post.name, method=method, key=told["key"], phase=PHASES[phase], reason=reason, inst=self.inst,
            seq=told["seq"], recv_ns=told["recv_ns"], exch_ns=None if told["exch_ns"] == NONE else told["exch_ns"],
            side=told["side"], tick=None if tick == NONE else tick, tick_to=None if tick_to == NONE else tick_to,
            lots=told["lots"], grade=told["grade"], score=score, confidence=sure, tier=self.tier, held=held,
            lasts=any(detector.reasons), text=text, evidence=evidence,
        )  # fmt: skip

    def _price(self, tick: int) -> str:
        return fmt.price(self._scale, tick)

    def _size(self, lots: int) -> str:
        return fmt.size(self._scale, lots)

    def _over_budget(self, recv_ns: int, name: str) -> bool:
        recent = self._recent
        while recent and recent[0][0] <= recv_ns - _HOUR_NS:
            recent.popleft()
        heard = {one for _, one in recent} | {name}
        kept_free = sum(post.name not in heard for post in self._posts)
        if len(recent) + kept_free >= BUDGET and any(one == name for _, one in recent):
            self.held += 1
            return True
        recent.append((recv_ns, name))
        return False

    # -- whole ----------------------------------------------------------------------------------

    def _arrays(self) -> Iterator[NDArray[Any]]:
        stories = self._board.copy()
        stories["moment_at"], stories["moment_slots"] = 0, 0
        yield stories
        yield self._flow
        for post in self._posts:
            yield post.memory

    def _layout(self) -> str:
        said = [self.tier, repr(self._context.tobytes())]
        said += [f"{p.name} {p.detector.memory.descr} {p.limits.tobytes()!r}" for p in self._posts]
        return hashlib.blake2b("\n".join(said).encode(), digest_size=16).hexdigest()

    def digest(self) -> str:
        """A digest of all that the detectors remember."""
        out = hashlib.blake2b(digest_size=16)
        for array in self._arrays():
            out.update(array.tobytes())
        out.update(repr((self.held, list(self._recent))).encode())
        return out.hexdigest()

    def save(self) -> bytes:
        """Write everything remembered; `restore` gives it back."""
        head = msgspec.json.encode([self._layout(), self.held, list(self._recent)])
        return b"".join((_MAGIC, len(head).to_bytes(4, "little"), head, *(a.tobytes() for a in self._arrays())))

    def restore(self, blob: bytes) -> None:
        """Take up what `save` wrote under the same detectors and thresholds; BadInput otherwise."""
        start = len(_MAGIC) + 4
        if blob[: len(_MAGIC)] != _MAGIC:
            raise BadInput("detectors' state", blob[:8], "a state written by this version")
        end = start + int.from_bytes(blob[len(_MAGIC) : start], "little")
        layout, held, recent = msgspec.json.decode(blob[start:end], type=tuple[str, int, list[tuple[int, str]]])
        if layout != self._layout() or len(blob) - end != sum(a.nbytes for a in self._arrays()):
            raise BadInput("detectors' state", layout, "one saved under the same detectors and thresholds")
        moments = self._board["moment_at"].copy(), self._board["moment_slots"].copy()
        for array in (self._board, self._flow, *(post.memory for post in self._posts)):
            array[:] = np.frombuffer(blob, array.dtype, 1, end)
            end += array.nbytes
        self._board["moment_at"], self._board["moment_slots"] = moments
        self.held = held
        self._recent = deque(recent)


def context_of(instrument: Instrument, tier: str, settings: EngineSettings) -> NDArray[Any]:
    """The CONTEXT record of an instrument."""
    context = np.zeros(1, CONTEXT)
    context["tier"] = TIERS.index(tier)
    context["asset"] = asset_of(instrument.venue)
    context["depth_ticks"] = settings.depth_ticks
    context["fine"] = instrument.price.fine
    context["tick_size"] = instrument.price.value(1)
    context["lot_size"] = instrument.size.value(1)
    return context


def default_thresholds(only: tuple[str, ...] | None = None) -> dict[str, Thresholds]:
    """Every detector, or some, with its defaults."""
    return {name: detector.thresholds() for name, detector in _KNOWN.items() if only is None or name in only}


def thresholds_of(tables: Mapping[str, Mapping[str, float]], place: str = "thresholds") -> dict[str, Thresholds]:
    """Turn tables of numbers into thresholds; raise BadInput naming the detector or the key that is wrong."""
    out: dict[str, Thresholds] = {}
    for name, table in tables.items():
        if name not in _KNOWN:
            near = difflib.get_close_matches(name, _KNOWN, 1)
            raise BadInput(f"{place}: detector", name, f"{near[0]!r}?" if near else "one of " + ", ".join(_KNOWN))
        kind = _KNOWN[name].thresholds
        for key in table:
            if key not in kind.__struct_fields__:
                near = difflib.get_close_matches(key, kind.__struct_fields__, 1)
                wanted = f"{near[0]!r}?" if near else "one of " + ", ".join(kind.__struct_fields__)
                raise BadInput(f"{place}: {name}", key, wanted)
        try:
            out[name] = msgspec.convert(dict(table), kind)
        except msgspec.ValidationError as error:
            text, _, key = str(error).partition(" - at `$.")
            raise BadInput(
                f"{place}: {name}.{key.rstrip('`')}", table.get(key.rstrip("`")), text.removeprefix("Expected ")
            ) from None
    return out


def market_at(engine: Engine, outcome: Batch, row: int) -> Slice:
    """The book and the last prints after a row of the batch that the engine has just applied.

    Later rows of the batch are taken back one by one: the frame tells what stood there before each.
    """
    events, frame = outcome.events, outcome.frame
    seq = int(events["seq"][row])
    tape = engine.tape.raw(_PRINTS, until=seq)
    prints = tuple((int(p["recv_ns"]), int(p["tick"]), int(p["lots"]), int(p["side"])) for p in tape)
    later = frame[row + 1 :]
    if ((later["kind"] == CLEAR) | (later["marks"] & SNAPSHOT != 0)).any():
        return Slice(None, None, prints)
    levels = {
        side: dict(zip(got["tick"].tolist(), got["lots"].tolist(), strict=True))
        for side, got in ((1, engine.book.bids(64)), (-1, engine.book.asks(64)))
    }
    kind = later["kind"]
    of_book = (kind >= BOOK) & (kind <= FILL) & (later["marks"] & OFF_GRID == 0)
    for side, known in levels.items():
        _take_back(known, later, np.flatnonzero(of_book & (later["side"] == side)))
    bids = sorted(((tick, lots) for tick, lots in levels[1].items() if lots > 0), reverse=True)
    asks = sorted((tick, lots) for tick, lots in levels[-1].items() if lots > 0)
    return Slice(tuple(bids[:_BOOK_ROWS]), tuple(asks[:_BOOK_ROWS]), prints)


def _take_back(levels: dict[int, int], frame: NDArray[Any], rows: NDArray[np.intp]) -> None:
    """Undo changes of one side in rows of a frame: the first one of a level tells what stood there before."""
    tick, was = frame["tick"][rows], frame["was"][rows]
    left = frame["from_tick"][rows]
    if (left != NONE).any():
        columns = (tick.tolist(), was.tolist(), left.tolist(), frame["order_was"][rows].tolist())
        for at, before, gone, lots in reversed(list(zip(*columns, strict=True))):
            levels[at] = before
            if gone != NONE:
                levels[gone] = levels.get(gone, 0) + lots
        return
    ticks, first = np.unique(tick, return_index=True)
    levels.update(zip(ticks.tolist(), was[first].tolist(), strict=True))


def _known(value: float) -> float:
    return UNKNOWN if math.isnan(value) else value


def _share(value: float) -> str:
    return f"{value:.2f}".lstrip("0") if value < 1 else "1"


def _number(value: float) -> str:
    return f"{value:.2f}".lstrip("0") if 0 <= value < 1 else f"{value:.1f}"


@_jit.warmer
def _warm(run: Callable[..., Any]) -> None:
    rows = np.zeros(0, np.uint32)
    events: Events = np.zeros(0, EVENT)
    events.flags.writeable = False
    run(pick, np.zeros(0, np.uint8), 1, np.zeros(8, np.uint32))
    context, board, out = np.zeros(1, CONTEXT), np.zeros(1, BOARD), np.zeros(8, ALERT)
    run(collect, np.zeros(8, FRAME), np.zeros(0, np.uint8), rows, board, np.zeros(1, FLOW))
    for detector in _KNOWN.values():
        limits, memory = record(detector.thresholds()), np.zeros(1, detector.memory)
        run(detector.kernel, events, np.zeros(8, FRAME), rows, context, board, limits, memory, out)
