"""Absorption: its words and worked cases."""

from __future__ import annotations

from typing import Final

from tapeview.detectors._declare import Case, Found


def words(found: Found) -> str:
    """Say what was absorbed where, and how it ended."""
    where, value = found.price(found.tick), found.evidence
    if found.phase == "cleared":
        if found.reason == "failed":
            return f"ABSORPTION FAILED {where}"
        after = f"{found.size(found.lots)} in {value['seconds']:.0f}s"
        return f"ABSORPTION OVER {where} · {after}" + (" · book rebuilt" if found.reason == "resync" else "")
    deed, did = ("BUYING", "bought") if found.side < 0 else ("SELLING", "sold")
    sign = 1 if found.side < 0 else -1
    lots = f"{found.size(found.lots)} {did} in {value['seconds']:.0f}s"
    if found.method == "volume":
        return f"VOLUME {deed} @{where} · {lots}"
    got = value["got_ticks"] * sign
    answer = f"expected {value['expected_ticks'] * sign:+.1f}t got {got:+.1f}t" if got else (
        f"expected {value['expected_ticks'] * sign:+.1f}t got 0"
    )  # fmt: skip
    waves = int(value["waves"])
    return f"ABSORBED {deed} @{where} · {lots}, {answer}" + (f" · {waves} waves" if waves > 1 else "")


# -- worked cases ---------------------------------------------------------------------------------


def _swing(seconds: int, at: int = 100) -> str:
    """A market that follows its flow: 13 s of buying lift it 13 ticks, 13 s of selling sink it."""
    said = ["[", *(f"b{at - n}:50 a{at + 1 + n}:50" for n in range(20)), "]"]
    bid = at
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


_USUAL: Final = _swing(104)
_SOON: Final = {"warmup_s": 60}
_BUYING: Final = "~250 +101:15 a101:35 ~50 a101:50 "
"""Some 50 lots a second at a price that shows 50."""
_SELLING: Final = "~100 -100:30 b100:20 ~50 b100:50 "
_STILL: Final = "~1000 b98:50 "
_GONE: Final = "~50 a101:0&b101:50 ~50 a102:0&b102:50 ~50 a103:0&b103:50 ~50 a104:0&b104:50 "
CASES: Final = (
    Case(
        "steady buying runs into an ask that is supplied again and again, then stops",
        _USUAL + " " + _BUYING * 50 + _STILL * 27,
        ("ABSORBED BUYING @101", "ABSORBED BUYING @101", "ABSORPTION OVER 101"),
        thresholds=_SOON,
    ),
    Case(
        "the one who supplies it runs out, and the price goes through",
        _USUAL + " " + _BUYING * 50 + _GONE + _STILL * 5,
        ("ABSORBED BUYING @101", "ABSORBED BUYING @101", "ABSORPTION FAILED 101"),
        thresholds=_SOON,
    ),
    Case(
        "two waves of selling into a bid, with a pause of three seconds between them",
        _USUAL + " ~8000 " + _SELLING * 7 + "~2500 " + _SELLING * 7,
        ("ABSORBED SELLING @100",),
        thresholds=_SOON,
    ),
    Case(
        "as a naive rule: any price with far more volume than usual",
        _USUAL + " ~300 +101:145 " + _STILL * 2,
        ("VOLUME BUYING @101",),
        thresholds=_SOON | {"volume_sigmas": 3.0},
    ),
    Case("flow and price as usual", _USUAL, thresholds=_SOON),
    Case(
        "as much buying as ever, but the price goes with it",
        _USUAL
        + "".join(
            f" ~250 +{101 + n // 3}:15" + (f" a{101 + n // 3}:0&b{101 + n // 3}:50" if n % 3 == 2 else "")
            for n in range(35)
        ),
        thresholds=_SOON,
    ),
    Case("buying and selling alike meet both sides", _USUAL + " " + "~250 +101:15 ~50 -100:15 " * 35, thresholds=_SOON),
    Case(
        "a downtrend: the ask holds since the market falls",
        _USUAL
        + "".join(
            " ~250 +101:15" + (f" b{100 - n // 4}:0&a{100 - n // 4}:50" if n % 4 == 3 else "") for n in range(30)
        ),
        thresholds=_SOON,
    ),
    Case("before the usual is known", "[ b100:50 a101:50 ] ~6000 b99:9 " + _BUYING * 35),
    Case("the same out of a market stated to be halted", _USUAL + " !halted " + _BUYING * 35, thresholds=_SOON),
    Case(
        "a gap in the middle of it: what was known of the price is gone",
        _USUAL + " " + _BUYING * 12 + "!gap ~50 [ b100:50 a101:50 ] " + _BUYING * 10,
        thresholds=_SOON,
    ),
)
