"""A real program on a real pseudo-terminal: type, resize, signal, hang up, and read what it wrote."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ENTER_SCREEN, LEAVE_SCREEN, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


class Terminal:
    """Run a Python program on a pseudo-terminal of its own session; a context manager that leaves nothing behind."""

    def __init__(self, *words: str, size: tuple[int, int] = (80, 24), env: dict[str, str | None] | None = None):
        self.master, slave = pty.openpty()
        self.resize(*size, signalled=False)
        self.before = termios.tcgetattr(slave)
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        environ |= {"LC_ALL": "C.UTF-8", "TAPEVIEW_ASCII": ""}
        for name, value in (env or {}).items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value

        # A session leader takes the terminal as its controlling one, then becomes the program.
        lead = (
            "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", lead, sys.executable, *words],
            stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True,
        )  # fmt: skip
        self.slave = slave
        self.output = bytearray()
        self._reading = threading.Event()
        self._reading.set()
        self._closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.set()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.slave is not None:
            os.close(self.slave)
        self.hang_up()
        self._thread.join(5)

    def _read(self) -> None:
        while not self._closed:
            self._reading.wait()
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.output += data

    def stop_reading(self) -> None:
        """Take nothing more from the program, as a paused terminal."""
        self._reading.clear()

    def go_on_reading(self) -> None:
        self._reading.set()

    def wait_for(self, what: bytes | str, timeout: float = 15.0, since: int = 0) -> int:
        """Wait until something was written; give the place after it."""
        wanted = what.encode() if isinstance(what, str) else what
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            at = self.output.find(wanted, since)
            if at >= 0:
                return at + len(wanted)
            if self.process.poll() is not None:
                time.sleep(0.05)
                at = self.output.find(wanted, since)
                if at >= 0:
                    return at + len(wanted)
                break
            time.sleep(0.01)
        tail = bytes(self.output[-600:])
        raise AssertionError(f"{what!r} never came (exit {self.process.poll()}): ...{tail!r}")

    def type(self, keys: str | bytes) -> None:
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns: int, rows: int, *, signalled: bool = True) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if signalled:
            self.signal(signal.SIGWINCH)

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def hang_up(self) -> None:
        """Close the terminal, as its window being closed."""
        if not self._closed:
            self._closed = True
            os.close(self.master)

    def ended(self, timeout: float = 15.0) -> int:
        """Wait for the program's end; give its exit code, negative for a signal."""
        return self.process.wait(timeout)

    @property
    def restored(self) -> bool:
        """The alternate screen was left, the cursor shown and the line modes put back."""
        text = bytes(self.output)
        left = text.rfind(LEAVE_SCREEN) > text.rfind(ENTER_SCREEN) and text.rfind(SHOW_CURSOR) > text.rfind(
            b"\x1b[?25l"
        )
        return left and termios.tcgetattr(self.slave)[:4] == self.before[:4]
