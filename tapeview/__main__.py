"""`python -m tapeview`."""

from __future__ import annotations

import sys

from tapeview.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
