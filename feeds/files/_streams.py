"""Bytes and lines of plain, gzip, bzip2 and zstd files, streamed, with the place of any damage."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from feeds.errors import BadInput

CHUNK: Final = 1 << 18
MAX_LINE: Final = 1 << 26
"""A line longer than 64 MiB is damage, not data."""
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}


class Stream:
    """A file read in chunks, decompressed by its magic; `position` counts the bytes stored."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._raw: IO[bytes] = path.open("rb")
            self.size = os.fstat(self._raw.fileno()).st_size
            head = self._raw.read(4)
            self._raw.seek(0)
        except OSError as error:
            raise BadInput(str(path), None, f"a readable file ({error.strerror})") from None
        self.compression = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")
        self._file: IO[bytes] = self._raw
        if self.compression == "gzip":
            self._file = gzip.GzipFile(fileobj=self._raw, mode="rb")
        elif self.compression == "bzip2":
            self._file = bz2.BZ2File(self._raw)
        elif self.compression == "zstd":
            import zstandard

            self._file = zstandard.ZstdDecompressor().stream_reader(self._raw, read_across_frames=True)

    @property
    def position(self) -> int:
        """Bytes consumed of the file as it is stored."""
        return self.size if self._raw.closed else self._raw.tell()

    def read(self, n: int = CHUNK) -> bytes:
        """Read at most n decompressed bytes, b'' at the end; raise BadInput where the file is damaged."""
        try:
            return self._file.read(n)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise self._damaged(error) from None
        except Exception as error:
            if type(error).__module__.startswith("zstandard") or type(error).__name__ == "ZstdError":
                raise self._damaged(error) from None
            raise

    def _damaged(self, error: Exception) -> BadInput:
        place = f"{self.path}: byte {self.position}"
        return BadInput(place, str(error), f"an undamaged {self.compression or 'file'}")

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Give (line number from 1, line without its end)."""
        number, rest = 0, b""
        while chunk := self.read():
            pieces = (rest + chunk).split(b"\n")
            rest = pieces.pop()
            if len(rest) > MAX_LINE:
                raise BadInput(f"{self.path}: line {number + len(pieces) + 1}", None, f"lines of at most {MAX_LINE} bytes")
            for piece in pieces:
                number += 1
                yield number, piece.removesuffix(b"\r")
        if rest:
            yield number + 1, rest.removesuffix(b"\r")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def peek(path: Path, n: int = 65_536) -> bytes:
    """The first n decompressed bytes of a file; b'' for a folder, an empty or a damaged file."""
    if path.is_dir():
        return b""
    try:
        with Stream(path) as stream:
            out = io.BytesIO()
            while out.tell() < n and (chunk := stream.read(n - out.tell())):
                out.write(chunk)
            return out.getvalue()
    except BadInput:
        return b""
