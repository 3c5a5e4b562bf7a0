"""Calibration maps: fitted from alerts whose truth is known, and checked against others.

A map is of one detector, method and tier: the isotonic regression of being right on the score. What the planted tapes
and the event-free ones of all tasks told goes into it alike, so a stated confidence is of a market with that many
events an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tapeview import __version__
from tapeview.bench import score
from tapeview.bench.score import Tape
from tapeview.bench.taping import OURS
from tapeview.bench.tasks import Task
from tapeview.detectors._calibration import Calibration, Map, calibration, confidence, share

if TYPE_CHECKING:
    from tapeview.bench.detectors import Row

LEAST_ALERTS: Final = 40
"""Alerts below which no map is made."""
IN_A_DECILE: Final = 50
"""Alerts a tenth of confidence must have to be checked."""
WANTED: Final = 0.07
"""How far the stated confidence may lie from the share that was right."""
Results = Iterable[tuple[Task, Sequence[Tape]]]


def maps_of(results: Results, fitted_on: str) -> dict[str, Map]:
    """Fit a map for every detector, method and tier with enough alerts."""
    pairs: dict[str, list[tuple[float, bool]]] = {}
    seeds: dict[str, set[int]] = {}
    for task, tapes in results:
        if not task.calibrates:
            continue
        for tape in tapes:
            for pair, method in zip(tape.ranked, tape.methods, strict=True):
                name = f"{task.detector}.{method}.{task.tier}"
                pairs.setdefault(name, []).append(pair)
                seeds.setdefault(name, set()).add(tape.seed)
    out = {}
    for name, some in sorted(pairs.items()):
        if len(some) < LEAST_ALERTS:
            continue
        scores, shares = score.isotonic(some)
        about = f"simulated, {fitted_on}: {min(seeds[name])}-{max(seeds[name])}"
        out[name] = Map(score=tuple(scores), share=tuple(shares), alerts=len(some), fitted_on=about)
    return out


def write_maps(file: Path, results: Results, seeds: str) -> None:
    """Fit and write the file that `tapeview.detectors._calibration` reads."""
    made = Calibration(made_by=f"tapeview {__version__} bench detectors --fit", maps=maps_of(results, f"{seeds} seeds"))
    fresh = file.with_name(file.name + ".tmp")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    fresh.replace(file)


def checked(results: Results, maps: Calibration | None = None) -> list[Row]:
    """How far stated confidence lies from what came true, for each detector and for all together."""
    known = calibration() if maps is None else maps
    stated = _stated(results, known, capped=True)
    plain = _stated(results, known, capped=False)
    if len(stated) > 1:
        for groups in (stated, plain):
            groups["all"] = [tape for tapes in groups.values() for tape in tapes]
    return [row for name, tapes in stated.items() for row in _rows(name, tapes, plain[name])]


def _stated(results: Results, known: Calibration, *, capped: bool) -> dict[str, list[Tape]]:
    """The tapes of each detector with the confidence of their alerts, or with what the maps say before any ceiling."""
    groups: dict[str, list[Tape]] = {}
    for task, tapes in results:
        if not task.calibrates:
            continue

        def sure(method: str, points: float, task: Task = task) -> float | None:
            if capped:
                return confidence(task.detector, method, task.tier, points, known)
            return share(task.detector, method, task.tier, points, known)

        some = score.sure_of(tapes, sure)
        if any(tape.sure for tape in some):
            groups.setdefault(task.detector, []).extend(some)
    return {name: sorted(groups[name], key=lambda tape: tape.seed) for name in sorted(groups)}


def _rows(name: str, tapes: Sequence[Tape], plain: Sequence[Tape]) -> list[Row]:
    from tapeview.bench.detectors import Row

    alerts = sum(len(tape.sure) for tape in tapes)
    out = []
    worst: score.Measure = lambda some: score.worst_decile(some, IN_A_DECILE)  # noqa: E731
    for what, how, over, wanted in (
        ("worst decile", worst, tapes, WANTED),
        ("the same before ceilings", worst, plain, None),
        ("ECE", score.calibration_error, tapes, None),
        ("brier", score.brier, tapes, None),
    ):  # fmt: skip
        # Tapes of several tasks share a seed: intervals over them would be too narrow, so none is given.
        value = how(over)
        out.append(
            Row(
                task=f"confidence: {name}", detector=name, rule=OURS, measure=what, value=value, low=None, high=None,
                wanted=wanted if value is not None else None, way="most" if wanted and value is not None else "",
                met=value <= wanted if wanted is not None and value is not None else None, labels=0, alerts=alerts,
                tapes=len(tapes), hours=sum(tape.hours for tape in tapes), seconds=0.0,
            )
        )  # fmt: skip
    return out
