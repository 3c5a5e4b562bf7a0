"""The writer of frames: what it acknowledges is there, whatever the disk does."""

from __future__ import annotations

import errno
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.errors import BadInput
from feeds.recording.blocks import BLOCK_BYTES, CLOCKS, DISCONNECT, END, FRAME, MAGIC, MARK, MORE
from feeds.recording.frames import COMMIT_NS, FrameWriter
from feeds.recording.manifest import read_manifest
from feeds.recording.segments import list_segments
from tests.kit.disk import FailingStorage
from tests.kit.frames import ABOUT, Clocks, kinds, payloads, read_all, writer
from tests.kit.rows import INSTRUMENTS

NOISE = random.Random(1).randbytes(200_000)


def test_frames_come_back_in_order_with_their_times_and_connection(tmp_path: Path) -> None:
    clocks = Clocks()
    with writer(tmp_path, clocks) as out:
        for number in range(100):
            clocks.pass_ns(1_000)
            out.frame("ws" if number % 2 else "rest:snapshot:ONE", b"frame %d" % number, conn=number)
        out.record(DISCONNECT, b"1006")
        out.record(MARK, "Größe".encode())
    records, holes, reader = read_all(tmp_path)
    assert holes == []
    assert reader.damage == []
    assert reader.ended
    assert payloads(tmp_path) == [b"frame %d" % n for n in range(100)]
    assert [r.conn for r in records if r.kind == FRAME] == list(range(100))
    assert [r.wall_ns for r in records if r.kind == FRAME][:2] == [clocks.wall_ns - 99_000, clocks.wall_ns - 98_000]
    assert kinds(tmp_path)[-2:] == [DISCONNECT, MARK]
    assert [r.number for r in records] == list(range(len(records)))
    assert records[0].kind == CLOCKS
    assert records[-1].kind == END


def test_a_payload_longer_than_a_block_comes_back_whole(tmp_path: Path) -> None:
    big = random.Random(2).randbytes(5 * BLOCK_BYTES // 2)
    with writer(tmp_path) as out:
        out.frame("ws", b"before")
        out.frame("ws", big)
        out.frame("ws", b"after")
    assert payloads(tmp_path) == [b"before", big, b"after"]
    records, _, reader = read_all(tmp_path)
    assert reader.blocks >= 3
    assert all(r.kind & MORE == 0 for r in records)


def test_nothing_is_acknowledged_before_a_sync_returned(tmp_path: Path) -> None:
    out = writer(tmp_path)
    out.frame("ws", b"one")
    assert (out.taken, out.acknowledged) == (2, 0)
    assert out.commit()
    assert (out.taken, out.acknowledged) == (2, 2)
    out.frame("ws", b"two")
    assert out.acknowledged == 2
    out.close()
    assert out.acknowledged == out.taken == 4


def test_poll_commits_once_a_second_of_the_clock_handed_in(tmp_path: Path) -> None:
    clocks, storage = Clocks(), FailingStorage()
    out = writer(tmp_path, clocks, storage)
    out.frame("ws", b"one")
    out.poll()
    clocks.pass_ns(COMMIT_NS - 1)
    out.poll()
    assert out.acknowledged == 0
    clocks.pass_ns(1)
    out.poll()
    assert out.acknowledged == 2
    out.close()


def test_a_segment_ends_at_its_size_and_at_its_age(tmp_path: Path) -> None:
    clocks = Clocks()
    with writer(tmp_path, clocks, segment_bytes=100_000, segment_ns=10_000_000_000) as out:
        for number in range(5):
            out.frame("ws", NOISE[: 60_000 + number])
            out.commit()
        clocks.pass_ns(10_000_000_000)
        out.frame("ws", b"old")
        out.commit()
        out.frame("ws", b"new segment")
    paths = list_segments(tmp_path)
    assert len(paths) == 4
    manifest = read_manifest(tmp_path)
    assert [s.name for s in manifest.segments] == [p.name for p in paths]
    assert [s.bytes for s in manifest.segments] == [p.stat().st_size for p in paths]
    assert manifest.complete
    assert len(payloads(tmp_path)) == 7


def test_the_folder_is_synced_after_a_segment_is_created(tmp_path: Path) -> None:
    storage = FailingStorage()
    with writer(tmp_path, storage=storage) as out:
        out.frame("ws", b"x")
    first = storage.names.index("create", storage.names.index("rename"))
    assert storage.names[first : first + 3] == ["create", "write", "sync_folder"]


def test_segments_stay_in_order_when_the_wall_clock_steps_back_or_stands(tmp_path: Path) -> None:
    clocks = Clocks()
    for number in range(3):
        with writer(tmp_path, clocks) as out:
            out.frame("ws", b"run %d" % number)
        clocks.wall_ns -= 3_600_000_000_000 * (number == 1)
    assert payloads(tmp_path) == [b"run 0", b"run 1", b"run 2"]
    assert [r.run for r in read_all(tmp_path)[0] if r.kind == FRAME] == [0, 1, 2]
    names = [p.name for p in list_segments(tmp_path)]
    assert len(set(names)) == 3
    assert names != sorted(names)


def test_two_writers_of_one_recording_are_refused(tmp_path: Path) -> None:
    with writer(tmp_path), pytest.raises(BadInput, match="nobody is writing"):
        writer(tmp_path)
    writer(tmp_path).close()


def test_a_recording_of_something_else_is_not_continued(tmp_path: Path) -> None:
    writer(tmp_path).close()
    other = ABOUT.__class__(venue="test", instruments=INSTRUMENTS[1:])
    with pytest.raises(BadInput, match="same instruments"):
        writer(tmp_path, about=other)
    writer(tmp_path).close()


def test_a_folder_with_frames_and_no_manifest_is_not_continued(tmp_path: Path) -> None:
    writer(tmp_path).close()
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(BadInput, match=r"manifest\.json"):
        writer(tmp_path)


def test_a_torn_tail_is_cut_off_and_told_when_the_recording_goes_on(tmp_path: Path) -> None:
    out = writer(tmp_path)
    out.frame("ws", b"kept")
    out.commit()
    out._lock.release()  # all that the end of the process would do
    path = list_segments(tmp_path)[-1]
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\xf3\xa9 torn")
    with writer(tmp_path) as out:
        assert out.repaired == [f"frames/{path.name}: 7 bytes after byte {whole} were no whole block and are cut"]
        out.frame("ws", b"later")
    assert path.stat().st_size == whole
    assert payloads(tmp_path) == [b"kept", b"later"]
    assert read_all(tmp_path)[2].damage == []


def test_a_segment_that_never_got_its_beginning_is_removed(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        out.frame("ws", b"kept")
    folder = list_segments(tmp_path)[0].parent
    (folder / "20300101-000000-000007.tvr").write_bytes(b"")
    (folder / "20300101-000000-000008.tvr").write_bytes(MAGIC + b"\1")
    with writer(tmp_path) as out:
        assert len(out.repaired) == 2
        assert "removed" in out.repaired[0]
        out.frame("ws", b"later")
    assert [int(path.stem[-6:]) for path in list_segments(tmp_path)] == [0, 9]
    assert payloads(tmp_path) == [b"kept", b"later"]
    assert [s.name for s in read_manifest(tmp_path).segments] == [path.name for path in list_segments(tmp_path)]


def test_a_damaged_middle_is_left_as_it_is_when_the_recording_goes_on(tmp_path: Path) -> None:
    with writer(tmp_path) as out:
        for number in range(3):
            out.frame("ws", b"%d" % number)
            out.commit()
    (path,) = list_segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(data)
    before = payloads(tmp_path)
    with writer(tmp_path) as out:
        assert out.repaired == []
        out.frame("ws", b"later")
    assert path.read_bytes() == bytes(data)
    assert payloads(tmp_path) == [*before, b"later"]


def test_a_place_that_takes_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInput, match="file"):
        writer(tmp_path / "file")
    with pytest.raises(BadInput, match="planned"):
        writer(tmp_path / "r", storage=FailingStorage(lambda n, name: name == "create"))


def test_the_manifest_tells_the_time_of_the_frames(tmp_path: Path) -> None:
    clocks = Clocks()
    begin = clocks.wall_ns
    with writer(tmp_path, clocks) as out:
        out.frame("ws", b"one")
        clocks.pass_ns(7)
        out.frame("ws", b"two")
        clocks.pass_ns(7)
    manifest = read_manifest(tmp_path)
    assert (manifest.first_ns, manifest.last_ns) == (begin, begin + 7)


def test_a_closed_writer_takes_nothing(tmp_path: Path) -> None:
    out = writer(tmp_path)
    out.close()
    out.close()
    with pytest.raises(ValueError, match="closed"):
        out.frame("ws", b"x")


Run = tuple[FrameWriter | None, list[bytes], list[bytes]]
"""(writer, what was acknowledged, what was taken)."""


def run_against(folder: Path, storage: FailingStorage, clocks: Clocks) -> Run:
    taken: list[bytes] = []
    safe: list[bytes] = []
    try:
        out = writer(folder, clocks, storage, segment_bytes=30_000)
    except BadInput:
        return None, safe, taken
    for number in range(12):
        payload = b"%d:" % number + NOISE[: 7_000 + 13 * number]
        taken.append(payload)
        out.frame("ws", payload)
        if number % 2:
            before = out.acknowledged
            if out.commit():
                safe = list(taken)
                assert out.acknowledged == out.taken
            assert out.acknowledged >= before
        clocks.pass_ns(400_000_000)
    try:
        out.close()
        safe = list(taken)
    except OSError:
        pass
    return out, safe, taken


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_nothing_acknowledged_is_lost_whichever_call_fails_once(tmp_path: Path, error: int) -> None:
    counting = FailingStorage()
    run_against(tmp_path / "count", counting, Clocks())
    assert counting.calls > 40
    for k in range(counting.calls):
        folder = tmp_path / str(k)
        out, safe, taken = run_against(folder, FailingStorage(lambda n, _, k=k: n == k, error=error), Clocks())
        if out is None:
            continue
        found = payloads(folder)
        assert found[: len(safe)] == safe, f"call {k}: {counting.names[k]}"
        assert found == taken, f"one failure loses nothing at all; call {k}: {counting.names[k]}"


@pytest.mark.parametrize("step", [2, 3, 5])
def test_nothing_acknowledged_is_lost_when_the_disk_keeps_failing(tmp_path: Path, step: int) -> None:
    for k in range(0, 60, step):
        folder = tmp_path / str(k)
        failing = FailingStorage(lambda n, _, k=k: n >= k and n % step == 0)
        out, safe, taken = run_against(folder, failing, Clocks())
        if out is None:
            continue
        found = payloads(folder)
        assert found[: len(safe)] == safe
        assert [p for p in found if p not in taken] == []


def test_every_write_may_be_short(tmp_path: Path) -> None:
    _, safe, taken = run_against(tmp_path, FailingStorage(short=1000), Clocks())
    assert safe == taken == payloads(tmp_path)


def test_after_a_failed_sync_the_segment_is_never_written_again(tmp_path: Path) -> None:
    storage = FailingStorage()
    out = writer(tmp_path, storage=storage)
    out.frame("ws", b"one")
    assert out.commit()
    at = storage.calls
    storage.fails = lambda n, name: name == "sync" and n <= at + 1
    out.frame("ws", b"two")
    assert out.commit()
    first = list_segments(tmp_path)[0].stat().st_size
    storage.fails = lambda n, name: False
    out.frame("ws", b"three")
    assert out.commit()
    assert out.trouble is None
    out.close()
    assert len(list_segments(tmp_path)) == 2
    assert list_segments(tmp_path)[0].stat().st_size == first
    assert payloads(tmp_path) == [b"one", b"two", b"three"]


def test_records_written_twice_after_a_failed_sync_are_read_once(tmp_path: Path) -> None:
    storage = FailingStorage(forgets=False)
    out = writer(tmp_path, storage=storage)
    already = storage.names.count("sync")
    storage.fails = lambda n, name: name == "sync" and storage.names.count("sync") == already + 1
    out.frame("ws", b"twice")
    out.commit()
    out.close()
    assert payloads(tmp_path) == [b"twice"]
    assert read_all(tmp_path)[2].duplicates == 2


def test_a_full_disk_is_told_and_recording_goes_on_in_a_new_segment(tmp_path: Path) -> None:
    clocks, storage = Clocks(), FailingStorage(error=errno.ENOSPC)
    out = writer(tmp_path, clocks, storage)
    out.frame("ws", b"one")
    assert out.commit()
    storage.fails = lambda n, name: name in ("write", "create")
    out.frame("ws", b"two")
    assert not out.commit()
    assert out.trouble is not None
    assert out.trouble.since_ns == clocks.wall_ns
    assert "planned failure" in out.trouble.reason
    calls = storage.calls
    out.frame("ws", b"three")
    assert not out.commit()
    assert storage.calls == calls, "the disk is left in peace for a second"
    clocks.pass_ns(2_000_000_000)
    storage.fails = lambda n, name: False
    out.poll()
    assert out.trouble is None
    out.close()
    assert payloads(tmp_path) == [b"one", b"two", b"three"]
    assert len(list_segments(tmp_path)) == 2
    assert read_all(tmp_path)[2].damage == []


def test_what_a_long_failure_drops_is_counted_and_seen_as_a_hole(tmp_path: Path) -> None:
    clocks, storage = Clocks(), FailingStorage(error=errno.ENOSPC)
    out = writer(tmp_path, clocks, storage, tail_bytes=600_000)
    out.frame("ws", b"first")
    out.commit()
    storage.fails = lambda n, name: True
    for number in range(12):
        out.frame("ws", b"%d" % number + NOISE)
        out.commit()
    assert out.dropped > 0
    storage.fails = lambda n, name: False
    clocks.pass_ns(5_000_000_000)
    out.close()
    found = payloads(tmp_path)
    assert found[0] == b"first"
    assert found[-1] == b"11" + NOISE
    _, holes, _ = read_all(tmp_path)
    assert [hole.lost for hole in holes] == [out.dropped]


def test_closing_with_unsaved_records_says_so(tmp_path: Path) -> None:
    storage = FailingStorage(error=errno.ENOSPC)
    out = writer(tmp_path, storage=storage)
    out.frame("ws", b"one")
    storage.fails = lambda n, name: name in ("create", "write")
    with pytest.raises(OSError, match="planned failure"):
        out.close()
    writer(tmp_path).close()


CHILD = """
import sys
from pathlib import Path
from feeds.recording.storage import Storage
from tests.kit.frames import Clocks, writer
clocks = Clocks()
out = writer(Path(sys.argv[1]), clocks, Storage())
for number in range(60):
    out.frame("ws", b"%06d" % number + bytes(range(256)) * 20)
    clocks.pass_ns(400_000_000)
    if out.commit():
        print(number, flush=True)
    elif out.trouble is None:
        sys.exit("a failed commit without trouble")
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no file size limit on this system")
def test_a_file_size_limit_loses_nothing_acknowledged(tmp_path: Path) -> None:
    limit = 1_500

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], preexec_fn=limited, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    acknowledged = [int(line) for line in done.stdout.split()]
    assert len(acknowledged) > 30
    found = [int(payload[:6]) for payload in payloads(tmp_path)]
    assert found[: acknowledged[-1] + 1] == list(range(acknowledged[-1] + 1))
    assert len(list_segments(tmp_path)) > 3
    assert all(path.stat().st_size <= limit for path in list_segments(tmp_path))


@pytest.mark.parametrize("seed", range(40))
def test_on_a_disk_that_fails_at_random_only_what_is_counted_is_lost(tmp_path: Path, seed: int) -> None:
    rng, clocks, ill = random.Random(seed), Clocks(), [False]
    storage = FailingStorage(
        error=rng.choice((errno.EIO, errno.ENOSPC)), short=rng.choice((None, 100, 5000)), forgets=rng.random() < 0.5
    )
    out = writer(tmp_path, clocks, storage, segment_bytes=rng.choice((5_000, 60_000, 1 << 20)), tail_bytes=60_000)
    storage.fails = lambda n, name: rng.random() < (0.5 if ill[0] else 0.02)
    taken: list[bytes] = []
    safe: set[int] = set()
    for number in range(60):
        ill[0] = rng.random() < 0.3
        taken.append(b"%d:" % number + rng.randbytes(rng.randint(1, 9_000)))
        out.frame("ws", taken[-1])
        if rng.random() < 0.4 and out.commit():
            now = {record.number for record in read_all(tmp_path)[0]}
            assert now >= safe
            assert len(now) == out.acknowledged == out.taken - out.dropped
            safe = now
        clocks.pass_ns(rng.choice((0, 300_000_000, 2_000_000_000)))
    storage.fails = lambda n, name: False
    clocks.pass_ns(5_000_000_000)
    out.close()
    records, holes, reader = read_all(tmp_path)
    numbers = [record.number for record in records]
    assert numbers == sorted(set(numbers)), "in order, none twice"
    assert set(numbers) >= safe
    assert len(numbers) == out.acknowledged == out.taken - out.dropped
    assert sum(hole.lost or 0 for hole in holes) == out.dropped
    found = payloads(tmp_path)
    assert found == [payload for payload in taken if payload in found]
    assert reader.ended
