"""The tables of `tapeview bench detectors`: what is wanted with its naive rules beside it, and every measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tapeview.cli import _common as common


def summary(rows: Sequence[Any]) -> None:
    """One line for everything that is wanted, with what each naive rule makes of the same."""
    shown = []
    last = ""
    for row in rows:
        if row.rule != "ours" or row.want is None:
            continue
        beside = [
            f"{other.rule} {_number(other.value)}"
            for other in rows
            if other.task == row.task
            and other.measure == _twin(row.measure)
            and other.rule != "ours"
            and other.value is not None
        ]
        about = _about(row) if row.task != last else ""
        name = row.task if row.task != last else ""
        met = "yes" if row.met else "NO"
        shown.append(
            [name, row.measure, _number(row.value), span(row), row.want.text, met, " · ".join(beside) or "–", about]
        )
        last = row.task
    header = ["task", "measure", "ours", "95 %", "wanted", "met", "naive rules", "from"]
    common.table(header, shown, {2: True})


def everything(rows: Sequence[Any]) -> None:
    """Every measure of every rule."""
    shown = []
    last = ("", "")
    for row in rows:
        head = (row.task, row.rule)
        about = _about(row) if head != last else ""
        met = "" if row.met is None else "yes" if row.met else "NO"
        want = row.want.text if row.want is not None else ""
        task = row.task if row.task != last[0] else ""
        rule = row.rule if head != last else ""
        shown.append([task, rule, row.measure, _number(row.value), span(row), want, met, about])
        last = head
    header = ["task", "rule", "measure", "value", "95 %", "wanted", "met", "from"]
    common.table(header, shown, {3: True})


def strata(rows: Sequence[Any]) -> None:
    """Recall, F1 and delay among groups of labels; a line each, for all rules."""
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        plain, _, group = row.measure.partition(" [")
        if group and row.task != "":
            groups.setdefault((row.task, group.rstrip("]"), row.rule), {})[plain] = row
    if not groups:
        return
    shown = []
    last = ("", "")
    for (task, group, rule), some in groups.items():
        if "labels" not in some:
            continue
        head = (task, group)
        cells = [_number(some[name].value) if name in some else "–" for name in ("recall", "f1", "delay steps")]
        shown.append(
            [
                task if task != last[0] else "", group if head != last else "", rule, f"{some['labels'].value:.0f}",
                cells[0], span(some["recall"]), cells[1], span(some["f1"]), cells[2],
            ]
        )  # fmt: skip
        last = head
    header = ["task", "group", "rule", "labels", "recall", "95 %", "f1", "95 %", "refills"]
    common.table(header, shown, {3: True, 4: True, 6: True, 8: True})


def span(row: Any) -> str:
    """The interval of a row."""
    return f"{row.low:.2f} to {row.high:.2f}" if row.low is not None and row.high is not None else ""


def _about(row: Any) -> str:
    counts = f"{row.labels} labels, " if row.labels else ""
    counts += f"{row.alerts} alerts, " if row.labels or row.alerts else ""
    return f"{counts}{row.tapes} tapes, {row.hours:.1f} h" + (f", {row.seconds:.0f} s" if row.seconds else "")


def _twin(measure: str) -> str:
    """The measure by which a naive rule is compared."""
    return {"least gain in R2": "R2"}.get(measure, measure)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"
