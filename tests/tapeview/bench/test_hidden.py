"""The identity of a match event, on sessions whose hidden executions are known."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.events import HIDDEN, TRADE
from feeds.simulator.tape import generate
from tapeview.bench.hidden import Identity
from tapeview.engine import Engine


def account(made, cut: int):
    engine, identity = Engine(made.instrument), Identity()
    for at in range(0, len(made.events), cut):
        identity.take(engine.apply(made.events[at : at + cut]))
    return identity.found()


@pytest.fixture(scope="module")
def made():
    return generate(seed=6, minutes=12, plants=("hidden_seller:every=60",), tier="A")


def test_every_hidden_execution_is_left_over_in_its_match_event(made):
    found = account(made, 4096)
    events = made.events
    assert found.executions == np.count_nonzero((events["kind"] == TRADE) & (events["aux"] == HIDDEN)) > 0
    assert found.recall == 1.0
    # What else is left over are icebergs that the exchange keeps, of which this session has some.
    assert found.precision is not None
    assert found.precision > 0.2


def test_messages_may_be_cut_anywhere(made):
    assert account(made, 997) == account(made, 50_000)


def test_without_hidden_executions_there_is_nothing_to_say():
    assert account(generate(seed=6, minutes=1), 4096) is None
    assert Identity().found() is None
