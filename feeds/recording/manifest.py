"""manifest.json: what a recording is, where it came from, what it holds, and the sums it can be checked with."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

from feeds.errors import BadInput
from feeds.instruments import Instrument
from feeds.recording.storage import Storage, replace_file

FORMAT: Final = "tapeview-recording"
VERSION: Final = 2
NAME: Final = "manifest.json"
_BLANK: Final = "0" * 64
_CHECK: Final = re.compile(rb'\n "check": "([0-9a-f]{64})"\n\}\n\Z')


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file of events."""

    name: str
    first_seq: int
    rows: int
    """Rows of the stream, without the keyframe's."""
    keyframe: int
    """Rows of the copy of the book before them."""
    first_ns: int
    last_ns: int
    """Receive time of the first row and the greatest receive time up to the last."""
    bytes: int
    sha256: str

    @property
    def next_seq(self) -> int:
        """The `seq` after the last row."""
        return self.first_seq + self.rows


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One closed file of frames."""

    name: str
    first_record: int
    records: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, kw_only=True):
    """The content of manifest.json; unknown fields of a later build are ignored."""

    format: str = FORMAT
    version: int = VERSION
    created_by: str = ""
    """Name and version of the program that wrote it."""
    origin: str = ""
    """The command or file it came from."""
    venue: str = ""
    source_format: str = ""
    """Format of what it was made from, such as 'lobster' or 'live'."""
    tier: str = ""
    verification: str = ""
    instruments: tuple[Instrument, ...] = ()
    derived: bool = False
    """A tick or lot was derived from the decimals seen, not stated by the venue."""
    licence: str = ""
    notes: tuple[str, ...] = ()
    story: str = ""
    """What is to be seen in it, in one line; for lists."""
    begin_ns: int | None = None
    """Where one who only wants to look does best to begin; None for the first row."""
    complete: bool = False
    """Closed in order; otherwise this is what was there when the writer last said so."""
    events: int = 0
    trades: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    """Receive time of the first row and the greatest of all rows; of the frames where there are no events."""
    parts: tuple[Part, ...] = ()
    events_digest: str | None = None
    """blake2b over the 64-byte rows in order, without keyframes; only of a complete recording."""
    code_digest: str | None = None
    """blake2b over the source of the program's part that turned bytes into these events."""
    frames: bool = False
    """Frames were recorded, in frames/."""
    segments: tuple[Segment, ...] = ()
    checksums: int = 0
    checksums_failed: int = 0
    resyncs: int = 0
    snapshots: int = 0
    snapshots_failed: int = 0
    """What the reader or venue found while the events were made."""
    check: str = ""
    """sha256 of this file with these digits replaced by zeros."""


def read_manifest(folder: Path) -> Manifest:
    """Read a recording's manifest; raise BadInput with the place where it is not one this build understands."""
    path = folder / NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(str(path), None, f"a readable manifest ({error.strerror})") from None
    return parse_manifest(data, str(path))


def parse_manifest(data: bytes, place: str) -> Manifest:
    """Understand a manifest's bytes; `place` is named where they are at fault."""

    class Head(msgspec.Struct):
        format: str = ""
        version: int = 0

    try:
        head = msgspec.json.decode(data, type=Head)
        if head.format == FORMAT and head.version > VERSION:
            raise BadInput(
                f"{place}: version", head.version, f"at most {VERSION}: a newer tapeview wrote this recording"
            )
        if head.format != FORMAT or head.version < 1:
            raise BadInput(f"{place}: format", head.format, f"{FORMAT!r}")
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(place, str(error), "the manifest of a recording") from None
    for name in (*(p.name for p in manifest.parts), *(s.name for s in manifest.segments)):
        if "/" in name or name.startswith("."):
            raise BadInput(f"{place}: file", name, "a plain file name")
    return manifest


def write_manifest(folder: Path, manifest: Manifest, storage: Storage, *, sync: bool = True) -> None:
    """Put a manifest in place of the old one in one step; `sync` as in `replace_file`."""
    manifest.check = _BLANK
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    manifest.check = hashlib.sha256(text).hexdigest()
    replace_file(storage, folder / NAME, text.replace(_BLANK.encode(), manifest.check.encode()), sync=sync)


def intact(data: bytes) -> bool:
    """Whether a manifest's bytes are those its writer left."""
    found = _CHECK.search(data)
    if not found:
        return False
    blank = data[: found.start(1)] + _BLANK.encode() + data[found.end(1) :]
    return hashlib.sha256(blank).hexdigest() == found[1].decode()


def code_digest() -> str:
    """A digest of the sources that turn bytes into events; another digest, perhaps other events."""
    root = Path(__file__).parent.parent
    sums = hashlib.blake2b(digest_size=16)
    for path in sorted([*root.glob("*.py"), *root.glob("venues/*.py"), *root.glob("files/*.py")]):
        sums.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return sums.hexdigest()


def program() -> str:
    """Name and version of this program, for `created_by`."""
    from importlib import metadata

    try:
        return f"tapeview {metadata.version('tapeview')}"
    except metadata.PackageNotFoundError:
        return "tapeview"
