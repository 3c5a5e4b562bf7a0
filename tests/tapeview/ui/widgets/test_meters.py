import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeview.ui.widgets.meters import Meters, centred_bar
from tests.kit import snapshots as kit
from tests.kit.screen import assert_aligned, assert_golden, drawn, lines

UNKNOWN = kit.meters(
    imbalance=None, trades=(None, None, None), pace=(None, None, None), pace_word="", cvd=(), high=None, low=None
)
FRAMES = {
    "live": kit.snapshot(),
    "selling": kit.snapshot(
        meters=kit.meters(imbalance=-0.87, trades=(-1.0, -0.5, -0.004), delta=-123_456, pace_word="surge")
    ),
    "unknown": kit.snapshot(meters=UNKNOWN),
    "bitcoin": kit.snapshot(kit.BTC, meters=kit.meters(delta=-1_234_567, buy=10**10, sell=10**10, volume=2 * 10**10)),
}


@pytest.mark.parametrize("size", [(80, 1), (62, 10), (34, 7), (22, 6)])
@pytest.mark.parametrize("name", FRAMES)
def test_meters_look_as_they_were_found_good(name, size):
    rows = drawn(Meters(), FRAMES[name], size=size)
    assert_aligned(rows, size[0])
    assert_golden(__file__, f"meters_{name}_{size[0]}x{size[1]}", rows)


def test_an_unknown_is_a_dash_and_not_a_zero():
    found = "\n".join(lines(drawn(Meters(), FRAMES["unknown"], size=(62, 10))))
    assert "0.00" not in found
    assert found.count("–") >= 4


def test_direction_has_a_glyph_and_a_sign():
    up = "\n".join(lines(drawn(Meters(), FRAMES["live"], size=(62, 10))))
    down = "\n".join(lines(drawn(Meters(), FRAMES["selling"], size=(62, 10))))
    assert "▲ +0.42" in up
    assert "▼ −0.87" in down
    assert "•  0.00" in down


@given(value=st.floats(-1, 1), width=st.integers(3, 60))
def test_a_bar_from_the_middle_is_as_long_as_its_number(value, width):
    runs = centred_bar(value, width, "buy")
    line = "".join(run for run, _ in runs)
    assert len(line) == width
    half = (width - 1) // 2
    middle = next(i for i, c in enumerate(line) if c == "│")
    assert middle == half
    length = 0
    side = set()
    at = 0
    for run, style in runs:
        for character in run:
            if character in "▏▎▍▌▋▊▉█":
                part = " ▏▎▍▌▋▊▉█".index(character)
                length += 8 - part if style.startswith("background@") else part
                side.add(at > middle)
            at += 1
    assert length == round(abs(value) * half * 8)
    assert side <= {value > 0}


def test_meters_fill_what_height_there_is():
    for height in range(1, 14):
        rows = drawn(Meters(), kit.snapshot(), size=(62, height))
        assert len(rows) == height
        used = [line for line in lines(rows) if line.strip()]
        assert len(used) >= min(height, 6) if height != 2 else len(used) == 1
