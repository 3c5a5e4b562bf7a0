"""What the trading keys do on a screen with a market, what they are held to, and how the desk is heard.

One press is one command, at the price the cursor is on: the cursor belongs to a price and moves by hand alone. Keys
act while they are armed, from a panel of this screen and from nowhere else; a price that is not on the screen, a
market on its way elsewhere and a picture that is held are refused with a sentence. The desk has the last word.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

from feeds.errors import BadInput
from tapeview import format as text
from tapeview.desk.commands import (
    LIMIT,
    MARKET,
    AnyCommand,
    Arm,
    Bracket,
    Call,
    CancelAll,
    CancelAt,
    Disarm,
    Flatten,
    Note,
    Place,
    Trail,
)
from tapeview.desk.settings import DeskSettings
from tapeview.market import Refused
from tapeview.snapshot import DeskPart, Window
from tapeview.ui.keys import Action, actions
from tapeview.ui.screens._alerts import AlertScreen
from tapeview.ui.screens._presses import Presses
from tapeview.ui.screens._ticket import Ticket, TicketLine, read_note, read_ticket
from tapeview.ui.terminal import HeldKey, tells_held
from tapeview.ui.widgets._own import in_use
from tapeview.ui.widgets._panel import Panel
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.position import Position
from tapeview.ui.widgets.status import KeysLine

if TYPE_CHECKING:
    from tapeview.session import Session
    from tapeview.snapshot import Snapshot
    from tapeview.ui.app import TapeviewApp
    from tapeview.ui.screens._pace import Orders

ADVICE: Final = {
    "naked": "{arm} and {flatten} close the position",
    "lock": "everything is closed; nothing can be entered before the next session",
}
"""Kind of an alarm -> what to do."""
ALARM_LEAST_S: Final = 1.0
"""An alarm stays at least so long: a key on its way when it came up does not take it away."""
_ARMING_S: Final = 1.0
"""How long a desk may take to say that it is armed."""
_SHOWN: Final = frozenset({"armed"})
"""Kinds of what is told that every frame says already."""
_LOOK_S: Final = 0.5
"""How often the desk is looked after where no picture is made."""
_LEAVE_S: Final = 4.0
"""Within this a second press leaves an open position behind."""
_TOAST_S: Final = 60.0
_WAIT: Final = "on the way to another time: wait until it is there"


class TradingScreen(AlertScreen):
    """A screen from which a person trades on paper."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "arm", "Arm the trading keys, and disarm them", id="trade.arm"),
        Binding("b", "limit(1)", "Buy at the cursor's price", id="trade.buy"),
        Binding("s", "limit(-1)", "Sell at the cursor's price", id="trade.sell"),
        Binding("B", "market(1)", "Buy at market", id="trade.buy-market"),
        Binding("S", "market(-1)", "Sell at market", id="trade.sell-market"),
        Binding("x", "cancel", "Cancel own orders at the cursor's price", id="trade.cancel"),
        Binding("X", "cancel_all", "Cancel all own orders, stops too", id="trade.cancel-all"),
        Binding("f", "flatten", "Cancel all own orders and close the position", id="trade.flatten"),
        Binding("1", "size(1)", "Size 1 to 5", key_display="1…5", id="trade.size1"),
        *(Binding(str(n), f"size({n})", id=f"trade.size{n}") for n in range(2, 6)),
        Binding("k", "bracket", "Bracket on and off", id="trade.bracket"),
        Binding("t", "trail", "Trail the stop, and hold it", id="trade.trail"),
        Binding("shift+up", "call(1)", "Call it up, without an order", id="trade.call-up"),
        Binding("shift+down", "call(-1)", "Call it down, without an order", id="trade.call-down"),
        Binding("o", "ticket", "Setup, sureness and note of the next signal", id="trade.ticket"),
        Binding("j", "note", "Note on the newest signal", id="trade.note"),
        Binding("h", "blind", "Hide money while in a trade, and show it", id="trade.blind"),
    ]
    _orders: Orders

    def __init__(self) -> None:
        super().__init__()
        self._presses = Presses()
        self._pressed_s = time.monotonic()
        """When the last key was pressed."""
        self._asked: tuple[bool, float] | None = None
        """To be armed or not, and when that was asked for: the desk says so with the next picture."""
        self._size_key = 0
        self._bracket: bool | None = None
        """Whether entries bring exits, None as the settings say."""
        self._blind: bool | None = None
        self._ticket = Ticket()
        self._last_ticket = ""
        self._seen: tuple[Session, int] | None = None
        """The market that the picture on the screen is of."""
        self._heard: dict[str, int] = {}
        """Account -> number of what was told last in its name."""
        self._alarm_s: float | None = None
        """Since when an alarm is up."""
        self._looked_s = 0.0
        self._leaving_s = float("-inf")
        """When leaving was last asked for while something was open."""
        self._trading: tuple[object, frozenset[str]] = (None, frozenset())

    # -- what the screen gives -----------------------------------------------------------------------
    @property
    def panels(self) -> list[Panel]:
        """The panels that can be seen."""
        raise NotImplementedError

    def _hint(self) -> None:
        raise NotImplementedError

    # -- what there is -------------------------------------------------------------------------------
    @property
    def desk(self) -> DeskPart | None:
        """Where the desk stands, in the picture on the screen."""
        return self.shown.desk if self.shown is not None else None

    @property
    def desk_settings(self) -> DeskSettings:
        """Sizes, bracket and idle time in force."""
        settings = cast("TapeviewApp", self.app).plan.settings
        return settings.desk if settings is not None else DeskSettings()

    @property
    def armed(self) -> bool:
        """Whether trading keys act: what was asked for last, until the desk has had the time to answer."""
        if self.desk is None:
            return False
        if self._asked is not None and time.monotonic() - self._asked[1] < _ARMING_S:
            return self._asked[0]
        return self.desk.armed

    @property
    def in_front(self) -> bool:
        """Whether this screen has the keys, and no other lies above it."""
        return self.app.screen is self

    @property
    def lots(self) -> int:
        """Lots of the next order."""
        return self.desk_settings.lots[self._size_key]

    @property
    def bracket(self) -> Bracket | None:
        """The exits of the next entry."""
        settings = self.desk_settings.bracket
        if not (settings.on if self._bracket is None else self._bracket):
            return None
        count = len(settings.targets)
        shares = [100 // count] * count
        if count:
            shares[-1] += 100 - sum(shares)
        targets = tuple(zip(sorted(settings.targets), shares, strict=True))
        return Bracket(stop_ticks=settings.stop_ticks, targets=targets, trail=settings.trail)

    def next_order(self) -> str:
        """What the next order would be, in words: `2 lots bracket 8/16`."""
        lots, scale = self.lots, self.shown.scale if self.shown is not None else None
        words = f"{lots} lot{'s' if lots != 1 else ''}"
        if scale is not None and text.exact_size(scale, lots) != str(lots):
            words += f" ({text.exact_size(scale, lots)})"
        bracket = self.bracket
        if bracket is None:
            words += " no bracket"
        else:
            targets = ",".join(str(ticks) for ticks, _ in bracket.targets) or "–"
            words += f" bracket {bracket.stop_ticks}/{targets}{' trailing' if bracket.trail else ''}"
        return words + (f" · {self._ticket.words()}" if self._ticket else "")

    # -- keys as they come ---------------------------------------------------------------------------
    def on_key(self, event: events.Key) -> None:
        """Let one press be one command: a key that is held trades no more than once."""
        fresh = self._presses.fresh(event.key, event.time, held=isinstance(event, HeldKey), exact=tells_held(self.app))
        self._disarm_idle()  # also where the program was stopped and no picture was made since
        self._pressed_s = time.monotonic()
        self.playback.touched()
        if self._alarm_s is not None and fresh and self._pressed_s - self._alarm_s >= ALARM_LEAST_S:
            self._alarm_s = None
            self.query_one(KeysLine).set_alarm("")
            self.set_class(False, "alarmed")
        if not fresh and event.key in self._trading_keys():
            event.stop()
            event.prevent_default()
            if self.armed:
                self.say("a key held down trades once: press it again, or another between")

    def _trading_keys(self) -> frozenset[str]:
        keymap = self.app._keymap
        if self._trading[0] is not keymap:
            found = {key for action in self._actions() for key in action.keys}
            self._trading = (keymap, frozenset(found))
        return self._trading[1]

    def _actions(self) -> list[Action]:
        return [a for a in actions((type(self),), self.app._keymap) if a.id.startswith("trade.")]

    def _key(self, name: str) -> str:
        known = actions((type(self),), self.app._keymap)
        return next((a.shown.split()[0] for a in known if a.id == name), name)

    # -- whether a key acts --------------------------------------------------------------------------
    def _ready(self, *, armed: bool = True) -> DeskPart | None:
        """The desk, where a key may act on it now; else say why not."""
        # A line that has just been opened gets the keys a moment later.
        writing = self.has_class("writing") or self.has_class("asking")
        if writing or not self.in_front or not (self.focused is None or isinstance(self.focused, Panel)):
            return None
        desk = self.desk
        if desk is None or desk.off:
            self.say(desk.off if desk is not None else "there is no paper trading here")
        elif self._orders.busy:
            self.say(_WAIT)
        elif armed and desk.locked:
            self.say(f"locked: {desk.locked}")
        elif armed and not self.armed:
            self.say(f"not armed: {self._key('trade.arm')} arms the trading keys")
        elif not self._here():
            self.say("another instrument is coming up: press again when it is there")
        else:
            return desk
        return None

    def _here(self) -> bool:
        """Whether the market that a command would reach is the one on the screen."""
        try:
            place = self.playback.place()
        except Refused:
            return False
        return self._seen is not None and self._seen[0] is place.session and self._seen[1] == place.number

    def _held(self) -> bool:
        """Whether the picture stands while the market goes on; nothing may be entered by it."""
        link = self.shown.status.link if self.shown is not None else None
        if link is None or link.held_ns is None:
            return False
        self.say("the picture is held and the market is elsewhere: let it go on first")
        return True

    def _price(self) -> int | None:
        """The price that the cursor is on, where that can be seen; else say why not."""
        ladder = self.query_one(Ladder)
        if ladder not in self.panels:
            self.say("the ladder is not on the screen")
        elif ladder.cursor is None:
            self.say("no price is chosen: ↑ ↓ or Home put the cursor on one")
        elif ladder.between_rows and self.shown is not None:
            price = text.ladder_price(self.shown.scale, ladder.cursor)
            self.say(f"{price} lies inside a row of {ladder.group} ticks: ↑ ↓ put the cursor on a row's price")
        else:
            return ladder.cursor
        return None

    def _send(self, command: AnyCommand) -> bool:
        try:
            self.playback.send(command)
        except Refused as error:
            self.say(str(error))
            return False
        self.want()
        return True

    def want(self) -> None:
        """Show the next picture even where the market did not go on."""
        raise NotImplementedError

    # -- commands ------------------------------------------------------------------------------------
    def action_arm(self) -> None:
        """Arm the trading keys, or disarm them."""
        desk = self._ready(armed=False)
        if desk is None:
            return
        if self.armed:
            self.disarm("by hand")
        elif desk.locked:
            self.say(f"locked: {desk.locked}")
        elif self._send(Arm()):
            self._asked = True, time.monotonic()

    def disarm(self, reason: str) -> None:
        """Disarm the trading keys where they are armed."""
        if self.armed:
            self._asked = False, time.monotonic()
            if self._orders.busy:
                self._orders.now(self._send, Disarm(reason=reason))
            else:
                self._send(Disarm(reason=reason))

    def action_limit(self, side: int) -> None:
        """Buy (1) or sell (-1) at the cursor's price."""
        desk = self._ready()
        if desk is None or self._held():
            return
        tick = self._price()
        if tick is not None:
            self._place(desk, side, LIMIT, tick)

    def action_market(self, side: int) -> None:
        """Buy (1) or sell (-1) at market."""
        desk = self._ready()
        if desk is not None and not self._held():
            self._place(desk, side, MARKET, None)

    def _place(self, desk: DeskPart, side: int, kind: str, tick: int | None) -> None:
        leaves = side * desk.position < 0 and self.lots <= abs(desk.position)
        ticket = self._ticket
        order = Place(
            side=side, lots=self.lots, kind=kind, tick=tick, bracket=None if leaves else self.bracket,
            setup=ticket.setup, sure=ticket.sure, note=ticket.note,
        )  # fmt: skip
        if self._send(order):
            self._use_ticket()

    def action_cancel(self) -> None:
        """Cancel own orders at the cursor's price, or on its row."""
        if self._ready() is None:
            return
        ladder = self.query_one(Ladder)
        if ladder.cursor is None or ladder not in self.panels:
            self._price()
            return
        for tick in ladder.own_ticks() or [ladder.cursor]:
            self._send(CancelAt(tick=tick))

    def action_cancel_all(self) -> None:
        """Cancel all own orders of the instrument."""
        if self._ready() is not None:
            self._send(CancelAll())

    def action_flatten(self) -> None:
        """Cancel all own orders of the instrument and close its position."""
        if self._ready() is not None:
            self._send(Flatten())

    def action_trail(self) -> None:
        """Trail the stops, or hold them where they are."""
        desk = self._ready()
        if desk is not None:
            self._send(Trail(on=not desk.trailing))

    def action_size(self, number: int) -> None:
        """Take one of the five sizes."""
        if self._ready() is not None:
            self._size_key = number - 1
            self._tell_order()

    def action_bracket(self) -> None:
        """Have entries bring exits, or not."""
        if self._ready() is not None:
            self._bracket = self.bracket is None
            self._tell_order()

    def action_call(self, side: int) -> None:
        """Say where it goes, without an order."""
        if self._ready(armed=False) is None or self._held():
            return
        tick = self._price()
        if tick is None:
            return
        bracket, ticket = self.bracket, self._ticket
        call = Call(
            side=side, tick=tick,
            stop_tick=None if bracket is None else tick - side * bracket.stop_ticks,
            target_tick=None if bracket is None or not bracket.targets else tick + side * bracket.targets[0][0],
            setup=ticket.setup, sure=ticket.sure, note=ticket.note,
        )  # fmt: skip
        if self._send(call) and self.shown is not None:
            self._use_ticket()
            self.say(f"called {'up' if side > 0 else 'down'} from {text.ladder_price(self.shown.scale, tick)}")

    def action_blind(self) -> None:
        """Hide money while a position is open, or show it."""
        self._blind = not self.blind
        for panel in self.query(Position):
            panel.blind = self.blind
            panel.redraw()
        self.say("money is hidden while in a trade" if self.blind else "money is shown while in a trade")

    @property
    def blind(self) -> bool:
        """Whether money is hidden while a position is open."""
        return self.desk_settings.blind if self._blind is None else self._blind

    def may_leave(self) -> bool:
        """Whether nothing would be left behind; where something is, ask once and let the second time do it."""
        desk = self.desk
        if desk is None or not (desk.orders or desk.position or desk.position_hopeful):
            return True
        asked_s, self._leaving_s = self._leaving_s, time.monotonic()
        if self._leaving_s - asked_s < _LEAVE_S:
            return True
        what = "a position is open" if desk.position or desk.position_hopeful else "an order works"
        self.say(f"{what}: {self._key('screen.leave')} again leaves it behind, and it ends there")
        return False

    # -- ticket and note -----------------------------------------------------------------------------
    def action_ticket(self) -> None:
        """Ask for setup, sureness and note of the next signal."""
        if self._ready(armed=False) is not None:
            self._write("ticket", self._last_ticket)

    def action_note(self) -> None:
        """Ask for a note on the newest signal."""
        if self._ready(armed=False) is not None:
            self._write("note", "")

    def _write(self, what: str, value: str) -> None:
        self.set_class(True, "writing")
        self.query_one(TicketLine).ask(what, value)

    def written(self, event: Input.Submitted) -> None:
        """Take what was written; it trades nothing."""
        line = self.query_one(TicketLine)
        try:
            if line.asked == "ticket":
                self._ticket, self._last_ticket = read_ticket(event.value), event.value
            else:
                note, followed = read_note(event.value)
                if note or followed is not None:
                    self._send(Note(text=note, followed=followed))
        except BadInput as error:
            line.refuse(error)
            return
        self.stop_writing()
        self._tell_order()
        if line.asked == "ticket":
            self.say(f"next signal: {self._ticket.words()}" if self._ticket else "the next signal has no ticket")

    def stop_writing(self) -> None:
        """Put the line to write in away."""
        self.set_class(False, "writing")
        self.query_one(Ladder).focus()

    def _use_ticket(self) -> None:
        self._ticket = Ticket()
        self._tell_order()

    def _tell_order(self) -> None:
        self.query_one(KeysLine).set_order(self.next_order())

    # -- what the desk says ----------------------------------------------------------------------------
    def hear_desk(self, snapshot: Snapshot) -> None:
        """Take in what the desk stands at and what it told since the picture before."""
        desk = snapshot.desk
        if desk is None:
            self._seen = None
            return
        try:
            place = self.playback.place()
        except Refused:
            self._seen = None  # not connected yet
        else:
            self._seen = (place.session, place.number)
        if in_use(desk) and not self.has_class("desk"):
            # It stays: nothing moves when a position is closed.
            for panel in self.query(Position):
                panel.blind = self.blind
            self.set_class(True, "desk")
            self.want()
        if self._asked is not None and desk.armed == self._asked[0]:
            self._asked = None
        if desk.armed != self.has_class("armed"):
            self.set_class(desk.armed, "armed")
            self._tell_order()
            self._hint()
        self._looked_s = time.monotonic()
        self._hear(desk)

    def _hear(self, desk: DeskPart) -> None:
        last = self._heard.get(desk.account, -1)
        if desk.told and desk.told[-1][0] < last:
            last = -1  # another run, which counts anew
        new = [told for told in desk.told if told[0] > last]
        if not new:
            return
        self._heard[desk.account] = new[-1][0]
        for _, kind, words, alarm in new:
            if alarm:
                self._alarm(kind, words)
        quiet = [words for _, kind, words, alarm in new if not alarm and kind not in _SHOWN]
        if quiet:
            self.say(" · ".join(quiet[-2:]))

    def _alarm(self, kind: str, words: str) -> None:
        advice = ADVICE.get(kind, "").format(arm=self._key("trade.arm"), flatten=self._key("trade.flatten"))
        told = f"{words} · {advice}" if advice else words
        self._alarm_s = time.monotonic()
        self.query_one(KeysLine).set_alarm(told)
        self.set_class(True, "alarmed")
        self.want()
        self.app.bell()
        if not self.in_front:
            self.app.notify(told, title="ALARM", severity="error", timeout=_TOAST_S)

    def watch_desk(self, *, seen: bool) -> None:
        """Disarm where nobody presses a key; look after a desk that changes while the market stands.

        Where another screen is up (not `seen`) it is listened to alone.
        """
        self._disarm_idle()
        now_s = time.monotonic()
        if self.shown is None or self.desk is None or now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        looked = self.playback.snapshot(Window(meters=False))
        if seen and looked.desk != self.desk:
            self.want()
        elif not seen and looked.desk is not None:
            self._hear(looked.desk)

    # -- when arming is lost -----------------------------------------------------------------------------
    def on_mount(self) -> None:
        """Look at whether the terminal has the keys."""
        self.watch(self.app, "app_focus", self._focus_changed, init=False)
        self.app.app_suspend_signal.subscribe(self, lambda _: self.disarm("the shell has the keys"))

    def _disarm_idle(self) -> None:
        idle_s = self.desk_settings.idle_s
        if time.monotonic() - self._pressed_s > idle_s and self.armed:
            self.disarm(f"no key for {idle_s} s")

    def _focus_changed(self, focused: bool) -> None:
        if not focused:
            self.disarm("the window lost the keys")

    def on_screen_suspend(self) -> None:
        """Disarm while another screen has the keys."""
        self.disarm("another screen has the keys")
