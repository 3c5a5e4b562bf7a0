"""What the detectors' tests share."""

from __future__ import annotations

import pytest

import tapeview.watch  # noqa: F401 - its kernels are compiled with the rest
from tapeview.engine import warm


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Run kernels compiled, as in use; a test of plain Python says so."""
    warm()
