"""Tables as columns: CSV text cut into frames of whole lines, values counted exactly, damage told with its place.

Numbers are read from their text: digits to one integer and the number of decimals beside it, column by column.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from feeds.errors import BadInput
from feeds.events import OFF_GRID, OFF_LOT
from feeds.files._exact import LIMIT, Bools, Ints, count_floats, count_scaled
from feeds.files._streams import Stream
from feeds.instruments import Grid, parse_decimal
from feeds.source import Checks

if TYPE_CHECKING:
    import polars as pl

BLOCK: Final = 1 << 21
"""Bytes of CSV text that are read at a time."""
_LONGEST_LINE: Final = 1 << 20
_MOST_COLUMNS: Final = 4_096
_US_UNTIL: Final = 10**17
"""Times from here on are ns: as microseconds they would lie in the year 5138."""


class Part:
    """Some consecutive rows of a file."""

    def __init__(self, path: Path, first: int, frame: pl.DataFrame, word: str = "line") -> None:
        self.path = path
        self.first = first
        """Number of the first row, as a person counts lines of text or rows of a table."""
        self.frame = frame
        self.word = word

    def __len__(self) -> int:
        return self.frame.height

    def place(self, at: int, column: str) -> str:
        """Where a value is."""
        return f"{self.path}: {self.word} {self.first + at}: {column}"

    def bad(self, at: int, column: str, expected: str) -> BadInput:
        """The refusal of a value."""
        found = self.frame[column][at]
        return BadInput(self.place(at, column), "" if found is None else str(found), expected)

    def whole(self, column: str, expected: str = "a whole number", *, blank: int | None = None) -> Ints:
        """A column of whole numbers, `blank` where nothing is written; raise BadInput where it is none."""
        import polars as pl

        series = self.frame[column]
        values = series.cast(pl.Int64, strict=False)
        missing = values.is_null()
        if blank is not None:
            missing &= series.is_not_null()
            values = values.fill_null(blank)
        if missing.any():
            raise self.bad(int(missing.arg_max() or 0), column, expected)
        return values.to_numpy()

    def times(self, column: str, *, blank: int | None = None) -> Ints:
        """A column of times in microseconds or nanoseconds since 1970, told apart by their size, in ns."""
        values = self.whole(column, "a time in microseconds since 1970", blank=blank)
        known = values if blank is None else values[values != blank]
        if len(known) and (int(known.min()) < 0 or int(known.max()) >= LIMIT):
            wrong = (values < 0) | (values >= LIMIT)
            at = int(np.argmax(wrong if blank is None else wrong & (values != blank)))
            raise self.bad(at, column, "a time in microseconds since 1970")
        scaled = np.where(values < _US_UNTIL, values * 1_000, values)
        return scaled if blank is None else np.where(values == blank, np.int64(blank), scaled)

    def words(self, column: str, codes: Mapping[str, int], *, other: int | None = None) -> Ints:
        """A column of words as their codes; raise BadInput for another word unless `other` is its code."""
        import polars as pl

        series = self.frame[column].cast(pl.String).str.to_lowercase()
        known = series.replace_strict(dict(codes), default=None, return_dtype=pl.Int64)
        if other is not None:
            known = known.fill_null(other)
        if known.null_count():
            at = int(known.is_null().arg_max() or 0)
            raise self.bad(at, column, "one of " + ", ".join(word for word in codes if word))
        return known.to_numpy()

    def present(self, column: str) -> Bools:
        """Where something is written."""
        return self.frame[column].is_not_null().to_numpy()

    def decimals(self, column: str) -> tuple[Ints, Ints, Bools]:
        """Mantissa and number of decimals of a column of text, and where text is of another form than digits."""
        import polars as pl

        text = pl.col(column).cast(pl.String)
        mantissa = text.str.replace(".", "", literal=True).cast(pl.Int64, strict=False)
        dot = text.str.find(".", literal=True).cast(pl.Int64)
        found = self.frame.select(
            mantissa.fill_null(0).alias("mantissa"),
            (text.str.len_bytes().cast(pl.Int64) - dot - 1).fill_null(0).alias("places"),
            (mantissa.is_null() & text.is_not_null()).alias("odd"),
        )
        return found["mantissa"].to_numpy(), found["places"].to_numpy(), found["odd"].to_numpy()

    def counts(self, column: str, grid: Grid, least: int | None = 0) -> tuple[Ints, Bools]:
        """A column of numbers in increments of a grid, (counts, off the grid: fine units); 0 where nothing is
        written. Raises BadInput for what is no number, or less than `least`.
        """
        import polars as pl

        series = self.frame[column]
        if series.dtype == pl.Float64:
            there = series.is_not_null().to_numpy()
            values = series.fill_null(0.0).to_numpy()
            if not np.isfinite(values).all():
                raise self.bad(int(np.argmin(np.isfinite(values))), column, "a finite number")
            counts, off = count_floats(grid, values, self.place(0, column))
            off &= there
        elif series.dtype.is_integer():
            counts, off = count_scaled(grid, self.whole(column, blank=0), 0, self.place(0, column))
        else:
            counts, off = self._texts(column, grid)
        if least is not None and (counts < least).any():
            raise self.bad(int(np.argmax(counts < least)), column, f"a number of at least {least}")
        return counts, off

    def _texts(self, column: str, grid: Grid) -> tuple[Ints, Bools]:
        mantissa, places, odd = self.decimals(column)
        counts = np.zeros(len(mantissa), dtype=np.int64)
        off = np.zeros(len(mantissa), dtype=bool)
        for digits in np.unique(places[~odd]).tolist():
            its = (places == digits) & ~odd
            try:
                counts[its], off[its] = count_scaled(grid, mantissa[its], digits, self.place(0, column))
            except BadInput:
                odd |= its
        for at in np.flatnonzero(odd).tolist():
            try:
                counts[at], on_grid = grid.read(str(self.frame[column][at]))
            except BadInput as error:
                raise self.bad(at, column, error.expected) from None
            off[at] = not on_grid
        return counts, off

    def fixed(self, column: str, decimals: int) -> tuple[Ints, Bools]:
        """A column in units of 10**-decimals, what is finer cut off, and where anything is written."""
        mantissa, places, odd = self.decimals(column)
        out = np.zeros(len(mantissa), dtype=np.int64)
        for digits in np.unique(places[~odd]).tolist():
            its = (places == digits) & ~odd
            up, down = decimals - digits, digits - decimals
            if up > 0 and (np.abs(mantissa[its]) >= LIMIT // 10**up).any():
                odd |= its
                continue
            out[its] = mantissa[its] * 10**up if up >= 0 else mantissa[its] // 10 ** min(down, 18)
        for at in np.flatnonzero(odd).tolist():
            text = str(self.frame[column][at])
            try:
                value, digits = parse_decimal(text)
            except BadInput as error:
                raise self.bad(at, column, error.expected) from None
            value = value * 10 ** (decimals - digits) if digits <= decimals else value // 10 ** (digits - decimals)
            if abs(value) >= LIMIT:
                raise self.bad(at, column, f"a value that fits 62 bits at {decimals} decimals")
            out[at] = value
        return out, self.present(column)


def off_marks(off_grid: Bools, off_lot: Bools) -> Ints:
    """The marks of counts that are fine units."""
    return np.asarray(np.where(off_grid, OFF_GRID, 0) | np.where(off_lot, OFF_LOT, 0), dtype=np.int64)


def header(path: Path, head: bytes) -> list[str]:
    """The column names in the first line of a CSV file; raise BadInput where it is none."""
    line, end, _ = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    try:
        names = line.rstrip(b"\r").decode().split(",")
    except UnicodeDecodeError:
        names = []
    names = [name.strip().strip('"') for name in names]
    plain = all(name and name.isprintable() and len(name) < 100 for name in names)
    if not end or not plain or len(names) < 2 or len(set(names)) < len(names) or len(names) > _MOST_COLUMNS:
        raise BadInput(f"{path}: line 1", line[:60].decode(errors="replace"), "names of columns, each once")
    return names


def parts(
    stream: Stream, names: list[str], wanted: list[str], checks: Checks | None = None, block: int = BLOCK
) -> Iterator[Part]:
    """Give the lines behind the header in frames of text columns; raise BadInput at the line of any damage.

    The last line of a file that is not packed counts only where it is ended: half a number looks like a number.
    """
    rest, number, begun, taken = b"", 1, False, 0
    while True:
        chunk = stream.read(block)
        text = rest + chunk
        if not begun and (b"\n" in text or not chunk):
            text = text.partition(b"\n")[2]
            begun, number = True, 2
        if not chunk:
            break
        cut = text.rfind(b"\n") + 1 if begun else 0
        rest = text[cut:]
        if len(rest) > _LONGEST_LINE:
            place = f"{stream.path}: line {number + text[:cut].count(10)}"
            raise BadInput(place, None, f"lines of at most {_LONGEST_LINE} bytes")
        if cut:
            part = _part(stream.path, number, text[:cut], names, wanted)
            number += len(part)
            taken += len(part)
            yield part
    text = text.rstrip(b"\r\n") if text.endswith((b"\n", b"\r")) else text
    if text and not stream.compression:
        if checks is not None:
            checks.damaged += 1
            checks.problem(f"{stream.path}: line {number} has no end and is left out: the file may be cut")
    elif text:
        yield _part(stream.path, number, text + b"\n", names, wanted)


def _part(path: Path, number: int, text: bytes, names: list[str], wanted: list[str]) -> Part:
    import polars as pl

    lines = text.count(b"\n")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if not text.isascii() or b"\0" in text:
        _check_text(path, number, text)
    quote = '"' if b'"' in text else None
    if quote is None and text.count(b",") != lines * (len(names) - 1):
        raise _uneven(path, number, text, names)
    try:
        frame = pl.read_csv(
            io.BytesIO(text), has_header=False, schema=dict.fromkeys(names, pl.String), quote_char=quote,
            columns=[names.index(name) for name in wanted],
        )  # fmt: skip
    except BaseException as error:
        # A panic of the native part is no Exception.
        if not type(error).__module__.startswith(("polars", "pyo3")):
            raise
        raise _uneven(path, number, text, names) from None
    if frame.height != lines:
        raise _uneven(path, number, text, names)
    return Part(path, number, frame)


def _check_text(path: Path, number: int, text: bytes) -> None:
    for at, line in enumerate(text.split(b"\n")):
        try:
            line.decode()
        except UnicodeDecodeError:
            raise BadInput(f"{path}: line {number + at}", line[:60], "text in UTF-8") from None
        if b"\0" in line:
            raise BadInput(f"{path}: line {number + at}", line[:60], "text without zeros")


def _uneven(path: Path, number: int, text: bytes, names: list[str]) -> BadInput:
    """The refusal of the first line that has more or fewer values than there are columns."""
    for at, line in enumerate(text.removesuffix(b"\n").split(b"\n")):
        if line.count(b",") + 1 != len(names):
            shown = line[:60].decode(errors="replace")
            return BadInput(f"{path}: line {number + at}", shown, f"{len(names)} values")
    return BadInput(f"{path}: line {number}", None, f"lines of {len(names)} values each")


def texts_of(part: Part, column: str, keep: Bools | None = None) -> list[str]:
    """The texts of a column, each once, for deriving an increment; raise BadInput where one is no number."""
    import polars as pl

    if part.frame[column].dtype == pl.String:
        for at in np.flatnonzero(part.decimals(column)[2]).tolist():
            try:
                parse_decimal(str(part.frame[column][at]))
            except BadInput as error:
                raise part.bad(at, column, error.expected) from None

    series = part.frame[column]
    if keep is not None:
        series = series.filter(pl.Series(keep))
    values = series.drop_nulls().unique(maintain_order=True).to_list()
    return [value if isinstance(value, str) else repr(value).removesuffix(".0") for value in values]
