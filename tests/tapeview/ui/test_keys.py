import re

import pytest

from feeds.errors import BadInput
from tapeview.ui import keys


def every_action():
    return {action.id: action for listed in keys.everything().values() for action in listed}


def test_no_key_means_two_things_on_one_screen():
    assert keys.clashes() == []


def test_every_binding_of_ours_has_an_id_and_words():
    for chains in keys.contexts().values():
        for chain in chains:
            for owner in chain:
                for binding in keys.declared(owner):
                    assert binding.id, (owner, binding)
                    silent = re.fullmatch(r"screen\.instrument\d|trade\.size\d", binding.id)
                    assert binding.description or silent, binding


def test_every_action_that_is_bound_exists():
    for chains in keys.contexts().values():
        for chain in chains:
            for owner in chain:
                for binding in keys.declared(owner):
                    name = re.match(r"(app\.)?(\w+)", binding.action)
                    where = chain[0] if name[1] else owner
                    assert hasattr(where, f"action_{name[2]}"), binding


def test_ids_are_unique_and_written_alike():
    seen = {}
    for chains in keys.contexts().values():
        for owner in {cls for chain in chains for cls in chain}:
            for cls in owner.__mro__:
                for binding in cls.__dict__.get("BINDINGS", ()) if cls.__module__.startswith("tapeview.") else ():
                    assert re.fullmatch(r"[a-z]+\.[a-z0-9-]+", binding.id)
                    assert seen.setdefault(binding.id, (cls, binding.action)) == (cls, binding.action)


def test_the_bare_keys_of_trading_trade_and_nothing_else_has_them():
    having = {key: action.id for action in every_action().values() for key in action.keys if key in keys.TRADING}
    assert set(having) == keys.TRADING
    assert all(name.startswith("trade.") for name in having.values())


def test_what_sends_an_order_is_not_found_by_name():
    from tapeview.ui.screens._trading import TradingScreen

    names = {action.id for action in keys.actions((TradingScreen,)) if action.id.startswith("trade.")}
    quiet = {"trade.bracket", "trade.ticket", "trade.note", "trade.blind", *(f"trade.size{n}" for n in range(1, 6))}
    assert names - quiet == keys.BY_KEY_ALONE


def test_the_documented_defaults_are_what_they_are_said_to_be():
    actions = every_action()
    for name, expected in {
        "replay.pause": "p", "replay.event": ".", "replay.trade": ">", "replay.back": ",", "replay.slower": "[",
        "replay.faster": "]", "replay.goto": "g", "replay.bookmark": "m", "screen.next": "Tab", "screen.zoom": "z",
        "alerts.explain": "e", "alerts.replay": "r", "alerts.next": "n", "alerts.previous": "N", "alerts.mute": "M",
        "ladder.centre": "Space", "ladder.touch": "Home", "ladder.clear": "c", "app.palette": "Ctrl+P",
        "ladder.up": "↑", "ladder.page-down": "PgDn", "screen.layout-all": "F5", "screen.leave": "q",
        "trade.arm": "a", "trade.buy": "b", "trade.sell": "s", "trade.buy-market": "B", "trade.sell-market": "S",
        "trade.cancel": "x", "trade.cancel-all": "X", "trade.flatten": "f", "trade.bracket": "k", "trade.trail": "t",
        "trade.size1": "1…5", "trade.size5": "5",
    }.items():  # fmt: skip
        assert actions[name].shown == expected
    assert actions["app.help"].shown.split()[0] == "?"


def test_an_unknown_id_is_refused_with_the_nearest_and_its_file():
    with pytest.raises(BadInput, match=r"^/home/me/c\.toml: keys: got 'replay\.pauze', expected 'replay\.pause'\?"):
        keys.check_keymap({"replay.pauze": "p"}, {"keys.replay.pauze": "/home/me/c.toml"})
    with pytest.raises(BadInput, match="one of "):
        keys.check_keymap({"zzzzzz": "p"})


@pytest.mark.parametrize("wrong", ["ctlr+g", "foo", "", "ctrl+", "f99", "ctrl+alt"])
def test_a_key_that_does_not_exist_is_refused(wrong):
    with pytest.raises(BadInput, match=r"replay\.pause"):
        keys.check_keymap({"replay.pause": wrong})


@pytest.mark.parametrize("right", ["P", "ctrl+g", "f12", "backslash", "alt+0", "p,end", "&", "shift+f3"])
def test_a_key_that_exists_is_taken(right):
    keys.check_keymap({"replay.pause": right})


def test_two_actions_on_one_key_are_refused_naming_both():
    with pytest.raises(
        BadInput, match=r"replay\.pause.*free on the trade screen; Z is 'screen\.zoom'|z is 'screen\.zoom'"
    ):
        keys.check_keymap({"replay.pause": "z"})


def test_two_actions_may_change_places():
    keys.check_keymap({"replay.pause": "z", "screen.zoom": "p"})


def test_panels_may_use_the_same_key_because_only_one_has_the_focus():
    keys.check_keymap({"tape.follow": "l"})


def test_a_persons_own_keys_are_the_ones_that_are_told():
    told = dict(row for title, rows in keys.table({"replay.pause": "f12"}) for row in rows)
    assert told["F12"] == "Play or pause"


@pytest.mark.parametrize(
    ("key", "text"),
    [("question_mark", "?"), ("shift+left", "Shift+←"), ("f5", "F5"), ("ctrl+g", "Ctrl+G"), ("g", "g"), ("V", "V"),
     ("quotation_mark", '"'), ("left_square_bracket", "["), ("space", "Space")],
)  # fmt: skip
def test_keys_read_as_people_write_them(key, text):
    assert keys.key_text(key) == text


def test_the_readme_table_lists_every_action_once():
    table = keys.readme_keys()
    for action in every_action().values():
        assert table.count(f"`{action.id}`") == bool(action.text)
