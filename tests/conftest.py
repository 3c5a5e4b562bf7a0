"""Remove the world from the tests: configuration, caches, colours and the place of real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# The same examples every time where the result decides something; new ones at every run elsewhere.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(autouse=True)
def _no_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point configuration, state and cache folders at empty ones and drop terminal variables."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home / name))
    for name in ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES", "TAPEVIEW_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def data_folder() -> Path | None:
    """Where real market data lies: $TAPEVIEW_DATA, or ../shared/data beside the checkout."""
    named = os.environ.get("TAPEVIEW_DATA")
    for folder in [Path(named)] if named else [ROOT.parent / "shared" / "data", ROOT / "shared" / "data"]:
        if folder.is_dir():
            return folder
    return None


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real market data; skips where there is none."""
    folder = data_folder()
    if folder is None:
        pytest.skip("no real market data: set TAPEVIEW_DATA to its folder")
    return folder
