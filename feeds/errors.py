"""What goes wrong with input, said so that a person can mend it."""

from __future__ import annotations


class BadInput(ValueError):
    """Refuse an input: names the place, the value found and what was expected there.

    Every reader, parser and address raises this and nothing else for input it cannot take,
    so that a command line can answer with one line and exit code 2.
    """

    def __init__(self, place: str, value: object = None, expected: str = "") -> None:
        self.place = place
        self.value = value
        self.expected = expected
        text = place
        if value is not None:
            shown = value if isinstance(value, str) else repr(value)
            shown = shown if len(shown) <= 80 else shown[:77] + "..."
            text += f": got {''.join(c if c.isprintable() else '�' for c in shown)!r}"
        if expected:
            text += f", expected {expected}"
        super().__init__(text)


class MissingExtra(BadInput):
    """Refuse because an optional dependency is not installed; names the extra that brings it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'tapeview[{extra}]'")
        self.extra = extra
