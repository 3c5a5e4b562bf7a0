"""The process that decodes Parquet files for feeds.files._parquet: one answer a question, until its input ends."""

from __future__ import annotations

import io
import os
import resource
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

import msgspec
import polars as pl

_LENGTH: Final = struct.Struct("<Q")
_MOST_MEMORY: Final = 1 << 36
"""Bytes of address space: a decoder that asks for more than 64 GiB has met damage."""


class _Decoder:
    def __init__(self) -> None:
        self.streams: dict[int, Iterator[pl.DataFrame]] = {}
        self.next_stream = 0

    def answer(self, question: list[Any]) -> bytes:
        """Do what is asked."""
        match question:
            case ["count", str(path)]:
                return msgspec.msgpack.encode(int(pl.scan_parquet(path).select(pl.len()).collect().item()))
            case ["head", str(path), columns, int(n)]:
                frame = pl.scan_parquet(path)
                return _packed((frame if columns is None else frame.select(columns)).head(n).collect())
            case ["open", str(path), list(columns), int(n)]:
                self.next_stream += 1
                self.streams[self.next_stream] = _slices(path, columns, n)
                return msgspec.msgpack.encode(self.next_stream)
            case ["next", int(stream)]:
                batch = next(self.streams[stream], None)
                return b"" if batch is None else _packed(batch)
            case ["close", int(stream)]:
                self.streams.pop(stream, None)
                return b""
            case _:
                raise ValueError(f"not a question: {question!r}")


def _packed(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_ipc_stream(out)
    return out.getvalue()


def _slices(path: str, columns: Sequence[str], n: int) -> Iterator[pl.DataFrame]:
    batches: Any = pl.scan_parquet(path).select(columns).collect_batches(chunk_size=n, maintain_order=True, lazy=True)
    held: pl.DataFrame | None = None
    for batch in batches:
        held = batch if held is None or not held.height else pl.concat([held, batch])
        while held.height >= n:
            yield held.head(n)
            held = held.slice(n)
    if held is not None and held.height:
        yield held


def _read(pipe: BinaryIO, n: int) -> bytes:
    out = pipe.read(n)
    if len(out) < n:
        sys.exit(0)
    return out


def main() -> None:
    """Answer questions until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Nothing that a library prints may come between answers.
    os.dup2(2, 1)
    decoder = _Decoder()
    while True:
        (length,) = _LENGTH.unpack(_read(questions, _LENGTH.size))
        question = msgspec.msgpack.decode(_read(questions, length))
        try:
            answer = b"F" + decoder.answer(question)
        except BaseException as error:
            # A panic of the native part is no Exception.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            lines = str(error).strip().splitlines() or [type(error).__name__]
            answer = b"E" + lines[0].encode()
        answers.write(_LENGTH.pack(len(answer)) + answer)
        answers.flush()


if __name__ == "__main__":
    main()
