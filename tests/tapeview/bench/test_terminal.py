"""The pseudo-terminal of the measurements: its size, its keys, its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tapeview.bench._terminal import run_in_pty

SIZE_AND_LINE = "import os, sys; print(os.get_terminal_size(), os.environ['TERM'], flush=True); print(input()[::-1])"


def test_a_child_has_a_terminal_of_the_size_and_hears_what_is_typed() -> None:
    seen: list[bytes] = []

    def typing(keys: int) -> None:
        while not seen:
            time.sleep(0.01)
        os.write(keys, b"abc\n")

    run_in_pty([sys.executable, "-c", SIZE_AND_LINE], os.environ, 20, (91, 17), typing=typing, seen=seen.append)
    told = b"".join(seen).decode()
    assert "columns=91, lines=17" in told
    assert "xterm-256color" in told
    assert "cba" in told


def test_a_child_that_does_not_end_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_in_pty([sys.executable, "-c", "import time; time.sleep(60)"], os.environ, 0.3, (80, 24))
