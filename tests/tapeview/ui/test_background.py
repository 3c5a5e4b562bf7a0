import asyncio
import subprocess
import sys
import threading

import pytest

from tapeview.ui.background import beside
from tests.kit.terminal import ROOT


async def test_it_gives_what_the_call_returns_from_another_thread():
    assert await beside(lambda a, b: (a + b, threading.current_thread()), 1, b=2) != (3, threading.current_thread())
    assert (await beside(lambda a, b: a + b, 1, b=2)) == 3


async def test_it_raises_what_the_call_raises():
    with pytest.raises(ZeroDivisionError):
        await beside(lambda: 1 // 0)


async def test_the_loop_goes_on_meanwhile():
    gate = threading.Event()
    asyncio.get_running_loop().call_soon(gate.set)
    assert await beside(gate.wait, 10)


async def test_nobody_minds_a_result_that_is_no_longer_wanted():
    gate = threading.Event()
    task = asyncio.create_task(beside(gate.wait, 10))
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_call_that_never_ends_does_not_keep_the_program_alive():
    program = (
        "import asyncio, threading\n"
        "from tapeview.ui.background import beside\n"
        "async def main():\n"
        "    task = asyncio.create_task(beside(threading.Event().wait))\n"
        "    await asyncio.sleep(0)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=20, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
