"""Read the words, call the command, and answer errors with one line and the right exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Final, NoReturn

from feeds.errors import BadInput
from tapeview import __version__

COMMANDS: Final = {
    "replay": "the trading screen on a recording or any file that can be read",
    "live": "the trading screen on a venue",
    "info": "what a source holds",
    "book": "the book at an instant, or after every venue message",
    "tape": "time and sales",
    "stats": "session statistics: VWAP and bands, volume, delta, extremes, counts",
    "scan": "detectors over recordings, no screen",
    "convert": "turn a source into a recording",
    "verify": "every check that the data allows; exit 1 where something is wrong",
    "record": "capture what venues send, headless",
    "mirror": "serve a recording on loopback as its venue would, with faults on command",
    "simulate": "a simulated session with planted events, written with its truth",
    "detectors": "what is looked for: rules, thresholds with their sources, worked cases played",
    "size": "how many: size from risk, costs and Kelly, caps by volume",
    "plan": "a position in layers: stops that keep its risk, what goes out, what it may lose",
    "journal": "what was decided and traded on paper, and what it says of the trader",
    "config": "every setting and the file it came from",
    "bench": "measurements beside their yardsticks",
    "doctor": "terminal, kernels, folders and versions, checked",
    "shots": "rebuild the pictures of the screens",
}
"""Command -> what it does; each lives in a module of its name in this folder."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        where = f"{self.prog.partition(' ')[2]}: " if " " in self.prog else ""
        raise BadInput(f"{where}{message}", None, f"see {self.prog} --help")


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands; only the named one brings its own arguments (and imports)."""
    top = _Parser(
        prog="tapeview",
        description="The order-flow terminal. Without a command: the home screen; Enter plays a bundled session.",
        epilog="Exit codes: 0 fine, 1 a check found something, 2 bad input or usage, 130 interrupted.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"tapeview {__version__}")
    top.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for this run")
    top.add_argument("--theme", help="a theme for this run")
    subs = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, text in COMMANDS.items():
        sub = subs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        if name == only:
            importlib.import_module(f"tapeview.cli.{name}").arguments(sub)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run a command line and give its exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        return _run(words)
    except BadInput as error:
        print(f"tapeview: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output went away; keep the interpreter from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("tapeview: interrupted", file=sys.stderr)
        return 130


def _run(words: list[str]) -> int:
    named = next((w for w in _after_options(words)), None)
    if named is not None and named not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(named, COMMANDS, 1)
        raise BadInput("command", named, f"{near[0]!r}?" if near else "one of " + ", ".join(COMMANDS))
    args = parser(named).parse_args(words)
    if args.command is None:
        from tapeview.cli.replay import home

        return home(args)
    code = importlib.import_module(f"tapeview.cli.{args.command}").run(args)
    sys.stdout.flush()
    return int(code or 0)


def _after_options(words: list[str]) -> list[str]:
    """The words from the first that is neither an option nor an option's value."""
    takes_value = {"--set", "--theme"}
    at = 0
    while at < len(words):
        if words[at] in takes_value:
            at += 2
        elif words[at].startswith("-"):
            at += 1
        else:
            return words[at:]
    return []
