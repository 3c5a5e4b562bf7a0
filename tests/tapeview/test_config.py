"""Settings: precedence, origins, and errors that help."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from tapeview import config


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_come_from_nowhere():
    loaded = config.load([])
    assert loaded.config == config.Config()
    assert {origin for _, _, origin in config.rows(loaded)} == {"default"}


def test_later_files_and_set_win_and_every_value_knows_where_it_came_from(tmp_path):
    first = write(tmp_path / "a.toml", 'theme = "light"\n[screen]\nfps = 20\nrecent_s = 30\n')
    second = write(tmp_path / "b.toml", "[screen]\nfps = 25\n")
    loaded = config.load([first, second], ["engine.merge_ms=50", "keys.ladder.centre=c"])
    rows = {key: (value, origin) for key, value, origin in config.rows(loaded)}
    assert rows["theme"] == ("light", str(first))
    assert rows["screen.fps"] == (25, str(second))
    assert rows["screen.recent_s"] == (30, str(first))
    assert rows["engine.merge_ms"] == (50, "--set")
    assert rows["keys.ladder.centre"] == ("c", "--set")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("them = 1", ["key", "them", "'theme'?"]),
        ("[screen]\nfsp = 3", ["screen.fsp", "'screen.fps'?"]),
        ("[screen]\nfps = 0", ["screen.fps", "0", ">= 1"]),
        ("[screen]\nfps = 'fast'", ["screen.fps", "fast", "int"]),
        ("screen = 3", ["screen", "3"]),
        ("[screen", ["end of document"]),
        ("theme = light\n", ["line 1", "column 9"]),
        ("[themes]\nmine = 3", ["themes"]),
    ],
)
def test_a_wrong_file_is_refused_with_file_key_value_and_what_was_expected(tmp_path, text, parts):
    path = write(tmp_path / "c.toml", text)
    with pytest.raises(BadInput) as caught:
        config.load([path])
    for part in [str(path), *parts]:
        assert part in str(caught.value)


def test_a_byte_order_mark_and_dos_line_ends_are_read(tmp_path):
    path = tmp_path / "dos.toml"
    path.write_bytes(b"\xef\xbb\xbf[screen]\r\nfps = 12\r\n")
    assert config.load([path]).config.screen.fps == 12


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00" * 100])
def test_bytes_that_are_no_text_are_refused(tmp_path, content):
    path = tmp_path / "noise.toml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="noise.toml"):
        config.load([path])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match="absent.toml"):
        config.load([tmp_path / "absent.toml"])


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_any_text_is_settings_or_a_clear_refusal(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("fuzz") / "f.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        config.load([path])
    except BadInput as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("word", ["", "=", "fps", "screen.nothing=1", "screen.fps=1000"])
def test_a_wrong_set_word_is_refused(word):
    with pytest.raises(BadInput, match="--set"):
        config.load([], [word])


def test_every_setting_has_a_description_or_is_named_by_the_person():
    for key, _, _ in config.rows(config.load([])):
        assert config.description(key), key


def test_the_schema_can_be_written():
    assert b"screen" in msgspec.json.encode(msgspec.json.schema(config.Config))


def test_the_user_file_can_be_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TAPEVIEW_CONFIG", str(tmp_path / "x.toml"))
    assert config.user_file() == tmp_path / "x.toml"
