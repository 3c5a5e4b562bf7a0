"""`tapeview config [show|path|check FILE|explain KEY|schema|edit]`: settings and where they came from."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from feeds.errors import BadInput
from tapeview.cli import _common as common

_WHAT: Final = ("show", "path", "check", "explain", "schema", "edit")
_BEGINNING: Final = """\
# Settings of tapeview: `key = value`, under a [section]. `tapeview config show` lists them all with what they are now,
# `tapeview config explain KEY` tells what one means, and F2 in the program changes them with effect at once.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument("what", nargs="?", default="show", choices=_WHAT)
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
    elif args.what == "edit":
        path = config.user_file()
        _edit(path)
        if path.exists():
            config.thresholds(config.load([path]), silent=True)
        words = f"{path}: fine" if path.exists() else f"{path}: still none"
        common.emit({"ok": True, "file": str(path), "exists": path.exists()}) if args.json else print(words)
    elif args.what == "schema":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(config.schema())).decode() + "\n")
    else:
        _show(args)
    return 0


def _edit(path: Path) -> None:
    """Run the person's editor on the file and wait for it; a file begun for it and left alone goes again."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    words = shlex.split(named)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = not path.exists()
        if begun:
            path.write_text(_BEGINNING, encoding="utf-8")
        try:
            code = subprocess.run([*words, str(path)], check=False).returncode
        finally:
            if begun and path.exists() and path.read_bytes() == _BEGINNING.encode():
                path.unlink()
    except (FileNotFoundError, PermissionError) as error:
        wanted = f"an editor's command in $EDITOR, for {path} ({error.strerror})"
        raise BadInput("config edit", named, wanted) from None
    except OSError as error:
        raise BadInput("config edit", str(path), f"a file that can be written to ({error.strerror})") from None
    if code:
        raise BadInput("config edit", f"exit code {code} of the editor", f"0; {path} is as it left it")


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
