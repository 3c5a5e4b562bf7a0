"""What OKX answers: one acknowledgement an argument, snapshots with the id and, where it was recorded, the checksum."""

from __future__ import annotations

import re
import zlib
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from feeds.events import ASK, BID
from feeds.venues._voice import CHECKSUM, Answering, Talk, TextBook, exact, text, written

_CONNECTION: Final = "a4d3ae55"
_CHANNEL: Final = re.compile(rb'"channel"\s*:\s*"([^"]{1,60})"')
_INSTRUMENT: Final = re.compile(rb'"instId"\s*:\s*"([^"]{1,60})"')
_CHECKED: Final = 25
_USE: Final = "Please use the correct URL, channel and parameters referring to API document."


class OkxVoice(Answering):
    """OKX v5, public channels."""

    checksums: ClassVar[re.Pattern[bytes] | None] = CHECKSUM

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books: dict[tuple[str, str], TextBook] = {}
        self._last: dict[tuple[str, str], dict[str, Any]] = {}
        self._trades: dict[str, bytes] = {}

    def topic(self, raw: bytes) -> str | None:
        """Channel and instrument."""
        if not raw.startswith(b"{") or b'"event"' in raw[:20]:
            return None
        channel, instrument = _CHANNEL.search(raw), _INSTRUMENT.search(raw)
        return f"{channel[1].decode()} {instrument[1].decode()}" if channel and instrument else None

    def keep(self, raw: bytes) -> None:
        """Take a book message, or the newest print."""
        if b'"trades"' in raw[:60] and (found := _INSTRUMENT.search(raw)):
            self._trades[found[1].decode()] = raw
        if b'"action"' not in raw:
            return
        said = exact(raw)
        key = (said["arg"]["channel"], said["arg"]["instId"])
        book = self.books.setdefault(key, TextBook())
        for one in said["data"]:
            if said["action"] == "snapshot":
                book.clear(whole=True)
            elif book.at is not None and one.get("prevSeqId") != book.at:
                if one.get("seqId") != book.at:  # not one seen before
                    book.clear(whole=False)
                continue
            if book.whole:
                for side, name in ((BID, "bids"), (ASK, "asks")):
                    for level in one[name]:
                        book.put(side, level[0], level[1], level)
                book.at = one.get("seqId")
                self._last[key] = one

    # -- a client -----------------------------------------------------------------------------
    def hear(self, talk: Talk, said: str) -> list[str]:
        """Subscriptions, one answer an argument; `ping` as text."""
        if said == "ping":
            return ["pong"]
        asked = exact(said)
        op = asked.get("op")
        if op not in ("subscribe", "unsubscribe"):
            return [_error("60012", f"Invalid request: {said[:200]}")]
        answers = []
        for arg in asked.get("args", []):
            channel, name = arg.get("channel", ""), arg.get("instId", "")
            if name not in self.instruments:
                answers.append(
                    _error(
                        "60018",
                        f"Wrong URL or channel:{channel},instId:{name} doesn't exist. {_USE}",
                    )
                )
                continue
            answers.append(written({"event": op, "arg": arg, "connId": _CONNECTION}))
            topic = f"{channel} {name}"
            if op == "unsubscribe":
                talk.topics.pop(topic, None)
            elif topic not in talk.topics:
                talk.topics[topic] = None
                answers += self._first(channel, name)
        return answers

    def _first(self, channel: str, name: str) -> list[str]:
        if channel == "trades" and name in self._trades:
            return [self._trades[name].decode()]  # the venue repeats the newest print
        book = self.books.get((channel, name))
        if book is None or not book.whole:
            return []
        last = self._last[channel, name]
        one: dict[str, Any] = {"asks": book.best(ASK), "bids": book.best(BID), "ts": last["ts"]}
        if "checksum" in last:
            one["checksum"] = _checksum(book) if last["checksum"] else 0
        if "seqId" in last:
            one |= {"prevSeqId": -1, "seqId": last["seqId"]}
        return [written({"arg": {"channel": channel, "instId": name}, "action": "snapshot", "data": [one]})]

    def listing(self, path: str) -> bytes:
        """The instruments of one kind."""
        kind = parse_qs(urlsplit(path).query).get("instType", ["SPOT"])[0]
        listed = []
        for one in self.instruments.values():
            end = one.symbol.rpartition("-")[2]
            its = "SWAP" if end == "SWAP" else "FUTURES" if end.isdigit() and one.symbol.count("-") == 2 else "SPOT"
            if its == kind:
                inverse = one.description.startswith("inverse")
                listed.append({
                    "instId": one.symbol, "instType": its, "tickSz": one.tick, "lotSz": one.lot,
                    "ctVal": "" if its == "SPOT" else one.multiplier, "ctType": "inverse" if inverse else "",
                    "ctValCcy": one.currency if inverse else "", "quoteCcy": "" if inverse else one.currency,
                    "settleCcy": "", "state": "live",
                })  # fmt: skip
        return written({"code": "0", "msg": "", "data": listed}).encode()


def _error(code: str, message: str) -> str:
    return written({"event": "error", "code": code, "msg": message, "connId": _CONNECTION})


def _checksum(book: TextBook) -> int:
    sides = [[f"{text(one[0])}:{text(one[1])}" for one in book.best(side, _CHECKED)] for side in (BID, ASK)]
    turns = [one for i in range(_CHECKED) for side in sides for one in side[i : i + 1]]
    crc = zlib.crc32(":".join(turns).encode())
    return crc - (1 << 32) if crc & 0x8000_0000 else crc
