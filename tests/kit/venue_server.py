"""A venue on loopback for tests: real sockets, the words of a real venue, and ends on command."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server as WebSockets
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


class VenueServer:
    """Tells every subscriber `first()` and then whatever is said; counts who came."""

    def __init__(self, first: Any) -> None:
        self.first = first
        self.clients: list[ServerConnection] = []
        self.connections = 0
        self.subscriptions: list[str] = []
        self.pages: dict[str, bytes] = {}
        """Answers over HTTP, by path."""
        self.refuse: int | None = None
        """HTTP status that answers new connections."""
        self._server: WebSockets | None = None

    async def __aenter__(self) -> Self:
        def process(connection: ServerConnection, request: Request) -> Any:
            page = self.pages.get(request.path)
            if page is not None:
                return Response(200, "OK", Headers({"Content-Length": str(len(page)), "Connection": "close"}), page)
            return connection.respond(self.refuse, "no\n") if self.refuse is not None else None

        self._server = await serve(self._serve, "127.0.0.1", 0, process_request=process)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                self.subscriptions.append(str(message))
                for frame in self.first():
                    await connection.send(frame, text=True)
                self.clients.append(connection)
        if connection in self.clients:
            self.clients.remove(connection)

    async def say(self, frame: bytes, *, to: int | None = None) -> None:
        """Send a frame to every subscriber, or to one."""
        for client in list(self.clients) if to is None else [self.clients[to]]:
            with contextlib.suppress(ConnectionClosed):
                await client.send(frame, text=True)

    async def drop(self, code: int = 1000, reason: str = "") -> None:
        """Close every connection."""
        for client in list(self.clients):
            await client.close(code, reason)

    async def cut(self) -> None:
        """Break every connection without a word."""
        for client in list(self.clients):
            client.transport.abort()
        await asyncio.sleep(0)
