"""Recordings at hand: those shipped with the program, those in the user's data folder, and what was played last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

MANIFEST: Final = "manifest.json"
_LARGEST: Final = 4 << 20
"""Bytes of a manifest that are read at most."""


class Recorded(msgspec.Struct, frozen=True):
    """What a list needs to know of a recording; read from its manifest alone."""

    name: str
    path: str
    story: str
    """One line."""
    instrument: str
    length_ns: int
    """From the first row to the last; 0 where the manifest does not say."""
    begin_ns: int | None = None
    """Market time to begin at where nobody says; None for the first row."""


class Last(msgspec.Struct, frozen=True):
    """The session played last."""

    address: str
    title: str
    at_ns: int | None = None
    """Market time it was left at."""
    clock: str = ""
    """The same as the screen showed it, in the market's own zone."""


def folder() -> Path | None:
    """Where the recordings shipped with the program lie: inside the package, or beside it in a checkout."""
    package = Path(__file__).parent
    return next((path for path in (package / "recordings", package.parent / "recordings") if path.is_dir()), None)


def own_folder() -> Path:
    """Where a person's own recordings are looked for."""
    import platformdirs

    return Path(platformdirs.user_data_dir("tapeview")) / "recordings"


def recordings() -> list[Recorded]:
    """The recordings shipped with the program, the one to begin with first."""
    found = listed(folder())
    return sorted(found, key=lambda r: (r.name != "quiet-open", r.name))


def own_recordings() -> list[Recorded]:
    """The recordings in the user's data folder, by name."""
    return listed(own_folder())


def listed(place: Path | None) -> list[Recorded]:
    """The recordings directly within a folder; what has no readable manifest is passed over."""
    if place is None or not place.is_dir():
        return []
    found = (_read(path) for path in sorted(place.iterdir()) if (path / MANIFEST).is_file())
    return [recorded for recorded in found if recorded is not None]


def length(ns: int) -> str:
    """A recording's length as lists show it; empty for 0."""
    seconds = round(ns / 1e9)
    if not seconds:
        return ""
    return f"{seconds // 60}:{seconds % 60:02d}" if seconds < 3600 else f"{seconds // 3600}h{seconds // 60 % 60:02d}"


def last() -> Last | None:
    """The session played last, where the state file says and it is still there."""
    try:
        told = msgspec.json.decode(_state_file().read_bytes(), type=Last)
    except (OSError, msgspec.MsgspecError):
        return None
    return told if told.address.startswith("simulator:") or Path(told.address).exists() else None


def remember(played: Last) -> None:
    """Keep what was played last; a state folder that cannot be written is not worth an error."""
    path = _state_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(f".{os.getpid()}")
        whole.write_bytes(msgspec.json.encode(played))
        whole.replace(path)
    except OSError:
        return


def _state_file() -> Path:
    import platformdirs

    return Path(platformdirs.user_state_dir("tapeview")) / "last.json"


def _read(path: Path) -> Recorded | None:
    try:
        with (path / MANIFEST).open("rb") as file:
            manifest: Any = msgspec.json.decode(file.read(_LARGEST))
    except (OSError, msgspec.MsgspecError):
        return None
    if not isinstance(manifest, dict):
        return None
    first, end = manifest.get("first_ns"), manifest.get("last_ns")
    length = end - first if isinstance(first, int) and isinstance(end, int) else 0
    instruments = manifest.get("instruments")
    symbols = (
        [str(i.get("symbol", "?")) for i in instruments if isinstance(i, dict)] if isinstance(instruments, list) else []
    )
    begin = manifest.get("begin_ns")
    return Recorded(
        path.name, str(path), _story(manifest), " ".join(symbols), max(0, length),
        begin if isinstance(begin, int) and isinstance(first, int) and first < begin < first + length else None,
    )  # fmt: skip


def _story(manifest: dict[str, Any]) -> str:
    for key in ("story", "title", "notes", "origin"):
        told = manifest.get(key)
        if isinstance(told, list) and told:
            told = told[0]
        if isinstance(told, str) and told:
            return told.splitlines()[0]
    return ""
