"""Brokers for tests: one in memory that fails on command, and the real server where it is installed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from asyncio import Future
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from feeds.broker.address import Login, Target
from feeds.broker.log import BrokerAway, BrokerRefuses, Extent, LogConflict, NoLog, Stored

SERVER = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
needs_server = pytest.mark.skipif(SERVER is None, reason="no nats-server: Debian's package of that name has it")


class MemoryLogs:
    """What a broker holds, and how it behaves."""

    def __init__(self) -> None:
        self.logs: dict[str, list[Stored]] = {}
        self.keys: dict[str, list[int]] = {}
        self.down = False
        """Nobody gets in."""
        self.full: set[str] = set()
        """Logs that take nothing more."""
        self.unanswered = 0
        """Messages from now on that are stored and whose writer is cut off before it hears so."""
        self.connections: list[MemoryBroker] = []
        self.connected = 0
        self.news = asyncio.Condition()

    async def connect(self, target: Target, who: Login) -> MemoryBroker:
        """Connect."""
        if self.down:
            raise BrokerAway("refused")
        self.connected += 1
        self.connections.append(MemoryBroker(self))
        return self.connections[-1]

    async def cut(self) -> None:
        """End every connection."""
        for one in self.connections:
            one.fail()
        self.connections.clear()
        async with self.news:
            self.news.notify_all()

    def forget(self, name: str, newest: int) -> None:
        """Lose the newest messages of a log."""
        del self.logs[name][len(self.logs[name]) - newest :]
        self.keys[name] = [at for at in self.keys[name] if at <= len(self.logs[name])]


class MemoryBroker:
    """A connection to them."""

    def __init__(self, logs: MemoryLogs) -> None:
        self._logs = logs
        self._open = True
        self._waiting: list[Future[None]] = []

    most_rows = 8192

    def fail(self) -> None:
        self._open = False
        for future in self._waiting:
            if not future.done():
                future.set_exception(BrokerAway("cut"))
                future.exception()

    async def _log(self, venue: str, symbol: str) -> list[Stored]:
        await asyncio.sleep(0)
        if not self._open:
            raise BrokerAway("cut")
        if f"{venue}:{symbol}" not in self._logs.logs:
            raise NoLog
        return self._logs.logs[f"{venue}:{symbol}"]

    async def create(self, venue: str, symbol: str) -> None:
        name = f"{venue}:{symbol}"
        if name in self._logs.full:
            raise BrokerRefuses(1, "full")
        self._logs.logs.setdefault(name, [])
        self._logs.keys.setdefault(name, [])

    async def names(self) -> list[str]:
        return sorted(self._logs.logs)

    async def extent(self, venue: str, symbol: str) -> Extent:
        log = await self._log(venue, symbol)
        return Extent(log[0].position, log[-1].position) if log else Extent(1, 0)

    async def read(self, venue: str, symbol: str, position: int) -> Stored | None:
        log = await self._log(venue, symbol)
        at = position - log[0].position if log else 0
        return log[at] if 0 <= at < len(log) else None

    async def newest_key(self, venue: str, symbol: str) -> Stored | None:
        await self._log(venue, symbol)
        keys = self._logs.keys[f"{venue}:{symbol}"]
        return await self.read(venue, symbol, keys[-1]) if keys else None

    async def append(self, venue: str, symbol: str, data: bytes, *, position: int, key: bool = False) -> Future[None]:
        log, name = await self._log(venue, symbol), f"{venue}:{symbol}"
        future: Future[None] = asyncio.get_running_loop().create_future()
        if name in self._logs.full:
            future.set_exception(BrokerRefuses(1, "full"))
        elif position != (log[-1].position + 1 if log else 1):
            future.set_exception(LogConflict())
        else:
            log.append(Stored(position, bytes(data)))
            if key:
                self._logs.keys[name].append(position)
            async with self._logs.news:
                self._logs.news.notify_all()
            if self._logs.unanswered:
                self._logs.unanswered -= 1
                self._waiting.append(future)
                await self._logs.cut()
                self.fail()
                return future
            future.set_result(None)
        future.exception()
        return future

    async def follow(self, venue: str, symbol: str, position: int) -> AsyncIterator[Stored]:
        while True:
            stored = await self.read(venue, symbol, position)
            if stored is not None:
                yield stored
                position += 1
                continue
            async with self._logs.news:
                if self._open and await self.read(venue, symbol, position) is None:
                    await self._logs.news.wait()

    async def close(self) -> None:
        self.fail()


class NatsServer:
    """The real server, on loopback, with its streams in a folder; it may be killed and started again."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.words = folder, words
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert SERVER is not None
        command = [SERVER, "-js", "-sd", str(self.folder), "-a", "127.0.0.1", "-p", str(self.port), *self.words]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            time.sleep(0.02)
        raise TimeoutError("nats-server does not listen")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
