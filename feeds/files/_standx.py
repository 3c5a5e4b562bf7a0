"""Columns of StandX files as counted arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from feeds.errors import BadInput
from feeds.events import (
    BUY,
    OFF_GRID,
    OFF_LOT,
    SELL,
    UNKNOWN,
)  # fmt: skip
from feeds.files import _parquet
from feeds.files._exact import LIMIT, Bools, Floats, Ints, Levels, count_floats
from feeds.instruments import Grid

if TYPE_CHECKING:
    import polars as pl

TIMES: Final = ("timestamp", "received_at", "symbol")
BOOK_COLUMNS: Final = (*TIMES, "bid_prices", "bid_quantities", "ask_prices", "ask_quantities")
TRADE_COLUMNS: Final = (*TIMES, "price", "quantity")
_NS_OF: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_TELLING: Final = 100
"""Trades that all say one side say nothing: so many of one side by chance is 1 in 2**99."""
_MOST_LEVELS: Final = 1_000


def require(path: Path, columns: tuple[str, ...]) -> None:
    """Refuse a file that lacks a column or has one of another type."""
    import polars as pl

    known = _parquet.columns_of(path)
    for name in columns:
        kind = known.get(name)
        if kind is None:
            raise BadInput(f"{path}: columns", ", ".join(known), f"a column {name}")
        listed = isinstance(kind, pl.List)
        inner = kind.inner if isinstance(kind, pl.List) else kind
        wanted = "times" if name in TIMES[:2] else "text" if name == "symbol" else "numbers"
        fits = {
            "times": isinstance(inner, pl.Datetime),
            "text": inner == pl.String,
            "numbers": inner == pl.String or (isinstance(inner, pl.DataType) and inner.is_numeric()),
        }[wanted]
        if not fits or listed != (name.endswith(("_prices", "_quantities"))):
            raise BadInput(f"{path}: column {name}", str(kind), f"{'lists of ' if not listed and fits else ''}{wanted}")


def symbol(path: Path, head: pl.DataFrame) -> str:
    """The symbol of the first row."""
    symbol = head["symbol"][0]
    if not symbol:
        raise BadInput(f"{path}: row 1: symbol", symbol, "a symbol such as BTC-USD")
    return str(symbol)


def texts(head: pl.DataFrame, column: str) -> list[str]:
    """The decimal texts of a column, each once."""
    import polars as pl

    series = head[column].explode() if isinstance(head[column].dtype, pl.List) else head[column]
    values = series.drop_nulls().unique(maintain_order=True).to_list()
    texts = [value if isinstance(value, str) else _shortest(value, series.dtype) for value in values]
    return [text.removesuffix(".0") for text in texts]


def _shortest(value: float, kind: pl.DataType) -> str:
    import polars as pl

    return str(np.float32(value)) if kind == pl.Float32 else repr(value)


def times(place: str, frame: pl.DataFrame) -> tuple[Ints, Ints]:
    """Receive and venue times in ns since 1970."""
    columns = []
    for name in ("received_at", "timestamp"):
        column = frame[name]
        if column.null_count():
            raise BadInput(f"{place}: {name}", None, "a time in every row")
        scale = _NS_OF[getattr(column.dtype, "time_unit", None) or "us"]
        values = column.to_physical().to_numpy()
        if ((values < 0) | (values >= LIMIT // scale)).any():
            raise BadInput(f"{place}: {name}", None, "times after 1970 that fit nanoseconds")
        columns.append(values * scale)
    return columns[0], columns[1]


def numbers(place: str, series: pl.Series, grid: Grid) -> tuple[Ints, Bools]:
    """Count a column of numbers or text in increments of a grid; (counts, off the grid)."""
    import polars as pl

    if series.null_count():
        raise BadInput(place, None, "a number in every row")
    if series.dtype == pl.Float64:
        values: Floats = series.to_numpy()
        return count_floats(grid, values, place)
    texts = series.cast(pl.String).to_numpy() if series.dtype != pl.Float32 else series.to_numpy().astype(str)
    unique, back = np.unique(texts.astype(str), return_inverse=True)
    counts, off = np.zeros(len(unique), dtype=np.int64), np.zeros(len(unique), dtype=bool)
    for at, text in enumerate(unique.tolist()):
        try:
            counts[at], on_grid = grid.read(text)
        except BadInput as error:
            raise BadInput(place, text, error.expected) from None
        off[at] = not on_grid
    return counts[back], off[back]


def levels(place: str, frame: pl.DataFrame, side: str, grid: Grid, size: Grid) -> Levels:
    """The levels of one side of every row; refuse what is no book."""
    prices, sizes = frame[f"{side}_prices"], frame[f"{side}_quantities"]
    if prices.null_count() or sizes.null_count():
        raise BadInput(f"{place}: {side}_prices", None, "a list in every row")
    lengths = prices.list.len().to_numpy().astype(np.int64)
    if (lengths != sizes.list.len().to_numpy()).any() or lengths.max(initial=0) > _MOST_LEVELS:
        raise BadInput(
            f"{place}: {side}_prices", int(lengths.max()), f"as many prices as quantities, at most {_MOST_LEVELS}"
        )
    of = np.repeat(np.arange(len(lengths)), lengths)
    if not len(of):
        nothing = np.zeros(0, dtype=np.int64)
        return Levels(nothing, nothing, nothing, nothing)
    tick, off = numbers(f"{place}: {side}_prices", prices.explode(empty_as_null=False), grid)
    lots, off_lot = numbers(f"{place}: {side}_quantities", sizes.explode(empty_as_null=False), size)
    if (tick <= 0).any() or (lots < 0).any():
        raise BadInput(f"{place}: {side}", None, "prices above 0 and no negative quantities")
    fine = np.where(off, tick, tick * grid.fine)
    falls = np.diff(fine) if side == "bid" else -np.diff(fine)
    if (falls[np.diff(of) == 0] >= 0).any():
        raise BadInput(f"{place}: {side}_prices", None, "prices from the best on, each once")
    marks = np.asarray(np.where(off, OFF_GRID, 0) | np.where(off_lot, OFF_LOT, 0), dtype=np.int64)
    there = lots > 0
    return Levels(of[there], tick[there], lots[there], marks[there])


def twice_mid(sides: list[Levels], n: int, grid: Grid) -> Ints:
    """Bid plus ask of each book in fine units, 0 where one side is empty."""
    twice = np.zeros(n, dtype=np.int64)
    both = np.ones(n, dtype=bool)
    for side in sides:
        first = np.flatnonzero(np.diff(side.of, prepend=-1))
        fine = side.tick[first] * np.where(side.marks[first] & OFF_GRID, 1, grid.fine)
        twice[side.of[first]] += fine
        there = np.zeros(n, dtype=bool)
        there[side.of[first]] = True
        both &= there
    return np.where(both, twice, 0)


def states_sides(path: Path) -> bool:
    """Say whether the sides of trades tell anything: two of them occur, or there are too few to judge."""
    known = _parquet.columns_of(path)
    names = [name for name in ("side", "is_buyer_taker") if name in known]
    if not names:
        return False
    head = _parquet.head_of(path, names, 65_536)
    return head.height < _TELLING or any(head[name].n_unique() > 1 for name in names)


def aggressors(place: str, frame: pl.DataFrame) -> Ints:
    """BUY, SELL or UNKNOWN of every trade; UNKNOWN where the two columns contradict each other."""
    import polars as pl

    sides = np.zeros(frame.height, dtype=np.int64)
    if "is_buyer_taker" in frame.columns:
        if frame["is_buyer_taker"].dtype != pl.Boolean:
            raise BadInput(f"{place}: is_buyer_taker", str(frame["is_buyer_taker"].dtype), "true or false")
        taker = frame["is_buyer_taker"]
        sides = np.where(taker.is_null(), UNKNOWN, np.where(taker.fill_null(value=False), BUY, SELL))
    if "side" in frame.columns:
        if frame["side"].dtype != pl.String:
            raise BadInput(f"{place}: side", str(frame["side"].dtype), "BUY or SELL")
        words = frame["side"].fill_null("").str.to_uppercase()
        said = np.where(words == "BUY", BUY, np.where(words == "SELL", SELL, UNKNOWN))
        sides = np.where(sides == UNKNOWN, said, np.where((said == UNKNOWN) | (said == sides), sides, UNKNOWN))
    return sides
