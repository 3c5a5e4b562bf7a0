"""The simulator as a source: its address, and its rows with receive times."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import LAST, EventBuffer, Events
from feeds.instruments import Instrument, parse_decimal
from feeds.simulator.arrival import Arrival
from feeds.simulator.binance_wire import BinanceWire, Frame
from feeds.simulator.flow import Flow
from feeds.simulator.markets import MARKETS
from feeds.simulator.profiles import PROFILES, Profile
from feeds.source import Checks, OpenOptions, Source, SourceInfo

PREFIX: Final = "simulator:"
MOST_MINUTES: Final = 10_000_000
_STEP_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60_000_000_000


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


def read_address(address: str, known: Sequence[str]) -> dict[str, str]:
    """Read `simulator:KEY=VALUE,…` with known keys; raise BadInput naming the key that was probably meant."""
    if not address.startswith(PREFIX):
        raise BadInput("simulator", address, "an address such as simulator:seed=7,minutes=30,profile=mes")
    said: dict[str, str] = {}
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
    return said


def parse_order(address: str) -> Order:
    """Read `simulator:seed=7,minutes=30,profile=mes`; raise BadInput naming the key that was probably meant."""
    said = read_address(address, Order.__struct_fields__)
    return check_order(said.get("profile", "mes"), said.get("seed", "1"), said.get("minutes", "30"))


def check_order(profile: str, seed: str, minutes: str) -> Order:
    """Check what is to be simulated, as text; raise BadInput where it cannot be."""
    if profile not in PROFILES:
        names = [*PROFILES, *MARKETS]
        near = difflib.get_close_matches(profile, names, 1, 0.4)
        raise BadInput("simulator: profile", profile, f"{near[0]!r}?" if near else "one of " + ", ".join(names))
    check_seed(seed)
    if minutes != "endless":
        try:
            mantissa, decimals = parse_decimal(minutes)
        except BadInput:
            mantissa, decimals = 0, 0
        if not (0 < mantissa <= MOST_MINUTES * 10**decimals and mantissa * _MINUTE_NS >= 10**decimals):
            raise BadInput("simulator: minutes", minutes, f"a number above 0 up to {MOST_MINUTES}, or 'endless'")
    return Order(profile=profile, seed=int(seed), minutes=minutes)


def check_seed(seed: str) -> int:
    """Read a seed; raise BadInput for what is none."""
    if not (seed.isascii() and seed.isdigit() and len(seed) <= 18):
        raise BadInput("simulator: seed", seed, "a whole number of at most 18 digits")
    return int(seed)


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
        arrival = Arrival(self.order.seed)
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


def refuse_options(options: OpenOptions) -> None:
    """Raise BadInput for what a person says about a simulated source that it says itself."""
    if options.format not in (None, "simulator"):
        raise BadInput("--format", options.format, "'simulator' for this address")
    for name in ("tick", "lot", "symbol", "venue"):
        if getattr(options, name) is not None:
            raise BadInput(f"--{name}", getattr(options, name), "nothing: the simulator states it itself")
