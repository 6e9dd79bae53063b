"""SpikeTrain: making, indexing, shifting, cutting, merging."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.core import Segment, SpikeTrain
from ephyrus.core.spiketrain import check_has_dimensions_time, normalize_times_array
from ephyrus.errors import MergeError


def make(times=(3.0, 4.0, 5.0), t_stop=10.0, **kwargs):
    return SpikeTrain(list(times), t_stop, units="s", **kwargs)


def full(times=(3.0, 4.0, 5.0), **kwargs):
    """A train with everything: waveform k of spike k holds 2k, 2k + 1."""
    count = len(times)
    settings = {
        "waveforms": np.arange(2.0 * count).reshape(count, 1, 2) * pq.mV,
        "sampling_rate": 2 * pq.kHz,
        "left_sweep": 0.5 * pq.ms,
        "name": "n",
        "description": "d",
        "file_origin": "f",
        "array_annotations": {"a": list(range(count)), "q": np.arange(count) * pq.mV},
        "k": [1],
    }
    return make(times, **(settings | kwargs))


def values(train):
    return train.magnitude.tolist()


def limits(train):
    return float(train.t_start), float(train.t_stop)


# --- making -----------------------------------------------------------------------------------


def test_of_a_quantity():
    train = SpikeTrain([3, 4, 5] * pq.s, t_stop=10.0)
    assert values(train) == [3.0, 4.0, 5.0]
    assert train.units == pq.s
    assert limits(train) == (0.0, 10.0)
    assert train.t_stop.units == pq.s
    assert train.duration == 10 * pq.s
    assert isinstance(train, pq.Quantity)
    assert (train.segment, train.annotations, train.unit) == (None, {}, None)
    assert train.sampling_rate == 1 * pq.Hz
    assert train.waveforms is train.left_sweep is None
    assert train.array_annotations == {}


def test_of_lists_and_arrays():
    for times in ([3, 4], (3, 4), np.array([3, 4]), np.array([3.0, 4.0], "f4")):
        train = SpikeTrain(times, 10, units="ms")
        assert values(train) == [3.0, 4.0]
        assert train.units == pq.ms
    assert train.dtype == np.float32
    assert SpikeTrain([3, 4], 10, units="ms").dtype == np.float64
    assert SpikeTrain([3, 4] * pq.s, 10, dtype="f4").dtype == np.float32


def test_units_are_converted():
    train = SpikeTrain([3, 4] * pq.s, 5 * pq.s, units="ms", t_start=2000 * pq.us)
    assert values(train) == [3000.0, 4000.0]
    assert limits(train) == (2.0, 5000.0)
    assert str(train.t_stop) == "5000.0 ms"


def test_empty_trains():
    for times in ([], [] * pq.s, np.array([])):
        train = SpikeTrain(times, 10.0, units="s")
        assert train.shape == (0,)
        assert limits(train) == (0.0, 10.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], 2.0), "units must be given, because times have none"),
        (([[1.0]] * pq.s, 2.0), r"times must have one dimension, not shape \(1, 1\)"),
        ((1.0 * pq.s, 2.0), "one dimension"),
        (([1.0] * pq.mV, 2.0), "times must be in units of time, not in mV"),
        (([1.0] * pq.s, 2.0, "mV"), "units must be in units of time, not in mV"),
        (([1.0] * pq.s, 2.0 * pq.mV), "t_stop must be in units like s, not mV"),
        (([11.0] * pq.s, 10.0), r"The last spike \(11.0 s\) is after t_stop \(10.0 s\)"),
        (([-1.0] * pq.s, 10.0), r"The first spike \(-1.0 s\) is before t_start \(0.0 s\)"),
        (([] * pq.s, -1.0), r"t_stop \(-1.0 s\) is before t_start \(0.0 s\)"),
        (([np.nan, 1.0] * pq.s, 10.0), "The first spike"),
        ((["a"], 2.0, "s"), "times must be real numbers"),
        (([1j] * pq.s, 2.0), "times must be real numbers"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpikeTrain(*arguments)


def test_t_stop_is_needed():
    with pytest.raises(TypeError, match="t_stop"):
        SpikeTrain([1.0] * pq.s)
    with pytest.raises(TypeError, match="t_stop must be a number or a Quantity, not None"):
        SpikeTrain([1.0] * pq.s, None)


def test_waveforms_are_checked():
    waveforms = np.zeros((2, 1, 3)) * pq.uV
    train = make([1.0, 2.0], waveforms=waveforms)
    assert train.waveforms.shape == (2, 1, 3)
    assert train.waveforms is not waveforms
    with pytest.raises(ValueError, match=r"number of waveforms \(2\) must be equal.*spikes \(3\)"):
        make(waveforms=waveforms)


def test_annotations():
    train = make(k=1, name="n", array_annotations={"a": [1, 2, 3]})
    assert train.annotations == {"k": 1}
    assert train.array_annotations["a"].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="type set"):
        make(bad={1})
    with pytest.raises(ValueError, match="'a' has 2 values, but 3"):
        make(array_annotations={"a": [1, 2]})


def test_surprise_13_sort_keyword():
    train = full([5.0, 3.0, 4.0], sort=True)
    assert values(train) == [3.0, 4.0, 5.0]
    assert train.waveforms.magnitude[:, 0, 0].tolist() == [2.0, 4.0, 0.0]
    assert train.array_annotations["a"].tolist() == [1, 2, 0]
    assert values(make([5.0, 3.0])) == [5.0, 3.0]
    assert "sort" not in train.annotations


def test_copy_keyword():
    times = np.array([1.0, 2.0])
    assert not np.shares_memory(SpikeTrain(times, 9, units="s"), times)
    assert np.shares_memory(SpikeTrain(times, 9, units="s", copy=False), times)
    assert np.shares_memory(SpikeTrain(times, 9, units="s", copy=None), times)
    quantity = times * pq.s
    assert np.shares_memory(SpikeTrain(quantity, 9, copy=False), quantity)
    assert not np.shares_memory(SpikeTrain(quantity, 9), quantity)
    assert values(SpikeTrain(quantity, 9000, units="ms", copy=None)) == [1000.0, 2000.0]
    for arguments in ({"units": "ms"}, {"dtype": "f4"}):
        with pytest.raises(ValueError, match="cannot be shared"):
            SpikeTrain(quantity, 9000, copy=False, **arguments)
    with pytest.raises(ValueError, match=r"cannot be shared.*converted to float64"):
        SpikeTrain(np.array([1, 2]), 9, units="s", copy=False)
    with pytest.raises(ValueError, match="cannot be shared"):
        SpikeTrain([1.0, 2.0], 9, units="s", copy=False)


def test_surprise_11_writing_does_not_reach_the_caller():
    times = np.array([1.0, 2.0])
    train = SpikeTrain(times, 9, units="s")
    train[0] = 5.0
    assert times.tolist() == [1.0, 2.0]
    twin = train.copy()
    twin.annotate(new=1)
    twin[1] = 7.0
    assert train.annotations == {}
    assert values(train) == [5.0, 2.0]


def test_surprise_14_limits_are_floats():
    train = SpikeTrain(np.array([1, 2]), units="s", t_stop=10.7)
    assert limits(train) == (0.0, 10.7)
    assert values(train + 0.5 * pq.s) == [1.5, 2.5]
    kept = SpikeTrain(np.array([1, 2]), units="s", t_stop=10.7, dtype=int)
    assert kept.dtype == np.dtype(int)
    assert float(kept.t_stop) == 10.7
    assert values(kept + 0.5 * pq.s) == [1.5, 2.5]


def test_surprise_15_limits_are_compared_within_rounding():
    time = np.float32(36000.1)
    assert float(time) > 36000.1
    train = SpikeTrain(np.array([1.0, time], "f4"), 36000.1, units="s")
    assert train.dtype == np.float32
    assert values(train) == [1.0, float(time)]
    double = SpikeTrain([0.1 + 0.2], 0.3, units="s")
    assert values(double) == [0.3]
    shared = np.array([0.1 + 0.2])
    assert values(SpikeTrain(shared, 0.3, units="s", copy=False)) == [0.1 + 0.2]
    with pytest.raises(ValueError, match="after t_stop"):
        SpikeTrain([0.3 + 1e-14], 0.3, units="s")
    with pytest.raises(ValueError, match="after t_stop"):
        SpikeTrain(np.array([36001.0], "f4"), 36000.1, units="s")


def test_surprise_16_numbers_are_in_the_units_of_the_train():
    train = SpikeTrain([1000.0, 2000.0], 5000, units="ms", t_start=500)
    assert limits(train) == (500.0, 5000.0)
    assert values(train.time_slice(1500, None)) == [2000.0]
    assert values(train.time_shift(10)) == [1010.0, 2010.0]
    assert values(train + 10) == [1010.0, 2010.0]
    train[0] = 700
    train.t_stop = 3000
    assert values(train) == [700.0, 2000.0]
    assert train.t_stop == 3 * pq.s


def test_surprise_16_slices_outside_name_both_intervals():
    with pytest.raises(
        ValueError, match=r"from 20.0 s to 30.0 s is completely outside.*from 0.0 s to 10.0 s"
    ):
        make().time_slice(20 * pq.s, 30 * pq.s)
    with pytest.raises(ValueError, match="completely outside"):
        make().time_slice(None, -1 * pq.s)
    with pytest.raises(ValueError, match=r"t_start \(5.0 s\) is after t_stop \(4.0 s\)"):
        make().time_slice(5 * pq.s, 4 * pq.s)


def test_surprise_19_lists_of_mixed_units():
    train = SpikeTrain([1 * pq.s, 2 * pq.ms, 3 * pq.us], 10)
    np.testing.assert_allclose(values(train), [1.0, 0.002, 3e-6], rtol=1e-15)
    train = SpikeTrain([1 * pq.s, 2 * pq.ms], 10000, units="ms")
    assert values(train) == [1000.0, 2.0]
    with pytest.raises(ValueError, match="mix Quantities and numbers"):
        SpikeTrain([1 * pq.s, 2.0], 10)


def test_surprise_33_scalars_are_copied_on_the_way_in_and_out():
    stop, sweep = 10 * pq.s, 1 * pq.ms
    train = SpikeTrain([1.0] * pq.s, stop, left_sweep=sweep)
    stop += 5 * pq.s
    sweep += 5 * pq.ms
    for name in ("t_start", "t_stop", "left_sweep", "sampling_rate"):
        scalar = getattr(train, name)
        scalar += scalar + 1 * scalar.units
    assert limits(train) == (0.0, 10.0)
    assert train.left_sweep == 1 * pq.ms
    assert train.sampling_rate == 1 * pq.Hz
    assert make().t_start == 0 * pq.s


# --- attributes -------------------------------------------------------------------------------


def test_limits_can_be_set():
    train = make()
    train.t_start = 2000 * pq.ms
    train.t_stop = 5 * pq.s
    assert limits(train) == (2.0, 5.0)
    with pytest.raises(ValueError, match="The last spike"):
        train.t_stop = 4.5 * pq.s
    with pytest.raises(ValueError, match="The first spike"):
        train.t_start = 3.5
    with pytest.raises(ValueError, match="t_start must be in units like s"):
        train.t_start = 1 * pq.mV
    assert limits(train) == (2.0, 5.0)
    train.t_start += 0.5 * pq.s
    assert limits(train) == (2.5, 5.0)


def test_waveform_attributes():
    train = full()
    assert train.sampling_rate == 2 * pq.kHz
    assert str(train.sampling_period) == "0.5 ms"
    assert train.left_sweep == 0.5 * pq.ms
    assert train.right_sweep == 1.5 * pq.ms
    train.sampling_period = 0.25 * pq.s
    assert train.sampling_rate == 4 * pq.Hz
    train.sampling_period = None
    assert train.sampling_rate is train.sampling_period is train.spike_duration is None
    train.sampling_rate = 10 * pq.Hz
    assert train.spike_duration == 0.2 * pq.s
    train.left_sweep = None
    assert train.right_sweep is None
    train.sampling_rate = None
    assert train.sampling_rate is None
    assert make().spike_duration is None
    assert make(sampling_rate=None).sampling_rate is None
    train.left_sweep = [1, 2, 3] * pq.ms
    assert train.left_sweep.magnitude.tolist() == [1.0, 2.0, 3.0]


def test_surprise_40_durations_are_in_units_of_time():
    assert str(full().spike_duration) == "1.0 ms"
    assert full().spike_duration == 1.0 / pq.kHz
    assert str(full(sampling_rate=20 * pq.Hz).spike_duration) == "0.1 s"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sampling_rate", 1 * pq.s, "sampling_rate must be a frequency, not a value in s"),
        ("sampling_rate", -1 * pq.Hz, "sampling_rate must be above 0"),
        ("sampling_period", 1 * pq.Hz, "sampling_period must be in units of time, not in Hz"),
        ("sampling_period", 0 * pq.s, "sampling_period must be above 0"),
        ("left_sweep", 1 * pq.mV, "left_sweep must be in units of time, not in mV"),
    ],
)
def test_surprise_17_attributes_are_checked_at_once(name, value, message):
    with pytest.raises(ValueError, match=message):
        setattr(make(), name, value)
    if name != "sampling_period":
        with pytest.raises(ValueError, match=message):
            make(**{name: value})


def test_class_tables():
    assert SpikeTrain._quantity_attr == "times"
    assert SpikeTrain._parent_objects == ("Segment",)
    assert SpikeTrain._necessary_attrs == (
        ("times", pq.Quantity, 1), ("t_start", pq.Quantity, 0), ("t_stop", pq.Quantity, 0),
    )  # fmt: skip
    assert SpikeTrain._recommended_attrs == (
        ("waveforms", pq.Quantity, 3), ("left_sweep", pq.Quantity, 0),
        ("sampling_rate", pq.Quantity, 0),
        ("name", str), ("description", str), ("file_origin", str),
    )  # fmt: skip


def test_reprs():
    assert repr(make()) == "<SpikeTrain(array([3., 4., 5.]) * s, [0.0 s, 10.0 s])>"
    assert str(make()) == "[3. 4. 5.] s"
    assert full()._pretty_lines() == [
        "SpikeTrain containing 3 spikes with waveforms; units s; datatype float64 ",
        "time: 0.0 s to 10.0 s",
    ]
    assert make()._pretty_lines()[0] == "SpikeTrain containing 3 spikes; units s; datatype float64 "


# --- indexing ---------------------------------------------------------------------------------


def test_indexing():
    train = full()
    train.segment = segment = Segment()
    assert type(train[1]) is pq.Quantity
    assert train[1] == 4 * pq.s
    assert [float(time) for time in train] == [3.0, 4.0, 5.0]
    for index, places in (
        (slice(1, None), [1, 2]),
        (slice(None, None, -2), [2, 0]),
        ([0, 2], [0, 2]),
        (np.array([True, False, True]), [0, 2]),
        (np.array([2]), [2]),
        (Ellipsis, [0, 1, 2]),
        ((), [0, 1, 2]),
        (slice(5, 9), []),
    ):
        part = train[index]
        assert type(part) is SpikeTrain
        assert values(part) == [3.0 + place for place in places]
        assert part.waveforms.magnitude[:, 0, 0].tolist() == [2.0 * place for place in places]
        assert part.array_annotations["a"].tolist() == places
        assert part.array_annotations["q"].units == pq.mV
        assert limits(part) == (0.0, 10.0)
        assert (part.name, part.left_sweep, part.annotations) == ("n", 0.5 * pq.ms, {"k": [1]})
        assert part.segment is segment
    with pytest.raises(IndexError):
        train[3]
    assert type(train[None]) is pq.Quantity
    assert train[None].shape == (1, 3)


def test_slices_are_views_with_their_own_annotations():
    train = full()
    part = train[1:]
    part[0] = 6.0
    assert values(train) == [3.0, 6.0, 5.0]
    part.annotate(new=1)
    assert train.annotations == {"k": [1]}


def test_empty_array_annotations_stay_empty():
    part = make(array_annotations={"later": []})[1:]
    assert part.array_annotations["later"].tolist() == []


def test_parts_have_array_annotations_of_their_own_length():
    train = make()
    assert train.array_annotations == {}
    part = train[1:]
    part.array_annotate(x=[1, 2])
    assert part.array_annotations["x"].tolist() == [1, 2]
    assert train.array_annotations == {}


def test_assignment_checks_the_range():
    train = make()
    train[0] = 2000 * pq.ms
    train[1:] = [6.0, 7.0]
    assert values(train) == [2.0, 6.0, 7.0]
    with pytest.raises(ValueError, match=r"The last spike \(50.0 s\) is after t_stop"):
        train[0] = 50
    with pytest.raises(ValueError, match="The first spike"):
        train[1:] = [1.0, -1.0] * pq.s
    with pytest.raises(ValueError, match="units of time"):
        train[0] = 1 * pq.mV
    assert values(train) == [2.0, 6.0, 7.0]


def test_sort():
    train = full([5.0, 3.0, 4.0, 3.0])
    same = train.magnitude
    train.sort()
    assert values(train) == [3.0, 3.0, 4.0, 5.0]
    assert np.shares_memory(train, same)
    assert train.waveforms.magnitude[:, 0, 0].tolist() == [2.0, 6.0, 4.0, 0.0]
    assert train.array_annotations["a"].tolist() == [1, 3, 2, 0]
    assert train.array_annotations["q"].magnitude.tolist() == [1, 3, 2, 0]
    plain = make([5.0, 3.0])
    plain.sort()
    assert values(plain) == [3.0, 5.0]


def test_times_is_a_plain_quantity():
    assert type(make().times) is pq.Quantity
    assert make().times.magnitude.tolist() == [3.0, 4.0, 5.0]
    assert make([1, 2]).as_quantity()[1] == 2 * pq.s
    assert make([1, 2]).as_array("ms").tolist() == [1000.0, 2000.0]


# --- arithmetic -------------------------------------------------------------------------------


def test_adding_a_time_shifts_the_limits():
    train = full()
    train.segment = Segment()
    for moved in (train + 500 * pq.ms, 0.5 * pq.s + train, train - -0.5 * pq.s):
        assert type(moved) is SpikeTrain
        assert values(moved) == [3.5, 4.5, 5.5]
        assert limits(moved) == (0.5, 10.5)
        assert moved.array_annotations["a"].tolist() == [0, 1, 2]
        assert (moved.name, moved.annotations, moved.segment) == ("n", {"k": [1]}, None)
        assert moved.waveforms.magnitude.tolist() == train.waveforms.magnitude.tolist()
        assert not np.shares_memory(moved.waveforms, train.waveforms)
    assert values(train) == [3.0, 4.0, 5.0]


def test_adding_an_array_widens_the_limits():
    moved = make() + [1.0, 2.0, 30.0] * pq.s
    assert values(moved) == [4.0, 6.0, 35.0]
    assert limits(moved) == (0.0, 35.0)
    moved = make() - [1.0, 2000.0, 30000.0] * pq.ms
    assert values(moved) == [2.999, 2.0, -25.0]
    assert limits(moved) == (-25.0, 10.0)
    with pytest.raises(ValueError, match="broadcast"):
        make() + [1.0, 2.0] * pq.s
    with pytest.raises(ValueError, match="cannot be shifted by an array"):
        make([1.0]) + [1.0, 2.0] * pq.s


def test_shifting_in_place():
    train = make()
    same = train
    train += 1 * pq.s
    assert train is same
    assert (values(train), limits(train)) == ([4.0, 5.0, 6.0], (1.0, 11.0))
    train -= [0.0, 0.0, 6.0] * pq.s
    assert (values(train), limits(train)) == ([4.0, 5.0, 0.0], (0.0, 11.0))
    whole = make(dtype=int)
    with pytest.raises(TypeError, match="Cannot cast"):
        whole += 0.5


def test_trains_are_not_added():
    with pytest.raises(TypeError, match="SpikeTrain cannot be added to SpikeTrain"):
        make() + make()
    difference = make() - make([1.0, 1.0, 1.0])
    assert type(difference) is pq.Quantity
    assert difference.magnitude.tolist() == [2.0, 3.0, 4.0]
    assert (make() - make().rescale("ms")).magnitude.tolist() == [0.0, 0.0, 0.0]
    train = make()
    train -= make([1.0, 1.0, 1.0])
    assert type(train) is pq.Quantity
    with pytest.raises(TypeError, match=r"of 2 spikes cannot be subtracted from .* of 3"):
        make() - make([1.0, 2.0])
    with pytest.raises(ValueError, match="units of time, not in mV"):
        make() + 1 * pq.mV
    with pytest.raises(TypeError, match="only times can be added"):
        make() + "x"


def test_surprise_7_other_operations_give_plain_quantities():
    train = make()
    for result, expected in (
        (train * 2, [6.0, 8.0, 10.0]),
        (2 * train, [6.0, 8.0, 10.0]),
        (train / 2, [1.5, 2.0, 2.5]),
        (-train, [-3.0, -4.0, -5.0]),
        (abs(train), [3.0, 4.0, 5.0]),
        (10 * pq.s - train, [7.0, 6.0, 5.0]),
        (10 - train, [7.0, 6.0, 5.0]),
        (train % (2 * pq.s), [1.0, 0.0, 1.0]),
        (np.diff(train), [1.0, 1.0]),
    ):
        assert type(result) is pq.Quantity
        assert result.magnitude.tolist() == expected
        assert result.units == pq.s
    assert (train**2).units == pq.s**2
    assert (train * pq.mV).units == pq.s * pq.mV
    product = train
    product *= 2
    assert type(product) is pq.Quantity
    assert values(train) == [3.0, 4.0, 5.0]
    quotient = train
    quotient /= 2
    assert quotient.magnitude.tolist() == [1.5, 2.0, 2.5]
    power = train
    power **= 2
    assert power.magnitude.tolist() == [9.0, 16.0, 25.0]
    rest = train
    rest %= 2 * pq.s
    assert rest.magnitude.tolist() == [1.0, 0.0, 1.0]
    whole = train
    whole //= 2
    assert whole.magnitude.tolist() == [1.0, 2.0, 2.0]


def test_comparisons_are_element_wise():
    train = make()
    assert (train == [3.0, 9.0, 5.0] * pq.s).tolist() == [True, False, True]
    assert (train != train).tolist() == [False] * 3
    assert (train == train.rescale("ms")).tolist() == [True] * 3
    assert (train > 3500 * pq.ms).tolist() == [False, True, True]
    assert train.max() == 5 * pq.s
    assert type(train.mean()) is pq.Quantity


# --- windows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [[3.0, 4.0, 5.0, 5.0, 6.0], [6.0, 4.0, 5.0, 3.0, 5.0]])
def test_time_slice(times):
    train = full(times)
    train.segment = Segment()
    part = train.time_slice(4 * pq.s, 5000 * pq.ms)
    places = [place for place, time in enumerate(times) if 4 <= time <= 5]
    assert values(part) == [times[place] for place in places]
    assert limits(part) == (4.0, 5.0)
    assert part.waveforms.magnitude[:, 0, 1].tolist() == [2.0 * place + 1 for place in places]
    assert part.array_annotations["a"].tolist() == places
    assert part.array_annotations["q"].magnitude.tolist() == places
    assert part.segment is None
    assert (part.name, part.sampling_rate) == ("n", 2 * pq.kHz)
    part[0] = 4.5
    part.annotations["k"].append(2)
    part.waveforms[:] = 0 * pq.mV
    part.array_annotations["a"][:] = 9
    assert train.annotations == {"k": [1]}
    assert train.magnitude.tolist() == times
    assert train.array_annotations["a"].tolist() == list(range(5))
    assert train.waveforms.magnitude.max() == 9.0


def test_time_slice_with_open_ends():
    train = make(t_start=1.0)
    assert limits(train.time_slice(None, 4 * pq.s)) == (1.0, 4.0)
    assert limits(train.time_slice(4 * pq.s, None)) == (4.0, 10.0)
    assert values(train.time_slice(None, None)) == [3.0, 4.0, 5.0]
    assert limits(train.time_slice(-5, 50)) == (1.0, 10.0)
    assert values(train.time_slice(6.0, 7.0)) == []
    assert limits(train.time_slice(6.0, 7.0)) == (6.0, 7.0)
    assert values(train.time_slice(10.0, 12.0)) == []
    assert values(make([5.0, 3.0]).time_slice(None, None)) == [5.0, 3.0]


@pytest.mark.parametrize("place", [131071, 131072, 131073, 299999])
def test_time_slice_of_a_long_train_that_is_not_sorted(place):
    times = np.arange(300000.0)
    train = SpikeTrain(times, 300000.0, units="s")
    assert values(train.time_slice(131071, 131074)) == [131071.0, 131072.0, 131073.0, 131074.0]
    train[place] = 0.5
    expected = [0.0, 1.0, 0.5]
    assert values(train.time_slice(0, 1)) == expected


def test_time_shift():
    train = full()
    train.segment = Segment()
    moved = train.time_shift(-1000 * pq.ms)
    assert values(moved) == [2.0, 3.0, 4.0]
    assert limits(moved) == (-1.0, 9.0)
    assert moved.array_annotations["a"].tolist() == [0, 1, 2]
    assert moved.segment is None
    assert values(train) == [3.0, 4.0, 5.0]
    with pytest.raises(ValueError, match="t_shift must be a single value"):
        train.time_shift([1.0, 2.0, 3.0] * pq.s)


def test_chunks_in_memory_are_views():
    train = full()
    pieces = list(train.chunks(50))
    assert [values(piece) for piece in pieces] == [[3.0, 4.0], [5.0]]
    assert pieces[1].waveforms.magnitude.tolist() == [[[4.0, 5.0]]]
    assert pieces[1].array_annotations["a"].tolist() == [2]
    assert np.shares_memory(pieces[0], train)
    assert limits(pieces[1]) == (0.0, 10.0)
    assert [len(piece) for piece in train.chunks(1)] == [1, 1, 1]
    assert [len(piece) for piece in train.chunks()] == [3]
    assert [len(piece) for piece in make([]).chunks()] == [0]
    with pytest.raises(ValueError, match="max_bytes must be at least 1"):
        train.chunks(0)


def test_load_of_a_train_in_memory():
    train = make()
    assert train.load() is train
    assert values(train.load(time_slice=(4 * pq.s, None))) == [4.0, 5.0]
    assert train.lazy_shape is None
    assert not hasattr(train, "proxy_for")


# --- copies and conversions -------------------------------------------------------------------


def test_rescale():
    train = full()
    train.segment = segment = Segment()
    scaled = train.rescale("ms")
    assert values(scaled) == [3000.0, 4000.0, 5000.0]
    assert limits(scaled) == (0.0, 10000.0)
    assert scaled.t_stop.units == pq.ms
    assert scaled.left_sweep == 0.5 * pq.ms
    assert scaled.waveforms.magnitude.tolist() == train.waveforms.magnitude.tolist()
    assert scaled.array_annotations["a"].tolist() == [0, 1, 2]
    assert scaled.segment is segment
    assert (scaled.name, scaled.annotations) == ("n", {"k": [1]})
    assert values(train.rescale("s")) == [3.0, 4.0, 5.0]
    with pytest.raises(ValueError, match="Unable to convert between units"):
        train.rescale("mV")


def test_surprise_34_dtype_of_rescale():
    assert make(dtype="f4").rescale("ms").dtype == np.float32
    assert make().rescale("ms", dtype="f4").dtype == np.float32


def test_copies():
    train = full()
    train.segment = segment = Segment()
    shallow = train.copy()
    assert shallow.segment is segment
    assert values(shallow) == values(train)
    shallow.waveforms[0] = 99 * pq.mV
    deep = copy.deepcopy(train)
    assert deep.segment is None
    assert values(deep) == [3.0, 4.0, 5.0]
    assert limits(deep) == (0.0, 10.0)
    deep.annotations["k"].append(2)
    deep.array_annotations["a"][0] = 7
    deep.waveforms[0] = 99 * pq.mV
    assert train.annotations == {"k": [1]}
    assert train.array_annotations["a"].tolist() == [0, 1, 2]
    assert train.waveforms.magnitude[0, 0, 0] == 0.0


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle(protocol):
    class_name = "MyTrain"
    train = full()
    again = pickle.loads(pickle.dumps(train, protocol))
    assert type(again) is SpikeTrain
    assert values(again) == [3.0, 4.0, 5.0]
    assert limits(again) == (0.0, 10.0)
    assert again.waveforms.magnitude.tolist() == train.waveforms.magnitude.tolist()
    assert again.array_annotations == train.array_annotations
    assert again.left_sweep == 0.5 * pq.ms
    assert (again.name, again.description, again.file_origin) == ("n", "d", "f")
    assert again.annotations == {"k": [1]}
    assert (again + 1 * pq.s).units == pq.s
    mine = globals()[class_name]([1.0], 2.0, units="s")
    assert type(pickle.loads(pickle.dumps(mine, protocol))) is MyTrain
    assert type(mine[:1]) is type(mine.rescale("ms")) is type(copy.deepcopy(mine)) is MyTrain


class MyTrain(SpikeTrain):
    """A class of a user."""


def test_duplicate_with_new_data():
    train = full()
    train.segment = Segment()
    twin = train.duplicate_with_new_data([1.0, 2.0, 3500.0] * pq.ms)
    assert values(twin) == [1.0, 2.0, 3500.0]
    assert limits(twin) == (0.0, 10000.0)
    assert twin.waveforms.magnitude.tolist() == train.waveforms.magnitude.tolist()
    assert twin.array_annotations == {}
    assert (twin.name, twin.annotations, twin.segment) == ("n", {"k": [1]}, None)
    assert twin.annotations["k"] is not train.annotations["k"]
    assert train.duplicate_with_new_data([1, 2, 3], units="ms").units == pq.ms
    assert train.duplicate_with_new_data([1, 2, 3]).units == pq.s
    new = np.ones((1, 1, 4)) * pq.uV
    twin = train.duplicate_with_new_data([20.0], t_start=15 * pq.s, t_stop=30, waveforms=new)
    assert limits(twin) == (15.0, 30.0)
    assert twin.waveforms.shape == (1, 1, 4)
    assert make().duplicate_with_new_data([1, 2]).annotations == {}
    shared = train.duplicate_with_new_data([1, 2, 3], deep_copy=False)
    assert shared.annotations["k"] is train.annotations["k"]
    with pytest.raises(ValueError, match="number of waveforms"):
        train.duplicate_with_new_data([1.0, 2.0])
    with pytest.raises(ValueError, match="The last spike"):
        train.duplicate_with_new_data([1.0, 2.0, 30.0])


# --- merging ----------------------------------------------------------------------------------


def test_merge():
    one, two = full(), full([1.5, 4.5], name="m", k=[2], z=1)
    merged = one.merge(two)
    assert values(merged) == [1.5, 3.0, 4.0, 4.5, 5.0]
    assert merged.waveforms.magnitude[:, 0, 0].tolist() == [0.0, 0.0, 2.0, 2.0, 4.0]
    assert merged.array_annotations["a"].tolist() == [0, 0, 1, 1, 2]
    assert merged.array_annotations["q"].units == pq.mV
    assert (merged.name, merged.description) == ("merge(n; m)", "d")
    assert merged.annotations == {"k": [1, 2], "z": 1}
    assert (merged.left_sweep, merged.sampling_rate) == (0.5 * pq.ms, 2 * pq.kHz)
    assert merged.segment is None
    assert values(one) == [3.0, 4.0, 5.0]


def test_merge_converts_units():
    merged = make().merge(SpikeTrain([3500.0], 10000.0, units="ms"))
    assert values(merged) == [3.0, 3.5, 4.0, 5.0]
    assert merged.units == pq.s
    scaled = full([1.0]).merge(full([2.0], waveforms=np.ones((1, 1, 2)) * pq.V))
    assert scaled.waveforms.magnitude[1].tolist() == [[1000.0, 1000.0]]


def test_merged_names():
    none, m, x = make(), make(name="m"), make(name="x")
    assert none.merge(m).name == "merge(None; m)"
    assert m.merge(x).merge(m).name == "merge(m; x)"
    assert m.merge(x, none).name == "merge(m; x; None)"
    assert m.merge(m).name == "m"
    assert make(description="p").merge(make(description="r")).description == "merge(p; r)"


def test_merge_without_others_is_a_copy():
    train = full()
    merged = train.merge()
    assert values(merged) == values(train)
    assert merged is not train
    assert merged.name == "n"


def test_merge_is_appended_to_the_segment():
    segment = Segment()
    one, two = make(name="a"), make([1.0], name="b")
    segment.spiketrains.extend([one, two])
    merged = one.merge(two)
    assert segment.spiketrains == [one, two, merged]
    assert merged.segment is segment


def test_merge_leaves_out_annotations_that_not_all_have():
    one = make(array_annotations={"a": [1, 2, 3], "b": [1, 2, 3]})
    two = make([1.0], array_annotations={"a": [9], "c": [1]})
    with pytest.warns(UserWarning, match="left out: b, c") as caught:
        merged = one.merge(two)
    assert caught[0].filename == __file__
    assert list(merged.array_annotations) == ["a"]
    assert merged.array_annotations["a"].tolist() == [9, 1, 2, 3]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make(t_stop=11.0), "different t_stop cannot be merged: 10.0 s, 11.0 s"),
        (make(t_start=1.0), "different t_start"),
        (make(sampling_rate=2 * pq.Hz), "different sampling_rate"),
        (make(sampling_rate=None), "different sampling_rate"),
        (make(left_sweep=1 * pq.s), "different left_sweep"),
        (make(waveforms=np.ones((3, 1, 1)) * pq.mV), "with and without waveforms"),
        ([1.0] * pq.s, "Quantity cannot be merged into SpikeTrain"),
    ],
)
def test_merge_refuses(other, message):
    with pytest.raises(MergeError, match=message):
        make().merge(other)


def test_merge_refuses_trains_of_two_segments():
    one, two = make(), make()
    one.segment, two.segment = Segment(name="p"), Segment(name="r")
    with pytest.raises(MergeError, match=r"different segment.*'p'.*'r'"):
        one.merge(two)


def test_surprise_18_rates_agree_within_rounding():
    one, two = make(sampling_rate=25000 * pq.Hz), make(sampling_rate=(1 / 0.00004) * pq.Hz)
    assert one.merge(two).sampling_rate == 25000 * pq.Hz
    assert one.merge(make(sampling_rate=25 * pq.kHz)).sampling_rate == 25000 * pq.Hz
    half = make(left_sweep=0.5 * pq.ms)
    assert half.merge(make(left_sweep=500.0000001 * pq.us)).left_sweep == 0.5 * pq.ms


def test_plain_waveforms_are_kept_plain():
    train = make([1.0], waveforms=np.ones((1, 1, 2)))
    merged = train.merge(make([0.5], waveforms=np.zeros((1, 1, 2))))
    assert type(merged.waveforms) is np.ndarray
    assert merged.waveforms.tolist() == [[[0.0, 0.0]], [[1.0, 1.0]]]


# --- helpers and laws -------------------------------------------------------------------------


def test_check_has_dimensions_time():
    check_has_dimensions_time(1 * pq.s, [1, 2] * pq.ms)
    with pytest.raises(ValueError, match=r"value 2.0 mV has dim.*\nvalue 3.0 V has dim"):
        check_has_dimensions_time(1 * pq.s, 2 * pq.mV, 3 * pq.V)


def test_normalize_times_array():
    times, dimensionality = normalize_times_array([1, 2], "ms")
    assert times.magnitude.tolist() == [1.0, 2.0]
    assert dimensionality == pq.ms.dimensionality
    times, _ = normalize_times_array([1, 2] * pq.s, pq.ms, dtype="f4")
    assert times.magnitude.tolist() == [1000.0, 2000.0]
    assert times.dtype == np.float32
    with pytest.raises(ValueError, match="units must be given"):
        normalize_times_array([1, 2])


TIMES = st.lists(st.floats(0, 100, allow_nan=False), max_size=30)


@settings(deadline=None)
@given(TIMES, st.floats(0, 100), st.floats(0, 100))
def test_a_time_slice_is_what_a_mask_keeps(times, a, b):
    first, last = min(a, b), max(a, b)
    train = SpikeTrain(times, 100.0, units="s", array_annotations={"n": list(range(len(times)))})
    part = train.time_slice(first, last)
    assert values(part) == [time for time in times if first <= time <= last]
    kept = [place for place, time in enumerate(times) if first <= time <= last]
    assert part.array_annotations["n"].tolist() == kept


@settings(deadline=None)
@given(TIMES, st.integers(1, 40))
def test_chunks_join_to_the_train(times, max_bytes):
    train = SpikeTrain(times, 100.0, units="s")
    pieces = list(train.chunks(max_bytes))
    assert [time for piece in pieces for time in values(piece)] == times
    assert all(piece.nbytes <= max(max_bytes, 8) for piece in pieces)


@settings(deadline=None)
@given(st.lists(TIMES, min_size=2, max_size=5))
def test_merge_is_the_sorted_union(parts):
    trains = [SpikeTrain(times, 100.0, units="s") for times in parts]
    assert values(trains[0].merge(*trains[1:])) == sorted(time for times in parts for time in times)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train = full()
        train.rescale("ms").time_slice(None, 4000).merge()
        pickle.loads(pickle.dumps(copy.deepcopy(train)))
