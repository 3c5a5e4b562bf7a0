"""What the engine's tests share."""

from __future__ import annotations

import pytest

from feeds.instruments import Instrument
from tapeview.engine import _jit, warm


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Run kernels compiled, as in use; the tests of plain Python ask for `plain`."""
    warm()


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run kernels as plain Python."""
    monkeypatch.setattr(_jit, "_twins", {})


@pytest.fixture(scope="session")
def instrument() -> Instrument:
    """One whose ticks and lots are whole numbers."""
    return Instrument(venue="test", symbol="X", tick="1")
