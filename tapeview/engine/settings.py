"""The engine's settings: the `[engine]` table of the configuration."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person may set of the engine."""

    depth_ticks: Annotated[
        int, Meta(ge=1, le=255, description="Ticks from the touch, it included, counted for depth and wall.")
    ] = 10
    imbalance_levels: Annotated[
        int, Meta(ge=1, le=100, description="Levels of each side in the imbalance of the book.")
    ] = 5
    merge_ms: Annotated[
        int, Meta(ge=0, le=60_000, description="Prints of one side and price this close to the first are one, in ms.")
    ] = 100
    stale_ms: Annotated[
        int, Meta(ge=100, le=3_600_000, description="Least silence that makes the book stale, in ms; 20 x the median "
                                                    "gap where that is longer.")
    ] = 3000  # fmt: skip
    big_print_quantile: Annotated[
        float, Meta(ge=0.5, le=0.9999, description="Share of recent merged prints that are smaller than a big one.")
    ] = 0.98
