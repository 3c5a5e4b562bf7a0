"""Facts as EVENT rows: which instruments a fact concerns, and what each field of its row holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from feeds.errors import BadInput
from feeds.events import F_LIQUIDATION, FACT, LAST, NONE, OFF_GRID, OFF_LOT, EventBuffer, Events
from feeds.facts.fact import Fact
from feeds.facts.kinds import KINDS, SIZE_DECIMALS
from feeds.instruments import Grid, Instrument

TOTAL: Final = "$TOTAL"
"""The market whose put and call volumes concern every instrument unless another is chosen."""
_JOINTS: Final = str.maketrans("", "", " ./-_")


class Subjects:
    """The instruments of a source by the symbols that files write.

    A symbol is an instrument's symbol, or VENUE:SYMBOL, or an alias for one; BRK.B, BRK/B and BRKB are the same.
    Facts of the chosen market concern every instrument.
    """

    def __init__(
        self, instruments: Sequence[Instrument], aliases: Mapping[str, str] | None = None, market: str = TOTAL
    ) -> None:
        self.instruments = tuple(instruments)
        self._found: dict[str, tuple[int, ...]] = {}
        for at, instrument in enumerate(self.instruments):
            for name in (instrument.symbol, instrument.name):
                key = name.translate(_JOINTS)
                self._found[key] = (*self._found.get(key, ()), at)
        for alias, name in (aliases or {}).items():
            self._found[alias.translate(_JOINTS)] = self.of(name)
        self._found[market.translate(_JOINTS)] = tuple(range(len(self.instruments)))

    def of(self, symbol: str) -> tuple[int, ...]:
        """Numbers of the instruments a symbol concerns, perhaps none."""
        return self._found.get(symbol.translate(_JOINTS), ())

    def wanted(self, symbol: str) -> bool:
        """Say whether the symbol concerns any instrument."""
        return bool(self.of(symbol))

    def append(self, fact: Fact, recv_ns: int, out: EventBuffer) -> None:
        """Write a fact's rows, a message each; raise BadInput where an instrument's lots or ticks cannot hold it."""
        for inst in self.of(fact.symbol):
            lots, tick, marks = fact.value, 0, LAST
            if KINDS[fact.kind].in_lots:
                instrument = self.instruments[inst]
                lots, on = _count(instrument.size, fact.value, fact, "value")
                marks |= 0 if on else OFF_LOT
                if fact.kind == F_LIQUIDATION:
                    tick, on = _count(instrument.price, fact.price, fact, "price")
                    marks |= 0 if on else OFF_GRID
            out.append(FACT, recv_ns, NONE, tick, lots, fact.side, fact.as_of_ns, fact.kind, inst, marks)


def _count(grid: Grid, value: int, fact: Fact, field: str) -> tuple[int, bool]:
    try:
        return grid.read(f"{value}e-{SIZE_DECIMALS}")
    except BadInput as error:
        raise BadInput(f"{fact.place}: {field}", error.value, error.expected) from None


def fact_rows(facts: Iterable[Fact], subjects: Subjects, recv_ns: int | None = None) -> Events:
    """Rows of facts in their order, received when they became known or at `recv_ns`; not numbered."""
    out = EventBuffer()
    for fact in facts:
        subjects.append(fact, fact.known_ns if recv_ns is None else recv_ns, out)
    return out.take()
