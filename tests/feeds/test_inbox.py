"""Batches from the loop's thread to another."""

from __future__ import annotations

import threading

import numpy as np

from feeds.inbox import Inbox


def test_an_inbox_gives_batches_in_order_and_ends() -> None:
    inbox = Inbox()
    inbox.put(np.zeros(0, np.int64))
    assert inbox.take() == []
    inbox.put(np.arange(3))
    inbox.put(np.arange(2))
    assert inbox.rows == 5
    assert [len(batch) for batch in inbox.take()] == [3, 2]
    assert inbox.rows == 0
    inbox.close()
    assert inbox.take(None) == []
    assert inbox.over


def test_who_waits_is_woken_by_a_batch_and_by_the_end() -> None:
    inbox = Inbox()
    taken = []
    reader = threading.Thread(target=lambda: taken.extend((inbox.take(None), inbox.take(None))))
    reader.start()
    inbox.put(np.arange(4))
    while inbox.rows:
        pass
    inbox.close()
    reader.join(10)
    assert [len(batches) for batches in taken] == [1, 0]
