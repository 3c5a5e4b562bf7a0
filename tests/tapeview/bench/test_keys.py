"""Keys written to the real program in a terminal are the commands in its journal, each once and in their order."""

from __future__ import annotations

import pytest

from tapeview.bench.keys import press


@pytest.mark.slow
def test_a_hundred_keys_a_second_for_ten_seconds_are_exactly_the_commands_pressed() -> None:
    found = press(100, 10.0)
    assert len(found.sent) == 1000
    assert found.recorded == found.sent
