"""The command line: words become a call, and a subcommand's code is imported only when it is asked for."""

from __future__ import annotations

from tapeview.cli.entry import main

__all__ = ["main"]
