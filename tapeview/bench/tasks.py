"""The tasks that detectors are measured by, in the order in which they are reported, and what must come of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tapeview.bench import score
from tapeview.bench.detectability import LEAST
from tapeview.bench.score import Measure


class Want(NamedTuple):
    """What a measure must come to."""

    value: float
    way: str
    """'least', 'most', 'gain' (at least, and the interval above 0) or 'none' (no further from 0)."""

    def met(self, value: float | None, low: float | None) -> bool:
        """Whether it does; what was never measured does only where little is wanted."""
        if self.way == "most":
            return value is None or value <= self.value
        if value is None:
            return False
        if self.way == "none":
            return abs(value) <= self.value
        return value >= self.value and (self.way == "least" or (low is not None and low > 0.0))

    @property
    def text(self) -> str:
        """The want in words."""
        if self.way == "gain":
            return f">= {self.value:g}, low > 0"
        return {"least": ">= ", "most": "<= ", "none": "within ±"}[self.way] + f"{self.value:g}"


def least(value: float) -> Want:
    """At least so much."""
    return Want(value, "least")


def most(value: float) -> Want:
    """At most so much."""
    return Want(value, "most")


@dataclass(frozen=True)
class Task:
    """What is simulated, who looks, and what must come of it."""

    name: str
    detector: str
    methods: tuple[str, ...]
    """Methods whose alerts count, from the step on at which a story has one of them; empty for all."""
    plants: tuple[str, ...]
    tier: str
    minutes: int
    wants: Mapping[str, Want]
    labels: Callable[[Any], bool] = lambda label: label.type != "negative"
    """Which labels of the tape count."""
    slack: int = 0
    """Ticks an alert may lie from its label."""
    anywhere: bool = False
    """Whether the price does not matter."""
    conflate_ms: int = 100
    profile: str = "futures"
    """The market it happens in; a future has no short interest, and only a perpetual has an open interest."""
    seeds: int = 40
    """Tapes when nothing else is asked for."""
    steps: str = ""
    """Name of the label's list of times that can be counted."""
    probe: str = ""
    """What is measured besides, of `tapeview.bench.probes`."""
    pressure: bool = False
    """Whether the touch is measured instead of alerts, by `tapeview.bench.pressure`."""
    apart: bool = False
    """Whether it is only run to be shown by strata."""
    shows: tuple[str, ...] = ()
    """Measures told besides those that are wanted."""
    calibrates: bool = True
    """Whether its alerts go into calibration maps."""


MEASURES: Final[Mapping[str, Measure]] = {
    "precision": score.precision,
    "recall": score.recall,
    "f1": score.f1,
    "false/h": score.false_an_hour,
    "delay s": score.delay_s,
    "delay steps": score.delay_steps,
    "area": score.average_precision,
    "calibration": score.calibration_error,
    "brier": score.brier,
    "early": score.mean_of("early"),
    "flagged s": score.median_of("flagged"),
    "off by": score.median_of("off"),
    "over null": score.mean_of("over"),
    "over null, whole tape": score.mean_of("over.all"),
    "hit rate": score.mean_of("hit"),
    "decided": score.mean_of("decided"),
    "AUC": score.area_of("stated"),
    "AUC of the queues": score.area_of("queue"),
    "AUC of the queues at one tick": score.area_of("tick"),
    "AUC each second": score.area_of("second"),
    "ECE": score.gap_of("chance"),
    "R2": score.mean_of("deep"),
    "least gain in R2": score.least_of("deep.gain"),
    "gain in R2": score.mean_of("deep.gain"),
    "R2 of the touch": score.mean_of("flow"),
    "least gain of the touch": score.least_of("gain"),
}
DETECTABLE: Final = f"D >= {LEAST:g}"
EVIDENT_F1: Final = f"f1 [{DETECTABLE}]"


def measure_of(name: str) -> Measure:
    """The measure of a name; `f1 [D >= 9]` is one among the labels of a group."""
    plain, _, group = name.partition(" [")
    if not group:
        return MEASURES[name]
    return {"f1": score.f1_in, "recall": score.recall_in, "delay steps": score.steps_in, "labels": score.count_in}[
        plain
    ](group.rstrip("]"))


def _of(kind: str, *methods: str) -> Callable[[Any], bool]:
    return lambda label: label.type == kind and (not methods or label.method in methods)


def _refilled(tranches: int) -> Callable[[Any], bool]:
    return lambda label: label.type == "iceberg" and label.params.get("tranches", 0) >= tranches


def _synthetic(name: str, plant: str, f1: float) -> Task:
    return Task(
        name, "iceberg", ("synthetic",), (plant,), "B", 20, {"f1": least(f1), "delay steps": most(5)}, _refilled(3),
        steps="refill_ns",
    )  # fmt: skip


def _nothing(detector: str, tier: str, false: float, what: str, *methods: str, seeds: int = 40) -> Task:
    return Task(
        f"{detector.replace('_', ' ')}: nothing there, {what}", detector, methods, (), tier, 30,
        {"false/h": most(false)}, seeds=seeds,
    )  # fmt: skip


_PULLED: Final[dict[str, Any]] = {"labels": _of("pulled", "pattern"), "slack": 10}
_SQUEEZE: Final[dict[str, Any]] = {"anywhere": True, "profile": "stock", "seeds": 32}
_PATTERN: Final = {"precision": least(0.80), "recall": least(0.70)}
_VWAP: Final[dict[str, Any]] = {
    "anywhere": True, "probe": "set-up", "shows": ("over null, whole tape", "hit rate", "decided"), "calibrates": False,
}  # fmt: skip
_OF_FLOW: Final = ("R2", "gain in R2", "R2 of the touch", "least gain of the touch")
TASKS: tuple[Task, ...] = (
    Task(
        "native iceberg, order ids", "iceberg", ("native",), ("native",), "A", 20,
        {"precision": least(0.99), "recall": least(0.99), "delay steps": most(1)}, _refilled(2), steps="refill_ns",
    ),
    Task(
        "native iceberg, levels by match event", "iceberg", ("atomic",), ("native",), "B", 20,
        {"f1": least(0.97), "delay steps": most(2)}, _refilled(3), steps="refill_ns",
    ),
    _nothing("iceberg", "B", 0.1, "by match event alone", "atomic"),
    _synthetic("synthetic iceberg, 50 ms", "synthetic:delay=50:jitter=0", 0.88),
    _synthetic("synthetic iceberg, 150 ms", "synthetic:delay=150:jitter=0", 0.80),
    _synthetic("synthetic iceberg, 500 ms", "synthetic:delay=500:jitter=0", 0.65),
    _synthetic("synthetic iceberg, 20 % jitter", "synthetic:delay=50:jitter=20", 0.60),
    _nothing("iceberg", "A", 2, "order ids"),
    _nothing("iceberg", "B", 2, "levels"),
    _nothing("iceberg", "C", 2, "levels every 100 ms"),
    Task(
        "iceberg-like, levels every 100 ms", "iceberg", ("async",), ("iceberg",), "C", 20,
        {"f1": least(0.50), EVIDENT_F1: least(0.70)}, _refilled(3), steps="refill_ns",
    ),
    Task(
        "size of a native iceberg", "iceberg", ("native",), ("native:every=8",), "A", 90, {"off by": most(0.35)},
        _refilled(2), probe="total", seeds=16, calibrates=False,
    ),
    Task(
        "absorption", "absorption", (), ("absorber",), "A", 30, {"f1": least(0.75)},
        lambda label: label.type == "absorber" and label.params.get("evident", True), slack=2,
    ),
    _nothing("absorption", "A", 3, "order ids"),
    Task(
        "queue imbalance, next move, large tick", "imbalance", (), (), "A", 30,
        {"AUC": least(0.70), "ECE": most(0.03)}, pressure=True, seeds=24,
        shows=("AUC of the queues", "AUC of the queues at one tick", "AUC each second"), calibrates=False,
    ),
    Task(
        "order flow and the move beside it, large tick", "imbalance", (), (), "A", 30,
        {"least gain in R2": least(0.05)}, pressure=True, seeds=24, shows=_OF_FLOW, calibrates=False,
    ),
    Task(
        "order flow and the move beside it, small tick", "imbalance", (), (), "A", 30,
        {"least gain in R2": least(0.05)}, pressure=True, profile="coin", seeds=12, shows=_OF_FLOW,
        calibrates=False,
    ),
    Task(
        "hidden seller or buyer", "hidden_seller", (), ("hidden_seller",), "A", 60,
        {"f1": least(0.70), "early": least(0.70)},
        lambda label: label.type == "hidden_seller" and label.outcome == "held", slack=2, probe="exit", seeds=24,
    ),
    _nothing("hidden_seller", "A", 3, "order ids"),
    Task(
        "squeeze, with fuel", "squeeze", ("squeeze",), ("squeeze:fuel=yes",), "B", 60,
        {"precision": least(0.80), "recall": least(0.90), "early": least(0.80)}, _of("squeeze", "fuel"), probe="half",
        **_SQUEEZE,
    ),
    Task(
        "called squeeze without fuel", "squeeze", ("squeeze",), ("squeeze:fuel=no",), "B", 60, {"recall": most(0.10)},
        _of("squeeze", "no fuel"), calibrates=False, **_SQUEEZE,
    ),
    Task(
        "liquidation cascade", "squeeze", ("cascade",), ("cascade",), "B", 60,
        {"precision": least(0.80), "recall": least(0.90), "early": least(0.80)}, _of("cascade", "forced"),
        anywhere=True, probe="half", profile="perpetual", seeds=32,
    ),
    _nothing("squeeze", "A", 3, "order ids"),
    Task(
        "ignition", "ignition", (), ("ignition",), "A", 90,
        {"precision": least(0.70), "recall": least(0.80), "flagged s": most(20)},
        lambda label: label.type == "ignition" and label.outcome != "not out", anywhere=True, probe="failed", seeds=32,
    ),
    _nothing("ignition", "A", 3, "order ids"),
    Task("pulled liquidity, order ids", "pulled", (), ("pulled",), "A", 40, _PATTERN, **_PULLED),
    Task("pulled liquidity, levels by match event", "pulled", (), ("pulled",), "B", 40, _PATTERN, **_PULLED),
    Task("pulled liquidity, levels every 100 ms", "pulled", (), ("pulled",), "C", 40, _PATTERN, **_PULLED),
    _nothing("pulled", "A", 3, "order ids"),
    Task(
        "VWAP reversion with flow", "vwap_setup", ("revert",), ("vwap:flow=yes",), "A", 150,
        {"over null": Want(0.05, "gain")}, _of("vwap", "with flow"), seeds=48, **_VWAP,
    ),
    Task(
        "VWAP reversion without flow", "vwap_setup", ("revert",), ("vwap:flow=no",), "A", 150,
        {"over null": Want(0.05, "none")}, _of("vwap", "without flow"), seeds=120, **_VWAP,
    ),
    *(
        Task(
            f"icebergs of every kind, {what}", "iceberg", (), ("iceberg",), tier, 20, {}, _refilled(3),
            steps="refill_ns", apart=True, calibrates=False,
        )
        for tier, what in (("A", "order ids"), ("B", "levels by match event"), ("C", "levels every 100 ms"))
    ),
)  # fmt: skip
