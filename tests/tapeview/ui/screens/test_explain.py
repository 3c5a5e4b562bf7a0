"""What an explanation says, as text; how it is reached is tested with the trade screen."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from tapeview.alert import Alert
from tapeview.explanation import Applied, Explanation
from tapeview.ui.screens.explain import heading, lines
from tapeview.watch import Slice
from tests.kit import snapshots as kit
from tests.kit.screen import assert_golden

S = 1_000_000_000
FIRST = Alert(
    detector="iceberg", method="native", key=3, phase="confirmed", inst=0, seq=1234, recv_ns=kit.NOON_NS, exch_ns=None,
    side=-1, tick=20_050, tick_to=20_051, lots=37, grade=2, score=4.5, confidence=0.91, tier="A",
    text="ICEBERG SELL 5012.50 · native · 9 refills, peak ~4 · ≥37 hidden done · conf .91 · tier A",
    evidence={"refills": 9.0, "peak": 4.0, "hidden": 37.0, "share": 0.4375},
)  # fmt: skip
RAISED = msgspec.structs.replace(
    FIRST, phase="raised", grade=3, recv_ns=kit.NOON_NS + 5 * S, seq=1300, text="ICEBERG SELL · more"
)
OVER = msgspec.structs.replace(
    FIRST, phase="cleared", reason="eaten", recv_ns=kit.NOON_NS + 65 * S, seq=1400, text="EATEN 5012.50 after 74 lots"
)
STORY = (FIRST, RAISED, OVER)
MARKET = Slice(
    tuple((20_049 - n, 30 + 7 * n) for n in range(10)),
    tuple((20_050 + n, 12 + 9 * n) for n in range(10)),
    tuple((kit.NOON_NS - n * 137_000_000, 20_050 - n % 2, 1 + n, 1 - 2 * (n % 2)) for n in range(20)),
)
THRESHOLDS = (
    Applied("min_refills", "3", "4", "1", "50", "judgement", "Refills before it is told."),
    Applied("tolerance", "0.25", "0.25", "0", "1", "paper, Zotikov and Antonov", "How far a tranche may differ."),
)


def explanation(**changes):
    usual = {
        "title": "Iceberg", "method": "native", "instrument": "cme:MES", "rule": "An order that `keeps` its id. " * 4,
        "story": STORY, "evidence": (("refills", "9"), ("peak", "4"), ("hidden", "37"), ("share", "0.4375")),
        "thresholds": THRESHOLDS, "calibration": "Confidence 0.91 for a score of 4.5, from the map iceberg.native.A.",
        "market": MARKET, "scale": kit.MES,
    }  # fmt: skip
    return Explanation(**(usual | changes))


def rows(found):
    """Lines of content as the kit's rows: runs of text and style."""
    out = []
    for line in found:
        styles = [""] * len(line.plain)
        for span in line.spans:
            styles[span.start : span.end] = [str(span.style)] * (min(span.end, len(styles)) - span.start)
        row = []
        for character, style in zip(line.plain, styles, strict=True):
            if row and row[-1][1] == style:
                row[-1] = (row[-1][0] + character, style)
            else:
                row.append((character, style))
        out.append(tuple(row))
    return out


@pytest.mark.parametrize("width", [53, 73, 113, 143])
def test_what_an_explanation_says(width):
    made = explanation()
    assert_golden(__file__, f"explain_{width}", rows([heading(made), Content(""), *lines(made, width)]))


def test_times_are_the_markets_own():
    shown = "\n".join(line.plain for line in lines(explanation(), 143, -5 * 3600))
    assert "07:30:00.000" in shown
    assert "12:30:00.000" not in shown


def test_the_prices_meant_are_pointed_at_in_the_book():
    pointed = [line.plain for line in lines(explanation(), 53) if line.plain.startswith("▸")]
    assert ["5 012.50" in pointed[1], "5 012.75" in pointed[0], len(pointed)] == [True, True, 2]


def test_what_is_not_known_is_said_to_be_so():
    for market, words in (
        (None, "not kept for this alert"),
        (Slice(None, None, ()), "not known any more"),
        (Slice((), (), ()), "empty"),
        (Slice((), (), ()), "none yet"),
    ):
        assert words in "\n".join(line.plain for line in lines(explanation(market=market), 80))
    assert "nothing" in "\n".join(line.plain for line in lines(explanation(evidence=()), 80))
    no_price = (msgspec.structs.replace(FIRST, tick=None, tick_to=None, side=0),)
    assert not any("▸" in line.plain for line in lines(explanation(story=no_price), 80))


@settings(max_examples=50, deadline=None)
@given(width=st.integers(56, 200), words=st.lists(st.sampled_from(["paper", "Cont", "2014", "measured"]), max_size=20))
def test_where_a_threshold_comes_from_is_never_cut(width, words):
    one = Applied("on", "2", "1", "0", "10", " ".join(words), "What is needed.")
    shown = lines(explanation(thresholds=(one,), market=None), width)
    said = " ".join(" ".join(line.plain for line in shown).split())
    assert " ".join([*words, "What is needed."]) in said


def test_a_story_kept_back_says_so():
    held = (msgspec.structs.replace(FIRST, held=True),)
    assert "held back" in "\n".join(line.plain for line in lines(explanation(story=held), 143))


@settings(max_examples=50, deadline=None)
@given(width=st.integers(56, 200), text=st.text(max_size=200), reason=st.text(max_size=20))
def test_no_line_is_wider_than_there_is_room(width, text, reason):
    story = (FIRST, msgspec.structs.replace(OVER, text=text, reason=reason))
    for line in lines(explanation(story=story), width):
        assert line.cell_length <= width, line.plain
