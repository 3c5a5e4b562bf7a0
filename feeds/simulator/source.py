"""The simulator as a source: its address, and its rows with receive times."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import LAST, EventBuffer, Events
from feeds.instruments import Instrument, parse_decimal
from feeds.simulator.binance_wire import BinanceWire, Frame
from feeds.simulator.draws import CELLS, UNIT, BlockDraws, exponential
from feeds.simulator.flow import Flow
from feeds.simulator.profiles import PROFILES, Profile
from feeds.source import Checks, OpenOptions, Source, SourceInfo

PREFIX: Final = "simulator:"
MOST_MINUTES: Final = 10_000_000
_STEP_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60_000_000_000
_LATENCY_NS: Final = 180_000
_JITTER_NS: Final = 60_000


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be simulated."""

    profile: str = "mes"
    seed: int = 1
    minutes: str = "30"
    """Length of the session as decimal text, or 'endless'."""

    @property
    def address(self) -> str:
        """The order as an address."""
        return f"{PREFIX}seed={self.seed},minutes={self.minutes},profile={self.profile}"

    @property
    def length_ns(self) -> int | None:
        """Length of the session in ns, None where it has no end."""
        if self.minutes == "endless":
            return None
        mantissa, decimals = parse_decimal(self.minutes)
        return mantissa * _MINUTE_NS // int(10**decimals)


def parse_order(address: str) -> Order:
    """Read `simulator:seed=7,minutes=30,profile=mes`; raise BadInput naming the key that was probably meant."""
    if not address.startswith(PREFIX):
        raise BadInput("simulator", address, "an address such as simulator:seed=7,minutes=30,profile=mes")
    said: dict[str, str] = {}
    known = Order.__struct_fields__
    for piece in filter(None, address.removeprefix(PREFIX).split(",")):
        key, equals, value = piece.partition("=")
        key, value = key.strip(), value.strip()
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise BadInput("simulator: key", key, f"{near[0]!r}?" if near else "one of " + ", ".join(sorted(known)))
        if not equals or not value:
            raise BadInput(f"simulator: {key}", piece, f"{key}=VALUE")
        if key in said:
            raise BadInput(f"simulator: {key}", piece, "each key once")
        said[key] = value
    return check_order(said.get("profile", "mes"), said.get("seed", "1"), said.get("minutes", "30"))


def check_order(profile: str, seed: str, minutes: str) -> Order:
    """Check what is to be simulated, as text; raise BadInput where it cannot be."""
    if profile not in PROFILES:
        near = difflib.get_close_matches(profile, PROFILES, 1, 0.4)
        raise BadInput("simulator: profile", profile, f"{near[0]!r}?" if near else "one of " + ", ".join(PROFILES))
    if not (seed.isascii() and seed.isdigit() and len(seed) <= 18):
        raise BadInput("simulator: seed", seed, "a whole number of at most 18 digits")
    if minutes != "endless":
        try:
            mantissa, decimals = parse_decimal(minutes)
        except BadInput:
            mantissa, decimals = 0, 0
        if not (0 < mantissa <= MOST_MINUTES * 10**decimals and mantissa * _MINUTE_NS >= 10**decimals):
            raise BadInput("simulator: minutes", minutes, f"a number above 0 up to {MOST_MINUTES}, or 'endless'")
    return Order(profile=profile, seed=int(seed), minutes=minutes)


class Simulator(Source):
    """A simulated session: order by order, or as a venue's frames seen through the venue's parser."""

    def __init__(self, order: Order, clip: int | None = None) -> None:
        self.order = order
        self.profile: Profile = PROFILES[order.profile]
        self.instruments: tuple[Instrument, ...] = (self.profile.instrument,)
        self.checks = Checks()
        self._clip = clip
        self.info = SourceInfo(
            address=order.address,
            format="simulator",
            venue=self.profile.instrument.venue,
            tier=self.profile.tier,
            verification="chain" if self.profile.tier == "C" else "counter",
            bytes=0,
            notes=(f"simulated: {self.profile.story}", f"no real market: seed {order.seed}, profile {order.profile}"),
        )

    @property
    def end_ns(self) -> int | None:
        """Time of the session's end, ns since 1970; None where it has no end."""
        length = self.order.length_ns
        return None if length is None else self.profile.start_ns + length

    def batches(self) -> Iterator[Events]:
        """Give the rows from the start, in batches of about a second."""
        self.checks = Checks()
        clock, given = Clock(), 0
        for rows in self._order_rows() if self.profile.tier == "A" else self._frame_rows():
            batch = clock.insert(rows)
            if self._clip is not None and given + len(batch) >= self._clip:
                ends = np.flatnonzero(batch["marks"][: self._clip - given] & LAST)
                if len(ends):
                    yield batch[: ends[-1] + 1]
                return
            given += len(batch)
            yield batch

    def frames(self) -> Iterator[Frame]:
        """Give the frames of a tier C session in the order they were received."""
        if self.profile.tier != "C":
            raise BadInput("simulator: profile", self.profile.name, "a profile that comes as a venue's frames")
        return BinanceWire(Flow(self.profile, self.order.seed), self.order.seed).frames(self.end_ns)

    def _order_rows(self) -> Iterator[Events]:
        flow = Flow(self.profile, self.order.seed)
        arrival = _Arrival(self.order.seed)
        now, end = self.profile.start_ns, self.end_ns
        yield arrival.stamp(flow.market.snapshot())
        while end is None or now < end:
            now = now + _STEP_NS if end is None else min(now + _STEP_NS, end)
            flow.run(now)
            rows = flow.give()
            self.checks.messages += int(np.count_nonzero(rows["marks"] & LAST))
            if len(rows):
                yield arrival.stamp(rows)

    def _frame_rows(self) -> Iterator[Events]:
        from feeds.venues.binance_futures import BinanceFutures

        instrument = self.profile.instrument
        venue = BinanceFutures({instrument.symbol: (0, instrument)}, self.checks)
        out = EventBuffer()
        step = 0
        for frame in self.frames():
            if frame.channel.startswith("ws:"):
                venue.on_frame(frame.payload, frame.recv_ns, out)
            else:
                venue.on_snapshot(instrument.symbol, frame.payload, frame.recv_ns, out)
            venue.wants()
            if frame.recv_ns // _STEP_NS != step and len(out):
                step = frame.recv_ns // _STEP_NS
                yield out.take()
        if len(out):
            yield out.take()


class _Arrival:
    """Receive times of an order feed: one latency a message, never going backwards."""

    def __init__(self, seed: int) -> None:
        self._draws = BlockDraws(seed, 9)
        self._jitter = np.array(exponential()[:CELLS], dtype=np.int64) * _JITTER_NS // (UNIT * 1000) * 1000
        self._last_ns = 0

    def stamp(self, rows: Events) -> Events:
        """Set recv_ns of whole messages."""
        ends = (rows["marks"] & LAST) != 0
        message = np.cumsum(ends) - ends
        jitter = self._jitter[(self._draws.words(int(ends.sum())) & np.uint64(CELLS - 1)).astype(np.int64)]
        recv = rows["exch_ns"] + _LATENCY_NS + jitter[message]
        recv[0] = max(int(recv[0]), self._last_ns)
        rows["recv_ns"] = np.maximum.accumulate(recv)
        self._last_ns = int(rows["recv_ns"][-1])
        return rows


def open_simulator(address: str, options: OpenOptions) -> Simulator:
    """Open `simulator:seed=7,minutes=30,profile=mes`; raise BadInput for what it does not know.

    Keys: `seed` (1 where none is given), `minutes` (30; decimals are taken, 'endless' has no end), `profile`
    ('mes', order by order, or 'perp', as Binance USD-M frames).
    """
    if options.format not in (None, "simulator"):
        raise BadInput("--format", options.format, "'simulator' for this address")
    for name in ("tick", "lot", "symbol", "venue"):
        if getattr(options, name) is not None:
            raise BadInput(f"--{name}", getattr(options, name), "nothing: the simulator states it itself")
    return Simulator(parse_order(address), options.clip)
