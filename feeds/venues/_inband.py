"""What venues have in common whose book comes over the socket: a snapshot, then absolute sizes, and no checksum.

Which update follows which is the venue's own; here is what comes of it: rebuilds, changes, gaps, what is to be
subscribed anew, and prints, quotes and slow facts as rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.events import (
    ASK,
    BAD_TIME,
    BID,
    BOOK,
    C_DAMAGED,
    C_DISCONNECT,
    C_SEQUENCE,
    CLEAR,
    FACT,
    LAST,
    NONE,
    QUOTE,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    TRADE,
    EventBuffer,
)
from feeds.instruments import Instrument
from feeds.sequencer import Ids, Rule, Sequencer, Step, spot
from feeds.source import Checks
from feeds.venues._books import Books
from feeds.venues._contract import Want
from feeds.venues._levels import Numbers, Packed, Sides, book_rows, packed_rows

_FEW: Final = 150
_SHORT: Final = 4000
"""Bytes of level arrays that hold about so few levels."""
_PAIRS: Final = msgspec.json.Decoder(list[tuple[str, str]])
_RESTATED_NS: Final = 1_000_000_000
"""A fact that has not changed is told again after so long."""


class Print(NamedTuple):
    """One print, read."""

    tick: int
    lots: int
    side: int
    ident: int
    """The venue's id where it rises with every print, else NONE."""
    exch_ns: int
    kind: int
    marks: int


class Fact(NamedTuple):
    """One slow input, read."""

    aux: int
    lots: int
    marks: int = 0
    tick: int = 0
    side: int = 0


class Few(NamedTuple):
    """The levels of a short message with values off the grids."""

    rows: list[tuple[int, int, int, int]]
    """(side, tick, lots, marks), bids first."""

    def __len__(self) -> int:
        return len(self.rows)


Levels = Sides | Packed | Few
"""The levels of one message, in the form that costs least for so many."""


class Market:
    """One symbol's state."""

    def __init__(self, symbol: str, inst: int, instrument: Instrument, rule: Rule) -> None:
        self.symbol = symbol
        self.inst = inst
        self.numbers = Numbers(instrument)
        self.fine_lot = instrument.size.fine
        """Fine units in a lot."""
        self.sequencer = Sequencer(rule)
        self.channel = ""
        """The channel its book is read from."""
        self.live = False
        self.partial = False
        """Nobody fetches a snapshot: updates go through to a book of what changed since the gap."""
        self.broken = False
        self.asked = False
        self.touched = False
        self.last_print = NONE
        self.facts: dict[int, tuple[int, int]] = {}
        """The value and time of each fact as last told."""
        self.quote: dict[str, str] = {}
        """Texts of the best prices and sizes, where the venue sends only those that changed."""

    def sides(self, pairs: Sequence[tuple[str, str]], bids: int) -> Levels:
        """Read (price, size) texts, the first `bids` of them bids; raises BadInput, also below 0."""
        if len(pairs) <= _FEW:
            packed = self.numbers.packed(pairs[:bids], pairs[bids:])
            if packed is not None:
                return packed
            price, size = self.numbers.price, self.numbers.size
            rows = []
            for i, (price_text, size_text) in enumerate(pairs):
                (tick, off_tick), (lots, off_lot) = price(price_text), size(size_text)
                if tick < 0 or lots < 0:
                    raise BadInput("level", f"{price_text} x {size_text}", "a price and a size of 0 or more")
                rows.append((BID if i < bids else ASK, tick, lots, off_tick | off_lot))
            return Few(rows)
        sides = self.numbers.texts(pairs, bids)
        if len(sides) and int(sides.values.min()) < 0:
            raise BadInput("level", int(sides.values.min()), "a price and a size of 0 or more")
        return sides

    def arrays(self, bids: msgspec.Raw, asks: msgspec.Raw) -> Levels:
        """Read two JSON arrays of [price, size] texts; raises a ValueError."""
        if len(memoryview(bids)) + len(memoryview(asks)) > _SHORT:
            return self.numbers.sides(bytes(bids), bytes(asks))
        higher, lower = _PAIRS.decode(bids), _PAIRS.decode(asks)
        return self.numbers.packed(higher, lower) or self.sides(higher + lower, len(higher))

    def print(self, price: str, size: str, side: int, ident: int, exch_ns: int, kind: int = REGULAR) -> Print:
        """Read one print; raises BadInput."""
        tick, off_tick = self.numbers.price(price)
        lots, off_lot = self.numbers.size(size)
        return Print(tick, lots, side, ident, exch_ns, kind, off_tick | off_lot)


class InBand(Books[Market]):
    """A venue whose snapshots and updates come over the same socket."""

    rule: Rule = staticmethod(spot)
    heals: ClassVar[str] = "resubscribe"
    """What gets a new snapshot, as a Want says it."""
    counts_prints: ClassVar[bool] = False
    """Ids of prints rise by exactly 1, so that a jump tells how many were missed."""

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        rule = type(self).rule
        self.markets = {symbol: Market(symbol, inst, one, rule) for symbol, (inst, one) in instruments.items()}
        self._wants: list[Want] = []

    def on_disconnect(self, recv_ns: int, out: EventBuffer) -> None:
        for market in self.markets.values():
            market.channel = ""
            market.quote.clear()
        super().on_disconnect(recv_ns, out)

    # -- the book -----------------------------------------------------------------------------
    def one_channel(self, market: Market, channel: str) -> bool:
        """Whether a book channel is the one its symbol is read from: the first that is seen."""
        if market.channel not in ("", channel):
            self.ignore(f"second {channel}")
            return False
        market.channel = channel
        return True

    def rebuild(self, market: Market, at: int, sides: Levels, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        """Replace the book by a snapshot with id `at`, whenever it comes."""
        market.sequencer.reset()
        if at != NONE:
            market.sequencer.snapshot(at)
        if market.broken:
            self.checks.resyncs += 1
        market.live = market.touched = True
        market.broken = market.asked = market.partial = False
        marks = SNAPSHOT | (BAD_TIME if exch_ns == 0 else 0)
        ends = 0 if len(sides) else LAST
        out.append(CLEAR, recv_ns, exch_ns, ref=at, inst=market.inst, marks=marks | ends)
        self._levels(sides, recv_ns, exch_ns, at, market.inst, marks, out)
        out.append(STATUS, recv_ns, exch_ns, ref=at, aux=S_LIVE, inst=market.inst, marks=LAST | marks & BAD_TIME)

    def follows(self, market: Market, ids: Ids, recv_ns: int, out: EventBuffer, *, counter: bool = False) -> bool:
        """Judge an update's ids: False for one seen before; a hole before it costs the book.

        With `counter` ids rise by 1, so that the hole's length is known.
        """
        at = market.sequencer.id
        step = market.sequencer.update(*ids)
        if step is Step.IGNORE:
            self.checks.duplicates += 1
            return False
        if step in (Step.GAP, Step.REFETCH):
            lost = ids[1] - at - 1 if counter and ids[1] > at else NONE
            self.lose(market, C_SEQUENCE, f"update {ids[1]} does not follow {at}", recv_ns, out, lost)
        return True

    def change(self, market: Market, ref: int, sides: Levels, exch_ns: int, recv_ns: int, out: EventBuffer) -> None:
        """Apply an update, where there is a book to apply it to."""
        market.touched = True
        if not (market.live or market.partial):
            self.ignore("update before the snapshot")
            self.ask(market, "updates without a snapshot")
            return
        marks = BAD_TIME if exch_ns == 0 else 0
        if len(sides):
            self._levels(sides, recv_ns, exch_ns, ref, market.inst, marks, out)
        else:
            status = S_LIVE if market.live else S_SYNCING
            out.append(STATUS, recv_ns, exch_ns, ref=ref, aux=status, inst=market.inst, marks=LAST | marks)

    def _levels(
        self, sides: Levels, recv_ns: int, exch_ns: int, ref: int, inst: int, marks: int, out: EventBuffer
    ) -> None:
        if isinstance(sides, Packed):
            if len(sides):
                out.extend_bytes(packed_rows(sides, recv_ns, exch_ns, ref, inst, marks))
                out.mark_last()
        elif isinstance(sides, Few):
            for side, tick, lots, off in sides.rows:
                self.checks.off_grid += off != 0
                out.append(BOOK, recv_ns, exch_ns, tick, lots, side, ref, 0, inst, marks | off)
            if sides.rows:
                out.mark_last()
        elif len(sides):
            if sides.marks is not None:
                self.checks.off_grid += int((sides.marks != 0).sum())
            out.extend(book_rows(sides, recv_ns, exch_ns, ref, inst, marks))

    def ask(self, market: Market, why: str) -> None:
        """Want a new snapshot of the symbol's book, once until it comes."""
        if not market.asked:
            market.asked = True
            self._wants.append(Want(self.heals, market.symbol, why))

    def ask_again(self, market: Market, why: str) -> None:
        """Want a new snapshot also where one was asked for, as it may have been what was lost."""
        market.asked = False
        self.ask(market, why)

    def lose(
        self, market: Market, cause: int, why: str, recv_ns: int, out: EventBuffer, lost: int = NONE
    ) -> None:  # fmt: skip
        """Write a gap of `lost` messages and forget the book."""
        self.write_hole(market, cause, why, recv_ns, out, lost)
        market.sequencer.reset()
        market.live = False
        market.broken = True
        market.partial = self.no_fetch and cause != C_DISCONNECT
        if cause != C_DISCONNECT:
            self.ask(market, why)

    def lose_damaged(self, symbol: str, recv_ns: int, out: EventBuffer) -> None:
        """Write the gap of a book message that cannot be read, where it is known whose it was."""
        market = self.markets.get(symbol)
        if market is None:
            return
        if market.live or market.partial:
            self.lose(market, C_DAMAGED, "a book message cannot be read", recv_ns, out)
        else:
            self.ask_again(market, "a book message cannot be read")

    # -- prints, quotes, facts ----------------------------------------------------------------
    def write_prints(self, market: Market, prints: Iterable[Print], recv_ns: int, out: EventBuffer) -> None:
        """Write prints in their order; those seen before are counted, as are those that never came."""
        for one in prints:
            if one.lots <= 0 or one.tick < 0:
                self.ignore("print of no size" if one.lots == 0 else "print of negative price or size")
                continue
            if one.ident != NONE:
                last = market.last_print
                if one.ident <= last:
                    self.checks.duplicates += 1
                    continue
                if self.counts_prints and last != NONE and one.ident != last + 1:
                    self.problem(f"{market.symbol}: {one.ident - last - 1} prints missed before {one.ident}")
                market.last_print = one.ident
            market.touched = True
            self.checks.off_grid += one.marks != 0
            marks = LAST | one.marks | (BAD_TIME if one.exch_ns == 0 else 0)
            out.append(
                TRADE, recv_ns, one.exch_ns, one.tick, one.lots, one.side, one.ident, one.kind, market.inst, marks
            )

    def write_quote(
        self, market: Market, texts: tuple[str, str, str, str], exch_ns: int, recv_ns: int, out: EventBuffer
    ) -> None:
        """Write the venue's own best bid and ask, of the texts bid, its size, ask, its size.

        Quotes of these venues have no number of the books' numbering, so that none is told.
        """
        rows = []
        for side, price, size in ((BID, *texts[:2]), (ASK, *texts[2:])):
            tick, off_tick = market.numbers.price(price)
            lots, off_lot = market.numbers.size(size)
            if tick < 0 or lots < 0:
                raise BadInput("quote", f"{price} x {size}", "a price and a size of 0 or more")
            rows.append((side, tick, lots, off_tick | off_lot))
        for side, tick, lots, off in rows:
            self.checks.off_grid += off != 0
            marks = off | (LAST if side == ASK else 0) | (BAD_TIME if exch_ns == 0 else 0)
            out.append(QUOTE, recv_ns, exch_ns, tick, lots, side, NONE, 0, market.inst, marks)

    def write_facts(
        self, market: Market, facts: Iterable[Fact], exch_ns: int, recv_ns: int, out: EventBuffer
    ) -> int:  # fmt: skip
        """Write slow inputs that changed or were last told a second ago; how many."""
        told = []
        for one in facts:
            if one.side == 0:
                value, when = market.facts.get(one.aux, (NONE, NONE))
                if value == one.lots and 0 <= exch_ns - when < _RESTATED_NS:
                    continue
                market.facts[one.aux] = (one.lots, exch_ns)
            told.append(one)
        for i, one in enumerate(told):
            marks = one.marks | (LAST if i == len(told) - 1 else 0) | (BAD_TIME if exch_ns == 0 else 0)
            out.append(
                FACT, recv_ns, exch_ns, one.tick, one.lots, one.side, exch_ns, one.aux, market.inst, marks
            )  # fmt: skip
        return len(told)
