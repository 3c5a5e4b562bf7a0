"""Logs on a NATS server with JetStream: one stream an instrument, on the broker's disk, read by position.

Chosen before Redis Streams because a stream lies on disk and not in memory (a day of a busy desk does not fit in
memory), because a message may be stored under the condition that the stream ends where its writer thinks
(`Nats-Expected-Last-Sequence`), which makes sending again safe, because the newest message of a subject can be asked
for, which is where a new reader begins, and because positions count without holes, so any place is found by halving.
An acknowledgement means stored, not synced: the server syncs every two minutes unless `sync_interval` says otherwise,
so a power cut at the broker may take back what it had acknowledged; readers find that out, and a capture's own
recording has it.

The wire is spoken by nats-py (publish, subscribe, request). The JetStream calls are made here: its own asynchronous
publish never ends for a message that is refused, and its fetch may wait although messages are there.
Protocol: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from asyncio import Future
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from feeds.broker.address import Login, Place, Target
from feeds.broker.batches import HEAD_BYTES, MAX_ABOUT, MAX_ROWS
from feeds.broker.log import BrokerAway, BrokerRefuses, Extent, LogConflict, NoLog, Stored
from feeds.errors import BadInput, MissingExtra
from feeds.events import EVENT

if TYPE_CHECKING:
    from nats.aio.client import Client as Nats

_API: Final = "$JS.API."
_TIMEOUT_S: Final = 5.0
_BATCH: Final = 64
_SILENT_S: Final = 3.0
_HEARTBEAT_NS: Final = 1_000_000_000
_EXPIRES_NS: Final = 30_000_000_000
_NO_STREAM, _NO_MESSAGE, _WRONG_LAST, _NAME_IN_USE = 10059, 10037, 10071, 10058
_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def token(text: str) -> str:
    """A text as one token of a subject: what NATS does not take is written as = and two digits a byte."""
    return "".join(c if c in _SAFE else "".join(f"={byte:02X}" for byte in c.encode()) for c in text)


def untoken(text: str) -> str:
    """The text of a token; raises BadInput where it is none."""
    first, *rest = text.split("=")
    try:
        data = first.encode() + b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in rest)
        return data.decode()
    except ValueError:
        raise BadInput("name of a log", text, "one made by a tapeview capture") from None


def stream_name(venue: str, symbol: str) -> str:
    """The stream of an instrument; a venue's name has no underscore, so it can be read back."""
    return f"tapeview_{token(venue)}_{token(symbol)}"


class JetStream:
    """A connection to a NATS server; a `feeds.broker.log.Broker`."""

    def __init__(self, nats: Nats, target: Target) -> None:
        self._nats, self._target = nats, target
        self._acks: dict[str, Future[None]] = {}
        self._readers: list[asyncio.Queue[Any]] = []
        self._next = 0
        self._inbox = ""

    @property
    def most_rows(self) -> int:
        """Rows that fit in a message of the server's greatest size."""
        room = self._nats.max_payload - HEAD_BYTES - MAX_ABOUT - 1024
        return max(1, min(MAX_ROWS, room // EVENT.itemsize))

    # -- calls -----------------------------------------------------------------------------------
    async def _ask(self, call: str, about: dict[str, Any]) -> dict[str, Any]:
        from nats import errors

        try:
            answer = await self._nats.request(_API + call, msgspec.json.encode(about), timeout=_TIMEOUT_S)
        except errors.NoRespondersError:
            raise BrokerAway("the broker keeps no streams: JetStream is off, or forbidden to this login") from None
        except (errors.Error, TimeoutError, OSError) as error:
            raise BrokerAway(_words(error)) from None
        try:
            told = msgspec.json.decode(answer.data, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BrokerAway(f"the broker's answer is none: {error}") from None
        fault = told.get("error")
        if not isinstance(fault, dict):
            return told
        if fault.get("err_code") == _NO_STREAM:
            raise NoLog(call)
        raise BrokerRefuses(fault.get("err_code"), str(fault.get("description", "refused"))[:200])

    async def create(self, venue: str, symbol: str) -> None:
        """Make an instrument's stream if there is none; one that is there is used as its keeper set it up."""
        name = stream_name(venue, symbol)
        try:
            await self._ask(f"STREAM.INFO.{name}", {})
        except NoLog:
            wanted = {
                "name": name, "subjects": [f"tapeview.{token(venue)}.{token(symbol)}.*"], "retention": "limits",
                "storage": "file", "discard": "old", "num_replicas": 1, "max_age": self._target.keep_s * 10**9,
                "max_bytes": self._target.most_bytes, "max_consumers": -1, "max_msgs": -1, "max_msg_size": -1,
            }  # fmt: skip
            try:
                await self._ask(f"STREAM.CREATE.{name}", wanted)
            except BrokerRefuses as error:
                if error.code != _NAME_IN_USE:
                    raise

    async def names(self) -> list[str]:
        """`VENUE:SYMBOL` of all streams of captures."""
        found: list[str] = []
        offset = 0
        while True:
            told = await self._ask("STREAM.NAMES", {"subject": "tapeview.>", "offset": offset})
            names = told.get("streams") or []
            for name in names:
                kind, _, rest = str(name).partition("_")
                venue, mark, symbol = rest.partition("_")
                if kind == "tapeview" and mark:
                    with contextlib.suppress(BadInput):
                        found.append(f"{untoken(venue)}:{untoken(symbol)}")
            offset += len(names)
            if not names or offset >= int(told.get("total", 0)):
                return sorted(found)

    async def extent(self, venue: str, symbol: str) -> Extent:
        """What an instrument's stream holds."""
        told = await self._ask(f"STREAM.INFO.{stream_name(venue, symbol)}", {})
        state = told.get("state") or {}
        last = int(state.get("last_seq", 0))
        return Extent(max(1, int(state.get("first_seq", 1))) if state.get("messages") else last + 1, last)

    async def read(self, venue: str, symbol: str, position: int) -> Stored | None:
        """One message."""
        return await self._get(venue, symbol, {"seq": position})

    async def newest_key(self, venue: str, symbol: str) -> Stored | None:
        """The newest message of the subject that ends a whole book."""
        return await self._get(venue, symbol, {"last_by_subj": f"tapeview.{token(venue)}.{token(symbol)}.key"})

    async def _get(self, venue: str, symbol: str, which: dict[str, Any]) -> Stored | None:
        try:
            told = await self._ask(f"STREAM.MSG.GET.{stream_name(venue, symbol)}", which)
            message = told["message"]
            return Stored(int(message["seq"]), base64.b64decode(message.get("data", "")))
        except BrokerRefuses as error:
            if error.code == _NO_MESSAGE:
                return None
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise BrokerAway(f"the broker's answer is none: {error}") from None

    # -- messages that are no capture's -----------------------------------------------------------
    async def keep(self, name: str, subjects: list[str], window_s: int) -> None:
        """Make a stream of subjects that knows a key again for so long, if there is none of that name.

        One that is there is used as its keeper set it up. Raises BrokerAway and BrokerRefuses.
        """
        try:
            await self._ask(f"STREAM.INFO.{name}", {})
        except NoLog:
            wanted = {
                "name": name, "subjects": subjects, "retention": "limits", "storage": "file", "discard": "old",
                "num_replicas": 1, "max_age": self._target.keep_s * 10**9, "max_bytes": self._target.most_bytes,
                "duplicate_window": min(window_s, self._target.keep_s) * 10**9,
            }  # fmt: skip
            try:
                await self._ask(f"STREAM.CREATE.{name}", wanted)
            except BrokerRefuses as error:
                if error.code != _NAME_IN_USE:
                    raise

    async def put(self, subject: str, data: bytes, *, key: str) -> bool:
        """Publish a message and wait until a stream has it; False where it had one of that key already.

        Raises BrokerAway where nobody says so, BrokerRefuses where the server will not have it.
        """
        from nats import errors

        try:
            answer = await self._nats.request(subject, data, timeout=_TIMEOUT_S, headers={"Nats-Msg-Id": key})
            told = msgspec.json.decode(answer.data, type=dict[str, Any])
        except errors.NoRespondersError:
            raise BrokerAway(f"no stream takes {subject}") from None
        except (errors.Error, TimeoutError, OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BrokerAway(_words(error)) from None
        fault = told.get("error")
        if isinstance(fault, dict):
            raise BrokerRefuses(fault.get("err_code"), str(fault.get("description", "refused"))[:200])
        return not told.get("duplicate", False)

    # -- writing ---------------------------------------------------------------------------------
    async def append(self, venue: str, symbol: str, data: bytes, *, position: int, key: bool = False) -> Future[None]:
        """Publish a message that is stored only at its position."""
        from nats import errors

        if not self._inbox:
            self._inbox = self._nats.new_inbox()
            await self._nats.subscribe(f"{self._inbox}.*", cb=self._acknowledged)
        self._next += 1
        reply = f"{self._inbox}.{self._next}"
        future: Future[None] = asyncio.get_running_loop().create_future()
        self._acks[reply] = future
        headers = {"Nats-Expected-Last-Sequence": str(position - 1)}
        subject = f"tapeview.{token(venue)}.{token(symbol)}.{'key' if key else 'rows'}"
        try:
            await self._nats.publish(subject, data, reply=reply, headers=headers)
        except (errors.Error, OSError) as error:
            del self._acks[reply]
            raise BrokerAway(_words(error)) from None
        return future

    async def _acknowledged(self, answer: Any) -> None:
        future = self._acks.pop(answer.subject, None)
        if future is None or future.done():
            return
        try:
            told = msgspec.json.decode(answer.data, type=dict[str, Any]) if answer.data else {}
        except (msgspec.DecodeError, UnicodeDecodeError):
            told = {}
        fault = told.get("error") or {}
        if "seq" in told and not fault:
            future.set_result(None)
        elif fault.get("err_code") == _WRONG_LAST:
            future.set_exception(LogConflict(str(fault.get("description"))))
        else:
            # 503 without a body: no stream listens on the subject any more.
            said = str(fault.get("description") or "no stream takes what is published")
            future.set_exception(BrokerRefuses(fault.get("err_code"), said[:200]))
        future.exception()  # looked at here, so that nobody has to

    def fail(self, why: str) -> None:
        """The connection is gone: nothing that waits for an answer will get one."""
        for future in self._acks.values():
            if not future.done():
                future.set_exception(BrokerAway(why))
                future.exception()
        self._acks.clear()
        for waiting in self._readers:
            waiting.put_nowait(None)

    # -- reading ---------------------------------------------------------------------------------
    async def follow(self, venue: str, symbol: str, position: int) -> AsyncIterator[Stored]:
        """Pull messages from a position on; ends with BrokerAway."""
        from nats import errors

        stream = stream_name(venue, symbol)
        consumer = {
            "deliver_policy": "by_start_sequence", "opt_start_seq": max(1, position), "ack_policy": "none",
            "replay_policy": "instant", "inactive_threshold": 60_000_000_000, "mem_storage": True, "num_replicas": 1,
        }  # fmt: skip
        come: asyncio.Queue[Any] = asyncio.Queue()
        self._readers.append(come)
        try:
            told = await self._ask(f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": consumer})
            inbox = self._nats.new_inbox()
            await self._nats.subscribe(inbox, cb=come.put)
            async for message in self._pull(f"{_API}CONSUMER.MSG.NEXT.{stream}.{told['name']}", inbox, come):
                yield message
        except (errors.Error, OSError, KeyError, ValueError) as error:
            raise error if isinstance(error, BrokerAway) else BrokerAway(_words(error)) from None
        finally:
            self._readers.remove(come)

    async def _pull(self, subject: str, inbox: str, come: asyncio.Queue[Any]) -> AsyncIterator[Stored]:
        pull = msgspec.json.encode({"batch": _BATCH, "expires": _EXPIRES_NS, "idle_heartbeat": _HEARTBEAT_NS})
        left = 0
        while True:
            if left <= 0:
                left = _BATCH
                await self._nats.publish(subject, pull, inbox)
            try:
                async with asyncio.timeout(_SILENT_S):
                    message = await come.get()
            except TimeoutError:
                raise BrokerAway(f"the broker said nothing for {_SILENT_S:.0f} s") from None
            if message is None:
                raise BrokerAway("the connection to the broker ended")
            status = (message.headers or {}).get("Status")
            if status is None:
                left -= 1
                yield Stored(int(message.reply.split(".")[-4]), message.data)
            elif status == "408":
                left = 0
            elif status != "100":
                raise BrokerAway(f"the broker ended the reading ({status})")

    async def close(self) -> None:
        """End the connection, whatever state it is in."""
        self.fail("closed")
        with contextlib.suppress(Exception):
            async with asyncio.timeout(2):
                await self._nats.close()
        # A connection that failed half-way (a certificate, a login) is left open by the client.
        link = self._nats._transport
        for name in ("_io_writer", "_bare_io_writer"):
            writer = getattr(link, name, None)
            if writer is not None:
                writer.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _words(error: BaseException) -> str:
    return str(error).removeprefix("nats: ")[:200] or type(error).__name__


def check_installed() -> None:
    """Raise MissingExtra where nats-py is not installed."""
    from importlib.util import find_spec

    if find_spec("nats") is None:
        raise MissingExtra("a broker", "broker")


async def connect(target: Target, who: Login) -> JetStream:
    """Connect to a NATS server; raises BrokerAway, and MissingExtra without nats-py."""
    check_installed()
    from nats import errors
    from nats.aio.client import Client

    said: list[str] = []
    up: list[bool] = []
    client = Client()
    made = JetStream(client, target)

    async def closed() -> None:
        made.fail(said[-1] if said else "the connection to the broker ended")

    async def failed(error: Exception) -> None:
        said[:] = [_words(error)]
        if not up:
            raise BrokerAway(said[0])  # else it would try again by itself, and leave the first try's socket open

    login = {name: value for name, value in who._asdict().items() if value is not None}
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await client.connect(
                [target.place.text], name="tapeview", allow_reconnect=False, max_reconnect_attempts=1,
                reconnect_time_wait=0, connect_timeout=4, ping_interval=5, max_outstanding_pings=2,
                closed_cb=closed, error_cb=failed, tls=_tls(target.place), **login,
            )  # fmt: skip
    except BaseException as error:
        await made.close()
        if isinstance(error, errors.Error | OSError | TimeoutError):
            # A server that wants to know who comes hangs up so soon that its own words are often not heard.
            asked = " (the broker asks for a login)" if client._server_info.get("auth_required") else ""
            raise BrokerAway(f"{target.place.text}: {said[-1] if said else _words(error)}{asked}") from None
        raise
    up.append(True)
    return made


def _tls(place: Place) -> Any:
    if not place.tls:
        return None
    import ssl

    trusted = os.environ.get("TAPEVIEW_BROKER_CA") or None
    try:
        return ssl.create_default_context(cafile=trusted)
    except (OSError, ssl.SSLError) as error:
        raise BadInput("TAPEVIEW_BROKER_CA", trusted, f"a file of certificates ({error})") from None
