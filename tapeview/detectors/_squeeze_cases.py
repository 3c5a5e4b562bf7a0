"""Worked cases of squeezes, stop-runs and liquidation cascades."""

from __future__ import annotations

import re
from typing import Final

from tapeview.detectors._declare import Case

# In a quarter of the usual time: the window is 30 s, its bars 1 s, and half a minute before it tells what is usual.

_FAST: Final = {"window_s": 30, "history_bars": 30, "hold_s": 2, "off_s": 5, "cooldown_min": 1}


def _book(middle: int, ahead: int, behind: int) -> str:
    asks = " ".join(f"a{middle + 1 + n}:{ahead}" for n in range(30))
    return asks + " " + " ".join(f"b{middle - n}:{behind}" for n in range(12))


def _still(seconds: int) -> str:
    return _still_at(100, seconds)


def _still_at(middle: int, seconds: int) -> str:
    return f"~400 +{middle + 1}:2 b{middle}:20 ~600 -{middle}:2 b{middle}:20 " * seconds


def _mirrored(text: str) -> str:
    swap = {"a": "b", "b": "a", "+": "-", "-": "+"}
    return re.sub(r"([ab+-])(\d+):", lambda m: f"{swap[m[1]]}{201 - int(m[2])}:", text)


def _rise(start: int, seconds: int, each: str = "", wait: str = "~240") -> str:
    out = []
    for n in range(seconds):
        tick = start + n
        thin = " ".join(f"a{tick + far}:6" for far in range(2, 12))
        out.append(
            f"{wait} +{tick}:6&+{tick + 1}:3&a{tick}:0&a{tick + 1}:6&b{tick}:20 {wait} {thin} "
            f"{wait} +{tick + 1}:3 a{tick + 1}:6 {wait} -{tick}:1 b{tick}:20 {each}"
        )
    return " ".join(out)


_QUIET: Final = f"[ {_book(100, 20, 20)} ] {_still(70)}"
_SHORT: Final = (
    "$float_shares:10@12 $short_interest:3.1@12 $adv20:0.5@12 $utilisation:0.97@1 $borrow_fee:0.2@8 $borrow_fee:0.44@1 "
)

CASES: Final = (
    Case(
        "a share with much of its float sold short runs into thin asks",
        _SHORT + _QUIET + _rise(101, 14),
        (
            "SQUEEZE IGNITING X 105 · fuel 79 (SI 31%, DTC 6.2, 2-Nov) · +5.0σ",
            "SQUEEZE RUNNING X 108 · fuel 79 (SI 31%, DTC 6.2, 2-Nov) · +8.0σ",
        ),
        thresholds=_FAST,
        asset="equity",
    ),
    Case(
        "the same tape with nothing known of shorts",
        _QUIET + _rise(101, 14),
        ("UPSIDE STOP-RUN X 105 · +5.0σ", "UPSIDE STOP-RUN goes on X 108"),
        thresholds=_FAST,
        asset="equity",
    ),
    Case(
        "a future has no short interest, whatever is said of it",
        _SHORT + _QUIET + _rise(101, 8),
        ("UPSIDE STOP-RUN X 105", "UPSIDE STOP-RUN goes on X 108"),
        thresholds=_FAST,
    ),
    Case(
        "few shorts: 2 % of the float, cheap to borrow",
        "$float_shares:10@12 $short_interest:0.2@12 $adv20:0.5@12 $borrow_fee:0.005@1 " + _QUIET + _rise(101, 6),
        ("UPSIDE STOP-RUN X 105",),
        thresholds=_FAST,
        asset="equity",
    ),
    Case(
        "the mirror image: bids thin out and everybody sells",
        f"[ {_mirrored(_book(100, 20, 20))} ] {_mirrored(_still(70) + _rise(101, 6))}",
        ("DOWNSIDE STOP-RUN X 96 · −5.0σ",),
        thresholds=_FAST,
    ),
    Case(
        "a perpetual loses 3 % of its open interest in the run",
        "$funding_rate:-0.0003 $open_interest:9000 "
        + _QUIET
        + _rise(101, 2)
        + " $open_interest:8900 "
        + _rise(103, 2)
        + " $open_interest:8730 "
        + _rise(105, 2),
        ("SHORT LIQUIDATION CASCADE X 104 · OI −3.0% · +4.0σ · funding −0.030%",),
        thresholds=_FAST,
        asset="crypto",
    ),
    Case(
        "buyers are forced, and nobody tells the open interest",
        _QUIET + _rise(101, 6, "$+101:4"),
        ("SHORT LIQUIDATION CASCADE X 104 · +4.0σ · ≥1.7k closed by force",),
        thresholds=_FAST,
        asset="crypto",
    ),
    Case(
        "the run ends: nobody buys any more",
        _QUIET + _rise(101, 6) + " " + _book(106, 20, 20) + " " + _still_at(106, 12),
        ("UPSIDE STOP-RUN X 105", "UPSIDE STOP-RUN over X 106 · faded"),
        thresholds=_FAST,
    ),
    Case("fuel alone never alerts", _SHORT + _QUIET, thresholds=_FAST, asset="equity"),
    Case(
        "one block takes six prices and they fill up again",
        _SHORT + _QUIET + "+101:20&+102:20&+103:20&+104:20&a101:0&a102:0&a103:0&a104:0 ~50 "
        "a101:20&a102:20&a103:20&a104:20 " + _still(10),
        thresholds=_FAST,
        asset="equity",
    ),
    Case(
        "the price rises on ordinary buying into full asks",
        _SHORT
        + _QUIET
        + " ".join(f"~500 +{t}:2 a{t}:0 b{t}:20 ~500 -{t}:2 b{t}:20 a{t + 30}:20" for t in range(101, 106))
        + " "
        + _still_at(105, 10),
        thresholds=_FAST,
        asset="equity",
    ),
    Case(
        "a run in the first minute, before anything is usual",
        f"[ {_book(100, 20, 20)} ] {_still(10)}" + _rise(101, 14),
        thresholds=_FAST,
    ),
    Case(
        "a halt at the start of a run: its jump is no return",
        _SHORT + _QUIET + _rise(101, 2) + "!halted ~30000 !live b118:20&a120:20 " + _still_at(118, 15),
        thresholds=_FAST,
        asset="equity",
    ),
    Case(
        "inputs that contradict themselves count for nothing",
        "$float_shares:1 $short_interest:3.1 $borrow_fee:11 " + _QUIET + _rise(101, 6),
        ("UPSIDE STOP-RUN X 105",),
        thresholds=_FAST,
        asset="equity",
    ),
    Case(
        "the venue restates its open interest: far more goes than was traded",
        "$open_interest:900000 " + _QUIET + "$open_interest:700000 " + _rise(101, 6),
        ("UPSIDE STOP-RUN X 105",),
        thresholds=_FAST,
        asset="crypto",
    ),
)
