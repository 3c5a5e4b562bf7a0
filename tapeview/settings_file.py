"""The user's settings file, changed key by key: every comment, the order and every line not meant stay as they are.

A file is taken apart into statements (a header, a pair, a comment, a blank line). A key is changed in its own
statement, added below its section's last one or taken away; the rest is put back byte for byte. What comes out is
read again and compared before anything is written.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import tomlkit
from msgspec import UNSET
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Table

from feeds.errors import BadInput
from tapeview import config

Key = tuple[str, ...]
"""A key as names from the outermost table inwards; a name may hold dots."""
_MARK: Final = "\ufeff"
_MOST_BYTES: Final = 4 << 20


class SettingsFile:
    """A settings file as it was when read; `save` changes it in place and refuses where somebody else did meanwhile."""

    def __init__(self, path: Path) -> None:
        """Read the file, or nothing where there is none; raise BadInput where it is no valid settings file."""
        self.path = path
        self._bytes: bytes | None = None
        self.text = ""
        """What it holds, without a byte order mark."""
        self.read()

    @property
    def exists(self) -> bool:
        """Whether there was a file when it was last read."""
        return self._bytes is not None

    def read(self) -> None:
        """Read it again as it lies there now."""
        self._bytes = None
        self.text = ""
        found = self._found()
        if found is None:
            return
        if len(found) > _MOST_BYTES:
            raise BadInput(str(self.path), f"{len(found)} bytes", "a settings file of at most 4 MiB")
        config.check(config.read_file(self.path), str(self.path))
        self._bytes = found
        self.text = found.decode("utf-8-sig")

    def save(self, changes: Mapping[Key, object]) -> None:
        """Write keys to the file, or take those away that are UNSET; the old file stays whole until the new one is.

        Raises BadInput where the file has changed since it was read, or cannot be written; nothing is lost then. It
        has been read again after the former, so that a second `save` writes into what lies there now.
        """
        if self._found() != self._bytes:
            self.read()
            raise BadInput(str(self.path), "a file that has changed since it was read", "to be saved again")
        text = changed(self.text, changes, str(self.path))
        mark = _MARK if self._bytes is not None and self._bytes.startswith(_MARK.encode()) else ""
        data = (mark + text).encode()
        _replace(self.path, data)
        self._bytes, self.text = data, text

    def _found(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadInput(str(self.path), None, f"a readable file ({error.strerror})") from None


def _replace(path: Path, data: bytes) -> None:
    # A link stays a link: what it points to is replaced.
    target = Path(os.path.realpath(path))
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as out:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(out.fileno(), target.stat().st_mode & 0o7777)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise BadInput(str(path), None, f"a place that can be written to ({error.strerror})") from None


# -- text -----------------------------------------------------------------------------------------


class Statement(NamedTuple):
    """One statement of a TOML text, whole lines."""

    kind: str
    """blank, comment, header or pair."""
    table: Key | None
    """The table that the last header opened, this one's own for a header; None inside an array of tables."""
    key: Key
    """A pair's key below its table."""
    text: str


def changed(text: str, changes: Mapping[Key, object], place: str = "settings") -> str:
    """Give a TOML text with keys set, or taken away where UNSET; BadInput where that cannot be done in place."""
    wanted = _loads(text, place)
    out = text
    try:
        # What is taken out goes last: until then it shows where its section's keys stand.
        for key, value in sorted(changes.items(), key=lambda change: change[1] is UNSET):
            _put(wanted, key, value)
            out = _changed(out, key, value)
        same = _filled(tomllib.loads(out)) == _filled(wanted)
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, AttributeError, LookupError):
        same = False
    if not same:
        names = ", ".join(".".join(key) for key in changes)
        raise BadInput(place, names, "keys that can be changed without touching others; change them in an editor")
    return out


def statements(text: str) -> list[Statement]:
    """Take a valid TOML text apart; the texts joined are the text again."""
    out: list[Statement] = []
    table: Key | None = ()
    lines = text.split("\n")
    lines = [line + "\n" for line in lines[:-1]] + lines[-1:] * bool(lines[-1])
    at = 0
    while at < len(lines):
        bare = lines[at].strip()
        if not bare or bare.startswith("#"):
            out.append(Statement("comment" if bare else "blank", table, (), lines[at]))
            at += 1
            continue
        end = at + 1
        # A statement is over at the first line where what has been read so far is one.
        while (parsed := _parsed("".join(lines[at:end]))) is None and end < len(lines):
            end += 1
        whole = "".join(lines[at:end])
        if parsed is not None and bare.startswith("["):
            table = _header(parsed)
            out.append(Statement("header", table, (), whole))
        else:
            out.append(Statement("pair", table, _key(whole)[0], whole))
        at = end
    return out


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _header(parsed: dict[str, Any]) -> Key | None:
    names: list[str] = []
    inner: Any = parsed
    while isinstance(inner, dict) and inner:
        ((name, inner),) = inner.items()
        names.append(name)
    return tuple(names) if isinstance(inner, dict) else None


def _key(text: str) -> tuple[Key, Any]:
    """The names of a pair's key, and its value with the comment behind it."""
    names = []
    body = tomlkit.parse(text).body
    while True:
        key, item = next((key, item) for key, item in body if key is not None)
        names.append(key.key)
        if not (key.is_dotted() and isinstance(item, Table)):
            return tuple(names), item
        body = item.value.body


def _changed(text: str, key: Key, value: object) -> str:
    parts = statements(text)
    for number, part in enumerate(parts):
        if part.kind != "pair" or part.table is None:
            continue
        whole = (*part.table, *part.key)
        if whole == key:
            parts[number] = part._replace(text=_without(part) if value is UNSET else _with(part, part.key, value))
            return "".join(part.text for part in parts)
        if key[: len(whole)] == whole and isinstance(_key(part.text)[1], InlineTable):
            within = (*part.key, *key[len(whole) :])
            if value is not UNSET or _has(part, within):
                parts[number] = part._replace(text=_with(part, within, value))
            return "".join(part.text for part in parts)
    return text if value is UNSET else _added(parts, key, value, "\r\n" if "\r\n" in text else "\n")


def _has(part: Statement, key: Key) -> bool:
    inner: Any = tomllib.loads(part.text)
    for name in key:
        if not isinstance(inner, dict) or name not in inner:
            return False
        inner = inner[name]
    return True


def _with(part: Statement, key: Key, value: object) -> str:
    document = tomlkit.parse(part.text)
    table: Any = document
    for name in key[:-1]:
        if name not in table:
            table[name] = tomlkit.inline_table()
        table = table[name]
    if value is UNSET:
        del table[key[-1]]
    else:
        table[key[-1]] = value
    return document.as_string()


def _without(part: Statement) -> str:
    """What is left of a pair taken away: the comment that stood behind it."""
    trivia = _key(part.text)[1].trivia
    if not trivia.comment:
        return ""
    end = "\n" if part.text.endswith("\n") else ""
    indent = part.text[: len(part.text) - len(part.text.lstrip(" \t"))]
    return f"{indent}{trivia.comment.rstrip()}{end}"


def _added(parts: list[Statement], key: Key, value: object, line_end: str) -> str:
    section = key[:-1]
    below = _last(parts, section)
    if below is not None and parts[below].table is not None:
        part = parts[below]
        relative = key[len(part.table or ()) :]
        indent = part.text[: len(part.text) - len(part.text.lstrip(" \t"))] if part.kind == "pair" else ""
        at = below + 1
    elif section:
        lead = line_end if parts and parts[-1].kind != "blank" else ""
        header = f"{lead}[{_dotted(section)}]{line_end}"
        return _joined(parts, len(parts), header + _pair(key[-1:], value, line_end), line_end)
    else:
        relative, indent = key, ""
        at = _before_headers(parts)
        gap = line_end if at < len(parts) and parts[at].kind != "blank" else ""
        return _joined(parts, at, _pair(relative, value, line_end) + gap, line_end)
    return _joined(parts, at, indent + _pair(relative, value, line_end), line_end)


def _last(parts: list[Statement], section: Key) -> int | None:
    """The statement below which a key of a section belongs: its last pair, or its header."""
    found = None
    for number, part in enumerate(parts):
        if part.table is None or part.kind not in ("header", "pair"):
            continue
        mine = (*part.table, *part.key[:-1]) if part.kind == "pair" else part.table
        if mine == section and (part.kind == "pair" or section):
            found = number
    return found


def _before_headers(parts: list[Statement]) -> int:
    """Where a first key of no section belongs: before the first header and the comment that stands right above it."""
    at = next((n for n, part in enumerate(parts) if part.kind == "header"), len(parts))
    if at == len(parts):
        return at
    while at > 0 and parts[at - 1].kind == "comment":
        at -= 1
    return at


def _pair(key: Key, value: object, line_end: str) -> str:
    return f"{_dotted(key)} = {tomlkit.item(value).as_string()}{line_end}"


def _dotted(key: Key) -> str:
    return ".".join(tomlkit.key(name).as_string() for name in key)


def _joined(parts: list[Statement], at: int, text: str, line_end: str) -> str:
    before = "".join(part.text for part in parts[:at])
    if before and not before.endswith("\n"):
        before += line_end
    return before + text + "".join(part.text for part in parts[at:])


def _loads(text: str, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{place}: {error}", None, "TOML") from None


def _filled(table: dict[str, Any]) -> dict[str, Any]:
    # An empty table says nothing: whether one is left behind makes no difference.
    inner = {name: _filled(value) if isinstance(value, dict) else value for name, value in table.items()}
    return {name: value for name, value in inner.items() if value != {}}


def _put(table: dict[str, Any], key: Key, value: object) -> None:
    inner: Any = table
    for name in key[:-1]:
        if value is UNSET and name not in inner:
            return
        inner = inner.setdefault(name, {})
    if value is UNSET:
        inner.pop(key[-1], None)
    else:
        inner[key[-1]] = msgspec.to_builtins(value)
