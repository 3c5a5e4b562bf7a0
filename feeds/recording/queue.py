"""Frames on their way to the disk: taken on the event loop at once, written and synced by a thread of its own.

A sync may take as long as the disk likes; the loop that hears a venue must not wait for it. What waits is bounded by
bytes: beyond them frames are given up, counted, and told in the recording as a hole of our own making.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from feeds.events import C_DROPS
from feeds.recording.blocks import GAP
from feeds.recording.derived import GapTold
from feeds.recording.frames import FrameWriter, NotRecording

WAITING_BYTES: Final = 256 << 20
"""What may wait for the disk."""
_ROUND_S: Final = 0.2
_OVERHEAD: Final = 120


class FrameQueue:
    """A FrameWriter behind a thread; `frame` and `record` never wait and never raise for what the disk does."""

    def __init__(
        self,
        writer: FrameWriter,
        *,
        waiting_bytes: int = WAITING_BYTES,
        wall_ns: Callable[[], int] = time.time_ns,
        mono_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.writer = writer
        self.dropped = 0
        """Frames given up because too much waited."""
        self.bytes = 0
        """Bytes of the frames and records taken."""
        self.frames = 0
        """Frames taken."""
        self._most = waiting_bytes
        self._wall_ns, self._mono_ns = wall_ns, mono_ns
        self._waiting: deque[Callable[[], None]] = deque()
        self._sizes: deque[int] = deque()
        self._held = 0
        self._lost = 0
        self._news = threading.Condition()
        self._ending = False
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> NotRecording | None:
        """Set while the disk takes nothing."""
        return self.writer.trouble

    @property
    def held_bytes(self) -> int:
        """Bytes that wait for the thread."""
        return self._held

    def frame(
        self, channel: str, raw: bytes | str, *, wall_ns: int | None = None, mono_ns: int | None = None, conn: int = 0
    ) -> None:
        """Take one frame of a channel such as 'ws:0' or 'rest:snapshot:BTCUSDT'."""
        wall = self._wall_ns() if wall_ns is None else wall_ns
        mono = self._mono_ns() if mono_ns is None else mono_ns
        write = self.writer.frame
        if self._add(len(raw), lambda: write(channel, raw, wall_ns=wall, mono_ns=mono, conn=conn)):
            self.frames += 1

    def record(
        self, kind: int, payload: bytes = b"", *, wall_ns: int | None = None, mono_ns: int | None = None, conn: int = 0
    ) -> None:
        """Take one record of a type of feeds.recording.blocks."""
        wall = self._wall_ns() if wall_ns is None else wall_ns
        mono = self._mono_ns() if mono_ns is None else mono_ns
        write = self.writer.record
        self._add(len(payload), lambda: write(kind, payload, wall_ns=wall, mono_ns=mono, conn=conn))

    def _add(self, size: int, work: Callable[[], None]) -> bool:
        size += _OVERHEAD
        with self._news:
            if self._held + size > self._most:
                self.dropped += 1
                self._lost += 1
                return False
            if self._lost:
                self._tell_lost()
            self._waiting.append(work)
            self._sizes.append(size)
            self._held += size
            self.bytes += size - _OVERHEAD
            self._news.notify()
        return True

    def _tell_lost(self) -> None:
        payload = msgspec.json.encode(GapTold(cause=C_DROPS, lost=self._lost))
        wall, mono, write = self._wall_ns(), self._mono_ns(), self.writer.record
        self._waiting.append(lambda: write(GAP, payload, wall_ns=wall, mono_ns=mono))
        self._sizes.append(0)
        self._lost = 0

    def _run(self) -> None:
        try:
            while True:
                with self._news:
                    if not self._waiting and not self._ending:
                        self._news.wait(_ROUND_S)
                    ending = self._ending
                    work = list(self._waiting)
                    sizes = sum(self._sizes)
                    self._waiting.clear()
                    self._sizes.clear()
                for write in work:
                    write()
                with self._news:
                    self._held -= sizes
                self.writer.poll()
                if ending and not self._waiting:
                    return
        except BaseException as error:
            self._failed = error

    def close(self) -> None:
        """Write what waits and end the recording in order; raise OSError where that fails."""
        with self._news:
            if self._lost and not self._ending:
                self._tell_lost()
            self._ending = True
            self._news.notify()
        self._thread.join()
        if self._failed is not None:
            with contextlib.suppress(OSError):
                self.writer.close()
            raise self._failed
        self.writer.close()
