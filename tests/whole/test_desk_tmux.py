"""A whole trading session in a real terminal multiplexer, by keys alone: what is on the screen, then in the journal.

The market goes on by keys as well (a print at a time), so that every run trades at the same rows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid

import pytest

from tapeview.bundled import recordings
from tests.conftest import ROOT

WAIT_S = 90
LIMITS = (
    "--set",
    'desk.equity="15000"',
    "--set",
    "desk.limits.daily_loss=0.002",
    "--set",
    "desk.limits.cooldown_min=0",
)
"""A day may lose 30.00."""


class Pane:
    """The program in a tmux session of its own."""

    def __init__(self, home, *words, size=(120, 36)):
        self._name = f"tapeview-{uuid.uuid4().hex[:8]}"
        # Given as a whole: readline puts COLUMNS and LINES where os.environ does not see them.
        self.environment = os.environ | {
            "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_STATE_HOME": str(home / "state"),
            "XDG_CONFIG_HOME": str(home / "config"), "TAPEVIEW_JOURNAL": str(home / "journal.db"),
            "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        columns, lines = map(str, size)
        program = [sys.executable, "-m", "tapeview", *words]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", lines, *program)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-L", self._name, "kill-server"], check=False, capture_output=True)

    def _tmux(self, *words):
        command = ["tmux", "-L", self._name, *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=self.environment)
        return done.stdout

    def text(self):
        return self._tmux("capture-pane", "-p")

    def press(self, *keys, times=1):
        for key in keys:
            self._tmux("send-keys", "-N", str(times), key)

    def type(self, words):
        self._tmux("send-keys", "-l", words)

    def until(self, *wanted):
        """Wait until all of these words are on the screen."""
        end = time.monotonic() + WAIT_S
        while not all(words in (shown := self.text()) for words in wanted):
            assert time.monotonic() < end, f"never seen: {wanted}\n{shown}"
            time.sleep(0.05)
        return shown

    def go_on(self, prints):
        """Let prints pass, and wait until the screen stands still."""
        self.press(">", times=prints)
        before = None
        while (shown := self.text()) != before:
            before = shown
            time.sleep(0.4)

    def ended(self):
        end = time.monotonic() + WAIT_S
        while subprocess.run(["tmux", "-L", self._name, "ls"], check=False, capture_output=True).returncode == 0:
            assert time.monotonic() < end, self.text()
            time.sleep(0.05)


def said(pane, *words):
    """What a command prints, as JSON lines."""
    done = subprocess.run(
        [sys.executable, "-m", "tapeview", *words], env=pane.environment, capture_output=True, text=True, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def open_session(home, *words):
    return Pane(home, "replay", str(ROOT / "recordings" / "quiet-open"), "--at", "+110s", "--paused", *LIMITS, *words)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux")
def test_a_session_is_traded_by_keys_alone_to_the_lock_and_the_journal_has_it(tmp_path):
    if not recordings():
        pytest.skip("no bundled recordings")
    with open_session(tmp_path) as pane:
        pane.until("help")
        pane.press("Home")
        pane.until("▸ 5 016")
        # A ticket, whose letters and Enter trade nothing.
        pane.press("o")
        pane.until("next signal")
        pane.type("pullback 65 first test")
        pane.press("Enter")
        pane.until("next signal: pullback 65% noted")
        assert "ARMED" not in pane.text()
        pane.press("a")
        pane.until("ARMED 1 lot bracket 8/16")
        pane.press("2")
        pane.until("ARMED 2 lots bracket 8/16 · pullback 65% noted")
        # A key held down: the terminal says the same key again and again.
        pane.press("B", times=12)
        pane.go_on(25)
        shown = pane.until("LONG 2 @", "covered", "▼2S")
        assert "pullback" not in shown
        pane.press("t")
        pane.until("trails")
        pane.press("f")
        pane.go_on(25)
        pane.until("flat  R 0.00")
        assert "LONG" not in pane.text()
        # Without a bracket: it is said to be naked, and when too much is lost it is closed and locked.
        pane.press("k", "3")
        pane.until("ARMED 3 lots no bracket")
        pane.press("B")
        pane.go_on(400)
        pane.until("NAKED")
        for _ in range(8):
            if "LOCKED" in pane.text():
                break
            pane.press(">", times=200)
            time.sleep(2)
        pane.until("LOCKED", "daily loss limit")
        pane.go_on(20)
        pane.press("Space")
        pane.until(" LOCKED ", "flat  R 0.00")
        pane.press("a")
        pane.until("locked: ")
        assert "ARMED" not in pane.text()
        pane.press("b", "B", "S")
        pane.press("q")
        pane.ended()
    found = said(pane, "journal", "signals", "--json")
    assert [(one["side"], one["lots"], one["setup"]) for one in found] == [(1, 2, "pullback"), (1, 3, "")]
    trades = said(pane, "journal", "trades", "--json")
    assert len(trades) == 2
    # The lock holds after a restart, and the run can be made again to the same digest.
    with open_session(tmp_path) as pane:
        pane.until("help", "LOCKED")
        pane.press("a")
        pane.until("locked: ")
        assert "ARMED" not in pane.text()
        pane.press("q")
        pane.ended()
    runs = said(pane, "journal", "runs", "--json")
    assert said(pane, "journal", "verify", str(runs[0].get("run", runs[0].get("id"))), "--json")
