"""Where samples lie in time: runs, gaps, stretches."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.recording.times import gaps, item_times, ranges_between, run_extents, run_positions
from tests.synth import arrays

# rate 1000 Hz, clock 2000 Hz; an empty run between two others
RUNS = [(8, 100, 0), (0, 118, 0), (4, 126, 0), (4, 134, 0), (8, 1000, 1)]


def stream(runs=RUNS, rate=1000, clock=2000):
    length = sum(run[0] for run in runs)
    data = np.zeros((length, 1), "<i2")
    return arrays.in_memory([arrays.signal(data, rate=rate, clock=clock, runs=runs)]).signals[0]


def test_run_positions_pass_over_empty_runs():
    assert run_positions(stream(), [0, 7, 8, 11, 12, 16, 23]).tolist() == [0, 0, 2, 2, 3, 4, 4]
    assert run_positions(stream(), 8) == 2


def test_item_times():
    found = item_times(stream(), np.arange(24))
    ticks = [*range(100, 116, 2), *range(126, 134, 2), *range(134, 142, 2), *range(1000, 1016, 2)]
    assert found.tolist() == [tick / 2000 for tick in ticks]


def test_run_extents():
    start, stop = run_extents(stream())
    assert start.tolist() == [0.05, 0.059, 0.063, 0.067, 0.5]
    assert stop.tolist() == [0.058, 0.059, 0.067, 0.071, 0.508]


def test_gaps_lie_within_segments_and_last_more_than_half_a_sample():
    plain = stream([(8, 100, 0), (4, 126, 0), (4, 134, 0), (8, 1000, 1)])
    assert gaps(plain).tolist() == [[0.058, 0.063]]
    assert gaps(plain, [1]).shape == (0, 2)
    assert gaps(plain, [0, 1]).tolist() == [[0.058, 0.063]]
    nearly = stream([(8, 0, 0), (8, 17, 0)])  # half a sample late is jitter
    assert gaps(nearly).shape == (0, 2)
    assert gaps(stream([(8, 0, 0), (8, 18, 0)])).tolist() == [[0.008, 0.009]]
    assert gaps(stream([(8, 0, 0), (8, 4, 0)])).shape == (0, 2)  # overlapping


def test_ranges_between():
    found = stream()
    assert ranges_between(found, 0.0, 10.0) == [(0, 24)]
    assert ranges_between(found, 0.051, 0.053) == [(1, 4)]
    assert ranges_between(found, 0.0515, 0.0525) == [(2, 3)]
    assert ranges_between(found, 0.058, 0.0629) == []
    assert ranges_between(found, 0.057, 0.0675) == [(7, 13)]
    assert ranges_between(found, 0.057, 1.0, [1]) == [(16, 24)]
    assert ranges_between(found, 0.057, 1.0, []) == []
    assert ranges_between(found, 0.066, 0.501) == [(11, 18)]


def test_ranges_of_sweeps_that_share_their_time():
    found = stream([(10, 0, 0), (10, 0, 1), (10, 0, 2)])
    assert ranges_between(found, 0.0, 1.0) == [(0, 30)]
    assert ranges_between(found, 0.002, 0.004) == [(2, 5), (12, 15), (22, 25)]
    assert ranges_between(found, 0.002, 0.004, [2, 0]) == [(2, 5), (22, 25)]


@settings(deadline=None, max_examples=100)
@given(
    a=st.integers(-5, 40),
    b=st.integers(-5, 40),
    rate=st.sampled_from([Fraction(1000), Fraction(30_000), Fraction(1000, 3)]),
    tick=st.integers(-10, 10),
)
def test_a_sample_at_the_bounds_belongs_to_the_stretch(a, b, rate, tick):
    found = stream([(30, tick, 0)], rate=rate)
    low, high = sorted((a, b))
    begin = Fraction(tick, 2000)
    bounds = float(begin + low / rate), float(begin + high / rate)
    expected = range(max(low, 0), min(high, 29) + 1)
    assert ranges_between(found, *bounds) == ([(expected[0], expected[-1] + 1)] if expected else [])


def test_extents_of_an_uneven_rate():
    found = stream([(7, 3, 0)], rate=Fraction(1000, 3))
    _, stop = run_extents(found)
    assert stop.tolist() == [float(Fraction(3, 2000) + Fraction(21, 1000))]
    assert item_times(found, 6) == pytest.approx(0.0195, abs=1e-18)
