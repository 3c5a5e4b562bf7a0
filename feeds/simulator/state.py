"""The state of a simulated market: one record that the kernels read and write, and the numbers it is built with.

Everything is an int64. Times are ns after the session's start (negative while the market warms up), prices whole ticks,
sizes lots, chances of 65,536 or 4,096, the fair value ticks / 2**20. Arrays have fixed lengths; a kernel that runs out
of one sets `trouble`, which its owner raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feeds.simulator.draws import CELLS

ORDERS: Final = 1 << 17
"""Orders that can rest at once."""
LEVELS: Final = 1 << 17
"""Prices of each side, half of them below the start."""
AGENDA: Final = 1 << 17
"""Things that can be waiting to happen."""
ROWS: Final = 1 << 17
"""Rows a run can give before its owner takes them."""
SPARE_ROWS: Final = 1 << 15
"""Rows one thing that happens may cause; a run stops before it has fewer left."""
NOTES: Final = 1 << 16
WOKEN: Final = 1 << 14
STOPS: Final = 4096
PLANTS: Final = 1024
PLANT_VALUES: Final = 24
"""Numbers each plant has of its own: what it was planned with and what it remembers."""
STREAMS: Final = 64 + PLANTS
"""Independent streams of draws: one for each purpose of the background, one for each plant from PLANT_STREAM."""
PLANT_STREAM: Final = 64
MAKERS: Final = 4
"""Market makers that quote both sides."""
LADDER: Final = 16
"""Orders of the one who re-quotes in storms."""
NO_BID: Final = -(1 << 40)
"""Best bid of a side without orders."""
NO_ASK: Final = 1 << 40
UNIT: Final = 1 << 20
"""A tick of the fair value."""
FULL: Final = 1024
"""One, of paces, leans and shares."""

# -- phases of the exchange ---------------------------------------------------------------------
CONTINUOUS: Final = 0
CALL: Final = 1
"""Orders gather without trading, until the auction."""
HALTED: Final = 2
"""Nothing is taken but cancels."""

# -- owners of orders ---------------------------------------------------------------------------
CROWD: Final = 0
"""Everybody without a name: the background, whose orders leave by chance."""
WALL: Final = 1
"""A large order that stands still."""
LADDER_OWNER: Final = 2
MAKER_OWNER: Final = 8
"""The first market maker."""
PLANT_OWNER: Final = 64
"""The first plant."""

# -- streams of draws ---------------------------------------------------------------------------
(D_QUOTES, D_TAKERS, D_STEPS, D_PARENTS, D_FOLLOW, D_REFILL, D_BLOCKS, D_FLEE, D_MAKERS, D_CROWD, D_WALLS, D_FLICKER,
 D_STORM, D_ROTATION, D_NEWS, D_LEAVE, D_NOISE) = range(17)  # fmt: skip

# -- what happens -------------------------------------------------------------------------------
(A_BEAT, A_NOISE, A_PARENT, A_CHILD, A_FOLLOW, A_BLOCK, A_REFILL, A_WITHDRAW, A_MAKER, A_CROWD, A_CROWD_ADD, A_WALL,
 A_WALL_END, A_FLICKER, A_FLICK, A_STORM, A_RUNG, A_ROTATION, A_TURN, A_ANSWER, A_NEWS, A_PLANT, A_HALT, A_RESUME,
 A_CALL, A_UNCROSS) = range(26)  # fmt: skip

# -- what a named owner is told of its order ----------------------------------------------------
W_PART: Final = 1
"""Some displayed lots were executed."""
W_SHOWN: Final = 2
"""The next lots of a native iceberg came up."""
W_DONE: Final = 3
"""The last lots were executed."""
W_HIDDEN: Final = 4
"""Lots that were never displayed were executed."""

# -- what is noted down for the truth -----------------------------------------------------------
(N_BEGUN, N_REFILL, N_EXECUTED, N_ENDED, N_FIRST, N_PRINT, N_CANDIDATE, N_GONE, N_MARK, N_BREAK, N_FAILED, N_TURNED,
 N_STOPS, N_NEGATIVE, N_CROSSED) = range(15)  # fmt: skip

_I8: Final = "<i8"


def _field(name: str, *shape: int) -> Any:
    return (name, _I8, shape) if shape else (name, _I8)


_SCALARS: Final = (
    # the exchange
    "now phase messages started next_order next_trade last_tick origin added filled cancelled hidden_filled trouble "
    "out_n notes_n woken_n woken_at free_n orders_n stops_n elected_n elected_at next_up next_down "
    # the agenda
    "heap_n waiting_n entries "
    # the fair value and the pace
    "value sway mood pace adding mean_ns next_maker sigma price high low "
    # what plants and negatives do to the background
    "stage push calm rush bias rein_low rein_high still hold thin_until extra_pace extra_until "
    # the profile
    "beat_ns jumps pull impact speed patience reach near flee chase noise_ns parent_ns block_ns block_least block_most "
    "decay_ns arriving depth_n leaving_n rounds_n touch_least touch_most opens_ns free_depth "
    # hard negatives
    "negatives crowd_side crowd_tick crowd_until crowd_left makers_n turn_left turn_side flicks_left flick_side "
    # trades since the session's start, about the price at the start
    "vw_lots vw_sum vw_square trades_n last_side "
    # a perpetual's open interest, in lots
    "interest"
)

STATE: Final = np.dtype(
    [_field(name) for name in _SCALARS.split()]
    + [
        _field("best", 2), _field("shown", 2), _field("far", 2), _field("thin", 2), _field("touch", 2),
        _field("trail", 16), _field("trail_n", 2),
        _field("lv_lots", 2 * LEVELS), _field("lv_reserve", 2 * LEVELS), _field("lv_head", 2 * LEVELS),
        _field("lv_tail", 2 * LEVELS), _field("lv_count", 2 * LEVELS), _field("lv_hidden", 2 * LEVELS),
        _field("lv_hidden_tail", 2 * LEVELS),
        _field("o_id", ORDERS), _field("o_side", ORDERS), _field("o_tick", ORDERS), _field("o_lots", ORDERS),
        _field("o_reserve", ORDERS), _field("o_peak", ORDERS), _field("o_jitter", ORDERS), _field("o_next", ORDERS),
        _field("o_prev", ORDERS), _field("o_owner", ORDERS), _field("o_hidden", ORDERS), _field("o_roster", ORDERS),
        _field("free", ORDERS), _field("roster", ORDERS), _field("roster_n"),
        _field("st_side", STOPS), _field("st_trigger", STOPS), _field("st_limit", STOPS), _field("st_lots", STOPS),
        _field("st_owner", STOPS), _field("st_id", STOPS), _field("elected", STOPS),
        _field("out_ns", ROWS), _field("out_tick", ROWS), _field("out_lots", ROWS), _field("out_ref", ROWS),
        _field("out_aux", ROWS), _field("out_kind", ROWS), _field("out_side", ROWS), _field("out_marks", ROWS),
        _field("top_bid", ROWS), _field("top_ask", ROWS), _field("top_bid_lots", ROWS), _field("top_ask_lots", ROWS),
        _field("note_plant", NOTES), _field("note_what", NOTES), _field("note_ns", NOTES), _field("note_tick", NOTES),
        _field("note_lots", NOTES), _field("note_more", NOTES),
        _field("wk_owner", WOKEN), _field("wk_what", WOKEN), _field("wk_slot", WOKEN), _field("wk_id", WOKEN),
        _field("wk_lots", WOKEN), _field("wk_tick", WOKEN), _field("wk_side", WOKEN),
        _field("heap", AGENDA), _field("ag_free", AGENDA), _field("ag_ns", AGENDA), _field("ag_entry", AGENDA),
        _field("ag_kind", AGENDA), _field("ag_a", AGENDA), _field("ag_b", AGENDA), _field("ag_c", AGENDA),
        _field("rng", 4 * STREAMS),
        _field("t_wait", CELLS + 1), _field("t_places", CELLS), _field("t_small", CELLS), _field("t_large", CELLS),
        _field("t_taken", CELLS), _field("t_children", CELLS), _field("t_followers", CELLS),
        _field("t_refills", CELLS), _field("t_flights", CELLS),
        _field("depth", 64), _field("leaving", 16), _field("round_step", 8), _field("round_more", 8),
        _field("day", 16),
        _field("mk_slot", 2 * MAKERS), _field("mk_id", 2 * MAKERS), _field("mk_due", 2 * MAKERS),
        _field("mk_lots", MAKERS), _field("mk_delay", MAKERS), _field("mk_held", MAKERS),
        _field("rung_slot", LADDER), _field("rung_id", LADDER),
        _field("p_kind", PLANTS), _field("p_side", PLANTS), _field("p_tick", PLANTS), _field("p_step", PLANTS),
        _field("p_slot", PLANTS), _field("p_id", PLANTS), _field("p_values", PLANTS * PLANT_VALUES),
    ]
)  # fmt: skip
"""The whole state as one row; about 30 MB, most of it never touched."""

State = NDArray[Any]
"""A one-row array of STATE."""


def fresh() -> State:
    """Make an empty market that is open and has no agents."""
    state: State = np.zeros(1, STATE)
    s = state[0]
    s["best"] = s["shown"] = s["far"] = (NO_BID, NO_ASK)
    for name in ("lv_head", "lv_tail", "lv_hidden", "lv_hidden_tail"):
        s[name] = -1
    s["free"] = np.arange(ORDERS - 1, -1, -1)
    s["free_n"] = ORDERS
    s["ag_free"] = np.arange(AGENDA - 1, -1, -1)
    s["waiting_n"] = AGENDA
    s["next_order"], s["next_trade"] = 1, 1
    s["next_up"], s["next_down"] = NO_ASK, NO_BID
    s["thin"] = 100
    s["o_roster"] = -1
    for name in ("mk_slot", "rung_slot", "p_slot"):
        s[name] = -1
    return state


def seed_streams(state: State, seed: int, plants: Sequence[tuple[int, int]]) -> None:
    """Give every stream its own start, from numpy's SeedSequence, whose words are promised for ever.

    A plant's is that of its kind and its number among its kind, whatever else is planted.
    """
    keys = [(stream, 0x51, stream) for stream in range(PLANT_STREAM)]
    keys += [(PLANT_STREAM + p, *key) for p, key in enumerate(plants)]
    for stream, *key in keys:
        words = np.random.SeedSequence(entropy=seed, spawn_key=tuple(key)).generate_state(4)
        words[3] |= 1  # xoshiro's state must not be all zero
        state["rng"][0][4 * stream : 4 * stream + 4] = words
