import unicodedata
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from feeds.instruments import Instrument
from tapeview import format as text
from tapeview.format import Scale

MES = Scale.of(Instrument(venue="cme", symbol="MES", tick="0.25"))
BTC = Scale.of(Instrument(venue="binance", symbol="BTCUSDT", tick="0.10", lot="0.001"))
SHIB = Scale.of(Instrument(venue="binance", symbol="SHIB", tick="0.00000001", lot="0.00000001"))
scales = pytest.mark.parametrize("scale", [MES, BTC, SHIB], ids=["whole", "thousandths", "tiny"])
SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}


def test_prices_are_written_as_the_venue_does():
    assert text.price(MES, 20_049) == "5012.25"
    assert text.ladder_price(MES, 20_049) == "5 012.25"
    assert text.ladder_price(BTC, -279_851) == "-27 985.10"


@given(whole=st.integers(-(10**15), 10**15), part=st.text("0123456789", max_size=8))
def test_thousands_apart_change_nothing_but_spaces(whole, part):
    written = f"{whole}.{part}" if part else str(whole)
    spaced = text.spaced(written)
    assert spaced.replace(" ", "") == written
    groups = spaced.split(".")[0].lstrip("-").split(" ")
    assert all(len(group) == 3 for group in groups[1:])
    assert 1 <= len(groups[0]) <= 3


@scales
@given(lots=st.integers(-(2**62), 2**62))
def test_a_short_size_has_few_digits_and_is_near_the_exact_one(scale, lots):
    short = text.size(scale, lots)
    assert len(short.lstrip("-")) <= 5
    digits = short.lstrip("-<")
    suffix = digits[-1] if digits[-1].isalpha() else ""
    number = digits.removesuffix(suffix)
    assert sum(c.isdigit() for c in number.lstrip("0.")) <= 4
    exact = abs(Decimal(text.exact_size(scale, lots)))
    if short.lstrip("-").startswith("<"):
        assert 0 < exact < Decimal(number) if number.startswith("0") else exact < Decimal("0" + number)
    elif suffix == "" and "." not in number and scale is MES:
        assert Decimal(number) == exact
    else:
        shown = Decimal(number) * SUFFIXES[suffix]
        last = Decimal(1).scaleb(-len(number.partition(".")[2])) * SUFFIXES[suffix]
        assert abs(shown - exact) <= last * Decimal("0.5001")
    assert short.startswith("-") is (lots < 0)


@pytest.mark.parametrize(
    ("lots", "words"),
    [
        (0, "0"),
        (18, "18"),
        (9_999, "9999"),
        (10_000, "10.0k"),
        (12_345, "12.3k"),
        (99_950, "100k"),
        (999_960, "1.00M"),
        (-77, "-77"),
    ],
)
def test_whole_sizes_read_like_this(lots, words):
    assert text.size(MES, lots) == words


@pytest.mark.parametrize(
    ("lots", "words"), [(1, "0.001"), (3_204, "3.204"), (123_456, "123.5"), (9_999_499, "9999"), (9_999_500, "10.0k")]
)
def test_decimal_sizes_read_like_this(lots, words):
    assert text.size(BTC, lots) == words


def test_a_size_too_small_for_four_digits_says_so():
    assert text.size(SHIB, 1) == "<.001"


@scales
@given(lots=st.integers(-(2**62), 2**62))
def test_an_exact_size_is_exact(scale, lots):
    assert Decimal(text.exact_size(scale, lots)) == lots * Decimal(scale.size.increment)


@pytest.mark.parametrize(("raw", "words"), [("0", "0"), ("0.00", "0.00"), ("12", "+12"), ("-3.5", "−3.5")])
def test_signs_are_written_out(raw, words):
    assert text.signed(raw) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.42, "+0.42"), (-1.0, "−1.00"), (-0.004, " 0.00"), (0.0, " 0.00"), (None, "  –  "), (float("nan"), "  –  ")],
)
def test_ratios_take_five_cells(value, words):
    assert text.ratio(value) == words
    assert cell_len(words) == 5


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0ms"),
        (12, "12ms"),
        (999, "999ms"),
        (1_000, "1.0s"),
        (3_449, "3.4s"),
        (99_900, "99.9s"),
        (125_000, "2m05"),
        (15_120_000, "4h12"),
        (360_000_000, "4d04"),
        (87_566_400_000, "1013d"),
    ],
)
def test_ages_read_like_this(ms, words):
    assert text.duration(ms * 1_000_000) == words


def test_an_unknown_age_is_a_dash_and_a_negative_one_says_so():
    assert text.duration(None) == "–"
    assert text.duration(-5_000_000) == "−5ms"


@given(ms=st.integers(0, 9_999 * 86_400_000))
def test_ages_up_to_27_years_take_at_most_five_cells(ms):
    assert len(text.duration(ms * 1_000_000)) <= 5


@given(ns=st.integers(0, 4 * 10**18), offset_s=st.integers(-43_200, 50_400))
def test_clocks_agree_with_the_calendar(ns, offset_s):
    moment = datetime.fromtimestamp(ns // 10**9 + offset_s, UTC) if ns // 10**9 + offset_s >= 0 else None
    if moment is not None:
        assert text.clock(ns, offset_s=offset_s) == f"{moment:%H:%M:%S}.{ns // 10**6 % 1000:03d}"
        assert text.clock(ns, millis=False, date=True, offset_s=offset_s) == f"{moment:%Y-%m-%d %H:%M:%S}"


def test_an_unknown_time_has_the_shape_of_one():
    assert len(text.clock(None)) == len(text.clock(0))
    assert len(text.clock(None, millis=False)) == len(text.clock(0, millis=False))


@pytest.mark.parametrize(("value", "words"), [(0, "0"), (840, "840"), (2_134, "2.1k"), (31e6, "31M"), (1.2e9, "1G")])
def test_rates_read_like_this(value, words):
    assert text.rate(value) == words


@given(fraction=st.floats(0, 1), width=st.integers(1, 40))
def test_a_bar_has_its_eighths(fraction, width):
    drawn = text.bar(fraction, width)
    assert len(drawn) == width
    assert sum(" ▏▎▍▌▋▊▉█".index(c) for c in drawn) == round(fraction * width * 8)
    assert len(text.bar(fraction, width, from_right=True)) == width


def test_a_bar_beyond_its_scale_ends_in_an_arrow():
    assert text.bar(1.2, 5) == "████▸"
    assert text.bar(1.2, 5, from_right=True) == "◂████"
    assert text.bar(float("nan"), 3) == "   "


def test_a_sparkline_runs_from_its_least_to_its_greatest():
    assert text.sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert text.sparkline([5.0], 3) == "  ▁"
    assert text.sparkline([], 3) == "   "
    assert text.sparkline([1, float("nan"), 2], 3) == "▁ █"


@given(raw=st.text(max_size=60))
def test_a_cleaned_text_is_printable_and_one_cell_a_character(raw):
    cleaned = text.clean(raw)
    assert cleaned.isprintable()
    assert len(cleaned) == len(raw)
    assert cell_len(cleaned) == len(cleaned)


def test_a_clean_text_stays_as_it_is():
    assert text.clean("binance-futures:BTCUSDT ▲ σ") == "binance-futures:BTCUSDT ▲ σ"
    assert text.clean("\x1b]0;x\x07") == "�]0;x�"


def test_every_character_there_is_comes_out_one_cell_wide():
    for start in range(0, 0x110000, 4096):
        chunk = "".join(chr(code) for code in range(start, start + 4096) if not 0xD800 <= code < 0xE000)
        cleaned = text.clean(chunk)
        assert len(cleaned) == len(chunk)
        wrong = [c for c in set(cleaned) if cell_len(c) != 1 or unicodedata.bidirectional(c) in {"R", "AL"}]
        assert not wrong, [hex(ord(c)) for c in wrong]
