"""The engine's memory as bytes: a digest of what it says, and a blob that restores it."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.errors import BadInput
from tapeview.engine.memory import Memory
from tapeview.engine.state import EXTRA, MASK, MERGED, MINUTE_BARS, ORDER, PAGE, SECOND_BARS, STATE, TABLES, WINDOW

_MAGIC: Final = b"TVENGINE"
_VERSION: Final = 1
_CHECK: Final = 16

_LAYOUT: Final = frozenset(
    {
        "need", "flag", "news", "heard", "valid", "low_key", "top_cell", "levels", "spilled",
        "off_lots", "top_key", "top_frac", "top_lots", "top_orders", "top_stale", "stamp", "pages_n", "last_page",
        "last_page_at", "groups", "words", "orders", "lots",
    }
)  # fmt: skip
"""Fields that say how things are kept and not what is known."""
_ADDRESSES: Final = frozenset(f"{name}_{what}" for name in TABLES for what in ("at", "slots"))
_TOLD: Final = tuple(
    name for name in STATE.names or () if name not in _LAYOUT | _ADDRESSES and not name.startswith("row_")
)


RESTING: Final = np.dtype([*ORDER.descr[:3], *EXTRA.descr, ("side", "<i8")])
"""A resting order with all that is known of it."""


def _ordered(ring: NDArray[Any], count: int) -> NDArray[Any]:
    room = len(ring)
    return ring[np.arange(max(0, count - room), count) & (room - 1)]


def levels_of(memory: Memory, b: int) -> NDArray[np.int64]:
    """Give every level of a side as rows (key, frac, lots, fine_lots, orders), lowest key first."""
    row = memory.state[0]
    low = int(row["low_key"][b])
    keys = np.arange(low, low + WINDOW, dtype=np.int64)
    lots = row["lots"][b][keys & MASK]
    keys = keys[lots != 0]
    inside = np.zeros((len(keys), 5), np.int64)
    inside[:, 0], inside[:, 2] = keys, lots[lots != 0]
    inside[:, 3], inside[:, 4] = np.iinfo(np.int64).min, row["orders"][b][keys & MASK]
    spill = memory.tables["spill"][memory.tables["spill"]["side"] == b + 1]
    outside = np.stack(
        [spill[name].astype(np.int64) for name in ("key", "frac", "lots", "fine_lots", "orders")], axis=1
    )
    both = np.concatenate([inside, outside])
    return both[np.lexsort((both[:, 1], both[:, 0]))]


def orders_of(memory: Memory, picked: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Give the resting orders, or those of some slots, as RESTING rows, first in the queue first."""
    table = memory.tables["order"]
    slots = np.flatnonzero(table["tag"] != 0 if picked is None else (table["tag"] != 0) & picked)
    rows, extra = table[slots], memory.tables["extra"][slots]
    told = rows["tag"] & 2 != 0
    out = np.zeros(len(slots), RESTING)
    out["id"], out["key"], out["lots"], out["side"] = rows["id"], rows["key"], rows["lots"], rows["tag"] & 1
    for name in EXTRA.names or ():
        out[name] = np.where(told, extra[name], rows["lots"] if name == "peak" else 0)
    return out[np.lexsort((rows["tag"] >> 2, out["frac"], out["key"], out["side"]))]


def _volumes_of(memory: Memory) -> NDArray[np.int64]:
    pages = memory.tables["page"][memory.tables["page"]["at"] != 0]
    pages = pages[np.argsort(pages["page"])]
    ticks = (pages["page"][:, None] * PAGE + np.arange(PAGE)).reshape(-1)
    at = ((pages["at"][:, None] - 1) * PAGE * 3 + np.arange(PAGE * 3)).reshape(-1, 3)
    rows = np.concatenate([ticks[:, None], memory.tables["cell"]["lots"][at]], axis=1)
    return rows[(rows[:, 1:] != 0).any(axis=1)]


def digest_of(memory: Memory, names: dict[int, str]) -> str:
    """Digest what the memory says, in a canonical order."""
    out = hashlib.blake2b(digest_size=16)
    row = memory.state[0]
    for name in _TOLD:
        out.update(np.ascontiguousarray(row[name]).tobytes())
    out.update(repr(sorted(names.items())).encode())
    second, minute = (int(n) for n in row["bar_n"])
    tables = memory.tables
    parts = (
        levels_of(memory, 0),
        levels_of(memory, 1),
        orders_of(memory),
        _volumes_of(memory),
        _ordered(tables["flow"], int(row["prints"])),
        _ordered(tables["ring"], int(row["ring_n"])),
        _ordered(tables["merged"], int(row["merged_n"])),
        _ordered(tables["bar"][:SECOND_BARS], second),
        _ordered(tables["bar"][SECOND_BARS:], minute),
    )
    for part in parts:
        out.update(f"{len(part)};".encode())
        out.update(np.ascontiguousarray(part).tobytes())
    return out.hexdigest()


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    layout: str
    setting: str
    names: dict[int, str]
    rooms: list[int]
    lengths: list[int]


def _arrays(memory: Memory) -> list[NDArray[Any]]:
    return [memory.state, *(memory.tables[name] for name in TABLES)]


def _layout_of(memory: Memory) -> str:
    text = ";".join(repr(table.dtype) for table in _arrays(memory))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _setting_of(row: Any) -> str:
    names = ("inst", "fine", "fine_lot", "locked_ok", "depth_ticks", "merge_ns", "stale_ns", "big_share")
    return " ".join(str(int(row[name])) for name in names)


def _used(memory: Memory) -> list[int]:
    row = memory.state[0]
    used = {name: len(memory.tables[name]) for name in TABLES}
    used["cell"] = int(row["pages_n"]) * PAGE * 3
    used["flow"] = min(int(row["prints"]), len(memory.tables["flow"]))
    used["ring"] = min(int(row["ring_n"]), len(memory.tables["ring"]))
    used["merged"] = min(int(row["merged_n"]), MERGED)
    used["bar"] = SECOND_BARS + min(int(row["bar_n"][1]), MINUTE_BARS)
    return [len(memory.state), *used.values()]


def write_blob(memory: Memory, names: dict[int, str]) -> bytes:
    """Write the memory as one blob: magic, length of the header, header, tables, digest of all before it."""
    used = _used(memory)
    head = msgspec.json.encode(
        _Head(
            version=_VERSION,
            layout=_layout_of(memory),
            setting=_setting_of(memory.state[0]),
            names=names,
            rooms=[len(table) for table in _arrays(memory)],
            lengths=used,
        )
    )
    # Views, so that the tables are copied once: into the blob.
    parts: list[bytes | memoryview] = [_MAGIC, len(head).to_bytes(4, "little"), head]
    parts += [table[:n].view(np.uint8).data for table, n in zip(_arrays(memory), used, strict=True)]
    check = hashlib.blake2b(digest_size=_CHECK)
    for part in parts:
        check.update(part)
    return b"".join([*parts, check.digest()])


def read_blob(blob: bytes, memory: Memory, names: dict[int, str]) -> None:
    """Restore a memory and the names of its anchors from a blob; BadInput where it is not one of theirs."""
    place, view = "engine checkpoint", memoryview(blob)
    if blob[: len(_MAGIC)] != _MAGIC:
        raise BadInput(place, blob[:8].hex(), "an engine's saved state")
    if hashlib.blake2b(view[:-_CHECK], digest_size=_CHECK).digest() != blob[-_CHECK:]:
        raise BadInput(place, f"{len(blob)} bytes", "undamaged bytes")
    at = len(_MAGIC) + 4
    end = at + int.from_bytes(blob[at - 4 : at], "little")
    try:
        head = msgspec.json.decode(view[at:end], type=_Head)
    except msgspec.DecodeError as error:
        raise BadInput(place, str(error), "a header of this version") from None
    if head.version != _VERSION or head.layout != _layout_of(memory):
        raise BadInput(place, head.version, f"version {_VERSION} with this program's layout")
    if head.setting != _setting_of(memory.state[0]):
        raise BadInput(place, head.setting, f"one saved under {_setting_of(memory.state[0])}")
    restored = []
    for table, room, length in zip(_arrays(memory), head.rooms, head.lengths, strict=True):
        whole = np.zeros(room, table.dtype)
        size = length * table.dtype.itemsize
        whole[:length] = np.frombuffer(view[end : end + size], table.dtype)
        end += size
        restored.append(whole)
    memory.state = restored[0]
    for name, table in zip(TABLES, restored[1:], strict=True):
        memory.put(name, table)
    names.clear()
    names.update(head.names)
