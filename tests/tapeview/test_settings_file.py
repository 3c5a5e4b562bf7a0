"""The settings file: keys change, everything else stays; what cannot be written is refused and nothing is lost."""

from __future__ import annotations

import os
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from feeds.errors import BadInput
from tapeview.settings_file import SettingsFile, changed, statements

MINE = """\
# My settings.

theme = "light"   # for the office

# The screen.
[screen]
fps = 20 # a slow line
    # the tape shows blocks only
    tape_min_lots = 5

# The engine: merge what one order did.
[engine]
merge_ms = 50
"""
AFTER = """\
# My settings.

theme = "dark"   # for the office
source = "recordings/quiet-open"

# The screen.
[screen]
# a slow line
    # the tape shows blocks only
    tape_min_lots = 7
    chart_s = 600

# The engine: merge what one order did.
[engine]
merge_ms = 50

[screen.more]
deep = true
"""


def test_keys_change_in_place_and_comments_stay_where_they_were():
    changes = {
        ("theme",): "dark",
        ("source",): "recordings/quiet-open",
        ("screen", "fps"): UNSET,
        ("screen", "tape_min_lots"): 7,
        ("screen", "chart_s"): 600,
        ("screen", "more", "deep"): True,
    }
    assert changed(MINE, changes) == AFTER


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        ("", ("theme",), "light", 'theme = "light"\n'),
        ("", ("screen", "fps"), 5, "[screen]\nfps = 5\n"),
        ("theme = 'a'", ("theme",), "b", 'theme = "b"'),
        ("theme = 'a'", ("source",), "b", "theme = 'a'\nsource = \"b\"\n"),
        ("a = 1\r\n", ("b", "c"), 2, "a = 1\r\n\r\n[b]\r\nc = 2\r\n"),
        ("# top\n\n# of a\n[a]\nb = 1\n", ("c",), 2, "# top\n\nc = 2\n\n# of a\n[a]\nb = 1\n"),
        ("screen.fps = 1 # one\n", ("screen", "recent_s"), 9, "screen.fps = 1 # one\nscreen.recent_s = 9\n"),
        ("screen.fps = 1 # one\n", ("screen", "fps"), 9, "screen.fps = 9 # one\n"),
        ("[a]\nb.c = 1\n[x]\n", ("a", "b", "d"), 2, "[a]\nb.c = 1\nb.d = 2\n[x]\n"),
        ("a = { b = 1 } # in a row\n", ("a", "b"), 2, "a = { b = 2 } # in a row\n"),
        ("a = { b = 1 }\n", ("a", "b"), UNSET, "a = {  }\n"),
        ("[a]\nb = 1\n", ("a", "b"), UNSET, "[a]\n"),
        ("a.b = 1 # why\n", ("a", "b"), UNSET, "# why\n"),
        ("[a]\nb = 1\n", ("a", "c"), UNSET, "[a]\nb = 1\n"),
        ("[a.b]\nc = 1\n", ("a", "d"), 1, "[a.b]\nc = 1\n\n[a]\nd = 1\n"),
        ("[keys]\nx = 'q'\n", ("keys", "ladder.centre"), "c", '[keys]\nx = \'q\'\n"ladder.centre" = "c"\n'),
        ('a = """\n[no]\nb = 1\n"""\n[b]\n', ("b", "c"), 1, 'a = """\n[no]\nb = 1\n"""\n[b]\nc = 1\n'),
        ("a = [ # list\n  1, # one\n]\n[b]\n", ("b", "c"), 1, "a = [ # list\n  1, # one\n]\n[b]\nc = 1\n"),
        ("[a]\n# of a\n\n[b]\n", ("a", "c"), 1, "[a]\nc = 1\n# of a\n\n[b]\n"),
        ("[a]\nq = 0.5\n", ("a", "q"), 0.995, "[a]\nq = 0.995\n"),
    ],
)
def test_each_way_of_writing_a_key(before, key, value, after):
    assert changed(before, {key: value}) == after


@pytest.mark.parametrize(
    ("before", "key"),
    [("[[a]]\nb = 1\n", ("a", "b")), ("a = 1\n", ("a", "b")), ("[a]\nb.c = 1\n", ("a", "b"))],
)
def test_what_cannot_be_changed_in_place_is_refused(before, key):
    with pytest.raises(BadInput, match="in an editor"):
        changed(before, {key: 2})


NAMES = st.sampled_from(["a", "b", "cc", "d.e"])
VALUES = st.one_of(st.integers(-(2**40), 2**40), st.booleans(), st.text(max_size=6), st.floats(-1e9, 1e9))


@st.composite
def documents(draw):
    """A TOML text with comments in every place a person puts them."""
    note = st.sampled_from(["", "# note\n", "\n", "\n# one\n# two\n", "   # indented\n"])
    behind = st.sampled_from(["", " # behind", "\t#  two  spaces"])
    value = st.sampled_from(["1", '"x # y"', "[1, 2]", "[\n 1, # in\n]", "'''\n# no\n'''", "true", "1.5", "{ x = 1 }"])
    out = [draw(note)]
    used = set()
    for section in ["", *draw(st.lists(st.sampled_from(["s", "t", "s.u", "v"]), unique=True))]:
        if section:
            out.append(f"[{section}]{draw(behind)}\n")
        for name in draw(st.lists(NAMES, unique=True)):
            if section == "s" and name == "u":
                continue
            used.add((section, name))
            written = f'"{name}"' if "." in name else name
            out += [draw(note), f"{written} = {draw(value)}{draw(behind)}\n"]
        out.append(draw(note))
    return "".join(out)


KEYS = st.builds(
    lambda section, name: (*section, name), st.sampled_from([(), ("s",), ("t",), ("s", "u"), ("new",)]), NAMES
)


@settings(max_examples=300, deadline=None)
@given(documents(), st.dictionaries(KEYS, st.one_of(VALUES, st.just(UNSET)), max_size=4))
def test_whatever_is_changed_the_rest_stays_line_for_line(text, changes):
    assert "".join(part.text for part in statements(text)) == text
    after = changed(text, changes)
    before, now = tomllib.loads(text), tomllib.loads(after)
    for key, value in changes.items():
        inner = now
        for name in key[:-1]:
            inner = inner.get(name, {})
        assert (key[-1] not in inner) if value is UNSET else (inner[key[-1]] == value)

    def others(table, prefix=()):
        for name, value in table.items():
            if isinstance(value, dict) and value and (*prefix, name) not in changes:
                yield from others(value, (*prefix, name))
            elif (*prefix, name) not in changes and value != {}:
                yield (*prefix, name), value

    assert dict(others(before)).items() <= dict(others(now)).items()
    kept = iter(after.splitlines())
    mine = {part.text for part in statements(text) if part.kind == "pair" and (*part.table, *part.key) in changes}
    for part in statements(text):
        if part.text not in mine:
            for line in part.text.splitlines():
                assert line in kept, (line, after)
    for word in ("# note", "# one", "# two", "# indented", "# behind", "#  two  spaces"):
        assert after.count(word) >= text.count(word)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    return SettingsFile(path)


def test_a_saved_file_is_read_again_with_the_new_values(file):
    file.save({("screen", "fps"): 12})
    assert "fps = 12 # a slow line" in file.path.read_text()
    assert SettingsFile(file.path).text == file.text == file.path.read_text()
    file.save({("screen", "fps"): UNSET})
    assert tomllib.loads(file.path.read_text())["screen"] == {"tape_min_lots": 5}
    assert [p.name for p in file.path.parent.iterdir()] == ["config.toml"]


def test_folder_and_file_are_made_where_there_are_none(tmp_path):
    path = tmp_path / "a" / "b" / "config.toml"
    file = SettingsFile(path)
    assert not file.exists
    file.save({("theme",): "light"})
    assert path.read_text() == 'theme = "light"\n'


def test_a_file_that_changed_meanwhile_is_refused_and_a_second_save_goes_into_what_is_there(file):
    file.path.write_text(MINE + "stale_ms = 5000\n")
    with pytest.raises(BadInput, match="changed since it was read"):
        file.save({("engine", "merge_ms"): 60})
    assert file.path.read_text() == MINE + "stale_ms = 5000\n"
    file.save({("engine", "merge_ms"): 60})
    assert tomllib.loads(file.path.read_text())["engine"] == {"merge_ms": 60, "stale_ms": 5000}


def test_a_file_that_came_into_being_meanwhile_is_not_written_over(tmp_path):
    file = SettingsFile(tmp_path / "config.toml")
    file.path.write_text("theme = 'deuter' # mine\n")
    with pytest.raises(BadInput, match="changed"):
        file.save({("theme",): "light"})
    assert file.path.read_text() == "theme = 'deuter' # mine\n"


@pytest.mark.parametrize("content", ["[screen", "[screen]\nfsp = 3\n", "[screen]\nfps = 0\n", "\x00"])
def test_a_broken_file_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"config\.toml"):
        SettingsFile(path)
    assert path.read_text() == content


def test_a_file_that_was_broken_meanwhile_is_refused_and_left_alone(file):
    file.path.write_text("[screen")
    for _ in range(2):
        with pytest.raises(BadInput, match=r"config\.toml"):
            file.save({("engine", "merge_ms"): 60})
    assert file.path.read_text() == "[screen"


def test_a_link_stays_a_link_and_rights_stay_what_they_were(tmp_path):
    real = tmp_path / "dotfiles" / "tapeview.toml"
    real.parent.mkdir()
    real.write_bytes(b"\xef\xbb\xbf" + MINE.replace("\n", "\r\n").encode())
    real.chmod(0o640)
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    SettingsFile(link).save({("engine", "merge_ms"): 70})
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes() == b"\xef\xbb\xbf" + MINE.replace("50", "70").replace("\n", "\r\n").encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="written to"):
        SettingsFile(tmp_path / "config.toml").save({("theme",): "light"})


def test_a_folder_that_cannot_be_is_told_and_nothing_is_left(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="config.toml"):
        SettingsFile(tmp_path / "file" / "config.toml").save({("theme",): "light"})
