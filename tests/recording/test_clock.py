"""Ticks and seconds against exact rational arithmetic."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.recording.clock import (
    as_fraction,
    exact_clock,
    nearest_index,
    sample_times,
    seconds,
    ticks_at,
)

clocks = st.fractions(Fraction(1, 1000), 10**6, max_denominator=1000)
small = st.integers(-(10**9), 10**9)


@settings(deadline=None, max_examples=300)
@given(ticks=st.lists(small, min_size=1, max_size=5), clock=clocks)
def test_seconds_are_rounded_once(ticks, clock):
    assert seconds(ticks, clock).tolist() == [float(tick / clock) for tick in ticks]


@settings(deadline=None, max_examples=200)
@given(tick=st.integers(-(2**62), 2**62), clock=st.fractions(Fraction(1, 10**9), 10**12))
def test_seconds_of_any_clock_are_within_the_last_digits(tick, clock):
    exact = tick / clock
    assert abs(Fraction(float(seconds(tick, clock))) - exact) <= abs(exact) / 2**51


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "<u2", "<i4", "<u4", "<i8", "<u8"])
def test_seconds_of_narrow_integers_do_not_wrap(dtype):
    ticks = np.array([0, 1, 127], dtype)
    clock = Fraction(1_000_003, 1_000_000)
    assert seconds(ticks, clock).tolist() == [float(tick / clock) for tick in (0, 1, 127)]
    assert seconds(ticks, clock).dtype == np.float64


def test_seconds_of_floating_point_ticks():
    assert seconds(np.array([0.5, 2.25]), Fraction(2)).tolist() == [0.25, 1.125]
    assert seconds(np.array([0.5]), Fraction(3, 2)).tolist() == [0.5 / 1.5]
    assert seconds([], Fraction(3, 2)).shape == (0,)
    assert float(seconds(30_000, Fraction(30_000))) == 1.0


@settings(deadline=None, max_examples=300)
@given(tick=small, clock=clocks, samples=st.lists(st.integers(0, 10**7), max_size=5), rate=clocks)
def test_sample_times_are_exact(tick, clock, samples, rate):
    exact = [tick / clock + sample / rate for sample in samples]
    found = sample_times(tick, clock, samples, rate)
    for value, expected in zip(found.tolist(), exact, strict=True):
        size = abs(tick / clock) + abs(expected - tick / clock)
        assert abs(Fraction(value) - expected) <= size / 2**51


@settings(deadline=None, max_examples=100)
@given(tick=st.integers(0, 2**40), samples=st.lists(st.integers(0, 2**30), max_size=5))
def test_sample_times_on_the_streams_own_clock_are_rounded_once(tick, samples):
    clock, rate = Fraction(40_000), Fraction(2_500, 3)
    exact = [float(tick / clock + sample / rate) for sample in samples]
    assert sample_times(tick, clock, samples, rate).tolist() == exact


def test_sample_times_of_rates_without_a_common_clock():
    rate = as_fraction(403.2258064516129)
    found = sample_times([7, 9], Fraction(1000), [10**9, 2], rate)
    exact = [Fraction(7, 1000) + 10**9 / rate, Fraction(9, 1000) + 2 / rate]
    np.testing.assert_allclose(found, [float(each) for each in exact], rtol=2e-16)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (20_000, Fraction(20_000)),
        (np.int16(500), Fraction(500)),
        (np.uint64(2**63), Fraction(2**63)),
        (0.5, Fraction(1, 2)),
        (np.float64(0.1), Fraction(0.1)),
        (np.float32(1.5), Fraction(3, 2)),
        (Fraction(1, 3), Fraction(1, 3)),
    ],
)
def test_as_fraction(value, expected):
    found = as_fraction(value)
    assert found == expected
    assert type(found.numerator) is int  # numpy integers would overflow later


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), Fraction(0), Fraction(-1)])
def test_as_fraction_refuses_what_is_no_rate(value):
    with pytest.raises(ValueError, match="a rate must be"):
        as_fraction(value)


@settings(deadline=None, max_examples=200)
@given(index=st.integers(0, 10**9), t_start=st.fractions(-100, 100), rate=clocks)
def test_nearest_index_finds_the_sample_of_its_time(index, t_start, rate):
    assert nearest_index(float(t_start + index / rate), t_start, rate) == index


def test_nearest_index_between_samples():
    assert nearest_index(0.5, Fraction(0), Fraction(1)) == 0
    assert nearest_index(1.5, Fraction(0), Fraction(1)) == 2
    assert nearest_index(-0.6, Fraction(0), Fraction(1)) == -1


def test_ticks_at():
    assert ticks_at(0.25, Fraction(10)) == Fraction(5, 2)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(-1000, 1000).map(lambda n: n / 64), max_size=6))
def test_exact_clock_is_exact(times):
    clock, ticks = exact_clock(times)
    assert [tick / clock for tick in ticks.tolist()] == [Fraction(time) for time in times]
    assert ticks.dtype == np.int64


def test_exact_clock_of_times_without_a_common_clock():
    clock, ticks = exact_clock([0.1, 1e-300, 1e6])
    assert clock == 10**12
    assert ticks.tolist() == [10**11, 0, 10**18]
    clock, ticks = exact_clock([1.7e9 + 0.1, 0.3])
    assert clock == 10**9
    np.testing.assert_allclose(ticks / 1e9, [1.7e9 + 0.1, 0.3], rtol=0, atol=1e-6)
    assert exact_clock([])[0] == 1
    assert exact_clock(iter([0.5]))[1].tolist() == [1]
    with pytest.raises(ValueError, match="is not one of a recording"):
        exact_clock([1e30])
    with pytest.raises((ValueError, OverflowError)):
        exact_clock([float("nan")])


def test_decimal_rates_keep_their_value():
    assert as_fraction(Decimal("0.5")) == Fraction(1, 2)
