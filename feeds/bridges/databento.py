"""Databento live: one dataset's records through the package `databento`, under a supervisor of our own.

The package's client connects, proves the key and hands records over as DBN; it neither waits between attempts nor
fills the hole when it connects again by itself, so that it is told not to. Each session is a new client: orders begin
with a snapshot, and the first data of a later session is told as a gap as long as nothing came.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import numpy as np

from feeds.bridges._bridge import Bridge
from feeds.errors import BadInput, MissingExtra
from feeds.events import LAST, Events
from feeds.files._dbn import UNDEF_TIME, Frames, Records, named, read_metadata
from feeds.files._dbn_rows import BookRows, OrderRows, Starts
from feeds.files._exact import Ints
from feeds.files._streams import Stream
from feeds.files.databento import contract_of
from feeds.instruments import Instrument
from feeds.keys import find

if TYPE_CHECKING:
    import databento

KEY: Final = "DATABENTO_API_KEY"
SCHEMAS: Final = {"mbo": 160, "mbp-10": 10, "mbp-1": 1, "tbbo": 1, "trades": 0}
_TIERS: Final = {"mbo": "A", "mbp-10": "B", "mbp-1": "D", "tbbo": "D", "trades": "D"}
_HEARTBEAT_S: Final = 10
_MAPPING, _ERROR, _SYSTEM = 22, 21, 23
_ROUND_S: Final = 0.01
_HEAD: Final = 8
_MOST_HELD: Final = 1 << 20


class DatabentoBridge(Bridge):
    """Symbols of one dataset, `DATASET/SYMBOL` or `DATASET/SYMBOL@SCHEMA`; orders (mbo) where no schema is said.

    The key is `DATABENTO_API_KEY`, from the environment or the file of keys. `gateway` and `port` say where to connect
    in place of the dataset's own gateway.
    """

    name: ClassVar[str] = "databento"
    silence_s = 25.0  # of heartbeats every 10 s

    def __init__(
        self, symbols: Sequence[str], *, gateway: str | None = None, port: int = 13_000, key: str | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(symbols, **more)
        asked = [_asked(symbol) for symbol in self.symbols]
        for what, at in (("one dataset", 0), ("one schema", 2)):
            if len({one[at] for one in asked}) > 1:
                raise BadInput("databento", ", ".join(self.symbols)[:80], f"symbols of {what}")
        self.dataset, _, self.schema = asked[0]
        self.names = [name for _, name, _ in asked]
        self.tier = _TIERS[self.schema]
        self._gateway, self._port, self._key = gateway, port, key
        self._pipe = _Pipe()

    async def prepare(self) -> Mapping[str, tuple[int, Instrument]]:
        """Make the instruments: futures of CME by the table of contracts, others with a tick of 0.01."""
        try:
            import databento  # noqa: F401
        except ImportError:
            raise MissingExtra("Databento live", "databento-live") from None
        self._key = self._key or find("databento", [KEY])[KEY]
        made = []
        for name in self.names:
            contract = contract_of(name) if self.dataset == "GLBX.MDP3" else None
            made.append(
                Instrument(
                    venue=self.name, symbol=f"{self.dataset}/{name}", tick=contract.tick if contract else "0.01",
                    multiplier=contract.multiplier if contract else "1",
                    currency=contract.currency if contract else "", derived=contract is None,
                    locked_ok=self.dataset != "GLBX.MDP3",
                )
            )  # fmt: skip
        self.instruments = tuple(made)
        return {one.symbol: (at, one) for at, one in enumerate(made)}

    async def session(self) -> str:
        """One client, from its connection to its end."""
        import databento

        self._pipe = _Pipe()
        client = await asyncio.to_thread(self._connect)
        self.opened()
        decoder = _Decoder(self)
        try:
            while True:
                alive = client.is_connected()
                data = self._pipe.take()
                if data:
                    decoder.write(data)
                if not alive:
                    break
                await asyncio.sleep(_ROUND_S)
            return await asyncio.to_thread(_why, client)
        except (databento.BentoError, BadInput) as error:
            return str(error)
        finally:
            client.terminate()

    def _connect(self) -> databento.Live:
        import databento

        client = databento.Live(
            key=self._key, gateway=self._gateway, port=self._port, heartbeat_interval_s=_HEARTBEAT_S,
            reconnect_policy="none", slow_reader_behavior="warn",
        )  # fmt: skip
        client.add_stream(cast("Any", self._pipe))
        client.subscribe(
            dataset=self.dataset, schema=self.schema, symbols=self.names, stype_in="raw_symbol",
            snapshot=self.schema == "mbo",
        )  # fmt: skip
        client.start()
        return client


class _Pipe(io.RawIOBase):
    """Bytes from the library's thread to ours."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()
        self._lock = threading.Lock()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with self._lock:
            self._held += data
        return len(data)

    def take(self) -> bytes:
        with self._lock:
            data = bytes(self._held)
            self._held.clear()
        return data


class _Pushed:
    """What is read like a file and was handed over."""

    path = Path("databento live")

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, n: int) -> bytes:
        out, self._data = self._data[:n], self._data[n:]
        return out


class _Decoder:
    """The records of one session as rows."""

    def __init__(self, bridge: DatabentoBridge) -> None:
        self.bridge = bridge
        self.rtype = SCHEMAS[bridge.schema]
        place = _Pushed.path
        make = OrderRows if self.rtype == 160 else BookRows
        self.make = make(place, bridge.instruments, bridge.checks)
        self.starts = Starts(len(bridge.instruments), orders=self.rtype == 160)
        self.numbers: dict[int, int] = {}
        """Databento's instrument ids to the bridge's."""
        self.frames: Frames | None = None
        self.version = 3
        self._rest = b""
        self._held: list[Events] = []

    def write(self, data: bytes) -> None:
        """Take bytes as they came."""
        buffer = self._rest + data
        if self.frames is None:
            length = int.from_bytes(buffer[4:_HEAD], "little")
            if len(buffer) < _HEAD + length or len(buffer) < _HEAD:
                self._rest = buffer
                return
            meta = read_metadata(cast("Stream", _Pushed(buffer[: _HEAD + length])))
            for one, name in meta.symbols.items():
                self._name(one, name)
            self.version = meta.version
            self.frames = Frames(cast("Stream", _Pushed(b"")), meta.length)
            buffer = buffer[_HEAD + length :]
        begun = self.frames.at
        for part in self.frames.runs(buffer):
            self._take(part)
        self._rest = buffer[self.frames.at - begun :]

    def _name(self, one: int, name: str) -> None:
        if name in self.bridge.names:
            self.numbers[one] = self.bridge.names.index(name)

    def _take(self, part: Records) -> None:
        bridge = self.bridge
        bridge.checks.messages += part.many
        if part.rtype == _MAPPING:
            for one, (name, _) in named([part], self.version).items():
                self._name(one, name)
        if part.rtype == _ERROR:
            bridge.tell("the gateway told an error")
        if part.rtype != self.rtype:
            bridge.alive()
            return
        inst = np.array([self.numbers.get(one, -1) for one in part.rows["instrument_id"].tolist()], dtype=np.int64)
        known = inst >= 0
        if not known.all():
            bridge.checks.ignored["records of other instruments"] = bridge.checks.ignored.get(
                "records of other instruments", 0
            ) + int((~known).sum())
        records, inst = part.rows[known], inst[known]
        if not len(records):
            return
        wall, _ = bridge.times.now()
        bridge.heard(wall)
        rows, of = self.make.rows(records, inst, part.place)
        rows["inst"] = inst[of]
        rows["recv_ns"] = wall
        event = records["ts_event"]
        rows["exch_ns"] = np.where(event >= UNDEF_TIME, np.uint64(2**63), event).astype(np.int64)[of]
        self._write(self.starts.told(rows))

    def _write(self, rows: Events) -> None:
        """Write what ends with a whole event; hold the rest until its end comes."""
        whole = np.concatenate([*self._held, rows]) if self._held else rows
        ends: Ints = np.flatnonzero(whole["marks"] & LAST)
        cut = int(ends[-1]) + 1 if len(ends) else 0
        if len(whole) - cut > _MOST_HELD:
            raise BadInput("databento live", None, f"a record flagged as the last of its event within {_MOST_HELD}")
        self.bridge.out.extend(whole[:cut])
        self._held = [whole[cut:]] if cut < len(whole) else []


def _asked(symbol: str) -> tuple[str, str, str]:
    dataset, _, rest = symbol.partition("/")
    name, _, schema = rest.partition("@")
    if not dataset or not name:
        raise BadInput("address databento", symbol, "DATASET/SYMBOL, as in databento:GLBX.MDP3/ESM4")
    if schema and schema not in SCHEMAS:
        raise BadInput("address databento: schema", schema, "one of " + ", ".join(SCHEMAS))
    return dataset, name, schema or "mbo"


def _why(client: databento.Live) -> str:
    client.block_for_close(timeout=1.0)
    return "the gateway ended the session"
