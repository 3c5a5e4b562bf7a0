"""Parquet files read in slices by a process of its own, any damage told with its file.

A damaged page can make a native decoder ask for more memory than there is, which ends its process without an
error that could be caught. So polars decodes in a child, kept for the next file; if the child dies, the file is
refused and another child is started when one is needed.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from feeds.errors import BadInput

if TYPE_CHECKING:
    import polars as pl

_PATIENCE_S: Final = 120
"""A slice that takes longer than this to decode is taken for damage."""
_LENGTH: Final = struct.Struct("<Q")
_ROOT: Final = Path(__file__).parents[2]


class _Died(Exception):
    pass


class _Decoder:
    """The child: asked by one message, answering by one."""

    def __init__(self) -> None:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "feeds.files._parquet_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interruption from the keyboard is the parent's affair
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def ask(self, *question: object) -> bytes:
        """Send a question and wait for its answer; raise _Died where none comes."""
        assert self.process.stdin is not None
        body = msgspec.msgpack.encode(question)
        try:
            self.process.stdin.write(_LENGTH.pack(len(body)) + body)
            self.process.stdin.flush()
        except OSError:
            raise _Died from None
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        return self._read(length)

    def _read(self, n: int) -> bytes:
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        out = bytearray()
        while len(out) < n:
            if not select.select([pipe], [], [], _PATIENCE_S)[0]:
                raise _Died
            chunk = os.read(pipe, min(n - len(out), 1 << 20))
            if not chunk:
                raise _Died
            out += chunk
        return bytes(out)

    def close(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        self.process.wait()


_decoder: _Decoder | None = None


@atexit.register
def _end() -> None:
    global _decoder
    if _decoder is not None:
        _decoder.close()
        _decoder = None


def _ask(decoder: _Decoder | None, path: Path, *question: object) -> bytes:
    """Ask a child, the present one where none is named; raise BadInput where it refuses or dies."""
    global _decoder
    if decoder is None:
        if _decoder is None:
            _decoder = _Decoder()
        decoder = _decoder
    try:
        answer = decoder.ask(*question)
    except _Died:
        decoder.close()
        if _decoder is decoder:
            _decoder = None
        raise BadInput(str(path), "the decoder ran out of memory or time", "an undamaged Parquet file") from None
    if answer[:1] == b"E":
        raise BadInput(str(path), answer[1:].decode(errors="replace"), "an undamaged Parquet file")
    return answer[1:]


def columns_of(path: Path) -> dict[str, pl.DataType]:
    """Names and types of a file's columns."""
    return dict(head_of(path, None, 0).schema)


def row_count(path: Path) -> int:
    """Rows of a file, from its footer."""
    count: int = msgspec.msgpack.decode(_ask(None, path, "count", str(path)), type=int)
    return count


def head_of(path: Path, columns: Sequence[str] | None, n: int) -> pl.DataFrame:
    """The first `n` rows of some or all columns."""
    return _frame(_ask(None, path, "head", str(path), columns, n))


def slices(path: Path, columns: Sequence[str], n: int) -> Iterator[pl.DataFrame]:
    """All rows of some columns in slices of `n` and a rest, however the file is divided, without holding it."""
    stream: Any = msgspec.msgpack.decode(_ask(None, path, "open", str(path), columns, n))
    decoder = _decoder
    try:
        while answer := _ask(decoder, path, "next", stream):
            yield _frame(answer)
    finally:
        if decoder is not None and decoder is _decoder:
            _ask(decoder, path, "close", stream)


def _frame(answer: bytes) -> pl.DataFrame:
    import polars as pl

    return pl.read_ipc_stream(io.BytesIO(answer))
