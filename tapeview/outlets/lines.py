"""JSON lines to a file, or to standard output for `-`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from feeds.errors import BadInput
from tapeview.journal import Line
from tapeview.outlets._declare import Options, Outlet, body_of


class LinesOptions(Options, frozen=True):
    """Where to."""

    path: Annotated[str, Meta(description="The file that is appended to; - is standard output.")] = ""


class Lines(Outlet):
    """Appends, and asks the disk for each delivery; a line that was torn by a crash is ended before the next."""

    options = LinesOptions

    def __init__(self, options: LinesOptions) -> None:
        super().__init__(options)
        self._file: Any = None

    @classmethod
    def check(cls, options: LinesOptions) -> None:
        """Refuse options without a path."""
        super().check(options)
        if not options.path:
            raise BadInput("path", options.path, "a file, or - for standard output")

    def deliver(self, journal: str, lines: Sequence[Line]) -> None:
        """Append a line a record."""
        data = b"".join(body_of(journal, line) + b"\n" for line in lines)
        if self.settings.path == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        if self._file is None:
            path = Path(self.settings.path).expanduser()
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab+")
            if self._file.tell() and not self._ends_whole():
                data = b"\n" + data
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _ends_whole(self) -> bool:
        self._file.seek(-1, os.SEEK_END)
        return bool(self._file.read(1) == b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


OUTLET = Lines
