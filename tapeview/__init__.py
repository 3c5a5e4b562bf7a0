"""The order-flow terminal: one deterministic engine for live, replay and scan."""

from __future__ import annotations

__version__ = "0.1.0"
