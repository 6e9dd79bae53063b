"""Lazy signals: metadata without data, reading, pieces, pickles."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_array_equal

from ephyrus.core._channelsignal import ChannelSignal
from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.imagesequence import ImageSequence
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.core.lazy import Points, PointSource, chunk_bounds, read_points
from ephyrus.core.view import ChannelView
from ephyrus.errors import MergeError
from tests.core.fake_sources import FakePoints, FakeSignals

RAW = np.arange(400, dtype=np.int16).reshape(100, 4)
GAINS = [0.5, 0.5, 0.25, 2.0]


def lazy(source=None, **kwargs):
    source = FakeSignals(RAW, GAINS) if source is None else source
    signal = AnalogSignal._create(
        np.empty((0, source.shape[1]), dtype=source.dtype),
        "uV",
        sampling_rate=1.0,
        rate_unit=pq.kHz,
        t_start=2.0,
        name="n",
        annotations={"key": [1]},
        array_annotations={
            "channel_names": np.array(["a", "b", "c", "d"])[: source.shape[1]],
            "empty": np.array([]),
        },
        source=source,
        **kwargs,
    )
    signal.segment = "segment"
    return signal


EXPECTED = (RAW * GAINS).astype(np.float32)


def test_metadata_are_true():
    signal = lazy()
    assert isinstance(signal, AnalogSignal)
    assert signal.proxy_for is AnalogSignal
    assert signal.shape == (0, 4)
    assert signal.size == len(signal) == 0
    assert signal.lazy_shape == (100, 4)
    assert signal.dtype == np.float32
    assert signal.units == pq.uV
    assert signal.sampling_rate == 1 * pq.kHz
    assert signal.t_start == 2 * pq.s
    assert signal.t_stop == 2.1 * pq.s
    assert signal.duration == 100 * pq.ms
    assert_array_equal(signal.times.magnitude, 2 + np.arange(100) / 1000)
    assert signal.array_annotations["channel_names"].tolist() == ["a", "b", "c", "d"]
    assert signal._pretty_lines()[0].startswith(
        "AnalogSignal with 4 channels of length 100; units uV"
    )
    assert np.asarray(signal).shape == (0, 4)
    assert (signal + 1 * pq.uV).shape == (0, 4)
    assert (signal * 2).lazy_shape is None
    assert signal._source.reads == []


def test_load_all():
    signal = lazy()
    loaded = signal.load()
    assert type(loaded) is AnalogSignal
    assert_array_equal(loaded.magnitude, EXPECTED)
    assert loaded.dtype == np.float32
    assert loaded.lazy_shape is None
    assert not hasattr(loaded, "proxy_for")
    assert loaded.segment is None
    assert loaded.name == "n"
    assert loaded.t_start == 2 * pq.s
    assert loaded.array_annotations == signal.array_annotations
    loaded.annotate(new=1)
    loaded.array_annotate(new=[1, 2, 3, 4])
    assert signal.annotations == {"key": [1]}
    assert list(signal.array_annotations) == ["channel_names", "empty"]


@pytest.mark.parametrize(
    ("window", "rows"),
    [
        ((2.01 * pq.s, 2.02 * pq.s), slice(10, 20)),
        ((None, 2005 * pq.ms), slice(0, 5)),
        ((2.09, None), slice(90, 100)),
        ((2.0104 * pq.s, 2.0204 * pq.s), slice(10, 20)),
    ],
)
def test_windows_read_the_samples_that_time_slice_gives(window, rows):
    signal = lazy()
    in_memory = lazy().load()
    for loaded in (signal.load(window), signal.time_slice(*window)):
        assert_array_equal(loaded.magnitude, EXPECTED[rows])
        assert loaded.t_start == in_memory.time_slice(*window).t_start
        assert (loaded == in_memory.time_slice(*window)).all()
    assert signal._source.reads == [(rows.start, rows.stop, None)] * 2


def test_windows_outside():
    signal = lazy()
    for window in ((1.0, 2.01), (2.05, 3.0)):
        with pytest.raises(ValueError, match="is not within the data"):
            signal.load(window)
        with pytest.raises(ValueError, match="is not within the data"):
            signal.time_slice(*window)
    assert_array_equal(signal.load((1.0, 2.01), strict_slicing=False).magnitude, EXPECTED[:10])
    assert_array_equal(signal.load((2.09, 3.0), False).magnitude, EXPECTED[90:])


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        ([2, 0], [2, 0]),
        (slice(1, 3), [1, 2]),
        (np.array([True, False, False, True]), [0, 3]),
        (1, [1]),
    ],
)
def test_channels(index, columns):
    signal = lazy()
    loaded = signal.load(channel_indexes=index)
    assert_array_equal(loaded.magnitude, EXPECTED[:, columns])
    assert loaded.name == "slice of  n"
    assert loaded.array_annotations["channel_names"].tolist() == [list("abcd")[c] for c in columns]
    assert signal._source.reads == [(0, 100, columns)]


def test_channels_by_name():
    loaded = lazy().load(channel_names=["d", "a"])
    assert_array_equal(loaded.magnitude, EXPECTED[:, [3, 0]])
    assert lazy().load(channel_indexes=[0, 1, 2, 3]).name == "n"
    with pytest.raises(ValueError, match=r"no channel is named \['z'\]; there are"):
        lazy().load(channel_names=["a", "z"])
    with pytest.raises(ValueError, match="not both"):
        lazy().load(channel_names=["a"], channel_indexes=[0])
    with pytest.raises(IndexError):
        lazy().load(channel_indexes=[7])


def test_raw_integers():
    source = FakeSignals(RAW, 0.0152587890625)
    loaded = lazy(source).load(magnitude_mode="raw")
    assert loaded.dtype == np.int16
    assert_array_equal(loaded.magnitude, RAW)
    assert loaded.dimensionality.string == "(0.0152587890625*uV)"
    np.testing.assert_allclose(loaded.rescale("uV").magnitude, RAW * 0.0152587890625)
    assert pickle.loads(pickle.dumps(loaded)).dimensionality.string == "(0.0152587890625*uV)"
    one = lazy(FakeSignals(RAW, 1.0)).load(magnitude_mode="raw")
    assert one.units == pq.uV
    part = lazy().load((2.01, 2.02), channel_indexes=[0, 1], magnitude_mode="raw")
    assert_array_equal(part.magnitude, RAW[10:20, :2])
    assert part.dimensionality.string == "(0.5*uV)"


def test_raw_integers_where_there_are_none():
    with pytest.raises(ValueError, match="gains differ"):
        lazy().load(magnitude_mode="raw")
    with pytest.raises(ValueError, match="offset is not 0"):
        lazy(FakeSignals(RAW, 1.0, offset=1.0)).load(magnitude_mode="raw")
    with pytest.raises(ValueError, match="needs a lazy signal"):
        lazy().load().load(magnitude_mode="raw")
    with pytest.raises(ValueError, match="magnitude_mode must be"):
        lazy().load(magnitude_mode="x")


def test_selected_channels_stay_lazy():
    signal = lazy()
    part = signal[:, [3, 1, 0]][:, 1:]
    assert part.lazy_shape == (100, 2)
    assert part.shape == (0, 2)
    assert part.array_annotations["channel_names"].tolist() == ["b", "a"]
    assert_array_equal(part.load().magnitude, EXPECTED[:, [1, 0]])
    assert_array_equal(part.load(channel_indexes=[1]).magnitude, EXPECTED[:, [0]])
    assert_array_equal(part.load(magnitude_mode="raw").magnitude, RAW[:, [1, 0]])
    assert part._source.dtype == np.float32
    assert part._source.shape == (100, 2)
    assert signal[:, 2].lazy_shape == (100, 1)
    assert signal[5:10].lazy_shape is None
    assert signal[5:10, 1].shape == (0, 1)
    view = ChannelView(signal, [2, 3])
    assert view.shape == (100, 2)
    assert_array_equal(view.resolve().load().magnitude, EXPECTED[:, [2, 3]])


def test_rescaled_signals_stay_lazy():
    signal = lazy().rescale("mV")
    assert signal.lazy_shape == (100, 4)
    assert signal.units == pq.mV
    np.testing.assert_allclose(signal.load().magnitude, EXPECTED / 1000, rtol=1e-6)
    assert signal.load().dtype == np.float32 == signal._source.dtype
    assert signal._source.shape == (100, 4)
    raw = signal[:, :2].load(magnitude_mode="raw")
    assert_array_equal(raw.magnitude, RAW[:, :2])
    np.testing.assert_allclose(raw.rescale("uV").magnitude, EXPECTED[:, :2], rtol=1e-12)


def test_shifted_signals_stay_lazy():
    shifted = lazy().time_shift(1 * pq.s)
    assert shifted.lazy_shape == (100, 4)
    assert shifted.t_start == 3 * pq.s
    assert_array_equal(shifted.load((3.01, 3.02)).magnitude, EXPECTED[10:20])


def test_pieces():
    signal = lazy()
    pieces = list(signal.chunks(max_bytes=30 * 16))
    assert [len(piece) for piece in pieces] == [30, 30, 30, 10]
    assert [piece.t_start.magnitude.item() for piece in pieces] == [2.0, 2.03, 2.06, 2.09]
    assert_array_equal(np.concatenate([piece.magnitude for piece in pieces]), EXPECTED)
    assert pieces[0].array_annotations == signal.array_annotations
    assert signal._source.reads == [(0, 30, None), (30, 60, None), (60, 90, None), (90, 100, None)]
    pieces = list(signal.iter_chunks(seconds=0.04, overlap=10))
    assert [len(piece) for piece in pieces] == [40, 40, 40]
    assert_array_equal(pieces[2].magnitude, EXPECTED[60:])
    generator = lazy().chunks(16)
    next(generator)


def test_pickles_and_copies_carry_the_source():
    signal = lazy()
    again = pickle.loads(pickle.dumps(signal))
    assert again.lazy_shape == (100, 4)
    assert again._source is not signal._source
    assert_array_equal(again.load().magnitude, EXPECTED)
    assert again.segment == "segment"
    for other in (copy.deepcopy(signal), signal.copy(), signal.detached()):
        assert other._source is signal._source
        assert other.lazy_shape == (100, 4)
        assert_array_equal(other.load().magnitude, EXPECTED)
    selected = pickle.loads(pickle.dumps(signal[:, [1]].rescale("V")))
    np.testing.assert_allclose(selected.load().magnitude, EXPECTED[:, [1]] * 1e-6, rtol=1e-6)


def test_merging():
    first, second = lazy(), lazy(FakeSignals(RAW[:, :2] + 1, 1.0)).rescale("mV")
    merged = first.merge(second)
    assert merged.lazy_shape == (100, 6)
    assert merged.shape == (0, 6)
    assert merged.units == pq.uV
    expected = np.hstack([EXPECTED, RAW[:, :2] + 1])
    np.testing.assert_allclose(merged.load().magnitude, expected, rtol=1e-6)
    np.testing.assert_allclose(
        merged.load((2.01, 2.02), channel_indexes=[5, 0]).magnitude,
        expected[10:20, [5, 0]],
        rtol=1e-6,
    )
    assert_array_equal(merged.load(channel_indexes=[1]).magnitude, expected[:, [1]])
    with pytest.raises(ValueError, match="no common gain"):
        merged.load(magnitude_mode="raw")
    loaded = lazy().load()
    loaded.segment = "segment"
    for one, other in ((first, loaded), (loaded, first)):
        with pytest.raises(MergeError, match="lazy"):
            one.merge(other)


def test_joining_loads():
    joined = lazy().concatenate(lazy().time_shift(100 * pq.ms))
    assert_array_equal(joined.magnitude, np.vstack([EXPECTED, EXPECTED]))
    pytest.importorskip("scipy")
    assert lazy().downsample(2).shape == (50, 4)
    assert lazy().resample(50).sampling_rate == 0.5 * pq.kHz


def test_surprise_30_lazy_signals_take_array_annotations():
    signal = lazy()
    signal.array_annotate(extra=[1, 2, 3, 4])
    loaded = signal.load((2.01, 2.02), channel_indexes=[3, 1])
    assert loaded.array_annotations["extra"].tolist() == [4, 2]
    with pytest.raises(ValueError, match="4 are needed"):
        signal.array_annotate(extra=[1])


# --- irregular signals --------------------------------------------------------------------

TIMES = np.array([1.0, 2.0, 4.0, 8.0, 9.0])
VALUES = np.arange(15.0).reshape(5, 3)


def lazy_points(arrays=None, **kwargs):
    source = FakePoints(
        TIMES, VALUES, {"a": np.array(["x", "y", "z"])} if arrays is None else arrays
    )
    signal = IrregularlySampledSignal._create(
        np.empty(0),
        np.empty((0, 3)),
        pq.mV,
        t_start=1.0,
        t_stop=9.0,
        name="n",
        annotations={"key": 1},
        source=source,
        **kwargs,
    )
    signal.segment = "segment"
    return signal


def test_irregular_metadata():
    signal = lazy_points()
    assert isinstance(signal._source, PointSource)
    assert signal.proxy_for is IrregularlySampledSignal
    assert signal.shape == (0, 3)
    assert signal.lazy_shape == (5, 3)
    assert signal.t_start == 1 * pq.s
    assert signal.t_stop == 9 * pq.s
    assert signal.duration == 8 * pq.s
    assert len(signal.times) == 0
    assert signal._source.reads == []
    assert signal.array_annotations == {"a": ["x", "y", "z"]}
    assert signal._source.reads == [(0, 0)]


@pytest.mark.parametrize(
    ("window", "rows"),
    [
        (None, [0, 1, 2, 3, 4]),
        ((2 * pq.s, 8 * pq.s), [1, 2, 3]),
        ((2000 * pq.ms, 8.5 * pq.s), [1, 2, 3]),
        ((None, 4), [0, 1, 2]),
        ((5, 6), []),
    ],
)
def test_irregular_load(window, rows):
    signal = lazy_points()
    loaded = signal.load(window)
    assert_array_equal(loaded.times.magnitude, TIMES[rows])
    assert_array_equal(loaded.magnitude, VALUES[rows].reshape(-1, 3))
    assert loaded.array_annotations == {"a": ["x", "y", "z"]}
    assert loaded.lazy_shape is None
    assert loaded.segment is None
    if window is not None:
        assert (signal.time_slice(*window) == loaded).all()


def test_irregular_windows_and_channels():
    signal = lazy_points()
    with pytest.raises(ValueError, match="is not within the signal"):
        signal.load((0, 5))
    assert len(signal.load((0, 5), strict_slicing=False)) == 3
    assert len(signal.time_slice(0, 5)) == 3
    part = signal.load(channel_indexes=[2, 0])
    assert_array_equal(part.magnitude, VALUES[:, [2, 0]])
    assert part.array_annotations == {"a": ["z", "x"]}
    assert part.name == "slice of  n"
    named = lazy_points({"channel_names": np.array(["p", "q", "r"])})
    assert_array_equal(named.load(channel_names=["q"]).magnitude, VALUES[:, [1]])
    selected = signal[:, [2, 0]]
    assert selected.lazy_shape == (5, 2)
    assert selected.t_stop == 9 * pq.s
    assert selected.array_annotations == {"a": ["z", "x"]}
    assert_array_equal(selected.load((2, 8)).magnitude, VALUES[1:4][:, [2, 0]])
    selected._array_annotations = None
    assert selected.array_annotations == {"a": ["z", "x"]}


def test_irregular_units_of_time():
    source = FakePoints(TIMES, VALUES)
    signal = IrregularlySampledSignal._create(
        np.empty(0),
        np.empty((0, 3)),
        "mV",
        time_unit="ms",
        t_start=1000.0,
        t_stop=9000.0,
        source=source,
    )
    assert signal.t_stop == 9 * pq.s
    loaded = signal.load((2000, 8 * pq.s))
    assert_array_equal(loaded.times.magnitude, [2000, 4000, 8000])
    assert loaded.times.units == pq.ms


def test_irregular_pieces_copies_and_units():
    signal = lazy_points()
    pieces = list(signal.chunks(2 * (8 + 24)))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    assert_array_equal(np.concatenate([piece.times.magnitude for piece in pieces]), TIMES)
    assert_array_equal(np.concatenate([piece.magnitude for piece in pieces]), VALUES)
    for other in (
        pickle.loads(pickle.dumps(signal)),
        copy.deepcopy(signal),
        signal.copy(),
        signal.detached(),
    ):
        assert other.lazy_shape == (5, 3)
        assert other.t_stop == 9 * pq.s
        assert_array_equal(other.load().magnitude, VALUES)
    scaled = signal.rescale("uV")
    assert scaled.lazy_shape == (5, 3)
    assert scaled.t_stop == 9 * pq.s
    assert_array_equal(scaled.load((2, 8)).magnitude, VALUES[1:4] * 1000)
    shifted = signal.time_shift(1 * pq.s)
    assert_array_equal(shifted.times.magnitude, TIMES + 1)
    with pytest.raises(MergeError, match="load them first"):
        signal.merge(signal)
    assert signal.concatenate(signal.time_shift(10)).shape == (10, 3)
    assert signal.resample(9).shape == (9, 3)


def test_a_source_without_values_is_reported():
    class NoValues(FakePoints):
        def read(self, start, stop, *, waveforms=False):
            return Points(times=self.times[start:stop])

    source = NoValues(TIMES, VALUES)
    signal = IrregularlySampledSignal._create(np.empty(0), np.empty((0, 3)), "mV", source=source)
    assert signal.t_start is None
    with pytest.raises(ValueError, match="gave no values"):
        signal.load()
    with pytest.raises(ValueError, match="gave no values"):
        signal.rescale("V").load()
    with pytest.raises(ValueError, match="gave no values"):
        signal[:, [0]].load()


# --- images -------------------------------------------------------------------------------


def test_lazy_images():
    raw = np.arange(60).reshape(5, 3, 4)
    source = FakeSignals(raw, 2.0, dtype=np.float64)
    images = ImageSequence._create(
        np.empty((0, 3, 4)),
        "mV",
        sampling_rate=10.0,
        t_start=1.0,
        spatial_scale=2 * pq.um,
        name="n",
        source=source,
    )
    assert images.lazy_shape == (5, 3, 4)
    assert images.t_stop == 1.5 * pq.s
    assert_array_equal(images.load().magnitude, raw * 2)
    part = images.time_slice(1.1 * pq.s, 1.3 * pq.s)
    assert_array_equal(part.magnitude, raw[1:3] * 2)
    assert part.t_start == 1.1 * pq.s
    assert part.spatial_scale == 2 * pq.um
    assert_array_equal(images.load((1.4, 2.0), strict_slicing=False).magnitude, raw[4:] * 2)
    assert [len(piece) for piece in images.chunks(2 * 12 * 8)] == [2, 2, 1]
    assert_array_equal(images.rescale("uV").load().magnitude, raw * 2000)
    assert_array_equal(pickle.loads(pickle.dumps(images)).load().magnitude, raw * 2)
    assert images._pretty_lines()[0].startswith("ImageSequence 5 frames with width 4 px")


# --- helpers ------------------------------------------------------------------------------


def test_read_points_masks_exactly_and_cuts_annotations():
    source = FakePoints(TIMES, VALUES, {"n": np.arange(5), "e": np.array([])})
    source.read = lambda start, stop, waveforms=False: Points(
        times=TIMES[start:stop],
        durations=TIMES[start:stop] / 10,
        labels=np.array(list("abcde"))[start:stop],
        waveforms=np.arange(5)[start:stop, None, None],
        array_annotations={"n": np.arange(5)[start:stop], "e": np.array([])},
    )
    points = read_points(source, 2.0, 8.0)
    assert points.times.tolist() == [2, 4, 8]
    assert points.durations.tolist() == [0.2, 0.4, 0.8]
    assert points.labels.tolist() == ["b", "c", "d"]
    assert points.waveforms[:, 0, 0].tolist() == [1, 2, 3]
    assert points.array_annotations["n"].tolist() == [1, 2, 3]
    assert points.array_annotations["e"].tolist() == []
    own = {"mine": np.arange(10, 15)}
    points = read_points(source, None, 2.0, array_annotations=own)
    assert points.array_annotations["mine"].tolist() == [10, 11]
    points = read_points(source, 2.0, 2.0, array_annotations=own, per_item=False)
    assert points.array_annotations["mine"].tolist() == [10, 11, 12, 13, 14]
    assert read_points(source).times.tolist() == TIMES.tolist()


def test_chunk_bounds():
    assert chunk_bounds(10, 8, 32) == [(0, 4), (4, 8), (8, 10)]
    assert chunk_bounds(3, 100, 1) == [(0, 1), (1, 2), (2, 3)]
    assert chunk_bounds(0, 8, 32) == [(0, 0)]
    assert chunk_bounds(0, 8, 32, at_least_one=False) == []
    assert chunk_bounds(5, 0, 32) == [(0, 5)]
    with pytest.raises(ValueError, match="max_bytes must be at least 1, not 0"):
        chunk_bounds(5, 8, 0)


def test_the_doors_take_what_they_are_given():
    data, times, annotations = np.zeros((2, 3)), np.array([1.0, 2.0]), {"a": 1}
    signal = IrregularlySampledSignal._create(times, data, "mV", annotations=annotations)
    assert np.shares_memory(signal, data)
    assert np.shares_memory(signal.times, times)
    assert signal.annotations is annotations
    assert signal.lazy_shape is None
    signal = AnalogSignal._create(data, pq.mV, sampling_rate=2.0, annotations=annotations)
    assert np.shares_memory(signal, data)
    assert signal.annotations is annotations
    assert signal.t_stop == 1 * pq.s
    frames = np.zeros((2, 3, 4))
    images = ImageSequence._create(frames, pq.V, sampling_rate=2.0, spatial_scale=1 * pq.um)
    assert np.shares_memory(images, frames)
    assert images.lazy_shape is None
    assert images.spatial_scale == 1 * pq.um


def test_signals_say_what_they_must_define():
    base = np.zeros((2, 2)).view(ChannelSignal)
    with pytest.raises(NotImplementedError):
        base[:1]
    with pytest.raises(NotImplementedError):
        base._channel_source(np.array([0]))
