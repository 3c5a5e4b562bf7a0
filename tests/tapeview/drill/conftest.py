"""Scripted recordings long enough to be drilled, whose every price is known."""

from __future__ import annotations

import pytest

from tapeview.bundled import listed
from tapeview.engine import warm
from tests.kit.trade import record

# Ticks of 0.25; the book stands at 400 x 401 and goes up a tick every 5 s, from 405 x 406 at +25 s on.
STEP_MS = 5000
STEPS = 60


def stairs(steps=STEPS):
    """A market that goes up by a tick every five seconds, a print a second."""
    words = ["[ b400:5 b399:7 a401:6 a402:8 ]"]
    for n in range(steps):
        for k in range(5):
            words += ["~1000", f"+{401 + n}:1"]
            if k == 4:
                words += [f"a{403 + n}:8 a{401 + n}:0 b{401 + n}:5 b{399 + n}:0"]
    return " ".join(words)


@pytest.fixture(scope="session", autouse=True)
def _kernels():
    import tapeview.watch  # noqa: F401

    warm()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Three recordings: two of the same stairs, one too short to be drilled."""
    folder = tmp_path_factory.mktemp("drills")
    record(folder, stairs(), symbol="UP")
    record(folder, stairs(), symbol="WAYUP")
    record(folder, stairs(5), symbol="SHORT")
    return folder


@pytest.fixture(scope="session")
def recordings(folder):
    return listed(folder)
