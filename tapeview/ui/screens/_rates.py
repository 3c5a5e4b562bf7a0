"""Alerts an hour of one detector at several values of its knob, measured on the recording that is played."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from tapeview.engine.settings import EngineSettings

if TYPE_CHECKING:
    from tapeview.detectors._declare import Thresholds

_Table = dict[str, int | float]


class Stopped(Exception):
    """The measurement is not wanted any more."""


class Rates:
    """What has been measured so far on one recording; asked for again, nothing is measured twice."""

    def __init__(self, address: str, settings: EngineSettings) -> None:
        self.address = address
        self._settings = settings
        self._known: dict[bytes, dict[float, float]] = {}
        self.hours: float | None = None
        """Length of the recording, known once it has been measured."""

    def tried(self, name: str, thresholds: Mapping[str, Thresholds]) -> list[float]:
        """The values of a detector's knob that are shown: about its default, and the present one."""
        from tapeview import scan
        from tapeview.detectors import load

        detector = load()[name]
        schema = msgspec.json.schema(detector.thresholds)["$defs"][detector.thresholds.__name__]
        about = schema["properties"][detector.knob]
        whole = about["type"] == "integer"
        values = scan.settings_of(about["default"], about["minimum"], about["maximum"], whole=whole)
        return sorted({*map(_short, values), float(_knob(name, thresholds[name]))})

    def known(self, name: str, thresholds: Mapping[str, Thresholds]) -> dict[float, float]:
        """Alerts an hour by value, as far as measured with the other thresholds as they are."""
        return self._known.get(_key(name, thresholds), {})

    def measure(
        self, name: str, thresholds: Mapping[str, Thresholds], stop: threading.Event, told: Callable[[float], None]
    ) -> dict[float, float]:
        """Measure every value that is not known yet, telling the share done; raise Stopped where stopped.

        Plays the whole recording once, all values side by side; for a thread.
        """
        from tapeview import scan
        from tapeview.detectors import load

        known = self._known.setdefault(_key(name, thresholds), {})
        values = [value for value in self.tried(name, thresholds) if value not in known]
        if not values:
            return known
        detector = load()[name]
        needed = {other: msgspec.to_builtins(thresholds[other]) for other in detector.after if other in thresholds}
        base: _Table = msgspec.to_builtins(thresholds[name])
        whole = isinstance(base[detector.knob], int)
        sets = [needed | {name: {**base, detector.knob: int(value) if whole else value}} for value in values]

        def heard(_job: int, done: int, bytes_in_all: int, *_counts: int) -> None:
            if stop.is_set():
                raise Stopped
            if bytes_in_all:
                told(min(1.0, done / bytes_in_all))

        job = scan.Job(
            number=0, address=self.address, options=None, settings=self._settings, thresholds=({}, *sets)
        )  # fmt: skip
        result = scan.scan_one(job, heard)
        plan = [(name, value) for value in values]
        for row in scan.rate_table([result], plan, {name: detector.knob}):
            known[row["value"]] = row["per_hour"]
        self.hours = result.hours
        return known


def _short(value: float) -> float:
    """A value in three digits; of one near 1, what it leaves to 1 in two."""
    return round(1 - float(f"{1 - value:.2g}"), 12) if 0.5 < value < 1 else float(f"{value:.3g}")


def _knob(name: str, thresholds: Thresholds) -> float:
    from tapeview.detectors import load

    value: float = getattr(thresholds, load()[name].knob)
    return value


def _key(name: str, thresholds: Mapping[str, Thresholds]) -> bytes:
    from tapeview.detectors import load

    detector = load()[name]
    rest: list[Any] = [thresholds[other] for other in detector.after if other in thresholds]
    mine = {k: v for k, v in msgspec.to_builtins(thresholds[name]).items() if k != detector.knob}
    return msgspec.json.encode([name, mine, rest])


def bars(rates: Iterable[tuple[float, float | None]], width: int) -> list[str]:
    """A bar for each rate, the greatest of them as wide as there is room; '' where it is not known."""
    pairs = list(rates)
    most = max((rate for _, rate in pairs if rate is not None), default=0.0)
    out = []
    for _, rate in pairs:
        eighths = round(8 * width * rate / most) if rate is not None and most > 0 else 0
        out.append("█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8])
    return out
