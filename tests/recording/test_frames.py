"""xarray, dask and pandas forms of recordings against the arrays they were written from."""

import pickle
import sys
from fractions import Fraction

import dask
import numpy as np
import pytest

from ephyrus.errors import LimitError, MissingExtraError
from ephyrus.recording import FileSet, Limits
from ephyrus.recording.lazyarrays import Samples, SampleTimes, SignalReader, SignalSource
from tests.synth import arrays

DATA = np.arange(60, dtype="<i2").reshape(20, 3)
GAIN, OFFSET = [0.5, 2.0, 1.0], [0.0, 1.0, -3.0]
# two runs in segment 0 with a gap (5 samples missing), one in segment 1
RUNS = [(8, 100, 0), (4, 113, 0), (8, 1000, 1)]
TIMES = np.array([*range(100, 108), *range(113, 117), *range(1000, 1008)]) / 1000


def signal(**more):
    facts = {"runs": RUNS, "gain": GAIN, "offset": OFFSET, "units": ["mV", "pA", "mV"]}
    return arrays.signal(DATA, names=["a", "b", "c"], ids=["x1", "x2", "x3"], **(facts | more))


def sweeps(**more):
    runs = [(5, 0, 0), (5, 2000, 1), (5, 4000, 2), (5, 6000, 4)]
    return signal(runs=runs, **more)


def recording(*signals, **more):
    return arrays.in_memory(signals or [signal()], **more)


SCALED = DATA * np.array(GAIN) + OFFSET


def test_xarray_values_coordinates_and_attributes():
    array = recording().to_xarray()
    assert array.dims == ("time", "channel")
    assert array.name == "stream 0"
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array.values, SCALED)
    np.testing.assert_array_equal(array["time"].values, TIMES)
    assert array["channel"].values.tolist() == ["a", "b", "c"]
    assert array["channel_id"].values.tolist() == ["x1", "x2", "x3"]
    assert array["unit"].values.tolist() == ["mV", "pA", "mV"]
    assert array.attrs == {
        "sampling_rate": 1000.0,
        "stream_id": "signals0",
        "format": "arrays",
        "path": "made.arrays",
    }


def test_xarray_selection():
    array = recording().to_xarray("stream 0", start=6, stop=14, channels=["c", "a"])
    np.testing.assert_array_equal(array.values, SCALED[6:14, [2, 0]])
    np.testing.assert_array_equal(array["time"].values, TIMES[6:14])
    assert array.attrs["units"] == "mV"
    np.testing.assert_array_equal(array.sel(time=0.113, channel="c"), SCALED[8, 2])


def test_xarray_of_a_run():
    array = recording().to_xarray(run=1, start=1)
    np.testing.assert_array_equal(array.values, SCALED[9:12])
    np.testing.assert_array_equal(array["time"].values, TIMES[9:12])
    last = recording().to_xarray(run=-1, stop=2)
    np.testing.assert_array_equal(last.values, SCALED[12:14])
    with pytest.raises(IndexError, match="has 3 runs, asked for 3"):
        recording().to_xarray(run=3)
    with pytest.raises(IndexError, match="items 0 to 5 of 'run 1 of stream 0', which has 4"):
        recording().to_xarray(run=1, stop=5)


def test_xarray_stored_numbers_with_gain_and_offset():
    array = recording().to_xarray(scaled=False, channels=[1, 2])
    assert array.dtype == np.int16
    np.testing.assert_array_equal(array.values, DATA[:, 1:])
    np.testing.assert_array_equal(array["gain"].values, GAIN[1:])
    np.testing.assert_array_equal(array["offset"].values, OFFSET[1:])
    assert "units" not in array.attrs


def test_xarray_further_channel_columns_are_coordinates():
    extra = {"impedance": [1.0, 2.0, 3.0], "position": [[0, 1], [2, 3], [4, 5]], "time": [7, 8, 9]}
    array = recording(signal(extra=extra)).to_xarray(channels=[2, 0])
    assert array["impedance"].values.tolist() == [3.0, 1.0]
    assert array["position_0"].values.tolist() == [4, 0]
    assert array["position_1"].values.tolist() == [5, 1]
    assert array["time_"].values.tolist() == [9, 7]


@pytest.mark.parametrize("lazy", [False, True])
def test_xarray_by_segment(lazy):
    made = recording(sweeps(), segments=[{"name": f"sweep {n}"} for n in range(5)])
    array = made.to_xarray(by_segment=True, channels=[0, 2], start=1, stop=4, lazy=lazy)
    assert array.dims == ("segment", "time", "channel")
    expected = SCALED.reshape(4, 5, 3)[:, 1:4, [0, 2]]
    np.testing.assert_array_equal(array.values, expected)
    assert array["segment"].values.tolist() == [0, 1, 2, 4]
    assert array["segment_name"].values.tolist() == ["sweep 0", "sweep 1", "sweep 2", "sweep 4"]
    assert array["t_start"].values.tolist() == [0.0, 2.0, 4.0, 6.0]
    assert array["time"].values.tolist() == [0.001, 0.002, 0.003]
    np.testing.assert_array_equal(array.sel(segment=2, time=0.002), expected[2, 1])
    assert (array.chunks is not None) == lazy


def test_xarray_by_segment_refuses_what_is_not_sweeps():
    with pytest.raises(ValueError, match=r"not equally long \(4, 8 samples\); take them one by"):
        recording().to_xarray(by_segment=True)
    gap = signal(runs=[(10, 0, 0), (10, 50, 0)])
    with pytest.raises(ValueError, match="has several runs"):
        recording(gap).to_xarray(by_segment=True)
    with pytest.raises(ValueError, match="not both"):
        recording(sweeps()).to_xarray(by_segment=True, run=0)


def test_xarray_lazy_reads_nothing_and_has_lazy_times():
    made = recording()
    source = made.reading.files.main
    before = source.bytes_read
    array = made.to_xarray(lazy=True, start=3, piece_bytes=24)
    assert source.bytes_read == before
    assert array.chunks[0] == (2,) * 8 + (1,)
    assert "time" not in array.indexes
    part = array.isel(time=slice(4, 8)).set_xindex("time")
    np.testing.assert_array_equal(part["time"].values, TIMES[7:11])
    np.testing.assert_array_equal(part.sel(time=0.107).values, SCALED[7])
    np.testing.assert_array_equal(array.values, SCALED[3:])


def test_xarray_of_images():
    frames = np.arange(4 * 2 * 3, dtype="<u2").reshape(4, 2, 3)
    made = recording(arrays.signal(frames, names=["camera"], gain=0.5, rate=10))
    array = made.to_xarray(start=1)
    assert array.dims == ("time", "row", "column")
    np.testing.assert_array_equal(array.values, frames[1:] * 0.5)
    np.testing.assert_array_equal(array["time"].values, [0.1, 0.2, 0.3])
    assert array.attrs["units"] == "mV"
    assert set(array.coords) == {"time"}
    lazy = made.to_xarray(lazy=True)
    np.testing.assert_array_equal(lazy[2:, 0, ::2].values, frames[2:, 0, ::2] * 0.5)


def test_dask_one_task_per_piece_with_recipe():
    made = recording()
    array = made.to_dask(piece_bytes=24, scaled=False)
    assert array.chunks == ((4, 4, 4, 4, 4), (3,))
    assert len(array.__dask_graph__()) == 5
    np.testing.assert_array_equal(array.compute(scheduler="synchronous"), DATA)
    np.testing.assert_array_equal(
        made.to_dask(start=2, stop=9, channels="b").compute(scheduler="threads"), SCALED[2:9, 1:2]
    )


def test_dask_piece_bytes_count_the_result_and_obey_limits():
    assert recording().to_dask(piece_bytes=24).chunks[0] == (2,) * 10  # float32
    limited = recording(limits=Limits(read_bytes=12))
    array = limited.to_dask(scaled=False)
    assert array.chunks[0] == (2,) * 10
    np.testing.assert_array_equal(array.compute(scheduler="synchronous"), DATA)
    with pytest.raises(LimitError):
        limited.to_xarray()


def test_dask_names_tell_equal_requests():
    made = recording()
    assert made.to_dask().name == made.to_dask().name
    different = [made.to_dask(scaled=False), made.to_dask(channels=[0]), made.to_dask(start=1)]
    assert len({made.to_dask().name, *(each.name for each in different)}) == 4


def test_dask_slices_read_only_what_they_need():
    made = recording()
    array = made.to_dask(scaled=False)
    source = made.reading.files.main
    before = source.bytes_read
    result = array[5:8, 1].compute(scheduler="synchronous")
    np.testing.assert_array_equal(result, DATA[5:8, 1])
    assert source.bytes_read - before == 3 * 6


@pytest.mark.parametrize(
    "key",
    [
        np.s_[::-1],
        np.s_[::3, ::2],
        np.s_[12:4:-3, 1:],
        np.s_[5],
        np.s_[-1, -1],
        np.s_[4:4],
        np.s_[:, 2],
        np.s_[7, 1:],
        np.s_[2:9, ::-1],
        np.s_[:, 1:1],
        np.s_[[7, 2, 11]],
        np.s_[3:12, [2, 0]],
        np.s_[[]],
    ],
)
def test_dask_indexing_equals_numpy(key):
    made = recording()
    array = made.to_dask(scaled=False, piece_bytes=30)
    np.testing.assert_array_equal(array[key].compute(scheduler="synchronous"), DATA[key])
    source = SignalSource(made, made.signals[0])
    samples = Samples(source, 0, 20, np.arange(3), scaled=False)
    np.testing.assert_array_equal(samples[key], DATA[key])
    time = key[0] if isinstance(key, tuple) else key
    np.testing.assert_array_equal(SampleTimes(source, 0, 20)[time], TIMES[time])


def test_dask_empty_signal():
    empty = arrays.signal(np.zeros((0, 2), "<f4"), runs=[(0, 0, 0)])
    array = recording(empty).to_dask()
    assert array.shape == (0, 2)
    assert array.compute(scheduler="synchronous").shape == (0, 2)


def test_dask_works_in_other_processes(tmp_path):
    path = arrays.write(tmp_path / "made.arrays", [signal()], stimuli=[signal(name="command")])
    with arrays.opened(FileSet(path)) as made:
        array = made.to_dask(piece_bytes=60)
        command = made.to_dask(made.stimuli[0], scaled=False, channels=[2])
        with dask.config.set(scheduler="processes", num_workers=1):
            np.testing.assert_array_equal(array.compute(), SCALED)
            np.testing.assert_array_equal(command.compute(), DATA[:, 2:])


def test_signal_source_pickles_as_a_recipe_opened_once(tmp_path):
    path = arrays.write(tmp_path / "made.arrays", [signal()], stimuli=[signal(name="command")])
    with arrays.opened(FileSet(path)) as made:
        first = pickle.dumps(SignalSource(made, made.stimuli[0]))
        second = pickle.dumps(SignalSource(made, made.signals[0]))
    assert len(first) < 1500
    stimulus, recorded = pickle.loads(first), pickle.loads(second)
    assert stimulus.recording is recorded.recording
    assert stimulus.stream.name == "command"
    assert recorded.stream.name == "stream 0"
    token = SignalReader(made, made.signals[0], None, scaled=True).token
    arrays.write(path, [signal()], software="made anew")
    renewed = arrays.opened(FileSet(path))
    assert SignalReader(renewed, renewed.signals[0], None, scaled=True).token != token
    assert pickle.loads(pickle.dumps(SignalSource(renewed, renewed.signals[0]))).recording.info
    stimulus.recording.close()
    renewed.close()


def test_pandas_signal():
    frame = recording().to_pandas(start=6, stop=10, channels=["b", "a"])
    assert frame.index.name == "time"
    np.testing.assert_array_equal(frame.index, TIMES[6:10])
    assert frame.columns.tolist() == ["b", "a"]
    np.testing.assert_array_equal(frame.to_numpy(), SCALED[6:10, [1, 0]])
    assert frame.attrs["units"] == {"time": "s", "b": "pA", "a": "mV"}
    stored = recording().to_pandas("stream 0", scaled=False)
    np.testing.assert_array_equal(stored.to_numpy(), DATA)
    assert stored.attrs["units"] == {"time": "s"}


def test_pandas_refuses_images():
    made = recording(arrays.signal(np.zeros((2, 3, 4), "<u1"), names=["camera"]))
    with pytest.raises(ValueError, match="'stream 0' consists of images"):
        made.to_pandas()


SPIKES = arrays.table(
    "spikes",
    clock=2000,
    runs=[(2, 0, 0), (1, 4000, 2)],
    units=[(0, "unsorted", "ch#0"), (1, "one", "ch#1")],
    tick=[100, 101, 4500],
    unit=[1, 0, 1],
    waveform=np.arange(12, dtype="<i2").reshape(3, 2, 2),
    segment=[7, 8, 9],
    place=np.array([[1.5, 2.5], [3.5, 4.5], [5.5, 6.5]]),
    waveforms=[20000, "uV", 0.5, 1.0],
    name="cells",
)
EPOCHS = arrays.table(
    "epochs", tick=[100, 250], duration=[50, 25], label=["on", "off"], time=[1.0, 2.0], name="e"
)
SAMPLES = arrays.table(
    "samples",
    tick=[1, 5, 8],
    value=np.array([[1, 2], [3, 4], [5, 6]], "<i2"),
    channels={"names": ["x", "time"], "units": ["mm", ""], "gain": [0.5, 1.0], "offset": 1.0},
    name="path",
)


def test_pandas_spikes():
    made = arrays.in_memory(tables=[SPIKES, EPOCHS, SAMPLES])
    frame = made.to_pandas("cells")
    assert frame.index.name == "item"
    assert frame.columns.tolist() == [
        "time", "unit", "segment", "place_0", "place_1", "segment_"
    ]  # fmt: skip
    assert frame["time"].tolist() == [0.05, 0.0505, 2.25]
    assert frame["unit"].tolist() == [1, 0, 1]
    assert frame["segment"].tolist() == [7, 8, 9]
    assert frame["segment_"].tolist() == [0, 0, 2]
    assert frame["place_1"].tolist() == [2.5, 4.5, 6.5]
    assert frame.attrs["units"] == {"time": "s"}
    part = made.to_pandas(made.tables[0], start=1, columns=["waveform", "tick"])
    assert part.index.tolist() == [1, 2]
    assert part.columns.tolist() == ["waveform", "time", "segment"]
    assert part["waveform"][2].tolist() == [[5.0, 5.5], [6.0, 6.5]]
    assert part.attrs["units"] == {"time": "s", "waveform": "uV"}
    raw = made.to_pandas("cells", columns=["waveform"], scaled=False)
    assert raw["waveform"][0].tolist() == [[0, 1], [2, 3]]


def test_pandas_epochs_and_samples():
    made = arrays.in_memory(tables=[SPIKES, EPOCHS, SAMPLES])
    frame = made.to_pandas("tables1")
    assert frame.columns.tolist() == ["time", "duration", "label", "time_", "segment"]
    assert frame["time"].tolist() == [0.1, 0.25]
    assert frame["duration"].tolist() == [0.05, 0.025]
    assert frame["label"].tolist() == ["on", "off"]
    assert frame.attrs["units"] == {"time": "s", "duration": "s"}
    path = made.to_pandas("path")
    assert path.columns.tolist() == ["time", "x", "time_", "segment"]
    assert path["x"].tolist() == [1.5, 2.5, 3.5]
    assert path["time_"].tolist() == [3.0, 5.0, 7.0]
    assert path.attrs["units"] == {"time": "s", "x": "mm", "time_": ""}
    assert made.to_pandas("path", scaled=False)["x"].tolist() == [1, 3, 5]


def test_pandas_mistakes_are_told():
    made = arrays.in_memory([signal()], [EPOCHS])
    with pytest.raises(TypeError, match="'e' is a table: choose from its fields by columns="):
        made.to_pandas("e", channels=[0])
    with pytest.raises(TypeError, match="'stream 0' is a signal: choose from it by channels="):
        made.to_pandas(columns=["tick"])
    with pytest.raises(KeyError, match=r"no signal 'q' .*'stream 0'; no table 'q' .*'e'"):
        made.to_pandas("q")
    with pytest.raises(KeyError, match="no column 'value'"):
        made.to_pandas("e", columns=["value"])


@pytest.mark.parametrize(
    ("method", "module", "extra", "options"),
    [
        ("to_xarray", "xarray", "xarray", {}),
        ("to_xarray", "dask.array", "dask", {"lazy": True}),
        ("to_dask", "dask.array", "dask", {}),
        ("to_pandas", "pandas", "pandas", {}),
        ("plot", "matplotlib.figure", "plot", {}),
    ],
)
def test_missing_packages_are_named(monkeypatch, method, module, extra, options):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as caught:
        getattr(recording(), method)(**options)
    package = module.partition(".")[0]
    assert (caught.value.package, caught.value.extra) == (package, extra)
    assert str(caught.value).endswith(
        f"needs the package {package}: pip install 'ephyrus[{extra}]'"
    )


def test_times_of_uneven_rates_are_rounded_once():
    rate = Fraction(30000, 7)
    data = np.zeros((50, 1), "<i2")
    made = recording(arrays.signal(data, rate=rate, clock=90, runs=[(20, 11, 0), (30, 700, 0)]))
    expected = [float(Fraction(11, 90) + n / rate) for n in range(20)]
    expected += [float(Fraction(700, 90) + n / rate) for n in range(30)]
    assert made.to_xarray()["time"].values.tolist() == expected
