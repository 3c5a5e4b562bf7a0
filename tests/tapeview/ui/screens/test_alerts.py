"""Alerts on the trade screen: a bundled session under thresholds loose enough to have some."""

import pytest

from tapeview import detectors
from tapeview.config import Config
from tapeview.playback import LEAD_S
from tapeview.snapshot import Window
from tapeview.ui.screens.explain import ExplainScreen
from tapeview.ui.widgets.alerts import Alerts, AlertStrip
from tapeview.ui.widgets.ladder import Ladder
from tapeview.ui.widgets.status import KeysLine
from tapeview.ui.widgets.tape import ALERT, Tape
from tests.kit.recordings import beginning
from tests.kit.trade import open_trade

QUIET = [name for name in detectors.names() if name != "large_print"]
LOOSE = Config(detectors={"large_print": {"min_orders": 50, "quantile": 0.95}, "off": QUIET})
SIZES = [(80, 24), (120, 36), (200, 60)]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return beginning(tmp_path_factory.mktemp("alerts"), "quiet-open", 75).address


@pytest.fixture
def desk_at(address):
    """Open the session under loose thresholds: `async with desk_at(size, at) as desk`."""
    return lambda size=(120, 36), at="+60s", settings=LOOSE, **more: open_trade([address], size, at, settings, **more)


def stories(desk):
    """Every story that is not held back, oldest first."""
    log = desk.playback.lane.log
    found = [log.story(0, number)[0].alert for number in range(len(log))]
    return [alert for alert in found if not alert.held]


def shown_list(desk):
    return desk.screen.query_one(Alerts)


def bottom(desk):
    return desk.screen.query_one(KeysLine)._message


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_shows_the_newest_alert(desk_at, size):
    async with desk_at(size) as desk:
        newest = desk.shown.alerts.newest
        assert newest is not None
        assert "LARGE PRINT" in desk.text()
        small = size == (80, 24)
        assert desk.screen.query_one(AlertStrip).display == small
        assert (Alerts in {type(panel) for panel in desk.screen.panels}) != small


@pytest.mark.parametrize("size", SIZES)
async def test_what_the_list_shows_is_what_was_told_and_nothing_of_later(desk_at, size):
    async with desk_at(size) as desk:
        await desk.press("f4")
        for step in (["N"], ["N"], ["n"], ["left"], ["shift+right"]):
            await desk.press(*step)
            now = desk.playback.lane.session.seq
            wanted = [alert.seq for alert in stories(desk) if alert.seq <= now][::-1]
            listed = [line.seq for line in desk.shown.alerts.lines]
            assert listed == wanted[: len(listed)]
            assert len(listed) >= min(len(wanted), 6)


async def test_n_goes_to_the_rows_where_alerts_began_and_upper_n_back(desk_at):
    async with desk_at(at="+0s") as desk:
        wanted = [alert.seq for alert in stories(desk)]
        seen = []
        for _ in wanted:
            await desk.press("n")
            seen.append(desk.playback.lane.session.seq)
            assert desk.shown.alerts.newest.seq == seen[-1]
        assert seen == wanted
        await desk.press("n")
        assert bottom(desk) == "no alert after this"
        assert desk.playback.lane.session.seq == wanted[-1]
        for seq in wanted[-2::-1]:
            await desk.press("N")
            assert desk.playback.lane.session.seq == seq
        await desk.press("N")
        assert bottom(desk) == "no alert before this"


async def test_r_replays_from_ten_seconds_before_and_again_though_it_is_yet_to_come(desk_at):
    async with desk_at() as desk:
        last = [alert for alert in stories(desk) if alert.seq <= desk.playback.lane.session.seq][-1]
        for _ in range(3):
            await desk.press("r")
            assert desk.playback.playing
            assert desk.playback.market_ns == last.recv_ns - int(LEAD_S * 1e9)
        desk.playback.pause()


async def test_r_replays_the_selected_alert(desk_at):
    async with desk_at() as desk:
        await desk.press("tab", "tab", "tab", "down", "down", "down")
        chosen = desk.shown.alerts.lines[2]
        assert shown_list(desk).subject.number == chosen.number
        await desk.press("r")
        assert desk.playback.market_ns == max(desk.playback.start_ns, chosen.recv_ns - int(LEAD_S * 1e9))
        desk.playback.pause()


async def test_e_explains_the_one_written_out_or_the_selected_and_leaves_the_market_alone(desk_at):
    async with desk_at(size=(200, 60)) as desk:
        before = desk.playback.market_ns
        written = shown_list(desk).subject
        await desk.press("e")
        assert isinstance(desk.app.screen, ExplainScreen)
        assert desk.app.screen.explanation.story[0].seq == written.seq
        said = desk.text()
        for words in ("What was told", "The rule", "What was measured", "Thresholds", "How sure", "The book then",
                      "The last prints", "default 2000", "judgement", "no map".capitalize(), "quantile"):  # fmt: skip
            assert words.lower() in said.lower(), words
        await desk.press("escape")
        assert desk.app.screen is desk.screen
        await desk.press("tab", "tab", "tab", "down", "down", "enter")
        assert desk.app.screen.explanation.story[0].seq == desk.shown.alerts.lines[1].seq
        await desk.press("e")
        assert desk.app.screen is desk.screen
        assert desk.playback.market_ns == before


async def test_keys_pressed_while_a_seek_is_on_its_way_act_where_it_ends(desk_at):
    async with desk_at(at="+0s") as desk:
        wanted = stories(desk)
        desk.screen.action_alert(1)
        desk.screen.action_alert(1)
        desk.screen.action_alert(1)
        await desk.frame()
        assert desk.playback.lane.session.seq == wanted[2].seq
        desk.screen.action_seek_by(1)
        desk.screen.action_explain()
        await desk.frame()
        assert isinstance(desk.app.screen, ExplainScreen)


@pytest.mark.parametrize("size", SIZES)
async def test_all_of_an_explanation_can_be_reached(desk_at, size):
    async with desk_at(size) as desk:
        await desk.press("e")
        seen = desk.text()
        for _ in range(6):
            await desk.press("pagedown")
            seen += desk.text()
        story = desk.app.screen.explanation
        for words in (story.title, "The rule", "How sure", "The last prints", *(one.name for one in story.thresholds)):
            assert words in seen, words
        for name, value in story.evidence:
            assert name in seen
            assert value in seen


async def test_r_in_an_explanation_closes_it_and_replays(desk_at):
    async with desk_at() as desk:
        newest = desk.shown.alerts.newest
        await desk.press("e")
        await desk.press("r")
        assert desk.app.screen is desk.screen
        await desk.frame()
        assert desk.playback.market_ns == newest.recv_ns - int(LEAD_S * 1e9)
        desk.playback.pause()


async def test_upper_m_mutes_the_detector_and_shows_it_again(desk_at):
    async with desk_at() as desk:
        total = desk.shown.alerts.total
        recorded = len(desk.playback.lane.log)
        await desk.press("M")
        assert (desk.shown.alerts.total, desk.shown.alerts.muted) == (0, ("large_print",))
        assert "muted large_print" in desk.text()
        assert len(desk.playback.lane.log) == recorded
        await desk.press("n")
        assert bottom(desk) == "no alert after this"
        await desk.press("M")
        assert (desk.shown.alerts.total, desk.shown.alerts.muted) == (total, ())
        await desk.press("M", "U")
        assert desk.shown.alerts.muted == ()


async def test_keys_say_that_there_is_no_alert(desk_at):
    async with desk_at(at="+0s") as desk:
        for key in ("e", "r", "M"):
            await desk.press(key)
            assert bottom(desk) == "no alert yet"
            assert desk.app.screen is desk.screen
        assert "none yet" in desk.text()


async def test_without_detectors_there_is_no_panel_and_keys_say_so(desk_at):
    settings = Config(detectors={"off": list(detectors.names())})
    async with desk_at(settings=settings) as desk:
        await desk.frame()
        assert desk.shown.alerts is None
        assert not {Alerts, AlertStrip} & {type(panel) for panel in desk.screen.panels}
        await desk.press("e")
        assert bottom(desk) == "no detector is on"


async def test_the_tape_marks_the_print_that_an_alert_began_with(desk_at):
    async with desk_at(at="+0s") as desk:
        await desk.press("n")
        seq = desk.playback.lane.session.seq
        tape = desk.screen.query_one(Tape)
        rows = ["".join(words for words, _ in row) for row in tape.dump()][1:]
        prints = desk.shown.tape.prints
        marked = [at for at in range(min(len(prints), tape.print_rows)) if rows[at].rstrip().endswith(ALERT)]
        assert [int(prints["seq"][at]) <= seq <= int(prints["last_seq"][at]) for at in marked] == [True]
        await desk.press("M")
        assert not any(row.rstrip().endswith(ALERT) for row in ("".join(w for w, _ in r) for r in tape.dump()))


async def test_a_strong_alert_is_told_on_the_bottom_line_and_takes_no_focus(desk_at):
    async with desk_at(at="+0s") as desk:
        strong = next(alert for alert in stories(desk) if alert.grade >= 2)
        desk.playback.seek(strong.recv_ns - 1_000_000)
        desk.screen.frame(anyway=True)
        focused = desk.app.focused
        while desk.playback.lane.session.seq < strong.seq:
            await desk.press("full_stop")
        assert bottom(desk) == strong.text
        assert desk.app.focused is focused


async def test_a_notable_alert_is_not_told_on_the_bottom_line(desk_at):
    async with desk_at(at="+0s") as desk:
        weak = next(alert for alert in stories(desk) if alert.grade == 1)
        desk.playback.seek(weak.recv_ns - 1_000_000)
        desk.screen.frame(anyway=True)
        while desk.playback.lane.session.seq < weak.seq:
            await desk.press("full_stop")
        assert desk.shown.alerts.newest.seq == weak.seq
        assert bottom(desk) == ""


async def test_a_seek_past_many_alerts_tells_of_none(desk_at):
    async with desk_at(at="+0s") as desk:
        await desk.press("shift+right", "shift+right")
        assert desk.shown.alerts.total > 5
        assert bottom(desk) == ""


async def test_ladder_and_alerts_have_a_layout_of_their_own(desk_at):
    for size in SIZES:
        async with desk_at(size) as desk:
            await desk.press("f4")
            kinds = {type(panel) for panel in desk.screen.panels}
            assert {Ladder, Alerts} <= kinds
            assert Tape not in kinds
            assert shown_list(desk).size.height > 10
            await desk.press("tab")
            assert desk.app.focused is shown_list(desk)
            await desk.press("z")
            assert shown_list(desk).size.width == size[0]
            await desk.press("f5")
            assert Tape in {type(panel) for panel in desk.screen.panels}


async def test_a_click_selects_an_alert_and_a_double_click_explains_it(desk_at):
    async with desk_at(size=(200, 60)) as desk:
        panel = shown_list(desk)
        rows = ["".join(words for words, _ in row) for row in panel.dump()]
        at = next(y for y, row in enumerate(rows) if "!" in row and y > 6)
        await desk.pilot.click(panel, offset=(20, at))
        await desk.frame()
        at = next(y for y, row in enumerate(panel.dump()) if row[0][0] == "▸")
        assert panel.subject.number == panel.view.selected != desk.shown.alerts.newest.number
        await desk.pilot.click(panel, offset=(20, at), times=2)
        await desk.frame()
        assert isinstance(desk.app.screen, ExplainScreen)
        assert desk.app.screen.explanation.story[0].seq == panel.subject.seq


async def test_marks_and_the_list_need_no_panel_to_be_asked_for(desk_at):
    async with desk_at() as desk:
        await desk.press("f8")
        assert desk.shown.alerts is not None
        assert desk.screen._ask(desk.screen.panels).alert_rows == 1
        assert Window().alert_rows == 0


@pytest.mark.parametrize("size", SIZES)
async def test_alerts_and_explanations_can_be_drawn_in_ascii_alone(desk_at, size):
    async with desk_at(size, ascii_only=True) as desk:
        for keys in (["f4"], ["tab", "down", "down"], ["M"], ["U"], ["f5"], ["n"], ["e"], ["pagedown"], ["pagedown"]):
            await desk.press(*keys)
            await desk.pilot.pause()
            for line in desk.text().splitlines():
                assert all(" " <= c <= "~" for c in line), (keys, line)
                assert len(line) == size[0]
