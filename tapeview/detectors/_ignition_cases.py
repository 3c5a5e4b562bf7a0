"""Ignition: its words and worked cases."""

from __future__ import annotations

from typing import Final

from tapeview.detectors._declare import Case, Found
from tapeview.detectors._flow import fit
from tapeview.detectors._walk import LADDER, walk


def words(found: Found) -> str:
    """Say what broke, on what, and where a trailing stop would stand."""
    e = found.evidence
    arrow = "▲" if found.side > 0 else "▼"
    edge = found.price(found.tick)
    if found.phase == "cleared":
        far, after = f"{e['beyond']:.0f}t beyond", f"after {e['seconds']:.0f}s"
        if found.reason == "reversed":
            return fit(
                f"IGNITION-REVERSAL {arrow} (after the fact) · {far} {edge}, given back {after}",
                f"IGNITION-REVERSAL {arrow} (after the fact) · {far} {edge}",
            )
        if found.reason == "failed":
            return f"FAILED BREAK {arrow} · back inside {edge} {after} · {far} at most"
        return f"IGNITION {arrow} {found.reason} · {far} {edge} at most {after}"
    name = "NEWS BREAK" if found.method == "news" else "IGNITION"
    star = "" if e["rvol_days"] else "*"
    share = e["share"]
    whose = "buys" if found.side > 0 else "sells"
    long = f"{e['minutes']:.0f}m" if e["minutes"] >= 1 else f"{60 * e['minutes']:.0f}s"
    tight = f" (c{e['tightness']:.2f})".replace("c0.", "c.")
    flow = f"RVOL{star} {e['rvol']:.1f} {whose} {share:.0%} z {max(e['ofi_z'], e['taker_z']):.1f}"
    stop = found.price(int(e["stop_tick"]))
    head = f"{name} {arrow} {long} {e['width']:.0f}t"
    return fit(
        f"{head}{tight} broke {edge} · {flow} · stop idea {stop}",
        f"{head}{tight} broke {edge} · {flow} · stop {stop}",
        f"{head} broke {edge} · {flow} · stop {stop}",
        f"{head} broke {edge} · {flow}",
    )


_FAST: Final = {"bar_s": 1, "hold_s": 0.3, "confirm_s": 1.0, "fail_s": 6, "done_s": 20, "news_s": 30}
_RANGE: Final = LADDER + walk("uuuu" + ("d" * 8 + "u" * 8) * 6, 104)
_BREAK: Final = walk("uuu+u+u+", 108, 9, 130)
_LOW: Final = walk("d" * 8, 108)
CASES: Final = (
    Case(
        "a tight range breaks upwards on a surge and runs its course",
        _RANGE + _BREAK + walk("+u+u+u+u+uu+uuuu+uuu" + "u" * 10, 113, 6, 200) + "~1000 b136:21",
        ("IGNITION ▲ 20s 8t", "IGNITION ▲ done"),
        _FAST,
    ),
    Case(
        "a tight range that one bar poked beyond, broken upwards",
        LADDER
        + walk("uuuu" + ("d" * 8 + "u" * 8) * 3, 104)
        + walk("uu", 108, 1, 60)
        + walk("dd", 110, 1, 60)
        + walk(("d" * 8 + "u" * 8) * 3, 108)
        + _BREAK
        + walk("+u+u+u", 113, 6, 200),
        ("IGNITION ▲ 20s 8t",),
        _FAST,
    ),
    Case(
        "a break that falls back into the range",
        _RANGE + _BREAK + walk("u+++++", 113, 5, 250) + walk("d" * 10, 114, 5, 150),
        ("IGNITION ▲ 20s 8t", "FAILED BREAK ▲"),
        _FAST | {"large_sigma": 5.0},
    ),
    Case(
        "a large move that is given back",
        _RANGE + _BREAK + walk("uu+u+u+", 113, 7, 250) + walk("d" * 8, 117, 5, 150),
        ("IGNITION ▲ 20s 8t", "IGNITION-REVERSAL ▲"),
        _FAST | {"large_sigma": 2.0},
    ),
    Case(
        "downwards, and nothing more comes of it",
        _RANGE + _LOW + walk("ddd-d-d-", 100, 9, 130) + walk("---", 95, 5, 300) + "~3000 b95:19 " * 7,
        ("IGNITION ▼ 20s 8t", "IGNITION ▼ done"),
        _FAST,
    ),
    Case("out of the range, but on no more volume than before", _RANGE + walk("u" * 10, 108, 1, 270), (), _FAST),
    Case("volume inside the range", _RANGE + walk("+-" * 10, 108, 9, 130), (), _FAST),
    Case(
        "one block is no surge",
        _RANGE + walk("uuu", 108, 1, 130) + walk("+", 111, 90, 130) + walk("uuu", 111, 1, 270),
        (),
        _FAST,
    ),
    Case(
        "no range: the price had been walking all along",
        LADDER
        + walk("u" * 12 + "d" * 20 + "u" * 9 + "d" * 5 + ("u" * 12 + "d" * 6) * 3, 104, 1, 270)
        + walk("u" * 6 + "uuu+u+u+u+u+++" + "+" * 12, 118, 9, 130),
        (),
        _FAST,
    ),
)
