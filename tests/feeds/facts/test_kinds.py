"""The table of kinds against the vocabulary of rows and its own words."""

from __future__ import annotations

import re

from feeds import events
from feeds.facts import kinds
from feeds.facts.kinds import KINDS, NAMES, is_stale

DAY = 86_400_000_000_000


def test_every_fact_has_a_line_and_a_scale():
    assert sorted(KINDS) == list(range(len(events.FACTS)))
    assert len(events.FACT_DECIMALS) == len(events.FACTS)
    assert all(KINDS[code].name == name for code, name in enumerate(events.FACTS))


def test_the_table_in_words_is_the_table():
    said = {}
    for names, k, age in re.findall(r"^([a-z_0-9, ]+?) +\| ([0-9-]) \|.*\|([^|\n]*)$", kinds.__doc__, re.MULTILINE):
        said |= {name: (k, age.strip()) for name in names.split(", ")}
    assert sorted(said) == sorted(events.FACTS)
    spans = {"min": DAY // 1440, "h": DAY // 24, "d": DAY}
    for kind in KINDS.values():
        k, age = said[kind.name]
        assert k == ("-" if events.FACT_DECIMALS[kind.code] is None else str(events.FACT_DECIMALS[kind.code]))
        number, _, span = age.partition(" ")
        assert kind.max_age_ns == (int(number) * spans[span] if age else None)


def test_what_the_specification_calls_otherwise_is_known_by_both_names():
    for name in ("short_interest_shares", "borrow_fee_apr", "funding_rate_8h", "news_time", "ssr_flag"):
        assert NAMES[name] is NAMES[NAMES[name].name]


def test_an_input_is_stale_after_its_time_and_not_before():
    for code, limit in (
        (events.F_SHORT_INTEREST, 20 * DAY), (events.F_BORROW_FEE, 2 * DAY), (events.F_PUT_VOLUME, DAY),
        (events.F_FUNDING_RATE, DAY // 3), (events.F_OPEN_INTEREST, 2 * 60 * 10**9),
    ):  # fmt: skip
        assert not is_stale(code, limit)
        assert is_stale(code, limit + 1)
    assert not is_stale(events.F_FLOAT_SHARES, 10_000 * DAY)
