"""Settings: precedence, origins, and errors that help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadInput
from tapeview import config
from tapeview.cli.entry import main
from tapeview.detectors import load

ROOT = Path(__file__).parent.parent.parent


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


# -- detectors ------------------------------------------------------------------------------------


def test_thresholds_are_the_defaults_of_every_detector():
    assert config.thresholds(config.load([])) == {name: one.thresholds() for name, one in load().items()}


def test_thresholds_come_from_tables_and_from_set_words_long_and_short(tmp_path):
    path = write(tmp_path / "d.toml", "[detectors.squeeze]\nrvol = 4.5\nhold_s = 20\n[detectors.large_print]\n")
    loaded = config.load([path], ["detectors.squeeze.signs=5", "squeeze.hold_s=30", "large_print.quantile=0.99"])
    found = config.thresholds(loaded)
    assert found["squeeze"] == load()["squeeze"].thresholds(rvol=4.5, hold_s=30, signs=5)
    assert found["large_print"] == load()["large_print"].thresholds(quantile=0.99)
    rows = {key: (value, origin) for key, value, origin in config.rows(loaded)}
    assert rows["detectors.squeeze.rvol"] == (4.5, str(path))
    assert rows["detectors.squeeze.hold_s"] == (30, "--set")
    assert rows["detectors.squeeze.ret_z"] == (3.0, "default")


def test_a_detector_that_is_off_has_no_thresholds_but_its_values_are_still_checked(tmp_path):
    path = write(tmp_path / "d.toml", '[detectors]\noff = ["squeeze"]\n')
    loaded = config.load([path])
    assert set(config.thresholds(loaded)) == set(load()) - {"squeeze"}
    assert set(config.thresholds(loaded, silent=True)) == set(load())
    assert {key: value for key, value, _ in config.rows(loaded)}["detectors.off"] == ["squeeze"]
    with pytest.raises(BadInput, match="rvol"):
        config.thresholds(config.load([path], ["squeeze.rvol=0"]), silent=True)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[detectors.sqeeze]\n", ["detectors.sqeeze", "'squeeze'?"]),
        ("[detectors.nothing_like_it]\n", ["nothing_like_it", "one of", "squeeze"]),
        ('[detectors]\noff = ["sqeeze"]\n', ["detectors.off", "sqeeze", "'squeeze'?"]),
        ('[detectors]\noff = "squeeze"\n', ["detectors.off", "squeeze", "a list"]),
        ("[detectors]\noff = [3]\n", ["detectors.off", "3"]),
        ("[detectors]\nsqueeze = 3\n", ["detectors.squeeze", "3", "table"]),
        ("detectors = 3\n", ["detectors", "3"]),
        ("[detectors.squeeze]\nrvoll = 3\n", ["detectors.squeeze", "rvoll", "'rvol'?"]),
        ("[detectors.squeeze]\nqqqq = 3\n", ["detectors.squeeze", "qqqq", "one of window_s"]),
        ("[detectors.squeeze]\nrvol = 51\n", ["detectors.squeeze.rvol", "51", "at least 1", "at most 50"]),
        ("[detectors.squeeze]\nrvol = 'much'\n", ["detectors.squeeze.rvol", "much", "float"]),
        ("[detectors.squeeze]\nsigns = 4.5\n", ["detectors.squeeze.signs", "4.5", "int"]),
        ("[detectors.squeeze.rvol]\nx = 1\n", ["detectors.squeeze", "rvol", "float"]),
    ],
)
def test_a_wrong_threshold_is_refused_with_file_key_bounds_and_the_nearest(tmp_path, capsys, text, parts):
    path = write(tmp_path / "c.toml", text)
    with pytest.raises(BadInput) as caught:
        config.thresholds(config.load([path]))
    assert main(["config", "check", str(path)]) == 2
    said = capsys.readouterr().err
    for part in [str(path), *parts]:
        assert part in str(caught.value)
        assert part in said


def test_a_wrong_word_for_a_detector_is_refused_as_such():
    with pytest.raises(BadInput, match=r"--set: detectors.squeeze: got 'rvoll'|--set: detectors.squeeze: key"):
        config.thresholds(config.load([], ["squeeze.rvoll=3"]))
    with pytest.raises(BadInput, match="'squeeze'"):
        config.load([], ["sqeeze.rvol=3"])


def test_what_a_threshold_means_can_be_asked(capsys):
    assert main(["config", "explain", "detectors.squeeze.rvol"]) == 0
    said = capsys.readouterr().out
    assert f"detectors.squeeze.rvol = {load()['squeeze'].thresholds().rvol!r}" in said
    assert "Volume of the window" in said
    assert "at least 1, at most 50" in said


def test_the_schema_knows_every_threshold_and_its_bounds():
    whole = config.schema()
    tables = whole["$defs"]["Config"]["properties"]["detectors"]
    tables = whole["$defs"][tables["$ref"].rpartition("/")[2]] if "$ref" in tables else tables
    assert set(tables["properties"]) == {"off", *load()}
    rvol = whole["$defs"]["SqueezeThresholds"]["properties"]["rvol"]
    assert (rvol["minimum"], rvol["maximum"]) == (1, 50)


def test_settings_are_read_without_any_detector():
    code = (
        "from tapeview import config; config.load([], ['squeeze.rvol=4', 'detectors.off=[\"squeeze\"]']); import sys; "
        "print(*(m for m in sys.modules if m.startswith('tapeview.detectors.')), 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False"]


# -- outlets --------------------------------------------------------------------------------------
def test_options_of_outlets_come_with_their_defaults_and_their_origin(tmp_path):
    path = write(tmp_path / "o.toml", '[outlets.lines]\non = true\npath = "out.jsonl"\n')
    loaded = config.load([path], ["outlets.bell.grade=3"])
    assert set(config.outlet_options(loaded.config)) == {"lines", "bell"}
    assert config.outlet_options(loaded.config)["lines"].path == "out.jsonl"
    rows = {key: (value, origin) for key, value, origin in config.rows(loaded)}
    assert rows["outlets.lines.path"] == ("out.jsonl", str(path))
    assert rows["outlets.bell.grade"] == (3, "--set")
    assert rows["outlets.webhook.on"] == (False, "default")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[outlets.webhok]\n", ["outlets.webhok", "'webhook'?"]),
        ("[outlets.pigeon]\n", ["pigeon", "one of bell, desktop"]),
        ("[outlets]\nbell = true\n", ["outlets.bell", "a table of options"]),
        ("[outlets.webhook]\nsecret = 'do not tell'\n", ["outlets.webhook: key", "secret", "one of url, private"]),
        ("[outlets.webhook]\nurll = 'x'\n", ["urll", "'url'?"]),
        ("[outlets.bell]\ngrade = 4\n", ["outlets.bell.grade", "4", "at least 1, at most 3"]),
        ("[outlets.bell]\non = 'yes'\n", ["outlets.bell.on", "yes", "bool"]),
        ("[outlets.bell]\non = true\nkinds = ['fild']\n", ["outlets.bell.kinds", "fild", "filled"]),
        ("[outlets.lines]\non = true\n", ["outlets.lines.path", "standard output"]),
        ("[outlets.webhook]\non = true\nurl = 'http://example.org'\n", ["outlets.webhook.url", "https"]),
        ("[outlets.desktop]\nthrough = 'smoke'\n", ["outlets.desktop.through", "smoke", "terminal|system"]),
    ],
)
def test_a_wrong_outlet_is_refused_with_file_key_and_the_nearest(tmp_path, capsys, text, parts):
    path = write(tmp_path / "c.toml", text)
    with pytest.raises(BadInput) as caught:
        config.load([path])
    assert main(["config", "check", str(path)]) == 2
    said = capsys.readouterr().err
    for part in [str(path), *parts]:
        assert part in str(caught.value)
        assert part in said
    assert "do not tell" not in said


def test_what_options_need_together_may_come_from_two_places(tmp_path):
    path = write(tmp_path / "o.toml", "[outlets.lines]\non = true\n")
    with pytest.raises(BadInput, match=f"{path}: outlets.lines.path"):
        config.load([path])
    assert config.load([path], ["outlets.lines.path=-"]).config.outlets["lines"] == {"on": True, "path": "-"}
    with pytest.raises(BadInput, match="--set: outlets.webhook.url"):
        config.load([], ["outlets.webhook.on=true", "outlets.webhook.url=http://10.0.0.1/"])


def test_an_outlet_that_is_off_is_checked_no_further_than_its_options(tmp_path):
    path = write(tmp_path / "o.toml", '[outlets.webhook]\nurl = "http://not.yet"\n')
    assert config.load([path]).config.outlets["webhook"] == {"url": "http://not.yet"}


def test_the_schema_knows_every_option_and_what_it_means():
    whole = config.schema()
    tables = whole["$defs"][whole["$defs"]["Config"]["properties"]["outlets"]["$ref"].rpartition("/")[2]]
    assert set(tables["properties"]) == {"bell", "desktop", "lines", "nats", "webhook"}
    for name in tables["properties"]:
        for key, about in whole["$defs"][f"{name.capitalize()}Options"]["properties"].items():
            assert about["description"], (name, key)
            assert config.description(f"outlets.{name}.{key}").startswith(about["description"])


def test_every_number_of_the_desk_has_bounds_and_every_limit_a_source():
    from tapeview.ui.screens._draft import Draft

    for field in Draft(config.load([])).fields:
        if field.key[0] in ("desk", "outlets") and field.kind in ("int", "float"):
            assert field.least is not None, field.dotted
            assert field.most is not None, field.dotted
            assert field.source or field.section != "limits", field.dotted


def test_a_folder_switches_no_outlet_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEVIEW_CONFIG", str(tmp_path / "own.toml"))
    monkeypatch.chdir(tmp_path)
    Path("tapeview.toml").write_text('[outlets.lines]\non = true\npath = "anywhere"\n')
    with pytest.raises(BadInput, match=r"tapeview\.toml: outlets, expected outlets in your own settings"):
        config.load()
    Path("own.toml").write_text('[outlets.lines]\non = true\npath = "anywhere"\n')
    Path("tapeview.toml").write_text("[screen]\nfps = 10\n")
    assert config.load().config.outlets["lines"]["path"] == "anywhere"
