"""Running a bridge in a test: its rows until something is true, then its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np

from feeds.bridges import Bridge
from feeds.events import CLOCK, EVENT


async def follow(bridge: Bridge, until: Callable[[np.ndarray], bool], seconds: float = 20.0) -> np.ndarray:
    """All rows but CLOCK of a bridge that runs until `until` holds; fails where it never does."""
    task = asyncio.create_task(bridge.run())
    rows = np.zeros(0, EVENT)
    end = time.monotonic() + seconds
    try:
        while not until(rows):
            if task.done():
                task.result()
            assert time.monotonic() < end, f"{len(rows)} rows, log {[line.text for line in bridge.log]}"
            await asyncio.sleep(0.01)
            rows = np.concatenate([rows, *bridge.inbox.take()])
            rows = rows[rows["kind"] != CLOCK]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    rows = np.concatenate([rows, *bridge.inbox.take()])
    return rows[rows["kind"] != CLOCK]
