"""`tapeview detectors [NAME]`: the list; one detector's rule, thresholds, sources, worked cases."""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

import msgspec

from feeds.errors import BadInput
from tapeview.cli import _common as common

if TYPE_CHECKING:
    from tapeview.alert import Alert
    from tapeview.detectors._calibration import Map
    from tapeview.detectors._declare import Case, Detector

_VENUES: Final = {"future": "cme", "crypto": "binance-futures", "equity": "nasdaq", "other": "test"}
_SENTENCE: Final = re.compile(r"(.+?[.;])(?:\s|\Z)", re.DOTALL)
_SCRIPT: Final = 160


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one detector, in full")
    parser.add_argument("--scripts", action="store_true", help="print the worked cases' scripts whole")
    parser.add_argument("--set", action="append", default=argparse.SUPPRESS, metavar="KEY=VALUE")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the detectors or tell of one; exit 1 where a worked case gives something else than it says."""
    from tapeview import config
    from tapeview.detectors import load, names

    if args.name is not None and args.name not in names():
        near = difflib.get_close_matches(args.name, names(), 1)
        raise BadInput("detectors", args.name, f"{near[0]!r}?" if near else "one of " + ", ".join(names()))
    loaded = common.settings(args)
    if args.name is None:
        on = config.thresholds(loaded)
        listed = [
            {
                "name": name, "title": load()[name].title, "on": name in on, "methods": load()[name].methods,
                "rule": _first_sentence(load()[name].rule),
            }
            for name in names()
        ]  # fmt: skip
        if args.json:
            for one in listed:
                common.emit(one)
        else:
            _print_list(listed)
        return 0
    about = _about(args.name, load()[args.name], loaded)
    common.emit(about) if args.json else _print_one(about, scripts=args.scripts)
    return 0 if all(case["as_said"] for case in about["cases"]) else 1


def _first_sentence(rule: str) -> str:
    found = _SENTENCE.match(rule)
    return found[1] if found else rule


def _print_list(listed: list[dict[str, Any]]) -> None:
    width = max(40, min(shutil.get_terminal_size((100, 24)).columns, 160))
    for one in listed:
        silent = "" if one["on"] else "  (off)"
        sys.stdout.write(f"{one['name']}  {one['title']}{silent}\n")
        sys.stdout.write(f"  methods: {', '.join(one['methods'])}\n")
        sys.stdout.write(textwrap.fill(one["rule"], width, initial_indent="  ", subsequent_indent="  ") + "\n")


# -- one detector ---------------------------------------------------------------------------------


def _about(name: str, detector: Detector, loaded: Any) -> dict[str, Any]:
    from tapeview import config
    from tapeview.detectors._calibration import calibration

    now = config.thresholds(loaded, silent=True)[name]
    thresholds = []
    for field in msgspec.structs.fields(detector.thresholds):
        schema = config.threshold_schema(detector.thresholds, field.name)
        thresholds.append(
            {
                "key": field.name, "value": getattr(now, field.name), "default": field.default,
                "least": schema.get("minimum"), "most": schema.get("maximum"), "description": schema["description"],
                "source": schema["source"],
                "from": loaded.origin.get(f"detectors.{name}.{field.name}", "default"),
            }
        )  # fmt: skip
    maps = {
        key: known for key, known in calibration().maps.items() if key.partition(".")[0] == name
    }  # the keys are detector.method.tier
    return {
        "name": name, "title": detector.title, "rule": detector.rule, "methods": detector.methods,
        "clears": [reason for reason in detector.reasons if reason], "reads_stories_of": detector.after,
        "knob": detector.knob or None, "evidence": detector.evidence, "thresholds": thresholds,
        "calibration": {key: _map(known) for key, known in sorted(maps.items())},
        "baselines": {rule: dict(values) for rule, values in detector.baselines.items()},
        "cases": [_played(name, detector, case) for case in detector.cases],
    }  # fmt: skip


def _map(known: Map) -> dict[str, Any]:
    return {"alerts": known.alerts, "fitted_on": known.fitted_on, "steps": len(known.score)}


def _played(name: str, detector: Detector, case: Case) -> dict[str, Any]:
    alerts = play(name, detector, case)
    texts = [alert.text for alert in alerts]
    as_said = len(texts) == len(case.alerts) and all(
        text.startswith(begins) for text, begins in zip(texts, case.alerts, strict=True)
    )
    return {
        "story": case.story, "tier": case.tier, "asset": case.asset, "thresholds": dict(case.thresholds),
        "script": case.script, "said": case.alerts, "gives": texts, "phases": [alert.phase for alert in alerts],
        "as_said": as_said,
    }  # fmt: skip


def play(name: str, detector: Detector, case: Case) -> list[Alert]:
    """The detector's alerts in a worked case; compiles nothing."""
    from feeds import script
    from feeds.instruments import Instrument
    from tapeview.engine import Engine
    from tapeview.watch import Watch, default_thresholds

    fields: dict[str, Any] = {"venue": _VENUES[case.asset], "symbol": "X", "tick": "1"} | dict(case.instrument)
    about = Instrument(**fields)
    thresholds = default_thresholds(detector.after) | {name: detector.thresholds(**case.thresholds)}
    watch = Watch(about, case.tier, thresholds)
    found = watch.apply(Engine(about).apply(script.events(case.script)))
    return [one.alert for one in found if one.alert.detector == name]


# -- on paper -------------------------------------------------------------------------------------


def _print_one(about: dict[str, Any], *, scripts: bool) -> None:
    width = max(40, min(shutil.get_terminal_size((100, 24)).columns, 160))

    def wrapped(text: str, indent: str = "") -> None:
        sys.stdout.write(textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent) + "\n")

    sys.stdout.write(f"{about['name']}: {about['title']}\n\n")
    wrapped(about["rule"])
    sys.stdout.write("\n")
    common.pairs(
        [
            ("methods", ", ".join(about["methods"])),
            ("clears", ", ".join(about["clears"])),
            ("builds on", ", ".join(about["reads_stories_of"])),
            ("evidence", ", ".join(about["evidence"])),
            ("how easily", about["knob"]),
            ("calibration", ", ".join(_calibrated(*item) for item in about["calibration"].items()) or _NO_MAP),
            ("baselines", "; ".join(f"{rule} ({_numbers(values)})" for rule, values in about["baselines"].items())),
        ]
    )
    sys.stdout.write(f"\n[detectors.{about['name']}]\n")
    for one in about["thresholds"]:
        changed = "" if one["value"] == one["default"] else f", default {_number(one['default'])}, from {one['from']}"
        bounds = f"{_number(one['least'])} to {_number(one['most'])}"
        sys.stdout.write(f"{one['key']} = {_number(one['value'])}  ({bounds}{changed})\n")
        wrapped(f"{one['description']} Default: {_source(one['source'])}.", "    ")
    sys.stdout.write("\nWorked cases\n")
    for number, case in enumerate(about["cases"], 1):
        with_ = f"; {_numbers(case['thresholds'])}" if case["thresholds"] else ""
        sys.stdout.write(f"{number}. {case['story']} ({case['asset']}, tier {case['tier']}{with_})\n")
        script = " ".join(case["script"].split())
        wrapped(script if scripts or len(script) <= _SCRIPT else script[:_SCRIPT] + " …", "     ")
        for phase, text in zip(case["phases"], case["gives"], strict=True):
            sys.stdout.write(f"   {phase:<9} {text}\n")
        if not case["gives"]:
            sys.stdout.write("   quiet\n")
        if not case["as_said"]:
            said = " | ".join(case["said"]) or "nothing"
            sys.stdout.write(f"   NOT AS SAID, which is: {said}\n")


_SOURCES: Final = {
    "P": "paper", "X": "exchange, regulator or vendor", "M": "measured", "S": "users' guide", "J": "judgement",
    "B": "fitted",
}  # fmt: skip


def _source(tag: str) -> str:
    kind, _, more = tag.partition(":")
    said = _SOURCES.get(kind, kind)
    return f"{said}, {more.strip()}" if more.strip() else said


_NO_MAP: Final = "none yet: alerts show their score"


def _calibrated(key: str, known: dict[str, Any]) -> str:
    return f"{key} ({known['alerts']} alerts, {known['fitted_on']})"


def _numbers(values: dict[str, float]) -> str:
    return ", ".join(f"{key} = {_number(value)}" for key, value in values.items())


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
