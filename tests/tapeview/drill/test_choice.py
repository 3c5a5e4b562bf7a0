import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import script
from feeds.errors import BadInput
from tapeview.bundled import Recorded
from tapeview.drill.choice import SETTLE_S, Rules, draw, long_enough, pool

S = 1_000_000_000
RULES = Rules(least_s=5, most_s=30, horizon_s=20)


def test_the_same_seed_draws_the_same_and_another_seed_another(recordings):
    first = draw(recordings, RULES, 7)
    assert first == draw(list(reversed(recordings)), RULES, 7)
    assert len({(c.address, c.start_ns) for c in (draw(recordings, RULES, seed) for seed in range(50))}) == 50


def test_a_seed_stands_for_the_same_moment_for_ever(recordings):
    """What is drawn is a digest's first 7 bytes as a share, reckoned here without the program."""
    named = sorted((one for one in recordings if one.name != "SHORT"), key=lambda one: one.name)
    for seed in range(20):
        one = draw(recordings, RULES, seed)
        room_ns = named[0].length_ns - (SETTLE_S + 50) * S
        start_ns = script.START_NS + SETTLE_S * S + int(share(f"{seed}|0|start") * room_ns)
        assert one.address == named[int(share(f"{seed}|0|recording") * 2)].path
        assert one.start_ns == start_ns
        assert one.moment_ns == start_ns + int((5 + share(f"{seed}|0|moment") * 25) * S)
        assert one.at_alert == (share(f"{seed}|0|alert") < 0.5)


def share(words):
    return int(hashlib.blake2b(words.encode(), digest_size=7).hexdigest(), 16) / 2**56


@given(seed=st.integers(0, 2**40), attempt=st.integers(0, 5))
def test_a_drill_has_room_in_its_recording(recordings, seed, attempt):
    one = draw(recordings, RULES, seed, attempt)
    recorded = next(r for r in recordings if r.path == one.address)
    assert recorded.name != "SHORT"
    begin, end = script.START_NS, script.START_NS + recorded.length_ns
    assert begin + SETTLE_S * S <= one.start_ns
    assert one.start_ns + RULES.least_s * S <= one.moment_ns <= one.start_ns + RULES.most_s * S
    assert one.moment_ns + RULES.horizon_s * S <= end


def test_where_no_recording_is_long_enough_it_says_how_long_it_must_be(recordings):
    short = [one for one in recordings if one.name == "SHORT"]
    assert long_enough(short, RULES) == []
    with pytest.raises(BadInput, match=r"got '1', expected at least one longer than 70 s"):
        draw(short, RULES, 1)
    assert (
        long_enough([Recorded("x", "x", "", "X", 70 * S), Recorded("y", "y", "", "X", 70 * S + 1)], RULES)[0].name
        == "y"
    )


def test_rules_whose_latest_stop_is_before_the_earliest_are_refused(recordings):
    with pytest.raises(BadInput, match="rules"):
        draw(recordings, Rules(least_s=30, most_s=20, horizon_s=10), 1)


def test_the_pool_takes_in_folders_and_refuses_what_is_none(folder, tmp_path):
    names = {one.name for one in pool([folder])}
    assert {"UP", "WAYUP", "SHORT"} <= names
    with pytest.raises(BadInput, match="a folder with recordings in it"):
        pool([tmp_path / "nothing"])
    with pytest.raises(BadInput, match="a folder with recordings in it"):
        pool([tmp_path])
