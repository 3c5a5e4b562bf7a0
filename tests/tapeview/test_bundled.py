import msgspec

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


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert bundled.listed(tmp_path / "nowhere") == []
    assert bundled.listed(None) == []
