"""The trade screen on live markets: what a connection does is told, and instruments come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType

from feeds.errors import BadInput
from tapeview import bundled
from tapeview.ui.screens._hints import LIVE
from tapeview.ui.screens.trade import TradeScreen
from tapeview.ui.widgets._panel import Panel
from tapeview.ui.widgets.status import LinkLine

if TYPE_CHECKING:
    from tapeview.live import LiveMarket


class LiveScreen(TradeScreen):
    """Show instruments of venues as they are now."""

    HINTS: ClassVar[tuple[tuple[str, str, int], ...]] = LIVE
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "add", "Add an instrument", id="live.add"),
        Binding("I", "remove", "Take this instrument away", id="live.remove"),
        Binding("L", "log", "What happened to connections", id="live.log"),
    ]
    _news = 0
    """News told so far."""

    @property
    def market(self) -> LiveMarket:
        """The market that is shown."""
        return cast("LiveMarket", self.playback)

    def second_line(self) -> Panel:
        """What vouches for the market, and how late it comes."""
        return LinkLine(id="timeline")

    def frame(self, *, anyway: bool = False) -> None:
        """Show what is now, and tell what has happened meanwhile."""
        super().frame(anyway=anyway)
        told, self._news = self._news, self.market.told
        loud = [news for news in self.market.news_since(told) if news.loud]
        if loud:
            self.say(f"{loud[-1].where}: {loud[-1].text}")

    def _remember(self) -> None:
        if self._last is not None and self.market.addresses:
            address = self.market.addresses[0]
            bundled.remember(bundled.Last(address, address.removeprefix("live:"), None, ""))

    # -- keys --------------------------------------------------------------------------------------
    def action_go_to(self) -> None:
        """Refuse: there is no time to go to."""
        self._now(self.playback.seek, 0)

    def action_alert(self, step: int) -> None:
        """Refuse: there is no way back to an alert."""
        del step
        self._now(self.playback.go_to_alert, 0)

    def action_replay_alert(self) -> None:
        """Refuse: what was is not kept."""
        self._now(self.playback.replay_alert, 0)

    def action_add(self) -> None:
        """Ask for an instrument."""
        from tapeview.ui.screens.choose import ChooseScreen

        def chosen(address: str | None) -> None:
            if address is not None:
                self._now(self._add, address)

        self.app.push_screen(ChooseScreen(self.market.options.rest), chosen)

    def _add(self, address: str) -> None:
        try:
            self.market.add(address)
        except BadInput as error:
            self.say(str(error), bad=True)

    def action_remove(self) -> None:
        """Take the instrument shown away."""
        self._now(self.market.remove, self.market.index)

    def action_log(self) -> None:
        """Show what happened to connections, books and the disk."""
        from tapeview.ui.screens.log import LogScreen

        self.app.push_screen(LogScreen(self.market))
