import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feeds.errors import BadInput
from tapeview.ui.terminal import RESTORE, HeldKey, KeyParser, ascii_only, require_terminal
from tests.kit.terminal import ROOT, Terminal

HOME = "import sys; from tapeview.ui.app import StartPlan, run; sys.exit(run(StartPlan()))"


def home(**options):
    return Terminal("-c", HOME, **options)


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGQUIT, 131)]
)
def test_a_signal_ends_the_program_with_its_code_and_gives_the_terminal_back(number, code):
    with home() as term:
        term.wait_for("quit")
        term.signal(number)
        assert term.ended() == code
        assert term.restored


def test_a_signal_before_the_screen_is_up_ends_the_program_too():
    program = (
        "import os, signal, sys\n"
        "from tapeview.ui.terminal import Ending\n"
        "ending = Ending()\n"
        "with ending.signals():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
    )
    with Terminal("-c", program) as term:
        assert term.ended() == 143


def test_ctrl_c_ends_cleanly():
    with home() as term:
        term.wait_for("quit")
        term.type("\x03")
        assert term.ended() == 130
        assert term.restored


def test_q_quits_with_0_and_gives_the_terminal_back():
    with home() as term:
        term.wait_for("quit")
        term.type("q")
        assert term.ended() == 0
        assert term.restored


BLOCKED = """
import sys, time
from tapeview.ui import app as module
class Stuck(module.TapeviewApp):
    def action_next_theme(self):
        self.bell()
        while True:
            time.sleep(1)
module.TapeviewApp = Stuck
sys.exit(module.run(module.StartPlan()))
"""


def test_a_second_ctrl_c_signal_forces_a_program_that_hangs():
    with Terminal("-c", BLOCKED) as term:
        term.wait_for("quit")
        term.type("\x1b[20~")  # F9
        term.wait_for(b"\x07")
        term.signal(signal.SIGINT)
        term.signal(signal.SIGINT)
        assert term.ended() == 130
        assert term.restored


def test_a_program_that_hangs_ends_by_itself_soon_after_sigterm():
    with Terminal("-c", BLOCKED) as term:
        term.wait_for("quit")
        term.type("\x1b[20~")
        term.wait_for(b"\x07")
        term.signal(signal.SIGTERM)
        assert term.ended() == 143
        assert term.restored


def test_a_closed_terminal_ends_the_program_and_leaves_no_orphan():
    with home() as term:
        term.wait_for("quit")
        os.close(term.slave)
        term.slave = None
        term.hang_up()
        assert term.ended() == 129


def test_a_terminal_that_fails_without_sighup_ends_the_program_too():
    # The signal is masked for good: only the failing reads and writes tell.
    program = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP}); " + HOME
    with Terminal("-c", program) as term:
        term.wait_for("quit")
        os.close(term.slave)
        term.slave = None
        term.hang_up()
        assert term.ended() == 129


def test_a_terminal_that_stops_reading_does_not_keep_the_program_from_ending():
    with home(size=(200, 60)) as term:
        term.wait_for("quit")
        term.stop_reading()
        for _ in range(150):
            term.type("\x1b[20~")  # a new theme repaints everything
        term.signal(signal.SIGTERM)
        assert term.ended() == 143


def test_a_terminal_that_stopped_reading_shows_the_whole_screen_when_it_reads_again():
    with home(size=(120, 40)) as term:
        term.wait_for("quit")
        term.stop_reading()
        for _ in range(90):  # three times what the queue holds
            term.type("\x1b[20~")
        seen = len(term.output)
        term.go_on_reading()
        term.type("?")
        term.wait_for("Everywhere", since=seen)
        term.type("q")
        term.type("q")
        assert term.ended() == 0


def test_ctrl_z_stops_and_fg_draws_the_screen_again():
    with home() as term:
        term.wait_for("quit")
        term.type("\x1a")
        seen = term.wait_for(b"\x1b[?1049l")
        end = time.monotonic() + 30
        while state_of(term.process.pid) != "T":
            assert time.monotonic() < end
            time.sleep(0.01)
        term.signal(signal.SIGCONT)
        term.wait_for("quit", since=term.wait_for(b"\x1b[?1049h", since=seen))
        term.type("q")
        assert term.ended() == 0
        assert term.restored


ECHO = """
import sys
from tapeview.ui import app as module
class Echo(module.TapeviewApp):
    def on_key(self, event):
        print("\\x1b]0;key " + event.key + "\\x07", end="", file=sys.__stdout__, flush=True)
module.TapeviewApp = Echo
sys.exit(module.run(module.StartPlan()))
"""


PRESSED = {
    "\x1b1": "alt+1",
    "\x1b9": "alt+9",
    "\x1b[50;3u": "alt+2",
    "\x1b[15~": "f5",
    "\x1b[1;2D": "shift+left",
    "™": "trade_mark_sign",
}


@pytest.mark.parametrize(("typed", "key"), PRESSED.items())
def test_keys_arrive_as_what_was_pressed(typed, key):
    with Terminal("-c", ECHO) as term:
        term.wait_for("quit")
        term.type(typed)
        term.wait_for(f"\x1b]0;key {key}\x07")


def test_five_hundred_resizes_cost_a_few_layouts_and_end_at_the_last_size():
    with home() as term:
        term.wait_for("quit")
        before = len(term.output)
        for n in range(500):
            term.resize(60 + n % 90, 16 + n % 40)
        term.resize(100, 30)
        term.wait_for("quit", since=before)
        term.type("?")
        term.wait_for("Everywhere", since=before)
        written = len(term.output) - before
        print(f"500 resizes: {written} bytes")
        # A layout writes some 2 kB here: one for each of 500 would be a megabyte.
        assert written < 300_000
        term.type("qq")
        assert term.ended() == 0


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (0, 0), (59, 15), (300, 100)])
def test_any_window_size_is_survived(size):
    with home() as term:
        term.wait_for("quit")
        term.resize(*size)
        term.resize(90, 30)
        before = len(term.output)
        term.type("?")
        term.wait_for("Everywhere", since=before)
        term.type("qq")
        assert term.ended() == 0


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_without_a_terminal_it_refuses_and_names_the_headless_commands(monkeypatch, stream):
    class Tty(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "__stdin__", Tty())
    monkeypatch.setattr(sys, "__stdout__", Tty())
    require_terminal({"TERM": "xterm"})
    monkeypatch.setattr(sys, f"__{stream}__", io.StringIO())
    with pytest.raises(BadInput, match=rf"{stream} is not a terminal.*tapeview book.*--json"):
        require_terminal({"TERM": "xterm"})


def test_a_dumb_terminal_is_refused(monkeypatch):
    class Tty(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "__stdin__", Tty())
    monkeypatch.setattr(sys, "__stdout__", Tty())
    for term in ("dumb", "unknown"):
        with pytest.raises(BadInput, match="cursor"):
            require_terminal({"TERM": term})


def test_a_pipe_instead_of_a_terminal_is_an_error_of_usage():
    done = subprocess.run([sys.executable, "-m", "tapeview"], input=b"", capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert b"not a terminal" in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("env", "there", "absent"),
    [
        ({"COLORTERM": "truecolor"}, b"38;2;", b"38;5;"),
        ({"COLORTERM": None, "TERM": "xterm-256color"}, b"38;5;", b"38;2;"),
        ({"COLORTERM": None, "TERM": "xterm"}, b"\x1b[", b"38;"),
    ],
)
def test_the_colours_are_those_the_terminal_has(env, there, absent):
    with home(env=env) as term:
        term.wait_for("quit")
        term.type("q")
        assert term.ended() == 0
        assert there in term.output
        assert absent not in term.output


def test_no_color_is_respected():
    with home(env={"NO_COLOR": "1"}) as term:
        term.wait_for("quit")
        term.type("q")
        term.ended()
        for red, green, blue in re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", bytes(term.output)):
            assert red == green == blue


def test_a_redirected_stderr_does_not_hide_the_screen(tmp_path):
    program = f"import os; os.dup2(os.open({str(tmp_path / 'err')!r}, os.O_CREAT | os.O_WRONLY), 2); " + HOME
    with Terminal("-c", program) as term:
        term.wait_for("quit")
        term.type("q")
        assert term.ended() == 0
    assert (tmp_path / "err").read_bytes() == b""


def test_what_is_written_at_the_end_undoes_every_mode_that_was_switched_on():
    with home() as term:
        term.wait_for("quit")
        term.type("q")
        term.ended()
        on = set(re.findall(rb"\x1b\[\?(\d+)h", bytes(term.output))) - {b"25", b"7"}
        for mode in on:
            assert f"\x1b[?{mode.decode()}l" in RESTORE


@pytest.mark.parametrize(
    ("environ", "setting", "wanted"),
    [
        ({"LANG": "de_DE.UTF-8"}, "auto", False),
        ({"LANG": "en_US.utf8"}, "auto", False),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, "auto", False),
        ({"LANG": "de_DE.UTF-8@euro"}, "auto", False),
        ({}, "auto", False),
        ({"LC_CTYPE": "C.UTF-8"}, "auto", False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, "auto", True),
        ({"LC_ALL": "C"}, "auto", True),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, "auto", True),
        ({"LANG": "de_DE.ISO-8859-15@euro"}, "auto", True),
        ({"LANG": "de_DE"}, "auto", True),
        ({"LANG": "de_DE.UTF-8", "TERM": "linux"}, "auto", True),
        ({"LANG": "de_DE.UTF-8", "TERM": "vt220"}, "auto", True),
        ({"LANG": "de_DE.UTF-8"}, "on", True),
        ({"LC_ALL": "C"}, "off", False),
        ({"LANG": "de_DE.UTF-8", "TAPEVIEW_ASCII": "1"}, "off", True),
        ({"LC_ALL": "C", "TAPEVIEW_ASCII": "0"}, "on", False),
    ],
)
def test_ascii_is_chosen_by_environment_setting_terminal_and_locale(environ, setting, wanted):
    only, why = ascii_only(setting, environ)
    assert only == wanted
    assert why


@pytest.mark.parametrize("env", [{"TAPEVIEW_ASCII": "1"}, {"LC_ALL": "C"}, {"LC_ALL": "en_US.ISO-8859-1"}])
def test_a_terminal_without_unicode_gets_no_byte_above_ascii(env):
    with home(env=env, size=(100, 30)) as term:
        end = term.wait_for("quit")
        term.type("?")
        end = term.wait_for("Everywhere", since=end)
        term.type("q")
        term.wait_for("quit", since=end)
        term.type("q")
        assert term.ended() == 0
        assert max(term.output) <= 0x7E


def test_the_setting_for_ascii_reaches_the_terminal():
    program = HOME.replace("StartPlan()", "StartPlan(settings=load([], ['screen.ascii=on']).config)")
    with Terminal("-c", "from tapeview.config import load; " + program) as term:
        term.wait_for("quit")
        term.type("q")
        assert term.ended() == 0
        assert max(term.output) <= 0x7E


def test_a_terminal_with_unicode_gets_its_signs():
    with home() as term:
        term.wait_for("↑↓")
        term.type("q")
        assert term.ended() == 0


KEYS = {
    "98;{};98u": "b", "98;2{};66u": "B", "49;{};49u": "1", "27;{}u": "escape", "13;{}u": "enter", "1;{}A": "up",
    "1;2{}A": "shift+up", "1;5{}D": "ctrl+left", "3;{}~": "delete", "15;{}~": "f5", "1;{}P": "f1", "120;5{}u": "ctrl+x",
    "49;3{}u": "alt+1", "57441;2{}u": "left_shift",
}  # fmt: skip
"""A key by the kitty keyboard protocol, with a place for its event type, and its name."""


def keys_of(parser, *sequences):
    return [event for sequence in sequences for event in parser.feed(sequence)]


@pytest.mark.parametrize("sequence", KEYS)
def test_presses_held_keys_and_releases_are_told_apart(sequence):
    parser, written = KeyParser(), "\x1b[" + sequence.replace("{}", "1{}" if ";{}" in sequence else "{}")
    pressed, held, released = (keys_of(parser, written.format(kind)) for kind in (":1", ":2", ":3"))
    assert [event.key for event in pressed] == [event.key for event in held] == [KEYS[sequence]]
    assert [event.character for event in pressed] == [event.character for event in held]
    assert not isinstance(pressed[0], HeldKey)
    assert isinstance(held[0], HeldKey)
    assert released == []
    assert parser.tells_held
    # A terminal that tells nothing of it gives the same key.
    plain = KeyParser()
    assert [event.key for event in keys_of(plain, written.format(""))] == [KEYS[sequence]]
    assert not plain.tells_held


def test_a_key_that_comes_in_pieces_is_one_key():
    parser = KeyParser()
    found = keys_of(parser, *"\x1b[98;1:2;98u", "\x1b[98;1:", "3u", "s")
    assert [(event.key, isinstance(event, HeldKey)) for event in found] == [("b", True), ("s", False)]


def test_the_terminal_is_asked_to_tell_held_keys_and_gets_its_own_way_back():
    with home() as term:
        term.wait_for("quit")
        assert b"\x1b[=2;2u" in term.output
        # A held q is still a q, and a release is none.
        term.type("\x1b[113;1:3u")
        term.type("\x1b[113;1:2;113u")
        assert term.ended() == 0
        assert term.restored
