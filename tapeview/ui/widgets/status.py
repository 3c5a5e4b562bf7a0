"""The truth line at the top and the keys line at the bottom: what is played, and how far it can be trusted."""

from __future__ import annotations

from typing import Final

from tapeview import format as text
from tapeview.snapshot import LinkPart, Snapshot, StatusPart
from tapeview.ui.widgets._link import link_words, partial_words
from tapeview.ui.widgets._own import in_use
from tapeview.ui.widgets._palette import Row, Run
from tapeview.ui.widgets._panel import Panel, mark_of
from tapeview.ui.widgets._pieces import Piece, join
from tapeview.ui.widgets.position import summary

BADGES: Final = {
    "live": (" LIVE ✓ ", "bid bold"),
    "syncing": (" … SYNCING ", "stale bold"),
    "stale": (" ░ STALE ░ ", "alert-act bold reverse"),
    "crossed": (" ✗ CROSSED ", "alert-act bold reverse"),
    "auction": (" ◇ AUCTION ", "alert-info bold"),
    "halted": (" ■ HALTED ", "alert-warn bold reverse"),
    "connecting": (" ◌ CONNECTING ", "stale bold"),
    "reconnecting": (" ╳ RECONNECTING ", "alert-act bold reverse"),
    "banned": (" ╳ BANNED ", "alert-act bold reverse"),
    "refused": (" ╳ REFUSED ", "alert-act bold reverse"),
}
"""Text and style of a book's state: each differs in letters and in shape."""

UNVERIFIED: Final = (" LIVE ? ", "bid")
"""A book that runs, from a source that gives nothing to verify it by."""

_BEHIND_NS: Final = 100_000_000
"""A shorter lag is no lag to a person."""
_LATE_NS: Final = 1_000_000_000


class TruthLine(Panel, can_focus=False):
    """Instrument, player and clock on the left, the state of book and tape on the right."""

    DEFAULT_CSS = """
    TruthLine { height: 1; }
    """

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:  # noqa: ARG002
        """Draw the line, leaving out the least important where it is too long."""
        status = snapshot.status
        return [join(_player(status), _truth(status), width)]


def badge_of(status: StatusPart) -> Run:
    """The badge of a market: the worse of its book's state and its connection's."""
    state = status.link.state if status.link is not None else status.state
    badge, style = BADGES.get(state, (f" {text.clean(state).upper()} ", "alert-warn bold"))
    if state == "live" and status.verification == "unverifiable":
        return UNVERIFIED
    if state in ("reconnecting", "banned"):
        return f" ╳ {link_words(status)} ", style
    return badge, style


def speed_words(speed: float) -> str:
    """Write a speed: `4x`, `0.25x`, `max` for as fast as possible."""
    return "max" if speed == 0 else f"{speed:g}x"


def _player(status: StatusPart) -> list[Piece]:
    name = text.clean(status.instrument)
    pieces: list[Piece] = [(1, [(f" {name} ", "loud bold")])]
    if len(status.instruments) > 1:
        pieces.append((6, [(f"{status.index + 1}/{len(status.instruments)} ", "dim")]))
    if status.source:
        pieces.append((9, [(f" {text.clean(status.source)}", "dim")]))
    if status.ended:
        pieces.append((2, [("  ■ ended", "last bold")]))
    elif status.link is not None and status.link.held_ns is not None:
        behind = (status.market_ns or 0) - status.link.held_ns
        pieces.append((1, [(f"  ‖ HELD {text.duration(behind)} behind", "last bold")]))
    elif status.mode == "LIVE":
        pieces.append((2, [("  ● live", "text")]))
    elif status.playing:
        pieces.append((2, [(f"  ▶ {speed_words(status.speed)}", "text")]))
    else:
        pieces.append((2, [(f"  ‖ paused {speed_words(status.speed)}", "last bold")]))
    pieces.append((1, [(f"  {text.clock(status.market_ns, offset_s=status.utc_offset_s)}", "text")]))
    return pieces


def _truth(status: StatusPart) -> list[Piece]:
    pieces: list[Piece] = []
    if partial := partial_words(status):
        # A live market's panels tell it as well, and there the ages matter more.
        pieces.append((2 if status.link is None else 5, [(f"{partial}  ", "alert-warn")]))
    pieces.append((0, [badge_of(status)]))
    if status.verification or status.tier:
        pieces.append((8, [(f" {text.clean(status.verification or status.tier)}", "dim")]))
    pieces.append((3, [("  book ", "dim"), (text.duration(status.book_age_ns).rjust(5), "text")]))
    pieces.append((4, [("  tape ", "dim"), (text.duration(status.tape_age_ns).rjust(5), "text")]))
    pieces.append((3, [("  gaps ", "dim"), (str(status.gaps), "alert-warn bold" if status.gaps else "text")]))
    if status.coalesced:
        pieces.append((7, [("  skipped ", "dim"), (str(status.coalesced), "text")]))
    pieces.append((6, [(f"  {text.rate(status.events_per_s).rjust(4)} ev/s ", "dim")]))
    return pieces


class LinkLine(Panel, can_focus=False):
    """Of a live market: what vouches for it, how late it comes, and what becomes of it on disk."""

    DEFAULT_CSS = """
    LinkLine { height: 1; }
    """

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:  # noqa: ARG002
        """Draw the line, leaving out the least important where it is too long."""
        status, link = snapshot.status, snapshot.status.link
        if link is None:
            return []
        left: list[Piece] = [(1, [(" ", "dim"), *_cause(status, link)])]
        return [join(left, [*_timing(link), *_saved(status, link)], width)]


def _cause(status: StatusPart, link: LinkPart) -> list[Run]:
    if link.state != "live":
        return [(text.clean(link.why), "alert-warn")]
    rule = text.clean(status.verification)
    if rule == "unverifiable":
        return [("the venue gives nothing to verify the book by", "alert-warn")]
    if rule == "checksum" and link.checked + link.failed:
        words = f"{text.spaced(str(link.checked))} checksums agree"
        failed: list[Run] = [(f", {link.failed} do not", "alert-warn")] if link.failed else []
        return [(words, "text"), *failed]
    names = {"chain": "sequence", "counter": "sequence", "snapshot": "whole snapshots"}
    return [(f"{text.spaced(str(link.messages))} messages verified by {names.get(rule, rule)}", "text")]


def _timing(link: LinkPart) -> list[Piece]:
    pieces: list[Piece] = []
    if link.clock_off_ns is not None:
        pieces.append((2, [(f"  clock off by {text.duration(link.clock_off_ns)}", "alert-warn bold")]))
    if link.latency_ns is not None:
        middle, worst = (_signed_duration(ns) for ns in link.latency_ns)
        pieces.append((5, [("  late ", "dim"), (middle, "text"), (" p99 ", "dim"), (worst, "text")]))
    if link.lag_ns >= _BEHIND_NS:
        loud = "alert-warn bold" if link.lag_ns >= _LATE_NS else "text"
        rows = text.spaced(str(link.waiting))
        pieces.append((3, [("  lag ", "dim"), (f"{text.duration(link.lag_ns)} {rows} rows", loud)]))
    else:
        pieces.append((6, [("  lag ", "dim"), ("0", "text")]))
    return pieces


def _signed_duration(ns: int) -> str:
    return f"−{text.duration(-ns).strip()}" if ns < 0 else text.duration(ns).strip()


def _saved(status: StatusPart, link: LinkPart) -> list[Piece]:
    saved = link.saved
    if saved is None:
        return []
    if saved.trouble:
        since = text.clock(saved.since_ns, millis=False, offset_s=status.utc_offset_s)
        words = f" NOT RECORDING since {since}: {text.clean(saved.trouble)} "
        return [(0, [("  ", "dim"), (words, "alert-act bold reverse")])]
    pieces: list[Piece] = [(4, [("  ● REC ", "alert-act bold"), (f"{saved.bytes / 1e6:.1f} MB ", "text")])]
    if saved.dropped:
        pieces.append((1, [(f" {saved.dropped} dropped by us ", "alert-act bold")]))
    return pieces


class KeysLine(Panel, can_focus=False):
    """The keys that matter now; on the right what the program has to say, or where paper trading stands.

    While trading keys act, or the account is locked, it says so first. An alarm has the whole line.
    """

    DEFAULT_CSS = """
    KeysLine { height: 1; }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(name=name or "keys", id=id)
        self._hints: tuple[tuple[str, str], ...] = ()
        self._message = ""
        self._order = ""
        self._alarm = ""

    def set_hints(self, hints: tuple[tuple[str, str], ...]) -> None:
        """Show these (key, words) pairs, the most important first."""
        if hints != self._hints:
            self._hints = hints
            self.redraw()

    def set_message(self, message: str) -> None:
        """Show a line on the right until another replaces it; empty for none."""
        if message != self._message:
            self._message = message
            self.redraw()

    def set_order(self, words: str) -> None:
        """Show beside ARMED what the next order would be: `2 lots bracket 8/16`."""
        if words != self._order:
            self._order = words
            self.redraw()

    def set_alarm(self, words: str) -> None:
        """Show an alarm in place of all else until another word is set; empty for none."""
        if words != self._alarm:
            self._alarm = words
            self.redraw()

    def taken(self, snapshot: Snapshot, width: int) -> int:
        """Cells that the mode, the message and where paper trading stands take of the line."""
        mode = len(self._mode(snapshot, width)[0])
        return mode + sum(len(words) for words, _ in self._end(snapshot, width - mode))

    def _mode(self, snapshot: Snapshot, width: int) -> Run:
        """What the line begins with: ARMED with the next order, LOCKED with its reason, or nothing."""
        mark, desk = mark_of(snapshot), snapshot.desk
        if mark is None or desk is None:
            return ("", "dim")
        words = f" {mark[0]} {text.clean(desk.locked or self._order)} "
        most = max(len(mark[0]) + 2, width // 2)
        return (words if len(words) <= most else words[: most - 2] + "… ", f"{mark[1]} bold reverse")

    def _end(self, snapshot: Snapshot, room: int) -> Row:
        message = text.clean(self._message or snapshot.status.notice)
        message = f"{message[: max(0, room - 2)]} " if message else ""
        end: Row = ((message, "alert-info"),)
        if snapshot.desk is not None and in_use(snapshot.desk):
            stands = summary(snapshot.desk, snapshot.scale)
            beside = (*end, ("  ", "dim"), *stands) if message else stands
            if sum(len(words) for words, _ in beside) < room:
                return beside
        return end

    def rows(self, snapshot: Snapshot, width: int, height: int) -> list[Row]:  # noqa: ARG002
        """Draw as many hints as fit beside the message."""
        if self._alarm:
            words = f" {text.clean(self._alarm)}"
            return [((words[: width - 1].ljust(width - 1) + " ", "alert-act bold reverse"),)]
        mode = self._mode(snapshot, width)
        room = width - len(mode[0])
        end = self._end(snapshot, room)
        taken = sum(len(words) for words, _ in end)
        runs: list[Run] = [mode, (" ", "dim")] if mode[0] else [(" ", "dim")]
        used = 1
        for key, words in self._hints:
            length = len(key) + 1 + len(words) + 2
            if used + length + taken > room:
                break
            runs += [(key, "text bold"), (f" {words}  ", "dim")]
            used += length
        return [(*runs, (" " * (room - used - taken), "alert-info"), *end)]
