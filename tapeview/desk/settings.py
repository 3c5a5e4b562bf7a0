"""What the desk goes by besides its limits: the account, its costs, and what the keys are set to."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from tapeview.desk.limits import Limits


class BracketSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exits that an entry brings with it."""

    on: Annotated[bool, Meta(description="Entries bring a stop and targets.")] = True
    stop_ticks: Annotated[int, Meta(ge=1, le=10_000, description="Distance of the stop, in ticks.")] = 8
    targets: Annotated[
        list[Annotated[int, Meta(ge=1, le=100_000)]],
        Meta(max_length=4, description="Distances of the targets in ticks, nearest first; each takes an equal share."),
    ] = msgspec.field(default_factory=lambda: [16])
    trail: Annotated[bool, Meta(description="The stop trails once as much was gained as it lies away.")] = False
    scale_out: Annotated[
        bool, Meta(description="Half goes out near the first target and the rest trails; other targets are left out.")
    ] = False


class DeskSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Paper trading: whose account, what it costs, what the keys do."""

    account: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]{0,40}$",
            description="Name of the paper account; empty: practice for recordings, paper for live markets.",
        ),
    ] = ""
    equity: Annotated[
        str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,2})?$", description="What an account begins with.")
    ] = "25000"
    costs: Annotated[
        str,
        Meta(description="Name of a profile of costs; empty: that of the venue or of the contract, else free."),
    ] = ""
    calendar: Annotated[
        str,
        Meta(
            pattern="^(auto|futures|crypto|equities)$",
            description="When the account's day rolls: futures, crypto, equities, or auto by the venue.",
        ),
    ] = "auto"
    lots: Annotated[
        list[Annotated[int, Meta(ge=1, le=1_000_000_000)]],
        Meta(min_length=5, max_length=5, description="Lots of the keys for sizes 1 to 5."),
    ] = msgspec.field(default_factory=lambda: [1, 2, 3, 5, 10])
    volumes: Annotated[
        str, Meta(description="File of daily volumes (CSV: date, symbol, volume, close) that sizes are held to.")
    ] = ""
    notes: Annotated[str, Meta(description="File of dated notes (TOML or CSV) that entries are warned of.")] = ""
    idle_s: Annotated[int, Meta(ge=5, le=3600, description="Seconds without a key after which keys disarm.")] = 120
    blind: Annotated[bool, Meta(description="Hide profit and loss while a position is open; R is told.")] = True
    limits: Limits = Limits()
    bracket: BracketSettings = BracketSettings()
