"""Trees of text: names, counts, shapes, units, rates and times; nothing is loaded."""

import pickle
from datetime import datetime

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import (
    AnalogSignal,
    Block,
    ChannelView,
    Epoch,
    Event,
    Group,
    ImageSequence,
    IrregularlySampledSignal,
    RectangularRegionOfInterest,
    Segment,
    SpikeTrain,
)
from ephyrus.core._describe import annotation_text
from ephyrus.core.spiketrainlist import SpikeTrainList
from tests.core.fake_sources import FakeSignals
from tests.counting import calls_of


def trial(name="trial 0"):
    segment = Segment(name=name)
    segment.analogsignals.append(
        AnalogSignal(
            np.zeros((1000, 4), np.float32),
            units="uV",
            sampling_rate=1 * pq.kHz,
            t_start=500 * pq.ms,
            name="LFP",
            array_annotations={"channel_names": list("abcd"), "depth": np.arange(4)},
        )
    )
    segment.irregularlysampledsignals.append(
        IrregularlySampledSignal([1, 2] * pq.s, [[1], [2]], units="mV", name="heat")
    )
    segment.spiketrains.append(
        SpikeTrain([0.1, 0.2] * pq.s, t_stop=1, waveforms=np.zeros((2, 3, 32)) * pq.mV, name="u1")
    )
    segment.spiketrains.append(SpikeTrain([3] * pq.ms, t_stop=20.0))
    segment.events.append(Event([3, 1] * pq.ms, labels=["on", "off"]))
    segment.epochs.append(Epoch([1, 2] * pq.s, durations=[2.5, 0.5] * pq.s, labels=list("xx")))
    segment.imagesequences.append(
        ImageSequence(np.zeros((3, 4, 5)), sampling_rate=30 * pq.Hz, spatial_scale=2 * pq.um)
    )
    return segment


def test_whole_tree():
    block = Block(name="session 1", rec_datetime=datetime(2024, 5, 6, 7, 8, 9))
    segment = trial()
    block.segments = [segment, Segment()]
    group = Group(name="tetrode")
    block.groups.append(group)
    group.add(
        segment.analogsignals[0],
        ChannelView(segment.analogsignals[0], [0, 2]),
        RectangularRegionOfInterest(segment.imagesequences[0], 1, 2, 3, 4),
        Group(name="inner"),
    )
    holds = (
        "1 AnalogSignal, 1 IrregularlySampledSignal, 2 SpikeTrains, 1 Event, 1 Epoch, "
        "1 ImageSequence"
    )
    lfp = "AnalogSignal 'LFP': 1,000 samples × 4 channels, uV, float32, 1 kHz, 500 ms to 1500 ms"
    pixels = "3 frames of 4 × 5 pixels, dimensionless, float64, 30 Hz, 2 um per pixel"
    assert block.describe().split("\n") == [
        "Block 'session 1': 2 Segments, 1 Group, recorded 2024-05-06 07:08:09",
        f"├─ Segment 'trial 0': {holds}, 0 s to 3.5 s",
        f"│  ├─ {lfp}",
        "│  ├─ IrregularlySampledSignal 'heat': 2 samples × 1 channel, mV, int64, 1 s to 2 s",
        "│  ├─ SpikeTrain 'u1': 2 spikes, 0 s to 1 s, waveforms 3 channels × 32 samples",
        "│  ├─ SpikeTrain: 1 spike, 0 ms to 20 ms",
        "│  ├─ Event: 2 events, 1 ms to 3 ms, labels 'on', 'off'",
        "│  ├─ Epoch: 2 epochs, 1 s to 3.5 s, labels 'x'",
        f"│  └─ ImageSequence: {pixels}, 0 s to 0.1 s",
        "├─ Segment: nothing",
        "└─ Group 'tetrode': 1 AnalogSignal, 1 ChannelView, 1 region of interest, 1 Group",
        f"   ├─ {lfp}",
        "   ├─ ChannelView: channels 0, 2 of AnalogSignal 'LFP'",
        "   ├─ RectangularRegionOfInterest: x=1, y=2, width=3, height=4",
        "   └─ Group 'inner': nothing",
    ]
    assert segment.describe().split("\n")[-1] == f"└─ ImageSequence: {pixels}, 0 s to 0.1 s"
    assert group.describe().split("\n")[1] == f"├─ {lfp}"


def test_annotations_on_demand():
    segment = trial()
    segment.annotate(subject="m07", table=np.zeros((3, 4)), small=[1, 2])
    lines = segment.describe(annotations=True).split("\n")
    assert lines[1:6] == [
        "│    subject = 'm07'",
        "│    table = array of 3 × 4 float64",
        "│    small = [1, 2]",
        "├─ AnalogSignal 'LFP': 1,000 samples × 4 channels, uV, float32, 1 kHz, 500 ms to 1500 ms",
        "│       array annotations = channel_names, depth",
    ]
    short = segment.describe(annotations=True, max_items=1).split("\n")
    assert short[1:3] == ["│    subject = 'm07'", "│    … = 2 more"]
    assert "subject" not in segment.describe()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.arange(20.0) * pq.mV, "array of 20 float64 in mV"),
        (np.array([1, 2]), "[1 2]"),
        (list(range(9)), "list of 9 items"),
        ({str(n): n for n in range(10)}, "dict of 10 items"),
        ("x" * 100, "'" + "x" * 59 + "…'"),
        ("a\x1b[31m\nb", r"'a\x1b[31m\nb'"),
        (3 * pq.mV, "3.0 mV"),
        (None, "None"),
    ],
)
def test_annotation_text(value, text):
    assert annotation_text(value) == text


def test_huge_trees_are_cut():
    block = Block()
    for number in range(1000):
        segment = Segment(name=str(number))
        segment.events = [Event([1, 2] * pq.s) for _ in range(30)]
        block.segments.append(segment)
    lines = block.describe(max_items=2).split("\n")
    event = "Event: 2 events, 1 s to 2 s"
    assert lines == [
        "Block: 1,000 Segments",
        "├─ Segment '0': 30 Events, 1 s to 2 s",
        f"│  ├─ {event}",
        f"│  ├─ {event}",
        "│  └─ and 28 more Events",
        "├─ Segment '1': 30 Events, 1 s to 2 s",
        f"│  ├─ {event}",
        f"│  ├─ {event}",
        "│  └─ and 28 more Events",
        "└─ and 998 more Segments",
    ]
    lines = block.describe(max_items=20, max_lines=3).split("\n")
    assert lines == [
        "Block: 1,000 Segments",
        "└─ Segment '0': 30 Events, 1 s to 2 s",
        f"   ├─ {event}",
        "   └─ and more: raise max_lines, or describe a part",
    ]
    assert len(block.describe(max_items=1000).split("\n")) == 201
    for name in ("max_items", "max_lines"):
        with pytest.raises(ValueError, match=f"{name} must be 1 or more, not 0"):
            block.describe(**{name: 0})


def test_a_group_in_itself_ends():
    group = Group(name="loop")
    group.add(group)
    assert group.describe() == "Group 'loop': 1 Group\n└─ Group 'loop': 1 Group, see above"


def test_names_cannot_command_a_terminal():
    assert Block(name="a\x1b[2J\nb").describe() == r"Block 'a\x1b[2J\nb': nothing"
    assert Block(name="n" * 200).describe() == f"Block '{'n' * 59}…': nothing"


def test_lazy_data_stay_unread():
    source = FakeSignals(np.zeros((500, 2), np.int16))
    segment = Segment()
    segment.analogsignals.append(
        AnalogSignal._create(
            np.empty((0, 2), np.float32), "mV", sampling_rate=100.0, source=source, name="lazy"
        )
    )
    assert segment.describe(annotations=True) == (
        "Segment: 1 AnalogSignal, 0 s to 5 s\n"
        "└─ AnalogSignal 'lazy': 500 samples × 2 channels, mV, float32, 100 Hz, 0 s to 5 s, "
        "not loaded"
    )
    assert source.reads == []


class NeverLoads:
    def load_lazy_cascade(self, address, lazy):
        raise AssertionError("nothing may be loaded")


def test_deferred_items_are_counted():
    block = Block()
    block.segments.append(Segment(name="first"))
    block.segments._defer(range(1, 4), NeverLoads())
    assert block.describe().split("\n") == [
        "Block: 4 Segments",
        "├─ Segment 'first': nothing",
        "└─ 3 Segments not loaded",
    ]
    segment = Segment()
    segment.events._defer([0], NeverLoads())
    assert segment.describe() == "Segment: 1 Event\n└─ 1 Event not loaded"


def test_multiplexed_trains_stay_so():
    segment = Segment()
    segment.spiketrains += SpikeTrainList.from_spike_time_array(
        [1.0, 2.0, 3.0], [0, 1, 1], [0, 1], t_stop=5, units="ms"
    )
    assert segment.describe().split("\n") == [
        "Segment: 2 SpikeTrains, 0 ms to 5 ms",
        "└─ 2 spike trains with 3 spikes in multiplexed form, 0 to 5 ms",
    ]
    assert segment.spiketrains._untouched() is not None
    again = pickle.loads(pickle.dumps(segment))
    assert again.describe() == segment.describe()


def test_labels_and_empty_objects():
    segment = Segment()
    segment.events = [Event(), Event([1, 2, 3, 4] * pq.s, labels=["a", "b", "c", "d" * 40])]
    segment.irregularlysampledsignals.append(
        IrregularlySampledSignal([] * pq.s, np.empty((0, 2)), units="mV")
    )
    assert segment.describe().split("\n")[1:] == [
        "├─ IrregularlySampledSignal: 0 samples × 2 channels, mV, float64",
        "├─ Event: 0 events",
        "└─ Event: 4 events, 1 s to 4 s, labels 'a', 'b', 'c', …",
    ]


def test_very_many_trains_do_not_take_long():
    segment = Segment()
    trains = [SpikeTrain([1.0], t_stop=3.0, units="s") for _ in range(20_000)]
    trains[7] = SpikeTrain([1.0], t_start=-2.0, t_stop=5000.0, units="ms")
    segment.spiketrains = trains
    text, calls = calls_of(lambda: segment.describe(max_items=1))
    assert calls < 20 * 20_000  # some for each, and no object for each
    assert text.split("\n") == [
        "Segment: 20,000 SpikeTrains, -2 ms to 5000 ms",
        "├─ SpikeTrain: 1 spike, 0 s to 3 s",
        "└─ and 19,999 more SpikeTrains",
    ]
