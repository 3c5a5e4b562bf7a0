"""What venue captures hold, read without the project's code."""

from __future__ import annotations

import json
from pathlib import Path

import zstandard


def lines_of(path: Path) -> list[dict[str, object]]:
    """The capture's lines as objects."""
    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    return [json.loads(line) for line in text.splitlines()]


def received(path: Path) -> list[str]:
    """The texts of the frames that came, in the file's order."""
    return [str(line["data"]) for line in lines_of(path) if line["t"] == "recv"]
