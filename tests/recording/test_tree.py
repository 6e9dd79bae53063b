"""Recording -> Block tree, on the example format, by value."""

import pickle

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import AnalogSignal, Block, Epoch, Event, Segment, SpikeTrain
from ephyrus.io import ExampleIO
from ephyrus.recording.tree import TreeOptions, read_block, read_segment
from ephyrus.registry import open_recording

LISTS = ("analogsignals", "spiketrains", "events", "epochs")


@pytest.fixture
def recording():
    with open_recording("made-up.fake") as opened:
        yield opened


def values_of(obj):
    """Everything that two equal objects share."""
    facts = [obj.name, obj.annotations, obj.magnitude, str(obj.dimensionality)]
    if isinstance(obj, Event | Epoch):
        facts.append(list(obj.labels))
    if isinstance(obj, Epoch):
        facts.append(obj.durations.magnitude)
    if isinstance(obj, AnalogSignal):
        facts += [float(obj.t_start), float(obj.sampling_rate)]
    if isinstance(obj, SpikeTrain):
        facts += [float(obj.t_start), float(obj.t_stop), float(obj.left_sweep)]
    arrays = {name: np.asarray(values).tolist() for name, values in obj.array_annotations.items()}
    return [*facts, arrays]


def assert_equal(found, expected):
    assert type(found) is type(expected)
    for mine, theirs in zip(values_of(found), values_of(expected), strict=True):
        np.testing.assert_equal(mine, theirs)


def assert_trees_equal(found, expected):
    assert found.name == expected.name
    assert found.annotations == expected.annotations
    assert len(found.segments) == len(expected.segments)
    for segment, other in zip(found.segments, expected.segments, strict=True):
        assert (segment.name, segment.index) == (other.name, other.index)
        for name in LISTS:
            mine, theirs = getattr(segment, name), getattr(other, name)
            assert len(mine) == len(theirs)
            for obj, reference in zip(mine, theirs, strict=True):
                assert obj.segment is segment
                assert_equal(obj, reference)


def test_blocks_and_segments(recording):
    blocks = recording.tree()
    assert [block.name for block in blocks] == ["Block #0", "Block #1"]
    assert [len(block.segments) for block in blocks] == [2, 3]
    assert blocks[1].annotations == {"block_extra_info": "This is the block 1"}
    names = [segment.name for segment in blocks[1].segments]
    assert names == ["Seg #0 Block #1", "Seg #1 Block #1", "Seg #2 Block #1"]
    assert [float(segment.t_start) for segment in blocks[1].segments] == [0.0, 20.0, 60.0]
    assert [float(segment.t_stop) for segment in blocks[1].segments] == [10.0, 30.0, 70.0]
    assert all(segment.block is blocks[1] for segment in blocks[1].segments)


def test_signals_are_grouped_by_unit(recording):
    signals = read_segment(recording, 0, 1, TreeOptions()).analogsignals
    assert [signal.name for signal in signals] == [
        "stream 0",
        "Channels: (ch8 ch9 ch10 ch11 ch12 ch13)",
        "Channels: (ch14 ch15)",
    ]
    assert [signal.shape for signal in signals] == [(100_000, 8), (100_000, 6), (100_000, 2)]
    assert [str(signal.dimensionality) for signal in signals] == ["uV", "uV", "pA"]
    assert {float(signal.t_start.rescale("s")) for signal in signals} == {15.0}
    assert list(signals[2].array_annotations["channel_ids"]) == ["15", "16"]
    np.testing.assert_allclose(signals[2].array_annotations["impedance"], [1.6, 1.7])
    assert signals[0].annotations["stream_id"] == "0"
    assert not signals[0].magnitude.any()


def test_split_all(recording):
    options = TreeOptions(signal_group_mode="split-all")
    signals = read_segment(recording, 0, 0, options).analogsignals
    assert [signal.name for signal in signals] == [f"ch{number}" for number in range(16)]
    assert {signal.shape for signal in signals} == {(100_000, 1)}


def test_spikes_events_epochs(recording):
    segment = read_segment(recording, 1, 2, TreeOptions(load_waveforms=True))
    train = segment.spiketrains[1]
    assert train.name == "unit1"
    assert train.annotations == {"id": "#1", "quality": "Good!!"}
    np.testing.assert_allclose(train.rescale("s").magnitude, 60 + np.arange(20) * 0.05)
    assert (float(train.t_start), float(train.t_stop)) == (60.0, 70.0)
    raw = recording.read_table("#1", 80, 100, ["waveform"])["waveform"]
    np.testing.assert_allclose(train.waveforms.magnitude, raw * (1000 / 2**16), rtol=1e-6)
    assert str(train.waveforms.dimensionality) == "uV"
    assert float(train.left_sweep.rescale("s")) == 0.002
    assert float(train.sampling_rate.rescale("Hz")) == 10_000.0
    np.testing.assert_array_equal(train.array_annotations["amplitudes"], -np.arange(20.0))
    event, epoch = segment.events[0], segment.epochs[0]
    np.testing.assert_allclose(event.times.rescale("s").magnitude, 60.0 + np.arange(6))
    assert list(event.labels) == ["trigger_a", "trigger_b"] * 3
    assert list(event.array_annotations["button"]) == ["A"] * 6
    np.testing.assert_allclose(epoch.times.rescale("s").magnitude, 60.5 + np.arange(10))
    np.testing.assert_allclose(epoch.durations.rescale("s").magnitude, [0.25] * 10)
    assert list(epoch.labels) == ["zoneX"] * 5 + ["zoneZ"] * 5


def test_lazy_objects_tell_the_truth_and_load(recording):
    lazy, full = recording.tree(lazy=True)[0], recording.tree()[0]
    for segment, reference in zip(lazy.segments, full.segments, strict=True):
        for name in LISTS:
            for obj, loaded in zip(getattr(segment, name), getattr(reference, name), strict=True):
                assert obj.lazy_shape == loaded.shape
                assert obj.size == 0
                assert obj.name == loaded.name
                assert_equal(obj.load(), loaded)
        assert float(segment.t_stop) == float(reference.t_stop)


def test_cascade_false_gives_the_top_only(recording):
    block = read_block(recording, 0, TreeOptions(cascade=False))
    assert block.name == "Block #0"
    assert (len(block.segments), len(block.groups)) == (0, 0)
    segment = read_segment(recording, 0, 0, TreeOptions(cascade=False))
    assert segment.name == "Seg #0 Block #0"
    assert not segment.children


@pytest.mark.parametrize("lazy", [False, True])
def test_cascade_lazy_makes_children_when_touched(recording, monkeypatch, lazy):
    made = []
    import ephyrus.recording.tree as tree

    original = tree.load_address
    monkeypatch.setattr(
        tree, "load_address", lambda *a, **k: made.append(a[1]) or original(*a, **k)
    )
    block = read_block(recording, 0, TreeOptions(cascade="lazy", lazy=lazy))
    assert len(block.segments) == 2
    assert not made
    segment = block.segments[1]
    assert (len(segment.analogsignals), len(segment.spiketrains)) == (3, 3)
    assert not made
    signal = segment.analogsignals[0]
    assert len(made) == 1
    assert segment.analogsignals[0] is signal
    assert signal.segment is segment
    assert segment.block is block
    assert (signal.size == 0) is lazy
    assert block.groups[0].analogsignals[1] is signal
    if not lazy:
        assert_trees_equal(block, recording.tree()[0])


def test_groups_of_signals_are_the_default(recording):
    block = read_block(recording, 0, TreeOptions())
    assert len(block.groups) == 3
    for position, group in enumerate(block.groups):
        members = [segment.analogsignals[position] for segment in block.segments]
        assert all(a is b for a, b in zip(group.analogsignals, members, strict=True))
    assert block.groups[0].annotations == {"stream_id": "0"}


def test_groups_of_units(recording):
    block = read_block(recording, 1, TreeOptions(groups={"SpikeTrain": True}))
    assert [group.name for group in block.groups] == [f"SpikeTrain group {n}" for n in range(3)]
    assert block.groups[2].annotations == {"unit_name": "unit2", "unit_id": "#2"}
    trains = block.groups[2].spiketrains
    assert [train is seg.spiketrains[2] for train, seg in zip(trains, block.segments, strict=True)]
    assert len(read_block(recording, 1, TreeOptions(groups=False)).groups) == 0
    assert len(read_block(recording, 1, TreeOptions(groups=True)).groups) == 6


def test_groups_of_events_are_refused(recording):
    with pytest.raises(NotImplementedError, match="events or epochs"):
        read_block(recording, 0, TreeOptions(groups={"Event": True}))
    with pytest.raises(ValueError, match="create_group_across_segment"):
        read_block(recording, 0, TreeOptions(groups={"Spikes": True}))


@pytest.mark.parametrize(
    "window", [(16 * pq.s, 17.5 * pq.s), (16.0, 17.5), (16_000 * pq.ms, 17_500 * pq.ms)]
)
def test_time_slice(recording, window):
    segment = read_segment(recording, 0, 1, TreeOptions(time_slice=window))
    full = read_segment(recording, 0, 1, TreeOptions())
    for signal, whole in zip(segment.analogsignals, full.analogsignals, strict=True):
        assert signal.shape == (15_000, whole.shape[1])
        assert float(signal.t_start.rescale("s")) == 16.0
    np.testing.assert_allclose(segment.events[0].times.rescale("s").magnitude, [16.0, 17.0])
    assert list(segment.events[0].array_annotations["button"]) == ["A"] * 2
    np.testing.assert_allclose(segment.epochs[0].times.rescale("s").magnitude, [16.5, 17.5])
    assert len(segment.spiketrains[0]) == 0


def test_time_slice_with_open_ends(recording):
    segment = read_segment(recording, 0, 1, TreeOptions(time_slice=(None, 15.5)))
    assert segment.analogsignals[0].shape == (5_000, 8)
    assert float(segment.analogsignals[0].t_start.rescale("s")) == 15.0
    np.testing.assert_allclose(
        segment.spiketrains[0].rescale("s").magnitude, 15 + np.arange(11) * 0.05
    )


def test_time_slice_outside(recording):
    with pytest.raises(ValueError, match=r"outside segment 1 .*15.0 s to 25.0 s"):
        read_segment(recording, 0, 1, TreeOptions(time_slice=(14.0, 16.0)))
    clipped = read_segment(
        recording, 0, 1, TreeOptions(time_slice=(14.0, 16.0), strict_slicing=False)
    )
    assert clipped.analogsignals[0].shape == (10_000, 8)
    with pytest.raises(ValueError, match="after it ends"):
        read_segment(recording, 0, 1, TreeOptions(time_slice=(17.0, 16.0)))


def test_lazy_excludes_loading_options(recording):
    for options in ({"time_slice": (15, 16)}, {"load_waveforms": True}):
        with pytest.raises(ValueError, match="load\\(\\)"):
            read_segment(recording, 0, 1, TreeOptions(lazy=True, **options))


def test_unknown_mode_and_indexes(recording):
    with pytest.raises(NotImplementedError, match="split-all"):
        read_block(recording, 0, TreeOptions(signal_group_mode="all"))
    with pytest.raises(IndexError, match="2 blocks"):
        read_block(recording, 2, TreeOptions())
    with pytest.raises(IndexError, match="3 segments"):
        read_segment(recording, 1, 3, TreeOptions())
    with pytest.raises(ValueError, match="cascade"):
        read_block(recording, 0, TreeOptions(cascade="never"))


def test_pickled_lazy_objects_reopen(recording):
    block = recording.tree(lazy=True)[0]
    again = pickle.loads(pickle.dumps(block))
    found = again.segments[1].spiketrains[2]
    assert len(pickle.dumps(block)) < 200_000
    assert_equal(found.load(), recording.tree()[0].segments[1].spiketrains[2])


def test_load_lazy_object():
    io, other = ExampleIO("a.fake"), ExampleIO("a.fake")
    lazy = io.read_segment(lazy=True).analogsignals[2]
    loaded = io.load_lazy_object(lazy)
    assert loaded.segment is None
    assert loaded.shape == (100_000, 2)
    with pytest.raises(ValueError, match="another reader"):
        other.load_lazy_object(lazy)
    with pytest.raises(ValueError, match="loaded already"):
        io.load_lazy_object(loaded)


def test_types_of_tops(recording):
    assert type(read_block(recording, 0, TreeOptions())) is Block
    assert type(read_segment(recording, 0, 0, TreeOptions())) is Segment
