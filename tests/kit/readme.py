"""Write the README's tables anew: `python tests/kit/readme.py`."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from tapeview.ui.keys import readme_keys

HERE = Path(__file__).parent


def main() -> None:
    """Put the tables between their markers."""
    spec = importlib.util.spec_from_file_location("test_readme", HERE.parent / "whole" / "test_readme.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = tables.README.read_text(encoding="utf-8")
    for name, table in (("commands", tables.commands_table()), ("keys", readme_keys().strip() + "\n")):
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end-{name} -->)", lambda m, t=table: m[1] + t + m[2], text, flags=re.DOTALL
        )
    tables.README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
