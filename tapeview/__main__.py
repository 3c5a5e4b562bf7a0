"""`python -m tapeview`."""

from __future__ import annotations

import sys

from tapeview.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
