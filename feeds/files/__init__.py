"""Readers of foreign formats, one file each, found by being here."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from pathlib import Path

from feeds.errors import BadInput
from feeds.files._contract import Reader
from feeds.files._streams import peek
from feeds.source import OpenOptions


@cache
def readers() -> dict[str, type[Reader]]:
    """Every reader by the name of its format."""
    found: dict[str, type[Reader]] = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            reader = importlib.import_module(f"{__name__}.{module.name}").READER
            found[reader.format] = reader
    return dict(sorted(found.items()))


def reader_for(path: Path, options: OpenOptions) -> type[Reader]:
    """Find the reader of a file or folder by content, or by `options.format`; raise BadInput where none fits."""
    known = readers()
    if options.format is not None:
        if options.format not in known:
            near = difflib.get_close_matches(options.format, known, 1)
            raise BadInput("--format", options.format, f"{near[0]!r}?" if near else "one of " + ", ".join(known))
        return known[options.format]
    if options.columns is not None:
        return known["table"]
    head = peek(path)
    for reader in known.values():
        if reader.recognises(path, head):
            return reader
    beginning = head[:40].decode("ascii", "replace") if head else None
    raise BadInput(
        f"{path}: format",
        beginning,
        "one of " + ", ".join(known) + ", or --format NAME; --columns for a table of another kind",
    )
