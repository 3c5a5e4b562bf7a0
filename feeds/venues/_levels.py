"""Decimal texts of one instrument to ticks and lots: single values, and a message's levels at once.

A venue's level array such as `[["27985.10","3.204"],["27985.00","0.000"]]` is read without making a Python
object per level where all prices have one number of decimals and all sizes another, which is checked on the
bytes. Everything else goes value by value through `Grid.read`; both ways give the same integers.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from feeds.events import ASK, BID, BOOK, EVENT, LAST, OFF_GRID, OFF_LOT, Events
from feeds.instruments import Grid, Instrument

Integers = NDArray[np.int64]

MAX_TEXT: Final = 64
"""Characters of the longest number that is read."""
_FEW: Final = 60
"""Bytes of level arrays so short that reading them value by value is faster."""
_REMEMBERED: Final = 4096
_MANY: Final = 150
"""Levels of messages so long that reading them by columns of digits is faster."""
_LONGEST: Final = 19
"""Characters of the longest number read so."""
_DOT: Final = ord(".")
_ZERO: Final = ord("0")
_LIMIT: Final = 2**62
_OPEN: Final = ord("[")
_CLOSE: Final = ord("]")
_DIGITS: Final = b"0123456789"
_ZEROED: Final = bytes.maketrans(_DIGITS, b"0" * 10)
_FIRST: Final = re.compile(rb'\["\d+(?:\.(\d+))?",( ?)"\d+(?:\.(\d+))?"\]')
_TENS: Final = tuple(10**n for n in range(19))
_HEAD: Final = struct.Struct("<qqq")
_END: Final = struct.Struct("<qqq")
"""What an EVENT has before and behind its tick and lots."""
_PAIRS: Final = msgspec.json.Decoder(list[tuple[str, str]])


class Sides(NamedTuple):
    """The levels of one message: a row of (tick, lots) each, first the bids and then the asks, in its order."""

    values: Integers
    bids: int
    """How many of the rows are bids."""
    marks: Integers | None = None
    """OFF_GRID and OFF_LOT of each row; None where all are on the grids."""

    def __len__(self) -> int:
        return len(self.values)


class Packed(NamedTuple):
    """The levels of one message, all on the grids: 16 bytes each, which are tick and lots as rows have them."""

    bids: list[bytes]
    asks: list[bytes]

    def __len__(self) -> int:
        return len(self.bids) + len(self.asks)


NO_LEVELS: Final = Sides(np.zeros((0, 2), dtype=np.int64), 0)
"""Two empty sides."""


class _Form(NamedTuple):
    level: bytes
    """One level and the comma behind it with the digits taken away."""
    comma: bytes
    ends: tuple[bytes, ...]
    """How prices and sizes that have decimals end, digits written as 0."""
    whole: bool
    """Prices or sizes have no decimals."""
    decimals: tuple[int, int]


class Numbers:
    """Read the prices and sizes of one instrument."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.price: Callable[[str], tuple[int, int]] = Counts(instrument.price, OFF_GRID).__getitem__
        """Price text -> (tick, 0) or (fine units, OFF_GRID); raises BadInput."""
        self.size: Callable[[str], tuple[int, int]] = Counts(instrument.size, OFF_LOT).__getitem__
        """Size text -> (lots, 0) or (fine units, OFF_LOT); raises BadInput."""
        self.tick8 = Eights(instrument.price, self.price)
        """Price text -> the 8 bytes of its tick; raises OffGridError."""
        self.lots8 = Eights(instrument.size, self.size)
        """Size text -> the 8 bytes of its lots; raises OffGridError."""
        self._grids = (instrument.price, instrument.size)
        self._form: _Form | None = None

    def packed(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> Packed | None:
        """Read (price, size) texts; None where one is off its grid. Raises BadInput, also below 0."""
        ticks, lots = self.tick8, self.lots8
        try:
            return Packed(
                [ticks[price] + lots[size] for price, size in bids], [ticks[price] + lots[size] for price, size in asks]
            )
        except OffGridError:
            return None

    def sides(self, bids: bytes, asks: bytes) -> Sides:
        """Read two JSON arrays of [price, size] texts.

        Raises a ValueError (BadInput or msgspec's) where they are none, and for a price or size below 0.
        """
        if len(bids) + len(asks) > _FEW and (found := self.together([(bids, asks)])) is not None:
            return found[0]
        sides = self.one_by_one(bids, asks)
        if len(sides) and int(sides.values.min()) < 0:
            raise BadInput("level", int(sides.values.min()), "a price and a size of 0 or more")
        return sides

    def together(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[Sides] | None:
        """Read the bids and asks of several messages at once; None where not all are of one regular form."""
        counts: list[int] = []
        inner: list[bytes] = []
        for pair in pairs:
            for raw in pair:
                part = raw[1:-1]
                n = part.count(b"[")
                counts.append(n)
                if n and raw[0] == _OPEN and raw[-1] == _CLOSE:
                    inner.append(part)
                elif raw != b"[]":
                    return None
        if not inner:
            return [NO_LEVELS] * len(pairs)
        values = None if self._form is None else self._values(inner, sum(counts), self._form)
        if values is None:
            form = _form_of(inner[0])
            values = None if form is None or form == self._form else self._values(inner, sum(counts), form)
            if values is None:
                return None
            self._form = form
        found, at = [], 0
        for bids, asks in zip(counts[0::2], counts[1::2], strict=True):
            found.append(Sides(values[at : at + bids + asks], bids))
            at += bids + asks
        return found

    def one_by_one(self, bids: bytes, asks: bytes) -> Sides:
        """Read the same value by value."""
        pairs = _PAIRS.decode(bids)
        at = len(pairs)
        pairs += _PAIRS.decode(asks)
        return self.texts(pairs, at)

    def texts(self, pairs: Sequence[tuple[str, str]], at: int) -> Sides:
        """Read (price, size) texts, of which the first `at` are bids; raises BadInput where one is no number."""
        if not pairs:
            return NO_LEVELS
        if len(pairs) > _MANY:
            prices, sizes = (
                _column(texts, grid) for texts, grid in zip(zip(*pairs, strict=True), self._grids, strict=True)
            )
            if prices is not None and sizes is not None:
                return Sides(np.column_stack((prices, sizes)), at)
        price, size = self.price, self.size
        table = np.array([(*price(tick), *size(lots)) for tick, lots in pairs], dtype=np.int64)
        marks = table[:, 1] | table[:, 3]
        return Sides(table[:, 0::2], at, marks if marks.any() else None)

    def _values(self, inner: list[bytes], n: int, form: _Form) -> Integers | None:
        # The shape says where brackets, quotes and dots are; the counted ends, that each text has its decimals.
        joined = form.comma.join(inner)
        if joined.translate(None, _DIGITS) != (form.level * n)[: -len(form.comma)]:
            return None
        zeroed = joined.translate(_ZEROED)
        if any(zeroed.count(end) != n for end in form.ends) or (form.whole and b'""' in joined):
            return None
        flat = np.fromstring(joined.translate(None, b'[]". '), dtype=np.int64, sep=",")
        if len(flat) != 2 * n or flat[flat.argmax()] >= _LIMIT:
            return None
        values = flat.reshape(-1, 2)
        for column, (decimals, grid) in enumerate(zip(form.decimals, self._grids, strict=True)):
            if decimals != grid.decimals or grid.mantissa != 1:
                counts = _counted(values[:, column], decimals, grid)
                if counts is None:
                    return None
                values[:, column] = counts
        return values


def _form_of(raw: bytes) -> _Form | None:
    match = _FIRST.match(raw)
    if match is None:
        return None
    price, space, size = match[1] or b"", match[2], match[3] or b""
    dots = [b"." if part else b"" for part in (price, size)]
    ends = ((price, b'",'), (size, b'"]'))
    return _Form(
        level=b'["%b",%b"%b"],%b' % (dots[0], space, dots[1], space),
        comma=b"," + space,
        ends=tuple(b".%b%b" % (b"0" * len(part), behind) for part, behind in ends if part),
        whole=not (price and size),
        decimals=(len(price), len(size)),
    )


def _counted(values: Integers, decimals: int, grid: Grid) -> Integers | None:
    step = grid.mantissa
    if decimals > grid.decimals:
        step *= 10 ** (decimals - grid.decimals)
    elif decimals < grid.decimals:
        tens = 10 ** (grid.decimals - decimals)
        if values[values.argmax()] >= _LIMIT // tens:
            return None
        values = values * tens
    if step >= _LIMIT:
        return None
    counts = values // step
    return None if np.count_nonzero(counts * step - values) else counts


def _column(texts: Sequence[str], grid: Grid) -> Integers | None:
    """Count plain decimal texts of any lengths in whole increments; None where one is not plain or off the grid."""
    try:
        table = np.array(texts, dtype=np.bytes_)
    except UnicodeEncodeError:
        return None
    width = table.dtype.itemsize
    if width > _LONGEST or sum(map(len, texts)) != int(np.count_nonzero(table.view(np.uint8))):
        return None
    columns = np.ascontiguousarray(table.view(np.uint8).reshape(-1, width).T)
    dots, digits = columns == _DOT, columns - _ZERO
    plain = digits <= 9
    counts = plain.sum(axis=0)
    if (dots.sum(axis=0) > 1).any() or not counts.all() or (plain | dots | (columns == 0)).sum() != columns.size:
        return None
    values = np.zeros(len(texts), dtype=np.int64)
    behind = np.zeros(len(texts), dtype=np.int64)
    seen = np.zeros(len(texts), dtype=bool)
    for digit, here, dot in zip(digits, plain, dots, strict=True):
        values = np.where(here, values * 10 + digit, values)
        behind += seen & here
        seen |= dot
    finest = max(int(behind.max()), grid.decimals)
    if finest - int(behind.min()) > 18 or int((counts + (finest - behind)).max()) > 18:
        return None
    values *= 10 ** (finest - behind)
    step = grid.mantissa * 10 ** (finest - grid.decimals)
    if step >= _LIMIT:
        return None
    whole = values // step
    return None if np.count_nonzero(whole * step - values) else whole


class OffGridError(Exception):
    """A value is no whole number of increments, so that its row needs a mark."""


def plain_count(text: str, decimals: int, step: int = 1) -> int | None:
    """Count plain decimal text in `step` units of 10 ** -decimals; None where it is another text, or not whole."""
    whole, _, part = text.partition(".")
    short = decimals - len(part)
    if short < 0:
        part = part.rstrip("0")
        short = decimals - len(part)
    digits = whole + part
    if short < 0 or len(digits) + short > 18 or not (digits.isdigit() and text.isascii()) or len(text) > MAX_TEXT:
        return None
    count = int(digits) * _TENS[short]
    if step != 1:
        count, rest = divmod(count, step)
        if rest:
            return None
    return count


class Counts(dict[str, tuple[int, int]]):
    """Number texts and (count, 0), or (fine units, the mark of what is off the grid); the newest are remembered."""

    def __init__(self, grid: Grid, off: int) -> None:
        super().__init__()
        self._grid, self._off = grid, off
        self._decimals, self._step = grid.decimals, grid.mantissa

    def __missing__(self, text: str) -> tuple[int, int]:
        count = plain_count(text, self._decimals, self._step)
        if count is not None:
            found = (count, 0)
        elif len(text) > MAX_TEXT:
            raise BadInput("number", text, f"at most {MAX_TEXT} characters")
        else:
            count, on_grid = self._grid.read(text)
            found = (count, 0 if on_grid else self._off)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[text] = found
        return found


class Eights(dict[str, bytes]):
    """Number texts and the 8 bytes of their counts; the newest are remembered."""

    def __init__(self, grid: Grid, read: Callable[[str], tuple[int, int]]) -> None:
        super().__init__()
        self._decimals, self._step = grid.decimals, grid.mantissa
        self._read = read

    def __missing__(self, text: str) -> bytes:
        count = plain_count(text, self._decimals, self._step)
        if count is None:
            count, mark = self._read(text)
            if mark:
                raise OffGridError
            if count < 0:
                raise BadInput("number", text, "0 or more")
        if len(self) >= _REMEMBERED:
            self.clear()
        found = self[text] = count.to_bytes(8, "little")
        return found


def packed_rows(
    packed: Packed, recv_ns: int, exch_ns: int, ref: int, inst: int, marks: int = 0, kind: int = BOOK
) -> bytes:
    """Make the rows of one message as bytes, none of them LAST."""
    head = _HEAD.pack(recv_ns, exch_ns, 0)
    made = b""
    for side, levels in ((BID, packed.bids), (ASK, packed.asks)):
        if levels:
            end = _END.pack(ref, 0, tail(inst, side, marks, kind))
            made += head + (end + head).join(levels) + end
    return made


def book_rows(sides: Sides, recv_ns: int, exch_ns: int, ref: int, inst: int, marks: int = 0) -> Events:
    """Make the BOOK rows of one message, LAST on the last one; `sides` must hold a level."""
    words = np.empty((len(sides.values), 8), dtype="<i8")
    words[:] = np.array((recv_ns, exch_ns, 0, 0, 0, ref, 0, tail(inst, BID, marks)))
    words[:, 3:5] = sides.values
    words[sides.bids :, 7] = tail(inst, ASK, marks)
    if sides.marks is not None:
        words[:, 7] |= sides.marks << 48
    words[-1, 7] |= LAST << 48
    return words.reshape(-1).view(EVENT)


def block_rows(sides: Sequence[Sides], stamps: Sequence[tuple[int, int, int]], inst: int) -> list[Events]:
    """Make the BOOK rows of several messages, each with its (recv_ns, exch_ns, ref); all on the grids."""
    each = np.array([(one.bids, len(one.values) - one.bids) for one in sides])
    sizes = each.sum(axis=1)
    ends = np.cumsum(sizes)
    words = np.zeros((int(ends[-1]), 8), dtype="<i8")
    words[:, [0, 1, 5]] = np.repeat(np.array(stamps, dtype=np.int64), sizes, axis=0)
    words[:, 3:5] = np.concatenate([one.values for one in sides])
    words[:, 7] = np.repeat(np.tile((tail(inst, BID, 0), tail(inst, ASK, 0)), len(sides)), each.reshape(-1))
    words[ends[sizes > 0] - 1, 7] |= LAST << 48
    rows = words.reshape(-1).view(EVENT)
    edges = [0, *ends.tolist()]
    return [rows[edges[i] : edges[i + 1]] for i in range(len(sides))]


def tail(inst: int, side: int, marks: int, kind: int = BOOK) -> int:
    """Make the last word of an EVENT."""
    # inst u4 · kind u1 · side i1 · marks u2, the last word of an EVENT; marks stay below 2**15.
    return inst | kind << 32 | (side & 0xFF) << 40 | marks << 48
