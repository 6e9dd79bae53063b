"""Pieces, limits, progress."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.errors import Cancelled, LimitError
from ephyrus.recording import (
    CallbackProgress,
    Limits,
    NullProgress,
    Progress,
    pieces,
    under_way,
)


@settings(deadline=None, max_examples=200)
@given(
    start=st.integers(0, 1000),
    count=st.integers(0, 500),
    item=st.integers(0, 50),
    most=st.integers(0, 400),
)
def test_pieces_cover_the_range_in_order(start, count, item, most):
    found = list(pieces(start, start + count, item, most))
    assert [n for first, last in found for n in range(first, last)] == list(
        range(start, start + count)
    )
    for first, last in found:
        assert last > first
        assert (last - first) * item <= most or last - first == 1


def test_limits():
    Limits().check_read(10**18, "x")
    Limits(read_bytes=100).check_read(100, "x")
    with pytest.raises(LimitError) as caught:
        Limits(read_bytes=1000).check_read(12_345, "amplifier")
    assert str(caught.value) == (
        "amplifier: 12,345 bytes were asked for, 1,000 are allowed; "
        "ask for a shorter time, fewer channels or a downsampled form"
    )


def test_null_progress_is_progress():
    progress = NullProgress()
    progress.start(None, "B", "x")
    progress.advance(5)
    progress.finish()
    assert isinstance(progress, Progress)
    assert isinstance(CallbackProgress(lambda done, total: None), Progress)


def test_callback_progress_counts_and_starts_anew():
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    progress.start(10, "B", "first")
    progress.advance(4)
    progress.advance(6)
    progress.finish()
    progress.start(None, "items", "second")
    progress.advance(1)
    assert seen == [(0, 10), (4, 10), (10, 10), (0, None), (1, None)]


def test_cancelled_progress_stops_the_work_at_the_next_step():
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append(done))
    progress.start(10, "B", "x")
    progress.cancel()
    with pytest.raises(Cancelled, match="cancelled by the caller"):
        progress.advance(1)
    with pytest.raises(Cancelled):
        progress.start(10, "B", "x")
    assert seen == [0]


def test_work_that_fails_is_ended_too():
    told = []

    class Told(NullProgress):
        def start(self, total, unit, label):
            told.append((total, unit, label))

        def finish(self):
            told.append("finished")

    with pytest.raises(OSError, match="no disk"), under_way(Told(), 5, "B", "reading"):
        raise OSError("no disk")
    assert told == [(5, "B", "reading"), "finished"]


def test_pieces_are_as_large_as_one_read_may_be():
    assert Limits().piece_bytes(100) == 100
    assert Limits(read_bytes=60).piece_bytes(100) == 60
    assert Limits(read_bytes=600).piece_bytes(100) == 100
