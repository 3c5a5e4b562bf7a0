"""Parquet files read in slices through polars, any damage told with its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feeds.errors import BadInput

if TYPE_CHECKING:
    import polars as pl


def refused(path: Path, error: BaseException) -> BadInput:
    """The refusal of a file that polars cannot read."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return BadInput(str(path), text, "an undamaged Parquet file")


def from_polars(error: BaseException) -> bool:
    """Say whether an error may come of the file; an interruption does not."""
    # A panic of the native part is no Exception.
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def columns_of(path: Path) -> dict[str, pl.DataType]:
    """Names and types of a file's columns."""
    import polars as pl

    try:
        return dict(pl.read_parquet_schema(path))
    except BaseException as error:
        if from_polars(error):
            raise refused(path, error) from None
        raise


def row_count(path: Path) -> int:
    """Rows of a file, from its footer."""
    import polars as pl

    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except BaseException as error:
        if from_polars(error):
            raise refused(path, error) from None
        raise


def head_of(path: Path, columns: Sequence[str], n: int) -> pl.DataFrame:
    """The first `n` rows of some columns."""
    import polars as pl

    try:
        return pl.scan_parquet(path).select(columns).head(n).collect()
    except BaseException as error:
        if from_polars(error):
            raise refused(path, error) from None
        raise


def slices(path: Path, columns: Sequence[str], n: int) -> Iterator[pl.DataFrame]:
    """All rows of some columns in slices of at most `n`, in order, without holding the file."""
    import polars as pl

    try:
        batches: Any = (
            pl.scan_parquet(path).select(columns).collect_batches(chunk_size=n, maintain_order=True, lazy=True)
        )
        for batch in batches:
            for at in range(0, batch.height, n):
                yield batch.slice(at, n)
    except BaseException as error:
        if from_polars(error) and not isinstance(error, BadInput):
            raise refused(path, error) from None
        raise
