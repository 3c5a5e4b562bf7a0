"""`tapeview config edit`: the person's editor on their own file, checked afterwards."""

from __future__ import annotations

import json
import sys

import pytest

from tapeview import config
from tapeview.cli.entry import main


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Make an editor of a piece of Python that is given the file's path as `path`."""

    def make(code, variable="EDITOR"):
        script = tmp_path / "an editor.py"
        script.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{code}\n")
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.delenv("EDITOR", raising=False)
        monkeypatch.setenv(variable, f"{sys.executable} '{script}'")

    return make


@pytest.mark.parametrize("variable", ["EDITOR", "VISUAL"])
def test_what_the_editor_writes_is_checked_and_kept(editor, capsys, variable):
    editor("path.write_text(path.read_text() + 'theme = \"light\"\\n')", variable)
    assert main(["config", "edit"]) == 0
    assert capsys.readouterr().out == f"{config.user_file()}: fine\n"
    assert config.load().config.theme == "light"
    assert config.user_file().read_text().startswith("# Settings of tapeview")


def test_a_file_begun_and_left_alone_goes_again(editor, capsys):
    editor("")
    assert main(["config", "edit", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exists"] is False
    assert not config.user_file().exists()


@pytest.mark.parametrize("wrong", ["[screen]\\nfps = 0", "[screen", "[detectors.large_print]\\nquantile = 2"])
def test_a_mistake_is_told_with_its_place_and_the_file_is_as_it_was_left(editor, capsys, wrong):
    editor(f"path.write_text('{wrong}')")
    assert main(["config", "edit"]) == 2
    said = capsys.readouterr().err
    assert str(config.user_file()) in said
    assert config.user_file().read_text() == wrong.replace("\\n", "\n")


def test_an_editor_that_is_not_there_or_fails_is_told(editor, capsys, monkeypatch):
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "no-such-editor-anywhere")
    assert main(["config", "edit"]) == 2
    assert "$EDITOR" in capsys.readouterr().err
    assert not config.user_file().exists()
    editor("sys.exit(3)")
    assert main(["config", "edit"]) == 2
    assert "exit code 3" in capsys.readouterr().err
