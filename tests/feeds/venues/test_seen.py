from __future__ import annotations

from feeds.venues._seen import KEPT, Seen


def test_an_id_is_new_once_whatever_the_order():
    seen = Seen()
    assert [seen.add(ident) for ident in (5, 3, 5, 9, 3)] == [True, True, False, True, False]


def test_only_the_newest_ids_are_remembered():
    seen = Seen()
    for ident in range(KEPT + 1):
        assert seen.add(ident)
    assert not seen.add(1)
    assert seen.add(0)
    assert not seen.add(KEPT)
