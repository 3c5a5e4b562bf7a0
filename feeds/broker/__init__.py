"""One capture, many readers: a capture's rows on a broker, and an address on a broker as a source of rows."""

from __future__ import annotations
