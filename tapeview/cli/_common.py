"""What the commands share: source arguments, times, progress on stderr, JSON and tables on stdout."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from feeds.errors import BadInput
from feeds.source import OpenOptions, Source, open_source


def add_source(parser: argparse.ArgumentParser, *, many: bool = False, none: bool = False, live: bool = False) -> None:
    """Add SOURCE, or several, or perhaps none, and the words that say what a file does not; `live` takes venues too."""
    parser.add_argument(
        "source", nargs="*" if none else "+" if many else None, metavar="SOURCE",
        help="a recording, file, folder or simulator:…" + (", or live:VENUE:SYMBOL" if live else ""),
    )  # fmt: skip
    if live:
        parser.add_argument("--for", dest="duration", metavar="TIME", help="of a live source: how long, as 90s or 10m")
        parser.add_argument("--url", metavar="WS", help="ws://HOST[:PORT] in place of the venue's, as of a mirror")
        parser.add_argument("--rest", metavar="HTTP", help="http://HOST[:PORT] in place of the venue's")
    parser.add_argument("--format", help="read it as this format instead of finding out by content")
    parser.add_argument("--tick", help="price increment where the source does not say, e.g. 0.01")
    parser.add_argument("--lot", help="size increment where the source does not say, e.g. 1")
    parser.add_argument("--symbol", help="the instrument, where the source has several or does not say")
    parser.add_argument("--venue", help="the venue, where the source does not say")
    parser.add_argument(
        "--columns", metavar="WORD=COLUMN,…",
        help="what a CSV or Parquet table's columns mean: time=ts,price=px,size=qty,side=taker,unit=ms,buy=B,sell=S, "
        "or bid_price=bid{n}_px,bid_size=bid{n}_qty,ask_price=…,ask_size=… for books",
    )  # fmt: skip
    parser.add_argument("--facts", metavar="PATH", help="file or folder of slow inputs: short interest, fees, …")
    parser.add_argument(
        "--set", action="append", default=argparse.SUPPRESS, metavar="KEY=VALUE", help="a setting for this run"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="JSON: one object, or one a line where it is a stream")


def add_proxy(parser: argparse.ArgumentParser) -> None:
    """Add --proxy."""
    parser.add_argument(
        "--proxy", metavar="URL", help="http://[USER:PASSWORD@]HOST:PORT in place of HTTPS_PROXY and HTTP_PROXY"
    )


def add_account(parser: argparse.ArgumentParser) -> None:
    """Add --account."""
    parser.add_argument("--account", type=_account, metavar="NAME", help="the paper account to trade under")


def _account(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", text):
        raise BadInput("--account", text, "at most 40 letters, digits, and any of _ . -")
    return text


def use_proxy(url: str | None) -> None:
    """Have this process reach venues through a proxy; raises BadInput where the address is none."""
    from feeds.listing import check_base

    if url is None:
        return
    check_base("--proxy", url, ("http", "https"))
    # The way that sockets and requests both know; what is exempt by NO_PROXY stays exempt.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "WS_PROXY", "WSS_PROXY"):
        os.environ[name] = url


def options(args: argparse.Namespace) -> OpenOptions:
    """The OpenOptions that the words say; refuse an increment that is none."""
    from feeds.instruments import Grid

    for name in ("tick", "lot"):
        text = getattr(args, name)
        if text is not None:
            try:
                Grid(text)
            except BadInput as error:
                raise BadInput(f"--{name}", text, error.expected) from None
    return OpenOptions(
        url=getattr(args, "url", None),
        rest=getattr(args, "rest", None),
        seconds=_seconds(getattr(args, "duration", None)),
        format=args.format,
        tick=args.tick,
        lot=args.lot,
        symbol=args.symbol,
        venue=args.venue,
        columns=args.columns,
        facts=args.facts,
    )


def _seconds(text: str | None) -> float | None:
    from tapeview.cli.record import duration

    return None if text is None else duration(text)


def is_live(args: argparse.Namespace) -> bool:
    """Whether the SOURCE of the command line is a venue's market, which goes on."""
    return str(args.source).startswith("live:")


def open_one(args: argparse.Namespace) -> Source:
    """Open the SOURCE of the command line; what comes live is written line by line."""
    of_venue = [f"--{name}" for name, key in (("for", "duration"), ("url", "url"), ("rest", "rest"))
                if getattr(args, key, None) is not None]  # fmt: skip
    if is_live(args):
        if not hasattr(args, "url"):
            raise BadInput("source", args.source, "a recording or a file; record it first")
        line_by_line = getattr(sys.stdout, "reconfigure", None)
        if line_by_line is not None:
            line_by_line(line_buffering=True)
    elif of_venue:
        raise BadInput(", ".join(of_venue), None, "a live source, such as live:kraken:BTC/USD")
    return open_source(args.source, options(args))


def settings(args: argparse.Namespace) -> Any:
    """The whole configuration for this run."""
    from tapeview import config

    return config.load(sets=args.set)


def chosen(source: Source, args: argparse.Namespace) -> list[int]:
    """Which instruments of the source the command is about: the one named, or all."""
    if args.symbol is None:
        return list(range(len(source.instruments)))
    wanted = args.symbol.casefold()
    found = [i for i, inst in enumerate(source.instruments) if wanted in (inst.symbol.casefold(), inst.name.casefold())]
    if not found:
        raise BadInput("--symbol", args.symbol, "one of " + ", ".join(i.symbol for i in source.instruments))
    return found


def compile_kernels() -> None:
    """Make sure the kernels are compiled, saying so when it takes a moment (the first time on a machine)."""
    from tapeview.engine import warm
    from tapeview.engine._jit import cached, wanted

    if wanted() and not cached():
        say("compiling kernels, once on this machine (up to two minutes)")
    warm()


def compile_watch() -> None:
    """The same with the detectors' kernels."""
    import tapeview.watch  # noqa: F401  (their kernels are compiled from here on)

    compile_kernels()


def say(text: str) -> None:
    """One line on stderr."""
    print(f"tapeview: {text}", file=sys.stderr)


class Progress:
    """A line on stderr that tells how far a source has been read; silent unless stderr is a terminal."""

    def __init__(self, what: str, source: Source, *, quiet: bool = False) -> None:
        self._what, self._source = what, source
        self._on = sys.stderr.isatty() and not quiet and os.environ.get("TERM") != "dumb"
        self._next = time.monotonic() + 0.5
        self._shown = False

    def over(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Pass batches on, telling now and then how far they have got."""
        events = 0
        try:
            for batch in batches:
                events += len(batch)
                yield batch
                if self._on and time.monotonic() >= self._next:
                    self._next = time.monotonic() + 0.25
                    done, whole = self._source.progress
                    share = f" {100 * done / whole:3.0f} %" if whole else ""
                    print(f"\r{self._what}{share}  {events:,} events ", end="", file=sys.stderr, flush=True)
                    self._shown = True
        finally:
            if self._shown:
                print("\r\033[K", end="", file=sys.stderr, flush=True)


_encoder = msgspec.json.Encoder()


def emit(record: Any) -> None:
    """Write one JSON object and end the line."""
    sys.stdout.write(_encoder.encode(record).decode() + "\n")


def number(value: int) -> int | None:
    """An id or time for JSON: null for an unknown."""
    from feeds.events import NONE

    return None if value == NONE else int(value)


def table(header: list[str], body: Iterable[Iterable[object]], right: Mapping[int, bool] | None = None) -> None:
    """Write rows as columns; numbers to the right."""
    rows = [[str(cell) for cell in row] for row in body]
    widths = [max(len(h), *(len(r[i]) for r in rows)) if rows else len(h) for i, h in enumerate(header)]
    flush_right = right or {}
    for row in [header, *rows]:
        cells = (
            c.rjust(w) if flush_right.get(i) else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def pairs(items: Iterable[tuple[str, object]]) -> None:
    """Write names and values in two columns."""
    listed = [(name, value) for name, value in items if value is not None and value != ""]
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        sys.stdout.write(f"{name.ljust(width)}  {value}\n")
