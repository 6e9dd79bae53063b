"""SpikeTrainList: a list of trains, and its multiplexed form."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import Block, Event, Group, Segment, SpikeTrain
from ephyrus.core.spiketrainlist import SpikeTrainList

TIMES = [0.5, 0.6, 0.7, 1.1, 11.2, 23.6, 88.5, 99.2]
IDS = [0, 0, 1, 2, 1, 0, 2, 0]


def multiplexed(ids=(0, 1, 2, 3), offset=0, **kwargs):
    return SpikeTrainList.from_spike_time_array(
        TIMES, np.array(IDS) + offset, ids, 100 * pq.ms, units="ms", **kwargs
    )


def train(times, **kwargs):
    return SpikeTrain(list(times), 100.0, units="ms", **kwargs)


def values(trains):
    return [item.magnitude.tolist() for item in trains]


EXPECTED = [[0.5, 0.6, 23.6, 99.2], [0.7, 11.2], [1.1, 88.5], []]


# --- multiplexed form -------------------------------------------------------------------------


def test_trains_are_made_when_touched():
    trains = multiplexed()
    assert str(trains) == "SpikeTrainList containing 8 spikes from 4 neurons"
    assert repr(trains) == "<SpikeTrainList>"
    assert len(trains) == 4
    assert trains._pending == 4
    second = trains[1]
    assert second is trains[1]
    assert trains._pending == 3
    assert second.magnitude.tolist() == [0.7, 11.2]
    assert second.units == pq.ms
    assert (second.t_start, second.t_stop) == (0 * pq.ms, 100 * pq.ms)
    assert second.annotations == {"channel_id": 1}
    assert second.sampling_rate == 1 * pq.Hz
    assert values(trains) == EXPECTED
    assert str(trains).startswith("[<SpikeTrain(array([ 0.5,  0.6, 23.6, 99.2]) * ms")


def test_multiplexed_gives_the_arrays_as_given():
    trains = multiplexed()
    for _ in range(2):
        ids, times = trains.multiplexed
        assert ids.tolist() == IDS
        assert times.magnitude.tolist() == TIMES
        assert times.units == pq.ms
        assert trains.all_channel_ids == [0, 1, 2, 3]
        assert trains.t_stop == 100 * pq.ms
        assert trains.t_start == 0 * pq.ms
        list(trains)
    ids[0] = 9
    times[0] = 9 * pq.ms
    assert trains.multiplexed[0].tolist() == IDS
    assert trains.multiplexed[1].magnitude.tolist() == TIMES


def test_surprise_22_multiplexed_follows_the_trains():
    trains = multiplexed()
    trains[0][0] = 7.0
    ids, times = trains.multiplexed
    assert ids.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert times.magnitude.tolist() == [7.0, 0.6, 23.6, 99.2, 0.7, 11.2, 1.1, 88.5]
    trains = multiplexed()
    trains.append(SpikeTrain([0.05], 0.2, units="s", channel_id=np.int64(9)))
    ids, times = trains.multiplexed
    assert ids.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 9]
    assert times.magnitude[-1] == 50.0
    assert trains.all_channel_ids == [0, 1, 2, 3, 9]
    with pytest.warns(UserWarning, match="different t_stop: this is the latest"):
        assert trains.t_stop == 200 * pq.ms
    del trains[4]
    assert trains.multiplexed[0].tolist() == IDS
    trains.reverse()
    assert trains.multiplexed[0].tolist() == [2, 2, 1, 1, 0, 0, 0, 0]
    assert trains.all_channel_ids == [3, 2, 1, 0]


def test_of_single_trains():
    trains = SpikeTrainList([train([1.0, 2.0]), train([3.0], channel_id=7), train([])])
    ids, times = trains.multiplexed
    assert ids.tolist() == [0, 0, 7]
    assert times.magnitude.tolist() == [1.0, 2.0, 3.0]
    assert trains.all_channel_ids == [0, 7, 2]
    mixed = SpikeTrainList([train([1.0], channel_id="a"), train([2.0], channel_id=True)])
    assert mixed.all_channel_ids == [0, 1]


def test_surprise_22_empty_list():
    trains = SpikeTrainList()
    ids, times = trains.multiplexed
    assert (ids.tolist(), times.magnitude.tolist()) == ([], [])
    assert trains.t_start is trains.t_stop is None
    assert trains.all_channel_ids == []
    assert str(trains) == "[]"
    none = SpikeTrainList.from_spike_time_array([], [], [], 1.0, units="s")
    assert none.multiplexed[1].magnitude.tolist() == []
    assert none.t_stop is None
    silent = SpikeTrainList.from_spike_time_array([], [], [4, 5], 1.0, units="s")
    assert values(silent) == [[], []]
    assert silent.t_stop == 1 * pq.s


def test_limits():
    trains = SpikeTrainList([train([1.0]), SpikeTrain([0.01], 0.1, units="s")])
    assert trains.t_stop == 100 * pq.ms
    trains.append(train([50.0], t_start=20.0))
    with pytest.warns(UserWarning, match="different t_start: this is the earliest") as caught:
        assert trains.t_start == 0 * pq.ms
    assert caught[0].filename == __file__


def test_annotations_are_shared_out():
    trains = multiplexed(
        site="CA1", rate=3, depth=[1, 2, 3, 4], unit=np.array(["a", "b", "c", "d"]),
        size=np.arange(4) * pq.um,
    )  # fmt: skip
    assert trains[2].annotations == {
        "site": "CA1", "rate": 3, "depth": 3, "unit": "c", "size": 2 * pq.um, "channel_id": 2,
    }  # fmt: skip
    assert type(trains[2].annotations["unit"]) is str
    with pytest.raises(ValueError, match="'depth' has 3 values for 4 channels"):
        multiplexed(depth=[1, 2, 3])
    with pytest.raises(ValueError, match="type set"):
        multiplexed(bad={1})


def test_ids_of_other_kinds():
    trains = SpikeTrainList.from_spike_time_array(
        [1.0, 2.0, 3.0], ["b", "a", "b"], np.array(["a", "b"]), 5.0 * pq.s, units="s"
    )
    assert values(trains) == [[2.0], [1.0, 3.0]]
    assert trains[1].annotations == {"channel_id": "b"}
    assert trains.multiplexed[0].tolist() == ["b", "a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channel_id_array": [0]}, "same length, not 2 and 1"),
        ({"channel_id_array": [0, 5]}, r"channels \[5\] are not in all_channel_ids"),
        ({"all_channel_ids": []}, r"channels \[0, 1\] are not in all_channel_ids"),
        ({"all_channel_ids": [0, 1, 0]}, "names a channel twice"),
        ({"units": None}, "units must be given, because spike_time_array have none"),
        ({"t_stop": 1.5}, "The last spike"),
        ({"t_start": 1.5 * pq.s}, "The first spike"),
        ({"units": "mV"}, "units of time"),
    ],
)
def test_what_is_refused(changes, message):
    arguments = {
        "spike_time_array": [1.0, 2.0], "channel_id_array": [0, 1], "all_channel_ids": [0, 1],
        "t_stop": 5.0, "units": "s",
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        SpikeTrainList.from_spike_time_array(**(arguments | changes))


def test_units_of_the_array():
    trains = SpikeTrainList.from_spike_time_array(
        [1, 2] * pq.s, [0, 0], [0], 5 * pq.s, units="ms", t_start=500 * pq.ms
    )
    assert values(trains) == [[1000.0, 2000.0]]
    assert trains.t_start == 0.5 * pq.s


# --- list interface ---------------------------------------------------------------------------


def test_only_trains_are_admitted():
    trains = SpikeTrainList()
    for add in (trains.append, lambda item: trains.extend([item]), lambda i: trains.insert(0, i)):
        with pytest.raises(ValueError, match="holds SpikeTrain objects, not Event"):
            add(Event())
    with pytest.raises(ValueError, match="not int"):
        SpikeTrainList([3])
    with pytest.raises(AttributeError, match="must be a Segment, not Block"):
        SpikeTrainList(parent=Block())


def test_parent():
    segment = Segment()
    one = train([1.0])
    trains = SpikeTrainList([one], parent=segment)
    assert one.segment is segment
    trains += multiplexed()
    assert all(item.segment is segment for item in trains)
    assert len(trains) == 5
    other = Segment()
    other.spiketrains += multiplexed()
    assert other.spiketrains._pending == 4
    assert other.spiketrains[0].segment is other
    assert other.size["spiketrains"] == 4
    third = Segment()
    third.spiketrains = multiplexed()
    assert values(third.spiketrains) == EXPECTED
    assert third.spiketrains[3].segment is third
    assert type(Group().spiketrains) is SpikeTrainList


def test_slices_are_lists_of_trains():
    trains = multiplexed()
    part = trains[1:3]
    assert type(part) is SpikeTrainList
    assert values(part) == EXPECTED[1:3]
    assert part[0] is trains[1]
    assert part.parent is None
    assert part.multiplexed[0].tolist() == [1, 1, 2, 2]
    assert type(trains[::-1]) is SpikeTrainList


def test_surprise_22_searching_works_on_the_multiplexed_form():
    trains = multiplexed()
    third = trains[2]
    assert third in trains
    assert train([1.1, 88.5]) not in trains
    assert trains.index(third) == 2
    first = train([1.0])
    trains.insert(0, first)
    assert trains[0] is first
    assert values(trains) == [[1.0], *EXPECTED]


def test_surprise_22_sums_leave_both_sides_alone():
    trains, others = multiplexed(), [train([5.0]), train([6.0])]
    right = trains + others
    assert type(right) is SpikeTrainList
    assert values(right) == [*EXPECTED, [5.0], [6.0]]
    left = others + multiplexed()
    assert type(left) is SpikeTrainList
    assert values(left) == [[5.0], [6.0], *EXPECTED]
    assert (len(trains), len(others)) == (4, 2)


def test_sums_of_multiplexed_lists_stay_multiplexed():
    one, two = multiplexed(), multiplexed(ids=(10, 11, 12, 13), offset=10)
    both = one + two
    assert str(both) == "SpikeTrainList containing 16 spikes from 8 neurons"
    assert both.multiplexed[0].tolist() == IDS + [number + 10 for number in IDS]
    assert both.all_channel_ids == [0, 1, 2, 3, 10, 11, 12, 13]
    assert values(both) == EXPECTED * 2
    assert one._pending == two._pending == 4
    in_seconds = SpikeTrainList.from_spike_time_array([0.05], [20], [20], 0.1, units="s")
    assert (one + in_seconds).multiplexed[1].magnitude[-1] == 50.0
    _ = one[0]
    touched = one + two
    assert touched[0] is one[0]
    assert values(touched) == EXPECTED * 2


def test_multiplexed_lists_that_do_not_fit():
    one = multiplexed()
    with pytest.raises(ValueError, match=r"channels \[2, 3\] are in both"):
        one + multiplexed(ids=(2, 3, 4, 5), offset=2)
    other = SpikeTrainList.from_spike_time_array([1.0], [9], [9], 50.0, units="ms")
    with pytest.raises(ValueError, match="different limits"):
        one + other
    with pytest.raises(ValueError, match="different limits"):
        one += other
    assert len(one) == 4


def test_copies_and_pickles():
    trains = multiplexed(site="CA1")
    for again in (copy.deepcopy(trains), pickle.loads(pickle.dumps(trains))):
        assert str(again) == "SpikeTrainList containing 8 spikes from 4 neurons"
        assert values(again) == EXPECTED
        assert again[0].annotations == {"site": "CA1", "channel_id": 0}
    _ = trains[0]
    for again in (copy.deepcopy(trains), copy.copy(trains), pickle.loads(pickle.dumps(trains))):
        assert values(again) == EXPECTED
        assert again.multiplexed[0].tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    segment = Segment()
    segment.spiketrains += multiplexed()
    for again in (copy.deepcopy(segment), pickle.loads(pickle.dumps(segment))):
        assert again.spiketrains._pending == 4
        assert again.spiketrains[1].segment is again
        assert again.spiketrains[1].magnitude.tolist() == [0.7, 11.2]
    trains[1][0] = 5.0
    assert copy.deepcopy(trains)[1].magnitude.tolist() == [5.0, 11.2]


def test_sharing_of_one_array_between_lists():
    one = multiplexed()
    two = copy.deepcopy(one)
    one[0][0] = 9.0
    assert two[0].magnitude.tolist() == EXPECTED[0]
