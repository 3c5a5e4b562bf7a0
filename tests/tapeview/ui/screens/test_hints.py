import pytest

from tapeview.ui.app import TapeviewApp
from tapeview.ui.keys import actions
from tapeview.ui.screens._hints import ALWAYS, OF_PANEL, hints
from tapeview.ui.screens.trade import PANELS, TradeScreen
from tapeview.ui.widgets.ladder import Ladder

OWNERS = (TapeviewApp, TradeScreen, *PANELS)


@pytest.mark.parametrize("room", [30, 60, 79, 100, 119, 199])
@pytest.mark.parametrize("panel", PANELS)
def test_the_line_fits_and_always_tells_help_and_the_way_back(room, panel):
    told = hints(panel(), OWNERS, {}, room)
    assert sum(len(keys) + len(word) + 3 for keys, word in told) < room
    assert told[-2:] == (("?", "help"), ("q", "back"))


def test_wider_lines_tell_more_in_the_same_order():
    narrow, wide = (hints(Ladder(), OWNERS, {}, room) for room in (60, 150))
    assert len(narrow) < len(wide)
    assert [hint for hint in wide if hint in narrow] == list(narrow)


def test_every_panel_has_hints_of_its_own_and_every_id_in_them_exists():
    known = {action.id for action in actions(OWNERS)}
    assert set(OF_PANEL) == set(PANELS)
    for told in (*OF_PANEL.values(), ALWAYS):
        for ids, _, _ in told:
            assert set(ids.split()) <= known


def test_a_persons_own_keys_are_told():
    assert ("F12", "pause") in hints(None, OWNERS, {"replay.pause": "f12"}, 200)
