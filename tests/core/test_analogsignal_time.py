"""AnalogSignal: rates, times, windows, pieces."""

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ephyrus.core.analogsignal import AnalogSignal


def make(length=10, rate=1 * pq.kHz, **kwargs):
    return AnalogSignal(np.arange(float(length)), "mV", sampling_rate=rate, **kwargs)


def test_calculated_times():
    signal = make(t_start=2 * pq.s)
    assert_array_equal(signal.times.magnitude, 2 + np.arange(10) / 1000)
    assert signal.times.units == pq.s
    assert signal.t_stop == 2.01 * pq.s
    assert signal.duration == 10 * pq.ms
    assert signal.sampling_period == 1 * pq.ms
    assert_array_equal(make().times.magnitude, np.arange(10) / 1000)
    assert make(t_start=100 * pq.ms).times[3] == 103 * pq.ms
    assert make(t_start=100 * pq.ms).t_stop.units == pq.ms


def test_surprise_40_periods_and_durations_are_in_units_of_time():
    signal = make(rate=30 * pq.kHz)
    assert signal.sampling_period.units == pq.ms
    assert signal.duration.units == pq.ms
    assert str(make().duration) == "10.0 ms"
    assert make(rate=1 * pq.Hz).duration.units == pq.s
    assert make().duration == 10 / pq.kHz


def test_period_in_the_constructor():
    signal = AnalogSignal([1, 2], "mV", sampling_period=0.1 * pq.ms)
    assert signal.sampling_rate == 10 * pq.kHz
    assert signal.sampling_rate.units == pq.kHz
    assert signal.sampling_period == 0.1 * pq.ms
    assert AnalogSignal([1, 2], "mV", sampling_period=2 * pq.min).sampling_rate == 0.5 / pq.min


def test_rate_period_and_start_can_be_set():
    signal = make()
    signal.sampling_rate = 2 * pq.Hz
    assert signal.sampling_period == 0.5 * pq.s
    signal.sampling_period = 4 * pq.ms
    assert signal.sampling_rate == 250 * pq.Hz
    signal.t_start = 5 * pq.min
    assert signal.t_start.units == pq.min
    assert signal.times[0] == 300 * pq.s
    for attribute in ("sampling_rate", "sampling_period"):
        for wrong in (None, 3.0, 3 * pq.mV, -1 * (pq.Hz if attribute[-1] == "e" else pq.s)):
            with pytest.raises(ValueError, match=attribute):
                setattr(signal, attribute, wrong)
    for wrong in (None, 1 * pq.mV):
        with pytest.raises(ValueError, match="t_start"):
            signal.t_start = wrong
    with pytest.raises(TypeError, match="t_start needs units"):
        signal.t_start = 5
    assert signal.sampling_rate == 250 * pq.Hz
    assert signal.t_start == 5 * pq.min


def test_time_index():
    signal = make(t_start=2 * pq.s)
    assert signal.time_index(2.0034 * pq.s) == 3
    assert signal.time_index(2003.6 * pq.ms) == 4
    assert signal.time_index(2.0034) == 3
    assert signal.time_index(1 * pq.s) == -1000
    indexes = signal.time_index([2.0, 2.001, 2.0099] * pq.s)
    assert indexes.dtype == np.int64
    assert_array_equal(indexes, [0, 1, 10])
    with pytest.raises(ValueError, match="time must be in units like s"):
        signal.time_index(1 * pq.mV)


@pytest.mark.parametrize(
    ("t_start", "t_stop", "expected"),
    [
        (2.002 * pq.s, 2.005 * pq.s, slice(2, 5)),
        (2002 * pq.ms, 2005 * pq.ms, slice(2, 5)),
        (2.002, 2.005, slice(2, 5)),
        (None, 2.005 * pq.s, slice(0, 5)),
        (2.005 * pq.s, None, slice(5, 10)),
        (None, None, slice(0, 10)),
        (2.0 * pq.s, 2.01 * pq.s, slice(0, 10)),
        (2.0024 * pq.s, 2.0054 * pq.s, slice(2, 5)),
        (2.0026 * pq.s, 2.0056 * pq.s, slice(3, 6)),
        (2.003 * pq.s, 2.003 * pq.s, slice(3, 3)),
        (2.01 * pq.s, 2.01 * pq.s, slice(10, 10)),
        (2.0076 * pq.s, 2.0104 * pq.s, slice(7, 10)),
    ],
)
def test_time_slice(t_start, t_stop, expected):
    signal = make(t_start=2 * pq.s, name="n", key=[1], array_annotations={"a": [1]})
    signal.segment = "segment"
    part = signal.time_slice(t_start, t_stop)
    assert_array_equal(part.magnitude, signal.magnitude[expected])
    assert part.t_start.magnitude == pytest.approx(2 + expected.start / 1000, abs=1e-12)
    assert part.t_start.units == pq.s
    assert part.name == "n"
    assert part.segment is None
    assert not np.shares_memory(part, signal)
    part.annotations["key"].append(2)
    part.array_annotations["a"][0] = 5
    assert signal.annotations == {"key": [1]}
    assert signal.array_annotations == {"a": [1]}


def test_surprise_4_open_ends_count_from_the_start_of_the_signal():
    signal = make(t_start=2 * pq.s)
    assert_array_equal(signal.time_slice(None, 2.003 * pq.s).magnitude, signal.magnitude[:3])
    assert signal.time_slice(None, 2.003 * pq.s).t_start == 2 * pq.s
    assert_array_equal(signal.load((None, 2.003 * pq.s)).magnitude, signal.magnitude[:3])


@pytest.mark.parametrize(
    ("t_start", "t_stop"),
    [
        (1.9, 2.005),
        (2.0, 2.02),
        (2.02, 2.03),
        (1.0, 1.5),
        (None, 3.0),
        (1.0, None),
        (-np.inf, None),
    ],
)
def test_windows_outside_are_refused(t_start, t_stop):
    signal = make(t_start=2 * pq.s)
    with pytest.raises(
        ValueError, match=r"is not within the data, which reach from 2\.0 s to 2\.01 s"
    ):
        signal.time_slice(t_start, t_stop)


def test_windows_clipped_without_strict_slicing():
    signal = make(t_start=2 * pq.s)
    assert len(signal.load((1.0, 2.003), strict_slicing=False)) == 3
    assert len(signal.load((2.007, np.inf), strict_slicing=False)) == 3
    assert len(signal.load((3.0, 4.0), strict_slicing=False)) == 0


def test_wrong_windows():
    signal = make(t_start=2 * pq.s)
    with pytest.raises(ValueError, match="is before t_start"):
        signal.time_slice(2.005, 2.002)
    with pytest.raises(ValueError, match="is before t_start"):
        signal.time_slice(np.nan, 2.002)
    with pytest.raises(ValueError, match="t_start must be in units like s"):
        signal.time_slice(1 * pq.mV, None)
    with pytest.raises(ValueError, match="align must be"):
        signal.time_slice(None, None, align="left")


def test_surprise_29_windows_of_samples_inside():
    signal = make(t_start=2 * pq.s)
    part = signal.time_slice(2.0021 * pq.s, 2.0054 * pq.s, align="inside")
    assert_array_equal(part.magnitude[:, 0], [3, 4, 5])
    assert part.t_start == 2.003 * pq.s
    part = signal.time_slice(2.002 * pq.s, 2.005 * pq.s, align="inside")
    assert_array_equal(part.magnitude[:, 0], [2, 3, 4, 5])
    assert len(signal.time_slice(2.0021, 2.0029, align="inside")) == 0
    assert len(signal.time_slice(None, None, align="inside")) == 10


@settings(deadline=None)
@given(
    rate=st.floats(0.1, 1e5),
    start=st.floats(-1e4, 1e4),
    first=st.integers(0, 500),
    count=st.integers(0, 500),
    jitter=st.floats(-0.3, 0.3),
)
def test_equal_durations_give_equal_lengths(rate, start, first, count, jitter):
    signal = make(1002, rate * pq.Hz, t_start=start * pq.s)
    a = start + (first + 1 + jitter) / rate
    part = signal.time_slice(a * pq.s, (a + count / rate) * pq.s)
    assert len(part) == count
    assert abs(part.t_start.magnitude - a) <= 0.5 / rate + 1e-9
    if count:
        assert part.magnitude[0, 0] == first + 1


def test_time_shift():
    signal = make(t_start=2 * pq.s, name="n", key=1)
    signal.segment = "segment"
    shifted = signal.time_shift(500 * pq.ms)
    assert shifted.t_start == 2.5 * pq.s
    assert shifted.t_start.units == pq.s
    assert shifted.segment is None
    assert shifted.name == "n"
    assert not np.shares_memory(shifted, signal)
    assert signal.t_start == 2 * pq.s
    assert (signal.time_shift(0) == signal).all()
    assert signal.time_shift(-1).t_start == 1 * pq.s


def test_surprise_16_numbers_are_in_the_units_of_the_signal():
    signal = make(t_start=2000 * pq.ms)
    assert_array_equal(signal.time_slice(2002, 2005).magnitude[:, 0], [2, 3, 4])
    assert signal.time_shift(1).t_start == 2001 * pq.ms
    assert signal.time_index(2003) == 3


# --- pieces -------------------------------------------------------------------------------


def test_chunks_are_views_in_order():
    signal = AnalogSignal(
        np.arange(20.0).reshape(10, 2),
        "mV",
        sampling_rate=1 * pq.kHz,
        array_annotations={"a": [1, 2]},
    )
    pieces = list(signal.chunks(max_bytes=3 * 16 + 8))
    assert [len(piece) for piece in pieces] == [3, 3, 3, 1]
    assert_array_equal(np.concatenate([piece.magnitude for piece in pieces]), signal.magnitude)
    assert [piece.t_start for piece in pieces] == [
        0 * pq.s,
        0.003 * pq.s,
        0.006 * pq.s,
        0.009 * pq.s,
    ]
    assert all(np.shares_memory(piece, signal) for piece in pieces)
    assert pieces[1].array_annotations == {"a": [1, 2]}
    assert [len(piece) for piece in signal.chunks(1)] == [1] * 10
    assert len(list(signal.chunks())) == 1
    assert [piece.shape for piece in signal[:0].chunks()] == [(0, 2)]


def test_iter_chunks():
    signal = make(t_start=1 * pq.s)
    progress = []
    pieces = list(signal.iter_chunks(samples=4, progress=lambda *args: progress.append(args)))
    assert [piece.magnitude[:, 0].tolist() for piece in pieces] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]
    assert pieces[1].t_start == 1.004 * pq.s
    assert progress == [(4, 10), (8, 10), (10, 10)]
    assert [len(piece) for piece in signal.iter_chunks(seconds=0.005)] == [5, 5]
    assert [len(piece) for piece in signal.iter_chunks(seconds=5 * pq.ms)] == [5, 5]
    pieces = list(signal.iter_chunks(samples=4, overlap=2))
    assert [piece.magnitude[:, 0].tolist() for piece in pieces] == [
        [0, 1, 2, 3],
        [2, 3, 4, 5],
        [4, 5, 6, 7],
        [6, 7, 8, 9],
    ]
    assert list(signal[:0].iter_chunks(samples=4)) == []


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"samples": 2, "seconds": 1},
        {"samples": 0},
        {"seconds": 1e-9},
        {"samples": 3, "overlap": 3},
        {"samples": 3, "overlap": -1},
    ],
)
def test_iter_chunks_refuses(kwargs):
    with pytest.raises(ValueError, match=r"sample|overlap"):
        make().iter_chunks(**kwargs)
