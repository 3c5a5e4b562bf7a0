"""From a key to its record on disk: the real program in a pseudo-terminal, keys written to it, its journal watched.

A child plays a bundled recording on the trade screen, and writes down when the disk had what each command came to.
Both processes go by the same monotonic clock; a key's time is taken just before it is written to the terminal. Keys
that are commands and change nothing (cancel all, hold the stop, close nothing) follow each other in turn.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from tapeview import bundled
from tapeview.bench import Measured
from tapeview.bench._terminal import run_in_pty

SIZE: Final = (120, 36)
RECORDING: Final = "quiet-open"
KEYS: Final = (("X", "CancelAll"), ("t", "Trail"), ("f", "Flatten"))
"""Keys and the commands they are, in the order they are pressed."""
_ARM: Final = b"a"
_ARM_S: Final = 1.5
"""Time between two tries to arm: the first one that is heard begins the run."""
_READY_S: Final = 90.0
_END_S: Final = 2.0
_LEAVE: Final = b"\x11"
"""Ctrl+Q."""


class Pressed(NamedTuple):
    """What came of some keys."""

    sent: list[str]
    """The commands that the keys are, in order."""
    recorded: list[str]
    """Those in the journal, in order."""
    latency_ns: list[int]
    """From each key to the disk's word for its record."""


class _Entry(msgspec.Struct, array_like=True):
    name: str
    """Of a command, or '' for what the disk has acknowledged."""
    count: int
    """Records handed over with it and before, or acknowledged."""
    at_ns: int


def measure(*, quick: bool = False, say: Callable[[str], None] = print) -> list[Measured]:
    """Measure at a person's pace and at 100 keys a second."""
    out = []
    for rate, seconds in ((5, 4.0 if quick else 20.0), (100, 3.0 if quick else 10.0)):
        say(f"keys, {rate} a second for {seconds:g} s")
        found = press(rate, seconds)
        exact = sum(a == b for a, b in zip(found.sent, found.recorded, strict=False))
        what = f"{rate} keys a second"
        out += [
            Measured(f"{what}: p50 of key to disk", _at(found.latency_ns, 0.50), "ms"),
            Measured(f"{what}: p99", _at(found.latency_ns, 0.99), "ms", 20 / max(1e-9, _at(found.latency_ns, 0.99)),
                     "20 ms"),
            Measured(f"{what}: commands recorded", len(found.recorded), "commands", exact / len(found.sent),
                     f"{len(found.sent)} keys, in their order"),
        ]  # fmt: skip
    return out


def _at(values: Sequence[int], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e6 if ordered else float("nan")


def press(rate: int, seconds: float) -> Pressed:
    """Press keys at a rate for some seconds in a program of its own; raise RuntimeError where it does not come up."""
    with tempfile.TemporaryDirectory() as folder:
        heard, journal = Path(folder) / "heard", Path(folder) / "journal.sqlite"
        at_ns: list[int] = []
        count = int(rate * seconds)

        def type_keys(terminal: int) -> None:
            _arm(terminal, heard)
            begin = time.monotonic()
            for n in range(count):
                time.sleep(max(0.0, begin + n / rate - time.monotonic()))
                at_ns.append(time.monotonic_ns())
                os.write(terminal, KEYS[n % len(KEYS)][0].encode())
            time.sleep(_END_S)
            os.write(terminal, _LEAVE)

        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder,
            "TAPEVIEW_CONFIG": str(Path(folder) / "none.toml"), "HOME": folder, "COLUMNS": str(SIZE[0]),
            "LINES": str(SIZE[1]),
        }  # fmt: skip
        if "TAPEVIEW_CACHE" not in environment:
            import platformdirs

            environment["TAPEVIEW_CACHE"] = platformdirs.user_cache_dir("tapeview")
        command = [sys.executable, "-m", "tapeview.bench.keys", str(journal), str(heard)]
        run_in_pty(command, environment, _READY_S + seconds + 30, SIZE, typing=type_keys)
        return _read(heard, at_ns)


def _arm(terminal: int, heard: Path) -> None:
    end = time.monotonic() + _READY_S
    while time.monotonic() < end:
        os.write(terminal, _ARM)
        time.sleep(_ARM_S)
        if any(entry.name == "Arm" for entry in _entries(heard)):
            return
    os.write(terminal, _LEAVE)


def _entries(heard: Path) -> list[_Entry]:
    try:
        lines = heard.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=_Entry) for line in lines]


def _read(heard: Path, at_ns: list[int]) -> Pressed:
    entries = _entries(heard)
    armed = next((n for n, entry in enumerate(entries) if entry.name == "Arm"), None)
    if armed is None:
        raise RuntimeError("the program was not armed in time")
    acknowledged = [entry for entry in entries if not entry.name]
    commands = [entry for entry in entries[armed + 1 :] if entry.name not in ("", "Disarm")]
    latency = []
    for pressed, command in zip(at_ns, commands, strict=False):
        known = next((entry.at_ns for entry in acknowledged if entry.count >= command.count), None)
        if known is not None:
            latency.append(known - pressed)
    sent = [KEYS[n % len(KEYS)][1] for n in range(len(at_ns))]
    return Pressed(sent, [entry.name for entry in commands], latency)


# -- the child ---------------------------------------------------------------------------------------
def _child(journal: Path, heard: Path) -> int:
    from tapeview.backoffice import BackOffice
    from tapeview.config import Config
    from tapeview.desk.records import AnyRecord, Commanded
    from tapeview.trading import Plan
    from tapeview.ui.app import StartPlan, run

    with heard.open("ab", buffering=0) as out:
        lock = threading.Lock()

        def write(name: str, count: int) -> None:
            with lock:
                out.write(msgspec.json.encode(_Entry(name, count, time.monotonic_ns())) + b"\n")

        class Watched(BackOffice):
            watching = False

            def post(self, run: int, records: Sequence[AnyRecord]) -> None:
                book = self.open()
                if not self.watching:
                    self.watching = True
                    threading.Thread(target=watch, args=(book,), daemon=True).start()
                count = book.post(run, records)
                for record in records:
                    if isinstance(record, Commanded):
                        write(type(record.command).__name__, count)

        def watch(book: Any) -> None:
            seen = 0
            while True:
                now = book.news(seen, 1.0)
                if now > seen:
                    write("", now)
                seen = now

        found = next((one for one in bundled.recordings() if one.name == RECORDING), None)
        if found is None:
            raise BadInput("recording", RECORDING, "one of the bundled recordings")
        settings = Config()
        return run(StartPlan((found.path,), at="+60s", settings=settings, desk=Plan(Watched(settings, journal))))


def main() -> int:
    """Be the child: play a recording until it is left, and write down what was commanded and when the disk had it."""
    parser = argparse.ArgumentParser(prog="python -m tapeview.bench.keys")
    parser.add_argument("journal", type=Path)
    parser.add_argument("heard", type=Path)
    args = parser.parse_args()
    return _child(args.journal, args.heard)


if __name__ == "__main__":
    sys.exit(main())
