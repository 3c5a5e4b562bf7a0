"""What Alpaca's streams have in common: frames that are arrays, the login, prints by condition, numbers as text.

A frame is an array of objects, told apart by `T`. The venue greets, takes a key within 10 s, says that it was
accepted, and only then takes subscriptions; it acknowledges one with everything that is subscribed now. Nothing is
numbered and there is no heartbeat: a lost message cannot be noticed. Most plans allow one connection an endpoint: a
second one is refused (406) as long as the first is not known to be dead. Source: Alpaca's "WebSocket Stream",
"Real-time Stock Data" and "Real-time Crypto Data".
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from feeds.errors import BadInput
from feeds.events import EventBuffer
from feeds.instruments import Instrument
from feeds.keys import Secrets
from feeds.source import Checks
from feeds.venues._access import FAULTS, Socket, Terms, bounded
from feeds.venues._inband import InBand
from feeds.venues._seen import Seen

if TYPE_CHECKING:
    from feeds.venues._voice import Voice

HOST: Final = "wss://stream.data.alpaca.markets"
KEY_ID: Final = "APCA_API_KEY_ID"
SECRET: Final = "APCA_API_SECRET_KEY"  # the name of it


class Item(msgspec.Struct, gc=False):
    """Any object of a frame; what its kind does not have is empty."""

    T: str
    S: str = ""
    t: str = ""
    i: msgspec.Raw = msgspec.Raw()
    x: str = ""
    p: msgspec.Raw = msgspec.Raw()
    s: msgspec.Raw = msgspec.Raw()
    c: list[str] | None = None
    z: str = ""
    bp: msgspec.Raw = msgspec.Raw()
    bs: msgspec.Raw = msgspec.Raw()
    ap: msgspec.Raw = msgspec.Raw()
    asked: msgspec.Raw = msgspec.field(name="as", default=msgspec.Raw())
    oi: msgspec.Raw = msgspec.Raw()
    op: msgspec.Raw = msgspec.Raw()
    os: msgspec.Raw = msgspec.Raw()
    ci: msgspec.Raw = msgspec.Raw()
    cp: msgspec.Raw = msgspec.Raw()
    cs: msgspec.Raw = msgspec.Raw()
    cc: list[str] | None = None
    sc: str = ""
    sm: str = ""
    tks: str = ""
    b: msgspec.Raw = msgspec.Raw()
    a: msgspec.Raw = msgspec.Raw()
    r: bool = False
    msg: str = ""
    code: int = 0


_BOOK: Final = re.compile(rb'"T"\s*:\s*"o"')
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ITEM: Final = msgspec.json.Decoder(Item)
_WHOLE: Final = msgspec.json.Decoder(list[Item])


class Alpaca(InBand):
    """A stream of Alpaca's."""

    symbol_pattern: ClassVar[re.Pattern[str]] = re.compile(r'"S"\s*:\s*"([^"\\]{1,40})"')
    verification: ClassVar[str] = "unverifiable"
    # Out of hours nothing comes for long; TCP is watched by the protocol's own pings.
    terms: ClassVar[Terms] = Terms(silence_s=300, first_data_s=300, send_gap_ms=100, connect_burst=2, connect_s=5.0)
    secrets: ClassVar[tuple[str, ...]] = (KEY_ID, SECRET)
    awaits_login: ClassVar[bool] = True
    path: ClassVar[str]
    """Of the stream's address."""
    lists: ClassVar[tuple[str, ...]]
    """What is subscribed for each symbol."""

    def __init__(self, instruments: Mapping[str, tuple[int, Instrument]], checks: Checks) -> None:
        super().__init__(instruments, checks)
        self._seen = Seen()

    def on_frame(self, raw: bytes | str, recv_ns: int, out: EventBuffer) -> None:
        """Parse one frame."""
        self.checks.messages += 1
        try:
            bounded(raw)
            try:
                items = _WHOLE.decode(raw)
            except msgspec.ValidationError:
                # One that cannot be read does not cost the others.
                self._one_by_one(_ITEMS.decode(raw), recv_ns, out)
                return
        except FAULTS as error:
            self.damaged("frame", error)
            return
        if not items:
            self.ignore("frame without messages")
        for item in items:
            self._take(item, recv_ns, out)

    def _one_by_one(self, raws: list[msgspec.Raw], recv_ns: int, out: EventBuffer) -> None:
        first: Exception | None = None
        for raw in raws:
            try:
                item = _ITEM.decode(raw)
            except FAULTS as error:
                first = first or error
                found = _BOOK.search(bytes(raw)) and self.symbol_pattern.search(bytes(raw).decode("utf-8", "replace"))
                if found:
                    self.lose_damaged(found[1], recv_ns, out)
            else:
                self._take(item, recv_ns, out)
        if first is not None:
            self.damaged("message", first)

    def _take(self, item: Item, recv_ns: int, out: EventBuffer) -> None:
        try:
            if item.T == "success":
                self.notice("login" if item.msg == "authenticated" else "greeting", item.msg)
            elif item.T == "subscription":
                self.notice("ack", "subscription")
            elif item.T == "error":
                self.problem(f"the venue refuses: {item.code} {item.msg[:200]}")
                self.notice("error", f"{item.code} {item.msg}")
            elif not self.on_item(item, recv_ns, out):
                self.ignore(item.T or "message without a kind")
        except FAULTS as error:
            self.damaged(f"{item.T} {item.S}"[:80], error)
            if item.T == "o":
                self.lose_damaged(item.S, recv_ns, out)

    @abstractmethod
    def on_item(self, item: Item, recv_ns: int, out: EventBuffer) -> bool:
        """Take a message about a market; False where it is of no kind that is used."""

    # -- access -------------------------------------------------------------------------------
    @classmethod
    def sockets(cls, symbols: Iterable[str]) -> tuple[Socket, ...]:
        """Say what to connect to, once the login is accepted."""
        chosen = list(symbols)
        frame = {"action": "subscribe"} | dict.fromkeys(cls.lists, chosen)
        return (Socket(HOST + cls.path, (msgspec.json.encode(frame).decode(),), tuple(chosen)),)

    @classmethod
    def voice(cls) -> type[Voice]:
        """What speaks for it in a mirror."""
        from feeds.venues._voice_alpaca import AlpacaVoice

        return AlpacaVoice

    def renewal(self, symbol: str) -> tuple[str, ...]:
        """Text frames that make the venue send a symbol's book anew."""
        if "orderbooks" not in self.lists:
            return ()
        return tuple(
            msgspec.json.encode({"action": what, "orderbooks": [symbol]}).decode()
            for what in ("unsubscribe", "subscribe")
        )

    @classmethod
    def login(cls, socket: Socket, key: Secrets, token: str, now_s: int) -> tuple[str, ...]:
        """The frame with the key."""
        del socket, token, now_s
        frame = {"action": "auth", "key": key[KEY_ID], "secret": key[SECRET]}
        return (msgspec.json.encode(frame).decode(),)

    @classmethod
    def headers(cls, key: Secrets) -> dict[str, str]:
        """What requests over HTTP carry."""
        return {"APCA-API-KEY-ID": key[KEY_ID], "APCA-API-SECRET-KEY": key[SECRET]}


def number(raw: msgspec.Raw) -> str:
    """The text of a JSON number; raise BadInput where there is none."""
    text = str(raw, "ascii")
    if not text or text == "null":
        raise BadInput("number", None, "a number")
    return text


def ident(raw: msgspec.Raw) -> int:
    """A print's id; raise BadInput where there is none."""
    text = bytes(raw).decode()
    if not (text.isdigit() and text.isascii() and len(text) <= 18):
        raise BadInput("id", text[:40], "a number below 10**18")
    return int(text)
