"""manifest.json: round trips, versions, and that any changed byte is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from feeds.recording.manifest import (
    NAME,
    VERSION,
    Manifest,
    Part,
    Segment,
    code_digest,
    intact,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from feeds.recording.storage import Storage
from tests.kit.rows import INSTRUMENTS


def sample() -> Manifest:
    part = Part(
        name="part-00000.parquet", first_seq=0, rows=10, keyframe=0, first_ns=5, last_ns=9, bytes=77, sha256="ab"
    )
    segment = Segment(name="20260101-000000-000000.tvr", first_record=0, records=4, bytes=99, sha256="")
    return Manifest(
        origin="tapeview convert a b",
        venue="test",
        instruments=INSTRUMENTS,
        notes=("tick derived", "größer"),
        parts=(part,),
        segments=(segment,),
        events=10,
        first_ns=5,
        last_ns=9,
        complete=True,
    )


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest = sample()
    write_manifest(tmp_path, manifest, Storage())
    assert read_manifest(tmp_path) == manifest
    assert intact((tmp_path / NAME).read_bytes())


def test_a_manifest_is_json_a_person_can_read(tmp_path: Path) -> None:
    write_manifest(tmp_path, sample(), Storage())
    plain = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    assert plain["format"] == "tapeview-recording"
    assert plain["instruments"][0]["tick"] == "0.25"
    assert plain["parts"][0]["sha256"] == "ab"


def test_every_flipped_bit_of_a_manifest_is_noticed(tmp_path: Path) -> None:
    write_manifest(tmp_path, sample(), Storage())
    data = (tmp_path / NAME).read_bytes()
    for at in range(len(data)):
        for bit in (1, 32):
            changed = bytearray(data)
            changed[at] ^= bit
            assert not intact(bytes(changed)), f"byte {at}"


def test_a_newer_manifest_is_refused_politely(tmp_path: Path) -> None:
    newer = sample()
    newer.version = VERSION + 1
    write_manifest(tmp_path, newer, Storage())
    with pytest.raises(BadInput, match="newer tapeview wrote this") as caught:
        read_manifest(tmp_path)
    assert NAME in caught.value.place


def test_fields_of_a_later_build_are_ignored() -> None:
    text = b'{"format":"tapeview-recording","version":1,"venue":"x","something_new":[1,2]}'
    assert parse_manifest(text, "here").venue == "x"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format":"other","version":1}',
        b'{"format":"tapeview-recording","version":0}',
        b'{"format":"tapeview-recording","version":"1"}',
        b'{"format":"tapeview-recording","version":1,"parts":[{"name":"x"}]}',
        b'{"format":"tapeview-recording","version":1,"instruments":[{"venue":"a","symbol":"b","tick":"-1"}]}',
        b'{"format":"tapeview-recording","version":1,"segments":[{"name":"../x","first_record":0,"records":1,"bytes":1,"sha256":""}]}',
    ],
)
def test_what_is_no_manifest_is_refused_with_its_place(text: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        parse_manifest(text, "some/manifest.json")
    assert "some/manifest.json" in str(caught.value) or "tick" in str(caught.value)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_give_a_manifest_or_bad_input(data: bytes) -> None:
    try:
        parse_manifest(data, "here")
    except BadInput as error:
        place = error.place
    else:
        place = "here"
    assert "here" in place


def test_a_missing_manifest_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=NAME):
        read_manifest(tmp_path)


def test_the_code_digest_is_stable_within_a_build() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 32
