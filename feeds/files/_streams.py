"""Bytes and lines of plain, gzip, bzip2 and zstd files, streamed, with the place of any damage."""

from __future__ import annotations

import bz2
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
MAX_PADDING: Final = 1 << 20
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
        self._file: IO[bytes] | _Gzip | bz2.BZ2File = self._raw
        if self.compression == "gzip":
            self._file = _Gzip(self._raw)
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
            data = self._file.read(n)
            if not data and n and self.compression == "zstd" and not _zstd_ends(self._raw):
                raise EOFError("the last frame is not complete")
            return data
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise self._damaged(error) from None
        except Exception as error:
            if type(error).__module__.startswith("zstandard") or type(error).__name__ == "ZstdError":
                raise self._damaged(error) from None
            raise

    def _damaged(self, error: Exception) -> BadInput:
        place = f"{self.path}: byte {self.position}"
        return BadInput(place, str(error), f"an undamaged {self.compression} file".replace("  ", " "))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Give (line number from 1, line without its end)."""
        number, held = 0, 0
        rest: list[bytes] = []
        while chunk := self.read():
            pieces = chunk.split(b"\n")
            rest.append(pieces[0])
            held += len(pieces[0])
            if held > MAX_LINE:
                raise BadInput(f"{self.path}: line {number + 1}", None, f"lines of at most {MAX_LINE} bytes")
            if len(pieces) == 1:
                continue
            pieces[0] = b"".join(rest)
            rest = [pieces.pop()]
            held = len(rest[0])
            for piece in pieces:
                number += 1
                yield number, piece.removesuffix(b"\r")
        if held:
            yield number + 1, b"".join(rest).removesuffix(b"\r")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _zstd_ends(file: IO[bytes]) -> bool:
    # The decoder takes a cut file for a finished one, so the block headers are walked (RFC 8878, 3.1.1).
    import zstandard

    end = file.seek(0, os.SEEK_END)
    at = 0
    while at < end:
        file.seek(at)
        head = file.read(18)
        if len(head) >= 8 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
            at += 8 + int.from_bytes(head[4:8], "little")
            continue
        try:
            at += zstandard.frame_header_size(head)
            checked = zstandard.get_frame_parameters(head).has_checksum
        except zstandard.ZstdError:
            return False
        last = False
        while not last:
            file.seek(at)
            block = file.read(3)
            if len(block) < 3:
                return False
            word = int.from_bytes(block, "little")
            last = bool(word & 1)
            at += 3 + (1 if word >> 1 & 3 == 1 else word >> 3)
        at += 4 if checked else 0
    return at == end


class _Gzip:
    """Members of a gzip file, one behind the other; a few zeros behind a member are padding, many are damage."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._member = zlib.decompressobj(31)
        self._waiting = b""
        self._padding = 0

    def read(self, n: int) -> bytes:
        while True:
            data = self._waiting or self._raw.read(CHUNK)
            if self._member.eof:
                self._waiting = data.lstrip(b"\0") if data else b""
                if not data:
                    return b""
                self._padding += len(data) - len(self._waiting)
                if self._padding > MAX_PADDING:
                    raise zlib.error(f"more than {MAX_PADDING} zeros behind the compressed data")
                if not self._waiting:
                    continue
                self._padding = 0
                self._member, data = zlib.decompressobj(31), self._waiting
            elif not data:
                raise EOFError("the end of the file comes before the end of the compressed data")
            out = self._member.decompress(data, n)
            self._waiting = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if out:
                return out

    def close(self) -> None:
        self._waiting = b""


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
