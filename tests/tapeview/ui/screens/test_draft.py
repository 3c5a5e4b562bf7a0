"""Settings being edited: parsing, bounds, steps, origins, and what is to be saved."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from feeds.errors import BadInput
from tapeview import config
from tapeview.ui.screens._draft import Draft, Field, step_of, text_of

THEMES = ("dark", "light", "deuter")


def draft_of(*words, files=()):
    return Draft(config.load(files, words), THEMES)


def field(draft, dotted):
    return next(one for one in draft.fields if one.dotted == dotted)


QUANTILE = "detectors.large_print.quantile"
SWITCH = "detectors.large_print.on or off"


def test_every_value_of_screen_engine_detectors_and_theme_is_a_field_with_words():
    draft = draft_of()
    listed = {one.dotted for one in draft.fields}
    rows = {key for key, _, _ in config.rows(draft.loaded) if key != "detectors.off"}
    assert rows <= listed
    assert {dotted for dotted in listed - rows if not dotted.endswith(".on or off")} == set()
    for one in draft.fields:
        assert one.about, one
        assert draft.value(one) == one.default, one
        if one.key[0] == "detectors" and one.name != "detector":
            assert one.source, one
            assert one.least is not None, one


def test_each_value_knows_where_it_comes_from(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[detectors.large_print]\nquantile = 0.99\n")
    draft = draft_of("screen.fps=20", files=[file])
    assert draft.origin(field(draft, QUANTILE)) == str(file)
    assert draft.origin(field(draft, "screen.fps")) == "--set"
    assert draft.origin(field(draft, "screen.recent_s")) == "default"
    draft.put(field(draft, "screen.recent_s"), 30)
    assert draft.origin(field(draft, "screen.recent_s")) == "not saved"


@pytest.mark.parametrize(
    ("dotted", "text", "expected"),
    [
        (QUANTILE, "0.5", "0.9 to 0.99999"), (QUANTILE, "nan", "0.9 to 0.99999"), (QUANTILE, "much", "a number"),
        ("screen.fps", "0", "1 to 60"), ("screen.fps", "2.5", "a whole number"), ("screen.fps", "", "a whole number"),
        ("screen.tape_min_lots", "-1", "at least 0"), ("screen.recentre", "never", "one of auto, static, pinned"),
        ("theme", "drak", "one of dark, light, deuter"), ("engine.merge_ms", "1" * 30, "0 to 60000"),
    ],
)  # fmt: skip
def test_what_may_not_stand_there_is_refused_with_what_may(dotted, text, expected):
    draft = draft_of()
    with pytest.raises(BadInput) as caught:
        draft.parse(field(draft, dotted), text)
    assert expected in caught.value.expected


@pytest.mark.parametrize(
    ("dotted", "text", "value"),
    [(QUANTILE, " 0.95 ", 0.95), ("screen.fps", "6_0", 60), ("theme", "light", "light"), ("source", " a b ", "a b")],
)
def test_what_may_stand_there_is_taken(dotted, text, value):
    draft = draft_of()
    assert draft.parse(field(draft, dotted), text) == value


@pytest.mark.parametrize(
    ("dotted", "text", "value", "shown"),
    [
        ("desk.blind", "off", False, "off"), ("desk.blind", "TRUE", True, "on"),
        ("desk.lots", "1, 2,3 4  5", [1, 2, 3, 4, 5], "1, 2, 3, 4, 5"), ("desk.bracket.targets", "", [], ""),
        ("outlets.bell.kinds", "filled lock", ["filled", "lock"], "filled, lock"),
        ("desk.equity", "10000.50", "10000.50", "10000.50"), ("outlets.desktop.through", "system", "system", "system"),
    ],
)  # fmt: skip
def test_switches_and_lists_are_read_and_shown_as_a_person_writes_them(dotted, text, value, shown):
    draft = draft_of()
    one = field(draft, dotted)
    assert draft.parse(one, text) == value
    assert type(draft.parse(one, text)) is type(value)
    draft.put(one, value)
    assert text_of(draft.value(one)) == shown
    assert draft.now().config


@pytest.mark.parametrize(
    ("dotted", "text", "expected"),
    [
        ("desk.blind", "perhaps", "on or off"), ("desk.lots", "1 2 3", "5 numbers from 1 to 1000000000"),
        ("desk.lots", "1 2 3 4 x", "5 numbers"), ("desk.lots", "0 1 2 3 4", "5 numbers from 1"),
        ("desk.bracket.targets", "1 2 3 4 5", "at most 4 numbers from 1 to 100000"),
        ("desk.equity", "much", "an amount such as 25000"), ("desk.account", "a b", "letters, digits"),
        ("outlets.bell.grade", "4", "1 to 3"),
    ],
)  # fmt: skip
def test_what_is_no_switch_and_no_such_list_is_refused(dotted, text, expected):
    draft = draft_of()
    with pytest.raises(BadInput) as caught:
        draft.parse(field(draft, dotted), text)
    assert expected in caught.value.expected


def test_a_switch_is_stepped_and_written_as_true_or_false(tmp_path):
    from tapeview.settings_file import SettingsFile

    path = tmp_path / "mine.toml"
    path.write_text("# my desk\n[desk]\nblind = true  # I am weak\n")
    draft = draft_of(files=[path])
    blind, lots, on = field(draft, "desk.blind"), field(draft, "desk.lots"), field(draft, "outlets.bell.on")
    draft.put(blind, draft.step(blind, 1))
    draft.put(lots, draft.parse(lots, "1 2 4 8 16"))
    draft.put(on, draft.step(on, -1))
    SettingsFile(path).save(draft.changes)
    assert path.read_text() == (
        "# my desk\n[desk]\nblind = false  # I am weak\nlots = [1, 2, 4, 8, 16]\n\n[outlets.bell]\non = true\n"
    )
    assert config.load([path]).config == draft.now().config


def test_what_no_start_would_take_is_refused_before_it_is_saved():
    draft = draft_of()
    draft.put(field(draft, "outlets.webhook.on"), True)
    with pytest.raises(BadInput, match=r"not saved: outlets.webhook.url"):
        draft.check()
    draft.put(field(draft, "outlets.webhook.url"), "https://example.org/hook")
    draft.check()


def test_a_value_put_back_to_where_it_was_is_changed_no_more():
    draft = draft_of("screen.fps=20")
    fps = field(draft, "screen.fps")
    draft.put(fps, 25)
    assert draft.changes == {("screen", "fps"): 25}
    draft.put(fps, 20)
    assert draft.changes == {}


def test_the_default_is_the_key_taken_out_where_it_was_set():
    draft = draft_of("screen.fps=20")
    fps, recent = field(draft, "screen.fps"), field(draft, "screen.recent_s")
    draft.reset(fps)
    assert draft.changes == {("screen", "fps"): UNSET}
    assert draft.value(fps) == 30
    assert draft.now().config.screen.fps == 30
    draft.put(recent, 99)
    draft.reset(recent)
    assert recent.key not in draft.changes


def test_a_detector_is_turned_off_and_on_in_one_list():
    draft = draft_of('detectors.off=["squeeze"]')
    switch, other = field(draft, SWITCH), field(draft, "detectors.squeeze.on or off")
    assert (draft.value(switch), draft.value(other)) == ("on", "off")
    draft.put(switch, "off")
    assert draft.changes == {("detectors", "off"): ["squeeze", "large_print"]}
    assert draft.changed(switch)
    assert not draft.changed(other)
    assert {"squeeze", "large_print"}.isdisjoint(draft.thresholds())
    draft.put(switch, "on")
    assert draft.changes == {}
    draft.reset(other)
    assert draft.changes == {("detectors", "off"): []}


def test_changed_thresholds_are_those_that_run():
    draft = draft_of()
    draft.put(field(draft, QUANTILE), 0.91)
    assert draft.thresholds()["large_print"].quantile == 0.91
    draft.undo()
    assert draft.thresholds() == config.thresholds(config.load([]))


def test_saved_changes_come_from_the_file():
    draft = draft_of()
    quantile = field(draft, QUANTILE)
    draft.put(quantile, 0.91)
    draft.saved("/home/me/config.toml")
    assert draft.changes == {}
    assert draft.value(quantile) == 0.91
    assert draft.origin(quantile) == "/home/me/config.toml"


@pytest.mark.parametrize(
    ("dotted", "value", "up", "down"),
    [
        (QUANTILE, 0.995, 0.996, 0.994), (QUANTILE, 0.9995, 0.9996, 0.9994), (QUANTILE, 0.9, 0.91, 0.9),
        ("screen.fps", 30, 31, 29), ("screen.fps", 60, 60, 50), ("screen.fps", 1, 2, 1),
        ("engine.stale_ms", 3000, 3100, 2900), ("engine.stale_ms", 3050, 3100, 3000),
        ("screen.tape_min_lots", 0, 1, 0), ("theme", "dark", "light", "deuter"),
        ("detectors.squeeze.off", 0.4, 0.41, 0.39),
    ],
)  # fmt: skip
def test_steps_fit_the_size_of_the_value(dotted, value, up, down):
    draft = draft_of()
    one = field(draft, dotted)
    draft.put(one, value)
    assert (draft.step(one, 1), draft.step(one, -1)) == (up, down)


NUMBERS = [one for one in draft_of().fields if one.kind in ("int", "float")]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NUMBERS), st.integers(1, 40), st.sampled_from([1, -1]))
def test_steps_stay_in_bounds_and_go_one_way(one: Field, count, direction):
    draft = draft_of()
    for _ in range(count):
        before = draft.value(one)
        after = draft.step(one, direction)
        at_end = before == (one.most if direction > 0 else one.least)
        assert after == before if at_end else (after - before) * direction > 0, (one.dotted, before)
        assert draft.parse(one, text_of(after)) == after
        assert step_of(before, one, direction) > 0
        draft.put(one, after)


@pytest.mark.parametrize(
    ("value", "text"), [(0.995, "0.995"), (2.0, "2"), (1e-05, "0.00001"), (3000, "3000"), ("a", "a")]
)
def test_values_are_written_as_a_person_writes_them(value, text):
    assert text_of(value) == text
