"""Times of samples: one question for a run, and what libraries can be wrong about."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import numpy as np
import pytest

from ephyrus.dll.handles import OpenFile, temporary_copy
from ephyrus.dll.times import Run, runs_between, sample_times


class Calls:
    """A library with one analog entity of given times, which counts what it is asked."""

    def __init__(self, times, runs):
        self.times, self.ends, self.asked = np.asarray(times, float), np.cumsum(runs), 0

    def continuous_count(self, handle, entity, start, count):
        end = int(self.ends[np.searchsorted(self.ends, start, "right")])
        return min(count, end - start)

    def time_by_index(self, handle, entity, index):
        self.asked += 1
        return float(self.times[index])


def test_regular_runs_are_computed():
    times = np.concatenate([np.arange(1000) / 250, 10 + np.arange(500) / 250, [20.0]])
    calls = Calls(times, [1000, 500, 1])
    found = sample_times(calls, 1, 0, 0, 1501, 250.0)
    np.testing.assert_allclose(found, times, rtol=0, atol=1e-12)
    assert calls.asked == 5  # first and last sample of each run
    part = sample_times(calls, 1, 0, 998, 4, 250.0)
    np.testing.assert_allclose(part, times[998:1002], rtol=0, atol=1e-12)


@pytest.mark.parametrize("rate", [250.0, 0.0, -1.0])
def test_irregular_runs_are_asked_for(rate):
    """Where the last sample is not where the rate says, and where there is no rate."""
    times = np.cumsum(np.linspace(0.001, 0.01, 100))
    np.testing.assert_array_equal(sample_times(Calls(times, [100]), 1, 0, 0, 100, rate), times)


def test_less_than_half_a_sample_is_no_difference():
    def runs(late):
        times = {0: 1.0, 9: 1.0 + 9 / 100 + late}
        return runs_between(lambda start, count: count, times.__getitem__, (0, 10), 100.0)

    assert runs(0.0049) == [Run(0, 10, 1.0, is_regular=True)]
    assert runs(0.0051) == [Run(0, 10, 1.0, is_regular=False)]


def test_counts_that_cannot_be():
    """None at all, or more than there are: the walk ends all the same."""
    for answer in (0, 10**9):
        found = runs_between(
            lambda start, count, a=answer: a, lambda index: index / 10, (0, 3), 10.0
        )
        assert sum(run.count for run in found) == 3


def test_an_open_file_is_opened_when_asked():
    events = []
    library = SimpleNamespace(
        open=lambda path: events.append(("open", path)) or 7,
        close=lambda handle: events.append(("close", handle)),
        file_info=lambda handle: events.append(("info", handle)) or "facts",
    )
    told = []
    file = OpenFile(library, "x.mcd", told.append)
    assert events == []
    assert file.ask("file_info") == "facts"
    file.close()
    file.close()
    assert file.ask("file_info") == "facts"
    assert told == [file, file]
    told.clear()
    del file
    gc.collect()
    assert [event for event, _ in events] == ["open", "info", "close", "open", "info", "close"]


def test_a_temporary_copy_goes_with_its_owner():
    owner = type("Owner", (), {})()
    path = temporary_copy([b"ab", b"c"], ".mcd", owner)
    assert path.read_bytes() == b"abc"
    assert path.suffix == ".mcd"
    del owner
    gc.collect()
    assert not path.exists()
