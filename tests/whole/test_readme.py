"""The README says what the program is: its tables are made from the code."""

from __future__ import annotations

import re
from pathlib import Path

from tapeview.cli.entry import COMMANDS
from tapeview.ui.keys import readme_keys

README = Path(__file__).parent.parent.parent / "README.md"


def between(name):
    """The text between two markers of the README."""
    return re.search(rf"<!-- {name} -->\n(.*?)<!-- end-{name} -->", README.read_text(encoding="utf-8"), re.DOTALL)[1]


def commands_table():
    """The table of commands as the README has it."""
    rows = [f"| `tapeview {name}` | {text} |" for name, text in COMMANDS.items()]
    first = ["| command | does |", "|---|---|", "| `tapeview` | the home screen; Enter plays a bundled session |"]
    return "\n".join([*first, *rows]) + "\n"


def test_the_commands_are_those_of_the_program():
    assert between("commands") == commands_table()


def test_the_keys_are_those_of_the_program():
    assert between("keys").strip() == readme_keys().strip()


def test_every_picture_and_path_named_is_there():
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (README.parent / target).exists(), target


def test_there_are_the_two_commands_of_a_fresh_machine():
    text = README.read_text(encoding="utf-8")
    head = text[: text.index("## Quick tour")]
    assert len(re.findall(r"```sh\n", head)) == 2
