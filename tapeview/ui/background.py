"""Work beside the event loop: a call in a thread of its own, awaited, that never keeps the program from ending."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

_NEW_OBJECTS: Final = 20_000
"""Objects made before the collector looks at the young ones; a frame makes some hundred that outlive it."""

P = ParamSpec("P")
R = TypeVar("R")


async def beside(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking call in a daemon thread and give what it returns or raises.

    asyncio's own executor is joined when the loop closes, so a slow opening would hold up quitting.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[R] = loop.create_future()

    def tell(result: R | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = call(*args, **kwargs)
        except Exception as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, daemon=True, name=f"tapeview-{getattr(call, '__name__', 'work')}").start()
    return await future


def spare_collector() -> None:
    """Keep the garbage collector from what lives as long as the program, and from most frames."""
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
