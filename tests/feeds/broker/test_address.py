"""Where a broker is and who one is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds.broker.address import Login, Place, login, parse_address, parse_target
from feeds.errors import BadInput


@pytest.mark.parametrize(
    ("text", "place", "name", "begin", "end", "now"),
    [
        ("broker://desk/okx:BTC-USDT", Place("desk"), "okx:BTC-USDT", None, None, False),
        ("broker://desk:5222/kraken:BTC/USD?from=12&to=20", Place("desk", 5222), "kraken:BTC/USD", 12, 20, False),
        ("broker://[::1]/okx:A?from=first&to=now&tls=on", Place("::1", 4222, True), "okx:A", 0, None, True),
    ],
)
def test_addresses(text: str, place: Place, name: str, begin: int | None, end: int | None, now: bool) -> None:
    read = parse_address(text)
    assert (read.place, read.name, read.begin, read.end, read.until_now) == (place, name, begin, end, now)


@pytest.mark.parametrize(
    "text",
    [
        "broker://", "broker://desk", "broker://desk/okx", "broker://desk/:A", "broker:///okx:A", "broker://d:x/okx:A",
        "broker://d:0/okx:A", "broker://d:99999/okx:A", "nats://desk/okx:A", "broker://desk/okx:A?from=-1",
        "broker://desk/okx:A?from=x", "broker://desk/okx:A?what=1", "broker://desk/okx:A?from=9&to=3",
        "broker://desk/okx:A?tls=maybe", "broker://[desk/okx:A", "broker://desk/okx:A#f",
    ],
)  # fmt: skip
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(BadInput):
        parse_address(text)


def test_targets() -> None:
    assert parse_target("nats://desk") == (Place("desk"), 86_400, -1)
    assert parse_target("tls://desk:4?keep=30m&bytes=1000") == (Place("desk", 4, True), 1800, 1000)
    assert Place("::1", 4, True).text == "tls://[::1]:4"


@pytest.mark.parametrize(
    "text", ["desk", "http://desk", "nats://desk/okx", "nats://desk?keep=1", "nats://desk?keep=0h", "nats://d?bytes=x"]
)
def test_targets_that_are_none(text: str) -> None:
    with pytest.raises(BadInput):
        parse_target(text)


@pytest.mark.parametrize("text", ["nats://me:s3cret@desk", "broker://me:s3cret@desk/okx:A", "nats://s3cret@[x"])
def test_a_login_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        (parse_target if text.startswith("nats") else parse_address)(text)
    assert "s3cret" not in str(refused.value)


def test_a_login_comes_from_the_environment_and_says_nothing_of_itself() -> None:
    who = login({"TAPEVIEW_BROKER_USER": "me", "TAPEVIEW_BROKER_PASSWORD": "s3cret"})
    assert who == ("me", "s3cret", None)
    assert "s3cret" not in repr(who)
    assert login({"TAPEVIEW_BROKER_TOKEN": "t"}).token == "t"
    assert login({}) == Login()


def test_a_file_with_a_login_is_read_only_where_nobody_else_can(tmp_path: Path) -> None:
    path = tmp_path / "login"
    path.write_text('user = "me"\npassword = "s3cret"\n')
    environ = {"TAPEVIEW_BROKER_LOGIN": str(path)}
    for mode in (0o640, 0o604, 0o644):
        path.chmod(mode)
        with pytest.raises(BadInput, match="chmod 600"):
            login(environ)
    path.chmod(0o600)
    assert login(environ) == ("me", "s3cret", None)


@pytest.mark.parametrize("text", ["password s3cret", 'key = "s3cret"', "password = 3", b"\xff\xfe"])
def test_a_file_that_is_no_login_is_refused_without_its_content(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "login"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    with pytest.raises(BadInput) as refused:
        login({"TAPEVIEW_BROKER_LOGIN": str(path)})
    assert "s3cret" not in str(refused.value)
    with pytest.raises(BadInput, match="a readable file"):
        login({"TAPEVIEW_BROKER_LOGIN": str(tmp_path / "none")})
