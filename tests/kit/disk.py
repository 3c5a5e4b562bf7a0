"""A disk that fails on demand, on top of the real one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from feeds.recording.storage import Storage


class FailingStorage(Storage):
    """Fail the calls chosen by `fails(number, name)`; a failing write takes half of its bytes first.

    A failing sync loses what was written since the last good one, as Linux does unless it `forgets` nothing; a
    good one only notes how much is safe, because no test of it cuts the power.
    """

    def __init__(self, fails=lambda number, name: False, *, error=errno.EIO, short=None, forgets=True) -> None:
        self.fails = fails
        self.error = error
        self.short = short
        self.forgets = forgets
        self.calls = 0
        self.names: list[str] = []
        self.synced: dict[int, int] = {}

    def _call(self, name: str) -> None:
        number = self.calls
        self.calls += 1
        self.names.append(name)
        if self.fails(number, name):
            raise OSError(self.error, f"planned failure of call {number} ({name})")

    def create(self, path: Path) -> int:
        self._call("create")
        fd = super().create(path)
        self.synced[fd] = 0
        return fd

    def write(self, fd: int, data: bytes | memoryview) -> int:
        try:
            self._call("write")
        except OSError:
            super().write(fd, data[: len(data) // 2])
            raise
        if self.short is not None:
            data = data[: self.short]
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        try:
            self._call("sync")
        except OSError:
            if self.forgets:
                super().truncate(fd, self.synced.get(fd, 0))
            raise
        self.synced[fd] = os.fstat(fd).st_size

    def sync_file(self, path: Path) -> None:
        self._call("sync")

    def truncate(self, fd: int, length: int) -> None:
        self._call("truncate")
        super().truncate(fd, length)

    def close(self, fd: int) -> None:
        super().close(fd)
        self._call("close")

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename")
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._call("remove")
        super().remove(path)

    def sync_folder(self, folder: Path) -> None:
        self._call("sync_folder")
