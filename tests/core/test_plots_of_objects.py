"""Plots of data objects: values of what is drawn, its extent, labels and units."""

import sys

import matplotlib
import numpy as np
import pytest
import quantities as pq
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from ephyrus.core import (
    AnalogSignal,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
    _plotting,
)
from ephyrus.core.lazy import Points
from ephyrus.core.spiketrainlist import SpikeTrainList
from tests.core.fake_sources import FakePoints, FakeSignals

RNG = np.random.default_rng(5)
LONG = RNG.integers(-1000, 1000, (40_000, 2)).astype("i2")


def signal(data=LONG, **more):
    facts = {"units": "uV", "sampling_rate": 1 * pq.kHz, "t_start": 500 * pq.ms, "name": "LFP"}
    return AnalogSignal(data, **(facts | more))


def collections(axis, kind):
    return [each for each in axis.collections if type(each) is kind]


def line_times(collection):
    return [path.vertices[0, 0] for path in collection.get_paths()]


def spans(collection):
    return [
        (path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in collection.get_paths()
    ]


def raster_times(axis):
    return [each.get_positions() for each in axis.collections if hasattr(each, "get_positions")]


def words(figure):
    return [text.get_text() for text in figure.texts]


# --- signals --------------------------------------------------------------------------------


def test_long_signals_are_drawn_as_extremes():
    figure = signal(array_annotations={"channel_names": ["a", "$b$"]}).plot(width=400)
    assert type(figure) is Figure
    assert [axis.get_ylabel() for axis in figure.axes] == ["a\n(µV)", "$b$\n(µV)"]
    assert {axis.get_xlim() for axis in figure.axes} == {(0.5, 40.5)}
    assert figure.axes[-1].get_xlabel() == "time (s)"
    for column, axis in enumerate(figure.axes):
        x, y = axis.lines[0].get_data()
        bins = LONG[:, column].reshape(400, 100)
        np.testing.assert_array_equal(y[::2], bins.min(axis=1))
        np.testing.assert_array_equal(y[1::2], bins.max(axis=1))
        np.testing.assert_allclose(x[::2], 0.5 + (np.arange(400) * 100 + 49.5) / 1000)
        np.testing.assert_array_equal(x[::2], x[1::2])
    assert words(figure) == [
        "LFP",
        "AnalogSignal: 40,000 samples × 2 channels, uV, int16, 1 kHz, 500 ms to 40500 ms",
    ]
    assert "matplotlib.pyplot" not in sys.modules or not matplotlib.pyplot.get_fignums()


def test_short_stretches_show_each_sample():
    figure = signal().plot(t_start=1000, t_stop=1.1 * pq.s, channels=1)
    (axis,) = figure.axes
    assert axis.get_xlim() == (1.0, 1.1)
    assert axis.get_ylabel() == "LFP\n(µV)"
    x, y = axis.lines[0].get_data()
    np.testing.assert_allclose(x, np.arange(1000, 1101) / 1000)
    np.testing.assert_array_equal(y, LONG[500:601, 1])
    ((one,),) = [signal().plot(t_start=1.0001 * pq.s, t_stop=1.0009 * pq.s, channels=0).axes]
    assert len(one.lines[0].get_xdata()) == 0
    assert [text.get_text() for text in one.texts] == ["no samples here"]
    (beyond,) = signal().plot(t_start=100 * pq.s, t_stop=101 * pq.s, channels=[0]).axes
    assert len(beyond.lines[0].get_xdata()) == 0


def test_lazy_signals_are_read_piece_by_piece(monkeypatch):
    monkeypatch.setattr(_plotting, "PIECE_BYTES", 8000)
    source = FakeSignals(LONG, 0.5)
    lazy = AnalogSignal._create(
        np.empty((0, 2), np.float32), "mV", sampling_rate=1000.0, source=source
    )
    figure = lazy.plot(width=400)
    assert [read[:2] for read in source.reads] == [(a, a + 1000) for a in range(0, 40_000, 1000)]
    bins = (LONG[:, 1] * np.float32(0.5)).reshape(400, 100)
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata()[1::2], bins.max(axis=1))
    assert [axis.get_ylabel() for axis in figure.axes] == ["channel 0\n(mV)", "channel 1\n(mV)"]
    source.reads.clear()
    figure = lazy.plot(t_start=2 * pq.s, t_stop=2.01 * pq.s, channels=[1])
    assert source.reads == [(2000, 2011, [1])]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), LONG[2000:2011, 1] * 0.5)


def test_channels_beyond_the_room_are_told():
    many = signal(np.zeros((10, 40)), units="dimensionless")
    figure = many.plot()
    assert len(figure.axes) == 32
    assert figure.axes[3].get_ylabel() == "channel 3"
    assert words(figure)[-1] == "Not drawn: 8 channels. Choose with channels=..."


def test_irregular_signals():
    times = np.sort(RNG.uniform(0, 1000, 5000))
    values = RNG.normal(size=(5000, 1))
    irregular = IrregularlySampledSignal(times * pq.ms, values, units="mV", name="pupil")
    (axis,) = irregular.plot(width=50).axes
    x, y = axis.lines[0].get_data()
    groups = values.reshape(50, 100)
    np.testing.assert_array_equal(y[::2], groups.min(axis=1))
    np.testing.assert_array_equal(y[1::2], groups.max(axis=1))
    np.testing.assert_allclose(x[::2], times.reshape(50, 100)[:, 0] / 1000)
    margin = (times[-1] - times[0]) / 50
    np.testing.assert_allclose(
        axis.get_xlim(), [(times[0] - margin) / 1000, (times[-1] + margin) / 1000]
    )
    (axis,) = irregular.plot(t_start=100, t_stop=0.2 * pq.s).axes
    inside = (times >= 100) & (times <= 200)
    np.testing.assert_allclose(axis.lines[0].get_xdata(), times[inside] / 1000)
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), values[inside, 0])
    assert axis.get_ylabel() == "pupil\n(mV)"


def test_lazy_irregular_signals():
    source = FakePoints(np.arange(10.0), np.arange(20.0).reshape(10, 2))
    lazy = IrregularlySampledSignal._create(
        np.empty(0), np.empty((0, 2)), "mV", t_start=0.0, t_stop=9.0, source=source
    )
    first, second = lazy.plot(t_start=0.0, t_stop=3.5).axes
    assert first.lines[0].get_xdata().tolist() == [0.0, 1.0, 2.0, 3.0]
    assert second.lines[0].get_ydata().tolist() == [1.0, 3.0, 5.0, 7.0]


# --- points ---------------------------------------------------------------------------------


def test_spike_train():
    train = SpikeTrain([100, 250, 900] * pq.ms, t_stop=1000, name="u1")
    figure = train.plot()
    (axis,) = figure.axes
    np.testing.assert_allclose(raster_times(axis), [[0.1, 0.25, 0.9]])
    assert axis.get_xlim() == (0.0, 1.0)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["u1"]
    assert words(figure) == ["u1", "SpikeTrain: 3 spikes, 0 ms to 1000 ms"]
    (axis,) = train.plot(t_start=200, t_stop=0.5 * pq.s).axes
    np.testing.assert_allclose(raster_times(axis), [[0.25]])


def test_very_many_spikes_are_thinned():
    times = np.linspace(0, 10, 1_000_001)
    (axis,) = SpikeTrain(times, units="s", t_stop=10).plot(width=100).axes
    (drawn,) = raster_times(axis)
    assert 400 <= len(drawn) <= 401
    np.testing.assert_allclose(drawn[:400], np.arange(400) / 40, atol=1.1e-5)


def test_spike_trains():
    trains = SpikeTrainList([SpikeTrain([k + 1], t_stop=200, units="ms") for k in range(120)])
    trains[0].name = "first"
    trains[1].annotate(channel_id=7)
    figure = trains.plot()
    drawn = raster_times(figure.axes[0])
    np.testing.assert_allclose(drawn, [[(k + 1) / 1000] for k in range(100)])
    assert words(figure) == [
        "SpikeTrainList",
        "120 SpikeTrains",
        "Not drawn: 20 SpikeTrains. Choose some of the list",
    ]
    figure = trains[:3].plot(t_stop=2.5)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["first", "7", "train 2"]
    assert [len(times) for times in raster_times(figure.axes[0])] == [1, 1, 0]
    assert figure.axes[0].get_xlim() == (0.0, 0.0025)


def test_multiplexed_trains_stay_so():
    trains = SpikeTrainList.from_spike_time_array(
        [1.0, 2.0, 3.0], [5, 6, 6], [5, 6], t_stop=4.0, units="s"
    )
    figure = trains.plot()
    assert raster_times(figure.axes[0]) == [[1.0], [2.0, 3.0]]
    assert [each.get_text() for each in figure.axes[0].get_yticklabels()] == ["5", "6"]
    assert trains._untouched() is not None
    assert words(SpikeTrainList().plot()) == ["SpikeTrainList", "0 SpikeTrains"]


def test_events():
    figure = Event([1, 3] * pq.s, labels=["on", "$"], name="trig").plot()
    (axis,) = figure.axes
    (lines,) = collections(axis, LineCollection)
    assert line_times(lines) == [1.0, 3.0]
    assert [text.get_text() for text in axis.texts] == ["on", "$"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["trig"]
    np.testing.assert_allclose(axis.get_xlim(), (0.96, 3.04))
    (axis,) = Event([1, 3] * pq.s).plot(t_start=2.0, t_stop=3000 * pq.ms).axes
    assert line_times(collections(axis, LineCollection)[0]) == [3.0]
    (axis,) = Event([2] * pq.s).plot().axes
    assert axis.get_xlim() == (1.5, 2.5)
    (axis,) = Event().plot().axes
    assert axis.get_xlim() == (0.0, 1.0)


def test_epochs():
    epoch = Epoch([1000, 3000] * pq.ms, durations=[0.5, 2] * pq.s, labels=["x", "y"])
    (axis,) = epoch.plot().axes
    (bands,) = collections(axis, PolyCollection)
    assert spans(bands) == [(1.0, 1.5), (3.0, 5.0)]
    np.testing.assert_allclose(axis.get_xlim(), (0.92, 5.08))
    assert [label.get_text() for label in axis.get_yticklabels()] == ["Epoch"]
    (axis,) = epoch.plot(t_start=1200.0, t_stop=2 * pq.s).axes  # begins before, reaches into it
    assert spans(collections(axis, PolyCollection)[0]) == [(1.0, 1.5)]


class FakeItems:
    """A PointSource of events or epochs that counts what is read."""

    def __init__(self, times, durations=None):
        self.times = np.asarray(times, dtype=np.float64)
        self.durations = durations
        self.length = len(self.times)
        self.reads = []

    def window(self, t_start, t_stop):
        first = 0 if t_start is None else int(np.searchsorted(self.times, t_start))
        last = self.length if t_stop is None else int(np.searchsorted(self.times, t_stop, "right"))
        return first, last

    def read(self, start, stop, *, waveforms=False):
        assert not waveforms
        self.reads.append((start, stop))
        part = slice(start, stop)
        labels = np.array([f"l{n}" for n in range(start, stop)])
        durations = None if self.durations is None else self.durations[part]
        return Points(times=self.times[part], durations=durations, labels=labels)


def test_lazy_points_are_read_piece_by_piece(monkeypatch):
    monkeypatch.setattr(_plotting, "PIECE_BYTES", 4 * _plotting.ITEM_BYTES)
    none = np.empty(0, dtype="U1")
    source = FakeItems(np.arange(10.0))
    lazy = Event._create(np.empty(0), none, source=source, t_start=0.0, t_stop=10.0)
    (axis,) = lazy.plot(t_start=1.5, t_stop=7.0).axes
    assert line_times(collections(axis, LineCollection)[0]) == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert source.reads == [(2, 6), (6, 8)]
    assert [text.get_text() for text in axis.texts][:2] == ["l2", "l3"]

    source = FakeItems([0.0, 4.0], np.array([3.0, 1.0]))
    lazy = Epoch._create(np.empty(0), np.empty(0), none, source=source)  # no window is known
    (axis,) = lazy.plot().axes
    np.testing.assert_allclose(axis.get_xlim(), (-0.1, 5.1))
    (axis,) = lazy.plot(t_start=2.0, t_stop=3.5).axes
    assert spans(collections(axis, PolyCollection)[0]) == [(0.0, 3.0)]

    source = FakeItems([1.0, 2.0, 3.0])
    lazy = SpikeTrain._create(np.empty(0), t_start=0.0, t_stop=5.0, source=source)
    np.testing.assert_array_equal(raster_times(lazy.plot().axes[0]), [[1.0, 2.0, 3.0]])


# --- segments -------------------------------------------------------------------------------


def whole():
    segment = Segment(name="trial")
    segment.events.append(Event([2] * pq.s, labels=["go"], name="cue"))
    segment.events.append(Event(name="none"))
    segment.epochs.append(Epoch([3000] * pq.ms, durations=2 * pq.s, name="light"))
    segment.analogsignals.append(signal(array_annotations={"channel_names": ["a", "b"]}))
    segment.irregularlysampledsignals.append(
        IrregularlySampledSignal([1, 2, 3] * pq.s, [[1], [2], [3]], units="mV", name="x")
    )
    segment.spiketrains = [SpikeTrain([7, 8] * pq.s, t_stop=41, name=name) for name in "uv"]
    segment.imagesequences.append(
        ImageSequence(np.zeros((2, 3, 4)), sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um)
    )
    return segment


def test_segment(tmp_path):
    path = tmp_path / "trial.png"
    figure = whole().plot(path=path)
    assert path.read_bytes()[:4] == b"\x89PNG"
    labels = [axis.get_ylabel() for axis in figure.axes]
    assert labels == ["", "a\n(µV)", "b\n(µV)", "x\n(mV)", "spikes\n(2 units)"]
    assert {axis.get_xlim() for axis in figure.axes} == {(0.0, 41.0)}
    lanes = figure.axes[0]
    assert [label.get_text() for label in lanes.get_yticklabels()] == ["cue", "light"]
    assert line_times(collections(lanes, LineCollection)[0]) == [2.0]
    assert spans(collections(lanes, PolyCollection)[0]) == [(3.0, 5.0)]
    for axis in figure.axes[1:]:  # drawn across all others
        assert spans(collections(axis, PolyCollection)[0]) == [(3.0, 5.0)]
    colours = [axis.lines[0].get_color() for axis in figure.axes[1:4]]
    assert colours[0] == colours[1] != colours[2]
    np.testing.assert_array_equal(raster_times(figure.axes[4]), [[7.0, 8.0]] * 2)
    assert words(figure)[0] == "trial"
    assert (
        words(figure)[-1] == "Not drawn: 1 ImageSequence. Plot parts of the segment by themselves"
    )


def test_part_of_a_segment_in_a_given_figure():
    figure = Figure()
    assert whole().plot(t_start=1.5, t_stop=3000 * pq.ms, figure=figure) is figure
    assert {axis.get_xlim() for axis in figure.axes} == {(1.5, 3.0)}
    assert figure.axes[3].lines[0].get_xdata().tolist() == [2.0, 3.0]


def test_many_children_are_bounded():
    segment = Segment()
    segment.events = [Event([1] * pq.s, name=str(n)) for n in range(8)]
    segment.analogsignals = [signal(np.zeros((5, 20))) for _ in range(3)]
    figure = segment.plot()
    assert len(figure.axes) == 1 + 32
    assert words(figure)[-1].startswith("Not drawn: 2 more Event or Epochs, 28 channels.")
    assert words(Segment().plot()) == ["Segment", "Segment: nothing"]


@pytest.mark.parametrize(
    ("obj", "options", "error", "message"),
    [
        (signal(), {"width": 0}, ValueError, "width must be 1 or more, not 0"),
        (signal(), {"t_start": 3 * pq.s, "t_stop": 2 * pq.s}, ValueError, "3 s and 2 s"),
        (signal(), {"t_start": 3 * pq.mV}, ValueError, "t_start must be in units like ms"),
        (signal(), {"channels": 5}, IndexError, "channel 5 is out of range"),
        (signal(np.ones((3, 1), "c8")), {}, ValueError, "complex samples cannot be drawn"),
        (Event([1] * pq.s), {"t_stop": 0.5}, ValueError, "nothing lies between"),
        (Segment(), {"t_start": 5}, ValueError, "nothing lies between 5 s and 1 s"),
    ],
)
def test_refusals(obj, options, error, message):
    with pytest.raises(error, match=message):
        obj.plot(**options)
