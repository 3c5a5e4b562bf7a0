"""Which recording is drilled and from when: drawn from a seed, so that a drill can be given again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from feeds.errors import BadInput
from tapeview import bundled, library
from tapeview.bundled import Recorded

HORIZONS_S: Final = (10, 30, 60, 120, 300)
"""Lengths of what is scored that the screen's key goes through."""
SETTLE_S: Final = 20
"""Seconds at a recording's start in which no drill begins: books, VWAP and detectors are young."""
_SECOND: Final = 1_000_000_000


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How a drill goes."""

    least_s: Annotated[int, Meta(ge=1, le=3600)] = 10
    """Seconds played before it stops, at the least."""
    most_s: Annotated[int, Meta(ge=2, le=7200)] = 60
    """And at the most."""
    horizon_s: Annotated[int, Meta(ge=1, le=3600)] = 30
    """Seconds after the stop that are scored."""
    spreads: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """The mid must move so many spreads of the stop's book to count as a move: crossing it and back costs one."""
    sigmas: Annotated[float, Meta(ge=0, le=10)] = 0.25
    """And so many of its sigmas over the horizon: else where a spread is a tick, every breath would be a move."""

    @property
    def room_s(self) -> int:
        """Seconds of a recording a drill may need from its start."""
        return self.most_s + self.horizon_s


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What was drawn."""

    seed: int
    attempt: int
    """How many draws of the seed were of no use before this one."""
    address: str
    start_ns: int
    moment_ns: int
    """The latest time of the stop."""
    at_alert: bool
    """The first alert after `least_s` stops it sooner."""
    inst: float
    """Which of the recording's instruments, as a share of them all."""


def pool(folders: Iterable[Path] = ()) -> list[Recorded]:
    """The recordings there are: those shipped, a person's own, foreign files opened before, and those of `folders`.

    Raises BadInput for a folder without a recording in it.
    """
    found = bundled.recordings() + bundled.own_recordings() + bundled.listed(library.cache_folder())
    for folder in folders:
        here = bundled.listed(folder.expanduser()) if folder.expanduser().is_dir() else []
        if not here:
            raise BadInput(str(folder), None, "a folder with recordings in it")
        found += here
    return list({recorded.path: recorded for recorded in found}.values())


def long_enough(recordings: Iterable[Recorded], rules: Rules) -> list[Recorded]:
    """Those in which a drill has room, in an order that is the same everywhere."""
    wanted = (SETTLE_S + rules.room_s) * _SECOND
    return sorted((one for one in recordings if one.length_ns > wanted), key=lambda one: (one.name, one.path))


def draw(recordings: Sequence[Recorded], rules: Rules, seed: int, attempt: int = 0) -> Choice:
    """Draw a recording, each as likely as every other, and a start in it; raise BadInput where none is long enough.

    The same recordings, rules, seed and attempt give the same.
    """
    fitting = long_enough(recordings, rules)
    if not fitting:
        wanted = f"at least one longer than {SETTLE_S + rules.room_s} s"
        raise BadInput("recordings", len(list(recordings)), wanted)
    one = fitting[int(_share(seed, attempt, "recording") * len(fitting))]
    first_ns = _first_ns(one)
    room_ns = one.length_ns - (SETTLE_S + rules.room_s) * _SECOND
    start_ns = first_ns + SETTLE_S * _SECOND + int(_share(seed, attempt, "start") * room_ns)
    span_s = rules.most_s - rules.least_s
    if span_s < 0:
        raise BadInput("rules", rules.most_s, f"a latest stop after {rules.least_s} s")
    moment_ns = start_ns + int((rules.least_s + _share(seed, attempt, "moment") * span_s) * _SECOND)
    return Choice(
        seed=seed, attempt=attempt, address=one.path, start_ns=start_ns, moment_ns=moment_ns,
        at_alert=_share(seed, attempt, "alert") < 0.5, inst=_share(seed, attempt, "instrument"),
    )  # fmt: skip


def _first_ns(one: Recorded) -> int:
    from feeds.recording import open_recording

    recording = open_recording(Path(one.path))
    try:
        if recording.manifest.first_ns is None:
            raise BadInput(one.path, None, "a recording with rows in it")
        return recording.manifest.first_ns
    finally:
        recording.close()


def _share(seed: int, attempt: int, what: str) -> float:
    # Not a library's generator: what a seed kept for years stands for must not change with one.
    drawn = hashlib.blake2b(f"{seed}|{attempt}|{what}".encode(), digest_size=7).digest()
    return int.from_bytes(drawn, "big") / (1 << 56)
