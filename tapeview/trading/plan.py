"""How a market is to be traded on: in whose name, into which journal, or which run is to be made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from feeds.errors import BadInput
from feeds.source import OpenOptions
from tapeview.trading.account import Account
from tapeview.trading.again import Again, KeptRun, read_run, settings_of
from tapeview.trading.lane import Trading

if TYPE_CHECKING:
    from tapeview.alertlog import AlertLog
    from tapeview.backoffice import BackOffice
    from tapeview.config import Config
    from tapeview.detectors._declare import Thresholds
    from tapeview.session import Session


class Plan(NamedTuple):
    """What the command line says of trading."""

    office: BackOffice
    account: str = ""
    """The account's name; '' for the one of the settings."""
    again: int | None = None
    """The run of the journal that is made again; None for trading as it comes."""


class Repeat(NamedTuple):
    """A run to be made again, with the settings and thresholds it was made under."""

    kept: KeptRun
    settings: Config
    thresholds: Mapping[str, Thresholds]


def repeat(plan: Plan, settings: Config) -> Repeat | None:
    """The run that is to be made again, None where none is; raise BadInput where that cannot be."""
    if plan.again is None:
        return None
    kept = read_run(plan.office.path, plan.again)
    if kept.about.watch_from >= 0:
        raise BadInput("--journal", plan.again, "a run whose detectors ran from the start; journal verify takes any")
    return Repeat(kept, *settings_of(kept.about, settings))


def open_account(plan: Plan, settings: Config, again: Repeat | None, *, live: bool) -> Account:
    """The account that is traded under."""
    if again is None:
        return Account(settings, plan.office, live=live, name=plan.account)
    about = again.kept.about
    return Account(again.settings, None, live=about.live, name=about.account, again=True)


def open_lane(
    account: Account, again: Repeat | None, session: Session, log: Callable[[], AlertLog], **more: Any
) -> Trading:
    """Paper trading of one session; `more` as Trading takes it."""
    if again is None:
        return Trading(session, account, log, **more)
    names = tuple(instrument.name for instrument in session.instruments)
    about = again.kept.about
    if about.instruments and about.instruments != names:
        raise BadInput(
            "--journal", again.kept.run.id, f"a run on {', '.join(names)}, not {', '.join(about.instruments)}"
        )
    made = Again(again.kept, session, account, log)
    content: Callable[[], str] = more.get("content", str)
    if about.content and content() not in ("", about.content):
        made.differences.append("the source holds other events than it did")
        account.say("again", f"run {again.kept.run.id}: the source holds other events than it did")
    return made


def options_of(options: OpenOptions) -> dict[str, Any]:
    """What a person said of a source, as far as it is not the default."""
    plain: dict[str, Any] = msgspec.to_builtins(options)
    default = msgspec.to_builtins(OpenOptions())
    return {name: value for name, value in plain.items() if value != default[name]}
