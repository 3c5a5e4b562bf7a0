"""`tapeview convert IN OUT`: turn any source into a recording."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from feeds.errors import BadInput
from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_source(parser)
    parser.add_argument("out", metavar="OUT", type=Path, help="the recording's folder; must not exist yet")
    parser.add_argument("--part-rows", type=int, default=250_000, metavar="N", help="rows a part file (250000)")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Read the source and write its events."""
    from feeds.recording import RecordingWriter

    if args.part_rows < 1:
        raise BadInput("--part-rows", args.part_rows, "a whole number of at least 1")
    if args.out.exists():
        raise BadInput("OUT", str(args.out), "a folder that does not exist yet")
    source = common.open_one(args)
    done = False
    try:
        with RecordingWriter(args.out, source.info, source.instruments, part_rows=args.part_rows) as writer:
            for batch in common.Progress("converting", source).over(source.batches()):
                writer.write(batch)
            writer.checks = source.checks
        done = True
    finally:
        if not done and not args.out.joinpath("manifest.json").exists():
            shutil.rmtree(args.out, ignore_errors=True)
    manifest = writer.manifest
    size = sum(f.stat().st_size for f in args.out.rglob("*") if f.is_file())
    if args.json:
        common.emit({"out": str(args.out), "events": manifest.events, "bytes": size, "digest": manifest.events_digest})
    else:
        share = f"{size / manifest.events:.2f} bytes an event" if manifest.events else "no events"
        print(f"{args.out}: {manifest.events:,} events, {size:,} bytes, {share}")
    for problem in source.checks.problems[:20]:
        print(f"tapeview: {problem}", file=sys.stderr)
    return 0
