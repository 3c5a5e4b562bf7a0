"""Feeds that break: a book sent anew is no news, and nobody is told anything until it has been good for a while."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from feeds.events import CLEAR, LAST, S_LIVE, SNAPSHOT, STATUS, TRADE
from feeds.simulator import generate
from tapeview.alert import Alert
from tapeview.detectors import load
from tapeview.engine import Engine, warm
from tapeview.session import pieces
from tapeview.watch import Watch, default_thresholds

QUIET_NS = 5_000_000_000
"""Nothing is told so soon after a book was sent anew."""
GRACE_NS = 5_000_000_000
MEMORY_NS = 120_000_000_000
"""As far back as an iceberg's evidence reaches."""
EVENTS = ("iceberg:every=20", "absorber:every=90", "pulled:every=60", "hidden_seller:every=200")
EVERYTHING = (
    "drop:every=15", "duplicate:every=15", "reorder:every=15", "gap:every=25:length=1500", "crossed:every=30",
    "skew:every=40", "halt:every=60:length=4000",
)  # fmt: skip
RENEWED = ("gap:every=11:length=900", "halt:every=90:length=3000")
"""Faults after which the venue sends the book anew."""


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm()


class Made(NamedTuple):
    """A simulated session, its alerts, and when its book was sent anew."""

    tape: object
    alerts: list[Alert]
    renewed: np.ndarray


def made(seed, tier, minutes, plants, faults=(), thresholds=None):
    tape = generate(seed=seed, minutes=minutes, plants=plants, tier=tier, faults=faults)
    engine, watch = Engine(tape.instrument), Watch(tape.instrument, tier, thresholds or default_thresholds())
    alerts = [f.alert for piece in pieces(tape.events) for f in watch.apply(engine.apply(piece))]
    rows = tape.events
    # A feed of best quotes has no book to send; it only says that it is live again.
    sent = (rows["marks"] & SNAPSHOT != 0) | ((rows["kind"] == STATUS) & (rows["aux"] == S_LIVE))
    return Made(tape, alerts, rows["recv_ns"][sent & (rows["marks"] & LAST != 0)])


def confirmed(alerts, detector=None):
    return [a for a in alerts if a.phase == "confirmed" and detector in (None, a.detector)]


def too_soon(session):
    """Alerts, new or raised, less than five seconds after the book was sent anew."""
    out = []
    for alert in session.alerts:
        before = session.renewed[session.renewed <= alert.recv_ns]
        if alert.phase != "cleared" and len(before) and alert.recv_ns - before[-1] < QUIET_NS:
            out.append((round((alert.recv_ns - before[-1]) / 1e9, 3), alert.text))
    return out


def uncalled(faulty, clean):
    """Iceberg alerts that no iceberg of the truth accounts for, and that the session without faults does not tell."""
    truth = [label for label in faulty.tape.labels if label.type == "iceberg"]
    told = confirmed(clean.alerts, "iceberg")
    out = []
    for alert in confirmed(faulty.alerts, "iceberg"):
        right = any(
            (label.side, label.tick) == (alert.side, alert.tick)
            and label.t0_ns <= alert.recv_ns <= label.t1_ns + GRACE_NS
            for label in truth
        )
        same = [
            other
            for other in told
            if (other.method, other.side, other.tick) == (alert.method, alert.side, alert.tick)
            and abs(other.recv_ns - alert.recv_ns) <= MEMORY_NS
        ]
        if same:
            told.remove(same[0])  # it accounts for one
        elif not right:
            out.append((alert.recv_ns, alert.text))
    return out


def look_like_refills(faulty, clean):
    """How many of the books sent anew show lots at a price that traded while messages were missing."""
    rows, whole = faulty.tape.events, clean.tape.events
    prints = whole[whole["kind"] == TRADE]
    count = 0
    for fault in faulty.tape.faults:
        if fault.kind not in ("gap", "halt"):
            continue
        missed = set(
            prints["tick"][(prints["recv_ns"] >= fault.recv_ns) & (prints["recv_ns"] < fault.until_ns)].tolist()
        )
        sent = rows[(rows["recv_ns"] == fault.until_ns) & (rows["marks"] & SNAPSHOT != 0) & (rows["lots"] > 0)]
        count += bool(missed & set(sent["tick"][sent["kind"] != CLEAR].tolist()))
    return count


@pytest.mark.parametrize("tier", "ABCD")
def test_nothing_is_told_within_five_seconds_of_a_book_sent_anew(tier):
    session = made(6100 + ord(tier), tier, 5, EVENTS, EVERYTHING)
    assert {fault.kind for fault in session.tape.faults} == {name.partition(":")[0] for name in EVERYTHING}
    assert len(session.renewed) > 5
    assert too_soon(session) == []


@pytest.mark.parametrize("plants", [(), ("iceberg:every=20",)], ids=["nothing there", "icebergs"])
@pytest.mark.parametrize("tier", "ABC")
def test_a_book_sent_anew_is_no_iceberg(tier, plants):
    seed = 6200 + ord(tier) + 10 * len(plants)
    clean = made(seed, tier, 4, plants)
    faulty = made(seed, tier, 4, plants, RENEWED)
    assert look_like_refills(faulty, clean) >= 5
    assert uncalled(faulty, clean) == []
    assert too_soon(faulty) == []
    assert bool(confirmed(faulty.alerts, "iceberg")) >= bool(plants and tier != "C")


def test_the_naive_rule_does_find_icebergs_in_books_sent_anew():
    iceberg = load()["iceberg"]
    naive = {"iceberg": iceberg.thresholds(**iceberg.baselines["refill-3x"])}
    clean = made(6200 + ord("A"), "A", 4, (), (), naive)
    faulty = made(6200 + ord("A"), "A", 4, (), RENEWED, naive)
    assert uncalled(faulty, clean)


@pytest.mark.slow
def test_two_hundred_books_sent_anew_are_no_iceberg():
    renewed, wrong = 0, []
    for number in range(24):
        tier, plants = "ABC"[number % 3], ((), ("iceberg:every=20",))[number % 2]
        clean = made(6300 + number, tier, 5, plants)
        faulty = made(6300 + number, tier, 5, plants, RENEWED)
        renewed += look_like_refills(faulty, clean)
        wrong += uncalled(faulty, clean) + too_soon(faulty)
    assert renewed >= 200
    assert wrong == []


@pytest.mark.slow
def test_two_hundred_faults_of_every_kind_tell_nothing_too_soon():
    faults, wrong = 0, []
    for number in range(8):
        session = made(6400 + number, "ABCD"[number % 4], 8, EVENTS, EVERYTHING)
        faults += len(session.tape.faults)
        wrong += too_soon(session)
    assert faults >= 200
    assert wrong == []
