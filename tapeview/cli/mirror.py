"""`tapeview mirror SOURCE`: serve a recording or a capture on loopback as its venue would, and misbehave on command."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from feeds.errors import BadInput
from tapeview.cli import _common as common

if TYPE_CHECKING:
    from feeds.mirror import Mirror, Plan, Reel
    from feeds.mirror.server import Progress

_ROUND_S = 0.5
_TOP_SPEED = 10_000.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    from feeds.mirror.faults import KINDS
    from feeds.mirror.faults import __doc__ as grammar

    common.add_source(parser)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port; a free one where nobody says")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="times as fast as recorded; 0: at once")
    parser.add_argument("--loop", action="store_true", help="at the end close every connection and begin again")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of faults by chance: same seed, same faults")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME[:ARGS]", help="what goes wrong; see below"
    )
    common.add_json(parser)
    lines = [f"  {_shape(name):<26} {kind.text} ({kind.when})" for name, kind in KINDS.items()]
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["faults:", *lines, "", *(grammar or "").strip().split("\n")[2:]])


def _shape(name: str) -> str:
    from feeds.mirror.faults import KINDS

    args = [
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in KINDS[name].args.items()
    ]
    return ":".join([name, *args])


def run(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    from feeds.mirror import Plan, open_reel, parse_fault

    if not 0 <= args.speed <= _TOP_SPEED:
        raise BadInput("--speed", args.speed, "0 to 10000")
    if not 0 <= args.port <= 65_535:
        raise BadInput("--port", args.port, "0 to 65535")
    plan = Plan([parse_fault(one) for one in args.fault], args.seed)
    if args.facts is not None:
        raise BadInput("--facts", args.facts, "nothing: a venue does not tell them")
    reel = open_reel(args.source, common.options(args))
    _check(plan, reel)
    try:
        asyncio.run(_serve(args, reel, plan))
    except OSError as error:
        raise BadInput("--port", args.port, f"a port that is free ({error.strerror or error})") from None
    return 0


def _check(plan: Plan, reel: Reel) -> None:
    from feeds.venues import venues

    for fault in plan.faults:
        if fault.name == "checksum" and all(venues()[name].voice().checksums is None for name in reel.markets):
            raise BadInput("--fault", "checksum", f"a venue that states checksums, not {', '.join(reel.markets)}")


async def _serve(args: argparse.Namespace, reel: Reel, plan: Plan) -> None:
    from feeds.mirror import Mirror

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    show = _Show(json=args.json)
    async with Mirror(reel, speed=args.speed, loop=args.loop, plan=plan, port=args.port, told=show.told) as mirror:
        show.begin(mirror, reel)
        playing = asyncio.create_task(mirror.run())
        try:
            while not stop.is_set() and not playing.done():
                try:
                    await asyncio.wait_for(stop.wait(), _ROUND_S)
                except TimeoutError:
                    show.progress(mirror.progress())
        finally:
            playing.cancel()
            end = (await asyncio.gather(playing, return_exceptions=True))[0]
            show.end(mirror.progress())
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
    if isinstance(end, Exception):
        raise end


class _Show:
    """Where it is and how to connect on stdout; who comes and how far it is on stderr."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._terminal = sys.stderr.isatty()
        self._drawn = 0

    def begin(self, mirror: Mirror, reel: Reel) -> None:
        """Say where it is and how to connect."""
        from tapeview.cli.entry import COMMANDS

        words = [name for name in ("live", "record") if name in COMMANDS]
        addresses = [f"{venue}:{symbol}" for venue, found in reel.markets.items() for symbol in found]
        hosts = f"--url {mirror.url} --rest {mirror.rest}"
        lines = [f"tapeview {word} {addresses[0]} {hosts}{' -o DIR' if word == 'record' else ''}" for word in words]
        if self._json:
            common.emit({"url": mirror.url, "rest": mirror.rest, "instruments": addresses, "connect": lines})
        else:
            listed = ", ".join(addresses[:6]) + (f" and {len(addresses) - 6} more" if len(addresses) > 6 else "")
            print(f"{mirror.url} serves {listed}")
            for line in lines:
                print(line)
        sys.stdout.flush()

    def told(self, text: str) -> None:
        """Write what happened, on a line of its own."""
        self._wipe()
        print(f"mirror: {text}", file=sys.stderr, flush=True)

    def progress(self, now: Progress) -> None:
        """Write the line anew, where it is a terminal."""
        if not self._terminal:
            return
        text = _line(now)
        sys.stderr.write("\r" + text.ljust(self._drawn))
        sys.stderr.flush()
        self._drawn = len(text)

    def end(self, now: Progress) -> None:
        """Say what came of it."""
        self._wipe()
        if self._json:
            common.emit(now._asdict())
        else:
            print(_line(now), file=sys.stderr)

    def _wipe(self) -> None:
        if self._terminal and self._drawn:
            sys.stderr.write("\r" + " " * self._drawn + "\r")
            self._drawn = 0


def _line(now: Progress) -> str:
    minutes, seconds = divmod(int(now.seconds), 60)
    faults = "  " + ", ".join(f"{name} {count}" for name, count in now.faults.items() if count) if now.faults else ""
    over = "  over, held" if now.over else ""
    return f"{minutes:02}:{seconds:02}{over}  {now.clients} clients  {now.frames:,} frames sent{faults}"
