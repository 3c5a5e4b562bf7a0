"""What a detector is: its thresholds, memory, kernel, words and worked cases, declared in one file of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

VALUES: Final = 16
"""Measured values an alert can carry."""

ALERT: Final = np.dtype(
    [
        ("seq", "i8"), ("recv_ns", "i8"), ("exch_ns", "i8"), ("row", "i8"), ("key", "i8"), ("tick", "i8"),
        ("tick_to", "i8"), ("lots", "i8"), ("side", "i8"), ("phase", "i8"), ("method", "i8"), ("reason", "i8"),
        ("grade", "i8"), ("score", "f8"), *((f"v{n}", "f8") for n in range(VALUES)),
        ("detector", "i8"),
    ]
)  # fmt: skip
"""What a kernel writes for each step of an alert's life. `row` is the row of the batch that decided it, `tick` NONE
where there is no price, `method` and `reason` index the detector's, v0... are its evidence in the order declared.
`detector`, the number of the detector among those at work, is not the kernel's to write."""

CONTEXT: Final = np.dtype(
    [
        ("tier", "i8"), ("asset", "i8"), ("depth_ticks", "i8"), ("fine", "i8"), ("tick_size", "f8"), ("lot_size", "f8"),
        ("roll_ns", "i8"),
    ]
)  # fmt: skip
"""What a kernel may know of its instrument: tier 0 (A) to 3 (D), asset an index into ASSETS, ticks watched about
the touch, fine units to a tick, a tick and a lot as numbers, and the time of day in UTC at which its session rolls."""

ASSETS: Final = ("other", "future", "crypto", "equity")
A_OTHER, A_FUTURE, A_CRYPTO, A_EQUITY = range(len(ASSETS))

STORIES: Final = 256
ABSORBED: Final = 64
BOARD: Final = np.dtype(
    [
        ("stories", "i8"), ("what", "i8", (STORIES,)), ("key", "i8", (STORIES,)), ("side", "i8", (STORIES,)),
        ("tick", "i8", (STORIES,)), ("from_seq", "i8", (STORIES,)), ("to_seq", "i8", (STORIES,)),
        ("a_stories", "i8"), ("a_side", "i8", (ABSORBED,)), ("a_tick", "i8", (ABSORBED,)),
        ("a_from_seq", "i8", (ABSORBED,)), ("a_to_seq", "i8", (ABSORBED,)),
        ("moment_at", "i8"), ("moment_slots", "i8"),
    ]
)  # fmt: skip
"""Stories that one detector tells and others may build on: a ring, the newest at (stories - 1) % STORIES. One is true
from `from_seq` up to, not including, `to_seq`; a reader asks for the seq of its own row, since whoever wrote has
already been through the whole batch.

A ring has one writer, since two would take turns by the batch, and where a story lies would depend on how the rows
were cut: icebergs are in the first ring (`what` = B_ICEBERG), absorption in the second, `a_stories` and so on.

Not a story, and no part of what is saved: the table of the batch's moments, for `moment` of `_flow`."""
B_ICEBERG, B_ABSORPTION = 1, 2


def bound(least: float, most: float, description: str, source: str) -> Meta:
    """Bounds of a threshold, a sentence on it, and where its default comes from.

    Sources: P a paper, X an exchange, regulator or vendor, M measured, S given by the users' guide, J judgement,
    B fitted by `tapeview bench detectors`; then a word on it.
    """
    return Meta(ge=least, le=most, description=description, extra_json_schema={"source": source})


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a detector's thresholds: numbers only, each declared with `bound`."""


@dataclass(frozen=True)
class Case:
    """A worked case: a story in the words of `feeds.script`, and what the detector makes of it."""

    story: str
    script: str
    alerts: tuple[str, ...] = ()
    """Texts of the alerts in order, or the beginnings of them; none where it must stay quiet."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    tier: str = "A"
    asset: str = "future"
    instrument: Mapping[str, str] = field(default_factory=dict)
    """Fields of the instrument other than tick 1 and lot 1."""


class Detector(NamedTuple):
    """One pattern. The kernel is `watch(events, frame, rows, context, board, limits, memory, out) -> alerts written`.

    `rows` are the rows of the batch whose news the detector reads, in order; `limits` (the thresholds), `context`,
    `board` and `memory` are records of one row. It writes at most two alerts a row into `out`.
    """

    title: str
    rule: str
    """The rule in a few sentences, for people."""
    thresholds: type[Thresholds]
    memory: np.dtype[Any]
    reads: int
    """IS_ bits of the rows it wants."""
    kernel: Callable[..., int]
    words: Callable[[Found], str]
    """One line of at most 90 columns, without tier and score, which are put behind it."""
    methods: tuple[str, ...]
    reasons: tuple[str, ...]
    """Why it clears."""
    evidence: tuple[str, ...]
    """Names of v0, v1, ... of an alert."""
    cases: tuple[Case, ...]
    knob: str = ""
    """The threshold that says how easily it fires, the higher the rarer."""
    after: tuple[str, ...] = ()
    """Detectors whose stories on the board it reads."""
    moments: bool = False
    """Whether it takes up moments of the flow (`_flow`); `reads` is MOMENTS then."""
    prepare: Callable[[NDArray[Any], NDArray[Any]], None] | None = None
    """Fill a fresh memory: given limits and memory."""
    baselines: Mapping[str, Mapping[str, float]] = {}
    """Names of naive rules, each a set of thresholds under which the detector is that rule."""


class Found(NamedTuple):
    """An alert on its way to becoming words."""

    method: str
    phase: str
    reason: str
    side: int
    tick: int
    tick_to: int
    lots: int
    grade: int
    score: float
    tier: str
    evidence: dict[str, float]
    price: Callable[[int], str]
    """A tick as text."""
    size: Callable[[int], str]
    """Lots as text."""
    name: str
    """The instrument's symbol."""


def record(thresholds: Thresholds) -> NDArray[Any]:
    """The thresholds as an array of one record, for a kernel: those with an integer as default are i8, others f8."""
    fields = []
    for info in msgspec.structs.fields(thresholds):
        # By the default and not by the value: another record would have every kernel compiled anew.
        kind = "i8" if isinstance(info.default, (bool, int)) else "f8"
        fields.append((info.name, kind, getattr(thresholds, info.name)))
    out = np.zeros(1, np.dtype([(name, kind) for name, kind, _ in fields]))
    for name, _, value in fields:
        out[name] = value
    return out


def asset_of(venue: str) -> int:
    """Tell from its venue what an instrument is."""
    name = venue.lower()
    if name.startswith(_FUTURES):
        return A_FUTURE
    if name.startswith(_EQUITIES):
        return A_EQUITY
    return A_CRYPTO if name.startswith(_CRYPTO) else A_OTHER


_FUTURES: Final = ("cme", "cbot", "nymex", "comex", "glbx", "ice", "ifeu", "ifus", "eurex", "xeur")
_EQUITIES: Final = ("nasdaq", "nyse", "xnas", "xnys", "arcx", "bats", "iex", "dbeq", "lobster", "alpaca")
_CRYPTO: Final = (
    "binance", "bitfinex", "bitmex", "bitstamp", "bybit", "coinbase", "deribit", "dydx", "gemini", "hyperliquid",
    "kraken", "lighter", "okx", "standx",
)  # fmt: skip
