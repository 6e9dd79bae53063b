"""Data objects as xarray and pandas objects, and back."""

import datetime
import json
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.core import (
    AnalogSignal,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    SpikeTrain,
)
from ephyrus.core._arraydict import equal_arrays
from ephyrus.core._framevalues import plain, restored
from ephyrus.errors import MissingExtraError
from tests.core.fake_sources import FakePoints, FakeSignals

ANNOTATIONS = {
    "subject": "m07",
    "none": None,
    "day": datetime.date(2024, 5, 6),
    "exact": Decimal("0.1"),
    "matrix": np.arange(6, dtype=">i2").reshape(2, 3),
    "empty": np.empty((0, 3), np.float32),
    "dose": [1.5, 2.5] * pq.mM,
    "scalar": 3.0 * pq.mV,
    "numpy": np.float32(0.1),
    "stamp": np.array(["2024-05-06", "NaT"], "M8[D]"),
    "nested": {"a": [np.array([1, 2]), ("x", np.int8(3))], "b": {"c": True}},
}


def assert_same_value(a, b):
    assert type(a) is type(b)
    if isinstance(a, np.ndarray | np.generic):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        assert np.shape(a) == np.shape(b)
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
        if isinstance(a, pq.Quantity):
            assert a.dimensionality == b.dimensionality
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same_value(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same_value(one, other)
    else:
        assert a == b


def assert_same(a, b):
    """Compare two data objects: class, data, dtype, unit, attributes and annotations."""
    assert type(a) is type(b)
    assert a.dtype == b.dtype
    assert a._unit is b._unit
    np.testing.assert_array_equal(a.view(np.ndarray), b.view(np.ndarray))
    for name in ("name", "description", "file_origin"):
        assert getattr(a, name) == getattr(b, name)
    assert_same_value(a.annotations, b.annotations)
    assert a.array_annotations.keys() == b.array_annotations.keys()
    for key, value in a.array_annotations.items():
        assert equal_arrays(value, b.array_annotations[key]), key
        assert value.dtype.kind == b.array_annotations[key].dtype.kind
    assert b.segment is None


def assert_same_quantity(a, b):
    if a is None or b is None:
        assert a is b
        return
    np.testing.assert_array_equal(a.magnitude, b.magnitude)
    assert a.dimensionality == b.dimensionality


def assert_same_sampling(a, b):
    for name in ("sampling_rate", "t_start"):
        assert_same_quantity(getattr(a, name), getattr(b, name))


def lfp(dtype="i2", **more):
    facts = {
        "units": "uV",
        "sampling_rate": 30 * pq.kHz,
        "t_start": 100.1 * pq.ms,
        "name": "LFP",
        "description": "raw",
        "file_origin": "a.abf",
        "array_annotations": {
            "channel_names": ["a", "time", "a"],
            "depth": [1.0, 2.0, 4.0] * pq.um,
            "good": [True, False, True],
            "later": [],
        },
    }
    return AnalogSignal(np.arange(30, dtype=dtype).reshape(10, 3), **(facts | more))


# --- xarray ---------------------------------------------------------------------------------


def test_signal_to_xarray():
    signal = lfp(subject="m07", count=3, weights=np.array([1, 2]), dose=2 * pq.mM, units_=None)
    array = signal.to_xarray()
    assert array.dims == ("time", "channel")
    assert array.dtype == np.int16
    assert array.name == "LFP"
    np.testing.assert_array_equal(array.values, np.arange(30).reshape(10, 3))
    np.testing.assert_array_equal(array["time"].values, signal.times.magnitude)
    assert array["time"].attrs == {"units": "ms"}
    assert array["channel"].values.tolist() == ["a", "time", "a"]
    assert array["depth"].values.tolist() == [1.0, 2.0, 4.0]
    assert array["depth"].attrs == {"units": "um"}
    assert array["depth"].dims == ("channel",)
    assert array["good"].values.tolist() == [True, False, True]
    assert set(array.coords) == {"time", "channel", "depth", "good"}
    weights = array.attrs.pop("weights")
    np.testing.assert_array_equal(weights, [1, 2])
    assert array.attrs == {
        "units": "uV",
        "sampling_rate": 30.0,
        "sampling_rate_units": "kHz",
        "description": "raw",
        "file_origin": "a.abf",
        "subject": "m07",
        "count": 3,
        "dose": "2.0 mM" if "mM" in str(2 * pq.mM) else str(2 * pq.mM),
        "units_": "None",
    }
    array.values[...] = 0
    assert signal[0, 1] == 1 * pq.uV  # a copy


def test_xarray_names_that_are_taken():
    signal = AnalogSignal(
        [[1.0, 2.0]], units="mV", sampling_rate=1 * pq.Hz, array_annotations={"time": [5, 6]}
    )
    signal.annotate(units="text", sampling_rate=7)
    array = signal.to_xarray()
    assert array["time_"].values.tolist() == [5, 6]
    assert array["channel"].values.tolist() == [0, 1]
    assert array.attrs["units"] == "mV"
    assert array.attrs["units_"] == "text"
    assert (array.attrs["sampling_rate"], array.attrs["sampling_rate_"]) == (1.0, 7)


def test_irregular_and_images_to_xarray():
    irregular = IrregularlySampledSignal(
        [1, 2, 5] * pq.ms, [[1], [2], [3]], units="degC", array_annotations={"k": ["x"]}
    )
    array = irregular.to_xarray()
    assert array["time"].values.tolist() == [1.0, 2.0, 5.0]
    assert array["time"].attrs == {"units": "ms"}
    assert array["k"].values.tolist() == ["x"]
    assert array.attrs == {"units": "degC"}
    frames = np.arange(24.0).reshape(2, 3, 4)
    images = ImageSequence(
        frames, units="V", sampling_rate=10 * pq.Hz, spatial_scale=2 * pq.um, t_start=1 * pq.s
    )
    array = images.to_xarray()
    assert array.dims == ("time", "row", "column")
    np.testing.assert_array_equal(array.values, frames)
    assert array["time"].values.tolist() == [1.0, 1.1]
    assert array["row"].values.tolist() == [0.0, 2.0, 4.0]
    assert array["column"].values.tolist() == [0.0, 2.0, 4.0, 6.0]
    assert array["row"].attrs == {"units": "um"}
    assert array.attrs == {
        "units": "V",
        "sampling_rate": 10.0,
        "sampling_rate_units": "Hz",
        "spatial_scale": 2.0,
        "spatial_scale_units": "um",
    }


def test_lazy_signals_are_loaded():
    raw = np.arange(20).reshape(10, 2)
    lazy = AnalogSignal._create(
        np.empty((0, 2), np.float32),
        "mV",
        sampling_rate=100.0,
        source=FakeSignals(raw, 0.5),
        array_annotations={"channel_names": np.array(["a", "b"])},
    )
    np.testing.assert_array_equal(lazy.to_xarray().values, raw * np.float32(0.5))
    frame = lazy.to_pandas()
    assert list(frame.columns) == ["a", "b"]
    np.testing.assert_array_equal(frame["b"].to_numpy(), raw[:, 1] * np.float32(0.5))
    irregular = IrregularlySampledSignal._create(
        np.empty(0),
        np.empty((0, 1)),
        "mV",
        t_start=1.0,
        t_stop=4.0,
        source=FakePoints([1.0, 2.0, 4.0], [[1.0], [2.0], [3.0]], {"k": np.array([7])}),
    )
    frame = irregular.to_pandas()
    assert frame.index.tolist() == [1.0, 2.0, 4.0]
    assert frame[0].tolist() == [1.0, 2.0, 3.0]
    assert IrregularlySampledSignal.from_pandas(frame).array_annotations == {"k": np.array([7])}


# --- signals and pandas ---------------------------------------------------------------------


def test_signal_to_pandas():
    signal = lfp()
    frame = signal.to_pandas()
    assert list(frame.columns) == ["a", "time_", "a_"]
    assert frame.index.name == "time"
    np.testing.assert_array_equal(frame.index.to_numpy(), signal.times.magnitude)
    np.testing.assert_array_equal(frame.to_numpy(), np.arange(30).reshape(10, 3))
    assert set(frame.dtypes) == {np.dtype("i2")}
    assert frame.attrs["units"] == {"time": "ms", "a": "uV", "time_": "uV", "a_": "uV"}
    json.dumps(frame.attrs)  # files that hold frames keep attrs as JSON
    frame.iloc[0, 0] = 9
    assert signal[0, 0] == 0 * pq.uV  # a copy


@pytest.mark.parametrize("dtype", ["i2", "u1", "f4", "f8", "c16"])
def test_signal_there_and_back(dtype):
    signal = lfp(dtype, **ANNOTATIONS)
    again = AnalogSignal.from_pandas(signal.to_pandas())
    assert_same(signal, again)
    assert_same_sampling(signal, again)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (5, 0), (0, 0)])
def test_small_signals_there_and_back(shape):
    signal = AnalogSignal(
        np.zeros(shape, "f4"), units="pA", sampling_rate=3 * pq.Hz, t_start=-2 * pq.s
    )
    again = AnalogSignal.from_pandas(signal.to_pandas())
    assert again.shape == shape
    assert_same(signal, again)
    assert_same_sampling(signal, again)


@given(
    rate=st.floats(1e-3, 1e6),
    start=st.floats(-1e5, 1e5),
    length=st.integers(1, 300),
    first=st.integers(0, 100),
    step=st.integers(1, 5),
)
@settings(deadline=None, max_examples=60)
def test_rows_that_are_chosen_keep_their_times(rate, start, length, first, step):
    signal = AnalogSignal(
        np.arange(length), units="mV", sampling_rate=rate * pq.Hz, t_start=start * pq.s
    )
    whole = AnalogSignal.from_pandas(signal.to_pandas())
    assert_same_sampling(signal, whole)
    part = AnalogSignal.from_pandas(signal.to_pandas().iloc[first::step])
    wanted = signal[first::step, :]
    np.testing.assert_array_equal(part.magnitude, wanted.magnitude)
    if len(wanted) > 1:
        np.testing.assert_allclose(
            part.times.magnitude, wanted.times.magnitude, rtol=1e-12, atol=1e-3 / rate
        )
        assert float(part.sampling_rate) == pytest.approx(rate / step, rel=1e-3)


def test_columns_that_are_chosen_keep_their_annotations():
    frame = lfp().to_pandas()[["a_", "a"]]
    part = AnalogSignal.from_pandas(frame)
    assert part.magnitude.tolist()[0] == [2, 0]
    assert part.array_annotations == {
        "channel_names": np.array(["a", "a"]),
        "depth": [4.0, 1.0] * pq.um,
        "good": np.array([True, True]),
        "later": np.array([]),
    }
    frame = frame.assign(sum=frame["a"] + frame["a_"])
    frame.attrs["units"]["sum"] = "uV"
    part = AnalogSignal.from_pandas(frame)
    assert part.array_annotations == {"channel_names": np.array(["a_", "a", "sum"])}


def test_frames_from_elsewhere():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=[0.0, 0.5, 1.0])
    signal = AnalogSignal.from_pandas(frame, units="mV", time_units="s")
    assert (signal.sampling_rate, signal.t_start) == (2 * pq.Hz, 0 * pq.s)
    assert signal.magnitude.tolist() == [[1.0], [2.0], [3.0]]
    assert signal.array_annotations == {"channel_names": np.array(["x"])}
    given_rate = AnalogSignal.from_pandas(
        frame, units="mV", time_units="ms", sampling_rate=2 * pq.kHz
    )
    assert given_rate.sampling_rate == 2 * pq.kHz
    assert given_rate.t_stop == 1.5 * pq.ms
    events = Event.from_pandas(
        pd.DataFrame({"time": [1, 2], "label": ["a", None], "k": [3, 4]}), units="s"
    )
    assert events.times.tolist() == [1.0, 2.0]
    assert events.labels.tolist() == ["a", ""]
    assert events.array_annotations == {"k": np.array([3, 4])}
    epochs = Epoch.from_pandas(pd.DataFrame({"time": [1.0], "duration": [2.0]}), units="ms")
    assert_same_quantity(epochs.durations, [2.0] * pq.ms)
    assert Epoch.from_pandas(pd.DataFrame({"time": [1.0]}), units="ms").durations[0] == 0 * pq.ms
    train = SpikeTrain.from_pandas(pd.DataFrame({"time": [1.0, 2.0]}), units="ms", t_stop=1 * pq.s)
    assert_same_quantity(train.t_stop, 1000 * pq.ms)
    assert_same_quantity(train.t_start, 0 * pq.ms)
    assert train.sampling_rate == 1 * pq.Hz


def frame_of(index, **columns):
    return pd.DataFrame(columns, index=index)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (frame_of([0.0, 1.0], a=[1, 2]), {"time_units": "s"}, "all columns need one unit"),
        (frame_of([0.0, 1.0], a=[1, 2]), {"units": "mV"}, "unit of 'time'.*give time_units=..."),
        (frame_of(["x", "y"], a=[1, 2]), {"units": "mV", "time_units": "s"}, "times as numbers"),
        (
            frame_of([0.0, 1.0, 5.0], a=[1, 2, 3]),
            {"units": "mV", "time_units": "s"},
            "do not follow a constant rate; IrregularlySampledSignal",
        ),
        (
            frame_of([1.0, 1.0], a=[1, 2]),
            {"units": "mV", "time_units": "s"},
            "do not follow a constant rate",
        ),
        (
            frame_of([0.0, 1.0], a=[1, 2]),
            {"units": "mV", "time_units": "s", "sampling_rate": 3 * pq.Hz},
            r"do not follow a constant rate of 3.0 Hz",
        ),
        (frame_of([0.0], a=[1]), {"units": "mV", "time_units": "s"}, "too few rows"),
        (frame_of([0.0], a=["x"]), {"units": "mV", "time_units": "s"}, "too few rows"),
        (
            pd.DataFrame([[1, 2]], columns=["a", "a"]),
            {"units": "mV", "time_units": "s"},
            "different names",
        ),
    ],
)
def test_frames_that_are_no_signal(frame, options, message):
    with pytest.raises(ValueError, match=message):
        AnalogSignal.from_pandas(frame, **options)


def test_other_refusals():
    frame = lfp().to_pandas()
    frame.attrs["units"]["a"] = "mV"
    with pytest.raises(ValueError, match="there is: mV, uV"):
        AnalogSignal.from_pandas(frame)
    with pytest.raises(TypeError, match="sampling_rate needs units"):
        AnalogSignal.from_pandas(frame, units="mV", sampling_rate=3.0)
    with pytest.raises(ValueError, match="must be in units like kHz"):
        AnalogSignal.from_pandas(frame, units="mV", sampling_rate=3.0 * pq.s)
    times = pd.DataFrame({"t": [1.0]})
    for cls in (Event, Epoch, SpikeTrain):
        with pytest.raises(ValueError, match="needs a column 'time'; its columns are: 't'"):
            cls.from_pandas(times, units="s")
    with pytest.raises(ValueError, match=r"unit of 'time'.*give units=..."):
        Event.from_pandas(pd.DataFrame({"time": [1.0]}))
    with pytest.raises(ValueError, match="give t_stop="):
        SpikeTrain.from_pandas(pd.DataFrame({"time": [1.0]}), units="s")
    with pytest.raises(ValueError, match="'florins' is not known"):
        Event.from_pandas(pd.DataFrame({"time": [1.0]}), units="florins")


def test_irregular_there_and_back():
    signal = IrregularlySampledSignal(
        [1, 2.5, 7] * pq.ms,
        np.arange(6, dtype="f4").reshape(3, 2),
        units="mV",
        name="pupil",
        array_annotations={"channel_names": ["x", "y"], "gain": [1, 2] * pq.V},
        **ANNOTATIONS,
    )
    again = IrregularlySampledSignal.from_pandas(signal.to_pandas())
    assert_same(signal, again)
    assert_same_quantity(signal.times, again.times)
    part = IrregularlySampledSignal.from_pandas(signal.to_pandas().iloc[[0, 2]][["y"]])
    assert part.times.magnitude.tolist() == [1.0, 7.0]
    assert part.magnitude.tolist() == [[1.0], [5.0]]
    assert_same_quantity(part.array_annotations["gain"], [2] * pq.V)


# --- points and pandas ----------------------------------------------------------------------

COLUMNS = {
    "amplitude": [1.5, 2.5, 3.5] * pq.uV,
    "text": ["x", "long text", ""],
    "raw": np.array([b"a", b"bc", b""]),
    "count": np.array([1, 2, 3], ">i4"),
    "small": np.array([1, 2, 3], "u1"),
    "good": [True, False, True],
    "phase": [1j, 2.0, 3 + 1j],
    "stamp": np.array(["2024-05-06", "2024-05-07", "NaT"], "M8[D]"),
    "lag": np.array([1, 2, 3], "m8[ms]"),
    "missing": [np.nan, 1.0, np.nan],
    "time": [7, 8, 9],
    "later": [],
}


def train(**more):
    facts = {
        "t_stop": 10.5,
        "t_start": 0.5 * pq.ms,
        "units": "ms",
        "name": "u1",
        "array_annotations": dict(COLUMNS),
        "waveforms": np.arange(24, dtype="f4").reshape(3, 2, 4) * pq.mV,
        "sampling_rate": 30 * pq.kHz,
        "left_sweep": 0.2 * pq.ms,
    }
    return SpikeTrain([3.0, 1.0, 3.0], **(facts | more))


def assert_same_train(a, b):
    assert_same(a, b)
    for name in ("t_start", "t_stop", "sampling_rate", "left_sweep"):
        assert_same_quantity(getattr(a, name), getattr(b, name))
    if a.waveforms is None:
        assert b.waveforms is None
    else:
        assert_same_value(a.waveforms, b.waveforms)


def test_train_to_pandas():
    frame = train().to_pandas()
    names = ["time", "waveform", *[name for name in COLUMNS if name not in ("time", "later")]]
    assert list(frame.columns) == [*names, "time_"]
    assert frame.index.name == "spike"
    assert frame["time"].tolist() == [3.0, 1.0, 3.0]
    assert frame["time_"].tolist() == [7, 8, 9]
    assert frame["waveform"][1].tolist() == [[8, 9, 10, 11], [12, 13, 14, 15]]
    assert frame.attrs["units"] == {"time": "ms", "waveform": "mV", "amplitude": "uV"}
    json.dumps(frame.attrs)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"waveforms": None, "left_sweep": None},
        {"sampling_rate": None},
        {"dtype": "f4"},
        {"dtype": "i8", "waveforms": np.zeros((3, 5))},
        ANNOTATIONS,
    ],
    ids=["all", "plain", "no rate", "float32", "int", "annotations"],
)
def test_train_there_and_back(more):
    assert_same_train(train(**more), SpikeTrain.from_pandas(train(**more).to_pandas()))


def test_empty_train_there_and_back():
    empty = SpikeTrain([], t_stop=3, units="s", waveforms=np.empty((0, 2, 4), "f4") * pq.mV, k=1)
    empty.array_annotate(text=np.array([], "U3"), n=np.array([], "i2"))
    again = SpikeTrain.from_pandas(empty.to_pandas())
    assert_same_train(empty, again)
    assert again.waveforms.shape == (0, 2, 4)


def test_spikes_that_are_chosen():
    frame = train().to_pandas()
    part = SpikeTrain.from_pandas(frame[frame["time"] > 2])
    assert part.magnitude.tolist() == [3.0, 3.0]
    assert part.waveforms[1, 1, 3] == 23 * pq.mV
    assert part.array_annotations["text"].tolist() == ["x", ""]
    with pytest.raises(ValueError, match=r"3\.0.*2\.0"):
        SpikeTrain.from_pandas(frame, t_stop=2.0)


@pytest.mark.parametrize("labels", [None, ["a", "", "long label"]])
def test_events_there_and_back(labels):
    event = Event(
        [3, 1, 2] * pq.ms, labels=labels, name="trig", array_annotations=COLUMNS, **ANNOTATIONS
    )
    frame = event.to_pandas()
    assert ("label" in frame.columns) is (labels is not None)
    assert frame.index.name == "event"
    again = Event.from_pandas(frame)
    assert_same(event, again)
    assert again.labels.tolist() == event.labels.tolist()
    part = Event.from_pandas(frame.sort_values("time"))
    assert part.magnitude.tolist() == [1.0, 2.0, 3.0]
    assert part.array_annotations["text"].tolist() == ["long text", "", "x"]


def test_epochs_there_and_back():
    epoch = Epoch(
        np.array([3, 1, 2], "f4") * pq.s,
        durations=[10, 20, 30] * pq.ms,
        labels=["a", "b", "c"],
        array_annotations={**COLUMNS, "duration": [1, 2, 3], "label": ["x", "y", "z"]},
        **ANNOTATIONS,
    )
    frame = epoch.to_pandas()
    assert frame["duration"].tolist() == [10.0, 20.0, 30.0]
    assert frame["duration_"].tolist() == [1, 2, 3]
    assert frame.attrs["units"]["duration"] == "ms"
    again = Epoch.from_pandas(frame)
    assert_same(epoch, again)
    assert_same_quantity(epoch.durations, again.durations)
    assert again.labels.tolist() == ["a", "b", "c"]
    empty = Epoch([] * pq.s, durations=[] * pq.ms)
    assert_same(empty, Epoch.from_pandas(empty.to_pandas()))


def test_frames_of_objects_can_be_joined():
    one, two = train().to_pandas(), train().to_pandas()
    joined = pd.concat([one, two])
    assert len(joined) == 6
    assert joined.attrs == one.attrs
    assert SpikeTrain.from_pandas(joined).magnitude.tolist() == [3.0, 1.0, 3.0] * 2


def test_annotations_without_arrays():
    told = plain(ANNOTATIONS)
    assert told == plain(ANNOTATIONS)
    assert told["matrix"] == {
        "__array__": {
            "values": [0, 1, 2, 3, 4, 5],
            "shape": [2, 3],
            "dtype": ">i2",
            "scalar": False,
        }
    }
    assert_same_value(restored(told), ANNOTATIONS)


@pytest.mark.parametrize(
    ("obj", "method", "package"),
    [
        (lfp(), "to_xarray", "xarray"),
        (lfp(), "to_pandas", "pandas"),
        (train(), "to_pandas", "pandas"),
        (lfp(), "plot", "matplotlib"),
        (train(), "plot", "matplotlib"),
    ],
)
def test_missing_packages_are_named(obj, method, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.figure", None)
    with pytest.raises(MissingExtraError, match=package):
        getattr(obj, method)()
