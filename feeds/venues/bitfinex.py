"""Bitfinex: books by price (P0) and by order (R0), counted by socket and checked by a CRC32 over 25 levels a side.

A row of P0 is price, count of orders, amount; a count of 0 deletes. A row of R0 is order id, price, amount; a
price of 0 deletes. Amounts below 0 are asks. The checksum comes as a message of its own, every few seconds
while a book changes; one that disagrees may heal by itself, two in a row do not.
"""

from __future__ import annotations

import zlib
from typing import ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import ASK, BID, NONE, EventBuffer
from feeds.venues._bitfinex import CHECKED_LEVELS, Bitfinex, amount, count, text, within
from feeds.venues._orders import Change, Order, OrderMarket, Orders
from feeds.venues._verified import Depth, Level, Market


def signed(crc: int) -> int:
    """A CRC32 as a signed number of 32 bits."""
    return crc - (1 << 32) if crc & 0x8000_0000 else crc


def checksum(market: Market) -> int:
    """Signed CRC32 over the 25 best bids and asks in turn, `price:amount` each, asks below 0."""
    return _turns(market.sides[BID].top(CHECKED_LEVELS), market.sides[ASK].top(CHECKED_LEVELS))


def order_checksum(market: OrderMarket) -> int:
    """Signed CRC32 over the 25 best orders of both sides in turn, `id:amount` each; at one price by id."""
    return _turns(_best(market, BID), _best(market, ASK))


def _best(market: OrderMarket, side: int) -> list[str]:
    texts: list[str] = []
    for level in market.best(side, CHECKED_LEVELS):
        texts += [order.text for order in sorted(level, key=_number)]
    return texts[:CHECKED_LEVELS]


def _number(order: Order) -> int:
    return order.number


def _turns(bids: list[str], asks: list[str]) -> int:
    texts: list[str] = []
    for i in range(max(len(bids), len(asks))):
        texts += bids[i : i + 1] + asks[i : i + 1]
    return signed(zlib.crc32(":".join(texts).encode()))


class BitfinexLevels(Bitfinex):
    """Bitfinex's books by price."""

    name: ClassVar[str] = "bitfinex"
    captures: ClassVar[tuple[str, ...]] = ("BITFINEX",)
    precision: ClassVar[str] = "P0"
    length: ClassVar[str] = "250"

    def take(
        self, market: Market, rows: list[list[msgspec.Raw]], times: tuple[int, int], checksum_: int | None,
        out: EventBuffer, *, snapshot: bool,
    ) -> None:  # fmt: skip
        """Take the rows of one book message, or its checksum."""
        levels = [_level(market, row) for row in rows]
        self.emit(market, Depth(levels, snapshot, times[1], NONE, checksum_), times[0], out, checksum)


class BitfinexOrders(Bitfinex, Orders):
    """Bitfinex's books by order."""

    name: ClassVar[str] = "bitfinex-r0"
    tier: ClassVar[str] = "A"
    market_type = OrderMarket
    precision: ClassVar[str] = "R0"
    length: ClassVar[str] = "250"

    def take(
        self, market: Market, rows: list[list[msgspec.Raw]], times: tuple[int, int], checksum_: int | None,
        out: EventBuffer, *, snapshot: bool,
    ) -> None:  # fmt: skip
        """Take the rows of one book message, or its checksum."""
        assert isinstance(market, OrderMarket)
        changes = [_change(market, row) for row in rows]
        self.write(market, changes, times, out, order_checksum, checksum_, snapshot=snapshot)

    @classmethod
    def price_in(cls, row: list[msgspec.Raw]) -> str:
        """The price of a row of a book."""
        return text(row[1])


def _level(market: Market, row: list[msgspec.Raw]) -> Level:
    if len(row) != 3:
        raise BadInput("level", len(row), "price, count and amount")
    price, orders, number = text(row[0]), count(row[1]), text(row[2])
    size, asked = amount(number)
    if price.startswith("-"):
        raise BadInput("price", price, "0 or more")
    exact = within(price, market.numbers.instrument.price)
    level = market.level(ASK if asked else BID, exact, size if orders else "0", f"{price}:{number}", min(orders, 10**9))
    if orders and not level.lots:
        raise BadInput("amount", number, "an amount of the level's orders")
    return level


def _change(market: OrderMarket, row: list[msgspec.Raw]) -> Change:
    if len(row) != 3:
        raise BadInput("order", len(row), "id, price and amount")
    ident, price, number = count(row[0]), text(row[1]), text(row[2])
    size, asked = amount(number)
    price = within(price, market.numbers.instrument.price)
    change = market.change(ident, ASK if asked else BID, price, size, f"{ident}:{number}")
    return change._replace(lots=0) if change.tick == 0 else change


VENUES: Final = (BitfinexLevels, BitfinexOrders)
