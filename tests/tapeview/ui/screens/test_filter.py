import pytest

from feeds.errors import BadInput
from tapeview import journal, ledger
from tapeview.ui.screens._filter import WHAT, matching
from tests.kit.journals import write


@pytest.fixture(scope="module")
def trades(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("journal") / "journal.sqlite", [1.0, -1.0, 2.0, -1.0, 1.0, 1.0])
    with journal.reading(path) as db:
        return ledger.rows(db)


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("setup:fade", [3, 6]),
        ("setup:iceberg_bounce", [2, 5]),
        ("SETUP:Fade", [3, 6]),
        ("fade", [3, 6]),
        ("fade mes", [6]),
        ("instrument:mnq", [1, 3, 5]),
        ("cme:mnq", [1, 3, 5]),
        ("side:long", [1, 3, 5]),
        ("tag:morning", [4]),
        ("detector:iceberg", [1, 2, 4, 5]),
        ("hour:14", [1, 2]),
        ("day:2024-02-13 hour:15", [3, 4, 5, 6]),
        ("run:1", [1, 2, 3, 4, 5, 6]),
        ("run:11", []),
        ("account:practice", [1, 2, 3, 4, 5, 6]),
        ("nobody", []),
    ],
)
def test_the_trades_that_every_word_fits(trades, words, numbers):
    assert [one.trade for one in matching(trades, words)] == numbers


def test_an_unknown_word_before_a_colon_is_answered_with_those_there_are(trades):
    with pytest.raises(BadInput, match=r"filter: got 'mood:', expected setup:.*run:, day:"):
        matching(trades, "mood:good")
    assert matching([], "") == []
    assert {*ledger.BY, "run", "day"} == set(WHAT)
