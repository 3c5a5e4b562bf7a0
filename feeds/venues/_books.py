"""What venues with snapshots in band have in common: markets by symbol, what is wanted, how a book ends."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, Protocol, TypeVar

from feeds.events import C_DISCONNECT, CLEAR, GAP, LAST, NONE, S_SYNCING, STATUS, EventBuffer
from feeds.venues._access import Access
from feeds.venues._contract import Want


class BookMarket(Protocol):
    """What must be known of a symbol."""

    symbol: str
    inst: int
    asked: bool
    touched: bool


M = TypeVar("M", bound=BookMarket)


class Books(Access, Generic[M]):
    """A venue whose snapshots and updates come over the same socket."""

    markets: dict[str, M]
    _wants: list[Want]

    def market(self, symbol: str) -> M | None:
        """Find a symbol's state; one that is not asked for is counted."""
        market = self.markets.get(symbol)
        if market is None:
            self.ignore("other symbols")
        return market

    def on_snapshot(self, symbol: str, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        del symbol, raw, recv_ns, out
        self.checks.messages += 1
        self.ignore("snapshot over REST")

    def wants(self) -> list[Want]:
        wanted, self._wants = self._wants, []
        return wanted

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        self._wants.clear()
        for market in self.markets.values():
            if market.touched:
                self.lose(market, C_DISCONNECT, "the connection ended", recv_ns, out)
                market.touched = market.asked = False

    @abstractmethod
    def lose(self, market: M, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int = NONE) -> None:
        """Write a gap, of so many messages where that is known, and forget the book."""

    def write_hole(self, market: M, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int) -> None:
        """Count a gap, say why, and write its rows."""
        self.checks.gaps += 1
        self.problem(f"{market.symbol}: {why}")
        out.append(GAP, recv_ns, NONE, 0, cause, 0, lost, NONE, market.inst)
        out.append(CLEAR, recv_ns, inst=market.inst)
        out.append(STATUS, recv_ns, aux=S_SYNCING, inst=market.inst, marks=LAST)
