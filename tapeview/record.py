"""Headless capture: what venues send goes to disk as it came, and becomes a recording when the capture ends.

On the way its rows may be published on a broker, from where any number of terminals read them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from feeds.instruments import Instrument
from feeds.listing import by_venue, listed, sockets
from feeds.live import Client, Told
from feeds.recording.blocks import DIGEST
from feeds.recording.capture import begin_capture
from feeds.recording.derived import derive_events
from feeds.recording.manifest import Manifest, program
from feeds.recording.witness import Witness
from feeds.rest import Rest
from feeds.venues._access import Access

if TYPE_CHECKING:
    from feeds.broker.publisher import Publisher

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a capture in order."""
_ROUND_S: Final = 0.2
_LOOK_S: Final = 5.0
_TESTIFY_S: Final = 60.0
LOW_SHARE: Final = 0.05
"""Share of the disk that is free below which a person is warned."""
LOW_S: Final = 1800.0
"""Time until the disk is full, at the rate of the capture so far, below which a person is warned."""
SLOW_BYTES: Final = 16 << 20
"""Bytes that wait for the disk above which a person is warned."""


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
    publish: str | None = None
    """Broker to publish the rows on as well: `nats://HOST[:PORT]` or `tls://HOST[:PORT]`."""


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
    published: str = ""
    """How publishing does, in words; empty where nothing is published."""
    warning: str = ""
    """What will go wrong with the disk soon; empty where nothing will."""


class Captured(NamedTuple):
    """What came of one venue's capture."""

    folder: Path
    venue: str
    frames: int
    dropped: int
    manifest: Manifest | None
    """The recording's; None where no frame came."""


class Disk:
    """Looks ahead: how much room there is, how long it lasts, and whether the disk keeps up."""

    def __init__(self, folder: Path, usage: Callable[[Path], Any] = shutil.disk_usage) -> None:
        self._folder, self._usage = folder, usage
        self._looked: float | None = None
        self._room: tuple[int, int] | None = None

    def warning(self, seconds: float, written: int, held: int) -> str:
        """What will go wrong soon, given the capture's age, the bytes it took and those that wait; empty if nothing."""
        if held > SLOW_BYTES:
            return f"the disk is slow: {held / 1e6:.0f} MB wait for it"
        if self._looked is None or seconds - self._looked >= _LOOK_S:
            self._looked = seconds
            try:
                usage = self._usage(self._folder)
                self._room = (usage.free, usage.total)
            except OSError:
                self._room = None
        if self._room is None:
            return ""
        free, total = self._room
        left_s = free * seconds / written if written and seconds >= _LOOK_S else None
        if left_s is not None and left_s < LOW_S:
            return f"the disk is full in {left_s / 60:.0f} min: {free / 1e6:,.0f} MB are free"
        if free < LOW_SHARE * total:
            return f"the disk is nearly full: {free / 1e6:,.0f} MB are free, {100 * free / total:.0f} %"
        return ""


class _Capture:
    """One venue's capture."""

    def __init__(
        self, venue: type[Access], instruments: dict[str, tuple[int, Instrument]], folder: Path, plan: Plan, rest: Rest
    ) -> None:
        self.venue, self.folder = venue, folder
        self.queue, about = begin_capture(venue, instruments, folder, "-o")
        self.client = Client(
            venue, instruments, fetch=rest.get, sockets=sockets(venue, instruments, plan.url), rest=plan.rest,
            sink=self.queue, again=lambda some: sockets(venue, some, plan.url),
        )  # fmt: skip
        self.witness = Witness()
        self.publisher = _publisher(plan.publish, about, self.client, self.witness) if plan.publish else None
        self._testified = 0.0
        self._disk = Disk(folder)
        self._said = ("", "")

    def progress(self, seconds: float) -> Progress:
        """How it does now."""
        trouble = self.queue.trouble
        # What is on disk is compressed, so this warns early.
        warning = self._disk.warning(seconds, self.queue.bytes, self.queue.held_bytes)
        return Progress(
            seconds, self.venue.name, self.queue.frames, self.queue.bytes, self.client.checks.gaps, self.queue.dropped,
            tuple(route.state.value for route in self.client.health()), trouble.reason if trouble else "",
            self.publisher.state().text if self.publisher is not None else "", warning,
        )  # fmt: skip

    def tell_disk(self, now: Progress, told: Callable[[str, Told], None]) -> None:
        """Say on a line of its own what has changed about the disk, once."""
        before, self._said = self._said, (now.trouble, now.warning)
        lines = []
        if bool(now.trouble) != bool(before[0]):
            lines.append(f"NOT RECORDING: {now.trouble}; what comes is kept" if now.trouble else "recording again")
        if bool(now.warning) != bool(before[1]):
            lines.append(now.warning or "the disk has room and keeps up again")
        for text in lines:
            told(self.venue.name, Told(time.time_ns(), str(self.folder), text))

    def take(self) -> None:
        """Look at the rows that came; the recording's are made of its frames."""
        if self.publisher is None:
            for rows in self.client.inbox.take():
                self.witness.add(rows)
        elif self.client.inbox.over:
            self.publisher.drain()

    def testify(self, seconds: float) -> None:
        """Record a digest of what was seen, once a minute; not of more than the frames can give."""
        if seconds - self._testified >= _TESTIFY_S and not self.queue.dropped:
            self._testified = seconds
            told = self.witness.told()
            if told is not None:
                self.queue.record(DIGEST, told)

    def tell(self, told: Callable[[str, Told], None]) -> None:
        """Pass on what happened since the last call."""
        for log in (self.client.log, *([self.publisher.log] if self.publisher is not None else [])):
            while log:
                told(self.venue.name, log.popleft())

    def close(self) -> None:
        """Bring what came to the disk, and to the broker if it takes it at once."""
        self.client.inbox.close()
        self.take()
        self.testify(math.inf)
        try:
            self.queue.close()
        finally:
            if self.publisher is not None:
                self.publisher.close()


def _publisher(url: str, about: Manifest, client: Client, witness: Witness) -> Publisher:
    from feeds.broker.address import parse_target
    from feeds.broker.batches import About
    from feeds.broker.publisher import Publisher

    told = [
        About(instrument=one, tier=about.tier, verification=about.verification, origin=about.created_by)
        for one in about.instruments
    ]
    return Publisher(parse_target(url), told, client.inbox, seen=witness.add)


def _check_broker(url: str) -> None:
    """Refuse what would fail later: no extra, no broker's address, a login that cannot be read."""
    from feeds.broker.address import login, parse_target
    from feeds.broker.jetstream import check_installed

    parse_target(url)
    check_installed()
    login()


async def record(
    plan: Plan, progress: Callable[[Progress], None], told: Callable[[str, Told], None]
) -> tuple[list[Captured], int | None]:
    """Capture until the time is over or a signal comes; give what came of it and the signal, if one ended it.

    `progress` hears of each venue five times a second, `told` of what happened to connections and books. Raises
    BadInput for addresses that are none and for a folder in the way, OSError where a list of instruments cannot be
    fetched.
    """
    wanted = by_venue(plan.addresses)
    if plan.publish:
        _check_broker(plan.publish)
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
                captures.append(_Capture(venue, instruments, folder, plan, rest))
            await _run(captures, plan.seconds, stop, progress, told)
    finally:
        for capture in captures:
            await asyncio.to_thread(capture.close)
            capture.tell(told)
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    return [await asyncio.to_thread(_finish, capture) for capture in captures], ended_by[0] if ended_by else None


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
        capture.tell(told)
        capture.take()
        capture.testify(seconds)
        now = capture.progress(seconds)
        capture.tell_disk(now, told)
        progress(now)


def _finish(capture: _Capture) -> Captured:
    manifest = derive_events(capture.folder) if capture.queue.frames else None
    return Captured(capture.folder, capture.venue.name, capture.queue.frames, capture.queue.dropped, manifest)
