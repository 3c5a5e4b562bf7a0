"""Interactive Brokers through `ib_async`: depth and tick-by-tick prints of TWS or its gateway on this machine.

Only the package's client is used, which speaks the protocol; rows of the book are kept here, as inserting and deleting
move the rows behind. IB tells no aggressor, whole seconds of time for prints and none for depth.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from feeds.bridges._bridge import Bridge
from feeds.errors import BadInput, MissingExtra
from feeds.events import (
    ASK,
    BID,
    BOOK,
    CLEAR,
    LAST,
    NONE,
    OFF_GRID,
    OFF_LOT,
    OTHER,
    REGULAR,
    S_LIVE,
    S_SYNCING,
    SNAPSHOT,
    STATUS,
    TRADE,
    UNKNOWN,
)  # fmt: skip
from feeds.instruments import Grid, Instrument

HOST: Final = "127.0.0.1"
PORT: Final = 7497
"""TWS with a paper account; 7496 live, 4002 and 4001 the gateway."""
ROWS: Final = 10
_SECOND: Final = 1_000_000_000
_TIMEOUT_S: Final = 10.0
_PING_S: Final = 20.0
_ROUND_S: Final = 0.02
_INSERT, _UPDATE, _DELETE = 0, 1, 2
_LOST, _RESTORED = 1100, {1101, 1102}
_RESET: Final = 317
_QUIET: Final = {2104, 2106, 2107, 2108, 2119, 2158}
"""Codes that say that all is well."""


class IbBridge(Bridge):
    """Stocks by their symbol, `AAPL`; others as SECTYPE/SYMBOL/EXCHANGE/CURRENCY, with /YYYYMM for futures.

    `TAPEVIEW_IB` may say where TWS or its gateway listens, HOST:PORT.
    """

    name: ClassVar[str] = "ib"

    def __init__(
        self, symbols: Sequence[str], *, host: str | None = None, port: int | None = None, client: int = 17,
        **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(symbols, **more)
        where = os.environ.get("TAPEVIEW_IB", f"{HOST}:{PORT}")
        said, _, number = where.rpartition(":")
        if not said or not number.isascii() or not number.isdigit() or not 0 < int(number) < 65_536:
            raise BadInput("TAPEVIEW_IB", where, "HOST:PORT")
        self._host, self._port = host or said, port or int(number)
        self._client = client
        self._asked = [_contract_words(symbol) for symbol in self.symbols]
        self._details: list[Any] = []

    async def prepare(self) -> Mapping[str, tuple[int, Instrument]]:
        """Ask for the contracts; raise OSError where nothing answers, BadInput where one is not known."""
        client, listener = self._connect()
        try:
            await _open(client, self._host, self._port, self._client)
            self._details = [await listener.details(client, words) for words in self._asked]
        finally:
            client.disconnect()
        made = []
        for symbol, found in zip(self.symbols, self._details, strict=True):
            if found is None:
                raise BadInput("address ib: symbol", symbol, "a contract that IB knows, and only one")
            made.append(_instrument(symbol, found))
        self.instruments = tuple(made)
        return {one.symbol: (at, one) for at, one in enumerate(made)}

    def _connect(self) -> tuple[Any, _Listener]:
        try:
            from ib_async.client import Client
        except ImportError:
            raise MissingExtra("ib", "ib") from None
        listener = _Listener(self)
        return Client(listener), listener

    async def session(self) -> str:
        """One connection, until TWS ends it or says that it lost and found its own."""
        client, listener = self._connect()
        try:
            await _open(client, self._host, self._port, self._client)
            self.opened()
            for inst, found in enumerate(self._details):
                depth, prints = client.getReqId(), client.getReqId()
                listener.depths[depth], listener.prints[prints] = inst, inst
                client.reqMktDepth(depth, found.contract, ROWS, False, None)
                client.reqTickByTickData(prints, found.contract, "AllLast", 0, False)
            asked = self.times.now()[1]
            while not listener.ended and client.isConnected():
                now = self.times.now()[1]
                if now - asked >= _PING_S * _SECOND:
                    asked = now
                    client.reqCurrentTime()
                await asyncio.sleep(_ROUND_S)
            return listener.ended or "TWS ended the connection"
        finally:
            client.disconnect()


class _Listener:
    """What the package's client calls, by the names of the protocol's messages."""

    def __init__(self, bridge: IbBridge) -> None:
        self.bridge = bridge
        self.depths: dict[int, int] = {}
        self.prints: dict[int, int] = {}
        """Instruments by the numbers of our requests."""
        self.ended = ""
        """Why the session is to end."""
        self.rows: dict[int, tuple[list[_Row], list[_Row]]] = {}
        """Rows of the books that are live, bids and asks."""
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._found: dict[int, list[Any]] = {}
        self._open: set[int] = set()

    # -- contracts -------------------------------------------------------------------------------
    async def details(self, client: Any, words: Mapping[str, str]) -> Any:
        """The details of the one contract that is meant; None where there is none or several."""
        from ib_async.contract import Contract

        number = client.getReqId()
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._found[number] = []
        client.reqContractDetails(number, Contract(**words))
        await asyncio.wait_for(self._waiting[number], _TIMEOUT_S)
        found = self._found.pop(number)
        return found[0] if len(found) == 1 else None

    def contractDetails(self, number: int, found: Any) -> None:  # noqa: N802
        self._found.setdefault(number, []).append(found)

    def contractDetailsEnd(self, number: int) -> None:  # noqa: N802
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    # -- data ------------------------------------------------------------------------------------
    def updateMktDepth(  # noqa: N802
        self, number: int, position: int, operation: int, side: int, price: float, size: float
    ) -> None:
        self.updateMktDepthL2(number, position, "", operation, side, price, size)

    def updateMktDepthL2(  # noqa: N802
        self, number: int, position: int, _maker: str, operation: int, side: int, price: float, size: float,
        _smart: bool = False,
    ) -> None:  # fmt: skip
        inst = self.depths.get(number)
        if inst is None:
            return
        bridge = self.bridge
        recv_ns, _ = bridge.times.now()
        bridge.heard(recv_ns)
        bridge.checks.messages += 1
        try:
            row = None if operation == _DELETE else _read(bridge.instruments[inst], price, size)
        except BadInput as error:
            bridge.checks.damaged += 1
            bridge.checks.problem(str(error))
            return
        if inst not in self.rows:
            self.rows[inst] = ([], [])
            bridge.out.append(CLEAR, recv_ns, inst=inst, marks=SNAPSHOT)
            bridge.out.append(STATUS, recv_ns, aux=S_LIVE, inst=inst, marks=SNAPSHOT | LAST)
        mine = self.rows[inst][0 if side == 1 else 1]
        touched = _change(mine, position, operation, row)
        if touched is None:
            bridge.checks.damaged += 1
            bridge.checks.problem(f"a row {position} of {len(mine)} cannot be changed by operation {operation}")
            return
        for tick, marks in dict.fromkeys(touched):
            lots = sum(one.lots for one in mine if one.tick == tick and one.marks & OFF_GRID == marks & OFF_GRID)
            off = any(one.marks & OFF_LOT for one in mine if one.tick == tick)
            if off:
                fine = bridge.instruments[inst].size.fine
                lots = sum(one.lots if one.marks & OFF_LOT else one.lots * fine for one in mine if one.tick == tick)
            bridge.out.append(
                BOOK, recv_ns, NONE, tick, lots, BID if side == 1 else ASK, inst=inst,
                marks=(marks & OFF_GRID) | (OFF_LOT if off else 0),
            )  # fmt: skip
            self._open.add(inst)

    def tickByTickAllLast(  # noqa: N802
        self, number: int, _kind: int, time: int, price: float, size: float, attributes: Any, _exchange: str,
        _conditions: str,
    ) -> None:  # fmt: skip
        inst = self.prints.get(number)
        if inst is None or size <= 0:
            return
        bridge = self.bridge
        recv_ns, _ = bridge.times.now()
        bridge.heard(recv_ns)
        bridge.checks.messages += 1
        try:
            row = _read(bridge.instruments[inst], price, size)
        except BadInput as error:
            bridge.checks.damaged += 1
            bridge.checks.problem(str(error))
            return
        self._end_message()
        exch_ns = time * _SECOND if 0 < time < 2**33 else NONE
        kind = OTHER if attributes.unreported else REGULAR
        bridge.out.append(TRADE, recv_ns, exch_ns, row.tick, row.lots, UNKNOWN, NONE, kind, inst, row.marks | LAST)

    def currentTime(self, _time: int) -> None:  # noqa: N802
        self.bridge.alive()

    def tcpDataProcessed(self) -> None:  # noqa: N802
        """Rows that came together are one message."""
        self._end_message()

    def _end_message(self) -> None:
        if self._open:
            self._open.clear()
            self.bridge.out.mark_last()

    # -- the connection ----------------------------------------------------------------------------
    def error(self, number: int, code: int, text: str, _reject: str = "") -> None:
        bridge = self.bridge
        if code in _QUIET:
            bridge.alive()
            return
        bridge.tell(f"IB {code}: {text}")
        if code == _LOST:
            self._forget(list(self.rows))
        elif code in _RESTORED:
            self.ended = f"IB {code}: {text}"
        elif code == _RESET and number in self.depths:
            self._forget([self.depths[number]])
        elif number in self._waiting:
            self.contractDetailsEnd(number)

    def _forget(self, insts: list[int]) -> None:
        recv_ns, _ = self.bridge.times.now()
        self._end_message()
        for inst in insts:
            if self.rows.pop(inst, None) is not None:
                self.bridge.out.append(CLEAR, recv_ns, inst=inst)
                self.bridge.out.append(STATUS, recv_ns, aux=S_SYNCING, inst=inst, marks=LAST)

    def connectAck(self) -> None:  # noqa: N802
        """The handshake was answered."""

    def connectionClosed(self) -> None:  # noqa: N802
        self.ended = self.ended or "TWS closed the connection"

    def setEventsDone(self) -> None:  # noqa: N802
        """Nothing waits for events here."""


class _Row:
    __slots__ = ("lots", "marks", "tick")

    def __init__(self, tick: int, lots: int, marks: int) -> None:
        self.tick, self.lots, self.marks = tick, lots, marks


def _read(instrument: Instrument, price: float, size: float) -> _Row:
    tick, on_grid = instrument.price.read(repr(float(price)))
    lots, on_lot = instrument.size.read(repr(float(size)))
    if lots < 0:
        raise BadInput("size", size, "a size of 0 or more")
    return _Row(tick, lots, (0 if on_grid else OFF_GRID) | (0 if on_lot else OFF_LOT))


def _change(rows: list[_Row], position: int, operation: int, row: _Row | None) -> list[tuple[int, int]] | None:
    """Change rows as the protocol says; the prices concerned, None where it cannot be."""
    if operation == _INSERT and row is not None and 0 <= position <= len(rows):
        rows.insert(position, row)
        gone = rows[ROWS:]
        del rows[ROWS:]
        return [(one.tick, one.marks) for one in (row, *gone)]
    if operation == _UPDATE and row is not None and 0 <= position < len(rows):
        old, rows[position] = rows[position], row
        return [(row.tick, row.marks), (old.tick, old.marks)]
    if operation == _UPDATE and row is not None and position == len(rows):
        rows.append(row)
        return [(row.tick, row.marks)]
    if operation == _DELETE and 0 <= position < len(rows):
        old = rows.pop(position)
        return [(old.tick, old.marks)]
    return None


async def _open(client: Any, host: str, port: int, number: int) -> None:
    try:
        await client.connectAsync(host, port, number, _TIMEOUT_S)
    except (OSError, TimeoutError) as error:
        what = str(error) or "no answer"
        raise OSError(f"TWS or IB Gateway at {host}:{port}: {what}") from None


def _contract_words(symbol: str) -> dict[str, str]:
    parts = symbol.split("/")
    if len(parts) == 1 and symbol:
        return {"secType": "STK", "symbol": symbol, "exchange": "SMART", "currency": "USD"}
    if len(parts) not in {4, 5} or not all(parts):
        raise BadInput("address ib: symbol", symbol, "AAPL, or SECTYPE/SYMBOL/EXCHANGE/CURRENCY[/YYYYMM]")
    words = dict(zip(("secType", "symbol", "exchange", "currency"), parts, strict=False))
    if len(parts) == 5:
        words["lastTradeDateOrContractMonth"] = parts[4]
    return words


def _instrument(symbol: str, found: Any) -> Instrument:
    tick = _increment(found.minTick)
    lot = _increment(found.sizeIncrement)
    return Instrument(
        venue=IbBridge.name, symbol=symbol, tick=tick or "0.01", lot=lot or "1",
        multiplier=_increment(found.contract.multiplier or 1) or "1", currency=str(found.contract.currency or ""),
        derived=not tick, locked_ok=True,
    )  # fmt: skip


def _increment(value: object) -> str:
    try:
        number = float(str(value))
        return Grid(repr(number).removesuffix(".0")).text(1) if 0 < number < 1e9 else ""
    except (ValueError, BadInput):
        return ""
