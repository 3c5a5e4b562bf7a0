"""Live addresses: `VENUE:SYMBOL` to the venue's parser and the instrument as the venue lists it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from feeds import keys
from feeds.errors import BadInput
from feeds.instruments import Instrument
from feeds.rest import Answer
from feeds.venues import venues
from feeds.venues._access import Access, Socket

Get = Callable[..., Coroutine[Any, Any, Answer]]
"""Get a URL, with `body` by POST and with `headers`, as `Rest.get` does."""


class Market(NamedTuple):
    """One live address."""

    venue: type[Access]
    symbol: str

    @property
    def key(self) -> object:
        """Addresses of one key share a client."""
        return self.venue

    @property
    def text(self) -> str:
        """As it can be opened again."""
        return f"live:{self.venue.name}:{self.symbol}"


class Named(NamedTuple):
    """What is known of a venue before a broker tells of it."""

    name: str
    tier: str = ""
    verification: str = ""


class Logged(NamedTuple):
    """One instrument of a broker's logs, as it is followed live."""

    venue: Named
    symbol: str
    address: str
    """`broker://HOST[:PORT]/VENUE:SYMBOL`."""

    @property
    def key(self) -> object:
        """Each log has a reader of its own."""
        return self.address

    @property
    def text(self) -> str:
        """As it can be opened again."""
        return f"live:{self.address}"


def parse_line(address: str) -> Market | Logged:
    """Read `VENUE:SYMBOL` or `broker://HOST[:PORT]/VENUE:SYMBOL`, with or without `live:` before it.

    Raises BadInput naming what is wrong.
    """
    text = address.removeprefix("live:")
    if not text.startswith("broker://"):
        return parse(text)
    from feeds.broker.address import parse_address

    found = parse_address(text)
    return Logged(Named(found.venue), found.symbol, text)


def parse(address: str) -> Market:
    """Read `VENUE:SYMBOL`, with or without `live:` before it; raise BadInput naming what is wrong."""
    name, _, symbol = address.removeprefix("live:").partition(":")
    known = venues()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise BadInput(f"address {address!r}: venue", name, f"{near[0]!r}?" if near else "one of " + ", ".join(known))
    if not symbol:
        raise BadInput(f"address {address!r}: symbol", symbol, "a symbol of the venue, as in binance:BTCUSDT")
    return Market(known[name], symbol)


def by_venue(addresses: Iterable[str]) -> dict[type[Access], list[str]]:
    """Gather addresses by venue, each symbol once, in their order."""
    found: dict[type[Access], list[str]] = {}
    for address in addresses:
        market = parse(address)
        symbols = found.setdefault(market.venue, [])
        if market.symbol not in symbols:
            symbols.append(market.symbol)
    return found


async def listed(
    venue: type[Access],
    symbols: Iterable[str],
    get: Get,
    base: str | None = None,
) -> dict[str, tuple[int, Instrument]]:
    """Ask the venue for its instruments and find the symbols, whatever their case, as the parser takes them.

    `base` replaces scheme and host of the venue's addresses. Raises BadInput for symbols that are not listed, for an
    answer that lists nothing and for a venue whose key is missing, OSError where no answer came.
    """
    symbols = list(symbols)
    more: dict[str, Any] = {"body": venue.instruments_body} if venue.instruments_body else {}
    if venue.secrets:
        key = key_for(venue, symbols, [rebased(url, base) for url in venue.listing_urls(symbols)])
        if key is not None and (headers := venue.headers(key)):
            more["headers"] = headers
    found: dict[str, Instrument] = {}
    for url in venue.listing_urls(symbols):
        place = rebased(url, base)
        answer = await get(place, **more)
        if answer.status != 200:
            raise BadInput(
                f"instruments of {venue.name}", f"{place} answers {answer.status}", "its list of instruments"
            )
        found |= venue.read_instruments(answer.body)
    folded = {symbol.casefold(): symbol for symbol in found}
    chosen: dict[str, tuple[int, Instrument]] = {}
    for symbol in symbols:
        exact = symbol if symbol in found else folded.get(symbol.casefold())
        if exact is None:
            near = difflib.get_close_matches(symbol.casefold(), folded, 3)
            known = [folded[one] for one in near] or list(found)[:5]
            raise BadInput(f"{venue.name}: symbol", symbol, "one of its instruments, such as " + ", ".join(known))
        chosen[exact] = (len(chosen), found[exact])
    return chosen


def key_for(venue: type[Access], symbols: Iterable[str], places: Iterable[str]) -> keys.Secrets | None:
    """The key that a venue needs, where all of some URLs may see it; raises BadInput where it is missing."""
    symbols = list(symbols)
    own = [one.url for one in venue.sockets(symbols)] + [*venue.listing_urls(symbols), venue.instruments_url()]
    return keys.find_for(venue.name, venue.secrets, places, own)


def sockets(venue: type[Access], symbols: Iterable[str], base: str | None = None) -> tuple[Socket, ...]:
    """What to connect to for some symbols; `base` replaces scheme and host."""
    return tuple(Socket(rebased(one.url, base), one.frames, one.symbols) for one in venue.sockets(list(symbols)))


def rebased(url: str, base: str | None) -> str:
    """A venue's URL at another host, as for a test net or a mirror."""
    if base is None:
        return url
    parts = urlsplit(url)
    return base.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")


def check_base(place: str, base: str | None, schemes: tuple[str, ...]) -> None:
    """Refuse an address that is none of the kinds; raises BadInput."""
    if base is None:
        return
    try:
        parts = urlsplit(base)
        fine = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine:
        raise BadInput(place, base, " or ".join(f"{scheme}://HOST[:PORT]" for scheme in schemes))
