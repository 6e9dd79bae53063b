"""Lazy spike trains, events and epochs on a source in memory."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import Epoch, Event, Segment, SpikeTrain
from ephyrus.core.lazy import Points, PointSource
from ephyrus.core.spiketrainlist import SpikeTrainList
from ephyrus.errors import MergeError

TIMES = np.array([1.0, 2.0, 2.5, 4.0, 8.0])


class Source:
    """Items at TIMES; windows are one item wider than asked for; remembers its reads."""

    def __init__(self, labels=False, durations=False, waveforms=False):
        self.length = len(TIMES)
        self.kinds = labels, durations, waveforms
        self.reads = []

    def window(self, t_start, t_stop):
        start = 0 if t_start is None else int(np.searchsorted(TIMES, t_start)) - 1
        stop = self.length if t_stop is None else int(np.searchsorted(TIMES, t_stop)) + 2
        return start, stop

    def read(self, start, stop, *, waveforms=False):
        self.reads.append((start, stop, waveforms))
        labels, durations, has_waveforms = self.kinds
        part = np.arange(self.length)[start:stop]
        return Points(
            times=TIMES[start:stop].copy(),
            labels=np.array([f"l{k}" for k in part], dtype="U") if labels else None,
            durations=part * 0.5 if durations else None,
            waveforms=part.repeat(4).reshape(-1, 2, 2) * 1.0
            if waveforms and has_waveforms
            else None,
            array_annotations={"n": part * 10},
        )


def lazy_train(unit=pq.s, source=None, factor=1.0, **kwargs):
    return SpikeTrain._create(
        np.empty(0), unit=unit, t_start=0.0, t_stop=10.0 * factor, name="u", annotations={"id": 3},
        source=source or Source(), **kwargs,
    )  # fmt: skip


def lazy_event(unit=pq.s, factor=1.0):
    return Event._create(
        np.empty(0), np.empty(0, "U1"), unit=unit, name="e", annotations={"id": 1},
        t_start=0.0, t_stop=10.0 * factor, source=Source(labels=True),
    )  # fmt: skip


def lazy_epoch(unit=pq.s, factor=1.0):
    return Epoch._create(
        np.empty(0), np.empty(0), np.empty(0, "U1"), unit=unit, name="p",
        t_start=0.0, t_stop=10.0 * factor, source=Source(labels=True, durations=True),
    )  # fmt: skip


ALL = pytest.mark.parametrize("make", [lazy_train, lazy_event, lazy_epoch])


def values(obj):
    return obj.magnitude.tolist()


@ALL
def test_metadata_without_reading(make):
    lazy = make()
    assert isinstance(lazy._source, PointSource)
    assert (lazy.shape, lazy.lazy_shape, len(lazy)) == ((0,), (5,), 0)
    assert lazy.proxy_for is type(lazy)
    assert (lazy.t_start, lazy.t_stop) == (0 * pq.s, 10 * pq.s)
    assert lazy.units == pq.s
    assert lazy.dtype == np.float64
    assert lazy._source.reads == []
    assert "5 " in repr(lazy)
    assert "not loaded" in repr(lazy)
    assert "5 " in lazy._pretty_lines()[0]
    assert np.asarray(lazy).shape == (0,)
    assert (lazy * 2).shape == (0,)
    segment = Segment()
    segment.add(lazy)
    assert (segment.t_start, segment.t_stop) == (0 * pq.s, 10 * pq.s)
    assert lazy._source.reads == []


@ALL
def test_load(make):
    lazy = make()
    lazy.segment = Segment()
    full = lazy.load()
    assert type(full) is type(lazy)
    assert values(full) == TIMES.tolist()
    assert (full.lazy_shape, full.segment, full.name) == (None, None, lazy.name)
    assert full.annotations == lazy.annotations
    assert full.annotations is not lazy.annotations
    assert full.array_annotations["n"].tolist() == [0, 10, 20, 30, 40]
    assert not hasattr(full, "proxy_for")
    assert full.load() is full


@ALL
def test_surprise_30_windows_cut_array_annotations(make):
    lazy = make()
    for window in ((2 * pq.s, 4000 * pq.ms), (2.0, 4.0)):
        part = lazy.load(time_slice=window)
        assert values(part) == [2.0, 2.5, 4.0]
        assert part.array_annotations["n"].tolist() == [10, 20, 30]
    assert lazy._source.reads[0][:2] == (0, 5)
    assert values(lazy.load(time_slice=(None, 2))) == [1.0, 2.0]
    assert values(lazy.load(time_slice=(3, None))) == [4.0, 8.0]
    assert values(lazy.load(time_slice=(5, 6))) == []
    assert values(lazy.time_slice(2 * pq.s, 4 * pq.s)) == [2.0, 2.5, 4.0]
    assert values(lazy.time_slice(2.4, None)) == [2.5, 4.0, 8.0]
    assert values(lazy.time_slice(None, None)) == TIMES.tolist()
    assert values(lazy.time_slice(-5, 2)) == [1.0, 2.0]


@ALL
def test_windows_outside(make):
    lazy = make()
    with pytest.raises(ValueError, match=r"not within.* reaches from 0.0 s to 10.0 s"):
        lazy.load(time_slice=(-1, 3))
    with pytest.raises(ValueError, match="strict_slicing=False"):
        lazy.load(time_slice=(1, 11 * pq.s))
    assert values(lazy.load(time_slice=(-1, 2), strict_slicing=False)) == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"ends \(1.0 s\) before it begins \(2.0 s\)"):
        lazy.load(time_slice=(2, 1))
    with pytest.raises(ValueError, match="an end of time_slice must be in units like s"):
        lazy.load(time_slice=(1 * pq.mV, None))


@ALL
def test_other_units(make):
    lazy = make(unit=pq.ms, factor=1000.0)
    full = lazy.load(time_slice=(2, 4 * pq.s))
    assert values(full) == [2000.0, 2500.0, 4000.0]
    assert full.units == pq.ms
    assert values(lazy.time_slice(2000, 2500)) == [2000.0, 2500.0]
    scaled = lazy.rescale("s")
    assert (scaled.t_stop if isinstance(scaled, SpikeTrain) else 10 * pq.s) == 10 * pq.s


@ALL
def test_surprise_30_array_annotations_of_lazy_objects(make):
    lazy = make()
    assert lazy.array_annotations["n"].tolist() == [0, 10, 20, 30, 40]
    lazy.array_annotate(mine=list("abcde"))
    with pytest.raises(ValueError, match="'bad' has 2 values, but 5"):
        lazy.array_annotate(bad=[1, 2])
    part = lazy.load(time_slice=(2, 4))
    assert part.array_annotations["mine"].tolist() == ["b", "c", "d"]
    assert part.array_annotations["n"].tolist() == [10, 20, 30]
    pieces = list(lazy.chunks(300))
    joined = [value for piece in pieces for value in piece.array_annotations["mine"]]
    assert joined == list("abcde")


@ALL
def test_copies_and_pickles_carry_the_source(make):
    lazy = make()
    assert copy.deepcopy(lazy)._source is lazy._source
    assert lazy.copy().lazy_shape == (5,)
    again = pickle.loads(pickle.dumps(lazy))
    assert (again.shape, again.lazy_shape) == ((0,), (5,))
    assert values(again.load()) == TIMES.tolist()
    assert values(lazy.copy().load()) == TIMES.tolist()
    assert lazy._source.reads == [(0, 5, False)]


@ALL
def test_chunks(make):
    lazy = make()
    assert [values(piece) for piece in lazy.chunks()] == [TIMES.tolist()]
    pieces = list(lazy.chunks(16))
    assert [time for piece in pieces for time in values(piece)] == TIMES.tolist()
    assert all(type(piece) is type(lazy) for piece in pieces)
    assert all(piece.lazy_shape is None for piece in pieces)
    assert max(len(piece) for piece in pieces) <= 2
    with pytest.raises(ValueError, match="max_bytes"):
        lazy.chunks(0)


@ALL
def test_shifts_load(make):
    moved = make().time_shift(1 * pq.s)
    assert values(moved) == (TIMES + 1).tolist()
    assert moved.lazy_shape is None
    assert moved.array_annotations["n"].tolist() == [0, 10, 20, 30, 40]


@ALL
def test_parts_and_sums_are_those_of_an_empty_array(make):
    lazy = make()
    assert lazy.array_annotations["n"].size == 5
    part = lazy[0:3]
    assert (part.shape, part.lazy_shape, part.array_annotations) == ((0,), None, {})
    moved = lazy + 1 * pq.s
    assert (moved.shape, moved.lazy_shape, moved.array_annotations) == ((0,), None, {})


@ALL
def test_lazy_objects_do_not_merge(make):
    lazy = make()
    with pytest.raises(MergeError, match=r"lazy .* cannot be merged: load"):
        lazy.load().merge(lazy)
    with pytest.raises(MergeError, match="lazy"):
        lazy.merge(lazy.load())


# --- spike trains -----------------------------------------------------------------------------


def test_limits_of_loaded_trains_are_those_of_the_window():
    lazy = lazy_train()
    part = lazy.load(time_slice=(2, 4))
    assert (part.t_start, part.t_stop) == (2 * pq.s, 4 * pq.s)
    part = lazy.load(time_slice=(None, 40), strict_slicing=False)
    assert (part.t_start, part.t_stop) == (0 * pq.s, 10 * pq.s)
    part = lazy.time_slice(2 * pq.s, None)
    assert (part.t_start, part.t_stop) == (2 * pq.s, 10 * pq.s)
    with pytest.raises(ValueError, match="completely outside"):
        lazy.time_slice(20, 30)
    assert [piece.t_stop for piece in lazy.chunks(16)] == [10 * pq.s] * 3


def test_waveforms_on_request():
    shape = np.empty((0, 2, 2)) * pq.uV
    lazy = lazy_train(
        source=Source(waveforms=True), waveforms=shape, sampling_rate=1000.0, left_sweep=0.001
    )
    assert lazy.spike_duration == 2 * pq.ms
    assert (lazy.left_sweep, lazy.right_sweep) == (1 * pq.ms, 3 * pq.ms)
    assert lazy.load().waveforms is None
    full = lazy.load(time_slice=(2, 4), load_waveforms=True)
    assert full.waveforms.units == pq.uV
    assert full.waveforms.magnitude[:, 1, 1].tolist() == [1.0, 2.0, 3.0]
    pieces = list(lazy.chunks(80))
    assert [piece.waveforms.magnitude[0, 0, 0] for piece in pieces] == [0.0, 2.0, 4.0]
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    with pytest.raises(ValueError, match="the spike train 'u' has no waveforms to load"):
        lazy_train().load(load_waveforms=True)
    unknown = lazy_train(source=Source(waveforms=True)).load(load_waveforms=True)
    assert unknown.waveforms.units == pq.dimensionless


def test_magnitude_modes():
    with pytest.raises(NotImplementedError, match="no raw form"):
        lazy_train().load(magnitude_mode="raw")
    with pytest.raises(ValueError, match="magnitude_mode must be 'rescaled', not 'x'"):
        lazy_train().load(magnitude_mode="x")


def test_lists_and_segments_load_what_they_need():
    trains = SpikeTrainList([lazy_train(), SpikeTrain([9.0], 10.0, units="s")])
    ids, times = trains.multiplexed
    assert ids.tolist() == [0] * 5 + [1]
    assert times.magnitude.tolist() == [*TIMES, 9.0]
    segment = Segment()
    segment.add(lazy_train(), lazy_event(), lazy_epoch())
    part = segment.time_slice(2 * pq.s, 4 * pq.s)
    assert values(part.spiketrains[0]) == [2.0, 2.5, 4.0]
    assert part.events[0].labels.tolist() == ["l1", "l2", "l3"]
    assert part.epochs[0].durations.magnitude.tolist() == [0.5, 1.0, 1.5]
    assert segment.time_slice(2 * pq.s, 4 * pq.s, reset_time=True).t_stop == 2 * pq.s


# --- events and epochs ------------------------------------------------------------------------


def test_labels_and_durations():
    event, epoch = lazy_event(), lazy_epoch(unit=pq.ms, factor=1000.0)
    assert event.labels.tolist() == epoch.labels.tolist() == []
    assert epoch.durations.magnitude.tolist() == []
    assert event.load().labels.tolist() == ["l0", "l1", "l2", "l3", "l4"]
    full = epoch.load()
    assert full.durations.magnitude.tolist() == [0.0, 500.0, 1000.0, 1500.0, 2000.0]
    assert full.durations.units == pq.ms
    bare = Epoch._create(np.empty(0), np.empty(0), np.empty(0, "U1"), source=Source())
    assert bare.load().durations.magnitude.tolist() == [0.0] * 5
    assert bare.load().labels.tolist() == []
    with pytest.raises(AttributeError):
        _ = bare.t_start
    assert bare.load(time_slice=(-3, 2)).magnitude.tolist() == [1.0, 2.0]
    segment = Segment()
    segment.add(bare)
    assert segment.t_start is None


def test_loaded_events_have_no_limits():
    full = lazy_event().load()
    assert not hasattr(full, "t_start")
    assert full._extent() == (1 * pq.s, 8 * pq.s)


def test_surprise_28_lazy_epochs_that_reach_into_the_window():
    lazy = lazy_epoch()
    assert values(lazy.time_slice(2.8, 4.2)) == [4.0]
    assert values(lazy.time_slice(2.8, 4.2, overlap="any")) == [2.5, 4.0]
    assert values(lazy.time_slice(2.3, 4.2, overlap="inside")) == [2.5]
    cropped = lazy.time_slice(2.8, 4.2, overlap="crop")
    assert values(cropped) == [2.8, 4.0]
    np.testing.assert_allclose(cropped.durations.magnitude, [0.7, 0.2])


def test_conversions_load():
    assert values(lazy_event().to_epoch()) == TIMES[:-1].tolist()
    assert lazy_event().to_epoch(durations=1).labels.tolist() == ["l0", "l1", "l2", "l3", "l4"]
    assert values(lazy_epoch().to_event("stop")) == [1.0, 2.5, 3.5, 5.5, 10.0]
    assert lazy_epoch().to_event().array_annotations["n"].tolist() == [0, 10, 20, 30, 40]


def test_doors_of_full_objects():
    times = np.array([1.0, 2.0])
    annotations, arrays = {"k": 1}, {"a": np.array([1, 2])}
    train = SpikeTrain._create(
        times, unit="ms", t_start=0.0, t_stop=5.0, sampling_rate=100.0, left_sweep=0.5, name="n",
        description="d", file_origin="f", annotations=annotations, array_annotations=arrays,
    )  # fmt: skip
    assert np.shares_memory(train, times)
    assert train.annotations is annotations
    assert train.array_annotations["a"] is arrays["a"]
    assert (train.sampling_rate, train.left_sweep) == (100 * pq.Hz, 0.5 * pq.s)
    assert (train.name, train.description, train.file_origin) == ("n", "d", "f")
    assert train.t_stop == 5 * pq.ms
    labels = np.array(["a", "b"])
    event = Event._create(times, labels, unit=pq.ms, name="e")
    assert repr(event) == "<Event: a@1.0 ms, b@2.0 ms>"
    assert np.shares_memory(event.labels, labels)
    epoch = Epoch._create(times, np.array([3.0, 4.0]), labels, unit=pq.ms)
    assert repr(epoch) == "<Epoch: a@1.0 ms for 3.0 ms, b@2.0 ms for 4.0 ms>"
    other = Epoch._create(times, np.array([3.0, 4.0]) * pq.s, labels, unit=pq.ms)
    assert other.durations.units == pq.s
