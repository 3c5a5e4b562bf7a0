"""Pulled liquidity: its words and worked cases."""

from __future__ import annotations

from typing import Final

from tapeview.detectors._declare import Case, Found


def words(found: Found) -> str:
    """Say what was shown where and taken back; nobody is accused."""
    value = found.evidence
    side, other = ("BID", "asks") if found.side > 0 else ("ASK", "bids")
    where = found.price(found.tick)
    if found.phase == "cleared":
        return f"PULLED {side} over · {where}" + (" · book rebuilt" if found.reason == "resync" else "")
    least, most = int(value["least_ticks"]), int(value["most_ticks"])
    away = f"{least}t" if least == most else f"{least}-{most}t"
    size = found.size(found.lots)
    if found.method == "single":
        return f"PULLED {side} {where} · {size} lots {away} behind the touch, gone after {value['life_s']:.1f}s"
    text = f"PULLED ×{value['n']:.0f} {side} {where} {away} back · {size} avg, 0% filled, {value['life_s']:.1f}s each"
    return text + (f" · {other} hit" if value["traded_across"] else "")


# -- worked cases ---------------------------------------------------------------------------------


def _crowd(adds: int) -> str:
    """A market of orders of 3 to 10 lots that stay a second or so; each price has 20 lots that stay."""
    said = ["[", *(f"o{n + 1}b{100 - n}:20 o{n + 51}a{101 + n}:20" for n in range(12)), "]", "~5100"]
    for n in range(adds):
        side, tick = ("b", 99 - n % 7) if n % 2 else ("a", 102 + n % 7)
        said.append(f"~80 o{1000 + n}{side}{tick}:{3 + n % 8}")
        if n >= 15:
            said.append(f"x{1000 + n - 15 + (n % 3 == 0) - (n % 3 == 1)}" if n % 3 < 2 else f"x{1000 + n - 15}")
    return " ".join(said) + " "


def _levels(adds: int) -> str:
    """The same as levels."""
    said = ["[", *(f"b{100 - n}:20 a{101 + n}:20" for n in range(12)), "]", "~5100"]
    for n in range(adds):
        side, tick = ("b", 99 - n % 7) if n % 2 else ("a", 102 + n % 7)
        said.append(f"~80 {side}{tick}:{23 + n % 8}")
        if n >= 5:
            back = n - 5
            side, tick = ("b", 99 - back % 7) if back % 2 else ("a", 102 + back % 7)
            said.append(f"{side}{tick}:20")
    return " ".join(said) + " "


def _shown(first: int, sizes: tuple[int, ...], life_ms: int = 300, end: str = "x") -> str:
    """Large bids three ticks down, each for a while."""
    return (
        " ".join(
            f"~900 o{first + n}b97:{lots} ~{life_ms // 2} +101:2&f51:1 ~{life_ms // 2} {end}{first + n}"
            for n, lots in enumerate(sizes)
        )
        + " ~200 o99b90:1 x99 "
    )


_FEW: Final = {"watch_q": 0.3, "min_class": 60, "min_adds": 50}
_BEFORE: Final = _crowd(330)
CASES: Final = (
    Case(
        "about the same large bid is shown and taken back three times, while asks are bought",
        _BEFORE + _shown(501, (100, 95, 104)),
        ("PULLED ×3 BID 97 3t back · 99 avg",),
        thresholds=_FEW,
    ),
    Case(
        "the same where only levels are known",
        _levels(330) + "~900 b97:120 ~150 +101:2 ~150 b97:20 " * 3 + "~400 b90:20",
        ("PULLED ×3 BID 97 3t back · 100 avg",),
        thresholds=_FEW,
        tier="B",
    ),
    Case(
        "nothing follows, and after a while it is over",
        _BEFORE + _shown(501, (100, 95, 104)) + "~1000 o99b90:1 x99 " * 13,
        ("PULLED ×3 BID 97", "PULLED BID over"),
        thresholds=_FEW | {"clear_s": 10},
    ),
    Case(
        "as a naive rule: any very large order that is gone within a second",
        _BEFORE + _shown(501, (100,)),
        ("PULLED BID 97 · 100 lots 3t behind",),
        thresholds=_FEW | {"naive": 1},
    ),
    Case("orders of usual sizes come and go", _BEFORE, thresholds=_FEW),
    Case("once or twice means nothing", _BEFORE + _shown(501, (100, 100)), thresholds=_FEW),
    Case("large orders that are executed", _BEFORE + _shown(501, (100, 95, 104, 100), end="f"), thresholds=_FEW),
    Case("large orders of quite different sizes", _BEFORE + _shown(501, (100, 160, 260)), thresholds=_FEW),
    Case(
        "large orders that stay as long as others do",
        _BEFORE + _shown(501, (100, 95, 104), life_ms=3000),
        thresholds=_FEW | {"p": 1e-6},
    ),
    Case(
        "one order that is amended: taken back and shown again at once",
        _BEFORE + "~900 o501b97:100 " + " ".join(f"~300 x{n}&o{n + 1}b{97 - n % 2}:100" for n in range(501, 507)),
        thresholds=_FEW,
    ),
    Case(
        "a burst of quotes: three large levels go and come together",
        _BEFORE
        + " ".join(
            f"~900 o{n}b97:100&o{n + 1}b96:100&o{n + 2}b95:100 ~300 x{n}&x{n + 1}&x{n + 2}" for n in range(501, 519, 3)
        )
        + " ~200 o99b90:1",
        thresholds=_FEW,
    ),
)
