"""The few file operations recordings are written with, in one place so that a test can fail each of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from feeds.errors import BadInput


class Storage:
    """Plain system calls; every one may raise OSError, and `write` may take fewer bytes than it was given."""

    def create(self, path: Path) -> int:
        """Create a file that must not exist yet, for appending."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write and return how many bytes were taken."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Bring a file's bytes to the disk."""
        os.fdatasync(fd) if hasattr(os, "fdatasync") else os.fsync(fd)

    def truncate(self, fd: int, length: int) -> None:
        """Cut a file."""
        os.ftruncate(fd, length)

    def close(self, fd: int) -> None:
        """Close a file."""
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in another's place in one step."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Delete a file."""
        path.unlink()

    def sync_file(self, path: Path) -> None:
        """Bring the bytes of a file that is closed already to the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.sync(fd)
        finally:
            os.close(fd)

    def sync_folder(self, folder: Path) -> None:
        """Bring a folder's list of names to the disk."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def write_all(storage: Storage, fd: int, data: bytes) -> None:
    """Write every byte; a short write is followed by another, which reports what is wrong."""
    view = memoryview(data)
    while view:
        taken = storage.write(fd, view)
        if taken <= 0:
            raise OSError(f"a write took {taken} bytes")
        view = view[taken:]


def replace_file(storage: Storage, path: Path, data: bytes, *, sync: bool = True) -> None:
    """Give a file new content: the old or the new is there after a crash, never a part of either.

    Without `sync` that holds for a killed process, and for a power cut only once the file has been synced.
    """
    fresh = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        storage.remove(fresh)
    fd = storage.create(fresh)
    try:
        write_all(storage, fd, data)
        if sync:
            storage.sync(fd)
    except BaseException:
        with contextlib.suppress(OSError):
            storage.remove(fresh)
        raise
    finally:
        storage.close(fd)
    storage.rename(fresh, path)
    if sync:
        storage.sync_folder(path.parent)


def boot_id() -> str:
    """The identity of this run of the machine, '' where the system tells none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class WriteLock:
    """Let one process at a time write a recording; the lock ends with the process, whatever ends it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".lock"
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                owner = os.pread(fd, 200, 0).decode("utf-8", "replace").split("\n")[0]
                os.close(fd)
                raise BadInput(f"{folder}", owner or "a recording in use", "a recording nobody is writing") from None
            if self._is_mine(fd):
                break
            os.close(fd)  # the owner removed the file between our open and our lock
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"pid {os.getpid()}\nboot {boot_id()}\n".encode(), 0)
        self._fd = fd

    def _is_mine(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False

    @property
    def released(self) -> bool:
        """Whether the lock has been given back."""
        return self._fd < 0

    def release(self) -> None:
        """Give the recording free."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(self._fd)
            self._fd = -1
