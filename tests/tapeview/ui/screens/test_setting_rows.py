"""Rows of the settings screen: aligned, never too wide, with what matters at every width."""

from __future__ import annotations

import pytest

from tapeview import config
from tapeview.ui.screens import _setting_rows as draw
from tapeview.ui.screens._draft import Draft
from tapeview.ui.screens._setting_rows import Columns


@pytest.fixture(scope="module")
def draft():
    return Draft(config.load([], ["large_print.quantile=0.99", "source=recordings/a-rather-long-name-of-a-recording"]))


@pytest.mark.parametrize("width", [40, 59, 79, 96, 120])
def test_no_row_is_wider_than_the_list_and_values_end_in_one_column(draft, width):
    columns = Columns(width)
    assert columns.value_at + columns.value <= width
    for section in draft.titles:
        for opened in (True, False):
            assert draw.heading(draft, section, opened, columns).cell_length <= width
    for field in draft.fields:
        for error in ("", "0.9 to 0.99999", "one of " + "a, " * 40):
            row = draw.row(draft, field, columns, error)
            assert row.cell_length <= width, (field, row.plain)
            if field.kind not in ("text", "list"):
                value = row.plain[columns.value_at : columns.value_at + columns.value]
                assert not value.endswith(" ")
                assert row.plain[columns.value_at + columns.value :][:1] in ("", " ")
    assert draw.head(columns).plain.index("value") + len("value") == columns.value_at + columns.value


def test_a_row_tells_value_default_bounds_source_and_origin(draft):
    field = next(one for one in draft.fields if one.dotted == "detectors.large_print.quantile")
    words = draw.row(draft, field, Columns(96), "").plain.split()
    assert words == ["quantile", "0.99", "0.9995", "0.9", "to", "0.99999", "J", "--set"]


@pytest.mark.parametrize(("width", "height"), [(36, 20), (78, 4), (30, 3)])
def test_rates_fit_and_mark_the_present_value(width, height):
    pairs = [(round(0.9 + n / 100, 2), None if n == 3 else 10.0 - n) for n in range(9)]
    lines = draw.rates("quantile", pairs, 0.94, "in 6 min", width, height).plain.splitlines()
    assert max(map(len, lines)) <= width
    marked = [line for line in lines if "▸" in line]
    assert len(marked) == 1
    assert "0.94" in marked[0].partition("▸")[2].split()[0]
    assert "…" in "\n".join(lines[1:])


@pytest.mark.parametrize(
    ("hours", "words"), [(None, "not counted"), (40 / 3600, "in 40 s"), (0.1, "in 6 min"), (3.25, "in 3.2 h")]
)
def test_how_long_was_counted_is_told_shortly(hours, words):
    assert draw.length(hours) == words


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_keys_and_title_fit(width):
    for editing in (True, False):
        assert draw.keys(editing, width, ascii_only=True).cell_length <= width
    assert draw.title(3, 0.4, "/home/somebody/.config/tapeview/config.toml", max(60, width)).cell_length <= max(
        60, width
    )
