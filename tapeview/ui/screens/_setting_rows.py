"""What the settings screen writes: rows of the list, and what is told of a field beside it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textual.content import Content

from tapeview.ui.keys import in_words
from tapeview.ui.screens._rates import bars

if TYPE_CHECKING:
    from tapeview.ui.screens._draft import Draft, Field

_NAME: Final = 20
_VALUE: Final = 10
_BOUNDS: Final = 15
_TAG: Final = 4
_ORIGIN: Final = 9


class Columns:
    """Where the columns of the list begin at a width in cells."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.value_at = 4 + _NAME
        self.value = _VALUE
        rest = width - self.value_at - _VALUE - 2
        self.default = _VALUE if rest > _VALUE + _ORIGIN else 0
        rest -= self.default + 1 if self.default else 0
        self.bounds = _BOUNDS if rest > _BOUNDS + _ORIGIN else 0
        rest -= self.bounds + 1 if self.bounds else 0
        self.tag = _TAG if self.bounds and rest >= _TAG + _ORIGIN else 0
        self.origin = max(0, rest - self.tag)

    @property
    def text_room(self) -> int:
        """Cells from the value to the end of the row."""
        return max(12, self.width - self.value_at - 1)


def cut(text: str, width: int) -> str:
    """Text in at most so many cells."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def homely(path: str) -> str:
    """A path as a person reads it."""
    try:
        return "~/" + str(Path(path).relative_to(Path.home()))
    except ValueError:
        return path


def head(columns: Columns) -> Content:
    """The columns' names."""
    words = " " * columns.value_at + "value".rjust(columns.value) + "  "
    if columns.default:
        words += "default".rjust(columns.default) + " "
    if columns.bounds:
        words += " " + "bounds".ljust(columns.bounds)
    if columns.tag:
        words += "src".ljust(columns.tag)
    words += cut("from", columns.origin)
    return Content.styled(words, "$dim")


def heading(draft: Draft, section: str, opened: bool, columns: Columns, *, here: bool = False) -> Content:
    """The row of a section: its title, and where it is closed the value that matters most."""
    from tapeview.ui.screens._draft import text_of

    mark = "▾" if opened else "▸"
    fields = [field for field in draft.fields if field.section == section]
    changed = sum(draft.changed(field) for field in fields)
    own = sum(draft.origin(field) != "default" for field in fields) - changed
    told: list[tuple[str, str]] = []
    switch = next((field for field in fields if field.name == "detector"), None)
    if switch is not None and draft.value(switch) == "off":
        told.append(("off", "$stale"))
    if any(field.key[0] == "outlets" and field.name == "on" and draft.value(field) for field in fields):
        told.append(("on", "$last"))
    knob = next((field for field in fields if field.name == draft.knobs.get(section)), None)
    if knob is not None and not opened:
        told.append((f"{knob.name} {text_of(draft.value(knob))}", "$dim"))
    if own:
        told.append((f"{own} of your own", "$dim"))
    if changed:
        told.append((f"{changed} not saved", "$alert-warn"))
    parts: list[tuple[str, str]] = [(f"{'>' if here else ' '}{mark} ", "$last bold" if here else "$dim")]
    title = draft.titles[section]
    parts.append((title.ljust(columns.value_at - 3), "$loud bold"))
    for number, (words, style) in enumerate(told):
        parts.append((f"{' · ' if number else ' '}", "$dim"))
        parts.append((words, style))
    return _line(parts, columns.width)


def row(draft: Draft, field: Field, columns: Columns, error: str, *, here: bool = False) -> Content:
    """The row of a field; an error stands beside the value that caused it."""
    from tapeview.ui.screens._draft import text_of

    changed, value = draft.changed(field), text_of(draft.value(field))
    origin = draft.origin(field)
    mark = ("▸" if here else " ") + ("*" if changed else " ")
    parts: list[tuple[str, str]] = [
        (mark, "$alert-warn bold" if changed else "$last bold"),
        (f"  {cut(field.name, _NAME - 1).ljust(_NAME)}", "$text" if not here else "$loud"),
    ]
    style = "$alert-warn bold" if changed else "$loud" if origin != "default" else "$text"
    if field.kind in ("text", "list") and not error:
        parts.append((cut(value, columns.text_room) if value else "(none)".rjust(columns.value), style))
        return _line(parts, columns.width)
    parts.append((cut(value, columns.value).rjust(columns.value) + "  ", style))
    if error:
        parts.append((cut(error, columns.width - columns.value_at - columns.value - 3), "$error bold"))
        return _line(parts, columns.width)
    if columns.default:
        shown = text_of(field.default)
        parts.append((cut(shown, columns.default).rjust(columns.default) + " ", "$dim"))
    if columns.bounds:
        parts.append((" " + cut(field.bounds, columns.bounds - 1).ljust(columns.bounds), "$dim"))
    if columns.tag:
        parts.append((field.source.partition(":")[0].partition(",")[0][:1].ljust(columns.tag), "$dim"))
    if origin != "default":
        name = origin if origin in ("--set", "not saved") else Path(origin).name
        parts.append((cut(name, columns.origin), "$alert-warn" if changed else "$text"))
    return _line(parts, columns.width)


def _line(parts: list[tuple[str, str]], width: int) -> Content:
    line = Content.assemble(*parts)
    return line if line.cell_length <= width else line.truncate(width, ellipsis=True)


def title(changed: int, share: float | None, path: str, width: int) -> Content:
    """The first line: what is not saved, what is running, and the file."""
    parts: list[tuple[str, str]] = [(" Settings", "$loud bold")]
    if changed:
        parts.append((f"   {changed} not saved", "$alert-warn bold"))
    if share is not None:
        parts.append((f"   detectors run anew {share:4.0%}", "$last"))
    used = sum(len(words) for words, _ in parts)
    room = width - used - 4
    shown = path if len(path) <= room else "…" + path[len(path) - room + 1 :] if room > 8 else ""
    parts.append((shown.rjust(width - used - 1), "$dim"))
    return Content.assemble(*parts)


def keys(editing: bool, width: int, *, ascii_only: bool) -> Content:
    """The keys there are now, as many as fit."""
    if editing:
        known = [("Enter", "takes it"), ("Esc", "leaves it as it was"), ("Ctrl+S", "takes and saves")]
    else:
        known = [
            ("↑↓", "move"), ("Enter", "edit"), ("+ -", "step"), ("Backspace", "default"), ("/", "find"),
            ("Ctrl+S", "save"), ("Esc", "back"), ("← →", "section"), ("?", "help"),
        ]  # fmt: skip
    out, used = Content(""), 0
    for key, words in known:
        shown = in_words(key) if ascii_only else key
        used += len(shown) + len(words) + 3
        if used <= width:
            out = out + Content.assemble((f" {shown}", "$loud"), (f" {words} ", "$dim"))
    return out


def about(draft: Draft, what: Field | str, path: str, width: int) -> Content:
    """What a field is, where its default and its value come from, and when it acts."""
    from tapeview.detectors import load
    from tapeview.ui.screens._draft import text_of

    if isinstance(what, str):
        known = load().get(what)
        lines = [(draft.titles[what], "$loud bold")]
        if known is not None:
            lines += [(line, "$text") for line in textwrap.wrap(known.rule, width)]
        return _lines(lines)
    lines = [(what.dotted if what.name != "detector" else f"{draft.titles[what.section]}: on or off", "$loud bold")]
    lines += [(line, "$text") for line in textwrap.wrap(what.about, width)]
    default = text_of(what.default) or "nothing"
    said = [part for part in (what.bounds, f"default {default}") if part]
    if what.source:
        said.append(f"from {what.source_words}")
    lines += [(line, "$dim") for line in textwrap.wrap(" · ".join(said), width)]
    lines += [(line, "$dim") for line in textwrap.wrap(" · ".join((_whence(draft, what, path), what.acts)), width)]
    return _lines(lines)


def _whence(draft: Draft, field: Field, path: str) -> str:
    origin = draft.origin(field)
    if origin == "default":
        return "as it comes"
    if origin != "not saved":
        return f"set by {homely(origin)}" if origin != "--set" else "set by --set"
    before = draft.loaded.origin.get(field.dotted, "")
    if before and before != path:
        over = "--set" if before == "--set" else homely(before)
        return f"changed, not saved; {over} sets it too and goes before your file"
    return "changed, not saved"


def _lines(lines: list[tuple[str, str]]) -> Content:
    return Content("\n").join([Content.styled(words, style) for words, style in lines])


def rates(
    knob: str, pairs: list[tuple[float, float | None]], now: float, whole: str, width: int, height: int
) -> Content:
    """Alerts an hour at each value of a detector's knob, the present one marked; `whole` says of what."""
    from tapeview.ui.screens._draft import text_of

    lines = [Content.styled(cut(f"alerts an hour by {knob}, {whole}", width), "$text")]
    names = [text_of(value) for value, _ in pairs]
    counts = ["…" if rate is None else _rate(rate) for _, rate in pairs]
    wide = max(map(len, names), default=0)
    if height > len(pairs):
        left = max(map(len, counts), default=0)
        for (value, _), name, count, bar in zip(
            pairs, names, counts, bars(pairs, max(4, min(40, width - wide - left - 6))), strict=True
        ):
            here = value == now
            ink = "$loud bold" if here else "$text"
            lines.append(
                Content.assemble(
                    ("▸ " if here else "  ", "$last bold"), (name.rjust(wide), ink), (f"  {count.rjust(left)} ", ink),
                    (bar, "$last" if here else "$dim"),
                )
            )  # fmt: skip
        return Content("\n").join(lines)
    parts: list[Any] = []
    used = 0
    for (value, _), name, count in zip(pairs, names, counts, strict=True):
        here = value == now
        words = f"{'▸' if here else ' '}{name}: {count}"
        if used + len(words) + 2 > width and used:
            parts.append(("\n", ""))
            used = 0
        parts.append((words + "  ", "$loud bold" if here else "$dim"))
        used += len(words) + 2
    return Content("\n").join([*lines, Content.assemble(*parts)])


def length(hours: float | None) -> str:
    """How long the recording is, on which alerts were counted."""
    if hours is None:
        return "not counted"
    seconds = hours * 3600
    if seconds < 90:
        return f"in {seconds:.0f} s"
    return f"in {seconds / 60:.0f} min" if seconds < 5400 else f"in {hours:.1f} h"


def _rate(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}".replace(",", " ")
