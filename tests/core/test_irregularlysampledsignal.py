"""IrregularlySampledSignal: times, indexing, windows, arithmetic, joining."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_array_equal

from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.errors import MergeError

TIMES = np.array([1.0, 2.0, 4.0, 8.0, 9.0])
VALUES = np.arange(10.0).reshape(5, 2)


def make(times=TIMES, values=VALUES, units="mV", time_units="s", **kwargs):
    return IrregularlySampledSignal(times, values, units, time_units, **kwargs)


def annotated():
    return make(name="n", key=[1], array_annotations={"a": ["x", "y"]})


def test_construction():
    signal = annotated()
    assert_array_equal(signal.magnitude, VALUES)
    assert_array_equal(signal.times.magnitude, TIMES)
    assert signal.times.units == pq.s
    assert signal.t_start == 1 * pq.s
    assert signal.t_stop == 9 * pq.s
    assert signal.duration == 8 * pq.s
    assert_array_equal(signal.sampling_intervals.magnitude, [1, 2, 4, 1])
    assert (signal.name, signal.annotations) == ("n", {"key": [1]})
    assert signal.array_annotations == {"a": ["x", "y"]}
    assert signal.segment is None
    integers = make([1, 2], [3, 4])
    assert integers.shape == (2, 1)
    assert integers.times.dtype == np.float64
    assert integers.dtype.kind == "i"
    converted = IrregularlySampledSignal(
        [1, 2] * pq.ms, [3, 4] * pq.V, units="mV", time_units="us", dtype=np.float32
    )
    assert_array_equal(converted.times.magnitude, [1000, 2000])
    assert_array_equal(converted.magnitude[:, 0], [3000, 4000])
    assert converted.dtype == np.float32
    assert converted.times.units == pq.us


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("there are 2 times for 3 samples", ([1, 2], [1, 2, 3], "mV", "s")),
        ("Units must be specified", ([1, 2], [1, 2], None, "s")),
        ("Time units must be specified", ([1, 2], [1, 2], "mV", None)),
        ("times must be in units of time, not in mV", ([1, 2], [1, 2], "mV", "mV")),
        ("times must be in units like s", ([1, 2] * pq.mV, [1, 2], "mV", "s")),
        ("times must have one dimension", ([[1, 2]], [1, 2], "mV", "s")),
        ("signal must have shape", ([1, 2], np.zeros((2, 2, 2)), "mV", "s")),
    ],
)
def test_wrong_arguments(message, args):
    with pytest.raises(ValueError, match=message):
        IrregularlySampledSignal(*args)


def test_copy_argument():
    times, values = TIMES.copy() * pq.s, VALUES.copy() * pq.mV
    shared = IrregularlySampledSignal(times, values, copy=False)
    assert np.shares_memory(shared, values)
    assert np.shares_memory(shared.times, times)
    assert np.shares_memory(IrregularlySampledSignal(times, values, copy=None).times, times)
    separate = IrregularlySampledSignal(times, values)
    assert not np.shares_memory(separate, values)
    assert not np.shares_memory(separate.times, times)
    with pytest.raises(ValueError, match="times cannot be shared"):
        IrregularlySampledSignal(times, values, time_units="ms", copy=False)
    with pytest.raises(ValueError, match="times cannot be shared"):
        IrregularlySampledSignal([1, 2, 3, 4, 5], values, time_units="ms", copy=False)


def test_class_attributes():
    assert IrregularlySampledSignal._necessary_attrs == (
        ("times", pq.Quantity, 1),
        ("signal", pq.Quantity, 2),
    )
    assert IrregularlySampledSignal._quantity_attr == "signal"


def test_representation():
    signal = make([1.0, 2.0, 4.0], [3.0, 4.0, 5.0])
    assert repr(signal) == (
        "<IrregularlySampledSignal(array([[3.],\n       [4.],\n       [5.]]) * mV "
        "at times [1. 2. 4.] s)>"
    )
    assert signal._pretty_lines() == [
        "IrregularlySampledSignal with 1 channels of length 3; units mV; datatype float64",
        "sample times: [1. 2. 4.] s",
    ]


def test_times_can_be_set():
    signal = make()
    signal.times = [1, 2, 3, 4, 5] * pq.ms
    assert signal.t_stop == 5 * pq.ms
    signal.times = [10, 20, 30, 40, 50]
    assert signal.t_stop == 50 * pq.ms
    with pytest.raises(ValueError, match="3 times for 5 samples"):
        signal.times = [1, 2, 3] * pq.ms
    with pytest.raises(ValueError, match="units of time"):
        signal.times = [1, 2, 3, 4, 5] * pq.mV


@pytest.mark.parametrize(
    ("index", "rows", "columns"),
    [
        (slice(1, 3), slice(1, 3), slice(None)),
        (slice(-2, None), slice(-2, None), slice(None)),
        (slice(None, None, 2), slice(None, None, 2), slice(None)),
        (slice(None, None, -1), slice(None, None, -1), slice(None)),
        ((slice(1, 3), 0), slice(1, 3), [0]),
        ((slice(None), -1), slice(None), [1]),
        ((slice(None), [1, 0]), slice(None), [1, 0]),
        ((slice(None), np.array([False, True])), slice(None), [1]),
    ],
)
def test_parts_are_signals(index, rows, columns):
    signal = annotated()
    part = signal[index]
    assert type(part) is IrregularlySampledSignal
    assert_array_equal(part.magnitude, VALUES[rows][:, columns])
    assert_array_equal(part.times.magnitude, TIMES[rows])
    assert part.name == "n"
    assert part.annotations == {"key": [1]}
    assert part.array_annotations == {"a": np.array(["x", "y"])[columns]}


def test_surprise_9_array_annotations_of_one_channel_are_arrays():
    assert isinstance(annotated()[:, 0].array_annotations["a"], np.ndarray)
    assert annotated()[:, 0].array_annotations["a"].tolist() == ["x"]


def test_points_are_quantities_and_other_indexes_are_refused():
    signal = make()
    assert_array_equal(signal[2].magnitude, [4, 5])
    assert signal[2, 1] == 5 * pq.mV
    assert type(signal[2]) is pq.Quantity
    for index in (5.0, "a", [1], None, (slice(None), None), (1, 2, 3)):
        with pytest.raises(IndexError):
            signal[index]
    signal[1] = 7 * pq.mV
    assert_array_equal(signal.magnitude[1], [7, 7])


@pytest.mark.parametrize(
    ("t_start", "t_stop", "expected"),
    [
        (2 * pq.s, 8 * pq.s, [1, 2, 3]),
        (2000 * pq.ms, 8000 * pq.ms, [1, 2, 3]),
        (2.5, 8.5, [2, 3]),
        (None, 4, [0, 1, 2]),
        (4, None, [2, 3, 4]),
        (None, None, [0, 1, 2, 3, 4]),
        (5, 6, []),
        (100, 200, []),
        (0, 0.5, []),
    ],
)
def test_time_slice(t_start, t_stop, expected):
    signal = annotated()
    signal.segment = "segment"
    part = signal.time_slice(t_start, t_stop)
    assert_array_equal(part.magnitude, VALUES[expected].reshape(-1, 2))
    assert_array_equal(part.times.magnitude, TIMES[expected])
    assert part.segment is None
    assert not np.shares_memory(part, signal)
    assert not np.shares_memory(part.times, signal.times)
    part.annotations["key"].append(2)
    assert signal.annotations == {"key": [1]}
    assert part.array_annotations == {"a": ["x", "y"]}


def test_surprise_9_empty_windows_and_signals():
    empty = make().time_slice(100 * pq.s, 200 * pq.s)
    assert empty.shape == (0, 2)
    assert empty.t_start is None
    assert empty.t_stop is None
    assert empty.duration == 0 * pq.s
    assert np.isnan(empty.mean().magnitude).all()


def test_time_slice_of_unsorted_times():
    signal = make([3.0, 1.0, 2.0], [[30], [10], [20]], name="n")
    part = signal.time_slice(1.5, 3)
    assert_array_equal(part.times.magnitude, [3, 2])
    assert_array_equal(part.magnitude[:, 0], [30, 20])
    assert part.name == "n"


def test_wrong_windows():
    with pytest.raises(ValueError, match="is before t_start"):
        make().time_slice(3, 2)
    with pytest.raises(ValueError, match="t_stop must be in units like s"):
        make().time_slice(None, 2 * pq.mV)
    with pytest.raises(ValueError, match="is not within the signal"):
        make().load((0, 5))
    assert len(make().load((0, 5), strict_slicing=False)) == 3


def test_load_in_memory():
    signal = annotated()
    assert signal.load() is signal
    part = signal.load((2, 8), channel_indexes=[1])
    assert_array_equal(part.magnitude[:, 0], [3, 5, 7])
    assert part.array_annotations == {"a": ["y"]}


def test_time_shift():
    signal = annotated()
    shifted = signal.time_shift(500 * pq.ms)
    assert_array_equal(shifted.times.magnitude, TIMES + 0.5)
    assert_array_equal(signal.times.magnitude, TIMES)
    assert shifted.array_annotations == {"a": ["x", "y"]}
    assert (signal.time_shift(0) == signal).all()


def test_mean_is_weighted_by_time():
    signal = make([0.0, 1.0, 4.0], [1.0, 2.0, 100.0])
    assert signal.mean() == (1 * 1 + 2 * 3) / 4 * pq.mV
    assert signal.mean().shape == ()
    assert_array_equal(make().mean().magnitude, [(0 + 4 + 16 + 6) / 8, (1 + 6 + 20 + 7) / 8])
    with pytest.raises(NotImplementedError, match="cubic"):
        signal.mean("cubic")


def test_resample_interpolates():
    signal = make(
        [1.0, 2.0, 5.0],
        [[0, 5], [10, 5], [40, 8]],
        name="n",
        key=[1],
        array_annotations={"a": [1, 2]},
    )
    result = signal.resample(5)
    assert type(result) is AnalogSignal
    assert_array_equal(result.times.magnitude, [1, 2, 3, 4, 5])
    assert result.sampling_rate == 4 / (4 * pq.s)
    np.testing.assert_allclose(result.magnitude[:, 0], [0, 10, 20, 30, 40])
    np.testing.assert_allclose(result.magnitude[:, 1], [5, 5, 6, 7, 8])
    assert result.units == pq.mV
    assert (result.name, result.annotations) == ("n", {"key": [1]})
    assert result.array_annotations == {"a": [1, 2]}
    held = signal.resample(5, interpolation="previous")
    assert_array_equal(held.magnitude[:, 0], [0, 10, 10, 10, 40])
    with pytest.raises(ValueError, match="interpolation must be"):
        signal.resample(5, interpolation="cubic")
    for wrong in (
        lambda: signal.resample(1),
        lambda: signal[:1].resample(4),
        lambda: signal[::-1].resample(4),
    ):
        with pytest.raises(ValueError, match="at least 2 samples"):
            wrong()


def test_arithmetic():
    signal = annotated()
    for result, expected in [
        (2 * signal, VALUES * 2),
        (signal + 1 * pq.V, VALUES + 1000),
        (1 * pq.mV - signal, 1 - VALUES),
        (signal + signal, VALUES * 2),
        (-signal, -VALUES),
        (np.abs(signal), VALUES),
        (signal.rectify(), VALUES),
    ]:
        assert type(result) is IrregularlySampledSignal
        assert_array_equal(result.magnitude, expected)
        assert_array_equal(result.times.magnitude, TIMES)
        assert result.array_annotations == {"a": ["x", "y"]}
        assert result.annotations == {"key": [1]}
    milliseconds = make(TIMES * 1000, time_units="ms")
    assert (signal + milliseconds).shape == (5, 2)
    with pytest.raises(ValueError, match="Times do not match"):
        signal + make(TIMES + 1)
    with pytest.raises(ValueError, match="Times do not match"):
        signal - AnalogSignal(VALUES, "mV", sampling_rate=1 * pq.Hz)


def test_comparison():
    signal = make()
    assert (signal == make(TIMES + 1)) is False
    assert (signal != make(TIMES[:4], VALUES[:4])) is True
    assert (signal == make(TIMES * 1000, time_units="ms")).all()
    assert_array_equal(signal > 3 * pq.mV, VALUES > 3)


def test_copies_and_pickles():
    signal = annotated()
    for other in (copy.deepcopy(signal), pickle.loads(pickle.dumps(signal)), signal.copy()):
        assert (other == signal).all()
        assert not np.shares_memory(other.times, signal.times)
        assert other.annotations == {"key": [1]}
        assert other.array_annotations == {"a": ["x", "y"]}
    other = signal.rescale("uV")
    assert_array_equal(other.times.magnitude, TIMES)
    assert_array_equal(other.magnitude, VALUES * 1000)
    assert signal.detached().times[0] == 1 * pq.s


def test_merge():
    first = make(name="a", key="x", array_annotations={"c": [1, 2]})
    second = make(values=VALUES[:, :1], units="V", name="b", key="y", array_annotations={"c": [3]})
    merged = first.merge(second)
    assert_array_equal(merged.magnitude, np.hstack([VALUES, VALUES[:, :1] * 1000]))
    assert_array_equal(merged.times.magnitude, TIMES)
    assert merged.name == "merge(a, b)"
    assert merged.annotations == {"key": "x;y"}
    assert merged.array_annotations == {"c": [1, 2, 3]}
    other_segment = make()
    other_segment.segment = "segment"
    for other, message in [
        (make(TIMES + 1), "times differ"),
        (make(units="s"), "Unable to convert"),
        (other_segment, "segments"),
        (AnalogSignal([1], "mV", sampling_rate=1 * pq.Hz), "AnalogSignal"),
    ]:
        with pytest.raises(MergeError, match=message):
            make().merge(other)


def test_concatenate():
    first = make(name="a", description="d", key="x", array_annotations={"c": [1, 2], "d": [1, 2]})
    second = make(
        (TIMES + 20) * 1000,
        VALUES / 1000,
        "V",
        "ms",
        name="b",
        description="d",
        key="y",
        array_annotations={"c": [1, 2], "d": [1, 3]},
    )
    for joined in (first.concatenate(second), second.concatenate(first)):
        assert_array_equal(joined.times.rescale("s").magnitude, [*TIMES, *(TIMES + 20)])
        np.testing.assert_allclose(joined.rescale("mV").magnitude, np.vstack([VALUES, VALUES]))
        assert joined.array_annotations == {"c": [1, 2]}
        assert joined.description == "d"
        assert joined.segment is None
    joined = first.concatenate(second)
    assert joined.units == pq.mV
    assert joined.name == "concatenation (['a', 'b'])"
    assert joined.annotations == {"key": "x;y"}
    with pytest.raises(ValueError, match="allow_overlap=True"):
        first.concatenate(make(TIMES + 0.5))
    mixed = first.concatenate(make(TIMES + 0.5), allow_overlap=True)
    assert_array_equal(mixed.times.magnitude, [1, 1.5, 2, 2.5, 4, 4.5, 8, 8.5, 9, 9.5])
    assert_array_equal(mixed.magnitude[:4], [VALUES[0], VALUES[0], VALUES[1], VALUES[1]])
    assert len(first.concatenate(make([], np.zeros((0, 2))))) == 5
    for other in (make(TIMES + 20, VALUES[:, :1]), make(TIMES + 20, units="s"), "x"):
        with pytest.raises(MergeError):
            first.concatenate(other)


def test_duplicate_with_new_data():
    signal = annotated()
    signal.segment = "segment"
    other = signal.duplicate_with_new_data(VALUES * 2)
    assert_array_equal(other.magnitude, VALUES * 2)
    assert_array_equal(other.times.magnitude, TIMES)
    assert other.units == pq.mV
    assert (other.name, other.annotations) == ("n", {"key": [1]})
    assert other.array_annotations == {}
    assert other.segment is None
    assert signal.duplicate_with_new_data(VALUES[:, 0], "A").units == pq.A
    with pytest.raises(ValueError, match="5 times for 2 samples"):
        signal.duplicate_with_new_data(VALUES[:2])


def test_chunks():
    signal = annotated()
    pieces = list(signal.chunks(max_bytes=2 * (8 + 16)))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    assert_array_equal(np.concatenate([piece.times.magnitude for piece in pieces]), TIMES)
    assert_array_equal(np.concatenate([piece.magnitude for piece in pieces]), VALUES)
    assert all(np.shares_memory(piece, signal) for piece in pieces)
