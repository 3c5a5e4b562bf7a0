"""Where a broker is and who one is there: `nats://HOST[:PORT]` to publish, `broker://HOST[:PORT]/VENUE:SYMBOL` to read.

Who one is never stands in an address, where a screen, a history or a manifest would keep it: it comes from the
environment (TAPEVIEW_BROKER_USER and TAPEVIEW_BROKER_PASSWORD, or TAPEVIEW_BROKER_TOKEN) or from a file that only its
owner may read, named by TAPEVIEW_BROKER_LOGIN: TOML with user and password, or token. With `?tls=on`, or `tls://` to
publish, the connection is encrypted and the broker's certificate is checked, against TAPEVIEW_BROKER_CA if it names a
file, else against what this machine trusts.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from feeds.errors import BadInput

SCHEME: Final = "broker://"
PORT: Final = 4222
KEEP_S: Final = 24 * 3600
"""How long a log made here keeps its messages."""
_HOW: Final = "broker://HOST[:PORT]/VENUE:SYMBOL[?from=SEQ|first&to=SEQ|now&tls=on]"
_UNITS: Final = {"m": 60, "h": 3600, "d": 86_400}


class Place(NamedTuple):
    """Where a broker is."""

    host: str
    port: int = PORT
    tls: bool = False

    @property
    def text(self) -> str:
        """For people and logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'nats'}://{host}:{self.port}"


class Target(NamedTuple):
    """Where to publish, and how the logs are made that are not there yet."""

    place: Place
    keep_s: int = KEEP_S
    most_bytes: int = -1
    """Bytes that a log may take, -1 for what the broker has."""


class Address(NamedTuple):
    """What to read."""

    place: Place
    venue: str
    symbol: str
    begin: int | None = None
    """The first `seq` wanted; None for the newest whole book."""
    end: int | None = None
    """The last `seq` wanted; None for no end."""
    until_now: bool = False
    """End where the log ends now."""
    text: str = ""

    @property
    def name(self) -> str:
        """VENUE:SYMBOL."""
        return f"{self.venue}:{self.symbol}"


class Login(NamedTuple):
    """Who one is; its repr says nothing."""

    user: str | None = None
    password: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return "Login(…)" if any(self) else "Login()"


def parse_target(text: str) -> Target:
    """Read `nats://HOST[:PORT]` or `tls://...`, with `?keep=24h&bytes=1000000` if need be; raises BadInput."""
    place, path, query = _parts(text, ("nats", "tls"), "nats://HOST[:PORT] or tls://HOST[:PORT]")
    if path not in ("", "/"):
        raise BadInput("--publish", text, "an address without a path: each instrument has a log of its own")
    keep, most = KEEP_S, -1
    for name, value in query.items():
        if name == "keep" and value[:-1].isdecimal() and value[-1] in _UNITS and int(value[:-1]):
            keep = int(value[:-1]) * _UNITS[value[-1]]
        elif name == "bytes" and value.isdecimal() and int(value):
            most = int(value)
        else:
            raise BadInput(f"--publish: {name}", value, "keep=24h (m, h or d) or bytes=1000000000")
    return Target(place, keep, most)


def parse_address(text: str) -> Address:
    """Read `broker://HOST[:PORT]/VENUE:SYMBOL`; raises BadInput."""
    place, path, query = _parts(text, ("broker",), _HOW)
    venue, _, symbol = path.removeprefix("/").partition(":")
    if not venue or not symbol:
        raise BadInput(text, path, _HOW)
    begin = end = None
    until_now = False
    for name, value in query.items():
        number = int(value) if value.isdecimal() and len(value) < 19 else None
        if name == "from" and (number is not None or value == "first"):
            begin = number or 0
        elif name == "to" and (number is not None or value == "now"):
            end, until_now = number, value == "now"
        elif name == "tls" and value in ("on", "off"):
            place = place._replace(tls=value == "on")
        else:
            raise BadInput(f"{text}: {name}", value, _HOW)
    if begin is not None and end is not None and end < begin:
        raise BadInput(f"{text}: to", end, f"at least {begin}")
    return Address(place, venue, symbol, begin, end, until_now, text)


def _parts(text: str, schemes: tuple[str, ...], how: str) -> tuple[Place, str, dict[str, str]]:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadInput("broker", _without_login(text), how) from None
    if parts.username is not None or parts.password is not None:
        where = "the environment or a file of 0600, never an address: see TAPEVIEW_BROKER_LOGIN"
        raise BadInput("broker", _without_login(text), where)
    if parts.scheme not in schemes or not host or parts.fragment or port == 0:
        raise BadInput("broker", text, how)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Place(host, port or PORT, parts.scheme == "tls"), parts.path, query


def _without_login(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    return scheme + mark + "…@" + rest.rpartition("@")[2] if "@" in rest else text


def login(environ: Mapping[str, str] | None = None) -> Login:
    """Who one is, from the environment or the file it names; raises BadInput for a file that others may read."""
    env = os.environ if environ is None else environ
    named = env.get("TAPEVIEW_BROKER_LOGIN")
    if not named:
        got = (env.get(f"TAPEVIEW_BROKER_{name}") or None for name in ("USER", "PASSWORD", "TOKEN"))
        return Login(*got)
    path = Path(named).expanduser()
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise BadInput(str(path), "a file that others may read", f"its mode to be 0600: chmod 600 {path}")
            content = tomllib.load(file)
    except OSError as error:
        raise BadInput(str(path), None, f"a readable file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # Not what the parser says: it would quote the line, and the line may be the password.
        raise BadInput(str(path), None, 'TOML such as user = "desk" and password = "…"') from None
    known = {"user", "password", "token"}
    if set(content) - known or not all(isinstance(value, str) for value in content.values()):
        raise BadInput(str(path), ", ".join(sorted(set(content) - known)) or None, "texts named user, password, token")
    return Login(content.get("user"), content.get("password"), content.get("token"))
