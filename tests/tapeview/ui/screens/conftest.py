"""Scripted recordings and a trade screen on them."""

from __future__ import annotations

import pytest

from tapeview.engine import warm
from tests.kit.trade import open_trade, record


@pytest.fixture(scope="session", autouse=True)
def _kernels():
    """Compiled kernels, so that what is measured and shown is what a person has."""
    warm()


@pytest.fixture
def recording(tmp_path):
    return record(tmp_path)


@pytest.fixture
def trade(recording):
    """Open the scripted session, paused at its start: `async with trade() as desk`."""
    return lambda addresses=None, **options: open_trade(addresses or [recording], **options)
