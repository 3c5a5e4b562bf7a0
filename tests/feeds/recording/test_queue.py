"""Frames handed to the disk's own thread."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from feeds.events import C_DROPS
from feeds.recording.blocks import DISCONNECT, FRAME, GAP, unpack_frame
from feeds.recording.derived import GapTold
from feeds.recording.queue import FrameQueue
from feeds.recording.storage import Storage
from tests.kit.frames import kinds, payloads, read_all, writer


class Slow(Storage):
    """A disk whose syncs last until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()

    def sync(self, fd: int) -> None:
        self.go.wait(20)
        super().sync(fd)


def test_what_is_handed_over_is_on_the_disk_in_order_with_its_times(tmp_path: Path) -> None:
    queue = FrameQueue(writer(tmp_path))
    for n in range(500):
        queue.frame("ws:0", f"frame {n}".encode(), wall_ns=1000 + n, mono_ns=n, conn=1 + n % 2)
    queue.record(DISCONNECT, b"1006", wall_ns=2000, mono_ns=600, conn=1)
    queue.close()
    records = [record for record in read_all(tmp_path)[0] if record.kind in (FRAME, DISCONNECT)]
    assert [unpack_frame(r.payload)[1] for r in records[:-1]] == [f"frame {n}".encode() for n in range(500)]
    assert [(r.wall_ns, r.mono_ns, r.conn) for r in records[:3]] == [(1000, 0, 1), (1001, 1, 2), (1002, 2, 1)]
    assert records[-1][1:6] == (DISCONNECT, 2000, 600, 1, b"1006")
    assert queue.frames == 500
    assert queue.dropped == 0
    assert queue.held_bytes == 0


def test_a_disk_that_stands_still_holds_nobody_up_and_what_is_given_up_is_told(tmp_path: Path) -> None:
    disk = Slow()
    queue = FrameQueue(writer(tmp_path, storage=disk), waiting_bytes=20_000)
    disk.go.clear()
    for _ in range(400):
        queue.frame("ws:0", b"x" * 400)
    assert queue.dropped > 300
    given_up = queue.dropped
    disk.go.set()
    queue.close()
    assert len(payloads(tmp_path)) == 400 - given_up
    gaps = [msgspec.json.decode(r.payload, type=GapTold) for r in read_all(tmp_path)[0] if r.kind == GAP]
    assert sum(gap.lost or 0 for gap in gaps) == given_up
    assert {gap.cause for gap in gaps} == {C_DROPS}
    assert kinds(tmp_path)[-1] == GAP


def test_a_recorder_that_fails_says_so_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = writer(tmp_path)
    queue = FrameQueue(out)

    def broken(*_: object, **__: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(out, "_append", broken)
    queue.frame("ws:0", b"frame")
    queue._thread.join(10)
    monkeypatch.undo()
    with pytest.raises(MemoryError, match="no room"):
        queue.close()
