"""Faults on command: what a mirror can do wrong, when, and the plan that decides it, the same for the same seed.

`NAME`, `NAME:VALUE` or `NAME:KEY=VALUE:...`. When: `at=100` (the hundredth frame), `at=5s` (five seconds of the
recording after its first frame), `every=50` or `every=10s`, `chance=0.01` (of each frame, by the seed). `times=N`
bounds how often, `of=TEXT` counts only frames whose subscription's name holds the text. Faults of handshakes and of
answers over HTTP are there from the beginning, or from `at=5s`.
"""

from __future__ import annotations

import difflib
import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from feeds.errors import BadInput

_S: Final = 1_000_000_000
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?\Z", re.ASCII)
_UNITS: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0}
_LONGEST_S: Final = 86_400.0
SENDABLE: Final = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
"""Close codes that can be shown: 1005 is a close without a code, 1006 an end without a close."""
GARBAGE: Final = ("bytes", "utf8", "cut", "types")


class Kind(msgspec.Struct, frozen=True):
    """A kind of fault."""

    text: str
    on: str
    """frame, time, client, handshake or answer: what it happens to."""
    main: str = ""
    """The key whose value may stand alone."""
    args: dict[str, str | float] = {}
    """Keys beside when, with what they are where nobody says."""
    when: str = "at=5s"


KINDS: Final = {
    "drop": Kind("frames are not sent: n of them in a row", "frame", "n", {"n": 1.0}),
    "duplicate": Kind("a frame is sent twice", "frame"),
    "reorder": Kind("a frame changes places with the next of its subscription", "frame"),
    "gap": Kind("nothing that happens within so many seconds is ever sent", "frame", "for", {"for": 2.0}),
    "stall": Kind("nothing is sent for so many seconds, then all of it at once", "time", "for", {"for": 3.0}),
    "mute": Kind(
        "clients hear nothing more, no heartbeat either; pings are answered (0: for ever)", "client", "for",
        {"for": 0.0},
    ),
    "half-open": Kind("clients get no data, no pong and no end, as over a cable that was pulled", "client"),
    "slow-handshake": Kind("a handshake takes so many seconds", "handshake", "s", {"s": 12.0}, "times=1"),
    "garbage": Kind(
        "a frame is replaced: bytes, utf8 (not valid), cut (half of it), types (wrong ones)", "frame", "kind",
        {"kind": "cut"},
    ),
    "huge": Kind("a frame of so many MiB is sent", "frame", "mb", {"mb": 20.0}),
    "checksum": Kind("a stated checksum is wrong by one", "frame"),
    "close": Kind("connections are closed with a code; 1006: without a word", "client", "code", {"code": 1012.0}),
    "refuse": Kind(
        "an HTTP status answers: on=ws handshakes, rest, or both; retry=SECONDS says how long to wait", "handshake",
        "status", {"status": 429.0, "retry": 0.0, "on": "both"}, "times=1",
    ),
    "ban": Kind("connections end, and for so many seconds the address is refused with 418", "client", "s", {"s": 30.0}),
    "reset": Kind("connections are reset (RST)", "client", "", {}, "every=10s"),
    "skew": Kind("the venue's times are off by so many ms from then on", "frame", "ms", {"ms": 5000.0}, "at=1"),
    "slow-rest": Kind("an answer over HTTP takes so many seconds", "answer", "s", {"s": 12.0}, "times=1"),
    "stale-rest": Kind("a snapshot over HTTP is the first there was", "answer", "", {}, "times=1"),
}  # fmt: skip
"""Kinds of faults by name."""
_WHEN: Final = ("at", "every", "chance", "times", "of")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that is asked for."""

    name: str
    args: dict[str, str | float]
    at: int | None = None
    at_ns: int | None = None
    every: int | None = None
    every_ns: int | None = None
    chance: float = 0.0
    times: int | None = None
    of: str = ""


def parse_fault(text: str) -> Fault:
    """Read `NAME[:ARGS]`; raises BadInput that lists what there is."""
    name, _, rest = text.partition(":")
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, 1)
        raise BadInput("--fault", name, (f"{near[0]!r}? There are " if near else "one of ") + ", ".join(KINDS))
    kind = KINDS[name]
    args = dict(kind.args)
    said: dict[str, str] = {}
    for i, part in enumerate(rest.split(":") if rest else []):
        key, equals, value = part.partition("=")
        if not equals and i == 0 and kind.main:
            key, value = kind.main, part
        if key not in args and key not in _WHEN:
            raise BadInput(f"--fault {text}", key, "one of " + ", ".join([*args, *_WHEN]))
        said[key] = value
    for key, default in args.items():
        if key in said:
            args[key] = said[key] if isinstance(default, str) else _number(text, key, said[key])
    _check(text, name, args)
    when: dict[str, str] = {key: said[key] for key in _WHEN if key in said}
    if not when.keys() & {"at", "every", "chance", *(("times",) if "times" in kind.when else ())}:
        key, _, value = kind.when.partition("=")
        when[key] = value
    return msgspec.convert({"name": name, "args": args, **_when(text, when)}, Fault)


def _check(text: str, name: str, args: dict[str, str | float]) -> None:
    if name == "garbage" and args["kind"] not in GARBAGE:
        raise BadInput(f"--fault {text}", str(args["kind"]), "one of " + ", ".join(GARBAGE))
    if name == "refuse" and (args["on"] not in ("ws", "rest", "both") or not 400 <= float(args["status"]) <= 599):
        raise BadInput(
            f"--fault {text}", f"{args['status']} on {args['on']}", "a status of 400 to 599 on ws, rest or both"
        )
    code = args.get("code")
    if code is not None and code not in SENDABLE and not 3000 <= float(code) <= 4999:
        codes = ", ".join(map(str, sorted(SENDABLE)))
        raise BadInput(f"--fault {text}", code, f"a close code: {codes}, 3000 to 4999")
    if name == "drop" and float(args["n"]) < 1:
        raise BadInput(f"--fault {text}", args["n"], "at least 1 frame")
    if name == "huge" and not 0 < float(args["mb"]) <= 256:
        raise BadInput(f"--fault {text}", args["mb"], "at most 256 MiB")


def _number(text: str, key: str, value: str) -> float:
    found = _TIME.match(value.removeprefix("-") if key == "ms" else value)
    if found is None or float(found[1]) * _UNITS[found[2]] > (10**9 if key == "ms" else _LONGEST_S):
        raise BadInput(f"--fault {text}", value, f"a number for {key}")
    return float(found[1]) * _UNITS[found[2]] * (-1 if value.startswith("-") else 1)


def _when(text: str, said: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in said.items():
        match = _TIME.match(value)
        if key == "of":
            found["of"] = value
        elif match is None or float(match[1]) * _UNITS[match[2]] > _LONGEST_S * (1 if match[2] else 10**6):
            raise BadInput(f"--fault {text}", f"{key}={value}", "a number of frames, or a time such as 5s")
        elif key == "chance":
            if match[2] or not 0 < float(match[1]) <= 1:
                raise BadInput(f"--fault {text}", f"{key}={value}", "a chance above 0 and up to 1")
            found["chance"] = float(match[1])
        elif key == "times" or match[2] is None:
            if match[2] or "." in value or int(value) < 1:
                raise BadInput(f"--fault {text}", f"{key}={value}", "a whole number from 1, or a time such as 5s")
            found[key] = int(value)
        else:
            found[f"{key}_ns"] = max(1, round(float(match[1]) * _UNITS[match[2]] * _S))
    return found


class Done(NamedTuple):
    """A fault that is to be done now."""

    name: str
    args: dict[str, str | float]


class _Armed:
    def __init__(self, fault: Fault, seed: int, number: int) -> None:
        self.fault = fault
        self._luck = random.Random(f"{seed} {number} {fault.name}")
        self._frames = 0
        self._beat = 0
        self.left = fault.times if fault.times is not None else 1 if fault.at or fault.at_ns else -1

    def fires(self, topic: str, since_ns: int) -> bool:
        fault = self.fault
        if fault.of not in topic:
            return False
        self._frames += 1
        # Every frame draws, so that a bound on how often moves no other.
        lucky = fault.chance > 0 and self._luck.random() < fault.chance
        due = lucky or self._frames == fault.at or (fault.every is not None and self._frames % fault.every == 0)
        if fault.at_ns is not None and since_ns >= fault.at_ns:
            due = True
        if fault.every_ns is not None and since_ns // fault.every_ns > self._beat:
            self._beat = since_ns // fault.every_ns
            due = True
        return due and self.take()

    def take(self) -> bool:
        if self.left == 0:
            return False
        self.left -= 1
        return True


class Plan:
    """What is done when, decided by the frames that pass and by the seed alone."""

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self.faults = tuple(faults)
        self.done: Counter[str] = Counter()
        """How often each fault was done."""
        self._seed = seed
        self.begin()

    def begin(self) -> None:
        """Start anew, as at a recording's beginning."""
        self._armed = [_Armed(one, self._seed, i) for i, one in enumerate(self.faults)]
        self._since_ns = 0

    def on_frame(self, topic: str, since_ns: int) -> list[Done]:
        """What happens to a frame, and to clients when it passes."""
        self._since_ns = since_ns
        found = []
        for one in self._armed:
            if KINDS[one.fault.name].on in ("frame", "time", "client") and one.fires(topic, since_ns):
                self.done[one.fault.name] += one.fault.name != "checksum"
                found.append(Done(one.fault.name, one.fault.args))
        return found

    def on_request(self, *names: str, on: str = "") -> Done | None:
        """What happens to a handshake or an answer over HTTP."""
        for one in self._armed:
            fault = one.fault
            if fault.name not in names or (on and fault.args.get("on", on) not in (on, "both")):
                continue
            if fault.at_ns is not None and self._since_ns < fault.at_ns:
                continue
            if fault.chance and one._luck.random() >= fault.chance:
                continue
            if one.take():
                self.done[fault.name] += 1
                return Done(fault.name, fault.args)
        return None
