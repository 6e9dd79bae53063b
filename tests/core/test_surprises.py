"""Where Neo surprises its users: the surprises that concern all classes, and the decisions.

Surprises of one class are tested beside it, under the same names (``test_surprise_<number>_...``).
"""

import copy
import importlib
import inspect
import logging
import pickle
import pkgutil
import timeit
from functools import partial
from importlib.resources import files

import numpy as np
import pytest
import quantities as pq

import ephyrus.core
from ephyrus.core import (
    AnalogSignal,
    Block,
    ChannelView,
    CircularRegionOfInterest,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    PolygonRegionOfInterest,
    RectangularRegionOfInterest,
    Segment,
    SpikeTrain,
)
from ephyrus.core.spiketrainlist import SpikeTrainList


def signal(**kwargs):
    """Return a signal of ten samples on two channels."""
    kwargs = {"sampling_rate": 1 * pq.kHz, "t_start": 5 * pq.ms} | kwargs
    return AnalogSignal(np.arange(20.0).reshape(10, 2), "mV", **kwargs)


def a_block():
    """Return a block with an object of each class that is copied by hand."""
    segment = Segment(name="s")
    segment.add(
        signal(array_annotations={"ch": ["a", "b"]}, note=[1, {"deep": np.arange(2)}]),
        IrregularlySampledSignal([1.0, 2.0] * pq.s, [3.0, 4.0], "mV"),
        SpikeTrain([1.0, 2.0] * pq.s, 5.0, waveforms=np.ones((2, 1, 3)) * pq.uV),
        Event([1.0] * pq.s, labels=["e"]),
        Epoch([1.0] * pq.s, durations=[2.0] * pq.s, labels=["e"]),
    )
    block = Block(name="b")
    block.segments.append(segment)
    return block


# --- 4, 12, 13: times, copies and construction -------------------------------------------------


def test_surprise_4_an_open_start_is_that_of_the_object():
    late = signal(t_start=1 * pq.s)
    assert late.time_slice(None, 1.004 * pq.s).magnitude.tolist() == late.magnitude[:4].tolist()
    assert late.load(time_slice=(None, 1.004 * pq.s)).t_start == 1 * pq.s
    train = SpikeTrain([3.0, 4.0] * pq.s, 5.0, t_start=2.0)
    assert train.load(time_slice=(None, 3.5 * pq.s)).t_start == 2.0 * pq.s
    assert train.time_slice(None, 3.5).magnitude.tolist() == [3.0]


def test_surprise_12_copies_and_slices_check_nothing_again(monkeypatch):
    block = a_block()
    train = block.segments[0].spiketrains[0]

    def refuse(*_, **__):
        raise AssertionError("the constructor's checks were passed again")

    for module in ("baseneo", "dataobject", "_arraydict", "spiketrain", "analogsignal", "epoch"):
        for name in ("check_annotations", "normalize_array_annotations", "check_range", "payload"):
            target = importlib.import_module(f"ephyrus.core.{module}")
            if hasattr(target, name):
                monkeypatch.setattr(target, name, refuse)
    for cls in (AnalogSignal, IrregularlySampledSignal, SpikeTrain, Event, Epoch):
        monkeypatch.setattr(cls, "__new__", refuse)
    copied = copy.deepcopy(block).segments[0]
    assert copied.analogsignals[0].magnitude.tolist() == [[2.0 * i, 2.0 * i + 1] for i in range(10)]
    assert copied.spiketrains[0].waveforms.tolist() == [[[1.0] * 3]] * 2
    part = block.segments[0].analogsignals[0].time_slice(7 * pq.ms, 9 * pq.ms)
    assert part.magnitude.tolist() == [[4.0, 5.0], [6.0, 7.0]]
    assert train.time_slice(1.5, 2.5).magnitude.tolist() == [2.0]


def test_surprise_12_copies_share_nothing_that_can_be_changed():
    original = a_block().segments[0].analogsignals[0]
    copied = copy.deepcopy(original)
    copied.annotations["note"][1]["deep"][0] = 7
    copied.array_annotations["ch"][0] = "z"
    copied[0, 0] = 99 * pq.mV
    assert original.annotations["note"][1]["deep"].tolist() == [0, 1]
    assert original.array_annotations["ch"].tolist() == ["a", "b"]
    assert original.magnitude[0, 0] == 0.0


def test_surprise_13_trains_stay_multiplexed_until_asked_for():
    times = np.linspace(0.0, 9.0, 1000)
    ids = np.tile(np.arange(100), 10)
    trains = SpikeTrainList.from_spike_time_array(times, ids, range(100), t_stop=10.0, units="s")
    segment = Segment()
    segment.spiketrains = trains
    held = segment.spiketrains
    assert len(held) == 100
    assert held.multiplexed[1].magnitude.tolist() == times.tolist()
    assert str(held) == "SpikeTrainList containing 1000 spikes from 100 neurons"
    again = pickle.loads(pickle.dumps(segment)).spiketrains
    assert again.multiplexed[0].tolist() == ids.tolist()
    assert held[42].magnitude.tolist() == times[42::100].tolist()
    assert held[42] is held[42]
    assert held[42].segment is segment
    assert held.multiplexed[0].tolist() == ids.tolist()


def test_surprise_13_dimensions_are_looked_up_once():
    first, second = (SpikeTrain([1.0], 2.0, "ms") for _ in range(2))
    assert first._unit is second._unit
    assert first.dimensionality == pq.ms.dimensionality
    assert first.dimensionality is not pq.ms.dimensionality  # nobody can change that of ms


# --- 16, 19: numbers without units, and lists of mixed units -----------------------------------

WINDOWS = [
    (signal(), (7, 9), lambda cut: cut.t_start == 7 * pq.ms),
    (
        IrregularlySampledSignal([1.0, 2.0, 3.0] * pq.s, [1, 2, 3], "mV"),
        (1.5, 3),
        lambda cut: cut.times.magnitude.tolist() == [2.0, 3.0],
    ),
    (SpikeTrain([1.0, 2.0] * pq.s, 5.0), (1.5, 3), lambda cut: cut.tolist() == [2.0]),
    (Event([1.0, 2.0] * pq.s), (1.5, 3), lambda cut: cut.tolist() == [2.0]),
    (Epoch([1.0, 2.0] * pq.s), (1.5, 3), lambda cut: cut.tolist() == [2.0]),
    (
        ImageSequence(np.zeros((4, 1, 1)), sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um),
        (1, 3),
        lambda cut: cut.t_start == 1 * pq.s,
    ),
]


@pytest.mark.parametrize(("obj", "window", "holds"), WINDOWS)
def test_surprise_16_numbers_are_in_the_units_of_the_object(obj, window, holds):
    assert holds(obj.time_slice(*window))
    shifted = obj.time_shift(2)
    moved = shifted.times.magnitude - obj.times.magnitude
    assert moved.tolist() == pytest.approx([2.0] * len(moved))


def test_surprise_19_lists_of_quantities_keep_their_units():
    mixed = [1 * pq.mV, 2 * pq.V]
    for made in (
        AnalogSignal(mixed, sampling_rate=1 * pq.Hz),
        AnalogSignal(mixed, "mV", sampling_rate=1 * pq.Hz),
        AnalogSignal(tuple(mixed), pq.mV, sampling_rate=1 * pq.Hz),
    ):
        assert made.dimensionality == pq.mV.dimensionality
        assert made.magnitude.tolist() == [[1.0], [2000.0]]
    rows = [[1, 2] * pq.mV, [3, 4] * pq.V]
    table = AnalogSignal(rows, "uV", sampling_rate=1 * pq.Hz)
    np.testing.assert_allclose(table.magnitude, [[1e3, 2e3], [3e6, 4e6]])
    nested = AnalogSignal([[1 * pq.mV, 2 * pq.V]], sampling_rate=1 * pq.Hz)
    assert nested.magnitude.tolist() == [[1.0, 2000.0]]
    times = [1 * pq.ms, 2 * pq.s]
    assert IrregularlySampledSignal(times, mixed).times.magnitude.tolist() == [1.0, 2000.0]
    assert IrregularlySampledSignal(times, mixed).magnitude.tolist() == [[1.0], [2000.0]]
    images = ImageSequence([[rows[0], rows[1]]], spatial_scale=1 * pq.um, frame_duration=1 * pq.s)
    assert images.dimensionality == pq.mV.dimensionality
    assert images.magnitude.tolist() == [[[1.0, 2.0], [3000.0, 4000.0]]]


def test_surprise_19_lists_of_quantities_and_numbers_are_refused():
    with pytest.raises(ValueError, match="signal mix Quantities and numbers without units"):
        AnalogSignal([1 * pq.mV, 2.0], "mV", sampling_rate=1 * pq.Hz)
    with pytest.raises(ValueError, match=r'Unable to convert between units of "s" and "mV"'):
        AnalogSignal([1 * pq.mV, 2 * pq.s], "mV", sampling_rate=1 * pq.Hz)
    with pytest.raises(ValueError, match="times mix Quantities and numbers"):
        IrregularlySampledSignal([1 * pq.s, 2.0], [1, 2], "mV")
    with pytest.raises(ValueError, match=r"signal cannot be shared \(copy=False\)"):
        AnalogSignal([1 * pq.mV], sampling_rate=1 * pq.Hz, copy=False)


# --- 23, 31, 33, 35, 36, 39 --------------------------------------------------------------------


def test_surprise_23_relationships_tell_of_an_object_in_two_segments():
    first, second = Segment(name="first"), Segment(name="second")
    shared = signal(name="lfp")
    first.analogsignals.append(shared)
    second.analogsignals.append(shared)
    assert shared.segment is second
    second.check_relationships()
    with pytest.raises(AttributeError, match=r"AnalogSignal 'lfp' is listed by .*'first'"):
        first.check_relationships()


def test_surprise_31_missing_values_are_masked_nan_or_empty():
    obj = signal(
        array_annotations={
            "masked": np.ma.masked_array([1, 2], [False, True]),
            "number": [np.nan, 1.0],
            "text": ["", "a"],
            "flag": [True, False],
        }
    )
    for again in (
        obj,
        obj[2:],
        obj[:, [0, 1]],
        copy.deepcopy(obj),
        pickle.loads(pickle.dumps(obj)),
    ):
        arrays = again.array_annotations
        assert arrays["masked"].mask.tolist() == [False, True]
        assert arrays["masked"].tolist() == [1, None]
        np.testing.assert_array_equal(arrays["number"], [np.nan, 1.0])
        assert arrays["text"].tolist() == ["", "a"]
        assert arrays["flag"].dtype == np.bool_
        assert arrays["flag"].tolist() == [True, False]


def test_surprise_33_defaults_are_read_only():
    default = inspect.signature(AnalogSignal.__new__).parameters["t_start"].default
    with pytest.raises(ValueError, match="read-only"):
        default += 1 * pq.s
    start = signal(t_start=default).t_start
    start += 1 * pq.s
    assert signal(t_start=default).t_start == 0 * pq.s


class _HugeSource:
    """A source of more samples than any memory holds; reading them is refused."""

    shape = (10**15, 1)
    dtype = np.dtype(np.float32)

    def read(self, start, stop, channels):
        assert stop - start < 100
        return np.arange(start, stop, dtype=np.float32).reshape(-1, 1)

    def read_raw(self, start, stop, channels):
        raise ValueError("there are no integers")


def test_surprise_35_times_are_calculated_from_cached_numbers():
    huge = AnalogSignal._create(
        np.empty((0, 1), np.float32), pq.mV, sampling_rate=25000.0, source=_HugeSource()
    )
    assert huge.t_stop == 4e10 * pq.s
    assert huge.time_index(2.5e10 * pq.s) == 625 * 10**12
    assert huge.sampling_period.rescale("us").item() == pytest.approx(40.0)
    part = huge.time_slice(1 * pq.s, 1.0002 * pq.s)
    assert part.magnitude.ravel().tolist() == [25000.0, 25001.0, 25002.0, 25003.0, 25004.0]
    assert part.t_start == 1 * pq.s


def test_surprise_35_attributes_do_not_grow_with_the_signal():
    small, large = (
        AnalogSignal._create(np.zeros((n, 1), np.int8), pq.mV, sampling_rate=1.0)
        for n in (10, 10**7)
    )

    def cost(obj):
        def attributes():
            return obj.t_stop, obj.duration, obj.sampling_period, obj.time_index(3), obj[2:5]

        return min(timeit.repeat(attributes, number=20, repeat=5))

    assert cost(large) < 10 * cost(small)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("µV", pq.uV), ("μV", pq.uV), ("microV", pq.uV), ("Volts", pq.V), ("au", pq.dimensionless)],
)
def test_surprise_36_units_that_recordings_contain(text, unit):
    made = AnalogSignal([[1.0]], text, sampling_rate=1 * pq.Hz)
    assert made.units == 1 * unit
    assert made.rescale(text).units == 1 * unit


def test_surprise_38_conflicts_are_logged(caplog):
    first, second = signal(gain=1), signal(gain=2)
    with caplog.at_level(logging.WARNING, logger="ephyrus"):
        merged = first.merge(second)
    assert merged.annotations == {"gain": "MERGE CONFLICT"}
    assert "'gain' cannot be merged: 1 and 2" in caplog.text


def _public_functions():
    """Yield each public function and method of the object model with its name."""
    for info in pkgutil.iter_modules(ephyrus.core.__path__, "ephyrus.core."):
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield f"{info.name}.{name}", found
            elif inspect.isclass(found) and found.__module__ == info.name:
                for key, value in vars(found).items():
                    function = getattr(value, "fget", getattr(value, "__func__", value))
                    if inspect.isfunction(function) and not key.startswith("_"):
                        yield f"{info.name}.{name}.{key}", function


def test_surprise_39_everything_public_is_typed():
    assert files("ephyrus").joinpath("py.typed").is_file()
    untyped = []
    functions = dict(_public_functions())
    for name, function in functions.items():
        signature = inspect.signature(function)
        parameters = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.name not in ("self", "cls") and parameter.annotation is parameter.empty
        ]
        if parameters or signature.return_annotation is signature.empty:
            untyped.append(name)
    assert len(functions) > 150
    assert untyped == []


# --- decisions where documents differ ----------------------------------------------------------


@pytest.mark.parametrize("make", ["signal", "irregular", "train", "images"])
def test_decision_on_copy(make):
    values = np.array([[1.0], [2.0]]) * pq.mV
    times = np.array([1.0, 2.0]) * pq.s
    sampled = {"sampling_rate": 1 * pq.Hz}
    source, made = {
        "signal": (values, partial(AnalogSignal, values, **sampled)),
        "irregular": (values, partial(IrregularlySampledSignal, times, values)),
        "train": (times, partial(SpikeTrain, times, 5 * pq.s)),
        "images": (
            images := values.reshape(2, 1, 1),
            partial(ImageSequence, images, spatial_scale=1 * pq.um, **sampled),
        ),
    }[make]
    other = "ms" if make == "train" else "V"
    for copies, shared in ((True, False), (False, True), (None, True)):
        assert np.shares_memory(made(copy=copies), source) is shared
    assert np.shares_memory(made(), source) is False
    for copies in (True, None):
        converted = made(copy=copies, units=other)
        assert converted.units == pq.Quantity(1, other)
        factor = 1000.0 if make == "train" else 0.001
        np.testing.assert_allclose(converted.magnitude, source.magnitude * factor)
        single = made(copy=copies, dtype=np.float32)
        assert single.dtype == np.float32
        assert single.tolist() == source.tolist()
    for conversion in ({"units": other}, {"dtype": np.float32}):
        with pytest.raises(ValueError, match="copy=False"):
            made(copy=False, **conversion)


def test_decision_on_regions():
    images = ImageSequence(
        np.arange(32.0).reshape(2, 4, 4), sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um
    )
    for bare, full in (
        (RectangularRegionOfInterest(2, 2, 2, 2), RectangularRegionOfInterest(images, 2, 2, 2, 2)),
        (CircularRegionOfInterest(2, 2, 1), CircularRegionOfInterest(images, 2, 2, 1)),
        (
            PolygonRegionOfInterest((0, 0), (0, 3), (3, 3)),
            PolygonRegionOfInterest(images, (0, 0), (0, 3), (3, 3)),
        ),
    ):
        assert bare.obj is None
        with pytest.raises(ValueError, match="belongs to no image sequence"):
            bare.resolve()
        (resolved,) = full.resolve()
        (averaged,) = images.signal_from_region(bare)
        assert averaged.magnitude.tolist() == resolved.magnitude.tolist()


def test_decision_on_sort():
    train = SpikeTrain([3.0, 1.0] * pq.s, 5.0, sort=True, array_annotations={"n": [0, 1]})
    assert train.magnitude.tolist() == [1.0, 3.0]
    assert train.array_annotations["n"].tolist() == [1, 0]
    assert train.annotations == {}


def test_decision_on_units_of_images():
    common = {"sampling_rate": 1 * pq.Hz, "spatial_scale": 1 * pq.um, "units": None}
    assert ImageSequence(np.zeros((1, 2, 2)), **common).units == pq.dimensionless
    assert ImageSequence(np.zeros((1, 2, 2)) * pq.mV, **common).units == pq.mV


@pytest.mark.parametrize("start", [1, 2, 9, -1, -3, -20])
def test_decision_on_the_start_of_slices(start):
    cut = signal()[start:]
    assert cut.t_start.item() == pytest.approx(5.0 + max(start if start >= 0 else 10 + start, 0))


def test_decision_on_single_channels():
    assert signal()[:, 1].shape == (10, 1)
    assert signal()[2:5, -1].magnitude.tolist() == [[5.0], [7.0], [9.0]]


def test_decision_on_annotations_as_attributes():
    for obj in (signal(key2="v"), SpikeTrain([1.0], 2.0, "s", key2="v"), Segment(key2="v")):
        assert obj.annotations["key2"] == "v"
        assert not hasattr(obj, "key2")
    assert not hasattr(ChannelView(signal(), [0], key2="v"), "key2")
