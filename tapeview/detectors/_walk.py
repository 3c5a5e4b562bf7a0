"""Scripts of a touch that walks, for worked cases."""

from __future__ import annotations

from typing import Final

LADDER: Final = (
    "[ " + " ".join(f"b{tick}:20" for tick in range(104, 80, -1)) + " "
    + " ".join(f"a{tick}:20" for tick in range(105, 150)) + " ] "
)  # fmt: skip
"""A book of 20 lots at every tick, bid 104 and ask 105."""


def walk(path: str, bid: int, lots: int = 1, wait_ms: int = 270) -> str:
    """Words for a path of the touch from a best bid: u and d move it by a tick, with a print behind; + and - print."""
    said = []
    for move in path:
        if move == "u":
            bid += 1
            said.append(f"~{wait_ms} a{bid}:0&b{bid}:20 +{bid + 1}:{lots}")
        elif move == "d":
            said.append(f"~{wait_ms} b{bid}:0&a{bid}:20 -{bid - 1}:{lots}")
            bid -= 1
        else:
            said.append(f"~{wait_ms} {move}{bid + 1 if move == '+' else bid}:{lots}")
    return " ".join(said) + " "
