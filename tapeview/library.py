"""Foreign files as recordings: converted once into the cache by a child process, readable while they grow.

The screen seeks, steps back and rewinds, which wants keyframed events. A foreign file is therefore converted by
`tapeview convert` in a process of its own, so that parsing never holds up the screen, and played from the first
part on. The copy is keyed by path, size, time and the code that made it, and thrown away when space runs short.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from feeds.errors import BadInput
from feeds.events import Events
from feeds.recording import Recording, is_recording, open_recording
from feeds.source import OpenOptions, Source

_PART_ROWS: Final = 60_000
"""Rows a part: small enough that a file starts to play at once, large enough to seek in few steps."""
_KEEP_BYTES: Final = 2 << 30
_POLL_S: Final = 0.05


def cache_folder() -> Path:
    """Where converted files lie ($TAPEVIEW_CACHE overrides the user's cache folder)."""
    if named := os.environ.get("TAPEVIEW_CACHE"):
        return Path(named) / "converted"
    import platformdirs

    return Path(platformdirs.user_cache_dir("tapeview")) / "converted"


def key_of(address: str, options: OpenOptions) -> str:
    """A name for the converted copy of a source as it is now."""
    from feeds.recording.manifest import code_digest

    sums = hashlib.blake2b(digest_size=12)
    sums.update(f"{address}|{options!r}|{code_digest()}".encode())
    for path in [Path(place).expanduser() for place in (address, options.facts) if place is not None]:
        if not path.exists():
            continue
        sums.update(str(path.resolve()).encode())
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            stat = file.stat()
            sums.update(f"{file.name}|{stat.st_size}|{stat.st_mtime_ns}".encode())
    return sums.hexdigest()


class Growing(Source):
    """A recording that a child process is still writing; `batches` waits for what is to come."""

    def __init__(self, source: Source, folder: Path, child: subprocess.Popen[bytes]) -> None:
        self.info = source.info
        self.instruments = source.instruments
        self.checks = source.checks
        self.folder = folder
        self._child = child
        self._closed = False
        self._failure = ""
        self._looking = threading.Lock()
        self.recording: Recording | None = None
        """The recording as far as it was when last looked at."""

    def refresh(self) -> Recording | None:
        """Look again; raise BadInput with the child's own words where it failed."""
        with self._looking:
            return self._look()

    def _look(self) -> Recording | None:
        finished = self._child.poll() is not None
        if self._child.returncode not in (None, 0) and not self._failure:
            pipe = None if self._closed else self._child.stderr
            error = pipe.read().decode(errors="replace") if pipe else ""
            lines = [line.removeprefix("tapeview: ") for line in error.strip().splitlines()]
            self._failure = lines[-1] if lines else f"{self.info.address}: could not be read"
        if self._failure:
            raise BadInput(self._failure)
        if self.recording is not None and self.recording.manifest.complete:
            return self.recording
        if is_recording(self.folder):
            with contextlib.suppress(BadInput):
                # Between two writes of the manifest a part may be named that is not yet known; the next look has it.
                self.recording = open_recording(self.folder)
        elif finished:
            raise BadInput(self.info.address, None, "at least one event")
        return self.recording

    @property
    def complete(self) -> bool:
        """Whether all of the source has been converted."""
        return self.recording is not None and self.recording.manifest.complete

    def wait(self, parts: int) -> Recording:
        """Block until that many parts, or all, are there. For threads other than the screen's."""
        while True:
            recording = self.refresh()
            if recording is not None and (len(recording.parts) >= parts or recording.manifest.complete):
                return recording
            if self._closed:
                raise BadInput(self.info.address, None, "an open source")
            time.sleep(_POLL_S)

    def batches(self) -> Iterator[Events]:
        """Give all rows, waiting for those to come."""
        return self.batches_from_part(0)

    def batches_from_part(self, number: int) -> Iterator[Events]:
        """Give the rows of a part and of all after it, as they come."""
        while True:
            recording = self.wait(number + 1)
            if number >= len(recording.parts):
                return
            yield recording.read_part(number)[1]
            number += 1

    def close(self) -> None:
        """End the child; an unfinished copy is removed."""
        self._closed = True
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(2)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        if self._child.stderr:
            self._child.stderr.close()
        if self._child.returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)


def as_recording(source: Source, options: OpenOptions) -> Recording | Growing:
    """The source as a recording: itself, its finished copy, or a copy in the making."""
    if isinstance(source, Recording):
        return source
    folder = cache_folder() / key_of(source.info.address, options)
    if is_recording(folder):
        recording = open_recording(folder)
        if recording.manifest.complete:
            with contextlib.suppress(OSError):
                os.utime(folder)
            # What a person opened, not where its copy lies.
            recording.info = msgspec.structs.replace(recording.info, address=source.info.address)
            return recording
        recording.close()
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    prune(folder.parent)
    words = [
        sys.executable,
        "-m",
        "tapeview",
        "convert",
        source.info.address,
        str(folder),
        "--part-rows",
        str(_PART_ROWS),
    ]
    for name in ("format", "tick", "lot", "symbol", "venue", "facts"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", value]
    child = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    return Growing(source, folder, child)


def prune(folder: Path, keep_bytes: int = _KEEP_BYTES) -> None:
    """Remove the copies longest unused until the rest fits."""
    copies = []
    for path in folder.iterdir():
        if path.is_dir():
            size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
            copies.append((path.stat().st_mtime, size, path))
    total = sum(size for _, size, _ in copies)
    for _, size, path in sorted(copies):
        if total <= keep_bytes:
            return
        shutil.rmtree(path, ignore_errors=True)
        total -= size
