"""A writer killed at any moment: every acknowledged record is readable, the torn tail is cut and told."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from feeds.errors import BadInput
from feeds.recording import open_recording, verify
from feeds.recording.segments import list_segments
from tests.kit.frames import payloads, read_all, writer
from tests.kit.rows import stream

FRAMES = """
import random, sys
from pathlib import Path
from feeds.recording.storage import Storage
from tests.kit.frames import writer
rng = random.Random(int(sys.argv[2]))
out = writer(Path(sys.argv[1]), storage=Storage(), segment_bytes=200_000)
number = 0
while True:
    for _ in range(rng.randint(1, 40)):
        out.frame("ws", b"%09d" % number + rng.randbytes(rng.randint(0, 3000)))
        number += 1
    if out.commit():
        sys.stdout.write("%d\\n" % number)
        sys.stdout.flush()
"""

EVENTS = """
import sys
import numpy as np
from feeds.recording import RecordingWriter
from feeds.source import SourceInfo
from tests.kit.rows import INSTRUMENTS, stream
rows = stream(5, 400)
info = SourceInfo(address="a", format="f", venue="test", tier="A", verification="chain", bytes=0)
out = RecordingWriter(sys.argv[1], info, INSTRUMENTS[:1], part_rows=300)
seq = 0
while True:
    batch = rows.copy()
    batch["seq"] += seq
    seq += len(rows)
    out.write(batch)
    parts = out.manifest.parts
    sys.stdout.write("%d\\n" % (parts[-1].next_seq if parts else 0))
    sys.stdout.flush()
"""


def killed(code: str, folder: Path, seed: int) -> int:
    """Run a child until it has said something, kill it at a random moment, give the last number it said."""
    rng = random.Random(seed)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(rng.randint(1, 12))]
        try:
            child.wait(rng.random() * 0.02)
        except subprocess.TimeoutExpired:
            child.kill()
        said += child.stdout.read().splitlines(keepends=True)
        whole = [line for line in said if line.endswith(b"\n")]
        assert whole, child.stderr.read().decode() if child.stderr else ""
        return int(whole[-1])


def check_frames(folder: Path, seed: int) -> None:
    acknowledged = killed(FRAMES, folder, seed)
    found = [int(payload[:9]) for payload in payloads(folder)]
    assert found == list(range(len(found)))
    assert len(found) >= acknowledged
    _, holes, reader = read_all(folder)
    assert holes == []
    assert all(damage.torn for damage in reader.damage)
    verdict = verify(folder)
    assert not verdict.ok
    assert verdict.torn_bytes == reader.torn_bytes
    with writer(folder) as out:
        assert len(out.repaired) == len(reader.damage)
        out.frame("ws", b"%09d" % len(found))
    assert [int(payload[:9]) for payload in payloads(folder)] == list(range(len(found) + 1))
    assert read_all(folder)[2].torn_bytes == 0
    assert [problem for problem in verify(folder).problems if ".tvr" in problem] == []


def check_events(folder: Path, seed: int) -> None:
    acknowledged = killed(EVENTS, folder, seed)
    try:
        recording = open_recording(folder)
    except BadInput:
        assert acknowledged == 0
        return
    assert recording.next_seq >= acknowledged
    rows = np.concatenate([*recording.batches(), stream(0, 1)[:0]])
    assert rows["seq"].tolist() == list(range(recording.next_seq))
    verdict = verify(folder)
    assert [problem for problem in verdict.problems if "not ended in order" in problem]
    assert not [problem for problem in verdict.problems if "part-" in problem]


@pytest.mark.parametrize("seed", range(6))
def test_frames_acknowledged_before_a_kill_are_there(tmp_path: Path, seed: int) -> None:
    check_frames(tmp_path, seed)


@pytest.mark.parametrize("seed", range(4))
def test_parts_of_events_written_before_a_kill_are_there(tmp_path: Path, seed: int) -> None:
    check_events(tmp_path / "r", seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 250))
def test_frames_survive_any_kill(tmp_path: Path, seed: int) -> None:
    check_frames(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150))
def test_parts_survive_any_kill(tmp_path: Path, seed: int) -> None:
    check_events(tmp_path / "r", seed)


def test_a_tail_torn_by_hand_is_cut_and_told(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.frame("ws", b"000000000")
    (path,) = list_segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-3])
    verdict = verify(tmp_path)
    assert verdict.torn_bytes > 0
    assert any("torn tail, cut" in problem and path.name in problem for problem in verdict.problems)
