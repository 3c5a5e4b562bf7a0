"""What can be planted in a simulated market, each with a label in the truth."""

from __future__ import annotations

from typing import Final

from feeds.simulator.plants._contract import Context, Label, Note, Planned, Plant, Setting, read_settings
from feeds.simulator.plants.absorber import ABSORBER
from feeds.simulator.plants.cascade import CASCADE
from feeds.simulator.plants.hidden_seller import HIDDEN_SELLER
from feeds.simulator.plants.iceberg import ICEBERG, NATIVE, SYNTHETIC
from feeds.simulator.plants.ignition import IGNITION
from feeds.simulator.plants.phases import AUCTION, HALT
from feeds.simulator.plants.pulled import PULLED
from feeds.simulator.plants.squeeze import SQUEEZE
from feeds.simulator.plants.vwap import VWAP

PLANTED: Final = {
    plant.name: plant
    for plant in (
        ICEBERG, NATIVE, SYNTHETIC, ABSORBER, HIDDEN_SELLER, PULLED, SQUEEZE, IGNITION, VWAP, AUCTION, HALT, CASCADE,
    )
}  # fmt: skip
"""Kinds of plants by name."""

__all__ = ["PLANTED", "Context", "Label", "Note", "Planned", "Plant", "Setting", "read_settings"]
