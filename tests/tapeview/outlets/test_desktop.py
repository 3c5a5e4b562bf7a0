"""Calls to a person: what they say, to a real terminal and to a real desktop's bus."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feeds.errors import MissingExtra
from tapeview.desk.records import Alerted, AnyRecord, Closed, Filled, Told
from tapeview.journal import Line
from tapeview.outlets._declare import words
from tapeview.outlets.bell import Bell, BellOptions
from tapeview.outlets.desktop import Desktop, DesktopOptions, sequence


def told(n: int, kind: str = "warn") -> Told:
    return Told(seq=n, recv_ns=n, kind=kind, text=f"record {n}")


def alerted(grade: int, phase: str = "confirmed") -> Alerted:
    return Alerted(
        seq=1, recv_ns=1, detector="iceberg", phase=phase, text="bid 100.00", side=1, tick=10, score=1.0,
        confidence=None, grade=grade,
    )  # fmt: skip


def filled(view: str) -> Filled:
    return Filled(
        seq=1, recv_ns=1, order=1000, view=view, side=-1, tick=10, lots=3, liquidity="taker", fee="0", position=-3
    )


def lines(*records: AnyRecord) -> list[Line]:
    return [Line(1, n, record) for n, record in enumerate(records)]


@pytest.fixture
def terminal() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """A terminal's name, and what has been written to it."""
    master, end = os.openpty()
    os.set_blocking(master, False)

    def seen() -> bytes:
        try:
            return os.read(master, 8192)
        except BlockingIOError:
            return b""

    yield os.ttyname(end), seen
    os.close(master)
    os.close(end)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (filled("pessimist"), "sold 3"), (filled("optimist"), ""), (alerted(2), "iceberg: bid 100.00"),
        (alerted(1), ""), (alerted(3, "cleared"), ""), (told(1, "lock"), "record 1"), (told(1, "armed"), ""),
    ],
)  # fmt: skip
def test_a_person_is_called_for_what_concerns_them(record: AnyRecord, said: str) -> None:
    assert words(Line(1, 0, record), 2) == said


def test_a_closed_trade_is_told_with_its_result() -> None:
    closed = Closed(
        seq=1, recv_ns=1, view="pessimist", trade=1, decision=1, setup="", side=1, lots=1, entry="10", opened_ns=1,
        opened_seq=1, gross="5", fees="1", net="4", risk_ticks=4, r=0.5, mae_r=None, mfe_r=None, mae_ticks=None,
        mfe_ticks=None,
    )  # fmt: skip
    assert words(Line(1, 0, closed)) == "trade closed: 4, +0.50 R"


def test_the_bell_rings_once_for_all_that_came_and_not_for_nothing(terminal: tuple[str, Callable[[], bytes]]) -> None:
    name, seen = terminal
    bell = Bell(BellOptions(terminal=name))
    bell.deliver("j", lines(told(1, "armed"), alerted(1)))
    assert seen() == b""
    bell.deliver("j", lines(told(1), told(2), alerted(3)))
    assert seen() == b"\a"


def test_a_notification_is_written_to_the_terminal_and_obeys_nothing_in_it(
    terminal: tuple[str, Callable[[], bytes]],
) -> None:
    name, seen = terminal
    assert sequence("a\x1b]0;evil\a;b") == b"\x1b]9;a]0evilb\x1b\\\x1b]777;notify;tapeview;a]0evilb\x1b\\"
    Desktop(DesktopOptions(terminal=name)).deliver("j", lines(*map(told, range(5)), told(5, "naked")))
    written = seen()
    assert written.count(b"\x1b]9;") == 3
    assert written.startswith(b"\x1b]9;record 5\x1b\\")  # an alarm is shown before all that is not one
    assert b"record 1 (and 3 more)" in written
    assert written.endswith(b"\a")


# -- the system's own -------------------------------------------------------------------------------
DAEMON = shutil.which("dbus-daemon")
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir={folder}</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bus of one's own."""
    pytest.importorskip("desktop_notifier", reason="the extra desktop is not installed")
    if DAEMON is None or sys.platform != "linux":
        pytest.skip("no dbus-daemon")
    about = tmp_path / "bus.conf"
    about.write_text(CONFIG.format(folder=tmp_path))
    daemon = subprocess.Popen(
        [DAEMON, f"--config-file={about}", "--nofork", "--print-address"], stdout=subprocess.PIPE, text=True
    )
    assert daemon.stdout is not None
    address = daemon.stdout.readline().strip()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    yield address
    daemon.terminate()
    daemon.wait()
    daemon.stdout.close()


SERVICE = """
import asyncio, json
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, method

class Notifications(ServiceInterface):
    @method()
    def Notify(self, name: "s", replaces: "u", icon: "s", title: "s", body: "s", actions: "as", hints: "a{sv}",
               timeout: "i") -> "u":
        print(json.dumps([name, title, body, hints["urgency"].value]), flush=True)
        return 1

    @method()
    def GetCapabilities(self) -> "as":
        return ["body"]

    @method()
    def GetServerInformation(self) -> "ssss":
        return ["test", "test", "1", "1.2"]

async def serve():
    bus = await MessageBus().connect()
    bus.export("/org/freedesktop/Notifications", Notifications("org.freedesktop.Notifications"))
    await bus.request_name("org.freedesktop.Notifications")
    print("ready", flush=True)
    await bus.wait_for_disconnect()

asyncio.run(serve())
"""
"""A desktop that takes notifications."""


def test_the_systems_notifications_say_the_same_and_alarms_are_urgent(bus: str) -> None:
    desktop = subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True)
    assert desktop.stdout is not None
    try:
        assert desktop.stdout.readline() == "ready\n"
        Desktop(DesktopOptions(through="system", bell=False)).deliver("j", lines(told(1), told(2, "lock")))
        shown = [json.loads(desktop.stdout.readline()) for _ in range(2)]
    finally:
        desktop.kill()
        desktop.communicate()
    assert shown == [["tapeview", "tapeview", "record 2", 2], ["tapeview", "tapeview", "record 1", 1]]


def test_a_desktop_that_takes_none_is_an_error_to_try_again(bus: str, capfd: pytest.CaptureFixture[str]) -> None:
    out = Desktop(DesktopOptions(through="system", bell=False))
    with pytest.raises(OSError, match="takes no notifications"):
        out.deliver("j", lines(told(1)))
    assert capfd.readouterr() == ("", "")


def test_without_the_extra_it_says_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "desktop_notifier", None)
    with pytest.raises(MissingExtra, match=r"tapeview\[desktop\]"):
        Desktop(DesktopOptions(through="system"))
