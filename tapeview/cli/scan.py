"""`tapeview scan SOURCE…`: detectors over recordings, no screen."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from feeds.errors import BadInput
from tapeview.cli import _common as common

_FORMATS: Final = (".parquet", ".jsonl", ".csv")
_COLUMNS: Final = (
    "detector", "method", "instrument", "seq", "exch_ns", "recv_ns", "phase", "reason", "key", "side", "price",
    "price_to", "size", "grade", "score", "confidence", "tier", "held", "text", "evidence",
)  # fmt: skip
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)/h\Z")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_source(parser, many=True)
    parser.add_argument("--detectors", metavar="A,B", help="only these; all where none are named")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the alerts there: .parquet, .jsonl or .csv")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; 0 for one a core")
    parser.add_argument("--cluster", metavar="ADDRESS", help="run on this Dask scheduler; 'local' starts one")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished scan into the same FILE")
    parser.add_argument("--rate", metavar="N/h", help="try thresholds and print those that fire this often")
    parser.add_argument("--markouts", action="store_true", help="how the mid moved after alerts, beside a control")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Scan, and print or write what was found."""
    from tapeview import scan

    rate = _rate(args.rate)
    output = _output(args)
    if args.jobs < 0:
        raise BadInput("--jobs", args.jobs, "0 or more")
    loaded = common.settings(args)
    base, plan, knobs = _plan(args, loaded, with_rates=rate is not None)
    sets = (base, *(one for _, _, one in plan))
    opened = common.options(args)
    for address in args.source:
        if address.startswith("live:"):
            raise BadInput("source", address, "a recording or a file; record it first")
    jobs = [
        scan.Job(
            number=number, address=address, options=opened, settings=loaded.config.engine, thresholds=sets,
            markouts=args.markouts,
        )
        for number, address in enumerate(args.source)
    ]  # fmt: skip
    common.compile_watch()
    folder = None if output is None else output.with_name(output.name + ".unfinished")
    if folder is not None and not args.resume and folder.exists():
        raise BadInput("-o", str(output), f"--resume, since {folder} holds an unfinished scan (or remove it)")
    line = _Line(len(jobs))
    results = []
    began = time.monotonic()
    try:
        for result in scan.scan(
            jobs, workers=args.jobs or os.cpu_count() or 1, cluster=args.cluster, folder=folder, told=line.told
        ):
            results.append(result)
            line.ended(result)
    finally:
        line.close()
    results.sort(key=lambda result: result.number)
    seconds = time.monotonic() - began
    alerts = [alert for result in results for alert in result.alerts]
    if output is not None:
        _write(output, alerts)
        if folder is not None and folder.is_dir():
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
    rates = scan.rate_table(results, [(name, value) for name, value, _ in plan], knobs) if plan else []
    markouts = scan.markout_table(results) if args.markouts else []
    if args.json:
        for alert in alerts if output is None else ():
            common.emit(alert)
        for row in (*rates, *markouts):
            common.emit(row)
    else:
        _report(results, seconds, base)
        _report_rates(rates, scan.solved(rates, rate) if rate is not None else {}, rate)
        _report_markouts(markouts)
    for result in results:
        for problem in result.problems[:3]:
            common.say(f"{result.address}: {problem}")
    return 0


def _rate(text: str | None) -> float | None:
    if text is None:
        return None
    match = _RATE.match(text)
    if not match:
        raise BadInput("--rate", text, "alerts an hour, such as 4/h")
    return float(match[1])


def _output(args: argparse.Namespace) -> Path | None:
    if args.output is None:
        if args.resume:
            raise BadInput("--resume", None, "-o FILE: what is finished is kept beside it")
        return None
    path = Path(args.output)
    if path.suffix not in _FORMATS:
        raise BadInput("-o", args.output, f"a name that ends in one of {', '.join(_FORMATS)}")
    if not path.parent.is_dir():
        raise BadInput("-o", args.output, f"an existing folder ({path.parent} is none)")
    return path


_Set = dict[str, dict[str, int | float]]


def _plan(
    args: argparse.Namespace, loaded: Any, *, with_rates: bool
) -> tuple[_Set, list[tuple[str, float, _Set]], dict[str, str]]:
    """The thresholds of the scan proper, and (detector, value, thresholds) of everything else to be tried."""
    from tapeview import config, scan
    from tapeview.detectors import load

    known = load()
    everything = config.thresholds(loaded)
    wanted = list(everything)
    if args.detectors is not None:
        wanted = [name.strip() for name in args.detectors.split(",") if name.strip()]
        for name in wanted:
            if name not in known:
                import difflib

                near = difflib.get_close_matches(name, known, 1)
                raise BadInput("--detectors", name, f"{near[0]!r}?" if near else "some of " + ", ".join(known))
    picked = {other for name in wanted for other in (name, *known[name].after)}
    base = {
        name: msgspec.to_builtins(everything.get(name) or known[name].thresholds()) for name in known if name in picked
    }
    plan: list[tuple[str, float, _Set]] = []
    knobs = {name: known[name].knob for name in wanted if known[name].knob}
    if with_rates:
        for name, knob in knobs.items():
            schema = msgspec.json.schema(known[name].thresholds)["$defs"][known[name].thresholds.__name__]
            about = schema["properties"][knob]
            whole = about["type"] == "integer"
            now = base[name][knob]
            for value in scan.settings_of(now, about["minimum"], about["maximum"], whole=whole):
                tried = dict(base[name]) | {knob: int(value) if whole else value}
                needed = {other: base[other] for other in known[name].after}
                plan.append((name, value, needed | {name: tried}))
    return base, plan, knobs


def _write(output: Path, alerts: list[dict[str, Any]]) -> None:
    fresh = output.with_name(output.name + ".tmp")
    if output.suffix == ".jsonl":
        fresh.write_bytes(b"".join(msgspec.json.encode(alert) + b"\n" for alert in alerts))
    else:
        import polars as pl

        schema: dict[str, Any] = dict.fromkeys(_COLUMNS, pl.String)
        schema |= dict.fromkeys(("seq", "exch_ns", "recv_ns", "key", "grade"), pl.Int64)
        schema |= {"score": pl.Float64, "confidence": pl.Float64, "held": pl.Boolean}
        rows = [{**alert, "evidence": msgspec.json.encode(alert["evidence"]).decode()} for alert in alerts]
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        if output.suffix == ".parquet":
            frame.write_parquet(fresh)
        else:
            frame.write_csv(fresh)
    fresh.replace(output)


def _report(results: list[Any], seconds: float, base: _Set) -> None:
    events = sum(result.events for result in results)
    hours = sum(result.hours for result in results)
    rows = []
    for name in base:
        mine = [alert for result in results for alert in result.alerts if alert["detector"] == name]
        for method in sorted({alert["method"] for alert in mine}) or ["–"]:
            some = [alert for alert in mine if alert["method"] == method]
            confirmed = [alert for alert in some if alert["phase"] == "confirmed"]
            an_hour = f"{len(confirmed) / hours:.1f}" if hours else "–"
            cleared: dict[str, int] = {}
            for alert in some:
                if alert["phase"] == "cleared":
                    cleared[alert["reason"]] = cleared.get(alert["reason"], 0) + 1
            said = ", ".join(f"{reason} {n}" for reason, n in sorted(cleared.items()))
            held = sum(alert["held"] for alert in confirmed)
            rows.append((name, method, len(confirmed), an_hour, held, said))
    common.table(
        ["detector", "method", "alerts", "an hour", "held back", "cleared"], rows, right={2: True, 3: True, 4: True}
    )
    speed = f", {events / seconds / 1e6:.1f} M events/s" if seconds > 0 else ""
    sys.stdout.write(f"{len(results)} source(s), {hours:.2f} hours, {events:,} events in {seconds:.1f} s{speed}\n")


def _report_rates(rates: list[dict[str, Any]], best: dict[str, float | None], wanted: float | None) -> None:
    if not rates:
        return
    sys.stdout.write("\n")
    rows = [
        (
            row["detector"], row["threshold"], f"{row['value']:g}", row["fires"], f"{row['per_hour']:.2f}",
            "<" if best.get(row["detector"]) == row["value"] else "",
        )
        for row in rates
    ]  # fmt: skip
    common.table(["detector", "threshold", "value", "alerts", "an hour", ""], rows, right={2: True, 3: True, 4: True})
    for name, value in best.items():
        knob = next(row["threshold"] for row in rates if row["detector"] == name)
        said = f"--set {name}.{knob}={value:g}" if value is not None else "none of these is rare enough"
        sys.stdout.write(f"{name}: at most {wanted:g}/h with {said}\n")


def _report_markouts(markouts: list[dict[str, Any]]) -> None:
    if not markouts:
        return
    sys.stdout.write(
        "\nticks of the mid towards the alert's side; control: the same side at other times within 15 min\n"
    )
    rows = []
    for row in markouts:
        known = "moved" in row
        span = f"{row['low']:+.2f} to {row['high']:+.2f}" if known and row["low"] is not None else "–"
        shown = [f"{row[key]:+.2f}" if known else "–" for key in ("moved", "control", "more")]
        rows.append((row["detector"], row["method"], f"+{row['seconds']} s", row["alerts"], *shown, span))
    header = ["detector", "method", "after", "alerts", "moved", "control", "difference", "95 %"]
    common.table(header, rows, right={2: True, 3: True, 4: True, 5: True, 6: True, 7: True})


class _Line:
    """One line on stderr that tells how far all jobs are; silent unless stderr is a terminal."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._on = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._state: dict[int, tuple[int, int, int, int]] = {}
        self._ended = 0
        self._shown = False

    def told(self, job: int, done: int, whole: int, events: int, alerts: int) -> None:
        self._state[job] = (done, whole, events, alerts)
        if not self._on:
            return
        events, alerts = (sum(state[n] for state in self._state.values()) for n in (2, 3))
        now = [100 * done / whole for n, (done, whole, _, _) in self._state.items() if whole]
        share = f" · {sum(now) / self._jobs:3.0f} %" if now else ""
        print(
            f"\r{self._ended} of {self._jobs} done{share} · {events:,} events · {alerts:,} alerts ",
            end="", file=sys.stderr, flush=True,
        )  # fmt: skip
        self._shown = True

    def ended(self, result: Any) -> None:
        self._ended += 1
        self._state[result.number] = (1, 1, result.events, len(result.alerts))

    def close(self) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
