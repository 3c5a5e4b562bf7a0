"""The border: layout of the record, names, and the buffer rows are gathered in."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds import events
from feeds.events import EVENT, NONE, EventBuffer, empty

I64 = st.integers(-(2**63), 2**63 - 1)


def test_a_row_is_64_bytes_with_every_field_at_its_place() -> None:
    assert EVENT.itemsize == 64
    offsets = {name: (EVENT.fields[name][1], EVENT[name].str) for name in EVENT.names}
    assert offsets == {
        "recv_ns": (0, "<i8"),
        "exch_ns": (8, "<i8"),
        "seq": (16, "<i8"),
        "tick": (24, "<i8"),
        "lots": (32, "<i8"),
        "ref": (40, "<i8"),
        "aux": (48, "<i8"),
        "inst": (56, "<u4"),
        "kind": (60, "|u1"),
        "side": (61, "|i1"),
        "marks": (62, "<u2"),
    }


def test_no_field_hides_an_attribute_of_arrays_or_records() -> None:
    for name in EVENT.names:
        assert not hasattr(np.ndarray, name)
        assert not hasattr(np.void, name)


def test_the_module_says_of_every_field_what_it_means() -> None:
    for name in EVENT.names:
        assert f"\n{name} " in events.__doc__


def test_kinds_marks_and_codes_are_distinct_and_fit_their_fields() -> None:
    kinds = list(events.KIND_NAMES)
    assert len(set(kinds)) == 12
    assert all(0 < kind < 256 for kind in kinds)
    words = "LAST SNAPSHOT BAD_TIME IMPLIED OFF_GRID OFF_LOT KEYFRAME NO_BOOK KEEPS_PLACE CHECKED SUSPECT"
    names = words.split()
    bits = [getattr(events, name) for name in names]
    assert sum(bits) == 2 ** len(bits) - 1
    assert sum(bits) < 2**16
    for name, kind in (("book", events.BOOK), ("trade", events.TRADE), ("quote", events.QUOTE)):
        assert events.KIND_NAMES[kind] == name


def test_codes_name_their_words() -> None:
    assert events.PRINTS[events.BUST] == "bust"
    assert events.STATUSES[events.S_HALTED] == "halted"
    assert events.CAUSES[events.C_RECORDING] == "recording"
    assert events.FACTS[events.F_SSR] == "ssr"
    assert events.FACTS[events.F_NEXT_FUNDING_NS] == "next_funding_ns"
    for kind in (events.REGULAR, events.HIDDEN, events.LIQUIDATION, events.ODD_LOT):
        assert events.FLOW_PRINTS >> kind & 1
    for kind in (events.AUCTION, events.BLOCK, events.INSURANCE, events.OFF_EXCHANGE, events.LATE, events.BUST):
        assert not events.FLOW_PRINTS >> kind & 1


VALUES = st.fixed_dictionaries(
    dict.fromkeys(("recv_ns", "exch_ns", "tick", "lots", "ref", "aux"), I64)
    | {"kind": st.integers(0, 255), "side": st.integers(-128, 127)}
    | {"inst": st.integers(0, 2**32 - 1), "marks": st.integers(0, 2**16 - 1)}
)


@given(VALUES)
def test_a_row_appended_comes_back_in_every_field(values: dict[str, int]) -> None:
    out = EventBuffer()
    out.append(**values)
    (row,) = out.take()
    assert {name: int(row[name]) for name in EVENT.names} == values | {"seq": 0}


def test_what_is_not_said_is_unknown_and_never_a_value() -> None:
    out = EventBuffer()
    out.append(events.BOOK, 5)
    (row,) = out.take()
    assert (int(row["exch_ns"]), int(row["ref"])) == (NONE, NONE)
    assert np.iinfo(np.int64).min == NONE


def test_a_value_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(struct.error):
        EventBuffer().append(events.BOOK, 2**63)


def test_taking_gives_writable_rows_and_starts_anew() -> None:
    out = EventBuffer()
    out.append(events.BOOK, 1)
    rows = out.take()
    rows["seq"] = 9
    assert len(out) == 0
    out.append(events.BOOK, 2)
    assert rows["recv_ns"].tolist() == [1]
    assert out.take()["recv_ns"].tolist() == [2]
    assert len(out.take()) == 0


def test_single_rows_and_ready_rows_mix_in_order() -> None:
    out = EventBuffer()
    ready = empty(3)
    ready["recv_ns"] = [2, 3, 4]
    out.append(events.BOOK, 1)
    out.extend(ready)
    out.append(events.BOOK, 5)
    assert len(out) == 5
    assert out.take()["recv_ns"].tolist() == [1, 2, 3, 4, 5]


def test_rows_of_another_layout_are_refused() -> None:
    with pytest.raises(TypeError, match="EVENT"):
        EventBuffer().extend(np.zeros(2, [("recv_ns", "i8")]))


def test_marking_the_last_row_keeps_its_other_marks() -> None:
    out = EventBuffer()
    with pytest.raises(IndexError):
        out.mark_last()
    out.append(events.BOOK, 1, marks=events.SNAPSHOT)
    out.append(events.BOOK, 2, marks=events.SUSPECT | events.SNAPSHOT)
    out.mark_last()
    out.mark_last(events.CHECKED)
    assert out.take()["marks"].tolist() == [
        events.SNAPSHOT,
        events.SUSPECT | events.SNAPSHOT | events.LAST | events.CHECKED,
    ]


def test_rows_given_as_bytes_are_the_same_rows():
    out, same = EventBuffer(), EventBuffer()
    out.append(events.BOOK, 1, 2, 3, 4, events.BID, 5, 6, 7, events.LAST)
    rows = out.take()
    same.extend_bytes(rows.tobytes())
    assert same.take().tolist() == rows.tolist()
    with pytest.raises(ValueError, match="63 bytes"):
        same.extend_bytes(rows.tobytes()[:63])
