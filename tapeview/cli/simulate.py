"""`tapeview simulate`: a simulated session with planted events, written as a recording with its truth."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from feeds.errors import BadInput
from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, help="the recording's folder; must not exist yet")
    parser.add_argument("--seed", default="1", metavar="N", help="the same seed gives the same bytes (1)")
    parser.add_argument("--minutes", default="30", metavar="M", help="length of the session (30)")
    parser.add_argument("--profile", metavar="NAME", help="futures, stock, zi or coin (futures)")
    parser.add_argument(
        "--plant", action="append", default=[], metavar="NAME", help="what to plant, with settings: synthetic:delay=150"
    )
    parser.add_argument("--tier", default="A", metavar="T", help="A order by order, B, C conflated, D best quotes (A)")
    parser.add_argument("--conflate", default="100", metavar="MS", help="ms between depth messages of tier C (100)")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="what goes wrong on the feed")
    parser.add_argument("--no-negatives", action="store_true", help="leave out what only looks like a plant")
    parser.add_argument("--story", default="", metavar="TEXT", help="what is to be seen in it, in one line, for lists")
    parser.add_argument("--begin", metavar="T", help="where the home screen begins to play it: +90s, or a time of day")
    parser.add_argument(
        "--compare", action="append", default=[], metavar="SOURCE", help="print how near it comes to a real session"
    )
    parser.add_argument("--list", action="store_true", help="list plants, their settings, faults and markets")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Simulate, and write or compare."""
    from feeds.simulator import Wish, parse_wish

    if args.list:
        return _list(args.json)
    if args.out is None and not args.compare:
        raise BadInput("simulate", None, "-o DIR to write to, --compare SOURCE, or --list")
    pieces = [f"seed={args.seed}", f"minutes={args.minutes}", f"tier={args.tier}", f"conflate={args.conflate}"]
    pieces += [f"profile={args.profile}"] if args.profile else []
    pieces += [f"plant={'+'.join(args.plant)}"] if args.plant else []
    pieces += [f"fault={'+'.join(args.fault)}"] if args.fault else []
    wish = parse_wish("simulator:" + ",".join([*pieces, f"negatives={'no' if args.no_negatives else 'yes'}"]))
    assert isinstance(wish, Wish)
    code = 0
    if args.out is not None:
        _write(wish, args.out, args.story, args.begin, json=args.json)
    for address in args.compare:
        code = max(code, _compare(wish.address, address, json=args.json))
    return code


def _write(wish: object, out: Path, story: str, begin: str | None, *, json: bool) -> None:
    from feeds.simulator import Wish, write_planted

    assert isinstance(wish, Wish)
    if out.exists():
        raise BadInput("-o", str(out), "a folder that does not exist yet")
    begin_s = None if begin is None else _seconds(wish.profile, begin)
    common.say(f"simulating {wish.minutes} minutes (kernels are compiled once on a machine, some 40 s)")
    tape = write_planted(out, wish, story=story, begin_s=begin_s)
    counts = Counter(label.type for label in tape.labels)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    if json:
        common.emit(
            {
                "out": str(out), "address": wish.address, "events": len(tape.events), "bytes": size,
                "labels": dict(sorted(counts.items())), "faults": [fault._asdict() for fault in tape.faults],
            }
        )  # fmt: skip
        return
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
    sys.stdout.write(f"{out}: {len(tape.events):,} events, {size:,} bytes; truth: {told}\n")


def _seconds(profile: str, begin: str) -> int:
    from feeds.simulator.tape import check_profile
    from tapeview.times import parse_time

    market = check_profile(profile)
    return (parse_time(begin, market.start_ns, market.instrument.timezone, place="--begin") - market.start_ns) // 10**9


def _compare(simulated: str, real: str, *, json: bool) -> int:
    from feeds.simulator.gate import gate, gate_table
    from feeds.simulator.realism import measure
    from feeds.source import open_source

    found = []
    for address in (simulated, real):
        common.say(f"measuring {address}")
        source = open_source(address)
        found.append(measure(source.batches()))
        source.close()
    verdicts = gate(*found)
    if json:
        common.emit({"simulated": simulated, "real": real, "figures": [verdict._asdict() for verdict in verdicts]})
    else:
        sys.stdout.write(gate_table(verdicts, simulated, real) + "\n")
    return 0 if all(verdict.within for verdict in verdicts) else 1


def _list(json: bool) -> int:
    from feeds.simulator.faults import FAULTS
    from feeds.simulator.markets import MARKETS
    from feeds.simulator.plants import PLANTED

    if json:
        for plant in PLANTED.values():
            common.emit({"plant": plant.name, "does": plant.text, "settings": dict(plant.settings)})
        for name, fault in FAULTS.items():
            common.emit({"fault": name, "does": fault.text, "every_s": fault.every_s, "length_ms": fault.length_ms})
        return 0
    rows = [("plant", plant.name, plant.text) for plant in PLANTED.values()]
    for plant in PLANTED.values():
        for key, setting in plant.settings.items():
            rows.append(("setting", f"{plant.name}:{key}=", f"{setting.text} ({setting.default or 'drawn'})"))
    rows += [("fault", name, f"{fault.text} (every {fault.every_s} s)") for name, fault in FAULTS.items()]
    rows += [("profile", name, profile.story) for name, profile in MARKETS.items()]
    common.table(["what", "name", "does"], rows)
    return 0
