"""`tapeview live VENUE:SYMBOL...`: the trading screen on venues, recorded where that is wanted."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from feeds.errors import BadInput
from tapeview.cli import _common as common

_PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_ENDED_BY_PERSON: Final = (0, 130)
"""Exit codes after which there is time to make a recording's events."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument(
        "address",
        nargs="+",
        metavar="VENUE:SYMBOL",
        help="such as binance-futures:BTCUSDT, or broker://HOST/VENUE:SYMBOL",
    )
    parser.add_argument("--record", type=Path, metavar="DIR", help="keep every frame, in a new folder")
    parser.add_argument("--url", metavar="WS", help="ws://HOST[:PORT] in place of the venue's, as of a mirror")
    parser.add_argument("--rest", metavar="HTTP", help="http://HOST[:PORT] in place of the venue's")
    parser.add_argument("--proxy", metavar="URL", help="http://HOST:PORT to go through, for this run")
    common.add_account(parser)
    parser.add_argument("--theme", default=argparse.SUPPRESS, help="a theme for this run")
    parser.add_argument(
        "--set", action="append", default=argparse.SUPPRESS, metavar="KEY=VALUE", help="a setting for this run"
    )


def run(args: argparse.Namespace) -> int:
    """Show the screen; afterwards make the events of what was recorded."""
    from feeds.listing import check_base, parse_line

    check_base("--url", args.url, ("ws", "wss"))
    check_base("--rest", args.rest, ("http", "https"))
    check_base("--proxy", args.proxy, ("http", "https"))
    wanted = {parse_line(address).key for address in args.address}
    if len(wanted) > 1 and (args.url or args.rest):
        raise BadInput("--url, --rest", len(wanted), "addresses of one venue")
    if args.record is not None and args.record.exists() and (not args.record.is_dir() or any(args.record.iterdir())):
        raise BadInput("--record", str(args.record), "a folder that does not exist yet, or an empty one")
    if args.proxy:
        os.environ.update(dict.fromkeys(_PROXY_VARIABLES, args.proxy))
    from tapeview import config
    from tapeview.ui.terminal import require_terminal

    require_terminal()
    loaded = config.load(sets=args.set)
    from tapeview.backoffice import BackOffice
    from tapeview.live import Options
    from tapeview.trading import Plan
    from tapeview.ui.app import StartPlan
    from tapeview.ui.app import run as show

    plan = StartPlan(
        addresses=tuple(f"live:{address.removeprefix('live:')}" for address in args.address),
        theme=args.theme or loaded.config.theme,
        settings=loaded.config,
        live=Options(args.url, args.rest, args.record),
        origin=loaded.origin,
        desk=Plan(BackOffice(loaded.config), args.account or ""),
    )
    code = show(plan)
    if code in _ENDED_BY_PERSON:
        for folder in plan.recorded:
            _finish(folder)
    return code


def _finish(folder: Path) -> None:
    from feeds.recording.derived import derive_events

    if not any((folder / "frames").iterdir()):
        return
    common.say(f"{folder}: making the events of the recording")
    made = derive_events(folder)
    print(f"{folder}: {made.events:,} events, {made.trades:,} trades", file=sys.stderr)
