"""Paper trading beside a screen's sessions: an account over all of them, a desk and its run in the journal for each.

Nothing here knows a screen. A Market hands rows and commands to the `Trading` of each of its lanes; the desk itself is
in `tapeview.desk`, what it said goes to the back office, and what is shown of it is a DeskPart.
"""

from tapeview.trading.account import Account
from tapeview.trading.again import Remade, remake
from tapeview.trading.lane import Trading
from tapeview.trading.plan import Plan

__all__ = ["Account", "Plan", "Remade", "Trading", "remake"]
