"""The file operations recordings are written with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.errors import BadInput
from feeds.recording.storage import Storage, WriteLock, boot_id, replace_file, write_all
from tests.kit.disk import FailingStorage


def test_a_file_is_replaced_whole_or_not_at_all_whichever_call_fails(tmp_path: Path) -> None:
    target = tmp_path / "file"
    counting = FailingStorage()
    target.write_bytes(b"old")
    replace_file(counting, target, b"n" * 1000)
    assert target.read_bytes() == b"n" * 1000
    assert counting.names[-2:] == ["rename", "sync_folder"]
    for k in range(counting.calls):
        target.write_bytes(b"old")
        failing = FailingStorage(lambda number, name, k=k: number == k)
        if failing_is_harmless(counting.names[k]):
            continue
        with pytest.raises(OSError, match="planned"):
            replace_file(failing, target, b"n" * 1000)
        assert target.read_bytes() in (b"old", b"n" * 1000)
        replace_file(Storage(), target, b"again")
        assert target.read_bytes() == b"again"


def failing_is_harmless(name: str) -> bool:
    return name == "close"


def test_the_content_is_on_the_disk_before_its_name_is(tmp_path: Path) -> None:
    storage = FailingStorage()
    replace_file(storage, tmp_path / "file", b"x")
    names = storage.names
    assert names.index("write") < names.index("sync") < names.index("rename") < names.index("sync_folder")


def test_short_writes_are_gone_on_with(tmp_path: Path) -> None:
    storage = FailingStorage(short=7)
    fd = storage.create(tmp_path / "file")
    write_all(storage, fd, bytes(range(100)))
    storage.close(fd)
    assert (tmp_path / "file").read_bytes() == bytes(range(100))
    assert storage.names.count("write") == 15


def test_a_write_that_takes_nothing_is_an_error_and_not_a_loop(tmp_path: Path) -> None:
    storage = FailingStorage(short=0)
    fd = storage.create(tmp_path / "file")
    with pytest.raises(OSError, match="took 0 bytes"):
        write_all(storage, fd, b"abc")
    storage.close(fd)


def test_a_file_is_never_created_over_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        Storage().create(tmp_path / "file")


def test_a_second_writer_is_refused_by_name_of_the_first(tmp_path: Path) -> None:
    lock = WriteLock(tmp_path)
    assert boot_id() in lock.path.read_text()
    with pytest.raises(BadInput, match=f"pid {os.getpid()}"):
        WriteLock(tmp_path)
    lock.release()
    assert not lock.path.exists()
    WriteLock(tmp_path).release()


def test_a_killed_writer_holds_no_lock(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from feeds.recording.storage import WriteLock
lock = WriteLock(Path({str(tmp_path)!r}))
print("locked", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"locked\n"
        with pytest.raises(BadInput, match=f"pid {child.pid}"):
            WriteLock(tmp_path)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert (tmp_path / ".lock").exists()
    WriteLock(tmp_path).release()
