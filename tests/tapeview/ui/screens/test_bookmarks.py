from hypothesis import given
from hypothesis import strategies as st

from tapeview.ui.screens._bookmarks import Bookmarks

TIMES = st.lists(st.integers(-(2**62), 2**62), max_size=30)


@given(TIMES)
def test_a_time_set_twice_is_gone_and_the_rest_are_in_order(times):
    marks, expected = Bookmarks(), set()
    for ns in times:
        expected ^= {ns}
        number = marks.toggle(ns)
        assert list(marks) == sorted(expected)
        assert number == (sorted(expected).index(ns) + 1 if ns in expected else 0)


@given(TIMES, st.integers(-(2**62), 2**62))
def test_the_neighbours_of_a_moment_go_round(times, now):
    marks = Bookmarks()
    for ns in set(times):
        marks.toggle(ns)
    after = [ns for ns in sorted(set(times)) if ns > now] or sorted(set(times))
    before = [ns for ns in sorted(set(times)) if ns < now] or sorted(set(times))
    assert marks.beside(now, 1) == (after[0] if after else None)
    assert marks.beside(now, -1) == (before[-1] if before else None)


def test_bookmarks_are_numbered_from_one():
    marks = Bookmarks()
    for ns in (30, 10, 20):
        marks.toggle(ns)
    assert [marks.number(ns) for ns in marks] == [1, 2, 3]
