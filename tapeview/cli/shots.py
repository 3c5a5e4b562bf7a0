"""`tapeview shots`: rebuild the pictures of the screens."""

from __future__ import annotations

import argparse
from pathlib import Path

from tapeview.cli import _common as common


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument(
        "-o", dest="out", type=Path, default=Path("screenshots"), metavar="DIR", help="folder (screenshots)"
    )


def run(args: argparse.Namespace) -> int:
    """Make every picture and name it."""
    from tapeview.ui.shots import rebuild

    common.compile_kernels()
    for path in rebuild(args.out):
        print(path)
    return 0
