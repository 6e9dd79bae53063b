"""add_epoch and match_events."""

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.core import Block, Epoch, Event, Segment
from ephyrus.core.lazy import Points
from ephyrus.utils import add_epoch, match_events


def go(**kwargs):
    return Event([1.0, 4.0] * pq.s, labels=["a", "b"], name="go", kind="stim", **kwargs)


def test_epochs_around_events():
    segment = Segment()
    event = go(array_annotations={"trial": [1, 2]})
    epoch = add_epoch(segment, event, pre=-100 * pq.ms, post=0.5 * pq.s)
    assert type(epoch) is Epoch
    assert epoch.times.tolist() == [0.9, 3.9]
    assert epoch.durations.tolist() == [0.6, 0.6]
    assert epoch.durations.dimensionality == pq.s.dimensionality
    assert epoch.labels.tolist() == ["a", "b"]
    assert epoch.name == "epoch"
    assert epoch.annotations == {}
    assert epoch.array_annotations == {"trial": np.array([1, 2])}
    assert segment.epochs == [epoch]
    assert epoch.segment is segment
    epoch.array_annotations["trial"][0] = 9
    assert event.array_annotations["trial"].tolist() == [1, 2]


def test_epochs_between_events():
    segment = Segment()
    reward = Event([2500.0, 4500.0] * pq.ms, labels=["x", "b"])
    epoch = add_epoch(segment, go(), reward, pre=-0.5, post=250 * pq.ms, attach_result=False)
    assert epoch.times.tolist() == [0.5, 3.5]
    assert epoch.durations.tolist() == [2.25, 1.25]
    assert epoch.times.dimensionality == pq.s.dimensionality
    assert epoch.labels.tolist() == ["a-x", "b"]
    assert segment.epochs == []
    assert epoch.segment is None


def test_attributes_can_be_given():
    epoch = add_epoch(
        Segment(), go(array_annotations={"trial": [1, 2], "side": ["l", "r"]}), post=1.0,
        name="after", labels=["p", "q"], subject="m1", array_annotations={"trial": [5, 6]},
    )  # fmt: skip
    assert epoch.name == "after"
    assert epoch.labels.tolist() == ["p", "q"]
    assert epoch.annotations == {"subject": "m1"}
    assert epoch.array_annotations == {"trial": np.array([5, 6]), "side": np.array(["l", "r"])}


def test_labels_of_one_object_only():
    bare = Event([2.0, 5.0] * pq.s)
    assert add_epoch(Segment(), go(), bare).labels.tolist() == ["a", "b"]
    assert add_epoch(Segment(), bare, bare, post=1.0).labels.tolist() == []
    assert add_epoch(Segment(), Event([0.0, 1.0] * pq.s), go()).labels.tolist() == ["a", "b"]


def test_arguments_are_checked():
    segment = Segment()
    with pytest.raises(TypeError, match="added to a Segment, not to a Block"):
        add_epoch(Block(), go())
    with pytest.raises(TypeError, match="event1 must be an Event, not a Quantity"):
        add_epoch(segment, [1.0] * pq.s)
    with pytest.raises(TypeError, match="event2 must be an Event, not a Epoch"):
        add_epoch(segment, go(), Epoch())
    with pytest.raises(ValueError, match=r"same length, not 2 and 1; match_events makes pairs"):
        add_epoch(segment, go(), go()[:1])
    with pytest.raises(ValueError, match=r"duration of epoch 0 would be 0\.0 s"):
        add_epoch(segment, go())
    with pytest.raises(ValueError, match=r"duration of epoch 1 would be -1\.0 s.*be positive"):
        add_epoch(segment, go(), Event([2.0, 3.0] * pq.s))
    with pytest.raises(ValueError, match="pre"):
        add_epoch(segment, go(), pre=1 * pq.mV, post=2.0)
    assert segment.epochs == []


def test_surprise_33_defaults_are_not_shared():
    first = add_epoch(Segment(), go(), post=1.0)
    first += 1 * pq.s
    assert add_epoch(Segment(), go(), post=1.0).times.tolist() == [1.0, 4.0]


def test_empty_events_give_empty_epochs():
    epoch = add_epoch(Segment(), Event())
    assert len(epoch) == 0
    assert epoch.durations.tolist() == []


class Source:
    length = 2

    def window(self, t_start, t_stop):
        return 0, 2

    def read(self, start, stop, *, waveforms=False):
        part = slice(start, stop)
        return Points(times=np.array([1.0, 4.0])[part], labels=np.array(["a", "b"])[part])


def lazy():
    return Event._create(
        np.empty(0), np.empty(0, "U1"), name="lazy", t_start=0.0, t_stop=5.0, source=Source()
    )


def test_lazy_events_are_loaded():
    epoch = add_epoch(Segment(), lazy(), post=1.0)
    assert epoch.times.tolist() == [1.0, 4.0]
    assert epoch.labels.tolist() == ["a", "b"]
    one, two = match_events(lazy(), Event([2.0, 5.0] * pq.s))
    assert one.times.tolist() == [1.0, 4.0]
    assert two.times.tolist() == [2.0, 5.0]


def test_match_events_pairs_direct_followers():
    one = Event(
        [1.0, 2.0, 5.0, 8.0, 12.0] * pq.s, labels=list("abcde"), name="one",
        array_annotations={"n": [0, 1, 2, 3, 4]},
    )  # fmt: skip
    two = Event([500.0, 3000.0, 4000.0, 8000.0, 9000.0] * pq.ms, labels=list("vwxyz"), kind="k")
    with pytest.warns(
        UserWarning,
        match="2 of 5 events of event1 and 2 of 5 of event2 have no partner and are left out",
    ):
        first, second = match_events(one, two)
    # 1 s is followed by 2 s first; 8 s of the second is not after 8 s of the first, but after 5 s
    assert first.times.tolist() == [2.0, 5.0, 8.0]
    assert second.times.tolist() == [3000.0, 8000.0, 9000.0]
    assert first.labels.tolist() == ["b", "c", "d"]
    assert second.labels.tolist() == ["w", "y", "z"]
    assert first.array_annotations == {"n": np.array([1, 2, 3])}
    assert first.name == "one"
    assert second.annotations == {"kind": "k"}


def test_match_events_without_rest_does_not_warn():
    one, two = Event([4.0, 1.0] * pq.s), Event([2.0, 5.0] * pq.s)
    first, second = match_events(one, two)
    assert first.times.tolist() == [1.0, 4.0]
    assert second.times.tolist() == [2.0, 5.0]
    empty = match_events(Event(), Event())
    assert [len(event) for event in empty] == [0, 0]


def test_match_events_checks_its_arguments():
    with pytest.raises(TypeError, match="event2 must be an Event, not a list"):
        match_events(Event(), [1.0])


times = st.lists(st.integers(0, 12), max_size=9)


@given(times, times)
@settings(deadline=None)
@pytest.mark.filterwarnings("ignore:.*have no partner:UserWarning")
def test_match_events_law(one, two):
    """Exactly the pairs without another event between them are found."""
    pairs = {
        (a, b) for a in one for b in two if a < b and not any(a < other < b for other in one + two)
    }
    first, second = match_events(Event(one * pq.s), Event(two * pq.s))
    found = list(zip(first.times.tolist(), second.times.tolist(), strict=True))
    assert found == sorted(pairs)
