"""`tapeview replay SOURCE…` and the home screen: hand over to the terminal program."""

from __future__ import annotations

import argparse

from feeds.errors import BadInput
from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    common.add_source(parser, many=True, none=True)
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="0.25 to 100, or max (1)")
    parser.add_argument("--at", metavar="T", help="start at this time")
    parser.add_argument("--paused", action="store_true", help="start paused")
    common.add_account(parser)
    parser.add_argument(
        "--journal", type=int, metavar="RUN", help="make a run of the journal again, and say whether it is the same"
    )
    parser.add_argument("--theme", default=argparse.SUPPRESS, help="a theme for this run")


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.25 <= value <= 100:
        raise BadInput("--speed", text, "a number from 0.25 to 100, or max")
    return value


def run(args: argparse.Namespace) -> int:
    """Open the trading screen on the sources; list the bundled recordings where none is named."""
    opened = common.options(args)
    if args.journal is not None:
        return _again(args, opened)
    if not args.source:
        return _list()
    addresses = tuple(_found(address) for address in args.source)
    return _start(args, addresses, opened, at=args.at, paused=args.paused, speed=args.speed)


def _again(args: argparse.Namespace, opened: object) -> int:
    from tapeview import journal
    from tapeview.trading.again import options_of_run, read_run

    if args.at is not None or args.account is not None:
        raise BadInput("--journal", args.journal, "neither --at nor --account: the run says where and whose")
    kept = read_run(journal.own_path(), args.journal)
    if len(args.source) > 1:
        raise BadInput("--journal", args.journal, "one SOURCE, or none for the one of the run")
    if not args.source:
        address, opened = options_of_run(kept)
    else:
        address = _found(args.source[0])
    return _start(args, (address,), opened, at=None, paused=args.paused, speed=args.speed)


def _found(address: str) -> str:
    # What cannot be opened is better said in the shell than on a screen that closes at once.
    import difflib

    from feeds.source import local
    from tapeview import bundled

    if ":" in address or local(address) is not None:
        return address
    known = {recorded.name: recorded.path for recorded in bundled.recordings()}
    if address in known:
        return known[address]
    near = difflib.get_close_matches(address, known, 1)
    wanted = "a recording, a file or folder of market data, or simulator:seed=7,minutes=30"
    raise BadInput("source", address, f"{near[0]!r}?" if near else wanted)


def _list() -> int:
    from tapeview import bundled

    rows = [
        (recorded.name, recorded.instrument, bundled.length(recorded.length_ns), recorded.story)
        for recorded in bundled.recordings()
    ]
    common.table(["name", "instrument", "length", "story"], rows, right={2: True})
    return 0


def home(args: argparse.Namespace) -> int:
    """Open the home screen, or the source named in the settings."""
    return _start(args, (), None, at=None, paused=False, speed=1.0)


def _start(
    args: argparse.Namespace, addresses: tuple[str, ...], opened: object, *, at: str | None, paused: bool, speed: float
) -> int:
    from tapeview import config
    from tapeview.ui.terminal import require_terminal

    require_terminal()
    loaded = config.load(sets=args.set)
    settings = loaded.config
    from tapeview.ui.app import StartPlan, run

    if not addresses and settings.source:
        addresses = (settings.source,)
    from tapeview.backoffice import BackOffice
    from tapeview.trading import Plan

    plan = StartPlan(
        addresses=addresses,
        options=opened,  # type: ignore[arg-type]  # None on the home screen
        at=at,
        paused=paused,
        speed=speed,
        theme=args.theme or settings.theme,
        settings=settings,
        origin=loaded.origin,
        desk=Plan(BackOffice(settings), getattr(args, "account", None) or "", getattr(args, "journal", None)),
    )
    return run(plan)
