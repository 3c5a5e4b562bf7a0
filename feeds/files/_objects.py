"""The objects of a JSON text, an array of them or one behind the other, split without holding the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from feeds.errors import BadInput
from feeds.files._streams import Stream

LONGEST: Final = 1 << 25
"""Bytes of one object at most."""
_DEEPEST: Final = 64
# A string is one token, so that brackets within it do not count; one that is not ended yet waits for more.
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|["{}\[\]]|[^\s,"{}\[\]]', re.DOTALL)


def objects(stream: Stream) -> Iterator[tuple[int, bytes]]:
    """Give (number from 1, text) of each object; raise BadInput at the byte where none begins or one is cut."""
    held = b""
    start, number, depth, scanned, at = -1, 0, 0, 0, 0
    arrays = 0
    while chunk := stream.read():
        held += chunk
        keep = 0
        for token in _TOKENS.finditer(held, scanned):
            word = token[0]
            if word == b'"':
                # The string ends in what comes next.
                scanned = token.start()
                break
            scanned = token.end()
            if word in b"{[":
                if word == b"{" and depth == 0:
                    start = token.start()
                    depth = 1
                elif depth:
                    depth += 1
                else:
                    arrays += 1
                if depth > _DEEPEST or arrays > 1:
                    raise BadInput(f"{stream.path}: byte {at + token.start()}", word, "objects, or one array of them")
            elif word in b"}]":
                if depth:
                    depth -= 1
                    if depth == 0:
                        number += 1
                        yield number, held[start : token.end()]
                        keep, start = token.end(), -1
                elif word == b"]" and arrays == 1:
                    arrays = 0
                else:
                    raise BadInput(f"{stream.path}: byte {at + token.start()}", word, "an object")
            elif not depth:
                raise BadInput(f"{stream.path}: byte {at + token.start()}", word, "an object")
        cut = start if start >= 0 else max(scanned, keep)
        held, at = held[cut:], at + cut
        scanned -= cut
        start = 0 if start >= 0 else -1
        if len(held) > LONGEST:
            raise BadInput(f"{stream.path}: byte {at}", None, f"objects of at most {LONGEST} bytes")
    if depth or arrays or held.strip():
        raise BadInput(f"{stream.path}: byte {at}", held[:40] or None, "an object, or an array of them, that ends")
