"""A trade's story as text; how it is reached is tested with the journal screen."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from tapeview import journal, ledger
from tapeview.desk.records import OPTIMIST, Changed, Noted, Refused, Told
from tapeview.journal import Journal
from tapeview.ui.screens._story import Story, heading, lines, read
from tests.kit.journals import NS, S, about, trade, write
from tests.kit.screen import assert_golden
from tests.tapeview.ui.screens.test_explain import rows


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Two trades of one run, the first with all that may be said of one."""
    path = tmp_path_factory.mktemp("journal") / "journal.sqlite"
    decided, sent, bought, sold, closed = trade(1, 1.4, note="second test of the low #fade")
    with Journal(path) as book:
        run = book.begin("recordings/one", "1", msgspec.json.encode(about()).decode(), NS)
        at = {"seq": 100, "recv_ns": NS + 600 * S}
        book.post(run, [
            decided, sent,
            Changed(**at, order=1000, view="pessimist", state="working", ahead=41, tick=20_000),
            msgspec.structs.replace(sent, view=OPTIMIST, order=1999), bought,
            Refused(seq=103, recv_ns=NS + 620 * S, number=2, reason="the book is stale"),
            Told(seq=104, recv_ns=NS + 630 * S, kind="naked", text="NAKED POSITION: no stop covers 2 long"),
            sold, closed, Noted(seq=200, recv_ns=NS + 700 * S, number=1, text="took it late", followed=False),
            *trade(2, -1.0),
        ])  # fmt: skip
        book.end(run, "", NS)
    return path


def stories(path):
    with journal.reading(path) as db:
        return [read(path, row) for row in ledger.rows(db)]


@pytest.mark.parametrize("width", [70, 113])
def test_what_a_story_says(path, width):
    one = stories(path)[0]
    assert_golden(__file__, f"story_{width}", rows([heading(one.row), Content(""), *lines(one, width)]))


def test_a_story_holds_its_own_trade_alone_and_what_is_certain(path):
    first, second = stories(path)
    text = "\n".join(line.plain for line in lines(first, 100))
    assert "1999" not in text
    assert "NAKED POSITION" in text
    assert "refused: the book is stale" in text
    assert text.count("sent buy") == 1
    assert "entry working 5000.00, 41 ahead" in text
    assert "took it late" not in "\n".join(line.plain for line in lines(second, 100))
    assert (first.at_ns, second.at_ns) == (NS + 600 * S, NS + 1200 * S)


def test_a_trade_without_a_decision_says_so_and_is_replayed_from_its_opening(path):
    one = stories(path)[0]
    alone = Story(msgspec.structs.replace(one.row, decision=None), one.about, None, one.records)
    assert "none is known" in "\n".join(line.plain for line in lines(alone, 100))
    assert alone.at_ns == one.row.opened_ns


@settings(max_examples=40, deadline=None)
@given(width=st.integers(40, 150), note=st.text(max_size=80), alert=st.text(max_size=120))
def test_no_line_is_wider_than_there_is_room(width, note, alert):
    one = STORY[0]
    assert one.decision is not None
    decision = msgspec.structs.replace(one.decision, note=note, alerts=(alert,))
    for line in lines(msgspec.structs.replace(one, decision=decision), width):
        assert line.cell_length <= width, line.plain


STORY: list = []


@pytest.fixture(autouse=True)
def _story(path):
    STORY[:] = stories(path)[:1]


def test_a_trade_in_money_alone_has_a_story_too(tmp_path):
    path = write(tmp_path / "journal.sqlite", [1.0])
    with journal.reading(path) as db:
        (row,) = ledger.rows(db)
    bare = msgspec.structs.replace(row, r=None, mae_r=None, mfe_r=None, etd_r=None, slippage=None, process=None)
    story = read(path, bare)
    text = "\n".join(line.plain for line in [heading(bare), *lines(story, 80)])
    assert "– R, net +18.76" in text
    assert "MAE –, MFE –, ETD – R" in text
