"""What all data objects share: annotations, array annotations, copies, pickling, numpy."""

import copy
import pickle
from datetime import datetime, timedelta

import numpy as np
import pytest
import quantities as pq

from ephyrus.core._arraydict import (
    equal_arrays,
    intersect_array_annotations,
    normalize_array_annotations,
)
from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.dataobject import ArrayDict, DataObject
from ephyrus.core.units import as_unit
from tests.core.fake_sources import FakePoints


def make(**kwargs):
    return AnalogSignal(
        np.arange(12.0).reshape(4, 3), "mV", sampling_rate=1 * pq.Hz, name="s", **kwargs
    )


# --- array annotations --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2, 3], np.array([1, 2, 3])),
        ((1.5, 2, 3), np.array([1.5, 2, 3])),
        (["a", "b", "c"], np.array(["a", "b", "c"])),
        (np.array([True, False, True]), np.array([True, False, True])),
        ([1, "a", 2.5], np.array(["1", "a", "2.5"])),
        ([1, 2, 3] * pq.mV, [1, 2, 3] * pq.mV),
        ([1 * pq.mV, 2 * pq.V, 3 * pq.mV], [1, 2000, 3] * pq.mV),
        ([], np.array([])),
        (np.array([], dtype=int), np.array([], dtype=int)),
        ([datetime(2020, 1, 1)] * 3, np.array(["2020-01-01"] * 3, dtype="datetime64[us]")),
        ([timedelta(0, 1)] * 3, np.array([1_000_000] * 3, dtype="timedelta64[us]")),
        ([np.nan, 1.0, 2.0], np.array([np.nan, 1.0, 2.0])),
    ],
)
def test_array_annotations_are_made_arrays(value, expected):
    for signal in (make(array_annotations={"k": value}), make()):
        signal.array_annotate(k=value)
        signal.array_annotations["other"] = value
        assert isinstance(signal.array_annotations, ArrayDict)
        for key in ("k", "other"):
            kept = signal.array_annotations[key]
            assert equal_arrays(kept, expected)
            assert kept.dtype.kind == expected.dtype.kind


@pytest.mark.parametrize(
    "value",
    [
        *([1, 2], [1, 2, 3, 4], 5, "abc", None, {"a": 1}, [[1, 2], [3, 4], [5, 6]], [1, [2], 3]),
        *([None, 1, 2], np.zeros((3, 1)), np.array([object()] * 3), {1, 2, 3}, [{}, {}, {}]),
        *([np.zeros(2)] * 3, 5 * pq.mV),
    ],
)
def test_wrong_array_annotations_are_refused(value):
    with pytest.raises(ValueError, match="array annotation 'k'"):
        make(array_annotations={"k": value})
    signal = make(array_annotations={"k": [1, 2, 3]})
    with pytest.raises(ValueError, match="array annotation 'k'"):
        signal.array_annotate(good=[1, 2, 3], k=value)
    with pytest.raises(ValueError, match="array annotation 'k'"):
        signal.array_annotations["k"] = value
    with pytest.raises(ValueError, match="array annotation 'k'"):
        signal.array_annotations.update(k=value)
    with pytest.raises(ValueError, match="array annotation 'k'"):
        signal.array_annotations |= {"k": value}
    with pytest.raises(ValueError, match="array annotation 'k'"):
        signal.array_annotations = {"k": value}
    assert signal.array_annotations == {"k": np.array([1, 2, 3])}


def test_surprise_31_the_error_says_how_to_write_missing_values():
    with pytest.raises(ValueError, match="missing values are NaN for numbers and '' for strings"):
        make(array_annotations={"k": [None, 1, 2]})
    masked = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    kept = make(array_annotations={"k": masked})[:, 1:].array_annotations["k"]
    assert kept.mask.tolist() == [True, False]


def test_scalars_where_one_value_is_needed():
    signal = AnalogSignal([1.0, 2.0], "mV", sampling_rate=1 * pq.Hz)
    signal.array_annotate(a=3, b="x", c=2 * pq.mV)
    np.testing.assert_array_equal(signal.array_annotations["a"], [3])
    np.testing.assert_array_equal(signal.array_annotations["b"], ["x"])
    assert signal.array_annotations["c"].shape == (1,)
    assert signal.array_annotations["c"].units == pq.mV


def test_array_annotations_at_index():
    signal = make(array_annotations={"a": [1, 2, 3], "e": []})
    assert signal.array_annotations_at_index(1)["a"] == 2
    assert signal.array_annotations_at_index(-1)["a"] == 3
    assert len(signal.array_annotations_at_index(1)["e"]) == 0
    for index in ([0, 2], slice(None, None, 2), np.array([True, False, True])):
        np.testing.assert_array_equal(signal.array_annotations_at_index(index)["a"], [1, 3])
    with pytest.raises(IndexError):
        signal.array_annotations_at_index(3)


def test_array_annotations_can_be_replaced():
    signal = make(array_annotations={"a": [1, 2, 3]})
    signal.array_annotations = {"b": (4, 5, 6), "e": []}
    assert signal.array_annotations == {"b": [4, 5, 6], "e": []}
    assert isinstance(signal.array_annotations, ArrayDict)


def test_arraydict_is_a_dict():
    arrays = ArrayDict(2, a=[1, 2])
    assert arrays.length == 2
    assert arrays == {"a": [1, 2]}
    assert arrays != {"a": [1, 3]}
    assert arrays != {"b": [1, 2]}
    assert (arrays == 3) is False
    assert (arrays != 3) is True
    assert arrays.setdefault("a", [5, 6]).tolist() == [1, 2]
    assert arrays.setdefault("b", [5, 6]).tolist() == [5, 6]
    with pytest.raises(ValueError, match="has 1 values, but 2 are needed"):
        arrays.setdefault("c", [5])
    for other in (arrays.copy(), copy.copy(arrays), pickle.loads(pickle.dumps(arrays))):
        assert other == arrays
        assert isinstance(other, ArrayDict)
        assert other.length == 2
        with pytest.raises(ValueError, match="are needed"):
            other["x"] = [1, 2, 3]
    deep = copy.deepcopy(arrays)
    deep["a"][0] = 9
    assert arrays["a"].tolist() == [1, 2]
    with pytest.raises(TypeError):
        hash(arrays)


def only_ones(value, length):
    return {key: np.ones(length) for key in value}


def test_arraydict_with_a_check_of_ones_own():
    arrays = ArrayDict(3, only_ones, {"a": 7}, b=8)
    assert arrays == {"a": np.ones(3), "b": np.ones(3)}
    again = pickle.loads(pickle.dumps(arrays))
    again["c"] = 5
    assert again["c"].tolist() == [1, 1, 1]
    assert again.check_function is only_ones


def test_equality_of_arrays():
    assert equal_arrays(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]))
    assert not equal_arrays([1] * pq.mV, [1] * pq.V)
    assert not equal_arrays([1] * pq.mV, np.array([1]))
    assert equal_arrays(np.array(["a"]), np.array(["a"]))
    common = intersect_array_annotations(
        [{"a": np.array([1]), "b": np.array([2])}, {"a": np.array([1])}]
    )
    assert common == {"a": np.array([1])}


def test_joining_array_annotations():
    first = make(array_annotations={"a": [1, 2, 3], "q": [1, 2, 3] * pq.mV, "only": [0, 0, 0]})
    second = make(array_annotations={"a": [4, 5, 6], "q": [1, 2, 3] * pq.V, "extra": [0, 0, 0]})
    with pytest.warns(UserWarning, match="left out: extra, only"):
        joined = first._merge_array_annotations(second)
    np.testing.assert_array_equal(joined["a"], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(joined["q"].magnitude, [1, 2, 3, 1000, 2000, 3000])
    assert sorted(joined) == ["a", "q"]
    with pytest.raises(ValueError, match="Unable to convert"):
        make(array_annotations={"q": [1, 2, 3] * pq.mV})._merge_array_annotations(
            make(array_annotations={"q": [1, 2, 3] * pq.s})
        )
    with pytest.raises(ValueError, match="'q' has units in one object and none in another"):
        make(array_annotations={"q": [1, 2, 3] * pq.mV})._merge_array_annotations(
            make(array_annotations={"q": [1, 2, 3]})
        )


# --- annotations, copies ------------------------------------------------------------------


def test_annotations_are_a_plain_dict_of_the_objects_own():
    first, second = make(), make(key=1)
    assert first.annotations == {}
    first.annotate(a=1)
    assert first.annotations == {"a": 1}
    assert second.annotations == {"key": 1}
    second.annotations = {"z": 3}
    assert second.annotations == {"z": 3}
    with pytest.raises(ValueError, match="annotations cannot be"):
        make(bad={1})


def test_surprise_11_slices_and_copies_have_dicts_of_their_own():
    signal = make(key=[1], array_annotations={"a": [1, 2, 3]})
    for other in (
        signal[1:],
        signal.copy(),
        signal.rescale("uV"),
        copy.copy(signal),
        signal[:, :2],
    ):
        other.annotate(new=1)
        other.array_annotations["b"] = np.zeros(other.shape[1])
        assert other.annotations["key"] is signal.annotations["key"]
    assert signal.annotations == {"key": [1]}
    assert list(signal.array_annotations) == ["a"]


def test_surprise_11_the_constructor_copies():
    data = np.zeros((2, 1))
    quantity = data * pq.mV
    for values, units in ((data, "mV"), (quantity, None)):
        signal = AnalogSignal(values, units, sampling_rate=1 * pq.Hz)
        signal[0] = 5 * pq.mV
        assert values[0, 0] == 0
        shared = AnalogSignal(values, units, sampling_rate=1 * pq.Hz, copy=False)
        assert np.shares_memory(shared, values)
        assert np.shares_memory(
            AnalogSignal(values, units, sampling_rate=1 * pq.Hz, copy=None), values
        )


def test_copy_false_refuses_conversions():
    data = np.zeros((2, 1)) * pq.mV
    for kwargs in ({"units": "V"}, {"dtype": np.float32}):
        with pytest.raises(ValueError, match="cannot be shared"):
            AnalogSignal(data, sampling_rate=1 * pq.Hz, copy=False, **kwargs)
        assert AnalogSignal(data, sampling_rate=1 * pq.Hz, copy=None, **kwargs).shape == (2, 1)
    with pytest.raises(ValueError, match="cannot be shared"):
        AnalogSignal([1, 2], "mV", sampling_rate=1 * pq.Hz, copy=False)


def test_copy_has_new_data_and_everything_else():
    signal = make(key=1, array_annotations={"a": [1, 2, 3]})
    signal.segment = "segment"
    other = signal.copy()
    other[0] = 100 * pq.mV
    assert signal[0, 0] == 0 * pq.mV
    assert other.name == "s"
    assert other.segment == "segment"
    assert other.annotations == {"key": 1}
    assert other.array_annotations == {"a": [1, 2, 3]}
    assert signal.copy("F").flags.f_contiguous


def test_deepcopy_is_independent_and_without_parent():
    signal = make(key=[1, {"a": 2}], array_annotations={"a": [1, 2, 3]})
    signal.segment = "segment"
    signal.own_attribute = [1]
    other = copy.deepcopy(signal)
    other.annotations["key"].append(2)
    other.array_annotations["a"][0] = 9
    other.own_attribute.append(2)
    other[0] = 7 * pq.mV
    assert signal.annotations == {"key": [1, {"a": 2}]}
    assert signal.array_annotations == {"a": [1, 2, 3]}
    assert signal.own_attribute == [1]
    assert signal[0, 0] == 0 * pq.mV
    assert other.segment is None
    assert other.name == "s"
    memo = {}
    pair = copy.deepcopy([signal, signal], memo)
    assert pair[0] is pair[1]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_everything(protocol):
    signal = make(key=[1], array_annotations={"a": [1, 2, 3]}, description="d", file_origin="f")
    signal.own_attribute = "x"
    signal.segment = {"stands": "for a segment"}
    again = pickle.loads(pickle.dumps(signal, protocol))
    assert type(again) is AnalogSignal
    np.testing.assert_array_equal(again.magnitude, signal.magnitude)
    assert again.units == pq.mV
    assert again.sampling_rate == 1 * pq.Hz
    assert (again.name, again.description, again.file_origin) == ("s", "d", "f")
    assert again.annotations == {"key": [1]}
    assert again.array_annotations == {"a": [1, 2, 3]}
    assert again.segment == signal.segment
    assert again.own_attribute == "x"


def test_surprise_24_detached_leaves_the_container_behind():
    signal = make(key=1)
    signal.segment = {"large": np.zeros(100_000)}
    detached = signal.detached()
    assert detached.segment is None
    assert np.shares_memory(detached, signal)
    assert detached.annotations == {"key": 1}
    assert len(pickle.dumps(detached)) < 2000 < 800_000 < len(pickle.dumps(signal))


class Special(AnalogSignal):
    """A subclass with an attribute of its own."""

    def __new__(cls, *args, extra=None, **kwargs):
        new = super().__new__(cls, *args, **kwargs)
        new.extra = extra
        return new


def test_subclasses_stay_themselves():
    signal = Special([1.0, 2.0], "mV", sampling_rate=1 * pq.Hz, extra="x")
    for other in (
        *(signal[1:], signal * 2, signal.rescale("V"), copy.deepcopy(signal), signal.copy()),
        *(pickle.loads(pickle.dumps(signal)), np.abs(signal), signal.time_slice(None, 1 * pq.s)),
    ):
        assert type(other) is Special
        assert other.extra == "x"
    without = Special([1.0, 2.0], "mV", sampling_rate=1 * pq.Hz)
    assert pickle.loads(pickle.dumps(without)).extra is None


# --- units --------------------------------------------------------------------------------


def test_rescale():
    signal = make(key=1, array_annotations={"a": [1, 2, 3]})
    signal.segment = "segment"
    other = signal.rescale("uV")
    np.testing.assert_array_equal(other.magnitude, signal.magnitude * 1000)
    assert other.units == pq.uV
    assert other.segment == "segment"
    assert other.annotations == {"key": 1}
    assert other.array_annotations == {"a": [1, 2, 3]}
    assert other.sampling_rate == signal.sampling_rate
    same = signal.rescale(pq.mV)
    assert (same == signal).all()
    assert not np.shares_memory(same, signal)
    with pytest.raises(ValueError, match='Unable to convert between units of "mV" and "s"'):
        signal.rescale("s")


@pytest.mark.parametrize(
    ("dtype", "wanted", "expected"),
    [
        (np.float32, None, np.float32),
        (np.float64, None, np.float64),
        (np.int16, None, np.float64),
        (np.int16, np.float32, np.float32),
        (np.float64, np.float32, np.float32),
        (np.float64, np.int32, np.int32),
        (np.complex64, None, np.complex64),
    ],
)
def test_surprise_34_dtype_of_rescaled_data(dtype, wanted, expected):
    signal = AnalogSignal(np.array([1, -2, 3], dtype=dtype), "mV", sampling_rate=1 * pq.Hz)
    other = signal.rescale("uV", dtype=wanted)
    assert other.dtype == expected
    np.testing.assert_array_equal(other.magnitude[:, 0], [1000, -2000, 3000])
    assert signal.rescale("mV", dtype=wanted).dtype == (wanted or dtype)


def test_units_property():
    signal = make()
    assert signal.units == pq.mV
    assert type(signal.units) is pq.Quantity
    signal.units = "V"
    np.testing.assert_allclose(signal.magnitude[0], [0, 0.001, 0.002], rtol=1e-15)
    assert signal.units == pq.V


def test_plain_forms():
    signal = make()
    assert type(signal.as_array()) is np.ndarray
    assert np.shares_memory(signal.as_array(), signal)
    np.testing.assert_array_equal(signal.as_array("uV"), signal.magnitude * 1000)
    assert type(signal.as_quantity()) is pq.Quantity
    assert signal.as_quantity().units == pq.mV


def test_astype_keeps_metadata():
    other = make(key=1).astype(np.float32)
    assert other.dtype == np.float32
    assert other.annotations == {"key": 1}
    assert other.units == pq.mV


# --- numpy --------------------------------------------------------------------------------


def test_reductions_and_reshaping_are_plain_quantities():
    signal = make()
    values = signal.magnitude
    for result, expected in [
        (signal.sum(), values.sum()),
        (signal.mean(axis=0), values.mean(axis=0)),
        (np.mean(signal, axis=0), values.mean(axis=0)),
        (np.median(signal), np.median(values)),
        (signal.max(), values.max()),
        (signal.T, values.T),
        (signal.transpose(), values.T),
        (signal.reshape(2, 6), values.reshape(2, 6)),
        (signal.ravel(), values.ravel()),
        (signal.flatten(), values.flatten()),
        (signal.swapaxes(0, 1), values.T),
        (signal.squeeze(), values),
        (signal.take([0, 2], axis=1), values[:, [0, 2]]),
        (signal.repeat(2), values.repeat(2)),
        (signal.compress([True, False], axis=0), values[:1]),
        (signal.diagonal(), values.diagonal()),
        (np.transpose(signal), values.T),
        (np.diff(signal, axis=0), np.diff(values, axis=0)),
        (np.concatenate([signal, signal]), np.concatenate([values, values])),
        (np.hstack([signal, signal.rescale("uV")]), np.hstack([values, values])),
        (np.vstack((signal, 1000 * signal / 1000)), np.vstack([values, values])),
        (signal.cumsum(axis=0), values.cumsum(axis=0)),
    ]:
        assert type(result) is pq.Quantity
        assert result.units == pq.mV
        np.testing.assert_allclose(result.magnitude, expected, rtol=1e-12)


def test_functions_of_numpy_with_out():
    signal, out = make(), make()
    assert np.add(signal, 1 * pq.mV * np.ones((4, 3)), out=out) is out
    np.testing.assert_array_equal(out.magnitude, signal.magnitude + 1)
    assert np.array_equal(signal, signal.copy())
    assert np.shares_memory(signal, signal[1:])


def test_joining_with_other_dimensions_is_refused():
    with pytest.raises(ValueError, match="Unable to convert"):
        np.concatenate([make(), make() * pq.s])


def test_views_made_by_numpy_have_defaults():
    signal = np.zeros((2, 1)).view(AnalogSignal)
    assert signal.name is None
    assert signal.annotations == {}
    assert signal.array_annotations == {}
    assert signal.segment is None
    assert signal.lazy_shape is None
    assert not signal.dimensionality


def test_objects_in_memory_are_not_lazy():
    signal = make()
    assert signal.lazy_shape is None
    assert not hasattr(signal, "proxy_for")
    assert signal.load() is signal


def test_pieces_belong_to_the_classes():
    class Bare(DataObject):
        pass

    bare = np.zeros(3).view(Bare)
    with pytest.raises(NotImplementedError, match="Bare has no pieces"):
        next(bare.chunks())
    with pytest.raises(ValueError, match="max_bytes must be at least 1"):
        bare.chunks(0)


def test_rescale_to_preferred_units(monkeypatch):
    monkeypatch.setattr(pq.quantity, "PREFERRED", [pq.uV])
    other = make(key=1).rescale()
    assert type(other) is AnalogSignal
    assert other.units == pq.uV
    assert other.annotations == {"key": 1}
    np.testing.assert_array_equal(other.magnitude, make().magnitude * 1000)


def test_plain_data_objects():
    class Bare(DataObject):
        pass

    bare = Bare._wrap(np.arange(3.0), as_unit("mV"))
    assert bare.array_annotations == {}
    bare.array_annotate(a=[1, 2, 3])
    assert type(bare * 2) is pq.Quantity
    assert type(np.sin(bare / (1 * pq.mV) * pq.rad)) is pq.Quantity
    other = bare.rescale("uV")
    assert type(other) is Bare
    assert other.array_annotations == {"a": [1, 2, 3]}
    assert np.add.reduce(bare) == 3 * pq.mV
    assert np.array_equal(np.maximum.accumulate(bare), [0, 1, 2] * pq.mV)
    assert pq.Quantity(bare, "uV")[1] == 1000 * pq.uV


def test_numpy_functions_with_nested_and_mixed_arguments():
    signal = make()
    result = np.concatenate([signal, np.ones((1, 3))])
    assert result.shape == (5, 3)
    assert type(np.where(signal > 3 * pq.mV, signal, signal)) is not AnalogSignal
    assert [type(part) for part in np.broadcast_arrays(signal, 1)] == [np.ndarray, np.ndarray]
    assert np.block([[signal, signal]]).shape == (4, 6)
    assert signal.rescale("uV", dtype=complex).dtype == complex
    complex_signal = AnalogSignal([1j], "mV", sampling_rate=1 * pq.Hz)
    with pytest.warns(np.exceptions.ComplexWarning):
        assert complex_signal.rescale("uV", dtype=float).dtype == float


def test_array_annotations_grow_in_place():
    arrays = ArrayDict(2)
    arrays |= {"a": [1, 2]}
    assert arrays == {"a": [1, 2]}
    assert normalize_array_annotations([1, 2], 2).tolist() == [1, 2]


def test_hooks_of_objects_on_points():
    class Bare(DataObject):
        pass

    lazy = Bare._wrap(np.empty(0), as_unit("ms"))
    lazy._source = FakePoints([1, 2, 3], np.zeros((3, 1)), {"a": np.array([4, 5, 6])})
    lazy.lazy_shape = (3,)
    assert lazy.array_annotations == {"a": [4, 5, 6]}
    rescaled = lazy.rescale("s")
    assert rescaled._source is lazy._source
    assert rescaled.lazy_shape == (3,)
    assert rescaled.proxy_for is Bare
