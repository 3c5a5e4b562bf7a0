from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.venues._texts import TextSide

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(-20, 20)),
        st.tuples(st.just("drop"), st.integers(-20, 20)),
        st.tuples(st.just("truncate"), st.integers(0, 10)),
    ),
    max_size=60,
)


@given(CHANGES, st.booleans())
def test_a_side_equals_a_sorted_dictionary(changes, bids):
    side, model = TextSide(bids=bids), {}
    for i, (what, number) in enumerate(changes):
        if what == "put":
            side.put(number, str(i))
            model[number] = str(i)
        elif what == "drop":
            assert side.drop(number) == (model.pop(number, None) is not None)
        else:
            beyond = sorted(model, reverse=bids)[number:]
            assert side.truncate(number) == beyond
            for price in beyond:
                del model[price]
        best = sorted(model, reverse=bids)
        assert side.top(5) == [model[price] for price in best[:5]]
        assert len(side) == len(model)
    side.clear()
    assert side.top(5) == []


@given(st.lists(st.tuples(st.integers(-20, 20), st.sampled_from(["", "a", "b"])), max_size=40), st.booleans())
def test_changes_at_once_are_the_same_as_one_by_one(levels, bids):
    at_once, single = TextSide(bids=bids), TextSide(bids=bids)
    at_once.change(levels)
    for price, text in levels:
        if text:
            single.put(price, text)
        else:
            single.drop(price)
    assert at_once.top(50) == single.top(50)
    assert at_once.truncate(3) == single.truncate(3)
