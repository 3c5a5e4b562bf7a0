"""A pseudo-terminal for a child that is measured: of a given size, and with someone who reads what is drawn."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

COLOURS: Final = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
"""What a child's environment says of the terminal."""
_READ: Final = 65536
_JOIN_S: Final = 5.0


def run_in_pty(
    command: Sequence[str],
    environment: Mapping[str, str],
    limit_s: float,
    size: tuple[int, int],
    *,
    typing: Callable[[int], None] | None = None,
    seen: Callable[[bytes], None] | None = None,
) -> None:
    """Run a command in a terminal of its own with `size` columns and rows, until it ends; killed after `limit_s`.

    `environment` is the whole of the child's, `COLOURS` aside. `typing` is called once, in a thread of its own, with
    the descriptor to write keys to; `seen` hears what was drawn. Raises subprocess.TimeoutExpired.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    child = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, **COLOURS}, start_new_session=True
    )
    os.close(theirs)
    threads = [threading.Thread(target=_drain, args=(ours, seen), daemon=True)]
    if typing is not None:
        threads.append(threading.Thread(target=_type, args=(typing, ours), daemon=True))
    for thread in threads:
        thread.start()
    try:
        child.wait(timeout=limit_s)
    finally:
        child.kill()
        child.wait()
        for thread in threads:
            thread.join(timeout=_JOIN_S)
        os.close(ours)


def _type(typing: Callable[[int], None], descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the child has ended
        typing(descriptor)


def _drain(descriptor: int, seen: Callable[[bytes], None] | None) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(descriptor, _READ):
            if seen is not None:
                seen(data)
