"""Worked cases of the iceberg detector: each says what happens, and what is told of it."""

from __future__ import annotations

from typing import Final

from tapeview.detectors._declare import Case

_ORDERS: Final = "[ o1b100:20 o2b99:20 o3a101:10 o4a102:30 o5a103:30 ] ~2500 o6b98:5 ~2500 o7b98:6 ~500 o8b98:4 "
_LEVELS: Final = "[ b100:20 b99:20 a101:10 a102:30 ] ~2500 b98:5 ~2500 b98:6 ~500 b98:7 ~100 "


def _tranches(orders: int, lots: int, wait_ms: int, more: str = "") -> str:
    """So many tranches at 101, each executed, the next so long after."""
    return " ".join(
        f"~900 +101:{lots}&f{n}:{lots} {more} ~{wait_ms} o{n + 1}a101:{lots}" for n in range(40, 40 + orders)
    )


def _strangers(n: int) -> str:
    """Twenty orders at 101."""
    return " ".join(f"~{20 + 9 * k} o{100 + 20 * n + k}a101:{1 + (n * 7 + k * 5) % 3}" for k in range(20)) + " "


def _taken(n: int) -> str:
    """The first of the twenty before is executed."""
    lots = 1 + 7 * (n - 1) % 3
    return f"~700 +101:{lots}&f{80 + 20 * n}:{lots} "


def _hits(prices: int, back: int) -> str:
    """Episodes of another price that nobody refills, and those of 101 that come back to 40 but for some lots."""
    out, lots = "", 9_000
    for n in range(prices):
        lots -= 9
        out += f"~60 -100:9 ~40 b100:{lots} "
        if n >= prices - 10:
            out += f"~60 +101:40 ~40 a101:{40 - back} ~60 b98:{n} ~60 a101:40 " if back else "~60 +101:40 ~40 b98:9 "
    return out


CASES: Final = (
    Case(
        "the venue shows the next lots of the same order in the match event, until nothing is left of it",
        _ORDERS + "o9a101:4 ~500 +101:13&f3:10&f9:3&m9a101:4 ~500 +101:4&f9:3&m9a101:4 ~300 +101:4&f9:4 ~500",
        (
            "ICEBERG SELL 101 · native · 1 refill, peak ~4 · ≥3 hidden",
            "EATEN 101 after 10 lots · ICEBERG SELL",
        ),
    ),
    Case(
        "an iceberg that is taken back after its first refill",
        _ORDERS + "o9a101:4 ~500 +101:13&f3:10&f9:3&m9a101:4 ~500 x9 ~500",
        ("ICEBERG SELL 101 · native · 1 refill", "ICEBERG SELL 101 PULLED · 3 done"),
    ),
    Case(
        "levels only: twice more traded in a match event than the level lost, then it is traded through",
        _LEVELS
        + "+101:4&a101:6 ~500 +101:4&a101:5 ~500 +101:5&a101:5 ~400 +101:5&a101:0 ~100 +102:1&a102:29 ~1500 b98:8",
        ("ICEBERG SELL 101 · atomic · 2 refills, peak ~4 · ≥8 hidden", "EATEN 101 after 10 lots"),
        tier="B",
    ),
    Case(
        "a program sends 17 lots anew 20 ms after the 17 before were taken, again and again",
        _ORDERS + "~500 +101:10&f3:10 ~20 o40a101:17 " + _tranches(9, 17, 20),
        ("ICEBERG SELL 101 · synthetic · 2 refills, peak ~17", "ICEBERG SELL 101 · synthetic · 6 refills, peak ~17"),
        thresholds={"min_ended": 0},
    ),
    Case(
        "the same without order ids",
        _LEVELS
        + "~500 +101:10&a101:0/0 ~20 a101:17/1 "
        + " ".join("~900 +101:17&a101:0/0 ~20 a101:17/1" for _ in range(9)),
        ("ICEBERG SELL 101 · synthetic · 2 refills, peak ~17", "ICEBERG SELL 101 · synthetic · 6 refills, peak ~17"),
        thresholds={"min_ended": 0},
        tier="B",
    ),
    Case(
        "prints and depth apart: all of 101 is taken and is there again in every next update, at 100 it is not",
        "[ b100:9000 b99:20 a101:40 a102:30 ] ~2500 b98:5 ~2500 b98:6 ~500 b98:7 ~100 " + _hits(120, 0),
        ("REPLENISHING ASK 101 · 8 of 8 hits refilled",),
        tier="C",
    ),
    Case(
        "an order that was executed in part is made larger by its owner half a second later",
        _ORDERS + "o9a101:4 ~500 +101:13&f3:10&f9:3 ~500 m9a101:9 ~1500",
    ),
    Case(
        "a snapshot brings back what was taken",
        _LEVELS + "+101:4&a101:6 ~500 [ b100:20 b99:20 a101:10 a102:30 ] ~500 +101:4&a101:6 ~500 "
        "[ b100:20 b99:20 a101:10 a102:30 ] ~5500 +101:4&a101:6 ~1000",
        tier="B",
    ),
    Case(
        "twenty strangers put back a little each after every trade",
        _ORDERS + "~700 +101:10&f3:10 " + _strangers(0) + " ".join(_taken(n) + _strangers(n) for n in range(1, 8)),
        thresholds={"min_ended": 0},
    ),
    Case(
        "a maker puts 17 lots back on whichever side was taken",
        _ORDERS
        + "~500 +101:10&f3:10 ~20 o40a101:17 ~100 -100:20&f1:20 ~20 o80b100:17 "
        + " ".join(
            f"~450 +101:17&f{n}:17 ~20 o{n + 1}a101:17 ~450 -100:17&f{n + 40}:17 ~20 o{n + 41}b100:17"
            for n in range(40, 49)
        ),
        thresholds={"min_ended": 0},
    ),
    Case(
        "depth that only loses what is traded, the print now before it and now after it",
        "[ b100:9000 b99:20 a101:900 a102:30 ] ~2500 b98:5 ~2500 b98:6 ~500 b98:7 ~100 "
        + " ".join(f"~60 +101:9 ~40 a101:{891 - 18 * n} ~60 a101:{882 - 18 * n} ~20 +101:9" for n in range(45)),
        tier="C",
    ),
)
