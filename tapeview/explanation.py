"""Why an alert was told: its rule, what was measured, against which thresholds, how sure, and the market around it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tapeview.alert import named, priced
from tapeview.detectors import load
from tapeview.detectors._calibration import CEILINGS, calibration
from tapeview.format import Scale

if TYPE_CHECKING:
    from feeds.instruments import Instrument
    from tapeview.alert import Alert
    from tapeview.detectors._declare import Thresholds
    from tapeview.watch import Finding, Slice

SOURCES: Final = {
    "P": "paper",
    "X": "exchange or vendor",
    "M": "measured",
    "S": "guide",
    "J": "judgement",
    "B": "fitted by bench",
}
"""What the tag of a threshold's source stands for."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A threshold as it applied."""

    name: str
    value: str
    default: str
    least: str
    most: str
    source: str
    """Where the default comes from, in words; empty where that is not said."""
    text: str

    @property
    def changed(self) -> bool:
        """Whether it is not the default."""
        return self.value != self.default


@dataclass(frozen=True, slots=True)
class Explanation:
    """All there is to say of a story, for a person who doubts it."""

    title: str
    method: str
    """Which of the detector's methods found it."""
    instrument: str
    rule: str
    story: tuple[Alert, ...]
    """What was told, oldest first."""
    evidence: tuple[tuple[str, str], ...]
    """Measured values by name, as first told; prices as prices, `n/a` for what is not known."""
    thresholds: tuple[Applied, ...]
    calibration: str
    """Where the confidence comes from, or that there is none."""
    market: Slice | None
    """The book and the last prints at the row that decided it."""
    scale: Scale


def explain(story: tuple[Finding, ...], thresholds: Mapping[str, Thresholds], instrument: Instrument) -> Explanation:
    """Gather what is known of a story, of which at least the beginning is given."""
    alerts = tuple(finding.alert for finding in story)
    first = alerts[0]
    detector = load()[first.detector]
    scale = Scale.of(instrument)
    return Explanation(
        title=detector.title,
        method=first.method,
        instrument=instrument.name,
        rule=detector.rule,
        story=alerts,
        evidence=tuple(
            (named(name).replace("_", " "), priced(name, value, scale) or number(value))
            for name, value in first.evidence.items()
        ),
        thresholds=applied(thresholds.get(first.detector) or detector.thresholds()),
        calibration=sureness(first),
        market=story[0].market,
        scale=scale,
    )


def applied(thresholds: Thresholds) -> tuple[Applied, ...]:
    """A detector's thresholds in the order they are declared."""
    kind = type(thresholds)
    schema: dict[str, Any] = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    found = []
    for name, about in schema.items():
        tag, _, word = str(about.get("source", "")).partition(" ")
        tag = tag.rstrip(":,")
        source = ", ".join(part for part in (SOURCES.get(tag, tag), word) if part)
        found.append(
            Applied(
                name, number(getattr(thresholds, name)), number(about.get("default")), number(about.get("minimum")),
                number(about.get("maximum")), source, about.get("description", ""),
            )
        )  # fmt: skip
    return tuple(found)


def sureness(alert: Alert) -> str:
    """Where an alert's confidence comes from, in a sentence or two."""
    name = f"{alert.detector}.{alert.method}.{alert.tier}"
    known = calibration().maps.get(name)
    if alert.confidence is None or known is None:
        return f"No map for {name}: the score {number(alert.score)} is raw evidence, not a probability."
    return (
        f"Confidence {number(alert.confidence)} for a score of {number(alert.score)}, from the map {name} "
        f"(version {calibration().version}), fitted on {known.fitted_on}: {known.alerts} alerts. "
        f"Tier {alert.tier} allows {number(CEILINGS[alert.tier])} at most."
    )


def number(value: float | None) -> str:
    """A measured value or a threshold as text: whole ones whole, others with six significant digits at most."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value)).replace("-", "−")
    return f"{value:.6g}".replace("-", "−")
