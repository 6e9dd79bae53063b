"""Appending one at a time: objects are known again, whatever happened to them in between."""

import copy
import logging
import pickle

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.core import AnalogSignal, Event, Group, Segment, SpikeTrain
from ephyrus.core.objectlist import ObjectList


def train(name=None, **annotations):
    return SpikeTrain([1.0, 2.0], 5.0, units="s", name=name, **annotations)


def filled(count=3):
    segment = Segment(name="s")
    trains = [train(name=str(number)) for number in range(count)]
    for each in trains:
        segment.spiketrains.append(each)
    return segment, trains


def is_refused(items, obj):
    with pytest.raises(ValueError, match="already in the list"):
        items.append(obj)


def test_what_is_appended_is_linked_and_known():
    segment, trains = filled()
    assert segment.spiketrains == trains
    assert all(each.segment is segment for each in trains)
    assert all(each in segment.spiketrains for each in trains)
    assert train() not in segment.spiketrains
    for each in trains:
        is_refused(segment.spiketrains, each)
    assert segment.spiketrains == trains


def test_an_object_whose_link_was_cut_by_hand_is_known():
    for cut in (lambda each: setattr(each, "segment", None), lambda each: delattr(each, "segment")):
        segment, (first, *others) = filled()
        cut(first)
        is_refused(segment.spiketrains, first)
        assert segment.spiketrains == [first, *others]


def test_an_object_that_moved_is_known_by_both():
    one, trains = filled()
    two = Segment()
    two.spiketrains.append(trains[1])
    assert trains[1].segment is two
    is_refused(one.spiketrains, trains[1])
    is_refused(two.spiketrains, trains[1])
    one.spiketrains.append(train(name="new"))
    is_refused(one.spiketrains, trains[0])
    assert [each.name for each in one.spiketrains] == ["0", "1", "2", "new"]
    assert two.spiketrains == [trains[1]]


def test_an_object_that_left_may_come_back():
    segment, (a, b, c) = filled()
    assert segment.spiketrains.pop(0) is a
    segment.spiketrains.append(a)
    assert segment.spiketrains == [b, c, a]
    segment.spiketrains[0] = d = train()
    segment.spiketrains.append(b)
    assert segment.spiketrains == [d, c, a, b]
    segment.spiketrains.clear()
    for each in (a, b):
        segment.spiketrains.append(each)
    assert segment.spiketrains == [a, b]
    is_refused(segment.spiketrains, b)


def test_copies_are_other_objects():
    segment, (first, *_) = filled()
    copies = [
        first[:1], first.copy(), copy.copy(first), copy.deepcopy(first), first.time_slice(1, 2),
        pickle.loads(pickle.dumps(first.detached())), first.rescale("ms"), first.detached(),
    ]  # fmt: skip
    other = Segment()
    for each in copies:
        other.spiketrains.append(each)
    assert other.spiketrains == copies
    own = [each.copy() for each in copies]
    for each in own:
        segment.spiketrains.append(each)
        is_refused(segment.spiketrains, each)
    is_refused(segment.spiketrains, first)
    assert segment.spiketrains[3:] == own
    assert all(each.segment is segment for each in own)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copied_segments_know_their_own_objects(again):
    segment, trains = filled()
    twin = again(segment)
    for own in list(twin.spiketrains):
        is_refused(twin.spiketrains, own)
    is_refused(segment.spiketrains, trains[2])
    twin.spiketrains.append(trains[2])
    assert trains[2].segment is twin
    is_refused(segment.spiketrains, trains[2])
    shallow = copy.copy(segment)
    is_refused(shallow.spiketrains, trains[0])
    shallow.spiketrains.append(new := train())
    segment.spiketrains.append(new)
    is_refused(segment.spiketrains, new)


def test_marks_are_not_kept_in_pickles_and_deep_copies():
    segment, (first, *_) = filled()
    assert first._marker is segment.spiketrains._marker
    twins = (
        pickle.loads(pickle.dumps(segment)).spiketrains[0],
        copy.deepcopy(segment).spiketrains[0],
    )
    for each in (*twins, copy.deepcopy(first), first.detached()):
        assert "_marker" not in vars(each)
    assert b"_marker" not in pickle.dumps(segment)


def test_objects_of_derived_classes_are_known():
    class MyTrain(SpikeTrain):
        pass

    segment = Segment()
    mine = MyTrain([1.0], 5.0, units="s")
    segment.spiketrains.append(mine)
    is_refused(segment.spiketrains, mine)
    assert mine.segment is segment
    with pytest.raises(ValueError, match="holds SpikeTrain objects, not Event"):
        segment.spiketrains.append(Event())
    assert segment.spiketrains == [mine]


def test_signals_and_events_are_known():
    segment, other = Segment(), Segment()
    signal = AnalogSignal(np.zeros((2, 1)), units="mV", sampling_rate=1.0 * pq.Hz)
    event = Event([1.0], units="s")
    for each in (signal, event):
        segment.add(each)
        other.add(each)
    is_refused(segment.analogsignals, signal)
    is_refused(other.events, event)
    assert signal.segment is event.segment is other


def test_groups_list_what_segments_have():
    segment, (first, *_) = filled()
    group = Group()
    group.spiketrains.append(first)
    is_refused(group.spiketrains, first)
    is_refused(segment.spiketrains, first)
    assert first.segment is segment


def test_other_classes_or_another_parent():
    segment, (first, *_) = filled()
    other = Segment()
    segment.spiketrains.parent = other
    is_refused(segment.spiketrains, first)
    segment.spiketrains.append(new := train())
    assert new.segment is segment.spiketrains.parent is other
    events = ObjectList(Event, parent=segment)
    events.allowed_contents = (Event, SpikeTrain)
    events.append(both := train())
    assert (both.segment, events.allowed_contents) == (segment, (Event, SpikeTrain))
    events.allowed_contents = (SpikeTrain,)
    with pytest.raises(TypeError, match="holds SpikeTrain objects, not Event"):
        events.append(Event())


def test_surprise_23_moves_of_trains_are_logged(caplog):
    with caplog.at_level(logging.DEBUG, logger="ephyrus.core.objectlist"):
        one, two, each = Segment(name="one"), Segment(name="two"), train(name="t")
        one.spiketrains.append(each)
        assert caplog.text == ""
        two.spiketrains.append(each)
    assert "SpikeTrain 't' moves from <Segment 'one'" in caplog.text
    is_refused(one.spiketrains, each)


def test_all_or_none_of_several_are_taken():
    segment, trains = filled()
    new = [train(), train()]
    for wrong, message in (
        ([*new, trains[0]], "already in the list"),
        ([*new, new[0]], "the same SpikeTrain is given twice"),
        ([*new, Event()], "holds SpikeTrain objects, not Event"),
    ):
        with pytest.raises(ValueError, match=message):
            segment.spiketrains.extend(wrong)
        assert segment.spiketrains == trains
        assert new[0].segment is new[1].segment is None
    segment.spiketrains.extend(iter(new))
    assert segment.spiketrains == [*trains, *new]
    is_refused(segment.spiketrains, new[1])


ACTIONS = st.sampled_from(
    ["append", "append", "append", "pop", "extend", "insert", "set", "cut", "clear", "find", "copy"]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(ACTIONS, st.booleans(), st.integers(0, 4)), max_size=40))
def test_two_lists_are_as_plain_lists_without_doubles(steps):
    trains = [train(name=str(number)) for number in range(5)]
    lists = [Segment().spiketrains, Segment().spiketrains]
    plain = [[], []]
    for action, which, number in steps:
        ours, model, each = lists[which], plain[which], trains[number]
        known = any(each is item for item in model)
        if action in ("append", "extend", "insert", "set") and (known or not model):
            if known:
                is_refused(ours, each)
        elif action == "append":
            ours.append(each)
            model.append(each)
        elif action == "extend":
            ours.extend([each])
            model.append(each)
        elif action == "insert":
            ours.insert(0, each)
            model.insert(0, each)
        elif action == "set":
            ours[-1] = model[-1] = each
        elif action == "pop" and model:
            assert ours.pop() is model.pop()
        elif action == "cut":
            each.segment = None
        elif action == "clear":
            ours.clear()
            model.clear()
        elif action == "find":
            assert (each in ours) == known
        elif action == "copy":
            ours.append(new := each.copy())
            model.append(new)
        assert ours == model
