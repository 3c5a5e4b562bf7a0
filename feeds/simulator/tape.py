"""A simulated session with its truth: market, projection, faults and labels put together, all from one order.

Times in the truth are the exchange's, ns since 1970. `t0_ns` is the first moment at which anything could be seen of an
event, `t1_ns` its end; what else is known of it is in `params`, as JSON, with times in ns since 1970 too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.clock import Clock
from feeds.errors import BadInput
from feeds.events import FACT, LAST, Events, empty
from feeds.instruments import Instrument
from feeds.simulator.arrival import Arrival
from feeds.simulator.draws import Draws
from feeds.simulator.faults import Injected, inject, read_faults
from feeds.simulator.market import TOP, Market
from feeds.simulator.markets import MARKETS
from feeds.simulator.negatives import KINDS
from feeds.simulator.plants import PLANTED, Context, Label, Planned, read_settings
from feeds.simulator.projectors import CONFLATIONS_MS, to_b, to_c, to_d
from feeds.simulator.state import N_NEGATIVE

if TYPE_CHECKING:
    import polars as pl

TIERS: Final = ("A", "B", "C", "D")
MOST_MINUTES: Final = 480
"""Longest session; a tape is made as a whole and takes some 60 MB of memory an hour."""
MINUTE_NS: Final = 60_000_000_000
AS_OF_NS: Final = 5 * 86_400_000_000_000
"""Slow inputs told at the start are this old."""


class Tape:
    """A finished session: its rows, numbered and with CLOCK rows, and what is true of it."""

    def __init__(
        self, events: Events, labels: Sequence[Label], instrument: Instrument, faults: tuple[Injected, ...], tier: str
    ) -> None:
        self.events = events
        self.labels = tuple(labels)
        """The truth, in the order of `t0_ns`; those of type `negative` are what only looks like a plant."""
        self.instrument = instrument
        self.faults = faults
        """What was done to the feed, in order of time."""
        self.tier = tier

    @cached_property
    def truth(self) -> pl.DataFrame:
        """The labels as a table: id, type, method, side, tick, t0_ns, t1_ns, outcome, params (JSON)."""
        import polars as pl

        encode = msgspec.json.Encoder().encode
        rows = [(at, *label[:7], encode(label.params).decode()) for at, label in enumerate(self.labels)]
        schema = {
            "id": pl.Int64, "type": pl.String, "method": pl.String, "side": pl.Int8, "tick": pl.Int64,
            "t0_ns": pl.Int64, "t1_ns": pl.Int64, "outcome": pl.String, "params": pl.String,
        }  # fmt: skip
        return pl.DataFrame(rows, schema=schema, orient="row")


def generate(
    *,
    seed: int = 1,
    minutes: float | str = 30,
    profile: str = "futures",
    plants: Sequence[str] = (),
    tier: str = "A",
    conflate_ms: int = 100,
    negatives: bool = True,
    faults: Sequence[str] = (),
) -> Tape:
    """Simulate a session; the same arguments give the same bytes everywhere.

    Plants are names of `feeds.simulator.plants.PLANTED`, each with settings of its own after colons
    (`synthetic:delay=150:jitter=0`); faults are names of `feeds.simulator.faults.FAULTS`, likewise. Raises BadInput
    for what it does not know.
    """
    market_of = check_profile(profile)
    length_ns = check_minutes(minutes)
    if tier not in TIERS:
        raise BadInput("simulator: tier", tier, "one of " + ", ".join(TIERS))
    if conflate_ms not in CONFLATIONS_MS:
        raise BadInput("simulator: conflate_ms", conflate_ms, "one of " + ", ".join(map(str, CONFLATIONS_MS)))
    wanted = read_faults(faults)
    planned, labelled = plan(seed, length_ns, market_of.depth[0], plants)
    market = Market(market_of, seed, planned, negatives=negatives)
    rows, tops = _run(market, length_ns)
    rows = _stamped(rows, seed)
    if tier == "B":
        rows = to_b(rows)
    elif tier == "C":
        rows = to_c(rows, conflate_ms, seed)
    elif tier == "D":
        rows = to_d(rows, tops)
    injected: tuple[Injected, ...] = ()
    if wanted:
        rows, injected = inject(rows, wanted, seed)
    labels = _labels(market, planned, labelled, length_ns)
    return Tape(Clock().insert(rows), labels, market_of.instrument, injected, tier)


def check_profile(name: str) -> Any:
    """Give the market of a name; raise BadInput naming the nearest."""
    import difflib

    if name not in MARKETS:
        near = difflib.get_close_matches(name, MARKETS, 1, 0.4)
        raise BadInput("simulator: profile", name, f"{near[0]!r}?" if near else "one of " + ", ".join(MARKETS))
    return MARKETS[name]


def check_minutes(minutes: float | str) -> int:
    """Give a length in ns; raise BadInput for one that is none or too long to be made as a whole."""
    from feeds.instruments import parse_decimal

    try:
        mantissa, decimals = parse_decimal(str(minutes))
    except BadInput:
        mantissa, decimals = 0, 0
    if not 0 < mantissa <= MOST_MINUTES * 10**decimals:
        raise BadInput("simulator: minutes", str(minutes), f"a number above 0 up to {MOST_MINUTES}")
    return mantissa * MINUTE_NS // int(10**decimals)


def plan(seed: int, length_ns: int, depth: int, plants: Sequence[str]) -> tuple[list[Planned], list[str]]:
    """Draw what is going to happen: the plants, and for each the name of its kind."""
    import difflib

    planned: list[Planned] = []
    names: list[str] = []
    order = list(PLANTED)
    for text in plants:
        name, _, settings = text.partition(":")
        if name not in PLANTED:
            near = difflib.get_close_matches(name, PLANTED, 1, 0.4)
            raise BadInput("simulator: plant", name, f"{near[0]!r}?" if near else "one of " + ", ".join(PLANTED))
        plant = PLANTED[name]
        said = read_settings(plant, settings)
        kind = 0x200 + order.index(name)
        found = plant.plan(Context(Draws(seed, kind), Draws(seed, kind + 0x80), length_ns, depth, said))
        before = names.count(name)
        planned += [one._replace(draws=(kind, before + n)) for n, one in enumerate(found)]
        names += [name] * len(found)
    return planned, names


def _run(market: Market, length_ns: int) -> tuple[Events, NDArray[Any]]:
    opening = market.snapshot()
    facts = _facts(market)
    first = np.zeros(1 + len(facts), TOP)
    for side, name in ((1, "bid"), (-1, "ask")):
        tick = market.best(side, shown=True)
        if tick is not None:
            first[name], first[f"{name}_lots"] = tick, market.lots_at(side, tick)
    parts, tops = [opening, facts], [first]
    for rows in market.run(length_ns):
        parts.append(rows)
        tops.append(market.tops)
    return np.concatenate(parts), np.concatenate(tops)


def _facts(market: Market) -> Events:
    told = dict(fact for plant in market.planned for fact in plant.facts)
    rows = empty(len(told))
    rows["kind"], rows["marks"] = FACT, LAST
    rows["aux"], rows["lots"] = list(told), list(told.values())
    rows["ref"] = market.start_ns - AS_OF_NS
    rows["exch_ns"] = rows["recv_ns"] = market.start_ns
    return rows


def _stamped(rows: Events, seed: int) -> Events:
    return Arrival(seed).stamp(rows)


def _labels(market: Market, planned: list[Planned], names: list[str], length_ns: int) -> list[Label]:
    start = market.start_ns
    out = []
    for p, (plant, name) in enumerate(zip(planned, names, strict=True)):
        notes = market.notes(p)
        label = PLANTED[name].label(plant, notes) if notes else None
        if label is not None:
            until = length_ns if label.outcome == "open" else label.t1_ns
            out.append(_absolute(label._replace(t1_ns=until), start))
    for kind, name in enumerate(KINDS):
        for note in market.notes(-1 - kind):
            if note.what == N_NEGATIVE:
                until = min(note.more, length_ns)
                out.append(
                    Label(
                        "negative", name, 0, note.tick, start + note.ns, start + until, "innocent", {"value": note.lots}
                    )
                )
    return sorted(out, key=lambda label: (label.t0_ns, label.type, label.tick))


def _absolute(label: Label, start_ns: int) -> Label:
    params: dict[str, Any] = {}
    for key, value in label.params.items():
        if key.endswith("_ns") and isinstance(value, list):
            params[key] = [start_ns + one for one in value]
        elif key.endswith("_ns") and value is not None:
            params[key] = start_ns + value
        else:
            params[key] = value
    return label._replace(t0_ns=start_ns + label.t0_ns, t1_ns=start_ns + label.t1_ns, params=params)
