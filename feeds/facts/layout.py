"""What the layouts of slow inputs have in common: how one is recognised, its lines and its JSON."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from feeds.errors import BadInput
from feeds.facts.fact import Parsed, Wanted

MAX_BYTES: Final = 1 << 26
"""A file of more than 64 MiB is no file of slow inputs."""
_DECODER: Final = msgspec.json.Decoder(float_hook=str)  # a number's text is kept as it is written


class Layout(msgspec.Struct, frozen=True):
    """One published layout: pure functions of a file's name and bytes."""

    name: str
    title: str
    recognises: Callable[[str, bytes], bool]
    """Whether a file (name, content) has this layout, from its first bytes; never raises."""
    parse: Callable[[bytes, str, Wanted], Parsed]
    """Facts of the wanted symbols in (content, place); BadInput where the file is damaged or of another layout."""


def every(_: str) -> bool:
    """Want all symbols."""
    return True


def name_of(place: str) -> str:
    """The file's name in a place."""
    return Path(place).name


def first_line(data: bytes) -> str:
    """The first line, for recognition."""
    return data[:4096].removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r ")


def is_json(data: bytes) -> bool:
    """Say whether the content begins like JSON."""
    return data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def read_json(data: bytes, place: str, expected: str) -> Any:
    """Decode JSON, numbers with a point as their text; raise BadInput where it is none."""
    try:
        return _DECODER.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise BadInput(place, str(error), expected) from None


def text_of(value: object, place: str, field: str) -> str:
    """A number or text of JSON as text; raise BadInput for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise BadInput(f"{place}: {field}", value, "a number or text")
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python writes
        raise BadInput(f"{place}: {field}", "a very long integer", "a number of at most 18 digits") from None


def list_of(value: object, place: str, what: str) -> list[Any]:
    """A list of JSON; raise BadInput for anything else."""
    if not isinstance(value, list):
        raise BadInput(place, type(value).__name__, f"a list of {what}")
    return value


def read_lines(data: bytes) -> list[str]:
    """The lines of a text file, line ends and a byte order mark taken off."""
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_rows(
    lines: Sequence[str], place: str, delimiter: str, first: int = 1, *, quoted: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Give (line number, fields) of each line that is not blank; `first` is the number of the first line."""
    if quoted:
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
    else:
        rows = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    while True:
        try:
            fields = next(rows, None)
        except csv.Error as error:
            raise BadInput(f"{place}: line {first + rows.line_num - 1}", str(error), "delimited text") from None
        if fields is None:
            return
        if any(field.strip() for field in fields):
            yield first + rows.line_num - 1, fields


class Columns:
    """The columns of a header by name."""

    def __init__(self, header: Sequence[str], place: str, needed: Sequence[str]) -> None:
        names = [name.strip() for name in header]
        self.width = len(names)
        self._at = {name: at for at, name in enumerate(names)}
        missing = [name for name in needed if name not in self._at]
        if missing:
            raise BadInput(f"{place}: header", "|".join(names), "columns " + ", ".join(missing))
        if len(self._at) != len(names):
            raise BadInput(f"{place}: header", "|".join(names), "each column once")

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def checked(self, fields: list[str], place: str) -> list[str]:
        """The fields of a row as wide as the header; raise BadInput for another width."""
        if len(fields) != self.width:
            raise BadInput(place, "|".join(fields), f"{self.width} fields as in the header, not {len(fields)}")
        return fields

    def of(self, fields: list[str], name: str) -> str:
        """A row's field, '' where the file has no such column."""
        at = self._at.get(name)
        return "" if at is None else fields[at].strip()
