"""get_events and get_epochs."""

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import Block, Epoch, Event, Group, Segment
from ephyrus.core.filters import Between, Equals, GreaterThan
from ephyrus.core.lazy import Points
from ephyrus.utils import get_epochs, get_events


class Source:
    """Three events or epochs; counts what is read."""

    length = 3

    def __init__(self):
        self.reads = []

    def window(self, t_start, t_stop):
        return 0, 3

    def read(self, start, stop, *, waveforms=False):
        self.reads.append((start, stop))
        part = slice(start, stop)
        return Points(
            times=np.array([1.0, 2.0, 3.0])[part],
            durations=np.array([0.5, 0.25, 0.125])[part],
            labels=np.array(["a", "b", "c"])[part],
            array_annotations={"trial": np.array([7, 8, 9])[part]},
        )


def go(name="go", **kwargs):
    return Event(
        [1.0, 2.0, 3.0, 4.0] * pq.s, labels=["a", "b", "a", "c"], name=name,
        array_annotations={"trial": [1, 2, 3, 4], "side": ["l", "r", "r", "l"]}, **kwargs,
    )  # fmt: skip


@pytest.fixture
def segment():
    segment = Segment()
    segment.events.extend([go(kind="stim", size=3), Event([5.0] * pq.s, name="end", kind="stop")])
    segment.epochs.append(
        Epoch(
            [0.0, 10.0] * pq.s, durations=[1.0, 2.0] * pq.s, labels=["rest", "run"], name="states",
            array_annotations={"speed": [0.0, 4.5] * pq.m / pq.s},
        )
    )  # fmt: skip
    return segment


def test_without_properties_all_are_found(segment):
    found = get_events(segment)
    assert len(found) == 2
    assert found[0] is segment.events[0]
    assert found[1] is segment.events[1]
    assert [epoch is segment.epochs[0] for epoch in get_epochs(segment)] == [True]
    assert get_events(Segment()) == []


def test_attributes_and_annotations(segment):
    first, second = segment.events
    assert [event is first for event in get_events(segment, name="go")] == [True]
    assert [event is second for event in get_events(segment, kind="stop")] == [True]
    assert len(get_events(segment, kind=["stim", "stop"])) == 2
    assert len(get_events(segment, kind=GreaterThan("stim"))) == 1
    assert get_events(segment, kind="stim", name="end") == []
    assert get_events(segment, unknown=1) == []
    assert len(get_events(segment, segment=segment)) == 2


def test_array_annotations_cut(segment):
    (found,) = get_events(segment, trial=3)
    assert found.times.tolist() == [3.0]
    assert found.labels.tolist() == ["a"]
    assert found.array_annotations == {"trial": np.array([3]), "side": np.array(["r"])}
    assert found.annotations == {"kind": "stim", "size": 3}
    assert found.name == "go"
    assert found.segment is segment
    for wanted in ([1, 4], (1, 4), {1, 4}, np.array([4, 1])):
        (found,) = get_events(segment, trial=wanted)
        assert found.times.tolist() == [1.0, 4.0]
    (found,) = get_events(segment, trial=[1, 2, 3], side="r", name="go")
    assert found.times.tolist() == [2.0, 3.0]
    (found,) = get_events(segment, trial=Between(2, 4, "left"))
    assert found.times.tolist() == [2.0, 3.0]
    assert get_events(segment, trial=9) == []
    assert get_events(segment, trial=1, side="r") == []
    (found,) = get_events(segment, trial=[1, 2, 3, 4])
    assert found is segment.events[0]


def test_labels_and_times_are_compared_one_by_one(segment):
    (found,) = get_events(segment, labels="a")
    assert found.times.tolist() == [1.0, 3.0]
    (found,) = get_events(segment, labels=["b", "c"], times=GreaterThan(2.5 * pq.s))
    assert found.times.tolist() == [4.0]
    (found,) = get_events(segment, times=[4000.0, 5000.0] * pq.ms, name="go")
    assert found.labels.tolist() == ["c"]
    assert get_events(segment, labels="a", name="end") == []


def test_an_annotation_matches_the_whole_even_if_an_array_annotation_has_its_name():
    segment = Segment()
    segment.events.append(go(trial=5))
    assert len(get_events(segment, trial=5)[0]) == 4
    assert get_events(segment, trial=2)[0].times.tolist() == [2.0]


def test_array_annotations_that_are_not_filled_match_nothing():
    segment = Segment()
    segment.events.append(Event([1.0] * pq.s, array_annotations={"later": []}))
    assert get_events(segment, later=1) == []


def test_epochs(segment):
    (found,) = get_epochs(segment, speed=GreaterThan(1 * pq.m / pq.s))
    assert found.times.tolist() == [10.0]
    assert found.durations.tolist() == [2.0]
    assert found.labels.tolist() == ["run"]
    (found,) = get_epochs(segment, durations=Equals(1000 * pq.ms))
    assert found.labels.tolist() == ["rest"]
    assert get_epochs(segment, labels="sleep") == []


def test_blocks(segment):
    block = Block()
    block.segments.extend([segment, Segment()])
    block.segments[1].events.append(go(kind="other"))
    block.groups.append(Group([segment.events[0]]))
    assert [event.annotations["kind"] for event in get_events(block, name="go")] == [
        "stim", "other",
    ]  # fmt: skip
    assert [event.times.tolist() for event in get_events(block, trial=2)] == [[2.0], [2.0]]
    for wrong in (Group(), [segment], None):
        with pytest.raises(TypeError, match="looked for in a Segment or a Block"):
            get_events(wrong)
        with pytest.raises(TypeError, match="looked for in a Segment or a Block"):
            get_epochs(wrong)


def test_lazy_ones_are_loaded():
    segment = Segment()
    sources = Source(), Source()
    segment.events.append(
        Event._create(
            np.empty(0), np.empty(0, "U1"), name="lazy", t_start=0.0, t_stop=4.0, source=sources[0]
        )
    )
    segment.epochs.append(
        Epoch._create(
            np.empty(0), np.empty(0), np.empty(0, "U1"), name="states", t_start=0.0, t_stop=4.0,
            source=sources[1],
        )
    )  # fmt: skip
    assert get_events(segment, name="other", description="x") == []
    (event,) = get_events(segment, name="lazy")
    assert event.lazy_shape is None
    assert event.times.tolist() == [1.0, 2.0, 3.0]
    assert event.segment is segment
    (event,) = get_events(segment, trial=[7, 9])
    assert event.labels.tolist() == ["a", "c"]
    assert event.array_annotations == {"trial": np.array([7, 9])}
    (epoch,) = get_epochs(segment, labels="b")
    assert epoch.times.tolist() == [2.0]
    assert epoch.durations.tolist() == [0.25]
    assert epoch.array_annotations["trial"].tolist() == [8]
    assert segment.events[0].lazy_shape == (3,)
