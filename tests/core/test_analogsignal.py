"""AnalogSignal: construction, indexing, arithmetic, joining."""

import copy
import operator

import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_array_equal

from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.errors import MergeError, MissingExtraError


def make(values=None, units="mV", rate=1 * pq.kHz, **kwargs):
    values = np.arange(30.0).reshape(10, 3) if values is None else values
    return AnalogSignal(values, units, sampling_rate=rate, **kwargs)


def annotated():
    return make(t_start=2 * pq.s, name="n", array_annotations={"a": ["x", "y", "z"]}, key=[1])


# --- construction -------------------------------------------------------------------------


def test_construction_from_lists_arrays_and_quantities():
    for values in ([1, 2, 3], [[1], [2], [3]], np.array([1, 2, 3])):
        signal = AnalogSignal(values, units="mV", sampling_rate=1 * pq.Hz)
        assert signal.shape == (3, 1)
        assert signal.dtype.kind == "i"
        assert signal.units == pq.mV
        assert_array_equal(signal.magnitude[:, 0], [1, 2, 3])
    signal = AnalogSignal([1.0, 2.0] * pq.V, units="mV", sampling_rate=1 * pq.Hz)
    assert_array_equal(signal.magnitude[:, 0], [1000, 2000])
    signal = AnalogSignal([1.0, 2.0] * pq.V, sampling_rate=1 * pq.Hz)
    assert signal.units == pq.V
    signal = AnalogSignal([1, 2], "mV", np.float32, sampling_rate=1 * pq.Hz)
    assert signal.dtype == np.float32
    assert AnalogSignal([], "mV", sampling_rate=1 * pq.Hz).shape == (0, 1)


def test_attributes_and_their_defaults():
    signal = annotated()
    assert (signal.name, signal.description, signal.file_origin) == ("n", None, None)
    assert signal.annotations == {"key": [1]}
    assert signal.array_annotations == {"a": ["x", "y", "z"]}
    assert signal.segment is None
    assert signal.parents == (None,)
    assert make().t_start == 0 * pq.s
    assert AnalogSignal._necessary_attrs == (
        ("signal", pq.Quantity, 2),
        ("sampling_rate", pq.Quantity, 0),
        ("t_start", pq.Quantity, 0),
    )
    assert AnalogSignal._quantity_attr == "signal"
    assert AnalogSignal._parent_objects == ("Segment",)
    assert signal._parent_containers == ("segment",)


@pytest.mark.parametrize(
    ("error", "message", "kwargs"),
    [
        (ValueError, "Units must be specified", {"units": None}),
        (ValueError, "either the sampling_rate or sampling_period", {"sampling_rate": None}),
        (ValueError, "t_start cannot be None", {"t_start": None}),
        (TypeError, "t_start needs units", {"t_start": 1.0}),
        (ValueError, "t_start must be a time", {"t_start": 1 * pq.mV}),
        (ValueError, "t_start must be finite", {"t_start": np.nan * pq.s}),
        (ValueError, "t_start must be a single value", {"t_start": [1, 2] * pq.s}),
        (TypeError, "sampling_rate needs units", {"sampling_rate": 1000}),
        (ValueError, "sampling_rate must be a frequency", {"sampling_rate": 1 * pq.s}),
        (ValueError, "sampling_rate must be above 0", {"sampling_rate": -1 * pq.Hz}),
        (ValueError, "sampling_rate must be above 0", {"sampling_rate": 0 * pq.Hz}),
        (TypeError, "sampling_period needs units", {"sampling_rate": None, "sampling_period": 1}),
        (ValueError, "sampling_period must be above", {"sampling_period": 0 * pq.s}),
        (ValueError, "has to be 1/sampling_period", {"sampling_period": 2 * pq.s}),
        (ValueError, "Unable to convert", {"signal": [1, 2] * pq.s}),
        (ValueError, "must be numbers", {"signal": ["a", "b"]}),
        (ValueError, "shape", {"signal": np.zeros((2, 2, 2))}),
        (ValueError, "shape", {"signal": 3.0}),
        (ValueError, "'foo' is not known", {"units": "foo"}),
    ],
)
def test_surprise_17_wrong_arguments_are_refused_at_once(error, message, kwargs):
    arguments = {"signal": [1.0, 2.0], "units": "mV", "sampling_rate": 1 * pq.Hz} | kwargs
    with pytest.raises(error, match=message):
        AnalogSignal(**arguments)


def test_surprise_18_rate_and_period_need_not_be_exact_reciprocals():
    signal = make(rate=30000 * pq.Hz, sampling_period=0.0000333333333 * pq.s)
    assert signal.sampling_rate == 30000 * pq.Hz
    make(rate=25000 * pq.Hz, sampling_period=0.04 * pq.ms)
    one = make(rate=25000 * pq.Hz)
    other = make(rate=(1 / 0.00004) * pq.Hz, t_start=1e-12 * pq.s)
    assert (one + other).shape == (10, 3)
    assert one.merge(other).shape == (10, 6)


def test_surprise_33_scalars_are_never_shared():
    one = make()
    start = one.t_start
    start += 1 * pq.s
    rate = one.sampling_rate
    rate *= 2
    assert one.t_start == 0 * pq.s
    assert one.sampling_rate == 1 * pq.kHz
    assert make().t_start == 0 * pq.s
    given = 3.0 * pq.s
    other = make(t_start=given)
    given += 1 * pq.s
    assert other.t_start == 3 * pq.s


def test_representation():
    signal = AnalogSignal([1.0, 2.0], units="mV", sampling_rate=1 * pq.Hz)
    assert repr(signal) == (
        "<AnalogSignal(array([[1.],\n       [2.]]) * mV, [0.0 s, 2.0 s], sampling rate: 1.0 Hz)>"
    )
    assert make()._pretty_lines() == [
        "AnalogSignal with 3 channels of length 10; units mV; datatype float64",
        "sampling rate: 1.0 kHz",
        "time: 0.0 s to 0.01 s",
    ]


# --- indexing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "index", [3, -1, np.int64(2), (3, slice(None)), (3, slice(1, 3)), (3, 1), (3, [0, 2]), (3, ...)]
)
def test_one_time_point_is_a_quantity(index):
    signal = annotated()
    result = signal[index]
    assert type(result) is pq.Quantity
    assert result.units == pq.mV
    assert_array_equal(result.magnitude, signal.magnitude[index])


@pytest.mark.parametrize(
    ("index", "rows", "columns", "start", "rate"),
    [
        (slice(2, 7), slice(2, 7), slice(None), 2.002, 1.0),
        (slice(None), slice(None), slice(None), 2.0, 1.0),
        (slice(5, None), slice(5, None), slice(None), 2.005, 1.0),
        (slice(-3, None), slice(-3, None), slice(None), 2.007, 1.0),
        (slice(-30, 4), slice(0, 4), slice(None), 2.0, 1.0),
        (slice(None, None, 2), slice(None, None, 2), slice(None), 2.0, 0.5),
        (slice(1, 8, 3), slice(1, 8, 3), slice(None), 2.001, 1 / 3),
        ((slice(2, 7), 0), slice(2, 7), [0], 2.002, 1.0),
        ((slice(2, 7), -1), slice(2, 7), [2], 2.002, 1.0),
        ((slice(None), np.int64(1)), slice(None), [1], 2.0, 1.0),
        ((slice(None), slice(1, 3)), slice(None), [1, 2], 2.0, 1.0),
        ((slice(None), slice(None, None, -1)), slice(None), [2, 1, 0], 2.0, 1.0),
        ((slice(None), [0, 2]), slice(None), [0, 2], 2.0, 1.0),
        ((slice(-4, None, 2), (2, 0)), slice(-4, None, 2), [2, 0], 2.006, 0.5),
        ((slice(None), [True, False, True]), slice(None), [0, 2], 2.0, 1.0),
        ((slice(None), np.array([False, True, False])), slice(None), [1], 2.0, 1.0),
        ((slice(None), []), slice(None), [], 2.0, 1.0),
        ((slice(1, 7, 2), ...), slice(1, 7, 2), slice(None), 2.001, 0.5),
        ((..., 1), slice(None), [1], 2.0, 1.0),
        ((slice(1, 3),), slice(1, 3), slice(None), 2.001, 1.0),
        ((slice(1, 3), ..., [1]), slice(1, 3), [1], 2.001, 1.0),
    ],
)
def test_parts_are_signals(index, rows, columns, start, rate):
    signal = annotated()
    part = signal[index]
    assert type(part) is AnalogSignal
    assert_array_equal(part.magnitude, signal.magnitude[rows][:, columns])
    assert part.t_start.magnitude == pytest.approx(start, abs=1e-12)
    assert part.t_start.units == pq.s
    assert part.sampling_rate == rate * pq.kHz
    assert part.name == "n"
    assert part.annotations == {"key": [1]}
    assert part.array_annotations == {"a": np.array(["x", "y", "z"])[columns]}
    # times of the part are those of the whole
    assert np.allclose(part.times.magnitude, signal.times.magnitude[rows], rtol=0, atol=1e-12)


def test_surprise_2_negative_starts_count_from_the_end():
    assert make()[-3:].t_start == 0.007 * pq.s


def test_surprise_3_steps_change_the_rate():
    assert make()[::2].sampling_rate == 0.5 * pq.kHz
    assert make()[::2, :].sampling_rate == 0.5 * pq.kHz
    for index in (slice(None, None, -1), (slice(None, None, -1), [1])):
        assert type(make()[index]) is pq.Quantity
        assert_array_equal(make()[index].magnitude, make().magnitude[index])


def test_slices_are_views_and_keep_the_segment():
    signal = annotated()
    signal.segment = "segment"
    part = signal[2:5]
    part[0] = 100 * pq.mV
    assert_array_equal(signal.magnitude[2], [100, 100, 100])
    assert part.segment == "segment"


def test_boolean_masks():
    signal = make()
    mask = signal > 21.5 * pq.mV
    with pytest.raises(IndexError, match="same number of samples"):
        signal[mask]
    whole_rows = np.zeros((10, 3), dtype=bool)
    whole_rows[[1, 4]] = True
    result = signal[whole_rows]
    assert type(result) is pq.Quantity
    assert_array_equal(result.magnitude, signal.magnitude[[1, 4]])
    mixed = np.zeros((10, 3), dtype=bool)
    mixed[[0, 1, 2], [0, 1, 2]] = True
    assert_array_equal(signal[mixed].magnitude, [[0, 4, 8]])
    assert_array_equal(signal[np.array([1, 3])].magnitude, signal.magnitude[[1, 3]])
    assert_array_equal(signal[np.arange(10) > 7].magnitude, signal.magnitude[8:])
    with pytest.raises(IndexError):
        signal[np.zeros((10, 2), dtype=bool)]
    with pytest.raises(IndexError):
        signal[np.zeros((10, 3))]


@pytest.mark.parametrize(
    "index",
    [
        *(5.0, "a", [1, 2], ..., None, True, (slice(None), None), (None, 0), (slice(None), 5.0)),
        *((slice(None), "a"), (slice(None), [0.5]), (slice(None), [[0]]), (1, 2, 3), (1, None)),
        *(10, (slice(None), 3), (slice(None), -4), (slice(None), [7]), (slice(None), True)),
        *((), (1.0, 1), ("a", 1)),
    ],
)
def test_other_indexes_are_refused(index):
    with pytest.raises(IndexError):
        make()[index]


def test_choosing_samples_by_arrays_and_lists_is_refused():
    with pytest.raises(NotImplementedError, match="use a slice"):
        make()[np.array([1, 2]), 0]
    with pytest.raises(TypeError, match="use a slice"):
        make()[[1, 2], 0]


def test_assignment():
    signal = make()
    signal[1] = 5 * pq.mV
    signal[2, 1] = 1 * pq.V
    signal[3] = np.array([1, 2, 3]) * pq.mV
    signal[5:7, :] = make()[:2] * 2
    signal[8:, 0] = [7, 8] * pq.mV
    assert_array_equal(signal.magnitude[1], [5, 5, 5])
    assert_array_equal(signal.magnitude[2], [6, 1000, 8])
    assert_array_equal(signal.magnitude[3], [1, 2, 3])
    assert_array_equal(signal.magnitude[5:7], make().magnitude[:2] * 2)
    assert_array_equal(signal.magnitude[8:, 0], [7, 8])
    with pytest.raises(ValueError, match="Unable to convert"):
        signal[0] = 1 * pq.s


def test_iteration_gives_quantities():
    rows = list(make())
    assert len(rows) == 10
    assert all(type(row) is pq.Quantity for row in rows)
    assert_array_equal(rows[1].magnitude, [3, 4, 5])


# --- arithmetic ---------------------------------------------------------------------------

VALUES = np.arange(1.0, 31.0).reshape(10, 3)


@pytest.mark.parametrize(
    ("expression", "expected", "units"),
    [
        (lambda s: s + 1 * pq.mV, VALUES + 1, "mV"),
        (lambda s: s + 1 * pq.V, VALUES + 1000, "mV"),
        (lambda s: 1 * pq.V + s, VALUES + 1000, "mV"),
        (lambda s: s - 1 * pq.mV, VALUES - 1, "mV"),
        (lambda s: 1 * pq.mV - s, 1 - VALUES, "mV"),
        (lambda s: s + np.arange(3) * pq.mV, VALUES + np.arange(3), "mV"),
        (lambda s: s + s, VALUES * 2, "mV"),
        (lambda s: s - s.rescale("uV"), VALUES * 0, "mV"),
        (lambda s: s * 2, VALUES * 2, "mV"),
        (lambda s: 2 * s, VALUES * 2, "mV"),
        (lambda s: np.float64(2) * s, VALUES * 2, "mV"),
        (lambda s: s * pq.A, VALUES, "mV*A"),
        (lambda s: pq.A * s, VALUES, "mV*A"),
        (lambda s: (2 * pq.A) * s, VALUES * 2, "mV*A"),
        (lambda s: s * np.array([1, 2, 3]), VALUES * [1, 2, 3], "mV"),
        (lambda s: np.array([1, 2, 3]) * s, VALUES * [1, 2, 3], "mV"),
        (lambda s: s * [1, 2, 3], VALUES * [1, 2, 3], "mV"),
        (lambda s: s * s, VALUES**2, "mV**2"),
        (lambda s: s / 2, VALUES / 2, "mV"),
        (lambda s: s / (2 * pq.mV), VALUES / 2, "dimensionless"),
        (lambda s: 2 / s, 2 / VALUES, "1/mV"),
        (lambda s: (2 * pq.A) / s, 2 / VALUES, "A/mV"),
        (lambda s: s / s, VALUES / VALUES, "dimensionless"),
        (lambda s: s**2, VALUES**2, "mV**2"),
        (lambda s: s**0.5, VALUES**0.5, "mV**0.5"),
        (lambda s: (s / pq.mV) ** np.array([1, 2, 3]), VALUES ** [1, 2, 3], "dimensionless"),
        (lambda s: -s, -VALUES, "mV"),
        (abs, VALUES, "mV"),
        (lambda s: s // (2 * pq.mV), VALUES // 2, "dimensionless"),
        (lambda s: s % (4 * pq.mV), VALUES % 4, "mV"),
        (np.negative, -VALUES, "mV"),
        (np.sqrt, np.sqrt(VALUES), "mV**0.5"),
        (np.square, VALUES**2, "mV**2"),
        (lambda s: np.add(s, s), VALUES * 2, "mV"),
        (lambda s: np.multiply(2, s), VALUES * 2, "mV"),
        (lambda s: np.exp(s / (10 * pq.mV)), np.exp(VALUES / 10), "dimensionless"),
        (lambda s: (-s).rectify(), VALUES, "mV"),
    ],
)
def test_arithmetic_keeps_metadata(expression, expected, units):
    signal = make(VALUES, name="n", key=[1], array_annotations={"a": [1, 2, 3]}, t_start=1 * pq.s)
    result = expression(signal)
    assert type(result) is AnalogSignal
    np.testing.assert_allclose(result.magnitude, expected, rtol=1e-15)
    assert result.dimensionality == pq.Quantity(1, units).dimensionality
    assert result.name == "n"
    assert result.t_start == 1 * pq.s
    assert result.sampling_rate == 1 * pq.kHz
    assert result.annotations == {"key": [1]}
    assert result.array_annotations == {"a": [1, 2, 3]}
    result.annotations["key"].append(2)
    result.array_annotations["a"][0] = 9
    assert signal.annotations == {"key": [1]}
    assert signal.array_annotations == {"a": [1, 2, 3]}
    assert_array_equal(signal.magnitude, VALUES)


def test_surprise_1_reflected_operations():
    signal = make()
    assert_array_equal((2 * signal).magnitude, (signal * 2).magnitude)
    assert_array_equal((1 * pq.mV - signal).magnitude, 1 - signal.magnitude)


def test_surprise_6_array_annotations_stay_where_channels_stay():
    signal = annotated()
    for result in (-signal, abs(signal), np.square(signal), signal.copy(), +signal):
        assert result.array_annotations == {"a": ["x", "y", "z"]}
    assert type(signal.T) is pq.Quantity
    wider = make(np.ones((10, 1)), array_annotations={"a": [1]}) * np.ones((10, 4))
    assert type(wider) is AnalogSignal
    assert wider.shape == (10, 4)
    assert wider.array_annotations == {}
    assert type(make(np.ones((1, 3))) * np.ones((5, 3))) is pq.Quantity


def test_float32_stays_float32():
    signal = make(VALUES.astype(np.float32))
    for result in (signal * 2, signal + 1 * pq.V, 1 * pq.mV - signal, signal / 3.0, signal * pq.A):
        assert result.dtype == np.float32
    assert (signal + signal.rescale("V")).dtype == np.float32


@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_signals_must_have_the_same_time_axis(operation):
    with pytest.raises(ValueError, match="Inconsistent values of sampling_rate"):
        operation(make(), make(rate=2 * pq.kHz))
    with pytest.raises(ValueError, match="Inconsistent values of t_start"):
        operation(make(), make(t_start=1 * pq.s))
    irregular = IrregularlySampledSignal(np.arange(10), np.ones((10, 3)), "mV", "s")
    with pytest.raises(ValueError, match="cannot be combined with IrregularlySampledSignal"):
        operation(make(), irregular)
    with pytest.raises(ValueError, match="Inconsistent values of t_start"):
        np.add(make(), make(t_start=1 * pq.s))


def test_arithmetic_that_has_no_sense():
    signal = make()
    for expression in (lambda: signal + 1, lambda: 1 - signal, lambda: signal + 1 * pq.s):
        with pytest.raises(ValueError, match="Unable to convert"):
            expression()
    with pytest.raises(ValueError, match="dimensionless"):
        signal ** (2 * pq.s)
    with pytest.raises(ValueError, match="uniform power"):
        signal ** np.array([1, 2, 3])
    for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        with pytest.raises(TypeError):
            operation(signal, "a")
        with pytest.raises(TypeError):
            operation(signal, None)
    with pytest.raises(TypeError):
        signal *= "a"


def test_arithmetic_in_place():
    signal = make()
    same = signal
    same += 1 * pq.V
    assert same is signal
    assert_array_equal(signal.magnitude, make().magnitude + 1000)
    same -= 1 * pq.V
    same *= 4
    same /= 2
    assert same is signal
    assert_array_equal(signal.magnitude, make().magnitude * 2)
    same *= 2 * pq.A
    assert same is signal
    assert signal.dimensionality == (pq.mV * pq.A).dimensionality
    assert_array_equal(signal.magnitude, make().magnitude * 4)
    same /= 2 * pq.A
    assert signal.units == pq.mV
    part = signal[2:4]
    part *= 3
    assert_array_equal(signal.magnitude[2], make().magnitude[2] * 6)
    with pytest.raises(ValueError, match="can not modify units of a view"):
        part *= 2 * pq.A


def test_comparison():
    signal = make()
    values = signal.magnitude
    for result, expected in [
        (signal == 3 * pq.mV, values == 3),
        (signal == 0.003 * pq.V, values == 3),
        (signal != 3 * pq.mV, values != 3),
        (signal < 3 * pq.mV, values < 3),
        (signal <= 0.003 * pq.V, values <= 3),
        (signal > 3 * pq.mV, values > 3),
        (signal >= 3 * pq.mV, values >= 3),
        (signal > 3, values > 3),
        (3 * pq.mV < signal, values > 3),
        (signal == 3 * pq.s, np.zeros((10, 3), dtype=bool)),
        (signal != 3 * pq.s, np.ones((10, 3), dtype=bool)),
        (np.isnan(signal), np.zeros((10, 3), dtype=bool)),
        (np.greater(signal, signal * 0.5), values > 0),
    ]:
        assert type(result) is np.ndarray
        assert_array_equal(result, expected)
    with pytest.raises(ValueError, match="Unable to convert"):
        _ = signal < 3 * pq.s
    with pytest.raises(TypeError):
        hash(signal)


def test_surprise_5_signals_of_different_times_are_plainly_different():
    signal = make()
    assert (signal == make(t_start=1 * pq.s)) is False
    assert (signal == make(rate=2 * pq.Hz)) is False
    assert (signal != make(rate=2 * pq.Hz)) is True
    assert (signal == copy.deepcopy(signal)).all()
    assert not (signal != signal.copy()).any()


# --- joining ------------------------------------------------------------------------------


def test_splice():
    target, signal = make(name="n"), make(np.full((3, 3), 0.5), "V", t_start=4 * pq.ms)
    other = target.splice(signal, copy=True)
    assert_array_equal(target.magnitude, make().magnitude)
    expected = make().magnitude
    expected[4:7] = 500
    assert_array_equal(other.magnitude, expected)
    assert other.name == "n"
    assert other.segment is None
    assert target.splice(signal) is target
    assert_array_equal(target.magnitude, expected)


@pytest.mark.parametrize(
    "signal",
    [
        make(np.ones((3, 3)), t_start=-1 * pq.ms),
        make(np.ones((3, 3)), t_start=8 * pq.ms),
        make(np.ones((3, 3)), rate=2 * pq.kHz),
        make(np.ones((3, 2))),
        make(np.ones((3, 3)), units="s"),
    ],
    ids=["before", "after", "rate", "channels", "dimension"],
)
def test_splice_refuses(signal):
    with pytest.raises(ValueError, match=r"splice|rates|channels|convert"):
        make().splice(signal)


def test_merge():
    first = make(
        name="a", description="d", key="x", array_annotations={"c": [1, 2, 3], "l": [0] * 3}
    )
    second = make(
        np.ones((10, 2)), "V", name="b", description="d", key="y", array_annotations={"c": [4, 5]}
    )
    with pytest.warns(UserWarning, match="left out: l"):
        merged = first.merge(second)
    assert_array_equal(merged.magnitude, np.hstack([first.magnitude, np.full((10, 2), 1000)]))
    assert merged.units == pq.mV
    assert merged.name == "merge(a, b)"
    assert merged.description == "d"
    assert merged.annotations == {"key": "x;y"}
    assert merged.array_annotations == {"c": [1, 2, 3, 4, 5]}
    assert merged.t_start == first.t_start
    assert first.annotations == {"key": "x"}


def test_merge_refuses():
    other_segment = make()
    other_segment.segment = "segment"
    for other, message in [
        (make(t_start=1 * pq.s), "t_start"),
        (make(rate=2 * pq.kHz), "sampling_rate"),
        (make(np.ones((9, 3))), "lengths"),
        (make(units="s"), "Unable to convert"),
        (other_segment, "segments"),
        (IrregularlySampledSignal([1], [1], "mV", "s"), "IrregularlySampledSignal"),
    ]:
        with pytest.raises(MergeError, match=message):
            make().merge(other)


def test_concatenate():
    first = make(
        name="a", description="d", key=1, other=2, array_annotations={"c": [1, 2, 3], "x": [1] * 3}
    )
    second = make(
        name="b",
        description="d",
        key=1,
        other=3,
        t_start=10 * pq.ms,
        array_annotations={"c": [1, 2, 3], "x": [2] * 3},
    )
    joined = first.concatenate(second)
    assert_array_equal(joined.magnitude, np.vstack([first.magnitude, second.magnitude]))
    assert joined.t_start == 0 * pq.s
    assert joined.t_stop == 0.02 * pq.s
    assert joined.name == "concatenation (['a', 'b'])"
    assert joined.description == "d"
    assert joined.annotations == {"key": 1}
    assert joined.array_annotations == {"c": [1, 2, 3]}
    assert_array_equal(second.concatenate(first).magnitude, joined.magnitude)
    assert second.concatenate(first).t_start == 0 * pq.s
    assert first.concatenate() is first


def test_surprise_10_common_annotations_stay_flat():
    joined = make(a=1, b="x", c=1).concatenate(make(a=1, b="x", c="1", t_start=10 * pq.ms))
    assert joined.annotations == {"a": 1, "b": "x"}


def test_concatenate_with_gaps_and_overlaps():
    first = make(np.ones((4, 1)))
    later = make(np.full((4, 1), 2.0), t_start=6 * pq.ms)
    with pytest.raises(MergeError, match="padding"):
        first.concatenate(later)
    joined = first.concatenate(later, padding=True)
    assert_array_equal(joined.magnitude[:, 0], [1, 1, 1, 1, np.nan, np.nan, 2, 2, 2, 2])
    joined = first.concatenate(later, padding=1 * pq.V)
    assert_array_equal(joined.magnitude[:, 0], [1, 1, 1, 1, 1000, 1000, 2, 2, 2, 2])
    with pytest.raises(MergeError, match="padding must be a bool or a Quantity, not str"):
        first.concatenate(later, padding="x")
    inside = make(np.full((4, 1), 2.0), t_start=2 * pq.ms)
    third = make(np.full((4, 1), 3.0), t_start=4 * pq.ms)
    joined = first.concatenate(inside, third)
    assert_array_equal(joined.magnitude[:, 0], [1, 1, 1, 1, 2, 2, 3, 3])
    joined = first.concatenate(inside, third, overwrite=True)
    assert_array_equal(joined.magnitude[:, 0], [1, 1, 2, 2, 3, 3, 3, 3])
    integers = make(np.ones((4, 1), dtype=np.int16))
    late = make(np.ones((4, 1), dtype=np.int16), t_start=6 * pq.ms)
    with pytest.raises(MergeError, match="does not fit into samples of dtype int16"):
        integers.concatenate(late, padding=True)
    filled = integers.concatenate(late, padding=7 * pq.mV)
    assert filled.dtype == np.int16
    assert_array_equal(filled.magnitude[:, 0], [1, 1, 1, 1, 7, 7, 1, 1, 1, 1])


def test_concatenate_refuses():
    for other, message in [
        (make(units="V"), "different units"),
        (make(rate=2 * pq.kHz), "different sampling_rate"),
        (make(np.ones((2, 2))), "3 and 2 channels"),
    ]:
        with pytest.raises(MergeError, match=message):
            make().concatenate(other)
    with pytest.raises(TypeError, match="an AnalogSignal is needed, not list"):
        make().concatenate([1])


# --- resampling ---------------------------------------------------------------------------


def test_downsample_and_resample_keep_everything():
    pytest.importorskip("scipy")
    t = np.arange(200) / 1000
    values = np.stack([np.sin(2 * np.pi * 5 * t), np.cos(2 * np.pi * 10 * t)], axis=1)
    signal = make(values, name="n", key=[1], array_annotations={"a": [1, 2]}, t_start=1 * pq.s)
    down = signal.downsample(2, axis=1, ftype="fir")
    assert down.shape == (100, 2)
    assert down.sampling_rate == 0.5 * pq.kHz
    np.testing.assert_allclose(down.magnitude[20:80], values[::2][20:80], atol=2e-3)
    up = signal.resample(400, axis=1, t=[1])
    assert up.sampling_rate == 2 * pq.kHz
    np.testing.assert_allclose(up.magnitude[::2], values, atol=1e-12)
    for result in (down, up):
        assert result.units == pq.mV
        assert result.t_start == 1 * pq.s
        assert (result.name, result.annotations) == ("n", {"key": [1]})
        assert result.array_annotations == {"a": [1, 2]}
        assert result.segment is None


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy", None)
    monkeypatch.setitem(__import__("sys").modules, "scipy.signal", None)
    for call in (lambda: make().downsample(2), lambda: make().resample(5)):
        with pytest.raises(MissingExtraError, match="scipy"):
            call()


def test_rectify():
    signal = make(-VALUES, name="n", array_annotations={"a": [1, 2, 3]})
    result = signal.rectify(axis=1)
    assert_array_equal(result.magnitude, VALUES)
    assert result.name == "n"
    assert result.array_annotations == {"a": [1, 2, 3]}


def test_duplicate_with_new_data():
    signal = annotated()
    signal.segment = "segment"
    for values in (np.ones((5, 2)), np.ones((5, 2)) * pq.mV, np.full((5, 2), 0.001) * pq.V):
        other = signal.duplicate_with_new_data(values)
        np.testing.assert_allclose(other.magnitude, np.ones((5, 2)))
        assert other.units == pq.mV
        assert other.t_start == 2 * pq.s
        assert other.sampling_rate == 1 * pq.kHz
        assert other.name == "n"
        assert other.annotations == {"key": [1]}
        assert other.array_annotations == {}
        assert other.segment is None
    other = signal.duplicate_with_new_data([1.0, 2.0], units="A")
    assert other.units == pq.A
    assert other.shape == (2, 1)
    other.annotations["key"].append(2)
    assert signal.annotations == {"key": [1]}


def test_derivative():
    values = np.array([[0.0, 1.0], [2.0, 1.0], [1.0, 5.0]])
    original = AnalogSignal(
        values,
        "mV",
        sampling_rate=2 * pq.kHz,
        t_start=10 * pq.ms,
        name="v",
        array_annotations={"ch": ["a", "b"]},
        k=1,
    )
    slope = original.derivative()
    assert_array_equal(slope.magnitude, [[4.0, 0.0], [-2.0, 8.0]])
    assert slope.dimensionality == (pq.mV / pq.ms).dimensionality
    assert slope.t_start == 10.25 * pq.ms
    assert slope.sampling_rate == 2 * pq.kHz
    assert (slope.name, slope.annotations) == ("v", {"k": 1})
    assert slope.array_annotations["ch"].tolist() == ["a", "b"]
    assert original.astype(np.float32).derivative().dtype == np.float32
    assert len(original[:1].derivative()) == len(original[:0].derivative()) == 0
    # differences of small integers do not overflow
    small = AnalogSignal(np.array([100, -100], np.int8), "mV", sampling_rate=1 * pq.Hz)
    assert_array_equal(small.derivative().magnitude, [[-200.0]])
