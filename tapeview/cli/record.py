"""`tapeview record VENUE:SYMBOL... -o DIR`: capture what venues send, headless."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from feeds.errors import BadInput
from tapeview.cli import _common as common

if TYPE_CHECKING:
    from feeds.bridges import Bridge
    from feeds.live import Told
    from feeds.recording.manifest import Manifest
    from tapeview.record import Progress

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)", re.ASCII)
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument("address", nargs="+", metavar="VENUE:SYMBOL", help="such as binance-futures:BTCUSDT")
    parser.add_argument("-o", "--out", required=True, type=Path, metavar="DIR", help="the recording's folder")
    parser.add_argument("--for", dest="duration", metavar="TIME", help="how long: 90s, 10m, 8h; until Ctrl-C else")
    parser.add_argument("--url", metavar="WS", help="ws://HOST[:PORT] in place of the venue's, as of a mirror")
    parser.add_argument("--rest", metavar="HTTP", help="http://HOST[:PORT] in place of the venue's")
    common.add_proxy(parser)
    parser.add_argument(
        "--publish", metavar="URL", help="nats://HOST[:PORT] or tls://…: the rows on a broker too, read as broker://…"
    )
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Capture, then make the recording's events."""
    from feeds.bridges import bridged
    from feeds.listing import by_venue, check_base
    from tapeview.record import Plan, record

    common.use_proxy(args.proxy)
    check_base("--url", args.url, ("ws", "wss"))
    check_base("--rest", args.rest, ("http", "https"))
    seconds = duration(args.duration) if args.duration is not None else None
    if (through := bridged(args.address)) is not None:
        return _run_bridge(args, through, seconds)
    wanted = by_venue(args.address)
    if len(wanted) > 1 and (args.url or args.rest):
        raise BadInput("--url, --rest", len(wanted), "addresses of one venue")
    plan = Plan(tuple(args.address), args.out, seconds, args.url, args.rest, args.publish)
    show = _Show()
    try:
        captured, ended_by = asyncio.run(record(plan, show.progress, show.told))
    except OSError as error:
        show.end()
        raise BadInput("record", str(error) or type(error).__name__, "a venue that can be reached") from None
    show.end()
    for one in captured:
        manifest = one.manifest
        if args.json:
            common.emit({
                "out": str(one.folder), "venue": one.venue, "frames": one.frames, "dropped": one.dropped,
                "events": manifest.events if manifest else 0, "trades": manifest.trades if manifest else 0,
                "checksums": manifest.checksums if manifest else 0,
                "checksums_failed": manifest.checksums_failed if manifest else 0,
                "events_digest": manifest.events_digest if manifest else None,
            })  # fmt: skip
        elif manifest is None:
            print(f"{one.folder}: {one.venue} sent nothing")
        else:
            dropped = f", {one.dropped:,} dropped by us" if one.dropped else ""
            print(
                f"{one.folder}: {one.frames:,} frames, {manifest.events:,} events, {manifest.trades:,} trades{dropped}"
            )
    if ended_by is not None and ended_by != signal.SIGINT:
        return 128 + ended_by
    return 0 if any(one.manifest is not None for one in captured) else 1


def _run_bridge(args: argparse.Namespace, through: Bridge, seconds: float | None) -> int:
    from feeds.bridges.capture import capture
    from tapeview.record import SIGNALS, Progress

    if args.url or args.rest:
        raise BadInput("--url, --rest", through.name, "a venue of tapeview's own; a library has settings of its own")
    show = _Show()
    ended_by: list[int] = []

    async def run_all() -> Manifest | None:
        stop = asyncio.Event()

        def end(number: int) -> None:
            ended_by.append(number)
            stop.set()

        def report(spent: float) -> None:
            while through.log:
                show.told(through.name, through.log.popleft())
            states = tuple(route.state.value for route in through.health())
            checks = through.checks
            show.progress(Progress(spent, through.name, checks.messages, 0, checks.gaps, 0, states, ""))

        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, end, number)
        return await capture(through, args.out, seconds, stop, report)

    try:
        manifest = asyncio.run(run_all())
    except OSError as error:
        show.end()
        raise BadInput("record", str(error) or type(error).__name__, "a venue that can be reached") from None
    show.end()
    if args.json:
        common.emit({
            "out": str(args.out), "venue": through.name, "frames": 0, "dropped": 0,
            "events": manifest.events if manifest else 0, "trades": manifest.trades if manifest else 0,
            "checksums": 0, "checksums_failed": 0, "events_digest": manifest.events_digest if manifest else None,
        })  # fmt: skip
    elif manifest is None:
        print(f"{args.out}: {through.name} sent nothing")
    else:
        print(f"{args.out}: {manifest.events:,} events, {manifest.trades:,} trades")
    if ended_by and ended_by[0] != signal.SIGINT:
        return 128 + ended_by[0]
    return 0 if manifest is not None else 1


def duration(text: str) -> float:
    """Seconds of a time such as 90s, 10m or 1h30m; raises BadInput where it is none."""
    parts = _DURATION.findall(text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < seconds <= 366 * 86_400:
        raise BadInput("--for", text, "a time such as 90s, 10m, 1h30m or 1d")
    return seconds


class _Show:
    """Progress and messages on stderr: one line that is written over, where it is a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._lines: dict[str, str] = {}
        self._drawn = 0

    def progress(self, now: Progress) -> None:
        """Write the line anew."""
        minutes, seconds = divmod(int(now.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        trouble = f"  NOT RECORDING: {now.trouble}" if now.trouble else f"  {now.warning}" if now.warning else ""
        dropped = f"  {now.dropped:,} dropped by us" if now.dropped else ""
        published = f"  {now.published}" if now.published else ""
        self._lines[now.venue] = (
            f"{hours:02}:{minutes:02}:{seconds:02}  {now.venue} {'/'.join(now.states)}  {now.frames:,} frames  "
            f"{now.bytes / 1e6:.1f} MB  gaps {now.gaps}{dropped}{trouble}{published}"
        )
        if self._terminal:
            text = "  |  ".join(self._lines.values())
            sys.stderr.write("\r" + text.ljust(self._drawn))
            sys.stderr.flush()
            self._drawn = len(text)

    def told(self, venue: str, line: Told) -> None:
        """Write what happened, on a line of its own."""
        if self._terminal and self._drawn:
            sys.stderr.write("\r" + " " * self._drawn + "\r")
        print(f"{venue}: {line.where}: {line.text}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the last line standing."""
        if not self._terminal:
            for line in self._lines.values():
                print(line, file=sys.stderr)
        elif self._drawn:
            sys.stderr.write("\n")
