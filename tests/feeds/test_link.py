"""The health of a socket, with time handed in."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.link import (
    ACK_NS,
    FIRST_DATA_NS,
    HAND_OVER_NS,
    HANDSHAKE_NS,
    POLICY_NS,
    REFUSED_NS,
    Act,
    Do,
    Link,
    LinkState,
)
from feeds.venues._access import Terms

S = 1_000_000_000
TERMS = Terms(silence_s=30, ping="ping", ping_s=20)


def link(terms: Terms = TERMS, draw: float = 0.0) -> Link:
    """A link whose waits are known."""
    return Link(terms, lambda: draw)


def live(terms: Terms = TERMS, at: int = 0, draw: float = 0.0) -> Link:
    """A link with data."""
    one = link(terms, draw)
    one.connecting(at)
    one.opened(at)
    one.heard(at, data=True)
    return one


def dos(acts: list[Act]) -> list[Do]:
    """What is to be done, without the reasons."""
    return [act.do for act in acts]


def test_a_new_link_connects_at_once() -> None:
    one = link()
    assert one.state is LinkState.DOWN
    assert dos(one.tick(0)) == [Do.CONNECT]
    assert one.next_ns(0) == 0


def test_a_handshake_that_never_ends_is_given_up_after_ten_seconds() -> None:
    one = link()
    one.connecting(5 * S)
    assert one.tick(5 * S + HANDSHAKE_NS - 1) == []
    assert one.next_ns(6 * S) == 5 * S + HANDSHAKE_NS
    assert one.tick(5 * S + HANDSHAKE_NS) == [Act(Do.CLOSE, "no handshake within 10 s")]
    assert one.tick(5 * S + 2 * HANDSHAKE_NS) == [], "asked once"


def test_an_open_socket_without_data_is_syncing_and_not_live() -> None:
    one = link()
    one.opened(0)
    one.heard(S, data=False)
    one.acknowledged(2 * S)
    assert one.state is LinkState.SYNCING
    one.heard(3 * S, data=True)
    assert one.state is LinkState.LIVE


def test_a_subscription_that_is_not_answered_ends_the_socket() -> None:
    one = link()
    one.opened(0, awaits_ack=True)
    one.heard(4 * S, data=False)
    assert one.next_ns(4 * S) == ACK_NS
    assert one.tick(ACK_NS) == [Act(Do.CLOSE, "the subscription was not answered within 5 s")]


@pytest.mark.parametrize("first", ["ack", "data"])
def test_an_answer_or_data_before_it_satisfies_the_subscription(first: str) -> None:
    one = link()
    one.opened(0, awaits_ack=True)
    if first == "ack":
        one.acknowledged(S)
    else:
        one.heard(S, data=True)
    assert one.tick(ACK_NS) == []


def test_acknowledged_and_then_silent_is_not_believed() -> None:
    one = link()
    one.opened(0, awaits_ack=True)
    one.acknowledged(S)
    for second in range(2, 15):
        one.heard(second * S, data=False)
        assert one.tick(second * S) == []
    assert one.tick(FIRST_DATA_NS) == [Act(Do.CLOSE, "no data within 15 s of connecting")]


def test_a_venue_that_may_be_quiet_at_first_is_given_its_own_time() -> None:
    one = Link(Terms(silence_s=60, first_data_s=40), lambda: 0.5)
    one.connecting(0)
    one.opened(0)
    assert one.tick(39 * S) == []
    assert one.tick(40 * S) == [Act(Do.CLOSE, "no data within 40 s of connecting")]


def test_pings_are_sent_into_silence_and_not_beside_data() -> None:
    one = live()
    one.heard(10 * S, data=True)
    assert one.tick(20 * S) == []
    assert one.next_ns(20 * S) == 30 * S
    assert dos(one.tick(30 * S)) == [Do.PING]
    assert one.tick(31 * S) == [], "once"


def test_a_socket_that_brings_nothing_at_all_is_dead() -> None:
    one = live()
    one.tick(20 * S)
    assert one.tick(30 * S - 1) == []
    assert one.tick(30 * S) == [Act(Do.CLOSE, "nothing came for 30 s")]


def test_heartbeats_without_data_make_it_stale_then_ask_again_then_end_it() -> None:
    one = live(Terms(silence_s=5))
    said: dict[int, list[Act]] = {}
    for second in range(1, 12):
        one.heard(second * S, data=False)
        acts = one.tick(second * S)
        if acts:
            said[second] = acts
    assert dos(said[5]) == [Do.RESUBSCRIBE]
    assert one.state is LinkState.STALE
    assert dos(said[10]) == [Do.CLOSE]
    assert "10 s" in said[10][0].why
    assert set(said) == {5, 10}


def test_a_flood_of_heartbeats_does_not_starve_the_check() -> None:
    one = live(Terms(silence_s=5))
    acts: list[Do] = []
    for tenth in range(1, 120):
        for _ in range(50):
            one.heard(tenth * S // 10, data=False)
        acts += dos(one.tick(tenth * S // 10))
    assert acts == [Do.RESUBSCRIBE, Do.CLOSE]


def test_data_after_staleness_makes_it_live_again() -> None:
    one = live(Terms(silence_s=5))
    one.heard(5 * S, data=False)
    one.tick(5 * S)
    one.heard(6 * S, data=True)
    assert one.state is LinkState.LIVE
    assert one.why == ""
    assert one.tick(10 * S) == []


def test_a_quiet_market_may_be_silent_for_as_long_as_was_learnt() -> None:
    one = live(Terms(silence_s=5))
    for second in range(1, 20):
        one.heard(second * S, data=False)
        assert one.tick(second * S, silence_ns=20 * S) == []
    one.heard(20 * S, data=False)
    assert dos(one.tick(20 * S, silence_ns=20 * S)) == [Do.RESUBSCRIBE]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, None])
def test_every_end_is_a_disconnect_and_is_tried_again_within_a_second(code: int | None) -> None:
    one = live(draw=0.999)
    one.closed(50 * S, code, "closed")
    assert one.state is LinkState.DOWN
    assert one.retry_ns is not None
    assert 50 * S < one.retry_ns <= 51 * S
    assert one.tick(one.retry_ns - 1) == []
    assert dos(one.tick(one.retry_ns)) == [Do.CONNECT]


@pytest.mark.parametrize(
    ("code", "least"), [(1008, POLICY_NS), (1013, POLICY_NS), (429, REFUSED_NS), (451, REFUSED_NS)]
)
def test_after_a_refusal_nothing_is_tried_for_long(code: int, least: int) -> None:
    one = live()
    one.closed(0, code, "no")
    assert one.retry_ns is not None
    assert one.retry_ns >= least


def test_a_time_the_venue_gives_is_kept() -> None:
    one = live()
    one.closed(0, 429, "slow down", retry_after_ns=7 * S)
    assert one.retry_ns == 7 * S
    one.closed(0, 418, "banned", retry_after_ns=300 * S)
    assert one.retry_ns == 300 * S


def test_before_a_forced_end_another_socket_is_opened_once() -> None:
    day = Terms(silence_s=10**6, max_age_s=86_400)
    for draw in (0.0, 0.5, 0.999):
        one = live(day, draw=draw)
        due = one.next_ns(S)
        assert 86_400 * S - 2 * HAND_OVER_NS <= due <= 86_400 * S - HAND_OVER_NS
        one.heard(due - 1, data=True)
        assert one.tick(due - 1, 10**18) == []
        assert dos(one.tick(due, 10**18)) == [Do.REPLACE]
        assert one.tick(due + S, 10**18) == []
        assert one.state is LinkState.LIVE, "the old one goes on until the new one has data"


def test_a_notice_of_the_end_is_obeyed_at_once() -> None:
    one = live()
    one.ending(3 * S, "serverShutdown")
    assert one.tick(3 * S) == [Act(Do.REPLACE, "serverShutdown")]


def test_a_short_age_is_not_eaten_by_the_margin() -> None:
    one = live(Terms(silence_s=10**6, max_age_s=60), draw=0.9)
    assert one.next_ns(0) == 30 * S


def test_a_verified_minute_forgives_old_failures() -> None:
    one = link()
    for _ in range(6):
        one.closed(0, 1006, "")
    one.connecting(0)
    one.opened(0)
    for second in range(61):
        one.heard(second * S, data=True, verified=True)
    assert one.backoff.failures == 0


def test_a_minute_with_a_doubt_in_it_does_not() -> None:
    one = link()
    one.closed(0, 1006, "")
    one.opened(0)
    for second in range(61):
        one.heard(second * S, data=True, verified=True)
        if second == 30:
            one.doubted()
    assert one.backoff.failures == 1


EVENTS = st.sampled_from(["data", "beat", "ack", "doubt", "ending", "close", "policy"])


@given(st.integers(0, 2**32), st.lists(st.tuples(EVENTS, st.integers(0, 40 * S)), max_size=60))
def test_whatever_happens_it_never_stands_still_and_never_runs_hot(seed: int, story: list[tuple[str, int]]) -> None:
    """Tick is called just when it asks for it, and a dead socket leads to new connections, not to many."""
    one, now, connects = Link(Terms(silence_s=10, ping="p", max_age_s=3600), random.Random(seed).random), 0, []
    happened = [(at, what) for what, at in story]

    def obey(now: int) -> None:
        for act in one.tick(now):
            if act.do is Do.CONNECT:
                connects.append(now)
                one.connecting(now)
                one.opened(now, awaits_ack=True)
            elif act.do is Do.CLOSE:
                one.closed(now, 1006, act.why)

    for pause, what in happened:
        end = now + pause
        for _ in range(1000):
            obey(now)
            due = one.next_ns(now)
            if due > end:
                break
            now = max(now + 1, due)
        else:
            raise AssertionError("runs hot")
        now = end
        if one.state in (LinkState.DOWN, LinkState.CONNECTING):
            continue
        match what:
            case "data":
                one.heard(now, data=True, verified=True)
            case "beat":
                one.heard(now, data=False)
            case "ack":
                one.acknowledged(now)
            case "doubt":
                one.doubted()
            case "ending":
                one.ending(now, "soon")
            case "close":
                one.closed(now, 1000, "bye")
            case "policy":
                one.closed(now, 1008, "no")
    until = now + 300 * S
    before = len(connects)
    while now < until:
        obey(now)
        now = max(now + 1, min(until, one.next_ns(now)))
    assert len(connects) > before, "no data ever came: it must have been tried again"
    assert len(connects) - before <= 40


def test_while_our_own_process_stood_still_nothing_of_the_venues_was_silent() -> None:
    one = live()
    one.stood_still(3600 * S)
    assert one.tick(3600 * S) == []
    assert one.state is LinkState.LIVE


@pytest.mark.parametrize("code", [1008, 1013])
def test_a_close_for_misbehaviour_makes_it_talk_more_slowly_until_a_minute_is_verified(code: int) -> None:
    one = live()
    for pace in (2, 4, 8, 16, 16):
        one.closed(0, code, "")
        assert one.backoff.pace == pace
    for second in range(62):
        one.heard(second * S, data=True, verified=True)
    assert one.backoff.pace == 1
