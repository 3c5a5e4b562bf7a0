"""Which key events are presses of a person's, and which the terminal's own repeats of a key held down."""

from __future__ import annotations

from typing import Final

HELD_S: Final = 0.7
"""The same key again within this of the last time, no other between, is taken for one held down.

Systems repeat a key first after 0.25 to 0.66 s (X11 0.66, Windows 0.5, GNOME 0.5, macOS 0.38, Linux console 0.25) and
then every 0.03 to 0.09 s. A terminal that tells repeats from presses (the kitty keyboard protocol) is believed instead.
"""


class Presses:
    """Tell one press from the next."""

    def __init__(self) -> None:
        self._key = ""
        self._at_s = 0.0

    def fresh(self, key: str, at_s: float, *, held: bool = False, exact: bool = False) -> bool:
        """Take a key event at a monotonic time; False where the key was held since the last one.

        `held`: the terminal itself says so; `exact`: it would say so, and no time is needed to tell them apart.
        """
        again = key == self._key and at_s - self._at_s <= HELD_S
        self._key, self._at_s = key, at_s
        return not held and (exact or not again)
