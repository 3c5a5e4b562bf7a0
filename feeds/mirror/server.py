"""The server: sockets and pages on loopback, a recording played to whoever is subscribed, faults where they are due.

The recording begins when clients have subscribed and said nothing more for a moment, so that those that are there from
the start hear all of it. Who comes later is told what the book is then. A client that reads slowly holds the recording
up, as nothing here may be lost. At the end connections are held, with heartbeats: the venue's numbers cannot go on
from the beginning again, so a second round (`loop`) is a restart that cuts everybody off.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket as sockets
import struct
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from feeds.mirror import damage
from feeds.mirror.faults import Done, Plan
from feeds.mirror.reel import CUT, FRAME, SNAPSHOT, Reel, Shot
from feeds.venues import venues
from feeds.venues._voice import UNREADABLE, Talk, Voice, spoiled

SETTLE_S: Final = 0.6
"""After so long without another subscription the recording begins; clients pace theirs."""
WAITING_FRAMES: Final = 4_000
"""Frames that may wait for one client."""
PATIENCE_S: Final = 30.0
"""A client that takes nothing for so long is closed."""
PENDING: Final = 20_000
"""Frames that books may be behind before they are brought up to date although nobody asks."""
BOOK_WAIT_S: Final = 8.0
"""How long a snapshot over HTTP is waited for, where the book is not known yet."""
_BEAT_S: Final = 0.25
_LINGER: Final = struct.pack("ii", 1, 0)
_S: Final = 1_000_000_000


class _Said(NamedTuple):
    raw: bytes | str
    is_text: bool = True


class _End(NamedTuple):
    code: int
    reason: str


class _Connection(ServerConnection):
    """Also takes a POST, as venues that list their instruments that way do: its body goes along as a header."""

    _head: bytearray | None = None

    def data_received(self, data: bytes) -> None:
        if self._head is None and not data.startswith(b"POST "):
            super().data_received(data)
            return
        self._head = (self._head or bytearray()) + data
        head, end, body = bytes(self._head).partition(b"\r\n\r\n")
        length = 0
        kept = []
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value)
            else:
                kept.append(line)
        if not end or len(body) < min(length, 1 << 16):
            return
        first = head.split(b"\r\n")[0].replace(b"POST ", b"GET ", 1)
        told = b"X-Posted: " + base64.b64encode(body[:length])
        super().data_received(b"\r\n".join([first, *kept, told]) + b"\r\n\r\n")


class _Client:
    def __init__(self, connection: ServerConnection, voice: Voice, talk: Talk) -> None:
        self.connection = connection
        self.voice = voice
        self.talk = talk
        self.out: deque[_Said | _End] = deque()
        self.news = asyncio.Event()
        self.room = asyncio.Event()
        self.held: dict[str, _Said] = {}
        self.mute_until_ns: int | None = None
        self.frozen = False
        self.said_s = time.monotonic()

    def put(self, one: _Said | _End) -> None:
        if self.frozen or (self.mute_until_ns is not None and isinstance(one, _Said)):
            return
        self.out.append(one)
        self.news.set()
        self.said_s = time.monotonic()

    async def send(self) -> None:
        while True:
            while self.out:
                one = self.out.popleft()
                if isinstance(one, _End):
                    await _end(self.connection, one)
                    return
                await self.connection.send(one.raw, text=one.is_text)
                if len(self.out) < WAITING_FRAMES:
                    self.room.set()
            self.news.clear()
            await self.news.wait()


class Progress(NamedTuple):
    """How a mirror does."""

    seconds: float
    """Of the recording, played."""
    clients: int
    connections: int
    frames: int
    """Sent, counted once a client."""
    faults: dict[str, int]
    over: bool
    """The recording is at its end."""


class Mirror:
    """A venue on loopback; an asynchronous context in which clients are served, `run` plays the recording."""

    def __init__(
        self, reel: Reel, *, speed: float = 1.0, loop: bool = False, plan: Plan | None = None, host: str = "127.0.0.1",
        port: int = 0, settle_s: float = SETTLE_S, told: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.reel = reel
        self.plan = plan or Plan()
        self.over = asyncio.Event()
        """Set at the recording's end."""
        self._speed, self._loop, self._host, self._port, self._told = speed, loop, host, port, told
        self._settle_s = settle_s
        self._clients: dict[_Client, None] = {}
        self._server: Server | None = None
        self._connections = self._sent = 0
        self._now_ns = self._first_ns = 0
        self._asked_s: float | None = None
        self._gap_until_ns = self._stall_s = 0.0
        self._drop = 0
        self._skew_ms = 0
        self._banned_until_s = 0.0
        self._closing = False
        self._begin()

    def _begin(self) -> None:
        self.voices: dict[str, Voice] = {}
        self._pending: dict[str, deque[Shot]] = {}
        for name, instruments in self.reel.markets.items():
            voice = venues()[name].voice()(venues()[name], instruments)
            self.voices[name] = voice
            self._pending[name] = deque()
        for shot in self.reel.head:
            if shot.kind == FRAME:
                with contextlib.suppress(*UNREADABLE):
                    self.voices[shot.venue].learn(shot.raw)
        self._now_ns = self._first_ns = self.reel.head[0].ns
        for voice in self.voices.values():
            voice.now_ns = self._now_ns
        self._seen: set[tuple[str, str]] = set()
        self._asked_s = None
        self._gap_until_ns, self._drop, self._skew_ms = 0.0, 0, 0
        self.plan.begin()

    # -- being there --------------------------------------------------------------------------
    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, self._host, self._port, process_request=self._request, create_connection=_Connection,
            compression=None, ping_interval=20, ping_timeout=60, close_timeout=1, max_queue=64, max_size=1 << 20,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._closing = True
        for client in list(self._clients):
            if client.frozen:
                client.connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port that was taken."""
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """Where its sockets are, for --url."""
        return f"ws://{self._host}:{self.port}"

    @property
    def rest(self) -> str:
        """Where its pages are, for --rest."""
        return f"http://{self._host}:{self.port}"

    def progress(self) -> Progress:
        """How it does now."""
        seconds = (self._now_ns - self._first_ns) / _S
        return Progress(
            seconds, len(self._clients), self._connections, self._sent, dict(self.plan.done), self.over.is_set()
        )

    # -- requests -----------------------------------------------------------------------------
    async def _request(self, _: ServerConnection, request: Request) -> Response | None:
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        left = self._banned_until_s - time.monotonic()
        if left > 0:
            return _answer(418, b"banned\n", retry_s=left)
        refused = self.plan.on_request("refuse", on="ws" if is_socket else "rest")
        if refused is not None:
            return _answer(int(float(refused.args["status"])), b"no\n", retry_s=float(refused.args["retry"]))
        if not is_socket:
            return await self._page(request)
        slow = self.plan.on_request("slow-handshake")
        if slow is not None:
            await asyncio.sleep(float(slow.args["s"]))
        return None if self._voice(request.path) else _answer(404, b"no such path\n")

    def _voice(self, path: str) -> Voice | None:
        place = urlsplit(path).path or "/"
        for voice in self.voices.values():
            if any(place == one or place.startswith(one.rstrip("/") + "/") for one in voice.paths()):
                return voice
        return None

    async def _page(self, request: Request) -> Response:
        slow = self.plan.on_request("slow-rest")
        if slow is not None:
            await asyncio.sleep(float(slow.args["s"]))
        path = request.path
        for name, voice in self.voices.items():
            symbol = voice.venue.snapshot_symbol(f"http://mirror{path}")
            if symbol is not None:
                return await self._snapshot(name, voice, symbol, path)
        for voice in self.voices.values():
            page = voice.page(path)
            if page is not None:
                return _answer(200, page)
        page = self.reel.pages.get(path)
        return _answer(404, b'{"msg":"not found"}\n') if page is None else _answer(200, page)

    async def _snapshot(self, name: str, voice: Voice, symbol: str, path: str) -> Response:
        known = {one.upper(): one for one in voice.instruments}
        if symbol.upper() not in known:
            return _answer(400, b'{"code":-1121,"msg":"Invalid symbol."}')
        symbol = known[symbol.upper()]
        first = self.reel.first.get((name, symbol))
        if first is not None and self.plan.on_request("stale-rest") is not None:
            return _answer(200, first)
        for _ in range(round(BOOK_WAIT_S / 0.05)):
            self._catch_up(name)
            body = voice.snapshot(symbol, path)
            if body is None and (name, symbol) not in self._seen:
                body = first
            if body is not None:
                return _answer(200, body)
            if self._closing:
                break
            await asyncio.sleep(0.05)
        return _answer(503, b'{"msg":"the book is not known now"}\n', retry_s=1)

    # -- clients ------------------------------------------------------------------------------
    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path = connection.request.path
        voice = self._voice(path)
        assert voice is not None
        self._connections += 1
        talk = Talk(self._connections, path)
        client = _Client(connection, voice, talk)
        self._clients[client] = None
        self._told(f"client {talk.number} came: {urlsplit(path).path}")
        sending = asyncio.create_task(client.send())
        try:
            self._answer_all(client, voice.greet(talk))
            async for said in connection:
                if not client.frozen:
                    self._hear(client, said)
        except ConnectionClosed:
            pass
        finally:
            self._clients.pop(client, None)
            client.room.set()
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed, OSError):
                await sending
            self._told(f"client {talk.number} left")

    def _hear(self, client: _Client, said: str | bytes) -> None:
        voice = client.voice
        self._catch_up(voice.venue.name)
        try:
            answers = voice.hear(client.talk, said if isinstance(said, str) else said.decode("utf-8", "replace"))
        except UNREADABLE:
            answers = []
        self._answer_all(client, answers)

    def _answer_all(self, client: _Client, answers: list[str]) -> None:
        for one in answers:
            client.put(_Said(one))
        if client.talk.topics:
            self._asked_s = time.monotonic()
        if client.talk.end is not None:
            client.put(_End(client.talk.end, ""))

    # -- playing ------------------------------------------------------------------------------
    async def run(self) -> None:
        """Play until cancelled."""
        beats = asyncio.create_task(self._beat())
        try:
            while True:
                await self._first_subscriber()
                await self._play()
                self.over.set()
                self._told("the recording is over; connections are held")
                if not self._loop:
                    await asyncio.get_running_loop().create_future()
                # At once: who comes back is to find the beginning and not what is being left.
                left = list(self._clients)
                self._clients.clear()
                self.over.clear()
                self._begin()
                for client in left:
                    client.put(_End(1012, "the recording begins again"))
        finally:
            beats.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beats

    async def _first_subscriber(self) -> None:
        while self._asked_s is None or time.monotonic() - self._asked_s < self._settle_s:
            await asyncio.sleep(0.02)

    async def _play(self) -> None:
        began = time.monotonic()
        self._stall_s = 0.0
        for n, shot in enumerate(self.reel.shots()):
            ahead = (shot.ns - self._first_ns) / _S / self._speed - (time.monotonic() - began) if self._speed else 0.0
            if ahead > 0.001:
                await asyncio.sleep(ahead)
            elif n % 64 == 0:
                await asyncio.sleep(0)
            self._pass(shot)
            if self._stall_s:
                await asyncio.sleep(self._stall_s)
                self._stall_s = 0.0
            for client in list(self._clients):
                if len(client.out) >= WAITING_FRAMES and not client.frozen:
                    await self._room(client)

    async def _room(self, client: _Client) -> None:
        client.room.clear()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await client.room.wait()
        except TimeoutError:
            client.out.clear()
            client.put(_End(1008, "too slow"))

    def _pass(self, shot: Shot) -> None:
        self._now_ns = max(self._now_ns, shot.ns)
        voice = self.voices[shot.venue]
        voice.now_ns = self._now_ns
        waiting = self._pending[shot.venue]
        waiting.append(shot)
        if len(waiting) > PENDING:  # bounded, and little by little
            self._take(voice, waiting.popleft())
            self._take(voice, waiting.popleft())
        if shot.kind == CUT:
            for client in list(self._clients):
                if client.voice is voice:
                    client.put(_End(shot.code or 1006, "as it was recorded"))
        elif shot.kind == FRAME:
            self._frame(voice, shot)

    def _frame(self, voice: Voice, shot: Shot) -> None:
        try:
            topic = voice.topic(shot.raw)
        except UNREADABLE:
            return
        if topic is None:
            return
        since = self._now_ns - self._first_ns
        acts = self.plan.on_frame(topic, since)
        for act in acts:
            self._on_clients(act, since)
        unsent = self._unsent(acts, since)
        for client in list(self._clients):
            if client.mute_until_ns and self._now_ns >= client.mute_until_ns:
                client.mute_until_ns = None
            if client.voice is voice and topic in client.talk.topics and not client.frozen:
                told = voice.tell(client.talk, topic, shot.raw)
                if told is not None and not unsent:
                    self._send(client, topic, told, acts)

    def _unsent(self, acts: list[Done], since: int) -> bool:
        for act in acts:
            if act.name == "gap":
                self._gap_until_ns = since + float(act.args["for"]) * _S
            elif act.name == "drop":
                self._drop += int(float(act.args["n"]))
            elif act.name == "skew":
                self._skew_ms = round(float(act.args["ms"]))
            elif act.name == "stall":
                self._stall_s = float(act.args["for"])
        if since < self._gap_until_ns:
            return True
        if self._drop:
            self._drop -= 1
            return True
        return False

    def _send(self, client: _Client, topic: str, told: bytes | str, acts: list[Done]) -> None:
        raw = told.encode() if isinstance(told, str) else told
        if self._skew_ms:
            raw = damage.skewed(raw, self._skew_ms, self._now_ns)
        said = [_Said(raw)]
        for act in acts:
            if act.name == "duplicate":
                said.append(said[0])
            elif act.name == "garbage":
                said = [_Said(*damage.garbage(str(act.args["kind"]), raw))]
            elif act.name == "huge":
                said.append(_Said(damage.huge(float(act.args["mb"]))))
            elif act.name == "checksum" and client.voice.checksums is not None:
                wrong = spoiled(client.voice.checksums, raw)
                if wrong is not None:
                    said = [_Said(wrong)]
                    self.plan.done["checksum"] += 1
            elif act.name == "reorder":
                client.held[topic] = said[0]
                return
        held = client.held.pop(topic, None)
        for one in [*said, *([held] if held else [])]:
            client.put(one)
            self._sent += 1

    def _on_clients(self, act: Done, since: int) -> None:
        if act.name == "ban":
            self._banned_until_s = time.monotonic() + float(act.args["s"])
        for client in list(self._clients):
            match act.name:
                case "mute":
                    seconds = float(act.args["for"])
                    client.mute_until_ns = round(self._first_ns + since + seconds * _S) if seconds else 1 << 63
                case "half-open":
                    client.frozen = True
                    client.out.clear()
                    client.connection.transport.pause_reading()
                case "close":
                    client.put(_End(int(float(act.args["code"])), "on command"))
                case "ban":
                    client.put(_End(1008, "banned"))
                case "reset":
                    _reset(client.connection)
                case _:
                    pass

    # -- books --------------------------------------------------------------------------------
    def _catch_up(self, name: str) -> None:
        voice, waiting = self.voices[name], self._pending[name]
        while waiting:
            self._take(voice, waiting.popleft())

    def _take(self, voice: Voice, shot: Shot) -> None:
        with contextlib.suppress(*UNREADABLE):
            if shot.kind == FRAME:
                voice.keep(shot.raw)
            elif shot.kind == SNAPSHOT:
                self._seen.add((shot.venue, shot.symbol))
                voice.keep_snapshot(shot.symbol, shot.raw)
            else:
                voice.forget()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            now = time.monotonic()
            for client in list(self._clients):
                voice, talk = client.voice, client.talk
                since = client.said_s if voice.when_idle else talk.beaten_ns / _S
                if voice.every_s and now - since >= voice.every_s:
                    talk.beaten_ns = round(now * _S)
                    for one in voice.beat(talk):
                        client.put(_Said(one))


def _answer(status: int, body: bytes, *, retry_s: float = 0.0) -> Response:
    headers = Headers({"Content-Length": str(len(body)), "Connection": "close", "Content-Type": "application/json"})
    if retry_s:
        headers["Retry-After"] = str(max(1, round(retry_s)))
    return Response(status, "OK" if status == 200 else "No", headers, body)


async def _end(connection: ServerConnection, end: _End) -> None:
    if end.code == 1006:
        connection.transport.abort()
    elif end.code == 1005:
        connection.protocol.send_close()
        connection.send_data()
    else:
        await connection.close(end.code, end.reason)


def _reset(connection: ServerConnection) -> None:
    sock: Any = connection.transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _LINGER)
    connection.transport.abort()
