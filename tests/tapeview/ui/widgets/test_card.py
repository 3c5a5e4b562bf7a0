import pytest

from tapeview.snapshot import Window
from tapeview.ui.widgets.card import Card
from tests.kit import snapshots as kit
from tests.kit.screen import assert_aligned, assert_golden, drawn, lines

FRAMES = {
    "live": kit.snapshot(alerts=kit.alerts("ICEBERG? ask 5 012.50", "LARGE PRINT buy 120")),
    "stale": kit.snapshot(status=kit.status(state="stale")),
    "empty": kit.snapshot(ladder=kit.ladder(bids={}, asks={}, last=None), meters=None),
}


@pytest.mark.parametrize("size", [(59, 15), (20, 5), (5, 2), (1, 1)])
@pytest.mark.parametrize("name", FRAMES)
def test_a_card_looks_as_it_was_found_good(name, size):
    rows = drawn(Card(), FRAMES[name], size=size)
    assert_aligned(rows, size[0])
    assert_golden(__file__, f"card_{name}_{size[0]}x{size[1]}", rows)


def test_a_card_tells_instrument_last_touch_delta_state_and_alert():
    found = "\n".join(lines(drawn(Card(), FRAMES["live"], size=(59, 15))))
    for words in ("cme:MES", "5 012.25 ▲", "5 012.00 x 5 012.25", "delta +1204", "LIVE ✓", "ICEBERG? ask 5 012.50"):
        assert words in found


def test_a_card_asks_for_the_touch():
    assert Card().ask(Window()).rows == 1
    assert Card().ask(Window(rows=9)).rows == 9
