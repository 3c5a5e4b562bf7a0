import asyncio
import json
import threading
import time

import pytest
from textual.widgets import OptionList

from feeds.errors import BadInput
from tapeview import bundled
from tapeview.config import Config
from tapeview.ui.app import StartPlan, TapeviewApp
from tapeview.ui.screens.home import HomeScreen
from tapeview.ui.screens.opening import OpeningScreen
from tests.kit.terminal import Terminal

FIRST_FRAME = """
import json, sys, time
from tapeview.ui import app as module
begun = time.process_time()
class Watched(module.TapeviewApp):
    def on_ready(self):
        self.call_after_refresh(self.tell)
    def tell(self):
        with open({told!r}, "w") as file:
            json.dump(sorted(sys.modules), file)
module.TapeviewApp = Watched
sys.exit(module.run(module.StartPlan(addresses={addresses!r}, settings=None)))
"""
HEAVY = {"numba", "llvmlite", "polars", "zstandard", "numpy"}


async def until(condition, pilot=None, timeout=30):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it never came"
        await (pilot.pause(0.01) if pilot is not None else asyncio.sleep(0.01))


@pytest.mark.parametrize("addresses", [(), ("simulator:seed=7,minutes=1,profile=mes",)])
def test_the_first_frame_is_painted_before_anything_heavy_is_imported(tmp_path, addresses):
    told = tmp_path / "modules.json"
    with Terminal("-c", FIRST_FRAME.format(told=str(told), addresses=addresses)) as term:
        term.wait_for("Bundled sessions" if not addresses else "Opening")
        if not addresses:
            # On the home screen nothing heavy comes at all until something is opened.
            end = time.monotonic() + 15
            while not told.exists() or not told.read_text().endswith("]"):
                assert time.monotonic() < end
                time.sleep(0.01)
            assert not HEAVY & {name.partition(".")[0] for name in json.loads(told.read_text())}
        term.type("q")
        assert term.ended() == 0


async def test_an_opening_begins_only_after_its_screen_was_painted(monkeypatch):
    seen = []
    painted = OpeningScreen._compositor_refresh

    def paint(self):
        seen.append("painted")
        return painted(self)

    async def open_(self):
        seen.append("begun")

    monkeypatch.setattr(OpeningScreen, "_compositor_refresh", paint)
    monkeypatch.setattr(OpeningScreen, "_open", open_)
    app = TapeviewApp(StartPlan(addresses=("anything",)))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: "begun" in seen, pilot)
    assert seen.index("painted") < seen.index("begun")


def quiet_open():
    found = bundled.recordings()
    if not found:
        pytest.skip("no bundled recordings")
    return found[0].path


async def test_the_loop_goes_on_while_a_recording_is_opened_and_played_at_100x(monkeypatch):
    import tapeview.playback
    from tapeview.ui.screens.trade import TradeScreen

    threads, turns = {}, []

    def watched(where, name):
        call = getattr(where, name)

        def wrapper(*args, **kwargs):
            threads.setdefault(name, set()).add(threading.get_ident())
            return call(*args, **kwargs)

        wrapper.__name__ = name
        monkeypatch.setattr(where, name, wrapper)

    watched(tapeview.playback, "open_playback")
    for name in ("seek", "back", "seek_relative", "close"):
        watched(tapeview.playback.Playback, name)

    run = asyncio.events.Handle._run

    def timed(self):
        # The loop's own processor time: what a turn costs, whoever else is on this machine.
        before = time.thread_time()
        try:
            return run(self)
        finally:
            turns.append(time.thread_time() - before)

    app = TapeviewApp(StartPlan(addresses=(quiet_open(),), at="+60s", speed=100.0, settings=Config()))
    async with app.run_test(size=(200, 60)) as pilot:
        monkeypatch.setattr(asyncio.events.Handle, "_run", timed)
        await until(lambda: isinstance(app.screen, TradeScreen), pilot)
        screen = app.screen
        await until(lambda: screen.shown is not None and screen.shown.status.events > 50_000, pilot)
        await pilot.press("left", "comma", "right")
        await until(lambda: not screen._orders.busy, pilot)
        await pilot.press("q")
        await pilot.pause()
    here = threading.get_ident()
    assert set(threads) >= {"open_playback", "seek", "back", "seek_relative", "close"}
    assert not any(here in used for used in threads.values()), "a long call ran on the loop's own thread"
    late = [turn for turn in turns if turn > 0.05]
    print(
        f"loop: {len(turns)} turns, {len(late)} of more than 50 ms, the longest {max(turns) * 1e3:.0f} ms, of its own"
    )
    assert max(turns) < 0.2


async def test_giving_up_an_opening_goes_back_home_at_once(monkeypatch):
    import tapeview.playback

    gate, closed = threading.Event(), threading.Event()
    real = tapeview.playback.open_playback

    def slow(*args, **kwargs):
        gate.wait(30)
        playback = real(*args, **kwargs)
        close = playback.close
        playback.close = lambda: (close(), closed.set())
        return playback

    monkeypatch.setattr(tapeview.playback, "open_playback", slow)
    quiet_open()
    app = TapeviewApp(StartPlan(settings=Config()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, OpeningScreen), pilot)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, HomeScreen), pilot)
        gate.set()
        await until(closed.is_set, pilot)
        assert isinstance(app.screen, HomeScreen)


async def test_enter_on_home_plays_and_q_comes_back():
    from tapeview.ui.screens.trade import TradeScreen

    path = quiet_open()
    app = TapeviewApp(StartPlan(settings=Config()))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, TradeScreen), pilot)
        await until(lambda: app.screen.shown is not None and app.screen.shown.status.playing, pilot)
        await until(lambda: app.screen.playback.market_ns is not None, pilot)
        await pilot.press("q")
        await until(lambda: isinstance(app.screen, HomeScreen), pilot)
        told = bundled.last()
        assert told.address == path
        assert told.clock
        shown = [str(option.prompt) for option in app.screen.query_one("#home-list", OptionList).options]
        assert any(f"left at {told.clock}" in text for text in shown)


async def test_two_sessions_one_after_the_other_leave_no_thread_behind():
    from tapeview.ui.screens.trade import TradeScreen

    quiet_open()
    app = TapeviewApp(StartPlan(settings=Config()))
    async with app.run_test(size=(100, 30)) as pilot:
        for _ in range(2):
            await pilot.press("end", "up", "enter")
            await until(lambda: isinstance(app.screen, TradeScreen), pilot)
            await pilot.press("q")
            await until(lambda: isinstance(app.screen, HomeScreen), pilot)
        await until(lambda: not [t for t in threading.enumerate() if t.name == "index"], pilot)


def test_an_unknown_theme_is_refused_with_the_ones_there_are():
    with pytest.raises(BadInput, match="dark, light, deuter"):
        TapeviewApp(StartPlan(theme="nigth"))


def test_the_themes_are_ours_and_a_persons_own():
    app = TapeviewApp(StartPlan(theme="mine", settings=Config(themes={"mine": {"bid": "#00a0ff"}})))
    assert list(app.available_themes) == ["dark", "light", "deuter", "mine"]
    assert app.get_theme("mine").variables["bid"] == "#00a0ff"
    assert app.theme == "mine"


def test_a_wrong_colour_in_a_theme_is_refused():
    with pytest.raises(BadInput, match=r"themes\.mine\.bid"):
        TapeviewApp(StartPlan(settings=Config(themes={"mine": {"bid": "bleu-ish"}})))


def test_a_wrong_key_is_refused_naming_its_file():
    with pytest.raises(BadInput, match=r"c\.toml: keys.*'replay\.pause'\?"):
        TapeviewApp(StartPlan(settings=Config(keys={"replay.paus": "p"}), origin={"keys.replay.paus": "c.toml"}))


def test_a_source_that_cannot_be_opened_ends_with_one_line_and_2():
    with Terminal("-m", "tapeview", "replay", "simulator:seed=x") as term:
        assert term.ended() == 2
        lines = bytes(term.output).rpartition(b"\x1b[")[2].decode().splitlines()
        assert any("seed" in line for line in lines)
        assert b"Traceback" not in term.output
        assert term.restored


def test_a_file_of_no_known_format_ends_with_one_line_and_2(tmp_path):
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 64)
    with Terminal("-m", "tapeview", "replay", str(tmp_path / "noise.bin")) as term:
        assert term.ended() == 2
        assert b"noise.bin" in term.output
        assert b"Traceback" not in term.output
        assert term.restored


def test_sigterm_while_a_session_plays_ends_in_order():
    import signal

    path = quiet_open()
    with Terminal("-m", "tapeview", "replay", path, size=(120, 36)) as term:
        term.wait_for("price")
        term.signal(signal.SIGTERM)
        assert term.ended() == 143
        assert term.restored


def test_the_docs_of_keys_come_from_a_running_app():
    """What `readme_keys` lists must be reachable: every id is found in the live bindings of its screen."""
    from tapeview.ui.keys import contexts, declared

    for chains in contexts().values():
        for chain in chains:
            for owner in chain:
                live = {binding.id for binding in declared(owner)}
                merged = {b.id for bindings in owner._merged_bindings.key_to_bindings.values() for b in bindings}
                assert live <= merged


def test_quitting_during_an_opening_does_not_wait_for_it(tmp_path):
    program = (
        "import sys, threading\n"
        "import tapeview.ui.screens.opening as opening\n"
        "opening._load = lambda plan, say: threading.Event().wait()\n"
        "from tapeview.ui.app import StartPlan, run\n"
        "sys.exit(run(StartPlan(addresses=('x',))))\n"
    )
    with Terminal("-c", program) as term:
        term.wait_for("Opening")
        term.type("q")
        assert term.ended() == 0
        assert term.restored
