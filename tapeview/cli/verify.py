"""`tapeview verify SOURCE`: every check that the data allows."""

from __future__ import annotations

import argparse

import msgspec

from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_source(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Check, print, and exit 1 where something is wrong."""
    from pathlib import Path

    from feeds.recording import is_recording, verify, verify_source

    path = Path(args.source).expanduser()
    if path.exists() and is_recording(path):
        verdict = verify(path)
    else:
        verdict = verify_source(common.open_one(args))
    if args.json:
        common.emit(verdict)
        return 0 if verdict.ok else 1
    plain = msgspec.to_builtins(verdict)
    pairs = []
    for name, value in plain.items():
        if name in ("ok", "problems"):
            continue
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        pairs.append((name.replace("_", " "), shown))
    common.pairs(pairs)
    for problem in verdict.problems:
        print(f"problem  {problem}")
    print("fine" if verdict.ok else f"NOT fine: {len(verdict.problems)} problems")
    return 0 if verdict.ok else 1
