"""What a live client must know of a venue besides its frames: where to connect, what to send, how to stay."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.instruments import Instrument
from feeds.keys import Secrets
from feeds.source import Checks
from feeds.venues._contract import Venue

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

FAULTS: Final = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""Everything that decoding a frame may raise; BadInput and UnicodeError are ValueErrors."""
MAX_FRAME: Final = 1 << 23
"""Bytes of the longest frame or snapshot that is looked into; the largest true ones stay below 1 MiB."""
_KINDS: Final = 200


class Socket(msgspec.Struct, frozen=True):
    """One websocket to open and the text frames to send on it."""

    url: str
    frames: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    """What is asked for on it; empty where it is everything."""


class Request(msgspec.Struct, frozen=True):
    """A request over HTTP by POST."""

    url: str
    body: str
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"Request({self.url})"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection is kept."""

    silence_s: int
    """A connection that brings nothing for so long is taken for dead."""
    first_data_s: int = 0
    """Seconds that a new connection may take to bring data, where it may be longer than a client waits by itself."""
    ping: str = ""
    """Text frame to send when idle; empty where the protocol's own ping does."""
    ping_s: int = 20
    """Seconds between our pings."""
    max_age_s: int = 0
    """The venue ends a connection of this age; 0 where none is stated."""
    send_gap_ms: int = 300
    """Least distance of two frames we send."""
    connect_burst: int = 10
    """Connections that may be tried at once."""
    connect_s: float = 1.0
    """Seconds until one more may."""


class Notice(msgspec.Struct, frozen=True):
    """Something the venue says about the connection, not the market."""

    kind: str
    """'ack', 'error', 'closing', 'login' (a key was accepted) or 'pong'."""
    text: str = ""


class Access(Venue):
    """A venue that can also be connected to, and whose captures can be read."""

    terms: ClassVar[Terms]
    captures: ClassVar[tuple[str, ...]] = ()
    """What captures of it call the venue in their header."""
    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"s"\s*:\s*"([^"\\]{1,40})"')
    """Finds the symbol in the text of a frame, as its first group."""
    verified_by: ClassVar[str] = ""
    """Text that frames must hold for `verification` to be what the class says; empty where they always do."""
    verified_else: ClassVar[str] = "unverifiable"
    """The verification of a capture none of whose frames hold that text."""

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self.no_fetch = False
        """Nobody will fetch a snapshot, as in a file: after a gap updates go through, to a book that says so."""
        self._notices: list[Notice] = []

    @classmethod
    @abstractmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to and send for the book, trades and quotes of some symbols."""

    @classmethod
    @abstractmethod
    def instruments_url(cls) -> str:
        """Where the venue lists its instruments."""

    instruments_body: ClassVar[str] = ""
    """JSON to send there by POST; empty where a GET does."""

    @classmethod
    def listing_urls(cls, symbols: Iterable[str]) -> tuple[str, ...]:
        """Where to look for some symbols, where the venue lists its kinds of instruments apart."""
        del symbols
        return (cls.instruments_url(),)

    @classmethod
    @abstractmethod
    def read_instruments(cls, raw: bytes | str) -> dict[str, Instrument]:
        """Read such a list, by symbol; raise BadInput where it is none."""

    @classmethod
    def snapshot_url(cls, symbol: str) -> str | None:
        """Where a book's snapshot is fetched; None where it comes in band."""
        del symbol
        return None

    @classmethod
    def snapshot_symbol(cls, url: str) -> str | None:
        """The symbol whose book's snapshot is the answer at `url`; None for any other address."""
        del url
        return None

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror; recorded frames pass through it as they are, where it has none of its own."""
        from feeds.venues._voice import Voice

        return Voice

    @classmethod
    def read_heads(cls, frames: Iterable[bytes]) -> dict[str, Instrument]:
        """Derive instruments from the first frames of a capture, for a venue that lists no tick; by symbol."""
        del frames
        return {}

    secrets: ClassVar[tuple[str, ...]] = ()
    """Names of what its sockets need of a key, as `feeds.keys` finds it; empty where anybody may listen."""
    awaits_login: ClassVar[bool] = False
    """A socket's own frames are sent only when the venue has accepted the login, with a notice."""

    @classmethod
    def token_request(cls, key: Secrets, now_ms: int) -> Request | None:
        """What gets a token to subscribe with, at a time in ms since 1970; None where a key is enough."""
        del key, now_ms
        return None

    @classmethod
    def read_token(cls, raw: bytes | str) -> str:
        """Read the token from the answer; raise BadInput where it holds none."""
        del raw
        return ""

    @classmethod
    def login(cls, socket: Socket, key: Secrets, token: str, now_s: int) -> tuple[str, ...]:
        """Text frames that hold a key, a signature of the moment (s since 1970) or a token, sent before the others."""
        del socket, key, token, now_s
        return ()

    @classmethod
    def sealed(cls, socket: Socket, key: Secrets, token: str, now_s: int) -> tuple[str, ...]:
        """A socket's frames as they are sent, where they themselves hold what is secret."""
        del key, token, now_s
        return socket.frames

    @classmethod
    def headers(cls, key: Secrets) -> dict[str, str]:
        """Headers that requests over HTTP carry."""
        del key
        return {}

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew; none where only a new connection does."""
        del symbol
        return ()

    def replies(self) -> list[str]:
        """Text frames that the venue's own must be answered with; each is given once."""
        return []

    def notices(self) -> list[Notice]:
        """What the venue has said since the last call."""
        said, self._notices = self._notices, []
        return said

    def notice(self, kind: str, text: str = "") -> None:
        """Keep a notice and count it as a message without market data."""
        if len(self._notices) < 1000:
            self._notices.append(Notice(kind, clean(text, 300)))
        self.ignore(kind)

    def ignore(self, kind: str) -> None:
        """Count a message of a kind that is not used, under a bounded number of printable names."""
        kind = clean(kind, 40)
        self.checks.ignore(kind if kind in self.checks.ignored or len(self.checks.ignored) < _KINDS else "other kinds")

    def damaged(self, what: str, error: Exception) -> None:
        """Count a frame that cannot be read."""
        self.checks.damaged += 1
        self.problem(f"{what}: {str(error) or type(error).__name__}")

    def problem(self, text: str) -> None:
        """Keep a sentence, of a length that can be shown."""
        self.checks.problem(f"{self.name}: {clean(text, 300)}")


def spread(symbols: Iterable[str], most: int, make: Callable[[list[str]], Socket]) -> tuple[Socket, ...]:
    """Sockets of at most so many symbols each, one at least."""
    chosen = list(symbols)
    parts = [chosen[at : at + most] for at in range(0, max(len(chosen), 1), most)]
    return tuple(make(some) for some in parts)


def clean(text: str, most: int) -> str:
    """Text of a venue with nothing in it that a terminal would obey, cut to a length."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:most])


def bounded(raw: bytes | str) -> None:
    """Refuse a frame of a size no venue sends, before it is made into objects; raises BadInput."""
    if len(raw) > MAX_FRAME:
        raise BadInput("frame", f"{len(raw):,} bytes", f"at most {MAX_FRAME:,} bytes")


def refuse_list(venue: str, error: Exception) -> BadInput:
    """Make the BadInput for an answer that lists no instruments."""
    return BadInput(f"instruments of {venue}", str(error)[:80], "the venue's list of instruments")


def plain(increment: str) -> str:
    """An increment without the zeros a venue pads it with: '0.01000000' -> '0.01'."""
    return increment.rstrip("0").removesuffix(".") if "." in increment else increment
