import msgspec
import pytest

from tapeview import bundled


def test_what_was_played_last_is_remembered():
    assert bundled.last() is None
    bundled.remember(bundled.Last("simulator:seed=7", "simulator", 5))
    assert bundled.last() == bundled.Last("simulator:seed=7", "simulator", 5)


def test_a_torn_state_file_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(bundled, "_state_file", lambda: tmp_path / "last.json")
    (tmp_path / "last.json").write_bytes(b'{"addr')
    assert bundled.last() is None


def test_a_state_folder_that_cannot_be_written_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(bundled, "_state_file", lambda: tmp_path / "file" / "last.json")
    bundled.remember(bundled.Last("a", "b"))
    assert bundled.last() is None


def test_only_the_manifest_of_a_recording_is_read(tmp_path):
    (tmp_path / "one" / "events").mkdir(parents=True)
    (tmp_path / "one" / "events" / "part-00000.parquet").write_bytes(b"not parquet")
    (tmp_path / "one" / "manifest.json").write_bytes(
        msgspec.json.encode({"notes": ["first line\nsecond"], "instruments": [{"symbol": "A"}, {"symbol": "B"}]})
    )
    assert bundled.listed(tmp_path) == [bundled.Recorded("one", str(tmp_path / "one"), "first line", "A B", 0)]


@pytest.mark.parametrize(
    ("begin", "known"), [(150, 150), (100, None), (220, None), (50, None), ("x", None), (True, None)]
)
def test_where_to_begin_is_a_time_within_the_recording_or_not_known(tmp_path, begin, known):
    (tmp_path / "one").mkdir()
    told = {"first_ns": 100, "last_ns": 220, "begin_ns": begin, "story": "something happens"}
    (tmp_path / "one" / "manifest.json").write_bytes(msgspec.json.encode(told))
    (found,) = bundled.listed(tmp_path)
    assert (found.begin_ns, found.story) == (known, "something happens")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, ""), (59.6, "1:00"), (360, "6:00"), (2820, "47:00"), (3600, "1h00"), (86399, "23h59")]
)
def test_lengths_are_short_enough_for_a_column(seconds, text):
    assert bundled.length(int(seconds * 1e9)) == text


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert bundled.listed(tmp_path / "nowhere") == []
    assert bundled.listed(None) == []
