import re
import xml.etree.ElementTree as ET

import pytest

from tapeview.bundled import recordings
from tapeview.engine import warm
from tapeview.ui.shots import SHOTS, picture
from tests.conftest import ROOT


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    warm()


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_the_pictures_in_the_repository_are_what_the_program_shows(shot):
    if not recordings():
        pytest.skip("no bundled recordings")
    kept = (ROOT / "screenshots" / f"{shot.name}.svg").read_text(encoding="utf-8")
    made = picture(shot)
    # A readable difference first: the text of the screen, line by line.
    assert lines(made) == lines(kept), "run `tapeview shots`"
    assert made == kept, "run `tapeview shots`"


def lines(svg):
    rows = {}
    for y, text in re.findall(r'<text [^>]*y="([\d.]+)"[^>]*>([^<]*)</text>', svg):
        rows.setdefault(float(y), []).append(text.replace("&#160;", " "))
    return ["".join(rows[y]) for y in sorted(rows)]


def test_there_is_no_picture_that_nothing_makes():
    there = {path.stem for path in (ROOT / "screenshots").glob("*.svg")}
    assert there == {shot.name for shot in SHOTS}


def test_a_picture_is_whole_and_asks_for_nothing_from_elsewhere():
    for path in (ROOT / "screenshots").glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        ET.fromstring(text)
        assert not re.search(r"url\(.?https?:|<script|<image", text)
        assert path.stat().st_size < 500_000
