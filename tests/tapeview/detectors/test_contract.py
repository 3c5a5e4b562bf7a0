"""Every detector: its worked cases, and what all of them promise."""

from __future__ import annotations

import itertools
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import script
from feeds.errors import BadInput
from feeds.events import Events, empty
from feeds.instruments import Instrument
from tapeview.alert import UNKNOWN, Alert
from tapeview.detectors import load, names
from tapeview.detectors._declare import VALUES, Case, record
from tapeview.engine import Engine, _jit
from tapeview.watch import Watch

DETECTORS = load()
CASES = [(name, case) for name, detector in DETECTORS.items() for case in detector.cases]
VENUES = {"future": "cme", "crypto": "binance-futures", "equity": "nasdaq", "other": "test"}


def instrument(case: Case) -> Instrument:
    return Instrument(**({"venue": VENUES[case.asset], "symbol": "X", "tick": "1"} | dict(case.instrument)))


def watch_of(name: str, case: Case) -> tuple[Engine, Watch]:
    about = instrument(case)
    picked = {other: DETECTORS[other].thresholds() for other in DETECTORS[name].after}
    picked[name] = DETECTORS[name].thresholds(**case.thresholds)
    return Engine(about), Watch(about, case.tier, picked)


def play(name: str, case: Case, rows: Events, cuts: list[int]) -> tuple[list[Alert], str]:
    engine, watch = watch_of(name, case)
    alerts: list[Alert] = []
    edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(rows)), len(rows)]
    for start, end in itertools.pairwise(edges):
        found = watch.apply(engine.apply(rows[start:end]), engine)
        alerts += [f.alert for f in found if f.alert.detector == name]
    return alerts, watch.digest()


def test_the_registry_names_every_file() -> None:
    assert set(names()) == set(DETECTORS)


@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda v: v if isinstance(v, str) else v.story)
def test_each_worked_case_gives_its_alerts(name: str, case: Case) -> None:
    alerts, _ = play(name, case, script.events(case.script), [])
    texts = [alert.text for alert in alerts]
    assert len(texts) == len(case.alerts), texts
    for text, begins in zip(texts, case.alerts, strict=True):
        assert text.startswith(begins)


@pytest.mark.parametrize("name", DETECTORS)
def test_some_case_fires_and_some_stays_quiet(name: str) -> None:
    cases = DETECTORS[name].cases
    assert any(case.alerts for case in cases)
    assert any(not case.alerts for case in cases)


@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda v: v if isinstance(v, str) else v.story)
def test_an_alert_says_where_how_sure_and_from_what_it_knows(name: str, case: Case) -> None:
    for alert in play(name, case, script.events(case.script), [])[0]:
        assert len(alert.text) <= 100, alert.text
        assert f"tier {case.tier}" in alert.text
        assert "score" in alert.text or "conf" in alert.text
        assert alert.phase == "cleared" or alert.tick is None or str(alert.tick) in alert.text
        assert all(value is UNKNOWN or math.isfinite(value) for value in alert.evidence.values())
        assert math.isfinite(alert.score)
        assert 1 <= alert.grade <= 3


@pytest.mark.parametrize("name", DETECTORS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_cutting_the_rows_anywhere_changes_nothing(name: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(DETECTORS[name].cases))
    rows = script.events(case.script)
    cuts = data.draw(st.lists(st.integers(1, max(1, len(rows) - 1)), max_size=8))
    assert play(name, case, rows, cuts) == play(name, case, rows, [])


@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda v: v if isinstance(v, str) else v.story)
def test_what_comes_later_changes_no_decision(name: str, case: Case) -> None:
    rows = script.events(case.script)
    whole, _ = play(name, case, rows, [])
    for cut in np.random.default_rng(1).integers(1, len(rows) + 1, 20).tolist():
        head, _ = play(name, case, rows[:cut], [])
        assert head == [alert for alert in whole if alert.seq <= int(rows["seq"][cut - 1])]


@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda v: v if isinstance(v, str) else v.story)
def test_saved_memory_goes_on_as_if_never_stopped(name: str, case: Case) -> None:
    rows = script.events(case.script)
    middle = len(rows) // 2
    whole, digest = play(name, case, rows, [middle])
    engine, watch = watch_of(name, case)
    first = [f.alert for f in watch.apply(engine.apply(rows[:middle]), engine)]
    again = watch_of(name, case)[1]
    again.restore(watch.save())
    rest = [f.alert for f in again.apply(engine.apply(rows[middle:]), engine)]
    assert [a for a in first + rest if a.detector == name] == whole
    assert again.digest() == digest


@pytest.mark.parametrize("name", DETECTORS)
def test_an_empty_or_broken_book_gives_no_alert(name: str) -> None:
    case = DETECTORS[name].cases[0]
    assert play(name, case, empty(), [])[0] == []
    stale = "!gap " + case.script.replace("[", "").replace("]", "")
    assert play(name, case, script.events(stale), [])[0] == []


@pytest.mark.skipif(not _jit.wanted(), reason="kernels are not compiled in this run")
@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda v: v if isinstance(v, str) else v.story)
def test_compiled_and_plain_kernels_agree(name: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = script.events(case.script)
    compiled = play(name, case, rows, [])
    monkeypatch.setattr(_jit, "_twins", {})
    assert play(name, case, rows, []) == compiled


@pytest.mark.parametrize("name", DETECTORS)
def test_every_threshold_is_described_bounded_and_sourced(name: str) -> None:
    kind = DETECTORS[name].thresholds
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
    for field in msgspec.structs.fields(kind):
        about = schema[field.name]
        assert about["description"].endswith("."), field.name
        assert about.get("source"), field.name
        assert ("minimum" in about and "maximum" in about) or about.get("type") == "boolean", field.name
    assert record(kind()).dtype.names == tuple(f.name for f in msgspec.structs.fields(kind))


@pytest.mark.parametrize("name", DETECTORS)
def test_thresholds_come_back_from_toml_and_refuse_what_they_do_not_know(name: str) -> None:
    kind = DETECTORS[name].thresholds
    assert msgspec.toml.decode(b"", type=kind) == kind()
    text = "\n".join(f"{key} = {value}" for key, value in msgspec.to_builtins(kind()).items())
    assert msgspec.toml.decode(text.replace("True", "true").replace("False", "false").encode(), type=kind) == kind()
    with pytest.raises(msgspec.ValidationError, match="no_such"):
        msgspec.convert({"no_such": 1}, kind)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_declares_itself_whole(name: str) -> None:
    detector = DETECTORS[name]
    assert detector.title
    assert detector.rule.endswith(".")
    assert detector.reads
    assert len(detector.evidence) <= VALUES
    taken = set(dir(np.recarray))
    assert not taken & set(detector.memory.names or ()), "a field hides what numpy's records already have"
    for rule, values in detector.baselines.items():
        assert rule
        detector.thresholds(**values)


def test_a_state_of_other_thresholds_is_refused() -> None:
    name = next(iter(DETECTORS))
    engine, watch = watch_of(name, DETECTORS[name].cases[0])
    assert engine is not None
    blob = watch.save()
    with pytest.raises(BadInput, match="same detectors"):
        Watch(Instrument(venue="cme", symbol="X", tick="1"), "D", watch_thresholds(name)).restore(blob)
    with pytest.raises(BadInput, match="state"):
        watch.restore(b"nothing of the kind")


def watch_thresholds(name: str) -> dict:
    return {other: DETECTORS[other].thresholds() for other in (*DETECTORS[name].after, name)}
