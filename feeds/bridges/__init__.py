"""Venues reached through somebody else's library, each an extra: Databento, Interactive Brokers, and ccxt's exchanges.

A bridge brings rows and no frames: what its library swallowed before is not recorded. Addresses are
`databento:DATASET/SYMBOL`, `ib:SYMBOL` and `ccxt-EXCHANGE:SYMBOL`.
"""

from __future__ import annotations

from collections.abc import Iterable

from feeds.bridges._bridge import Bridge
from feeds.errors import BadInput

__all__ = ["Bridge", "bridge", "bridged"]


def bridge(name: str) -> type[Bridge] | None:
    """The bridge to a venue of an address, None where it is none."""
    if name == "databento":
        from feeds.bridges.databento import DatabentoBridge

        return DatabentoBridge
    if name == "ib":
        from feeds.bridges.ib import IbBridge

        return IbBridge
    if name.startswith("ccxt-"):
        from feeds.bridges.ccxt import ccxt_bridge

        return ccxt_bridge(name)
    return None


def bridged(addresses: Iterable[str]) -> Bridge | None:
    """The bridge of some addresses, with or without `live:` before them; None where none of them leads to one.

    Raises BadInput where they lead to several, or to venues as well.
    """
    found = [address.removeprefix("live:").partition(":") for address in addresses]
    kinds = {name: bridge(name) for name, _, _ in found}
    kind = next((kind for kind in kinds.values() if kind is not None), None)
    if kind is None:
        return None
    if len(kinds) > 1:
        raise BadInput("addresses", ", ".join(kinds), "those of one bridge alone")
    return kind(list(dict.fromkeys(symbol for _, _, symbol in found)))
