"""Parts: any rows come back exactly, in every form of every column, and damage is refused."""

from __future__ import annotations

import io
import itertools
import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.events import EVENT, NONE, Events
from feeds.recording.columns import split
from feeds.recording.parts import decode_part, encode_part
from tests.kit.rows import stream, streams

FORMS = list(
    itertools.product(
        ("recv_ns", "recv_step"), ("exch_ns", "exch_step", "lag_ns"), ("ref", "ref_step"), ("aux", "aux_step")
    )
)


def renumbered(rows: Events, first_seq: int) -> Events:
    rows = rows.copy()
    rows["seq"] = np.arange(first_seq, first_seq + len(rows))
    return rows


def encoded(rows: Events, forms: tuple[str, ...] | None = None, keyframe: int = 0) -> bytes:
    return encode_part(split(rows), int(rows["seq"][keyframe]), keyframe, forms, 1)[0]


@given(streams(instruments=2), st.sampled_from([None, *FORMS]), st.integers(0, 2**40))
@settings(max_examples=80, deadline=None)
def test_rows_come_back_exactly(rows: Events, forms: tuple[str, ...] | None, first_seq: int) -> None:
    rows = renumbered(rows, first_seq)
    again, head = decode_part(encoded(rows, forms), "here")
    assert again.tobytes() == rows.tobytes()
    assert (head.first_seq, head.keyframe) == (first_seq, 0)


@pytest.mark.parametrize("forms", FORMS)
def test_any_64_bit_values_come_back_in_every_form(forms: tuple[str, ...]) -> None:
    rows = renumbered(np.frombuffer(np.random.default_rng(1).bytes(64 * 500), EVENT), 9)
    rows["ref"][::7] = NONE
    rows["exch_ns"][:5] = NONE
    rows["aux"][3:9] = NONE
    rows["kind"] %= 12
    assert decode_part(encoded(rows, forms), "here")[0].tobytes() == rows.tobytes()


def test_a_form_is_chosen_by_size_and_is_no_larger_than_the_plain_one() -> None:
    rows = renumbered(stream(3, 2000), 0)
    data, forms = encode_part(split(rows), 0, 0, None, 1)
    plain, _ = encode_part(split(rows), 0, 0, FORMS[0], 1)
    assert len(data) <= len(plain) * 1.03
    assert len(forms) == 4


def test_a_keyframe_has_the_seq_before_the_rows() -> None:
    rows = renumbered(stream(4, 20), 100)
    again, head = decode_part(encoded(rows, None, keyframe=3), "here")
    assert head.first_seq == 103
    assert again["seq"].tolist()[:5] == [102, 102, 102, 103, 104]


def test_parts_are_parquet_files_anyone_can_read() -> None:
    rows = renumbered(stream(5, 100), 0)
    frame = pl.read_parquet(io.BytesIO(encoded(rows, ("recv_step", "exch_ns", "ref", "aux"))))
    assert frame["tick"].to_numpy().tolist() == rows["tick"].tolist()
    assert frame["lots"].to_numpy().tolist() == rows["lots"].tolist()
    recv_ns = frame["recv_base"] + frame["recv_step"].cast(pl.Int64).cum_sum()
    assert recv_ns.to_list() == rows["recv_ns"].tolist()


def test_a_column_is_as_narrow_as_its_values_allow() -> None:
    rows = renumbered(stream(5, 100), 0)
    rows["recv_ns"] = 1_700_000_000_000_000_000 + np.arange(len(rows)) * 1000
    rows["tick"] = np.arange(len(rows))
    forms = ("recv_step", "exch_ns", "ref", "aux")
    kinds = pl.read_parquet(io.BytesIO(encoded(rows, forms))).schema
    assert (kinds["recv_step"], kinds["tick"], kinds["exch_ns"]) == (pl.Int32, pl.Int32, pl.Int64)
    for value in (2**31 - 1, -(2**31)):
        rows["tick"][7] = value
        assert pl.read_parquet(io.BytesIO(encoded(rows, forms))).schema["tick"] == pl.Int32
    for value in (2**31, -(2**31) - 1):
        rows["tick"][7] = value
        assert pl.read_parquet(io.BytesIO(encoded(rows, forms))).schema["tick"] == pl.Int64
    rows["recv_ns"][-1] += 2**31
    assert pl.read_parquet(io.BytesIO(encoded(rows, forms))).schema["recv_step"] == pl.Int64
    assert decode_part(encoded(rows, forms), "here")[0].tobytes() == rows.tobytes()


def test_other_parquet_files_are_refused_with_the_place() -> None:
    out = io.BytesIO()
    pl.DataFrame({"tick": [1]}).write_parquet(out)
    with pytest.raises(BadInput, match="here"):
        decode_part(out.getvalue(), "here")


def test_a_part_with_a_column_missing_or_of_another_type_is_refused() -> None:
    data = encoded(renumbered(stream(6, 30), 0))
    frame = pl.read_parquet(io.BytesIO(data))
    metadata = pl.read_parquet_metadata(io.BytesIO(data))
    kept = {"tapeview": metadata["tapeview"]}
    wrong = [
        (frame.drop("tick"), "columns"),
        (frame.drop("unknown"), "columns"),
        (frame.with_columns(pl.col("tick").cast(pl.Float64)), "column tick"),
        (frame.with_columns(pl.lit(None, pl.Int64).alias("lots")), "column lots"),
    ]
    for changed, place in wrong:
        out = io.BytesIO()
        changed.write_parquet(out, metadata=kept)
        with pytest.raises(BadInput, match=place):
            decode_part(out.getvalue(), "here")


def test_damaged_bytes_give_rows_or_bad_input_and_nothing_else() -> None:
    rows = renumbered(stream(7, 60), 0)
    data = encoded(rows)
    rng = random.Random(1)
    refused = 0
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            decode_part(bytes(changed), "here")
        except BadInput:
            refused += 1
    assert refused > 0
    for cut in (0, 3, 10, len(data) // 2, len(data) - 1):
        with pytest.raises(BadInput, match="here"):
            decode_part(data[:cut], "here")
