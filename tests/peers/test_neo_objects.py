"""to_neo and from_neo: whole trees there and back, and elephant on both."""

import datetime
import pickle
import sys

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import (
    AnalogSignal,
    Block,
    ChannelView,
    CircularRegionOfInterest,
    Epoch,
    Event,
    Group,
    ImageSequence,
    IrregularlySampledSignal,
    PolygonRegionOfInterest,
    RectangularRegionOfInterest,
    Segment,
    SpikeTrain,
    objectnames,
)
from ephyrus.core.spiketrainlist import SpikeTrainList
from ephyrus.errors import MissingExtraError
from ephyrus.export.neo import from_neo, to_neo
from ephyrus.io import ExampleIO

RNG = np.random.default_rng(20)


@pytest.fixture
def neo():
    """The package neo."""
    return pytest.importorskip("neo", reason="neo is not installed (dependency group peers)")


def elephant_module(name):
    """Import a module of elephant, or skip."""
    reason = "elephant is not installed (dependency group peers)"
    return pytest.importorskip(f"elephant.{name}", reason=reason)


ANNOTATIONS = {
    "subject": "m07",
    "units": "not the units",  # names of parameters are names like any other
    "copy": 3,
    "t_start": [1, {"deep": (1.5, None, b"x")}],
    "when": datetime.datetime(2020, 2, 3, 4, 5, 6),
    "depth": np.array([1.0, 2.0]) * pq.mm,
}


def example_segment(number):
    """Return a segment with objects of every class."""
    segment = Segment(
        name=f"trial {number}",
        description="a trial",
        file_origin="file.abf",
        rec_datetime=datetime.datetime(2021, 1, 2),
        index=number,
        trial=number,
    )
    segment.analogsignals.append(
        AnalogSignal(
            RNG.normal(size=(50, 3)),
            "mV",
            sampling_rate=2.5 * pq.kHz,
            t_start=-12.5 * pq.ms,
            name="lfp",
            array_annotations={
                "channel_names": ["a", "b", "c"],
                "z": [1.0, 2, 3] * pq.um,
                "later": [],
            },
        )
    )
    segment.analogsignals[0].annotations.update(ANNOTATIONS)
    segment.analogsignals.append(
        AnalogSignal(np.arange(6, dtype=np.int16).reshape(3, 2), "pA", sampling_rate=1 * pq.Hz)
    )
    segment.irregularlysampledsignals.append(
        IrregularlySampledSignal(
            [1.0, 2.5, 7.0] * pq.ms,
            np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32),
            "degC",
            array_annotations={"probe": [3, 4]},
            name="temperature",
        )
    )
    segment.spiketrains.append(
        SpikeTrain(
            [3.0, 1.0, 5.0] * pq.s,
            t_stop=10.0 * pq.s,
            t_start=0.5 * pq.s,
            waveforms=RNG.normal(size=(3, 2, 8)) * pq.uV,
            sampling_rate=30 * pq.kHz,
            left_sweep=0.2 * pq.ms,
            name="unit 1",
            description="good",
            array_annotations={"amplitude": [1.0, 2.0, 3.0] * pq.mV, "cluster": ["x", "yy", "z"]},
            quality=0.5,
        )
    )
    segment.spiketrains.append(SpikeTrain([] * pq.ms, t_stop=1.0, sampling_rate=None))
    segment.events.append(
        Event([2.0, 1.0] * pq.ms, labels=["on", "longer"], array_annotations={"code": [7, 8]})
    )
    segment.events.append(Event([4.0] * pq.s, name="without labels"))
    segment.epochs.append(
        Epoch(
            [1.0, 2.0] * pq.s,
            durations=[20.0, 30.0] * pq.ms,
            labels=["p", "q"],
            array_annotations={"code": [1, 2]},
        )
    )
    segment.imagesequences.append(
        ImageSequence(
            np.arange(60).reshape(3, 4, 5),
            units="V",
            sampling_rate=25 * pq.Hz,
            spatial_scale=0.5 * pq.um,
            t_start=3 * pq.ms,
            name="camera",
        )
    )
    return segment


def example_block():
    """Return a block of two segments, and groups whose members are in the segments."""
    block = Block(
        name="session",
        file_datetime=datetime.datetime(2020, 1, 1),
        rec_datetime=datetime.datetime(2020, 1, 2),
        index=4,
        lab="x",
    )
    block.segments.extend([example_segment(0), example_segment(1)])
    first = block.segments[0]
    signal, images = first.analogsignals[0], first.imagesequences[0]
    view = ChannelView(signal, [0, 2], name="tetrode", array_annotations={"q": [5, 6]}, k="v")
    inner = Group(
        [
            CircularRegionOfInterest(images, 1, 1, 1, name="circle", soma=True),
            RectangularRegionOfInterest(images, x=2, y=2, width=2, height=3),
            PolygonRegionOfInterest(images, (0, 0), (0, 3), (3, 3)),
            images,
        ],
        name="regions",
    )
    outer = Group(
        [view, signal, first.spiketrains[0], block.segments[1].spiketrains[0], first, inner],
        name="electrode",
        description="all of it",
        shank=2,
    )
    limited = Group(
        [first.events[0], first.epochs[0], first.irregularlysampledsignals[0]],
        allowed_types=[Event, Epoch, IrregularlySampledSignal],
    )
    block.groups.extend([outer, limited])
    return block


def tree_of(root):
    """Describe a tree of either package by plain values; objects listed again by their number."""
    numbers = {}

    def plain(value):
        if isinstance(value, pq.Quantity):
            return value.dimensionality.string, value.magnitude.tolist(), str(value.dtype)
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return value

    def described(obj):
        kind = type(obj).__name__
        if id(obj) in numbers:
            return kind, numbers[id(obj)]
        numbers[id(obj)] = len(numbers)
        found = {"class": kind}
        for name in (
            *("name", "description", "file_origin", "annotations", "array_annotations", "index"),
            *("file_datetime", "rec_datetime", "t_start", "t_stop", "sampling_rate", "times"),
            *("waveforms", "left_sweep", "labels", "durations", "spatial_scale"),
            *("x", "y", "width", "height", "radius", "vertices"),
        ):
            if name in ("t_start", "t_stop") and kind in ("Segment", "Event", "Epoch"):
                continue
            if hasattr(obj, name):
                found[name] = plain(getattr(obj, name))
        if isinstance(obj, pq.Quantity):
            found["data"] = plain(obj.as_quantity())
        for name in ("obj", "image_sequence"):
            if hasattr(obj, name):
                found[name] = described(getattr(obj, name))
        if kind == "Group" and obj.allowed_types is not None:
            found["allowed"] = sorted(cls.__name__ for cls in obj.allowed_types)
        for name in ("segments", *_DATA_LISTS, "regionsofinterest", "groups"):
            children = getattr(obj, name, None)
            if children is not None:
                found[name] = [described(child) for child in children]
        return found

    return described(root)


_DATA_LISTS = (
    *("analogsignals", "irregularlysampledsignals", "spiketrains", "events", "epochs"),
    *("imagesequences", "channelviews"),
)


def test_neo_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(MissingExtraError, match=r"to_neo needs the package neo.*ephyrus\[neo\]"):
        to_neo(Block())


def test_objects_of_neither_package_are_refused():
    for wrong in (3, [Block()], Block(), np.zeros(3)):
        with pytest.raises(TypeError, match=r"an object of the model of neo is needed"):
            from_neo(wrong)


@pytest.mark.peers
class TestTrees:
    """Trees of objects, by value and by identity."""

    def test_there_and_back(self, neo):
        block = example_block()
        there = to_neo(block)
        assert type(there) is neo.Block
        assert tree_of(there) == tree_of(block)
        back = from_neo(there)
        assert type(back) is Block
        assert tree_of(back) == tree_of(block)
        back.check_relationships()
        assert tree_of(from_neo(to_neo(back))) == tree_of(block)

    def test_shared_objects_stay_shared(self, neo):
        there = to_neo(example_block())
        for block in (there, from_neo(there)):
            first, second = block.segments
            outer, limited = block.groups
            inner = outer.groups[0]
            assert outer.segments[0] is first
            assert outer.analogsignals[0] is first.analogsignals[0]
            assert outer.channelviews[0].obj is first.analogsignals[0]
            assert outer.spiketrains[0] is first.spiketrains[0]
            assert outer.spiketrains[1] is second.spiketrains[0]
            assert inner.imagesequences[0] is first.imagesequences[0]
            for region in inner.regionsofinterest:
                assert region.image_sequence is first.imagesequences[0]
            assert limited.events[0] is first.events[0]
            assert first.block is block
            assert outer.block is block
            assert all(signal.segment is first for signal in first.analogsignals)
            assert all(train.segment is second for train in second.spiketrains)

    def test_groups_are_limited_alike(self, neo):
        there = to_neo(example_block()).groups[1]
        assert set(there.allowed_types) == {neo.Event, neo.Epoch, neo.IrregularlySampledSignal}
        back = from_neo(there)
        assert set(back.allowed_types) == {Event, Epoch, IrregularlySampledSignal}
        with pytest.raises(TypeError, match="allowed_types"):
            back.add(SpikeTrain([1.0], 2.0, "s"))

    def test_parts_of_a_tree_leave_the_rest_behind(self, neo):
        block = example_block()
        signal = to_neo(block.segments[0].analogsignals[0])
        assert type(signal) is neo.AnalogSignal
        assert signal.segment is None
        view = to_neo(block.groups[0].channelviews[0])
        assert type(view) is neo.ChannelView
        assert view.obj.magnitude.tolist() == signal.magnitude.tolist()
        group = from_neo(to_neo(block.groups[0]))
        assert tree_of(group) == tree_of(block.groups[0])
        assert group.block is None

    def test_every_class_has_its_counterpart(self, neo):
        block = example_block()
        found = {type(child).__name__ for child in block.children_recur} | {"Block"}
        assert found == set(objectnames)
        for child in block.children_recur:
            there = to_neo(child)
            assert type(there) is getattr(neo, type(child).__name__)
            assert type(from_neo(there)) is type(child)

    def test_data_are_copied_or_shared(self, neo):
        signal = AnalogSignal(np.zeros((4, 2)), "mV", sampling_rate=1 * pq.Hz)
        train = SpikeTrain([1.0, 2.0], 5.0, "s", waveforms=np.zeros((2, 1, 3)) * pq.mV)
        for copy in (True, False):
            for obj in (signal, train):
                there = to_neo(obj, copy=copy)
                back = from_neo(there, copy=copy)
                assert np.shares_memory(there.magnitude, obj.magnitude) is not copy
                assert np.shares_memory(back.magnitude, there.magnitude) is not copy
            assert np.shares_memory(there.waveforms, train.waveforms) is not copy
        there = to_neo(train)
        there.annotations["new"] = 1
        assert train.annotations == {}

    def test_subclasses_become_the_class_of_the_model(self, neo):
        class MySignal(AnalogSignal):
            """A signal of a user."""

        class TheirSignal(neo.AnalogSignal):
            """A signal of a user of neo."""

        mine = MySignal([[1.0]], "mV", sampling_rate=1 * pq.Hz)
        theirs = TheirSignal([[1.0]], "mV", sampling_rate=1 * pq.Hz)
        assert type(to_neo(mine)) is neo.AnalogSignal
        assert type(from_neo(theirs)) is AnalogSignal

    def test_refused(self, neo):
        with pytest.raises(ValueError, match=r"Circular.* has no image sequence; neo needs one"):
            to_neo(CircularRegionOfInterest(1, 1, 1))
        with pytest.raises(TypeError, match=r"model of ephyrus is needed.*not builtins\.int"):
            to_neo(3)
        with pytest.raises(TypeError, match=r"model of ephyrus is needed.*not neo\.core\.block"):
            to_neo(neo.Block())


@pytest.mark.peers
class TestDifferences:
    """What one of the packages cannot hold."""

    def test_spike_times_of_whole_numbers(self, neo):
        train = SpikeTrain(np.array([1, 2]), units="s", t_stop=10.7, dtype=np.int64)
        there = to_neo(train)
        assert there.dtype == np.float64
        assert there.times.magnitude.tolist() == [1.0, 2.0]
        assert there.t_stop.item() == 10.7

    def test_limits_of_single_precision(self, neo):
        stop = 3600.1
        times = np.array([0.1, np.nextafter(np.float32(stop), np.float32(np.inf))], np.float32)
        train = SpikeTrain._create(times, t_start=0.1, t_stop=stop)
        there = to_neo(train)
        assert there.dtype == np.float32
        assert there.magnitude.tolist() == [np.float32(0.1), np.float32(stop)]

    def test_views_of_segments(self, neo):
        block = example_block()
        first = block.segments[0]
        first.channelviews.append(block.groups[0].channelviews[0])
        there = to_neo(block)  # the group keeps it
        assert there.groups[0].channelviews[0].index.tolist() == [0, 2]
        assert len(there.segments[0].channelviews) == 0
        first.channelviews.append(ChannelView(first.analogsignals[0], [1]))
        with pytest.warns(UserWarning, match="1 channel views are listed by segments only"):
            to_neo(block)

    def test_epochs_without_durations(self, neo):
        back = from_neo(neo.Epoch([1.0, 2.0] * pq.s))
        assert back.durations.magnitude.tolist() == [0.0, 0.0]
        assert back.times.magnitude.tolist() == [1.0, 2.0]

    def test_multiplexed_trains(self, neo):
        segment = Segment()
        segment.spiketrains = SpikeTrainList.from_spike_time_array(
            [1.0, 1.5, 2.0], [7, 3, 7], all_channel_ids=[3, 7], t_stop=5.0, units="s"
        )
        there = to_neo(segment)
        ids, times = there.spiketrains.multiplexed
        assert ids.tolist() == [3, 7, 7]
        assert times.magnitude.tolist() == [1.5, 1.0, 2.0]
        assert from_neo(there).spiketrains.all_channel_ids == [3, 7]

    def test_lazy_objects_are_loaded(self, neo, tmp_path):
        reader = ExampleIO(str(tmp_path / "x.fake"))
        lazy, full = reader.read_block(lazy=True), reader.read_block(load_waveforms=True)
        assert lazy.segments[0].analogsignals[0].lazy_shape is not None
        there = to_neo(lazy)
        assert tree_of(there) == tree_of(to_neo(full))
        np.testing.assert_array_equal(
            there.segments[0].analogsignals[0].magnitude,
            full.segments[0].analogsignals[0].magnitude,
        )

    def test_proxies_of_neo_are_loaded(self, neo, tmp_path):
        reader = neo.io.ExampleIO(str(tmp_path / "example.fake"))
        lazy = from_neo(reader.read_block(lazy=True))
        segment = lazy.segments[0]
        for kind in ("analogsignals", "spiketrains", "events", "epochs"):
            for mine, theirs in zip(
                getattr(segment, kind),
                getattr(reader.read_segment(lazy=True), kind),
                strict=True,
            ):
                options = {"load_waveforms": True} if kind == "spiketrains" else {}
                assert tree_of(mine) == tree_of(theirs.load(**options))
        assert all(view.obj in segment.analogsignals for view in lazy.groups[0].channelviews)
        assert pickle.loads(pickle.dumps(lazy)).segments[0].size == segment.size


def poisson_like(seed, rate=40.0, stop=5.0):
    """Return a train of sorted random times."""
    generator = np.random.default_rng(seed)
    times = np.sort(generator.uniform(0.0, stop, int(rate * stop)))
    return SpikeTrain(times * pq.s, t_stop=stop * pq.s)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity")  # elephant passes it
class TestElephant:
    """Functions of elephant on our objects, and on neo's where it insists on them."""

    def test_mean_firing_rate(self, neo):
        statistics = elephant_module("statistics")
        train = poisson_like(1)
        assert statistics.mean_firing_rate(train) == statistics.mean_firing_rate(to_neo(train))
        assert statistics.mean_firing_rate(train).item() == 40.0
        assert statistics.fanofactor([train, poisson_like(2)]) == 0.0
        part = statistics.mean_firing_rate(train, t_start=1 * pq.s, t_stop=3 * pq.s)
        assert part.item() == len(train.time_slice(1 * pq.s, 3 * pq.s)) / 2.0

    def test_interspike_intervals(self, neo):
        statistics = elephant_module("statistics")
        train = poisson_like(2)
        intervals = statistics.isi(train)
        assert intervals.dimensionality.string == "s"
        np.testing.assert_array_equal(intervals.magnitude, np.diff(train.magnitude))
        assert statistics.cv(intervals) == statistics.cv(statistics.isi(to_neo(train)))

    def test_binned_spike_trains(self, neo):
        conversion = elephant_module("conversion")
        # it insists on neo's class
        trains = [poisson_like(seed) for seed in (3, 4)]
        wanted = conversion.BinnedSpikeTrain(
            [to_neo(train) for train in trains], bin_size=100 * pq.ms
        ).to_array()
        edges = np.arange(0, 51) / 10
        counted = [np.histogram(train.magnitude, edges)[0] for train in trains]
        np.testing.assert_array_equal(wanted, counted)

    def test_instantaneous_rate(self, neo):
        statistics, kernels = elephant_module("statistics"), elephant_module("kernels")
        rate = statistics.instantaneous_rate(
            to_neo(poisson_like(5)), 10 * pq.ms, kernel=kernels.GaussianKernel(50 * pq.ms)
        )
        back = from_neo(rate)
        assert type(back) is AnalogSignal
        np.testing.assert_array_equal(back.magnitude, rate.magnitude)
        assert back.sampling_rate == rate.sampling_rate
        assert back.t_stop == rate.t_stop

    def test_filter_of_a_signal(self, neo):
        processing = elephant_module("signal_processing")
        signal = AnalogSignal(
            np.random.default_rng(6).normal(size=(400, 2)),
            "mV",
            sampling_rate=1 * pq.kHz,
            t_start=1 * pq.s,
        )
        filtered = from_neo(processing.butter(to_neo(signal), lowpass_frequency=50 * pq.Hz))
        assert filtered.t_start == signal.t_start
        assert filtered.sampling_rate == signal.sampling_rate
        direct = processing.butter(
            signal.magnitude, lowpass_frequency=50.0, sampling_frequency=1000.0, axis=0
        )
        np.testing.assert_array_equal(filtered.magnitude, direct)

    def test_derivative_of_a_signal(self, neo):
        processing = elephant_module("signal_processing")
        signal = AnalogSignal(
            np.random.default_rng(7).normal(size=(50, 2)),
            "mV",
            sampling_rate=1 * pq.kHz,
            t_start=1 * pq.s,
        )
        theirs = from_neo(processing.derivative(to_neo(signal))).rescale("mV/ms")
        ours = signal.derivative()
        np.testing.assert_allclose(theirs.magnitude, ours.magnitude, rtol=1e-12)
        assert theirs.t_start.rescale("s").item() == pytest.approx(ours.t_start.item(), rel=1e-15)
        assert theirs.sampling_rate == ours.sampling_rate
