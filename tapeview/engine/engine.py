"""The engine: owns the arrays of one instrument, drives the kernels over batches of events, and answers questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import EVENT, NONE, Events
from feeds.instruments import Instrument
from tapeview.engine import _jit, book, core, orders, tape, vwap
from tapeview.engine.book_view import BookView
from tapeview.engine.content import digest_of, read_blob, write_blob
from tapeview.engine.frame import FRAME, IS_NEAR, IS_TOUCH, IS_TRADE
from tapeview.engine.memory import TABLE_START, fresh
from tapeview.engine.settings import EngineSettings
from tapeview.engine.state import (
    ANCHORS,
    CELL,
    COUNTERS,
    EXTRA,
    FLOW,
    NEED_CENTRE,
    NEED_FLOW,
    NEED_ORDERS,
    NEED_PAGES,
    NEED_SPILL,
    NO_KEY,
    ORDER,
    PAGE_SLOT,
    REACH,
    SPILL,
    SUMS,
    WINDOW,
)  # fmt: skip
from tapeview.engine.tape_view import TapeView
from tapeview.engine.vwap_view import VwapView


class Outcome(NamedTuple):
    """What one call of `Engine.apply` gives; arrays are views that the next call overwrites."""

    events: Events
    frame: NDArray[Any]
    """FRAME, one row an event."""
    news: NDArray[np.uint8]
    """What each row is news of, IS_ bits."""

    @property
    def trades(self) -> NDArray[np.intp]:
        """Rows that are prints."""
        return np.flatnonzero(self.news & IS_TRADE)

    @property
    def touches(self) -> NDArray[np.intp]:
        """Rows that changed the best price of a side, or its lots or orders."""
        return np.flatnonzero(self.news & IS_TOUCH)

    @property
    def near(self) -> NDArray[np.intp]:
        """Rows that changed a level within `depth_ticks` of the touch."""
        return np.flatnonzero(self.news & IS_NEAR)


class Engine:
    """Rebuild one instrument's market from its events: book, tape, VWAP, and a frame of facts.

    The state depends on the events alone: neither on how they were cut into batches nor on the clock, and compiled
    kernels and plain Python give the same bytes. Before `tapeview.engine.warm` or `start_background` is done,
    everything runs as plain Python.
    """

    def __init__(self, instrument: Instrument, settings: EngineSettings | None = None, inst: int | None = None) -> None:
        self.instrument = instrument
        self.settings = settings or EngineSettings()
        self.inst = inst
        self._memory = fresh(instrument, self.settings, inst)
        self._names: dict[int, str] = {0: "session", 1: "day"}
        self._adopt()

    def _adopt(self) -> None:
        state = self._memory.state
        self._need = state["need"]
        self._frame = np.zeros(1024, FRAME)
        self._news = np.zeros(1024, np.uint8)
        self.book = BookView(self._memory, self.instrument, self.settings)
        self.tape = TapeView(self._memory, self.instrument)
        self.vwap = VwapView(self._memory, self._names, self.instrument)

    def apply(self, events: Events) -> Outcome:
        """Apply a batch of EVENT rows in order."""
        if events.dtype != EVENT or events.ndim != 1:
            raise TypeError(f"events must be one-dimensional EVENT rows, not {events.dtype} of shape {events.shape}")
        # Read-only, as frozen batches are too, so that one compiled version serves all.
        rows = events.view() if events.flags.c_contiguous else np.ascontiguousarray(events)
        rows.flags.writeable = False
        n = len(rows)
        if n > len(self._frame):
            room = 1 << (n - 1).bit_length()
            self._frame = np.zeros(room, FRAME)
            self._news = np.zeros(room, np.uint8)
        at = 0
        while at < n:
            if self._need[0]:
                self._make_room()
            at = _jit.call(core.advance, rows, at, self._memory.state, self._frame, self._news)
        return Outcome(events, self._frame[:n], self._news[:n])

    # -- room -----------------------------------------------------------------------------------

    def _make_room(self) -> None:
        memory = self._memory
        need = int(self._need[0])
        self._need[0] = 0
        if need & NEED_ORDERS:
            slots = 2 * len(memory.tables["order"])
            old, extra = memory.put("order", np.zeros(slots, ORDER)), memory.put("extra", np.zeros(slots, EXTRA))
            _jit.call(orders.readd_orders, memory.state, old, extra)
        if need & NEED_PAGES:
            old = memory.put("page", np.zeros(2 * len(memory.tables["page"]), PAGE_SLOT))
            _jit.call(tape.readd_pages, memory.state, old)
            old = memory.put("cell", np.zeros(2 * len(memory.tables["cell"]), CELL))
            memory.tables["cell"][: len(old)] = old
        if need & NEED_FLOW:
            n = int(memory.state["prints"][0])
            old = memory.put("flow", np.zeros(4 * len(memory.tables["flow"]), FLOW))
            new, room = memory.tables["flow"], len(old)
            turn = n // room * room
            # Two runs, before and after the old ring's last turn, each whole in the new ring.
            new[turn % len(new) :][: n - turn] = old[: n - turn]
            if turn:
                new[(turn - room) % len(new) :][n - turn : room] = old[n - turn :]
        if need & (NEED_SPILL | NEED_CENTRE):
            self._relay(move=bool(need & NEED_CENTRE), grow=bool(need & NEED_SPILL))
        self._need[0] = 0

    def _relay(self, *, move: bool, grow: bool) -> None:
        memory = self._memory
        s = memory.state[0]
        middle = 0
        if move:
            middle = self._middle()
            low = min(max(middle - WINDOW // 2, -REACH), REACH)
            move = abs(low - int(s["low_key"][0])) > WINDOW // 8
        if not (move or grow):
            return
        levels = int(s["levels"].sum() + s["spilled"].sum())
        room = max(TABLE_START, 1 << (4 * (levels + 8) - 1).bit_length())
        old = memory.tables["spill"]
        memory.put("spill", np.zeros(room if move else max(room, 2 * len(old)), SPILL))
        _jit.call(book.relay, memory.state, old, middle, int(move))

    def _middle(self) -> int:
        bid, ask = (int(key) for key in self._memory.state["best"][0])
        if NO_KEY in (bid, ask):
            return bid if ask == NO_KEY else -ask
        return (bid - ask) // 2 if abs(-ask - bid) <= WINDOW // 2 else bid

    # -- anchors --------------------------------------------------------------------------------

    def anchor(self, name_or_slot: str | int) -> int:
        """Start a VWAP anchor after the newest event, under a name or again in a user slot (2 to 7); give its slot.

        Raises ValueError where every user slot is taken.
        """
        slot: int | None
        if isinstance(name_or_slot, int):
            slot, name = name_or_slot, self._names.get(name_or_slot, f"anchor {name_or_slot}")
        else:
            name = name_or_slot
            on = self._memory.state["anchor_on"][0]
            slot = next((n for n, known in self._names.items() if known == name and n > 1), None)
            slot = slot if slot is not None else next((n for n in range(2, ANCHORS) if not on[n]), None)
        if slot is None or not 2 <= slot < ANCHORS:
            raise ValueError(f"no free slot for anchor {name!r}: {ANCHORS - 2} user anchors at most")
        self._names[slot] = name
        _jit.call(vwap.anchor_here, self._memory.state, slot, self._one("now_ns") or NONE)
        return slot

    def drop_anchor(self, slot: int) -> None:
        """Forget a user anchor."""
        if not 2 <= slot < ANCHORS:
            raise ValueError(f"slot {slot} holds no user anchor")
        self._names.pop(slot, None)
        s = self._memory.state[0]
        for name in ("anchor_on", "anchor_weight", "anchor_print"):
            s[name][slot] = 0
        s["anchor_ns"][slot] = NONE
        s["sums"][(1 + slot) * SUMS : (2 + slot) * SUMS] = 0

    # -- facts ----------------------------------------------------------------------------------

    def _one(self, name: str) -> int:
        return int(self._memory.state[name][0])

    @property
    def seq(self) -> int:
        """Position of the newest event in the source's stream, NONE before any."""
        return self._one("seq")

    @property
    def recv_ns(self) -> int:
        """Receive time of the newest event of this instrument, NONE before any."""
        return self._one("recv_ns")

    @property
    def exch_ns(self) -> int:
        """Newest venue time, NONE where the venue gives none."""
        return self._one("exch_ns")

    @property
    def venue_seq(self) -> int:
        """The venue's own number of the newest change of the book, NONE where it gives none."""
        return self._one("venue_seq")

    @property
    def events(self) -> int:
        """Events of this instrument applied so far."""
        return self._one("events")

    @property
    def counters(self) -> dict[str, int]:
        """What was counted so far, and `overflow_levels` now outside the dense window."""
        row = self._memory.state[0]
        return {name: int(row[f"n_{name}"]) for name in COUNTERS} | {"overflow_levels": int(row["spilled"].sum())}

    # -- whole ----------------------------------------------------------------------------------

    def digest(self) -> str:
        """A BLAKE2b digest of everything the engine knows, whatever tables hold it and however batches were cut."""
        return digest_of(self._memory, self._names)

    def save(self) -> bytes:
        """Write the whole state; `load` gives it back exactly."""
        return write_blob(self._memory, self._names)

    @classmethod
    def load(
        cls, instrument: Instrument, settings: EngineSettings | None, blob: bytes, inst: int | None = None
    ) -> Engine:
        """Make an engine that goes on where `save` was called.

        Raises BadInput where the blob is damaged, of another version, or saved under another instrument or settings.
        """
        engine = cls(instrument, settings, inst)
        read_blob(blob, engine._memory, engine._names)
        engine._adopt()
        return engine


@_jit.warmer
def _warm(run: Callable[..., Any]) -> None:
    memory = fresh(Instrument(venue="none", symbol="NONE", tick="1"), EngineSettings(), None)
    rows = np.zeros(0, EVENT)
    rows.flags.writeable = False
    run(core.advance, rows, 0, memory.state, np.zeros(8, FRAME), np.zeros(8, np.uint8))
    run(book.relay, memory.state, np.zeros(TABLE_START, SPILL), 0, 0)
    run(orders.readd_orders, memory.state, np.zeros(TABLE_START, ORDER), np.zeros(TABLE_START, EXTRA))
    run(tape.readd_pages, memory.state, np.zeros(TABLE_START, PAGE_SLOT))
    run(vwap.anchor_here, memory.state, 2, 0)
