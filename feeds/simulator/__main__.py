"""`python -m feeds.simulator`: record a simulated session, or print how real one looks."""

from __future__ import annotations

import argparse
import sys

from feeds.errors import BadInput
from feeds.simulator.profiles import PROFILES
from feeds.simulator.realism import measure, table
from feeds.simulator.recorder import COMMAND, write_recording
from feeds.source import open_source


def main(arguments: list[str] | None = None) -> int:
    """Run the command and give its exit code: 0, or 2 for input it cannot take."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Record a simulated session, or compare it with others.")
    parser.add_argument("--profile", default="mes", help=f"one of {', '.join(PROFILES)} (default mes)")
    parser.add_argument("--seed", default="1", help="a whole number; the same seed gives the same session (default 1)")
    parser.add_argument("--minutes", default="6", help="length of the session (default 6)")
    parser.add_argument("-o", "--out", metavar="DIR", help="write the session as a recording to this folder")
    parser.add_argument("--figures", action="store_true", help="print spread, depth, pace, signs and volatility")
    parser.add_argument(
        "--compare", action="append", default=[], metavar="SOURCE", help="print them beside another source's"
    )
    given = parser.parse_args(arguments)
    if not (given.out or given.figures or given.compare):
        parser.error("nothing to do: give -o DIR, --figures or --compare SOURCE")
    try:
        if given.out:
            write_recording(given.out, given.profile, given.seed, given.minutes)
        if given.figures or given.compare:
            simulated = f"simulator:seed={given.seed},minutes={given.minutes},profile={given.profile}"
            print(_compare([simulated, *given.compare]))  # noqa: T201
    except BadInput as refused:
        print(f"{COMMAND}: {refused}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _compare(addresses: list[str]) -> str:
    columns = []
    for address in addresses:
        source = open_source(address)
        name = address if len(address) <= 38 else "…" + address[-37:]
        columns.append((name, source.instruments[0], measure(source.batches())))
        source.close()
    return table(columns)


if __name__ == "__main__":
    sys.exit(main())
