"""Frames made wrong: cut, of wrong types, no text at all, with the venue's times moved."""

from __future__ import annotations

import re
from typing import Any, Final

from feeds.venues._voice import UNREADABLE, exact, written

_MS: Final = 1_000_000
_STAMP: Final = re.compile(rb"(?<![\d.])(1\d{9}\.\d{3,9}|1\d{12}(?:\d{3}|\d{6})?)(?![\d.])")
_ISO: Final = re.compile(rb"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?Z")
_NEAR_NS: Final = 30 * 86_400 * 1_000_000_000
_SCALES: Final = {13: 1_000_000, 16: 1_000, 19: 1}


def garbage(kind: str, raw: bytes) -> tuple[bytes, bool]:
    """What comes in a frame's place, and whether it is text."""
    if kind == "bytes":
        return b"\x00\x01\xff\xfe" + raw[:40][::-1], False
    if kind == "utf8":
        return raw[: len(raw) // 2] + b"\xc3\x28\xff" + raw[len(raw) // 2 :], True
    if kind == "cut":
        end = len(raw) // 2
        while end and raw[end] & 0xC0 == 0x80:
            end -= 1
        return raw[:end], True
    return wrong_types(raw), True


def wrong_types(raw: bytes) -> bytes:
    """A frame whose first inner list is a number; of no JSON, a number."""
    try:
        said = exact(raw)
    except UNREADABLE:
        return b"7"
    return written(_wrong(said)).encode() if isinstance(said, dict | list) else b"[[7]]"


def _wrong(said: Any) -> Any:
    items = list(said.items()) if isinstance(said, dict) else list(enumerate(said))
    for key, value in items:
        if isinstance(value, list):
            said[key] = 7
            return said
    for key, value in items:
        if isinstance(value, dict):
            said[key] = _wrong(value)
            return said
    if isinstance(said, dict) and said:
        said[next(reversed(said))] = [7]
    return said


def huge(mb: float) -> bytes:
    """A frame of so many MiB."""
    return b'{"huge":"' + b"x" * int(mb * (1 << 20)) + b'"}'


def skewed(raw: bytes, by_ms: int, now_ns: int) -> bytes:
    """A frame whose times near `now_ns` (the recording's) are moved; ids are not near it but by chance."""
    from datetime import UTC, datetime, timedelta

    def stamp(found: re.Match[bytes]) -> bytes:
        text = found[1]
        if b"." in text:
            whole, _, part = text.partition(b".")
            ns = int(whole) * 10**9 + int(part.ljust(9, b"0"))
            if abs(ns - now_ns) > _NEAR_NS:
                return text
            moved = ns + by_ms * _MS
            return f"{moved // 10**9}.{moved % 10**9:09d}".encode()[: len(text)]
        scale = _SCALES[len(text)]
        if abs(int(text) * scale - now_ns) > _NEAR_NS:
            return text
        return str(int(text) + by_ms * _MS // scale).encode()

    def iso(found: re.Match[bytes]) -> bytes:
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        part = found[7] or b""
        digits = part[1:].ljust(9, b"0")
        try:
            ns = int(digits) + by_ms % 1000 * _MS
            said = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            if abs(round(said.timestamp()) * 10**9 - now_ns) > _NEAR_NS:
                return found[0]
            moved = said + timedelta(seconds=by_ms // 1000 + ns // 10**9)
        except (ValueError, OverflowError):
            return found[0]
        return f"{moved:%Y-%m-%dT%H:%M:%S}".encode() + (b".%09d" % (ns % 10**9))[: len(part)] + b"Z"

    return _ISO.sub(iso, _STAMP.sub(stamp, raw))
