"""Keys come from the environment or a private file, and are in no text."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest

from feeds import keys
from feeds.errors import BadInput

NAMES = ("SOME_KEY", "SOME_SECRET")


VENUE = ("wss://stream.venue.com/v2", "https://api.venue.com/list")
BOTH = {"SOME_KEY": "k", "SOME_SECRET": "s", "TAPEVIEW_KEYS": "/nowhere"}
TRIAL = BOTH | {"TAPEVIEW_KEYS_TO_LOOPBACK": "1"}


def kept(folder: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    """A file of keys, and the environment that names it."""
    path = folder / "keys.toml"
    path.write_text(text)
    path.chmod(mode)
    return {"TAPEVIEW_KEYS": str(path)}


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    environ = kept(tmp_path, 'SOME_KEY = "file"\nSOME_SECRET = "hush"\n') | {"SOME_KEY": "environ"}
    found = keys.find("x", NAMES, environ)
    assert (found["SOME_KEY"], found["SOME_SECRET"]) == ("environ", "hush")


def test_the_file_lies_with_the_configuration() -> None:
    assert keys.file({"XDG_CONFIG_HOME": "/c"}) == Path("/c/tapeview/keys.toml")
    assert keys.file({}) == Path.home() / ".config" / "tapeview" / "keys.toml"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606, 0o660, 0o700 | 0o010])
def test_a_file_that_others_can_read_is_refused_and_says_what_to_do(tmp_path: Path, mode: int) -> None:
    environ = kept(tmp_path, 'SOME_KEY = "a"\nSOME_SECRET = "hush"\n', mode)
    with pytest.raises(BadInput, match="chmod 600") as caught:
        keys.find("x", NAMES, environ)
    assert f"{mode:04o}" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_what_is_missing_is_named_with_the_place_to_put_it(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "SOME_KEY": "a"}
    with pytest.raises(BadInput, match=r"key of x: SOME_SECRET, expected in the environment or in .*keys\.toml"):
        keys.find("x", NAMES, environ)


@pytest.mark.parametrize("text", ["SOME_SECRET = hush", 'SOME_SECRET = "hush', "[" * 5000, "\x00hush"])
def test_a_file_that_cannot_be_read_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match='NAME = "value"') as caught:
        keys.find("x", NAMES, kept(tmp_path, text))
    assert "hush" not in str(caught.value)


def test_a_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    environ = kept(tmp_path, "")
    Path(environ["TAPEVIEW_KEYS"]).write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match='NAME = "value"'):
        keys.find("x", NAMES, environ)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    environ = kept(tmp_path, 'SOME_KEY = "a"\nSOME_SECRET = "hush"\n')
    os.chown(environ["TAPEVIEW_KEYS"], 12345, -1)
    with pytest.raises(BadInput, match="another user's"):
        keys.find("x", NAMES, environ)


def test_secrets_are_in_no_text_and_no_copy_on_disk() -> None:
    found = keys.Secrets({"SOME_SECRET": "hush"})
    assert "hush" not in f"{found} {found!r} {[found]}"
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(found)
    with pytest.raises(TypeError, match="not written"):
        copy.deepcopy(found)


def test_where_a_key_may_not_be_needed_there_is_none_without_one(tmp_path: Path) -> None:
    assert keys.find_any(NAMES, {"XDG_CONFIG_HOME": str(tmp_path)}) is None
    environ = kept(tmp_path, 'SOME_KEY = "a"\n')
    assert keys.find_any(NAMES, environ) is None
    found = keys.find_any(NAMES, environ | {"SOME_SECRET": "hush"})
    assert found is not None
    assert (found["SOME_KEY"], found["SOME_SECRET"]) == ("a", "hush")
    with pytest.raises(BadInput, match="chmod 600"):
        keys.find_any(NAMES, kept(tmp_path, 'SOME_KEY = "a"\n', 0o644))


@pytest.mark.parametrize(
    ("places", "environ", "sent"),
    [
        (VENUE, BOTH, True),
        (("wss://stream.venue.com:8443/other?x=1",), BOTH, True),
        (("wss://elsewhere.com/v2",), BOTH, False),
        (("wss://elsewhere.com/v2",), TRIAL, False),
        ((VENUE[0], "https://elsewhere.com/list"), TRIAL, False),
        (("wss://stream.venue.com.elsewhere.com/v2",), TRIAL, False),
        (("wss://stream.venue.com@elsewhere.com/v2",), TRIAL, False),
        (("ws://stream.venue.com/v2",), TRIAL, False),
        (("ws://127.0.0.1:9000/v2",), BOTH, False),
        (("ws://127.0.0.1:9000/v2", "http://localhost:9000/list", "ws://[::1]:1/"), TRIAL, True),
        (("ws://127.0.0.1.elsewhere.com/v2",), TRIAL, False),
        (("ws://127.0.0.1:9000/v2",), BOTH | {"TAPEVIEW_KEYS_TO_LOOPBACK": "yes"}, False),
    ],
)
def test_a_key_goes_to_the_venues_own_hosts_alone_and_to_this_machine_where_that_is_said(
    places: tuple[str, ...], environ: dict[str, str], sent: bool
) -> None:
    assert (keys.find_for("x", NAMES, places, VENUE, environ) is not None) is sent


def test_where_a_key_is_needed_a_missing_one_is_named_and_elsewhere_it_is_not() -> None:
    with pytest.raises(BadInput, match="SOME_KEY and SOME_SECRET"):
        keys.find_for("x", NAMES, VENUE, VENUE, {"TAPEVIEW_KEYS": "/nowhere"})
    assert keys.find_for("x", NAMES, ["ws://127.0.0.1:1/"], VENUE, {"TAPEVIEW_KEYS_TO_LOOPBACK": "1"}) is None
