"""What the columns of a table mean: said on the command line, or told by names that are in common use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from feeds.errors import BadInput

_TRADE: Final = ("price", "size")
_BOOK: Final = ("bid_price", "bid_size", "ask_price", "ask_size")
_WORDS: Final = ("time", "received", *_TRADE, "side", "maker", "id", "symbol", *_BOOK, "unit", "buy", "sell")
UNITS: Final = {"s": 9, "ms": 6, "us": 3, "ns": 0, "iso": -1}
"""Decimals that a unit of time has in ns; `iso` is text."""
_KNOWN: Final = {
    "time": (
        "timestamp", "time", "ts", "datetime", "transact_time", "trade_time", "event_time", "exchange_time", "ts_event",
    ),
    "received": ("local_timestamp", "received", "recv_time", "receive_time", "received_at", "local_time", "ts_recv"),
    "price": ("price", "px", "trade_price"),
    "size": ("size", "qty", "quantity", "amount", "volume", "trade_size"),
    "side": ("side", "taker_side", "aggressor", "aggressor_side"),
    "maker": ("is_buyer_maker", "buyer_is_maker"),
    "id": ("id", "trade_id", "agg_trade_id"),
    "symbol": ("symbol", "ticker", "instrument"),
}  # fmt: skip
_KNOWN_BOOKS: Final = tuple(
    tuple(form.format(side=side) for side in ("bid", "ask") for form in forms)
    for forms in (
        ("{side}_price_{{n}}", "{side}_size_{{n}}"), ("{side}_price_{{n}}", "{side}_qty_{{n}}"),
        ("{side}_price_{{n}}", "{side}_quantity_{{n}}"), ("{side}_price_{{n}}", "{side}_amount_{{n}}"),
        ("{side}_px_{{n}}", "{side}_sz_{{n}}"), ("{side}_px_{{n}}", "{side}_qty_{{n}}"),
        ("{side}{{n}}_price", "{side}{{n}}_size"), ("{side}{{n}}_price", "{side}{{n}}_qty"),
        ("{side}{{n}}_px", "{side}{{n}}_qty"), ("{side}s[{{n}}].price", "{side}s[{{n}}].amount"),
        ("{side}_price", "{side}_size"), ("{side}_price", "{side}_qty"), ("{side}_px", "{side}_sz"),
    )
)  # fmt: skip
_BUYS: Final = ("buy", "b", "buyer", "1", "+1")
_SELLS: Final = ("sell", "s", "seller", "-1")


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of trades or of books, by what they are."""

    time: str
    received: str = ""
    price: str = ""
    size: str = ""
    side: str = ""
    maker: str = ""
    """True where the buyer was the maker: the taker sold."""
    id: str = ""
    symbol: str = ""
    bids: tuple[tuple[str, str], ...] = ()
    """Price and size columns, best first."""
    asks: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    buys: tuple[str, ...] = _BUYS
    sells: tuple[str, ...] = _SELLS

    @property
    def columns(self) -> list[str]:
        """All that are read, each once."""
        levels = [column for pair in (*self.bids, *self.asks) for column in pair]
        one = [self.time, self.received, self.price, self.size, self.side, self.maker, self.id, self.symbol]
        return list(dict.fromkeys(column for column in (*one, *levels) if column))


def stated(text: str, names: list[str]) -> Meaning:
    """Read the words of `--columns`; raise BadInput where one is none or names a column that is not there."""
    said: dict[str, str] = {}
    for word in text.split(","):
        key, equals, value = word.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or key not in _WORDS or not value or key in said:
            raise BadInput("--columns", word, "WORD=COLUMN, once each, WORD one of " + ", ".join(_WORDS))
        said[key] = value
    unit = said.pop("unit", "")
    if unit and unit not in UNITS:
        raise BadInput("--columns: unit", unit, "one of " + ", ".join(UNITS))
    words = {
        "buys": tuple(said.pop("buy").lower().split("|")) if "buy" in said else _BUYS,
        "sells": tuple(said.pop("sell").lower().split("|")) if "sell" in said else _SELLS,
    }
    for key in ("time", "received", *_TRADE, "side", "maker", "id", "symbol"):
        if key in said and said[key] not in names:
            raise BadInput(f"--columns: {key}", said[key], "one of the columns " + ", ".join(names[:60]))
    if "time" not in said:
        raise BadInput("--columns", text, "time=COLUMN")
    books = [said.pop(key, "") for key in _BOOK]
    trades = all(key in said for key in _TRADE)
    if trades == all(books) or any(books) != all(books) or any(key in said for key in _TRADE) != trades:
        raise BadInput("--columns", text, "price and size of trades, or " + ", ".join(_BOOK) + " of books")
    if not trades:
        bids, asks = _levels(books[0], books[1], names), _levels(books[2], books[3], names)
        if not bids or not asks:
            raise BadInput("--columns", text, "columns that are there, {n} standing for the number of the level")
        return msgspec.convert({**said, "unit": unit, "bids": bids, "asks": asks}, Meaning)
    return msgspec.convert({**said, "unit": unit, **words}, Meaning)


def guessed(names: Iterable[str]) -> Meaning | None:
    """What columns mean by names that are in common use; None where they do not tell of trades or books."""
    known = list(names)
    lower = {name.lower(): name for name in known}
    found = {what: lower[first] for what, those in _KNOWN.items() if (first := _first(those, lower))}
    if "time" not in found:
        if "received" not in found:
            return None
        found["time"] = found["received"]
    if all(key in found for key in _TRADE):
        return msgspec.convert(found, Meaning)
    about: dict[str, object] = {key: found[key] for key in ("time", "received", "symbol") if key in found}
    for forms in _KNOWN_BOOKS:
        bids, asks = _levels(forms[0], forms[1], known), _levels(forms[2], forms[3], known)
        if bids and asks:
            return msgspec.convert({**about, "bids": bids, "asks": asks}, Meaning)
    return None


def _first(those: tuple[str, ...], lower: Mapping[str, str]) -> str:
    return next((name for name in those if name in lower), "")


def _levels(price: str, size: str, names: list[str]) -> tuple[tuple[str, str], ...]:
    """The pairs of columns that two forms mean, by the number of the level."""
    if "{n}" not in price or "{n}" not in size:
        return ((price, size),) if price in names and size in names else ()
    prices, sizes = (_numbered(form, names) for form in (price, size))
    both = sorted(prices.keys() & sizes.keys())
    return tuple((prices[level], sizes[level]) for level in both)


def _numbered(form: str, names: list[str]) -> dict[int, str]:
    before, _, after = form.partition("{n}")
    pattern = re.compile(re.escape(before) + r"(\d{1,4})" + re.escape(after) + r"\Z", re.ASCII)
    return {int(found[1]): name for name in names if (found := pattern.match(name))}
