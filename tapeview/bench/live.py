"""From the wire to the book and to the screen: how late, how much at once, and how memory does over time.

A venue on loopback in a process of its own tells a live screen of the whole program, in a pseudo-terminal, as much as
it is asked to. When a message left, when the engine had it and when a picture with it was written are times of one
clock (CLOCK_MONOTONIC), so a difference needs no clocks to agree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from tapeview.bench import Measured
from tapeview.bench._live_venue import SYMBOL
from tapeview.bench._terminal import run_in_pty

SIZE: Final = (120, 36)
SOAK_RATE: Final = 5000
_KEPT: Final = 1000
_WARM_S: Final = 1.0
"""The first of each run, which is left out of latencies."""
_MIB: Final = 1 << 20


def measure(*, quick: bool = False, say: Callable[[str], None] = print) -> list[Measured]:
    """Measure lateness at 1,000 messages a second, then 5,000 and 50,000 a second."""
    rows: list[Measured] = []
    for rate, seconds in (
        (1000, 4.0 if quick else 10.0),
        (5000, 5.0 if quick else 30.0),
        (50_000, 3.0 if quick else 10.0),
    ):
        say(f"{rate:,} messages a second for {seconds:g} s")
        told = run_once(rate, seconds)
        name = f"{rate:,}/s"
        if rate == 1000:
            against = "lateness of a sleeping thread"
            rows += [
                Measured(f"{what}, {rank}, {name}", told[key][at], "ms", told[key][at] / told["sleep_ms"][at], against)
                for what, key in (("wire to book", "book_ms"), ("wire to painted", "paint_ms"))
                for at, rank in enumerate(("median", "p99"))
            ]
            rows += [
                Measured(f"{against}, {rank}, {name}", told["sleep_ms"][at], "ms")
                for at, rank in enumerate(("median", "p99"))
            ]
        rows += [
            Measured(f"messages told, {name}", told["messages"], ""),
            Measured(f"messages in the book at the end, {name}", told["applied"], ""),
            Measured(f"book exact at the end, {name}", float(told["exact"]), "1 is yes"),
            Measured(f"applied a second while told, {name}", told["applied_per_s"], "messages/s"),
            Measured(f"greatest lag shown, {name}", told["lag_ms"], "ms"),
            Measured(f"pictures a second, {name}", told["fps"], "fps"),
            Measured(f"longest time without a picture, {name}", told["longest_ms"], "ms"),
            Measured(f"processor, {name}", told["cpu"], "% of a core"),
        ]
    return rows


def soak(minutes: float, *, rate: int = SOAK_RATE, say: Callable[[str], None] = print) -> list[Measured]:
    """Run for so long and fit a line through the resident memory of the second half."""
    say(f"{rate:,} messages a second for {minutes:g} minutes")
    told = run_once(rate, minutes * 60, keep=_KEPT)
    rss, at_s = np.array(told["rss_mib"]), np.array(told["rss_s"])
    half = at_s >= at_s[-1] / 2
    slope = float(np.polyfit(at_s[half], rss[half], 1)[0]) * 3600
    return [
        Measured("memory slope, second half", slope, "MiB/h"),
        Measured("resident memory at the end", float(rss[-1]), "MiB"),
        Measured("greatest resident memory", float(rss.max()), "MiB"),
        Measured("threads at the end", told["threads"], ""),
        Measured("files open at the end", told["files"], ""),
        Measured("messages told", told["messages"], ""),
        Measured("messages in the book at the end", told["applied"], ""),
        Measured("book exact at the end", float(told["exact"]), "1 is yes"),
        Measured("pictures a second", told["fps"], "fps"),
        Measured("greatest lag shown", told["lag_ms"], "ms"),
        Measured("processor", told["cpu"], "% of a core"),
    ]


def run_once(rate: int, seconds: float, *, keep: int | None = None) -> dict[str, Any]:
    """One venue, one screen; what both measured, put together.

    `keep` bounds how many moments are kept, so that the measurement itself takes no more memory as time goes on.
    """
    with tempfile.TemporaryDirectory() as folder:
        sent_file, seen_file = Path(folder) / "sent.json", Path(folder) / "seen.json"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        words = [sys.executable, "-m", "tapeview.bench._live_venue", str(rate), str(seconds), str(sent_file)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True) as venue:
            sleeper = _Sleeper()
            try:
                assert venue.stdout is not None
                port = venue.stdout.readline().strip()
                screen = [sys.executable, "-m", "tapeview.bench.live", port, str(sent_file), str(seen_file)]
                screen += [] if keep is None else ["--keep", str(keep)]
                run_in_pty(screen, environment, seconds * 6 + 120, SIZE)
            finally:
                sleeper.stop()
                venue.kill()
        if not seen_file.exists() or not sent_file.exists():
            raise RuntimeError("the screen ended without a measurement")
        told = _joined(json.loads(sent_file.read_text()), json.loads(seen_file.read_text()))
        return told | {"sleep_ms": sleeper.late_ms()}


class _Sleeper:
    """A thread that does nothing but sleep a millisecond: how late it wakes is the machine's doing."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            before = time.monotonic()
            time.sleep(0.001)
            self._late.append((time.monotonic() - before - 0.001) * 1000)

    def stop(self) -> None:
        """No more."""
        self._over.set()
        self._thread.join()

    def late_ms(self) -> tuple[float, float]:
        """Median and 99th percentile."""
        return float(np.percentile(self._late, 50)), float(np.percentile(self._late, 99))


def _joined(sent: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    left = np.array(sent["sent_ns"], np.int64)
    first = left[2] if len(left) > 2 else 0
    warm = np.flatnonzero(left >= first + int(_WARM_S * 1e9))
    told: dict[str, Any] = {"messages": sent["messages"], "exact": sent["books"] == seen["books"]}
    for name in ("book", "paint"):
        at, seq = np.array(seen[f"{name}_ns"], np.int64), np.array(seen[f"{name}_seq"], np.int64)
        # A message is there from the first moment at which the newest number is its own or a later one.
        place = np.searchsorted(seq, warm, side="left")
        known = warm[place < len(seq)]
        late = (at[place[place < len(seq)]] - left[known]) / 1e6
        told[f"{name}_ms"] = [float(v) for v in np.percentile(late, (50, 99))] if len(late) else [float("nan")] * 2
    paints = np.array(seen["paint_ns"], np.int64)
    during = paints[(paints >= first) & (paints <= left[-1])]
    spent = max(1e-9, (left[-1] - first) / 1e9)
    numbers, at = np.array(seen["book_seq"], np.int64), np.array(seen["book_ns"], np.int64)
    reached = numbers[at <= left[-1]]
    share = sent["messages"] / max(1, sent["seq"] - 1)
    told["fps"] = (len(during) - 1) * 1e9 / (during[-1] - during[0]) if len(during) > 1 else 0.0
    told["longest_ms"] = float(np.diff(during).max() / 1e6) if len(during) > 1 else float("nan")
    told["applied_per_s"] = (int(reached[-1]) if len(reached) else 0) * share / spent
    return told | {k: seen[k] for k in ("applied", "lag_ms", "cpu", "rss_mib", "rss_s", "threads", "files")}


# -- the child ---------------------------------------------------------------------------------------
def _child(port: str, sent_file: Path, seen_file: Path, keep: int | None) -> None:
    import sys as system

    import tapeview.watch  # noqa: F401  (detectors' kernels are loaded with the engine's)
    from tapeview.config import Config
    from tapeview.engine import warm
    from tapeview.live import Options, open_market
    from tapeview.ui.app import StartPlan, TapeviewApp
    from tapeview.ui.screens.live import LiveScreen

    warm()
    system.setswitchinterval(0.001)
    at = f"127.0.0.1:{port}"
    market = open_market([f"live:okx:{SYMBOL}"], Options(f"ws://{at}", f"http://{at}"))
    (connected,) = market.lanes
    assert connected is not None
    lane = connected
    book: tuple[deque[int], deque[int]] = (deque(maxlen=keep), deque(maxlen=keep))
    paint: tuple[deque[int], deque[int]] = (deque(maxlen=keep), deque(maxlen=keep))
    memory: tuple[list[float], list[float]] = ([], [])
    lags = [0]
    began = time.monotonic()

    def applied(_: Any) -> None:
        book[0].append(time.monotonic_ns())
        book[1].append(lane.session.engines[0].venue_seq)

    lane.applied = applied

    class Screen(LiveScreen):
        def frame(self, *, anyway: bool = False) -> None:
            seq = lane.session.engines[0].venue_seq
            drawn = self.shown
            super().frame(anyway=anyway)
            if self.shown is not drawn:
                paint[0].append(time.monotonic_ns())
                paint[1].append(seq)
                if self.shown is not None and self.shown.status.link is not None:
                    lags[0] = max(lags[0], self.shown.status.link.lag_ns)

    class Bench(TapeviewApp):
        def on_mount(self) -> None:
            self.push_screen(Screen(market))
            self.set_interval(1.0, self.look)

        def look(self) -> None:
            memory[0].append(time.monotonic() - began)
            memory[1].append(_resident_mib())
            if sent_file.exists() and lane.session.engines[0].venue_seq >= _last_seq(sent_file):
                self.finish()

        def finish(self) -> None:
            engine = lane.session.engines[0]
            spent, used = time.monotonic() - began, time.process_time()
            share = _share(sent_file)
            seen = {
                "book_ns": list(book[0]), "book_seq": list(book[1]),
                "paint_ns": list(paint[0]), "paint_seq": list(paint[1]),
                "rss_s": memory[0], "rss_mib": memory[1], "lag_ms": lags[0] / 1e6,
                "cpu": 100 * used / spent, "threads": threading.active_count(),
                "files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
                "applied": round((engine.venue_seq - 1) * share),
                "books": {
                    side: {str(int(row["tick"])): int(row["lots"]) for row in levels}
                    for side, levels in (("bids", engine.book.bids()), ("asks", engine.book.asks()))
                },
            }  # fmt: skip
            seen_file.write_text(json.dumps(seen))
            self.exit()

    Bench(StartPlan(settings=Config())).run()


def _last_seq(sent_file: Path) -> int:
    return int(json.loads(sent_file.read_text())["seq"])


def _share(sent_file: Path) -> float:
    told = json.loads(sent_file.read_text())
    return float(told["messages"]) / max(1, told["seq"] - 1)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


def main() -> None:
    """Be the child: a live screen until everything the venue told is in the book."""
    parser = argparse.ArgumentParser(prog="python -m tapeview.bench.live")
    parser.add_argument("port")
    parser.add_argument("sent", type=Path)
    parser.add_argument("seen", type=Path)
    parser.add_argument("--keep", type=int)
    args = parser.parse_args()
    _child(args.port, args.sent, args.seen, args.keep)


if __name__ == "__main__":
    main()
