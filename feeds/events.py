"""The border between bytes and everything else: one 64-byte EVENT record, its kinds and marks.

A reader or a venue writes EVENT rows; the engine and all behind it read nothing else.
Prices are integer ticks and sizes integer lots of the row's instrument, so that sums are exact.

Field   | type | meaning
--------|------|--------------------------------------------------------------------------------
recv_ns | i8   | receive time, ns since 1970; equals exch_ns where a file has no receive time
exch_ns | i8   | the venue's time, ns since 1970, NONE where the venue gives none
seq     | i8   | position in the source's stream from 0; what `--seq` and journals refer to
tick    | i8   | price in ticks; with OFF_GRID, the price in the instrument's fine price units
lots    | i8   | size in lots; with OFF_LOT, the size in the instrument's fine size units
ref     | i8   | BOOK: venue update id · order kinds: order id · TRADE: trade id · see KIND
aux     | i8   | BOOK: order count (0 unknown) · order kinds: venue sequence · TRADE: kind of print
inst    | u4   | index into the source's instruments, EVERY for rows that concern them all
kind    | u1   | one of the kinds below
side    | i1   | BID or ASK for the book and orders; for TRADE the aggressor: BUY, SELL, UNKNOWN
marks   | u2   | bit set of the marks below
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

EVENT: Final = np.dtype(
    [
        ("recv_ns", "<i8"),
        ("exch_ns", "<i8"),
        ("seq", "<i8"),
        ("tick", "<i8"),
        ("lots", "<i8"),
        ("ref", "<i8"),
        ("aux", "<i8"),
        ("inst", "<u4"),
        ("kind", "<u1"),
        ("side", "<i1"),
        ("marks", "<u2"),
    ]
)
"""One row of a stream, 64 bytes, little-endian."""

Events = NDArray[Any]
"""A one-dimensional array of EVENT."""

NONE: Final = -(2**63)
"""An unknown id, time or price in an i8 field. Never 0, which is a value."""

EVERY: Final = 0xFFFF_FFFF
"""`inst` of a row that concerns every instrument of the source (CLOCK)."""

# -- kinds ------------------------------------------------------------------------------------
BOOK: Final = 1
"""Absolute lots at a level, 0 deletes it. ref = venue update id or NONE, aux = order count or 0."""
ADD: Final = 2
"""A new resting order at the back of its level. ref = order id, aux = venue sequence or NONE."""
MODIFY: Final = 3
"""An order now has this tick and these displayed lots. Keeps its place only if the tick is the same and lots are
not more than were left of it, fills marked NO_BOOK taken off (so a native iceberg that shows its next lots goes to
the back), or if KEEPS_PLACE is marked. ref = order id, aux = venue sequence or NONE."""
CANCEL: Final = 4
"""Remove `lots` from an order, all of it when lots is 0 or at least what is left. ref, aux as ADD."""
FILL: Final = 5
"""`lots` of an order were executed. Takes them from the order and removes it at 0, unless NO_BOOK is
marked (the venue states the change in a following CANCEL or MODIFY). ref, aux as ADD."""
TRADE: Final = 6
"""A print. side = aggressor, ref = trade id or NONE, aux = one of the PRINT kinds."""
CLEAR: Final = 7
"""Forget the whole book (and its orders); a rebuild or nothing follows. side 0, or BID/ASK for one side."""
GAP: Final = 8
"""Something is missing before this row. ref = messages lost or NONE, aux = length in ns or NONE, lots = a CAUSE."""
STATUS: Final = 9
"""The venue or reader states the market's phase: aux = one of the STATUS values, ref = venue sequence or NONE."""
CLOCK: Final = 10
"""Receive time reached recv_ns, a multiple of 100 ms. inst = EVERY."""
FACT: Final = 11
"""A slow input: aux = one of the FACT values, lots = value in the fixed point of FACT_DECIMALS (lots of the
instrument for its sizes), ref = as-of ns or NONE. A liquidation has its price in tick and the order's side in side."""
QUOTE: Final = 12
"""The venue's own best price of one side (its BBO channel): ref = venue update id or NONE. Never changes the book."""

KIND_NAMES: Final = {
    BOOK: "book", ADD: "add", MODIFY: "modify", CANCEL: "cancel", FILL: "fill", TRADE: "trade",
    CLEAR: "clear", GAP: "gap", STATUS: "status", CLOCK: "clock", FACT: "fact", QUOTE: "quote",
}  # fmt: skip

# -- sides ------------------------------------------------------------------------------------
BID: Final = 1
ASK: Final = -1
BUY: Final = 1
"""The aggressor bought (and consumed asks)."""
SELL: Final = -1
UNKNOWN: Final = 0

# -- marks ------------------------------------------------------------------------------------
LAST: Final = 1
"""Ends one venue message: only now may the book be compared, crossed or shown."""
SNAPSHOT: Final = 2
"""Part of a rebuild: neither an add nor a refill."""
BAD_TIME: Final = 4
"""The row's time went backwards, was zero or absurd; kept as it came."""
IMPLIED: Final = 8
"""Inferred by the reader, not stated by the venue (a ghost order's removal, a side by quote rule)."""
OFF_GRID: Final = 16
"""`tick` holds the exact price in fine units (Instrument.price.fine), not on the tick grid."""
OFF_LOT: Final = 32
"""`lots` holds the exact size in fine units (Instrument.size.fine), not a whole number of lots."""
KEYFRAME: Final = 64
"""A copy of the book at the start of a recording's part, skipped by a reader that comes from before it."""
NO_BOOK: Final = 128
"""A FILL that leaves the displayed book as it is; the change follows in its own row."""
KEEPS_PLACE: Final = 256
"""A MODIFY that keeps the order's place in the queue whatever it changes."""
CHECKED: Final = 512
"""The venue's checksum over the book after this message was computed and agrees (on LAST rows)."""
SUSPECT: Final = 1024
"""The venue's checksum disagrees, or the venue flagged the book as possibly wrong."""
PRINTS_ONLY: Final = 2048
"""A GAP that concerns prints and slow inputs alone: the book came another way and is whole."""

# -- kinds of print (aux of TRADE) ------------------------------------------------------------
PRINTS: Final = (
    "regular", "hidden", "auction", "block", "liquidation", "insurance", "off_exchange", "late", "odd_lot", "bust",
    "other",
)  # fmt: skip
(REGULAR, HIDDEN, AUCTION, BLOCK, LIQUIDATION, INSURANCE, OFF_EXCHANGE, LATE, ODD_LOT, BUST, OTHER) = range(len(PRINTS))
"""BUST takes an earlier print back: its tick, lots and side are the print's, ref its trade id."""
FLOW_PRINTS: Final = (1 << REGULAR) | (1 << HIDDEN) | (1 << LIQUIDATION) | (1 << ODD_LOT)
"""Bit set of the kinds that count in volume, delta, VWAP and extremes; the others stay on the tape only."""

# -- STATUS values ----------------------------------------------------------------------------
STATUSES: Final = ("syncing", "live", "stale", "crossed", "auction", "halted")
(S_SYNCING, S_LIVE, S_STALE, S_CROSSED, S_AUCTION, S_HALTED) = range(len(STATUSES))
"""A reader may state syncing, live, auction or halted; stale and crossed are the engine's own findings."""

# -- causes of a GAP (its `lots`) -------------------------------------------------------------
CAUSES: Final = ("unknown", "sequence", "checksum", "disconnect", "damaged", "drops", "recording")
(C_UNKNOWN, C_SEQUENCE, C_CHECKSUM, C_DISCONNECT, C_DAMAGED, C_DROPS, C_RECORDING) = range(len(CAUSES))

# -- FACT values (aux of FACT) ----------------------------------------------------------------
FACTS: Final = (
    "mark_price", "index_price", "funding_rate", "next_funding_ns", "open_interest", "liquidation", "short_interest",
    "float_shares", "adv20", "utilisation", "borrow_fee", "put_volume", "call_volume", "news", "halt", "ssr",
    "short_volume", "short_exempt_volume", "reported_volume",
)  # fmt: skip
(
    F_MARK_PRICE, F_INDEX_PRICE, F_FUNDING_RATE, F_NEXT_FUNDING_NS, F_OPEN_INTEREST, F_LIQUIDATION, F_SHORT_INTEREST,
    F_FLOAT_SHARES, F_ADV20, F_UTILISATION, F_BORROW_FEE, F_PUT_VOLUME, F_CALL_VOLUME, F_NEWS, F_HALT, F_SSR,
    F_SHORT_VOLUME, F_SHORT_EXEMPT_VOLUME, F_REPORTED_VOLUME,
) = range(len(FACTS))  # fmt: skip
FACT_DECIMALS: Final = (
    9, 9, 9, 0, None, None, 6,
    6, 6, 9, 9, 0, 0, 0, 0, 0,
    6, 6, 6,
)  # fmt: skip
"""By FACT value, the k of `lots` = value x 10**k: 9 for prices, rates and fractions of 1, 6 for shares (they come in
fractions), 0 for contracts, flags and ns. None: lots of the row's instrument, or its fine units with OFF_LOT."""

_ROW: Final = struct.Struct("<qqqqqqqIBbH")
_KIND: Final = 60
"""Where a row has its kind."""


class EventBuffer:
    """Collect EVENT rows in order and give them away as one array.

    Single rows cost a struct.pack (about 0.4 us); levels that come together go through `extend`.
    `seq` is left 0: the source numbers its rows when the stream is put together.
    """

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes) // EVENT.itemsize

    def append(
        self,
        kind: int,
        recv_ns: int,
        exch_ns: int = NONE,
        tick: int = 0,
        lots: int = 0,
        side: int = 0,
        ref: int = NONE,
        aux: int = 0,
        inst: int = 0,
        marks: int = 0,
    ) -> None:
        """Add one row."""
        self._bytes += _ROW.pack(recv_ns, exch_ns, 0, tick, lots, ref, aux, inst, kind, side, marks)

    def extend(self, rows: Events) -> None:
        """Add ready EVENT rows."""
        if rows.dtype != EVENT:
            raise TypeError(f"rows must be EVENT, not {rows.dtype}")
        self._bytes += rows.tobytes()

    def extend_bytes(self, rows: bytes) -> None:
        """Add ready EVENT rows given as their bytes."""
        if len(rows) % EVENT.itemsize:
            raise ValueError(f"{len(rows)} bytes are no whole number of EVENT rows")
        self._bytes += rows

    def mark_last(self, marks: int = LAST) -> None:
        """Set marks on the newest row, which closes a venue message."""
        if not self._bytes:
            raise IndexError("no row to mark")
        at = len(self._bytes) - 2
        now = self._bytes[at] | self._bytes[at + 1] << 8 | marks
        self._bytes[at : at + 2] = now.to_bytes(2, "little")

    def kinds(self, start: int = 0) -> bytes:
        """Give the kinds of the rows from `start`, a byte each."""
        return bytes(self._bytes[start * EVENT.itemsize + _KIND :: EVENT.itemsize])

    def cut(self, start: int) -> Events:
        """Take the rows from `start` away and give them as a writable array of EVENT."""
        rows = self._bytes[start * EVENT.itemsize :]
        del self._bytes[start * EVENT.itemsize :]
        return np.frombuffer(rows, dtype=EVENT)

    def take(self) -> Events:
        """Give all rows as a writable array of EVENT and start anew."""
        taken, self._bytes = self._bytes, bytearray()
        return np.frombuffer(taken, dtype=EVENT)


def empty(n: int = 0) -> Events:
    """Make `n` zeroed EVENT rows."""
    return np.zeros(n, dtype=EVENT)
