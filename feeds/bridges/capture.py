"""Recording what a bridge brings: its rows as a recording of events, as there are no frames."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from feeds.bridges._bridge import Bridge
from feeds.recording import RecordingWriter
from feeds.recording.capture import check_free
from feeds.recording.manifest import Manifest
from feeds.source import SourceInfo

NOTE: Final = "through a library: its rows are recorded, not the frames it was sent"
_ROUND_S: Final = 0.2


async def capture(
    bridge: Bridge,
    folder: Path,
    seconds: float | None,
    stop: asyncio.Event,
    report: Callable[[float], None],
) -> Manifest | None:
    """Record a bridge until the time is over or `stop` is set, telling the seconds so far five times a second.

    Gives the recording's manifest, None where nothing came. Raises BadInput for a folder in the way and for symbols
    that are none, OSError where nothing answers.
    """
    check_free(folder, "-o")
    await bridge.prepare()
    address = " ".join(f"{bridge.name}:{symbol}" for symbol in bridge.symbols)
    info = SourceInfo(
        address=address, format="bridge", venue=bridge.name, tier=bridge.tier, verification=bridge.verification,
        bytes=0, notes=(NOTE,),
    )  # fmt: skip
    began = time.monotonic()
    task = asyncio.create_task(bridge.run())
    written: list[RecordingWriter] = []
    try:
        with contextlib.ExitStack() as stack:
            while True:
                spent = time.monotonic() - began
                over = stop.is_set() or task.done() or (seconds is not None and spent >= seconds)
                if over:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                batches = bridge.inbox.take()
                if not written and bridge.checks.messages:
                    written.append(stack.enter_context(RecordingWriter(folder, info, bridge.instruments)))
                for batch in batches if written else ():
                    await asyncio.to_thread(written[0].write, batch)
                report(spent)
                if over:
                    break
                await asyncio.sleep(_ROUND_S if seconds is None else max(0.0, min(_ROUND_S, seconds - spent)))
            if written:
                written[0].checks = bridge.checks
    finally:
        task.cancel()
        ends = await asyncio.gather(task, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return written[0].manifest if written else None
