"""Frames a second and processor time of the full trade screen in a real terminal pane.

A child process in a tmux pane (a pseudo-terminal where tmux is absent) draws the 200x60 layout from prepared
snapshots that change 60 times a second: about 25 ladder rows and 3 prints a frame. The same widgets drawn by the
documented line API alone, every row of every frame, are the yardstick. How much longer a fixed piece of Python takes
between frames than in a row tells how far the machine's other work inflates the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from tapeview.bench import Measured
from tapeview.bench._terminal import COLOURS, run_in_pty

HZ: Final = 60
SIZE: Final = (200, 60)
WARM_S: Final = 1.5
VARIANTS: Final = ("ready", "plain")
"""Finished strings for changed rows, and the documented line API."""


def measure(*, quick: bool = False, say: Callable[[str], None] = print) -> list[Measured]:
    """Measure both variants in turns and give the medians."""
    rounds, seconds = (1, 3.0) if quick else (3, 6.0)
    where = "tmux" if shutil.which("tmux") else "pty"
    if where == "pty":
        say("tmux is not installed: measuring in a pseudo-terminal that only throws away what is drawn")
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    for index in range(rounds):
        for name in VARIANTS:
            say(f"screen, {name}, round {index + 1} of {rounds}")
            runs[name].append(run_once(name, seconds, where))
    middle = {name: {key: median(run[key] for run in found) for key in found[0]} for name, found in runs.items()}
    ready, plain = middle["ready"], middle["plain"]
    size = f"{SIZE[0]}x{SIZE[1]} {where}"
    against = "documented line API"
    return [
        Measured(f"frames a second, {size}", ready["fps"], "fps", ready["fps"] / plain["fps"], against),
        Measured(f"processor, {size}", ready["cpu"], "% of a core", plain["cpu"] / ready["cpu"], against),
        Measured("processor a frame", ready["ms"], "ms", plain["ms"] / ready["ms"], against),
        Measured("slow-down of known work between frames", ready["slowdown"], "x"),
        Measured("written a frame", ready["kb"], "KB", plain["kb"] / ready["kb"], against),
        Measured("frames a second, documented line API", plain["fps"], "fps"),
        Measured("processor, documented line API", plain["cpu"], "% of a core"),
        Measured("processor a frame, documented line API", plain["ms"], "ms"),
    ]


def run_once(variant: str, seconds: float, where: str) -> dict[str, float]:
    """Run one child in a pane of its own and return what it measured of itself."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "measured.json"
        command = [sys.executable, "-m", "tapeview.bench.screen", variant, str(seconds), str(out)]
        environment = {
            **COLOURS, "PYTHONPATH": os.pathsep.join(sys.path),
            "COLUMNS": str(SIZE[0]), "LINES": str(SIZE[1]),
        }  # fmt: skip
        limit_s = seconds + 60
        if where == "tmux":
            _in_tmux(command, environment, out, limit_s)
        else:
            run_in_pty(command, {**os.environ, **environment}, limit_s, SIZE)
        if not out.exists():
            raise RuntimeError(f"the {variant} screen ended without a measurement")
        found: dict[str, float] = json.loads(out.read_text())
        return found


def _in_tmux(command: list[str], environment: dict[str, str], out: Path, limit_s: float) -> None:
    session = f"tapeview-bench-{uuid.uuid4().hex[:8]}"
    words = ["env", "-u", "NO_COLOR", *(f"{key}={value}" for key, value in environment.items()), *command]
    width, height = map(str, SIZE)
    subprocess.run(
        ["tmux", "new-session", "-d", "-s", session, "-x", width, "-y", height, shlex.join(words)], check=True
    )
    try:
        end = time.monotonic() + limit_s
        while not out.exists() and time.monotonic() < end:
            alive = subprocess.run(["tmux", "has-session", "-t", session], capture_output=True, check=False)
            if alive.returncode:
                break
            time.sleep(0.1)
    finally:
        time.sleep(0.5)
        subprocess.run(["tmux", "kill-session", "-t", session], capture_output=True, check=False)


def _known_work_s() -> float:
    before = time.thread_time()
    kept = {}
    for number in range(1500):
        kept[number] = (number, str(number))
    return time.thread_time() - before


# -- the child ---------------------------------------------------------------------------------------
def _child(variant: str, seconds: float, out: Path) -> None:
    import gc
    import resource

    from textual.app import App, ComposeResult
    from textual.screen import Screen

    from tapeview.bench._market import frames
    from tapeview.ui.background import spare_collector
    from tapeview.ui.themes import DARK
    from tapeview.ui.widgets._paint import Painter
    from tapeview.ui.widgets._panel import Beside, Panel, Stacked
    from tapeview.ui.widgets.ladder import Ladder
    from tapeview.ui.widgets.meters import Meters
    from tapeview.ui.widgets.status import KeysLine, TruthLine
    from tapeview.ui.widgets.tape import Tape
    from tapeview.ui.widgets.timeline import Timeline
    from tapeview.ui.widgets.vwap import Chart

    Panel.READY_MADE = variant == "ready"
    snapshots = frames(240)
    undisturbed = min(_known_work_s() for _ in range(200))

    class Trade(Screen[None]):
        BLANK = True

        def compose(self) -> ComposeResult:
            yield TruthLine()
            yield Timeline()
            with Beside():
                yield Ladder()
                yield Tape(ruled=True)
                with Stacked():
                    yield Chart(ruled=True)
                    yield Meters(ruled=True)
            yield KeysLine()

    class Bench(App[None]):
        CSS = """
        Screen { background: $background; layout: vertical; }
        Ladder { width: 86; } Tape { width: 52; } Meters { height: 10; }
        """

        def __init__(self) -> None:
            super().__init__()
            self.paints = self.bytes = self.number = 0
            self.begun: tuple[float, float, int, int] | None = None
            self.known: list[float] = []
            self.panels: list[Panel] = []

        def get_default_screen(self) -> Screen[None]:
            return Trade()

        def on_mount(self) -> None:
            self.register_theme(DARK)
            self.theme = "dark"
            self.set_timer(0.5, self.begin)

        def begin(self) -> None:
            self.panels = list(self.screen.query(Panel))
            self.painter = Painter(self.screen)
            self.screen.query_one(KeysLine).set_hints((("space", "centre"), ("p", "pause"), ("?", "help")))
            driver = self._driver
            assert driver is not None
            write = driver.write

            def counted(data: str) -> None:
                self.bytes += len(data.encode())
                write(data)

            driver.write = counted  # type: ignore[method-assign]
            gc.collect()
            spare_collector()
            self.set_interval(1 / HZ, self.frame)
            self.set_timer(WARM_S, self.start)
            self.set_timer(WARM_S + seconds, self.finish)

        def frame(self) -> None:
            snapshot = snapshots[self.number % len(snapshots)]
            self.number += 1
            self.painter.show(self.panels, snapshot)
            if self.begun is not None and self.number % 6 == 0:
                self.known.append(_known_work_s())

        def _display(self, screen: Any, renderable: Any) -> None:
            self.paints += renderable is not None
            super()._display(screen, renderable)

        def start(self) -> None:
            self.begun = (time.monotonic(), _cpu_s(), self.paints, self.bytes)

        def finish(self) -> None:
            assert self.begun is not None
            wall, cpu, paints, size = self.begun
            elapsed, busy = time.monotonic() - wall, _cpu_s() - cpu - sum(self.known)
            shown = max(1, self.paints - paints)
            found = {
                "fps": shown / elapsed,
                "cpu": 100 * busy / elapsed,
                "ms": 1000 * busy / shown,
                "kb": (self.bytes - size) / shown / 1024,
                "slowdown": median(self.known) / undisturbed if self.known else 1.0,
            }
            if self.size != SIZE:
                raise RuntimeError(f"the pane is {self.size.width}x{self.size.height}")
            errors = [str(panel.error) for panel in self.panels if panel.error is not None]
            if errors:
                raise RuntimeError(errors[0])
            partial = out.with_suffix(".part")
            partial.write_text(json.dumps(found))
            partial.rename(out)
            self.exit()

    def _cpu_s() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    Bench().run()


def main() -> None:
    """Be the child: draw for some seconds and write the measurement to a file."""
    parser = argparse.ArgumentParser(prog="python -m tapeview.bench.screen")
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("seconds", type=float)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    _child(args.variant, args.seconds, args.out)


if __name__ == "__main__":
    main()
