"""Keys of venues that want one: from the environment, or from a file that nobody else can read; never shown.

A key goes to the venue's own hosts alone. At another address, as of a test net or a mirror, none is sent; this machine
itself gets one where TAPEVIEW_KEYS_TO_LOOPBACK is 1, for trials. The file is `$TAPEVIEW_KEYS`, or `tapeview/keys.toml`
in the configuration folder, and holds `NAME = "value"` lines of the same names. A key is in no text that this package
writes: frames that carry one are sent and not recorded.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

from feeds.errors import BadInput

TO_LOOPBACK: Final = "TAPEVIEW_KEYS_TO_LOOPBACK"
"""Name of the variable that lets keys go to this machine itself."""
_SAFE: Final = ("https", "wss")
_MOST_BYTES: Final = 1 << 16
_OTHERS: Final = 0o077


class Secrets:
    """What is secret, by name; none of it is in its text."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self._values)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not written anywhere")


def find(whose: str, names: Iterable[str], environ: Mapping[str, str] | None = None) -> Secrets:
    """Find values by their names; raise BadInput where one is nowhere, or the file can be read by others.

    `whose` is what the sentence calls the venue. The environment goes before the file.
    """
    environ = os.environ if environ is None else environ
    names = list(names)
    found = _gather(names, environ)
    missing = [name for name in names if name not in found]
    if missing:
        place = file(environ)
        raise BadInput(
            f"key of {whose}: {' and '.join(missing)}", None, f"in the environment or in {place}, with mode 0600"
        )
    return Secrets(found)


def find_any(names: Iterable[str], environ: Mapping[str, str] | None = None) -> Secrets | None:
    """The same for a place where a key may not be needed, as a mirror of the venue: None where one is missing."""
    names = list(names)
    found = _gather(names, os.environ if environ is None else environ)
    return Secrets(found) if len(found) == len(names) else None


def find_for(
    whose: str,
    names: Iterable[str],
    places: Iterable[str],
    own: Collection[str],
    environ: Mapping[str, str] | None = None,
) -> Secrets | None:  # fmt: skip
    """Find what may be sent to all of some URLs; None where one of them is to get no key.

    `own` are the venue's own URLs, at whose hosts a key is needed: where it is missing there, BadInput is raised.
    """
    environ = os.environ if environ is None else environ
    hosts = {urlsplit(one).hostname for one in own}
    strange = [one for one in places if urlsplit(one).hostname not in hosts or urlsplit(one).scheme not in _SAFE]
    if not strange:
        return find(whose, names, environ)
    trial = environ.get(TO_LOOPBACK) == "1" and all(_is_loopback(urlsplit(one).hostname or "") for one in strange)
    return find_any(names, environ) if trial else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _gather(names: list[str], environ: Mapping[str, str]) -> dict[str, str]:
    found = {name: environ[name] for name in names if environ.get(name)}
    place = file(environ)
    if len(found) < len(names) and place.exists():
        found = {name: value for name, value in _read(place).items() if name in names and value} | found
    return found


def file(environ: Mapping[str, str]) -> Path:
    """Where keys are kept."""
    named = environ.get("TAPEVIEW_KEYS")
    if named:
        return Path(named)
    config = environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "tapeview" / "keys.toml"


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as kept:
            about = os.fstat(kept.fileno())
            if about.st_uid != os.getuid():
                raise BadInput(f"{path}: owner", about.st_uid, "you: the keys in it are another user's")
            if about.st_mode & _OTHERS:
                raise BadInput(
                    f"{path}: mode", f"{about.st_mode & 0o777:04o}", f"0600, as others can read it: chmod 600 {path}"
                )
            text = kept.read(_MOST_BYTES).decode()
    except UnicodeDecodeError:
        raise BadInput(str(path), None, 'lines such as NAME = "value"') from None
    except OSError as error:
        raise BadInput(str(path), error.strerror, "a file that can be read") from None
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        # What is wrong is not quoted: it may be a key.
        raise BadInput(str(path), None, 'lines such as NAME = "value"') from None
    return {name: value for name, value in table.items() if isinstance(value, str)}
