"""Hidden sellers and buyers: their words and worked cases."""

from __future__ import annotations

from typing import Final

from tapeview.detectors._declare import Case, Found
from tapeview.detectors._levels import KINDS


def words(found: Found) -> str:
    """Say who may be there, what ran into them, and what else speaks for it."""
    who, did = ("SELLER", "bought") if found.side < 0 else ("BUYER", "sold")
    value = found.evidence
    where = f"{KINDS[int(value['level'])]} {found.price(found.tick)}"
    if found.phase == "cleared":
        how = {"broken": "BROKEN", "away": "over"}.get(found.reason, "over, book rebuilt")
        return f"HIDDEN {who} {how} · {where}"
    lots = f"{found.size(found.lots)} {did}"
    if found.method == "any":
        return f"LARGE PRINT AT {where} · {lots}"
    times = f"{value['prints']:.0f} large/" if found.method == "prints" else ""
    also = [name for name in ("iceberg", "absorbed", "rejected") if value[name]]
    return f"HIDDEN {who}? {where} · {lots}, {times}{value['seconds']:.0f}s" + (f" · {'+'.join(also)}" if also else "")


# -- worked cases ---------------------------------------------------------------------------------


def _swing(seconds: int) -> str:
    """A market about 100 that follows its flow 13 ticks up and down, from takers of 9 to 11 lots."""
    said = ["[", *(f"b{100 - n}:50 a{101 + n}:50" for n in range(20)), "]"]
    bid = 100
    for second in range(seconds):
        period, within = divmod(second, 26)
        side = 1 if within < 13 else -1
        uneven = (3 * period if side > 0 else 5 * period + 4) % 12
        steps = {uneven: 2, uneven + 1: 0}.get(within % 13, 1)
        said.append(f"~500 +{bid + 1}:{9 + second % 3}" if side > 0 else f"~500 -{bid}:{9 + second % 3}")
        for _ in range(steps):
            said.append(f"~20 a{bid + 1}:0&b{bid + 1}:50" if side > 0 else f"~20 b{bid}:0&a{bid}:50")
            bid += side
        said.append("~480")
    return " ".join(said)


_STILL: Final = "~1000 b98:50 "
_USUAL: Final = _swing(156) + " "
_BRIEF: Final = _swing(52) + " "
_LARGE: Final = "~300 +101:45 a101:5 ~50 a101:50 "
_SMALL: Final = "~150 +101:11 a101:39 ~50 a101:50 "
_BUYERS: Final = (_SMALL * 4 + _LARGE) * 14
_SELLERS: Final = _BUYERS.replace("+101", "-100").replace("a101", "b100")
_FEW: Final = {"min_orders": 60, "min_seconds": 100, "print_q": 0.9}
_ALONE: Final = {"min_orders": 30, "min_seconds": 30, "print_q": 0.9, "on": 0.45}
"""Prints at a level as evidence enough, where that is not what a case is about."""
_CLIMB: Final = "".join(f"~20 a{tick}:0&b{tick}:50 " for tick in range(101, 107))
_MORE: Final = "a105:0 ~20 +102:50 a102:0&b102:50 ~20 +103:50 a103:0&b103:50 ~20 +104:50 a104:0&b104:50 "
CASES: Final = (
    Case(
        "large buyers run into the low of the session, which absorbs them, and then nothing comes after",
        _USUAL + _BUYERS + _STILL * 14,
        ("HIDDEN SELLER? session low 101",),
        thresholds=_FEW,
    ),
    Case(
        "large sellers, and a buyer whom they do not see",
        _BRIEF + _SELLERS + _STILL * 14,
        ("HIDDEN BUYER? round 100",),
        thresholds=_ALONE,
    ),
    Case(
        "no order is large, but far more is bought there than in other minutes",
        _BRIEF + _STILL * 60 + _SMALL * 90 + _STILL * 14,
        ("HIDDEN SELLER? session low 101",),
        thresholds=_ALONE | {"volume_q": 0.8},
    ),
    Case(
        "it gives way after all",
        _BRIEF + _BUYERS + _STILL * 14 + "~20 +101:50 a101:0&b101:50 " + _MORE + _STILL * 7,
        ("HIDDEN SELLER? session low 101", "HIDDEN SELLER BROKEN"),
        thresholds=_ALONE,
    ),
    Case(
        "as a naive rule: any large order at a level",
        _BRIEF + _LARGE + _STILL,
        ("LARGE PRINT AT",),
        thresholds=_ALONE | {"naive": 1},
    ),
    Case("the market as usual", _BRIEF, thresholds=_ALONE),
    Case(
        "large buyers at the level, but the price goes through with them",
        _BRIEF + _LARGE * 3 + "~20 +101:50 a101:0&b101:50 " + _MORE + _STILL * 12,
        thresholds=_ALONE,
    ),
    Case(
        "three large buyers at the level and nothing else that speaks for a seller",
        _USUAL + (_STILL * 9 + _LARGE) * 4 + _STILL * 14,
        thresholds=_FEW,
    ),
    Case(
        "large buyers far from any level",
        _BRIEF + _CLIMB + _BUYERS.replace("101", "107") + _STILL * 14,
        thresholds=_ALONE | {"round_ticks": 1000},
    ),
    Case("before enough orders are known", _BRIEF + _BUYERS + _STILL * 14),
)
