"""Results of finished tapes are found again, and only under what they were made with."""

from __future__ import annotations

from tapeview.bench import kept
from tapeview.bench.kept import Kept, closure, key_of
from tapeview.bench.score import Tape

RULES = {
    "ours": Tape(
        7, 0.5, 1, 2, 3, (1.5,), (2,), ((0.5, True),), ((3.0, True),), ("a",), ((("x", "y"), True, 2),), {"z": (1.0,)}
    ),
    "naive": Tape(7, 0.5, 0, 0, 4),
}  # fmt: skip


def test_a_result_comes_back_as_it_was(tmp_path):
    Kept(tmp_path).put("one", RULES, 0.25)
    again = Kept(tmp_path)
    assert again.get("one") == (RULES, 0.25)
    assert again.get("two") is None


def test_a_torn_line_costs_that_line_only(tmp_path):
    Kept(tmp_path).put("one", RULES, 0.25)
    file = tmp_path / "detectors.jsonl"
    file.write_bytes(file.read_bytes() + b'{"key":"torn","rules":{"ours":[7,0')
    torn = Kept(tmp_path)
    assert (torn.get("one"), torn.get("torn")) == ((RULES, 0.25), None)
    torn.put("two", RULES, 0.5)
    whole = Kept(tmp_path)
    assert (whole.get("one"), whole.get("two")) == ((RULES, 0.25), (RULES, 0.5))


def test_without_a_folder_nothing_is_kept():
    nowhere = Kept(None)
    nowhere.put("one", RULES, 0.25)
    assert nowhere.get("one") == (RULES, 0.25)
    assert Kept(None).get("one") is None


def test_the_key_tells_task_seed_thresholds_and_detector_apart():
    keys = {
        key_of(task, seed, detector, overrides, after)
        for task in ("a", "b")
        for seed in (1, 2)
        for detector in ("pulled", "ignition")
        for overrides in ({}, {"p": 1.0})
        for after in ((), ("absorption",))
    }
    assert len(keys) == 32


def test_a_detector_depends_on_what_it_imports_and_on_nothing_else():
    assert {"iceberg", "_iceberg_chain", "_estimate"} <= closure("iceberg")
    assert "squeeze" not in closure("iceberg")
    assert "_surge" not in closure("pulled")


def test_a_changed_source_changes_the_key(tmp_path, monkeypatch):
    folder = tmp_path / "detectors"
    folder.mkdir()
    (folder / "one.py").write_text("from tapeview.detectors._two import x\n")
    (folder / "_two.py").write_text("x = 1\n")
    (folder / "other.py").write_text("y = 1\n")
    monkeypatch.setattr(kept, "_DETECTORS", folder)

    def key():
        kept.closure.cache_clear()
        kept.digest_of.cache_clear()
        return key_of("task", 1, "one", {}, ())

    first = key()
    (folder / "other.py").write_text("y = 2\n")
    assert key() == first
    (folder / "_two.py").write_text("x = 2\n")
    assert key() != first
    monkeypatch.undo()
    kept.closure.cache_clear()
    kept.digest_of.cache_clear()
