"""Slow inputs: short interest, float, borrow fee, option volumes and the like, from files as they are published.

A file becomes `Fact`s (what, for whom, as of when, known from when), facts become FACT rows. `read_facts` reads a file
or a folder, `WithFacts` puts facts into a source at the moments they became known, `WatchedFolder` tells what is new.
"""

from __future__ import annotations

from feeds.facts.fact import Fact, Parsed, consistent
from feeds.facts.files import parse_facts, read_facts
from feeds.facts.folder import WatchedFolder
from feeds.facts.kinds import KINDS, is_stale
from feeds.facts.merge import WithFacts
from feeds.facts.rows import Subjects, fact_rows

__all__ = [
    "KINDS", "Fact", "Parsed", "Subjects", "WatchedFolder", "WithFacts", "consistent", "fact_rows", "is_stale",
    "parse_facts", "read_facts",
]  # fmt: skip
