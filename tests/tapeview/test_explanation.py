"""An explanation says what was measured, against what, and how sure one can be, in the words of the declaration."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import pytest

from feeds.instruments import Instrument
from tapeview.alert import UNKNOWN, Alert
from tapeview.detectors import _calibration, load
from tapeview.detectors._calibration import Calibration, Map
from tapeview.detectors._declare import Thresholds, bound
from tapeview.detectors.large_print import LargePrintThresholds
from tapeview.explanation import applied, explain, number, sureness
from tapeview.format import Scale
from tapeview.watch import Finding, Slice

MES = Instrument(venue="cme", symbol="MES", tick="0.25")
MARKET = Slice(((400, 5), (399, 7)), ((401, 2),), ((1000, 401, 3, 1),))


def alert(phase: str = "confirmed", **changes: object) -> Alert:
    usual = Alert(
        detector="large_print", method="print", key=1, phase=phase, inst=0, seq=10, recv_ns=1000, exch_ns=None, side=-1,
        tick=401, tick_to=401, lots=60, grade=2, score=2.5, tier="A", text="LARGE PRINT",
        evidence={"lots": 60.0, "large": 24.5},
    )  # fmt: skip
    return msgspec.structs.replace(usual, **changes)


def story(*alerts: Alert) -> tuple[Finding, ...]:
    return tuple(Finding(one, MARKET if one.phase == "confirmed" else None, np.zeros(1, np.void)) for one in alerts)


def test_it_gathers_the_rule_the_story_and_the_market_at_its_beginning() -> None:
    steps = (alert(), alert("raised", grade=3, evidence={"lots": 90.0}), alert("cleared", reason="over"))
    made = explain(story(*steps), {}, MES)
    assert made.story == steps
    assert made.market == MARKET
    assert (made.title, made.method, made.instrument) == ("Large print", "print", MES.name)
    assert made.rule == load()["large_print"].rule
    assert made.evidence == (("lots", "60"), ("large", "24.5"))


def test_prices_are_told_as_prices_and_what_is_not_known_as_such() -> None:
    measured = {
        "stop_tick": 403.0,
        "target_tick": 401.5,
        "mid_tick": 400.123456,
        "left_median": UNKNOWN,
        "low_tick": UNKNOWN,
    }
    first = alert(evidence=measured)
    told = dict(explain(story(first), {}, MES).evidence)
    assert told == {"stop": "100.75", "target": "100.375", "mid": "100.03", "left median": "n/a", "low": "n/a"}
    written = first.as_json(Scale.of(MES))["evidence"]
    assert written == {"stop": "100.75", "target": "100.375", "mid": "100.03", "left_median": None, "low": None}
    assert b"null" in msgspec.json.encode(written)


def test_thresholds_are_those_that_applied_with_default_bounds_and_source() -> None:
    class Some(Thresholds, frozen=True, kw_only=True):
        share: Annotated[float, bound(0.5, 0.999, "A share.", "P Osler 2003")] = 0.9
        rows: Annotated[int, bound(1, 10, "Rows.", "J")] = 4
        wait_ms: Annotated[int, bound(0, 100, "Wait.", "X: vendors' rule of thumb")] = 5

    found = {one.name: one for one in applied(Some(rows=7))}
    assert list(found) == ["share", "rows", "wait_ms"]
    share, rows = found["share"], found["rows"]
    assert (share.value, share.default, share.least, share.most) == ("0.9", "0.9", "0.5", "0.999")
    assert (share.source, share.text, share.changed) == ("paper, Osler 2003", "A share.", False)
    assert (rows.value, rows.default, rows.source, rows.changed) == ("7", "4", "judgement", True)
    assert found["wait_ms"].source == "exchange or vendor, vendors' rule of thumb"


@pytest.mark.parametrize("name", list(load()))
def test_every_threshold_of_every_detector_can_be_explained(name: str) -> None:
    kind = load()[name].thresholds
    found = applied(kind())
    assert [one.name for one in found] == list(kind.__struct_fields__)
    for one in found:
        assert one.text
        assert one.source
        assert not one.changed
        assert "–" not in (one.value, one.default, one.least, one.most)


def test_the_thresholds_in_force_are_explained_not_the_defaults() -> None:
    mine = LargePrintThresholds(min_orders=50)
    made = explain(story(alert()), {"large_print": mine}, MES)
    assert {one.name: one.value for one in made.thresholds}["min_orders"] == "50"
    assert [one.name for one in made.thresholds if one.changed] == ["min_orders"]


def test_without_a_map_it_says_that_a_score_is_no_probability() -> None:
    assert sureness(alert()) == "No map for large_print.print.A: the score 2.5 is raw evidence, not a probability."


def test_with_a_map_it_says_which_and_what_it_was_fitted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = {"large_print.print.A": Map(score=(1.0, 2.0), share=(0.6, 0.8), alerts=321, fitted_on="simulator seeds 1-9")}
    monkeypatch.setattr("tapeview.explanation.calibration", lambda: Calibration(version=4, maps=maps))
    said = sureness(alert(confidence=0.8))
    for word in ("0.8", "2.5", "large_print.print.A", "version 4", "simulator seeds 1-9", "321", "0.99"):
        assert word in said
    assert str(_calibration.CEILINGS["A"]) in said


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (float("nan"), "n/a"), (3.0, "3"), (-3.0, "−3"), (2.5, "2.5"), (1 / 3, "0.333333"),
     (float("inf"), "∞"), (0.9995, "0.9995"), (123456789.0, "123456789"), (True, "yes"), (1e-9, "1e−09")],
)  # fmt: skip
def test_numbers_are_written_as_a_person_would(value: float | None, shown: str) -> None:
    assert number(value) == shown
