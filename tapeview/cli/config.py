"""`tapeview config [show|path|check FILE|explain KEY|schema]`: settings and where they came from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from feeds.errors import BadInput
from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument("what", nargs="?", default="show", choices=["show", "path", "check", "explain", "schema"])
    parser.add_argument("name", nargs="?", metavar="FILE|KEY", help="the file to check, or the key to explain")
    parser.add_argument("--set", action="append", default=argparse.SUPPRESS, metavar="KEY=VALUE")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    from tapeview import config

    if args.what in ("check", "explain") and args.name is None:
        raise BadInput(f"config {args.what}", None, "a FILE" if args.what == "check" else "a KEY")
    if args.what == "path":
        path = config.user_file()
        if args.json:
            common.emit({"user": str(path), "exists": path.is_file(), "read": [str(p) for p in config.search()]})
        else:
            print(path)
    elif args.what == "check":
        config.thresholds(config.load([Path(args.name)]), silent=True)
        common.emit({"ok": True, "file": args.name}) if args.json else print(f"{args.name}: fine")
    elif args.what == "schema":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(config.schema())).decode() + "\n")
    else:
        _show(args)
    return 0


def _show(args: argparse.Namespace) -> None:
    from tapeview import config

    rows = config.rows(config.load(sets=args.set))
    if args.what == "explain":
        match = [row for row in rows if row[0] == args.name]
        if not match:
            import difflib

            near = difflib.get_close_matches(args.name, [r[0] for r in rows], 1)
            raise BadInput("config explain", args.name, f"{near[0]!r}?" if near else "a key that `config show` lists")
        rows = match
    if args.json:
        for key, value, origin in rows:
            common.emit({"key": key, "value": value, "from": origin, "description": config.description(key)})
    elif args.what == "explain":
        key, value, origin = rows[0]
        print(f"{key} = {value!r}\nfrom   {origin}\n{config.description(key)}")
    else:
        common.table(["key", "value", "from"], [(k, v if v != "" else '""', o) for k, v, o in rows])
