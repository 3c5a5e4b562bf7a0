import asyncio

import pytest

from tapeview.ui.widgets._sheet import Column, Sheet, Table
from tests.kit.screen import Stage, assert_aligned, assert_golden, lines

COLUMNS = (Column("run", right=True, rank=3), Column("name"), Column("R", right=True, rank=1), Column("long", rank=2))
LINES = [
    ((str(n), "dim"), (f"trade {n}", "text"), (f"{n / 10:+.2f}", "buy bold"), ("x" * 20, "dim")) for n in range(40)
]


def shown(table, size, *keys, columns=COLUMNS, filled=LINES, **options):
    async def run():
        table.styles.height = size[1]
        async with Stage(table).run_test(size=size) as pilot:
            table.fill(columns, filled, **options)
            table.focus()
            for key in keys:
                await pilot.press(key)
            assert table.error is None
            return table.dump()

    return asyncio.run(run())


@pytest.mark.parametrize(("width", "titles"), [(60, 4), (40, 3), (20, 2), (12, 1)])
def test_where_there_is_no_room_the_least_important_columns_go_first(width, titles):
    rows = shown(Table(), (width, 10))
    assert_aligned(rows, width)
    left = {4: ["run", "name", "R", "long"], 3: ["name", "R", "long"], 2: ["name", "R"], 1: ["name"]}[titles]
    assert lines(rows)[0].split() == left


def test_a_table_as_it_is_drawn():
    rows = shown(Table(), (46, 8), "down", "down", ordered=(2, True))
    assert_golden(__file__, "table_46x8", rows)


def test_the_cursor_stays_in_sight_and_goes_no_further_than_the_ends():
    table = Table()
    text = lines(shown(table, (60, 8), *["down"] * 20))
    assert table.at == 20
    assert sum("▸" in line for line in text) == 1
    assert "trade 20" in next(line for line in text if "▸" in line)
    for keys, at in (
        (("end",), 39),
        (("end", "down"), 39),
        (("home", "up"), 0),
        (("pagedown",), 6),
        (("end", "pageup"), 33),
    ):
        shown(table := Table(), (60, 8), *keys)
        assert table.at == at, keys


def test_fewer_lines_than_before_leave_the_cursor_on_one_of_them():
    table = Table()
    shown(table, (60, 8), "end")

    async def run():
        async with Stage(table2 := Table()).run_test(size=(60, 8)):
            table2.fill(COLUMNS, LINES)
            table2.action_last()
            table2.fill(COLUMNS, LINES[:3])
            return table2.at

    assert asyncio.run(run()) == 2


def test_an_empty_table_says_why_in_as_many_lines_as_it_takes():
    rows = shown(Table(), (30, 8), filled=(), empty="no trade yet: arm with a on the trade screen")
    text = " ".join(" ".join(lines(rows)).split())
    assert text == "no trade yet: arm with a on the trade screen"


async def test_enter_and_a_click_on_the_cursor_open_a_line():
    opened = []

    class Watched(Stage):
        def on_table_opened(self, event):
            opened.append(event.number)

    table = Table()
    async with Watched(table).run_test(size=(60, 10)) as pilot:
        table.fill(COLUMNS, LINES)
        table.focus()
        await pilot.press("down", "enter")
        await pilot.click(Table, offset=(5, 4))
        await pilot.pause()
        assert (opened, table.at) == ([1], 3)
        await pilot.click(Table, offset=(5, 4))
        await pilot.pause()
    assert opened == [1, 3]


def test_a_sheet_that_cannot_be_drawn_says_so_and_draws_again_when_it_can():
    def broken(_width, _height):
        raise ValueError("no such figure")

    async def run():
        sheet = Sheet(broken, name="figures")
        sheet.styles.height = 8
        async with Stage(sheet).run_test(size=(60, 8)) as pilot:
            await pilot.pause()
            first = "\n".join(lines(sheet.dump()))
            sheet.tell(lambda width, _: [(("fine".ljust(width), "text"),)])
            return first, lines(sheet.dump())[0]

    first, second = asyncio.run(run())
    assert "the figures panel could not be drawn" in first
    assert "no such figure" in first
    assert second.startswith("fine")
