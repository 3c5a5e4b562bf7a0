"""Files of slow inputs in any of the known layouts, plain or compressed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from feeds.errors import BadInput
from feeds.facts import cboe, finra, nasdaq, plain
from feeds.facts.fact import Parsed, Wanted
from feeds.facts.layout import MAX_BYTES, every, first_line, name_of

LAYOUTS: Final = (finra.SHORT_INTEREST, finra.DAILY, nasdaq.LAYOUT, cboe.DAY, cboe.TABLE, plain.LAYOUT)
"""All layouts, in the order they are tried."""
MAX_FILES: Final = 1_000
"""Files a folder may hold."""
_LEFT_OUT: Final = (".tmp", ".part", ".partial", ".crdownload", ".download", "~")


def parse_facts(data: bytes, place: str, wanted: Wanted = every) -> Parsed:
    """Facts of a file's content in whichever layout it has; raise BadInput where none fits or the file is damaged."""
    name = name_of(place)
    for layout in LAYOUTS:
        if layout.recognises(name, data):
            return layout.parse(data, place, wanted)
    head = first_line(data)
    known = ", ".join(layout.title for layout in LAYOUTS)
    if head.startswith("<"):
        known = f"data, not a web page (the day may not be published); {known}"
    raise BadInput(f"{place}: line 1", head, known)


def read_content(path: Path) -> bytes:
    """A file's content, decompressed; raise BadInput where it cannot be read or is longer than 64 MiB."""
    from feeds.files._streams import Stream

    chunks: list[bytes] = []
    held = 0
    with Stream(path) as stream:
        while chunk := stream.read():
            chunks.append(chunk)
            held += len(chunk)
            if held > MAX_BYTES:
                raise BadInput(str(path), f"more than {MAX_BYTES} bytes", "a file of slow inputs of at most 64 MiB")
    return b"".join(chunks)


def is_candidate(name: str) -> bool:
    """Say whether a file of this name is looked at: hidden and half-loaded ones are not."""
    return not name.startswith(".") and not name.endswith(_LEFT_OUT)


def list_files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Give (name, time of change in ns, bytes) of a folder's files by name; BadInput where it cannot be read."""
    found: list[tuple[str, int, int]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if is_candidate(entry.name) and entry.is_file():
                        stat = entry.stat()
                        found.append((entry.name, stat.st_mtime_ns, stat.st_size))
                except OSError:  # gone between the listing and the look
                    continue
    except OSError as error:
        raise BadInput(str(folder), None, f"a folder that can be read ({error.strerror})") from None
    if len(found) > MAX_FILES:
        raise BadInput(str(folder), f"{len(found)} files", f"a folder of at most {MAX_FILES} files")
    yield from sorted(found)


def read_facts(path: Path, wanted: Wanted = every) -> list[Parsed]:
    """Facts of a file, or of each file of a folder by name; raise BadInput for the first that cannot be read."""
    if path.is_dir():
        return [parse_facts(read_content(path / name), str(path / name), wanted) for name, _, _ in list_files(path)]
    return [parse_facts(read_content(path), str(path), wanted)]
