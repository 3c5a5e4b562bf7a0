"""Headless capture: what venues send goes to disk as it came, and becomes a recording when the capture ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from feeds.errors import BadInput
from feeds.instruments import Instrument
from feeds.listing import by_venue, listed, sockets
from feeds.live import Client, Told
from feeds.recording.derived import derive_events
from feeds.recording.frames import FrameWriter
from feeds.recording.manifest import Manifest, program
from feeds.recording.queue import FrameQueue
from feeds.rest import Rest
from feeds.venues._access import Access

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a capture in order."""
_ROUND_S: Final = 0.2


class Plan(NamedTuple):
    """What to capture, and where to."""

    addresses: tuple[str, ...]
    """`VENUE:SYMBOL`, one or more; instruments of one venue make one recording."""
    out: Path
    """The recording's folder; with several venues, the folder of their recordings."""
    seconds: float | None = None
    """How long; None until a signal."""
    url: str | None = None
    rest: str | None = None
    """Scheme and host that take the place of the venue's, as of a test net or a mirror."""


class Progress(NamedTuple):
    """How a capture does."""

    seconds: float
    venue: str
    frames: int
    bytes: int
    gaps: int
    dropped: int
    """Frames that we ourselves had to give up."""
    states: tuple[str, ...]
    """State of each of the venue's routes."""
    trouble: str
    """Why the disk takes nothing; empty where it does."""


class Captured(NamedTuple):
    """What came of one venue's capture."""

    folder: Path
    venue: str
    frames: int
    dropped: int
    manifest: Manifest | None
    """The recording's; None where no frame came."""


class _Capture:
    """One venue's capture."""

    def __init__(
        self, venue: type[Access], instruments: dict[str, tuple[int, Instrument]], folder: Path, plan: Plan, rest: Rest
    ) -> None:
        self.venue, self.folder = venue, folder
        about = Manifest(
            created_by=program(),
            origin=" ".join(f"{venue.name}:{symbol}" for symbol in instruments),
            venue=venue.name,
            source_format="live",
            tier=venue.tier,
            verification=venue.verification,
            instruments=tuple(one for _, one in instruments.values()),
        )
        self.queue = FrameQueue(FrameWriter(folder, about))
        self.client = Client(
            venue, instruments, fetch=rest.get, sockets=sockets(venue, instruments, plan.url), rest=plan.rest,
            sink=self.queue, again=lambda some: sockets(venue, some, plan.url),
        )  # fmt: skip

    def progress(self, seconds: float) -> Progress:
        trouble = self.queue.trouble
        return Progress(
            seconds, self.venue.name, self.queue.frames, self.queue.bytes, self.client.checks.gaps, self.queue.dropped,
            tuple(route.state.value for route in self.client.health()), trouble.reason if trouble else "",
        )  # fmt: skip


async def record(
    plan: Plan, progress: Callable[[Progress], None], told: Callable[[str, Told], None]
) -> tuple[list[Captured], int | None]:
    """Capture until the time is over or a signal comes; give what came of it and the signal, if one ended it.

    `progress` hears of each venue five times a second, `told` of what happened to connections and books. Raises
    BadInput for addresses that are none and for a folder in the way, OSError where a list of instruments cannot be
    fetched.
    """
    wanted = by_venue(plan.addresses)
    stop = asyncio.Event()
    ended_by: list[int] = []

    def end(number: int) -> None:
        ended_by.append(number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, end, number)
    captures: list[_Capture] = []
    try:
        async with Rest(program()) as rest:
            for venue, symbols in wanted.items():
                instruments = await listed(venue, symbols, rest.get, plan.rest)
                folder = plan.out if len(wanted) == 1 else plan.out / venue.name
                _refuse(folder)
                captures.append(_Capture(venue, instruments, folder, plan, rest))
            await _run(captures, plan.seconds, stop, progress, told)
    finally:
        for capture in captures:
            await asyncio.to_thread(capture.queue.close)
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    return [await asyncio.to_thread(_finish, capture) for capture in captures], ended_by[0] if ended_by else None


def _refuse(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput("-o", str(folder), "a folder that does not exist yet, or an empty one")


async def _run(
    captures: Sequence[_Capture],
    seconds: float | None,
    stop: asyncio.Event,
    progress: Callable[[Progress], None],
    told: Callable[[str, Told], None],
) -> None:
    began = time.monotonic()
    tasks = [asyncio.create_task(capture.client.run()) for capture in captures]
    try:
        while not stop.is_set() and not any(task.done() for task in tasks):
            spent = time.monotonic() - began
            left = None if seconds is None else seconds - spent
            if left is not None and left <= 0:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _ROUND_S if left is None else min(_ROUND_S, left))
            _report(captures, time.monotonic() - began, progress, told)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        _report(captures, time.monotonic() - began, progress, told)
    for end in ends:
        if isinstance(end, Exception):
            raise end


def _report(
    captures: Sequence[_Capture],
    seconds: float,
    progress: Callable[[Progress], None],
    told: Callable[[str, Told], None],
) -> None:
    for capture in captures:
        while capture.client.log:
            told(capture.venue.name, capture.client.log.popleft())
        # Nobody looks at the rows: the recording's are made of its frames.
        capture.client.inbox.take()
        progress(capture.progress(seconds))


def _finish(capture: _Capture) -> Captured:
    manifest = derive_events(capture.folder) if capture.queue.frames else None
    return Captured(capture.folder, capture.venue.name, capture.queue.frames, capture.queue.dropped, manifest)
