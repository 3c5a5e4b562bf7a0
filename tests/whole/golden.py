"""The bundled recordings' alert logs: what every detector tells of each, line by line as `tapeview scan --json` does.

`python -m tests.whole.golden` writes them anew after a detector or a threshold was changed, says how many lines are
others than before, and whether each story still tells what it is named after. With `--recordings` the stories
themselves are simulated again first, each by the command in its manifest, as is needed after a change of the simulator.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from feeds.recording.manifest import read_manifest
from feeds.simulator.recorder import PLANTING, TRUTH

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "recordings"
LOGS = Path(__file__).parent / "golden"
GRACE_NS = 5_000_000_000
"""How long after a label's end its alert may still come."""


class Story(NamedTuple):
    """What a recording is named after."""

    detector: str
    label: str
    slack: int | None
    """Ticks the alert may lie from its label; None where the label is of no price."""


STORIES = {
    "iceberg-defence": Story("iceberg", "iceberg", 0),
    "squeeze": Story("squeeze", "squeeze", None),
    "ignition": Story("ignition", "ignition", 2),
    "vwap-revert": Story("vwap_setup", "vwap", None),
    "pulled": Story("pulled", "pulled", 10),
}


def names() -> list[str]:
    """Every bundled recording."""
    return sorted(path.name for path in RECORDINGS.iterdir() if (path / "manifest.json").is_file())


def alerts_of(folder: Path) -> list[dict[str, Any]]:
    """Scan a recording with every detector's defaults."""
    import tapeview.watch  # noqa: F401  (their kernels are compiled with the engine's)
    from tapeview.detectors import load
    from tapeview.engine import EngineSettings
    from tapeview.scan import Job, scan_one

    thresholds = {name: msgspec.to_builtins(detector.thresholds()) for name, detector in load().items()}
    job = Job(number=0, address=str(folder), options=None, settings=EngineSettings(), thresholds=(thresholds,))
    return scan_one(job).alerts


def lines_of(alerts: list[dict[str, Any]]) -> list[str]:
    """Alerts as lines of JSON."""
    encode = msgspec.json.Encoder().encode
    return [encode(alert).decode() for alert in alerts]


def golden(name: str) -> list[str]:
    """The lines kept for a recording; none where there is no log."""
    path = LOGS / f"{name}.jsonl"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def differences(kept: list[str], now: list[str]) -> list[str]:
    """What differs between two logs, one line a difference: line numbers, time, detector, and the fields at fault."""
    out = []
    heads = [_head(line) for line in kept], [_head(line) for line in now]
    for what, a, b, c, d in difflib.SequenceMatcher(None, *heads, autojunk=False).get_opcodes():
        if what == "equal":
            out += [
                _fields(n, kept[n], now[m]) for n, m in zip(range(a, b), range(c, d), strict=True) if kept[n] != now[m]
            ]
            continue
        out += [f"line {n + 1} is gone: {_told(kept[n])}" for n in range(a, b)]
        out += [f"line {n + 1} is new: {_told(now[n])}" for n in range(c, d)]
    return out


def labels(name: str) -> list[dict[str, Any]]:
    """The rows of a story's truth that it is named after."""
    truth = pl.read_parquet(RECORDINGS / name / TRUTH)
    return list(truth.filter(pl.col("type") == STORIES[name].label).iter_rows(named=True))


def at_label(name: str, alerts: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(label, alert) for every alert of the story's detector that reached the screen, at its side, price and time."""
    story = STORIES[name]
    prices = read_manifest(RECORDINGS / name).instruments[0].price
    out = []
    for label in labels(name):
        for alert in alerts:
            if alert["detector"] != story.detector or alert["phase"] != "confirmed" or alert["held"]:
                continue
            side = {"bid": 1, "ask": -1}.get(alert["side"], 0)
            near = story.slack is None or abs(prices.exact(alert["price"]) - label["tick"]) <= story.slack
            if near and side == label["side"] and label["t0_ns"] <= alert["recv_ns"] <= label["t1_ns"] + GRACE_NS:
                out.append((label, alert))
    return out


def _head(line: str) -> tuple[Any, ...]:
    alert = msgspec.json.decode(line)
    return alert["seq"], alert["detector"], alert["method"], alert["key"], alert["phase"]


def _told(line: str) -> str:
    alert = msgspec.json.decode(line)
    return f"seq {alert['seq']} {alert['detector']} {alert['phase']}: {alert['text']}"


def _fields(number: int, kept: str, now: str) -> str:
    old, new = msgspec.json.decode(kept), msgspec.json.decode(now)
    said = [f"{key} {old.get(key)!r} -> {new.get(key)!r}" for key in {**old, **new} if old.get(key) != new.get(key)]
    return f"line {number + 1} is another: seq {new['seq']} {new['detector']} {new['phase']}: " + "; ".join(said)


# -- the command ----------------------------------------------------------------------------------


def main(words: list[str] | None = None) -> int:
    """Write the logs anew; 1 where a story no longer tells what it is named after."""
    parser = argparse.ArgumentParser(prog="python -m tests.whole.golden", description="Write the golden logs anew.")
    parser.add_argument("name", nargs="*", help="only these recordings; all where none are named")
    parser.add_argument("--recordings", action="store_true", help="simulate the stories again first")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where something differs")
    said = parser.parse_args(words)
    unknown = set(said.name) - set(names())
    if unknown:
        parser.error(f"no bundled recording: {', '.join(sorted(unknown))}")
    code = 0
    LOGS.mkdir(exist_ok=True)
    for name in said.name or names():
        if said.recordings and not said.check and name in STORIES:
            _simulate(name)
        alerts = alerts_of(RECORDINGS / name)
        now = lines_of(alerts)
        other = differences(golden(name), now)
        if said.check:
            code |= bool(other)
        else:
            (LOGS / f"{name}.jsonl").write_text("".join(line + "\n" for line in now), encoding="utf-8")
        print(f"{name}: {len(now)} lines, {len(other)} differ from before")
        for line in other if said.check else ():
            print(f"  {line}")
        if name in STORIES and not at_label(name, alerts):
            print(f"  LOST: {STORIES[name].detector} does not reach the screen at the label it is named after")
            code = 1
    return code


def _simulate(name: str) -> None:
    from tapeview.cli import main as tapeview

    origin = read_manifest(RECORDINGS / name).origin
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        if tapeview(["simulate", *shlex.split(origin.removeprefix(PLANTING))]) != 0:
            raise SystemExit(f"{origin}: failed")
        shutil.rmtree(RECORDINGS / name)
        shutil.copytree(Path(place) / "recordings" / name, RECORDINGS / name)


if __name__ == "__main__":
    sys.exit(main())
