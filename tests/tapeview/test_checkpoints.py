"""Checkpoints in memory and on disk."""

from __future__ import annotations

import pytest
import zstandard

from feeds.errors import BadInput
from feeds.instruments import Instrument
from tapeview.checkpoints import Checkpoint, Checkpoints
from tapeview.engine import Engine
from tests.kit.streams import market

INSTRUMENT = Instrument(venue="test", symbol="X", tick="1")


@pytest.mark.parametrize("on_disk", [False, True])
def test_going_on_from_a_checkpoint_is_playing_through(on_disk, tmp_path):
    folder = tmp_path if on_disk else None
    rows = market(3000, 1)
    kept, engine = Checkpoints(folder, "key"), Engine(INSTRUMENT)
    for at in range(0, len(rows), 500):
        engine.apply(rows[at : at + 500])
        kept.put(engine.seq, engine.recv_ns, [engine.save()])
    again = Checkpoints(folder, "key") if on_disk else kept
    assert again.places == kept.places
    place = again.best_before(seq=1700)
    assert place == Checkpoint(1499, int(rows["recv_ns"][1499]))
    (blob,) = again.load(place)
    seeked = Engine.load(INSTRUMENT, None, blob)
    seeked.apply(rows[1500:])
    assert seeked.digest() == engine.digest()


def test_the_newest_checkpoint_at_or_before_a_place_is_found():
    kept = Checkpoints()
    for seq in (30, 10, 20):
        kept.put(seq, seq * 100, [b"%d" % seq])
    assert kept.places == ((10, 1000), (20, 2000), (30, 3000))
    assert kept.best_before(seq=9) is None
    assert kept.best_before(seq=20) == (20, 2000)
    assert kept.best_before(seq=29) == (20, 2000)
    assert kept.best_before(recv_ns=999) is None
    assert kept.best_before(recv_ns=10**9) == (30, 3000)
    assert kept.load(Checkpoint(20, 2000)) == [b"20"]
    kept.put(20, 2000, [b"new"])
    assert len(kept) == 3
    assert kept.load(Checkpoint(20, 2000)) == [b"new"]
    with pytest.raises(TypeError):
        kept.best_before()


def test_another_key_finds_nothing(tmp_path):
    Checkpoints(tmp_path, "one").put(1, 2, [b"x"])
    assert len(Checkpoints(tmp_path, "two")) == 0
    assert len(Checkpoints(tmp_path, "one")) == 1


def test_a_damaged_file_is_refused_and_forgotten(tmp_path):
    Checkpoints(tmp_path, "k").put(1, 2, [b"x" * 1000])
    (file,) = tmp_path.rglob("*.tvc")
    whole = file.read_bytes()
    for at in range(len(whole)):
        bad = bytearray(whole)
        bad[at] ^= 0x41
        file.write_bytes(bad)
        kept = Checkpoints(tmp_path, "k")
        with pytest.raises(BadInput):
            kept.load(kept.places[0])
        assert len(kept) == 0
    for end in range(len(whole) - 4):  # the last four bytes are a sum over what is whole without them
        file.write_bytes(whole[:end])
        kept = Checkpoints(tmp_path, "k")
        with pytest.raises(BadInput):
            kept.load(kept.places[0])
    file.unlink()
    kept = Checkpoints(tmp_path, "k")
    assert len(kept) == 0


def test_bytes_after_the_states_are_refused(tmp_path):
    Checkpoints(tmp_path, "k").put(1, 2, [b"x" * 1000, b""])
    (file,) = tmp_path.rglob("*.tvc")
    raw = zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
    for bad in (raw + b"x", raw[:-1]):
        file.write_bytes(zstandard.compress(bad))
        kept = Checkpoints(tmp_path, "k")
        with pytest.raises(BadInput, match="1000 bytes of states"):
            kept.load(kept.places[0])


def test_a_length_that_was_damaged_takes_no_memory(tmp_path):
    Checkpoints(tmp_path, "k").put(1, 2, [b"x" * 1000])
    (file,) = tmp_path.rglob("*.tvc")
    raw = bytearray(zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read())
    length = raw.index((1000).to_bytes(8, "little"))
    raw[length : length + 8] = (1 << 60).to_bytes(8, "little")
    file.write_bytes(zstandard.compress(bytes(raw)))
    kept = Checkpoints(tmp_path, "k")
    with pytest.raises(BadInput, match="an undamaged head"):
        kept.load(kept.places[0])


@pytest.mark.parametrize("blobs", [[], [b""], [b"", b"one", b"", b"two" * 100_000]])
def test_states_come_back_as_many_and_as_long_as_they_were(blobs, tmp_path):
    for kept in (Checkpoints(), Checkpoints(tmp_path, "k")):
        kept.put(-1, -5, blobs)
        assert kept.load(kept.places[0]) == blobs


def test_a_folder_that_cannot_be_written_to_costs_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    kept = Checkpoints(blocked, "k")
    kept.put(1, 2, [b"x"])
    assert kept.load(Checkpoint(1, 2)) == [b"x"]


def test_a_place_that_is_not_there_is_refused():
    with pytest.raises(BadInput):
        Checkpoints().load(Checkpoint(5, 5))
