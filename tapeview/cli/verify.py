"""`tapeview verify SOURCE`: every check that the data allows."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from tapeview import format as write
from tapeview.cli import _common as common

if TYPE_CHECKING:
    from feeds.recording.trust import Trust


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
        if name in ("ok", "problems", "trust"):
            continue
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        pairs.append((name.replace("_", " "), shown))
    if verdict.trust is not None:
        pairs += _trust(verdict.trust)
    common.pairs(pairs)
    for problem in verdict.problems:
        print(f"problem  {problem}")
    print("fine" if verdict.ok else f"NOT fine: {len(verdict.problems)} problems")
    return 0 if verdict.ok else 1


def _trust(trust: Trust) -> list[tuple[str, str]]:
    """What a person is told of a capture: shares, our own drops, and every hole with its reason and length."""
    share = trust.all
    pairs = [
        ("verified", f"{_percent(share.verified_time)} of the time, {_percent(share.verified_messages)} of "
                     f"{trust.messages:,} messages ({trust.verification or 'no rule'})"),
        ("clean", f"{_percent(share.clean_time)} of {write.duration(trust.session_ns)}"),
        ("our own drops", f"{trust.own_drops:,} frames"),
    ]  # fmt: skip
    for drop in trust.drops:
        lost = "frames" if drop.lost is None else f"{drop.lost:,} frames"
        pairs.append(("lost by us", f"{_moment(drop.at_ns)}  {lost}  {drop.cause}{_length(drop.length_ns)}"))
    for hole in trust.holes:
        what = "prints" if hole.prints_only else "book"
        lost = "" if hole.lost is None else f", {hole.lost:,} messages"
        length = _length(hole.length_ns) + ("" if hole.until_ns is not None else ", to the end")
        pairs.append(
            ("hole", f"{_moment(hole.since_ns)}  {hole.instrument} {what}  {hole.cause}{lost}{length}  seq {hole.seq}")
        )
    if len(trust.instruments) > 1:
        for name, one in trust.instruments.items():
            pairs.append((name, f"verified {_percent(one.verified_time)}, clean {_percent(one.clean_time)}"))
    return pairs


def _percent(value: float) -> str:
    return f"{value:g} %"


def _moment(ns: int) -> str:
    return f"{write.clock(ns, date=True)} UTC"


def _length(ns: int | None) -> str:
    return "" if ns is None else f", {ns / 1e9:.3f} s"
