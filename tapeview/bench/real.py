"""What can be proved on recordings, whose truth nobody knows: how levels held, what the touch told, how often alerts
come.

A level at which absorption was told has held when nobody traded beyond it for 30 s. Beside it stands how often the
prices of other prints of the same aggressors, within 15 minutes of it, held as long; intervals are by bootstrap over
blocks of ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.events import FLOW_PRINTS, HIDDEN, TRADE
from feeds.source import open_source
from tapeview.alert import Alert
from tapeview.bench import score
from tapeview.bench.pressure import Pressure
from tapeview.bench.score import Tape
from tapeview.bench.tasks import Want, least, most

HELD_NS: Final = 30_000_000_000
"""How long a level must hold."""
_NEAR_NS: Final = 900_000_000_000
_BLOCK_NS: Final = 600_000_000_000
_CONTROLS: Final = 20
_RESAMPLES: Final = 2000
_LEAST_BLOCKS: Final = 3
_WATCHED: Final = ("absorption", "pulled")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measure on one recording."""

    source: str
    task: str
    measure: str
    value: float | None
    low: float | None = None
    high: float | None = None
    want: str = ""
    met: bool | None = None
    naive: str = ""
    """What the naive rule gives."""
    about: str = ""


class _Prints(NamedTuple):
    recv_ns: NDArray[np.int64]
    tick: NDArray[np.int64]
    side: NDArray[np.int64]
    hidden: NDArray[np.int64]


class _Lift(NamedTuple):
    """Held share of alerts and of their controls, and the difference with its interval."""

    alerts: int
    held: float
    control: float
    low: float | None
    high: float | None


def measure(addresses: Sequence[str], *, say: Callable[[str], None] = print) -> list[Row]:
    """Measure every recording, in order."""
    rows = []
    for address in addresses:
        rows += _one(address, say)
    return rows


def _one(address: str, say: Callable[[str], None]) -> list[Row]:
    from tapeview.detectors import load
    from tapeview.session import Session
    from tapeview.watch import Watch

    known = load()
    source = open_source(address)
    tier = source.info.tier
    rows: list[Row] = []
    with Session(source, thresholds={}) as session:
        rules = [(name, rule, dict(values)) for name in _WATCHED for rule, values in _rules(known[name])]
        looks = [
            (name, rule, n, Watch(i, tier, {name: known[name].thresholds(**values)}))
            for name, rule, values in rules
            for n, i in enumerate(session.instruments)
        ]
        pressures = [Pressure(instrument, tier) for instrument in session.instruments]
        told: dict[tuple[str, str, int], list[Alert]] = {(name, rule, n): [] for name, rule, n, _ in looks}
        prints: list[list[NDArray[np.int64]]] = [[] for _ in session.instruments]
        span, shown = [0, 0], time.monotonic()
        for outcome in session.run():
            at = outcome.instrument
            span = [span[0] or int(outcome.events["recv_ns"][0]), int(outcome.events["recv_ns"][-1])]
            pressures[at].take(outcome)
            prints[at].append(_prints(outcome.frame))
            for name, rule, n, watch in looks:
                if n == at:
                    told[name, rule, n] += [f.alert for f in watch.apply(outcome) if f.alert.phase == "confirmed"]
            if time.monotonic() - shown > 5.0:
                shown = time.monotonic()
                done, whole = source.progress
                say(f"{address}: {100 * done / whole:.0f} %" if whole else address)
        hours = (span[1] - span[0]) / 3.6e12
        for at, instrument in enumerate(session.instruments):
            name = address if len(session.instruments) == 1 else f"{address} {instrument.symbol}"
            all_prints = _Prints(*np.concatenate([*prints[at], np.zeros((4, 0), np.int64)], axis=1))
            rows += _held(name, told, at, all_prints)
            rows += _touch(name, pressures[at], hours)
            rows += _often(name, told, at, hours, address)
    say(f"{address}: {hours:.2f} hours")
    return rows


def _rules(detector: Any) -> list[tuple[str, dict[str, float]]]:
    return [("ours", {}), *((rule, dict(values)) for rule, values in detector.baselines.items())]


def _prints(frame: NDArray[Any]) -> NDArray[np.int64]:
    rows = frame[(frame["kind"] == TRADE) & (frame["side"] != 0)]
    rows = rows[(FLOW_PRINTS >> rows["print"].astype(np.int64)) & 1 != 0]
    columns = [rows["recv_ns"], rows["tick"], rows["side"], rows["print"] == HIDDEN]
    return np.stack([column.astype(np.int64) for column in columns])


# -- how levels held ------------------------------------------------------------------------------


def held(prints: Any, at_ns: int, side: int, tick: int) -> bool | None:
    """Whether nobody traded beyond a level of a side for 30 s; None where the tape ends before."""
    if not len(prints.recv_ns) or prints.recv_ns[-1] < at_ns + HELD_NS:
        return None
    begin = int(np.searchsorted(prints.recv_ns, at_ns, side="right"))
    end = int(np.searchsorted(prints.recv_ns, at_ns + HELD_NS, side="right"))
    return not bool(((tick - prints.tick[begin:end]) * side > 0).any())


def lift(prints: Any, levels: Sequence[tuple[int, int, int]]) -> _Lift | None:
    """How much more often levels, each (ns, side, tick), held than those of other displayed prints nearby; None without
    a level.
    """
    chance = np.random.default_rng(1)
    pairs: list[tuple[int, float, float]] = []
    for at_ns, side, tick in levels:
        stood = held(prints, at_ns, side, tick)
        near = np.abs(prints.recv_ns - at_ns) <= _NEAR_NS
        others = np.flatnonzero(near & (prints.side == -side) & (prints.hidden == 0))
        if stood is None or not len(others):
            continue
        fates = [
            fate
            for n in chance.choice(others, _CONTROLS).tolist()
            if (fate := held(prints, int(prints.recv_ns[n]), side, int(prints.tick[n]))) is not None
        ]
        if fates:
            pairs.append((at_ns // _BLOCK_NS, float(stood), sum(fates) / len(fates)))
    if not pairs:
        return None
    share = [sum(pair[n] for pair in pairs) / len(pairs) for n in (1, 2)]
    return _Lift(len(pairs), share[0], share[1], *_interval(pairs))


def _interval(pairs: list[tuple[int, float, float]]) -> tuple[float | None, float | None]:
    blocks: dict[int, list[float]] = {}
    for block, stood, control in pairs:
        blocks.setdefault(block, []).append(stood - control)
    if len(blocks) < _LEAST_BLOCKS:
        return None, None
    sums, counts = np.array([sum(b) for b in blocks.values()]), np.array([len(b) for b in blocks.values()])
    picks = np.random.default_rng(1).integers(0, len(blocks), (_RESAMPLES, len(blocks)))
    low, high = np.quantile(sums[picks].sum(axis=1) / counts[picks].sum(axis=1), (0.025, 0.975)).tolist()
    return low, high


def _held(name: str, told: Any, at: int, prints: _Prints) -> list[Row]:
    lifts = {
        rule: lift(prints, [(a.recv_ns, a.side, a.tick) for a in alerts if a.tick is not None])
        for (which, rule, n), alerts in told.items()
        if which == "absorption" and n == at
    }
    ours = lifts.pop("ours")
    naive = " · ".join(
        f"{rule}: {one.held - one.control:+.2f} of {one.alerts}" for rule, one in lifts.items() if one is not None
    )
    about = "no alert" if ours is None else f"{ours.alerts} alerts held {ours.held:.2f}, others {ours.control:.2f}"
    return [
        _row(
            name, "absorption, held for 30 s", "lift", None if ours is None else ours.held - ours.control,
            Want(0.0, "gain"), naive, about, None if ours is None else ours.low, None if ours is None else ours.high,
        )
    ]  # fmt: skip


# -- the touch, and how often ---------------------------------------------------------------------


def _touch(name: str, pressure: Pressure, hours: float) -> list[Row]:
    extra = pressure.measures()
    tape = [Tape(0, hours, 0, 0, 0, extra=extra)]
    samples, moves = (int(extra.get(name, (0.0,))[0]) for name in ("samples", "moves"))
    plain = score.area_of("second")(tape)
    last = score.area_of("trade")(tape)
    trades, touch = score.mean_of("trades")(tape), score.mean_of("flow")(tape)
    return [
        _row(
            name, "queue imbalance, next move", "AUC", score.area_of("stated")(tape), None,
            ", ".join(
                f"{what}: {area:.2f}"
                for what, area in (("the queues alone", score.area_of("queue")(tape)), ("side of the last trade", last))
                if area is not None
            ),
            f"{moves:,} moves" + ("" if plain is None else f"; {plain:.2f} over {samples:,} seconds"),
        ),
        _row(name, "queue imbalance, next move", "ECE", score.gap_of("chance")(tape), most(0.03), "", ""),
        _row(
            name, "order flow and the move beside it", "R2", score.mean_of("deep")(tape), None,
            "" if trades is None or touch is None else f"of the touch: {touch:.2f}, trade imbalance: {trades:.2f}",
            "windows of 10 s",
        ),
        _row(name, "order flow and the move beside it", "gain", score.mean_of("deep.gain")(tape), least(0.05), "", ""),
    ]  # fmt: skip


def _often(name: str, told: Any, at: int, hours: float, address: str) -> list[Row]:
    counts = {rule: len(alerts) for (which, rule, n), alerts in told.items() if which == "pulled" and n == at}
    ours = counts.pop("ours")
    naive = " · ".join(f"{rule}: {n / hours:.1f}" for rule, n in counts.items()) if hours else ""
    want = most(1.0) if "bitstamp" in address.casefold() else most(3.0)
    return [_row(name, "pulled liquidity", "alerts/h", ours / hours if hours else None, want, naive, f"{ours} alerts")]


def _row(
    source: str, task: str, measure: str, value: float | None, want: Want | None, naive: str, about: str,
    low: float | None = None, high: float | None = None,
) -> Row:  # fmt: skip
    return Row(
        source=source, task=task, measure=measure, value=value, low=low, high=high, naive=naive, about=about,
        want="" if want is None else want.text, met=None if want is None or value is None else want.met(value, low),
    )  # fmt: skip


def cells(row: Row) -> list[str]:
    """A row as the cells of a table."""
    known = row.low is not None and row.high is not None
    return [
        row.source.rstrip("/").rpartition("/")[2], row.task, row.measure,
        "–" if row.value is None else f"{row.value:.2f}", f"{row.low:+.2f} to {row.high:+.2f}" if known else "",
        row.want, "" if row.met is None else "yes" if row.met else "NO", row.naive, row.about,
    ]  # fmt: skip
