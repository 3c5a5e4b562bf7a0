"""A venue to practise on: any recording or capture served on loopback as its venue would, with faults on command."""

from feeds.mirror.faults import KINDS, Plan, parse_fault
from feeds.mirror.reel import Reel, open_reel
from feeds.mirror.server import Mirror

__all__ = ["KINDS", "Mirror", "Plan", "Reel", "open_reel", "parse_fault"]
