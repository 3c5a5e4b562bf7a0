"""What the tests of trading share."""

from __future__ import annotations

import pytest

from tapeview.desk import queue  # noqa: F401  (its kernels are compiled with the engine's)
from tapeview.engine import warm


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Run kernels compiled, as in use."""
    warm()
