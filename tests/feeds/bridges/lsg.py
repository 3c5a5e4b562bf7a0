"""Databento's live gateway on loopback: the text greeting and proof of the key, then DBN; it does what a test says."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable
from typing import Self

KEY = "db-0123456789abcdefghijklmnopqrs"
Play = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


class Gateway:
    """A gateway in a thread of its own; `play` writes what a session gets, given the number of the session from 1."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.lines: list[str] = []
        self.sessions = 0
        self.refused = 0
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._session, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"lsg_version=0.4.0\ncram=challenge\n")
            said = dict(pair.split("=", 1) for pair in (await reader.readline()).decode().strip().split("|"))
            self.lines.append(f"auth dataset={said['dataset']}")
            proof = hashlib.sha256(f"challenge|{KEY}".encode()).hexdigest()
            if said["auth"] != f"{proof}-{KEY[-5:]}":
                self.refused += 1
                writer.write(b"success=0|error=Authentication failed.\n")
                await writer.drain()
                return
            writer.write(b"success=1|session_id=7\n")
            while True:
                line = (await reader.readline()).decode().strip()
                self.lines.append(line)
                if not line or line.startswith("start_session"):
                    break
            self.sessions += 1
            await self.play(writer, self.sessions)
            await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(5)
