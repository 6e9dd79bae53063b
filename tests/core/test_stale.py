"""Nothing is remembered that a write somewhere else would make wrong."""

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.core import Event, IrregularlySampledSignal, Segment, SpikeTrain, _windows
from ephyrus.core.spiketrainlist import SpikeTrainList

COUNT = 40_000


def sliced(train, first=1000, last=1003):
    return train.time_slice(first, last).magnitude.tolist()


# --- time_slice -------------------------------------------------------------------------------


WRITES = {
    "magnitude": lambda train: train.magnitude.__setitem__(7, 1001.5),
    "times": lambda train: train.times.__setitem__(7, 1001.5 * pq.s),
    "item": lambda train: train.__setitem__(7, 1001.5),
    "slice": lambda train: train[5:10].__setitem__(2, 1001.5),
    "asarray": lambda train: np.asarray(train).__setitem__(7, 1001.5),
    "view": lambda train: train.view(np.ndarray).__setitem__(7, 1001.5),
    "memoryview": lambda train: memoryview(train).__setitem__(7, 1001.5),
    "flat": lambda train: train.flat.__setitem__(7, 1001.5),
    "copyto": lambda train: np.copyto(np.asarray(train)[7:8], [1001.5]),
}


@pytest.mark.parametrize("count", [2000, COUNT])
@pytest.mark.parametrize("how", WRITES)
def test_a_window_follows_what_is_written_through_views(count, how):
    train = SpikeTrain(np.arange(float(count)), count, units="s")
    assert sliced(train) == [1000.0, 1001.0, 1002.0, 1003.0]
    assert sliced(train, 0, 2) == [0.0, 1.0, 2.0]
    WRITES[how](train)
    assert sliced(train) == [1001.5, 1000.0, 1001.0, 1002.0, 1003.0]
    assert sliced(train, 5, 9) == [5.0, 6.0, 8.0, 9.0]
    train.sort()
    assert sliced(train) == [1000.0, 1001.0, 1001.5, 1002.0, 1003.0]


@pytest.mark.parametrize("copy", [None, False])
def test_a_window_follows_what_is_written_to_shared_memory(copy):
    times = np.arange(float(COUNT))
    before = times[::-1]
    train = SpikeTrain(times, COUNT, units="s", copy=copy)
    twin = SpikeTrain(times, COUNT, units="s", copy=copy)
    assert sliced(train) == sliced(twin) == [1000.0, 1001.0, 1002.0, 1003.0]
    before[0] = 1002.5  # the last one
    assert sliced(train) == [1000.0, 1001.0, 1002.0, 1003.0, 1002.5]
    twin[0] = 1000.5
    assert sliced(train) == [1000.5, 1000.0, 1001.0, 1002.0, 1003.0, 1002.5]
    times[:] = times[::-1].copy()
    assert sliced(train) == [1002.5, 1003.0, 1002.0, 1001.0, 1000.0, 1000.5]


@pytest.mark.parametrize("count", [2000, COUNT])
def test_a_window_of_an_irregular_signal_follows_its_times(count):
    times = np.arange(float(count))
    signal = IrregularlySampledSignal(times * pq.s, times * pq.mV)
    assert signal.time_slice(5, 7).magnitude[:, 0].tolist() == [5.0, 6.0, 7.0]
    signal.times[9] = 6.5 * pq.s
    part = signal.time_slice(5, 7)
    assert part.times.magnitude.tolist() == [5.0, 6.0, 7.0, 6.5]
    assert part.magnitude[:, 0].tolist() == [5.0, 6.0, 7.0, 9.0]
    part = signal.time_slice(5, None)
    assert part.magnitude[:6, 0].tolist() == [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert len(signal.time_slice(None, 4)) == 5


NUMBERS = st.one_of(st.floats(-5, 5), st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0]))
BOUNDS = st.none() | st.floats(-6, 6) | st.sampled_from([np.inf, -np.inf, 1.0])


@pytest.mark.parametrize("few", [0, 1 << 15])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_index_of_a_window_is_what_a_mask_keeps(few, dtype, monkeypatch):
    monkeypatch.setattr(_windows, "_FEW", few)
    monkeypatch.setattr(_windows, "_BLOCK", 3)

    @settings(deadline=None, max_examples=300)
    @given(st.lists(NUMBERS, max_size=12), st.booleans(), BOUNDS, BOUNDS)
    def check(times, in_order, a, b):
        if a is not None and b is not None:
            a, b = min(a, b), max(a, b)
        data = np.array(sorted(times) if in_order else times, dtype)
        kept = np.ones(len(data), bool)
        if a is not None:
            kept &= data >= np.float64(a)
        if b is not None:
            kept &= data <= np.float64(b)
        found = Event._create(data, np.zeros(len(data), "U1"))._window_index(a, b)
        expected = np.arange(len(data))[kept]
        if a is None and b is None:
            expected = np.arange(len(data))
        assert np.arange(len(data))[found].tolist() == expected.tolist()

    check()


# --- multiplexed ------------------------------------------------------------------------------

TIMES = [0.5, 0.6, 0.7, 1.1, 11.2, 23.6, 88.5, 99.2]
IDS = [0, 0, 1, 2, 1, 0, 2, 0]


def multiplexed():
    return SpikeTrainList.from_spike_time_array(
        TIMES, IDS, [0, 1, 2, 3], 100 * pq.ms, units="ms", site="CA1"
    )


def given_form(trains):
    ids, times = trains.multiplexed
    return (ids.tolist(), times.magnitude.tolist())


IN_ORDER = ([0, 0, 0, 0, 1, 1, 2, 2], [0.5, 0.6, 23.6, 99.2, 0.7, 11.2, 1.1, 88.5])


def test_what_is_not_touched_is_not_looked_at(monkeypatch):
    from ephyrus.core._multiplexed import Multiplexed

    looked = []
    agrees = Multiplexed.agrees

    def watched(self, items, places):
        looked.append(list(places))
        return agrees(self, items, places)

    monkeypatch.setattr(Multiplexed, "agrees", watched)
    trains = multiplexed()
    assert given_form(trains) == (IDS, TIMES)
    _ = trains[2], trains[0]
    assert given_form(trains) == (IDS, TIMES)
    trains.reverse()
    assert given_form(trains)[0] == [2, 2, 1, 1, 0, 0, 0, 0]
    assert looked == [[], [0, 2], [0, 1, 2, 3]]


def test_multiplexed_follows_what_is_written_through_views():
    for write in (
        lambda train: train.magnitude.__setitem__(0, 0.8),
        lambda train: np.asarray(train).__setitem__(0, 0.8),
        lambda train: memoryview(train).__setitem__(0, 0.8),
    ):
        trains = multiplexed()
        view = trains[1]
        assert given_form(trains) == (IDS, TIMES)
        write(view)
        assert given_form(trains) == (IN_ORDER[0], [*IN_ORDER[1][:4], 0.8, *IN_ORDER[1][5:]])
        view[0] = 0.7
        assert given_form(trains) == (IDS, TIMES)


def test_multiplexed_follows_annotations_and_units():
    trains = multiplexed()
    trains[1].annotations["channel_id"] = 8
    ids = [0, 0, 0, 0, 8, 8, 2, 2]
    assert given_form(trains) == (ids, IN_ORDER[1])
    assert trains.all_channel_ids == [0, 8, 2, 3]
    trains[1].annotations["channel_id"] = 1
    assert given_form(trains) == (IDS, TIMES)
    trains[1].annotate(channel_id=np.array([1, 2]))
    assert given_form(trains) == (IN_ORDER[0], IN_ORDER[1])
    trains[1].annotations = {}
    assert given_form(trains) == (IN_ORDER[0], IN_ORDER[1])
    trains = multiplexed()
    trains[0] = trains[0].rescale("s")
    assert trains.multiplexed[1].units == pq.s
    assert np.allclose(trains.multiplexed[1].magnitude, np.array(IN_ORDER[1]) / 1000)


def test_multiplexed_follows_replaced_and_moved_items():
    trains = multiplexed()
    own = trains[1]
    trains[1] = SpikeTrain([0.7, 11.3], 100.0, units="ms", channel_id=1)
    assert given_form(trains) == (IN_ORDER[0], [*IN_ORDER[1][:5], 11.3, *IN_ORDER[1][6:]])
    trains[1] = own
    assert given_form(trains) == (IDS, TIMES)
    trains[1], trains[3] = SpikeTrain([], 100.0, units="ms", channel_id=1), own
    assert given_form(trains)[0] == [0, 0, 0, 0, 2, 2, 1, 1]
    trains = multiplexed()
    trains.reverse()
    assert given_form(trains)[0] == [2, 2, 1, 1, 0, 0, 0, 0]
    trains.reverse()
    assert given_form(trains) == (IDS, TIMES)
    trains.sort(key=len)
    assert trains.all_channel_ids == [3, 1, 2, 0]
    trains = multiplexed()
    trains.insert(0, trains.pop(3))
    assert trains.all_channel_ids == [3, 0, 1, 2]
    assert given_form(trains) == IN_ORDER
    trains = multiplexed()
    first = trains.pop(0)
    trains.append(first)
    assert given_form(trains)[0] == [1, 1, 2, 2, 0, 0, 0, 0]
    trains.clear()
    assert given_form(trains) == ([], [])


def test_spikes_that_pass_from_one_train_to_the_next_are_seen():
    trains = SpikeTrainList.from_spike_time_array(
        [1.0, 2.0, 3.0], [0, 0, 1], [0, 1], 9.0, units="s"
    )
    trains[0] = SpikeTrain([1.0], 9.0, units="s", channel_id=0)
    trains[1] = SpikeTrain([2.0, 3.0], 9.0, units="s", channel_id=1)
    assert given_form(trains) == ([0, 1, 1], [1.0, 2.0, 3.0])


def test_lists_on_one_array_do_not_see_each_other():
    import copy

    one = multiplexed()
    two = copy.deepcopy(one)
    one[0].magnitude[0] = 0.4
    one.reverse()
    assert given_form(two) == (IDS, TIMES)
    two[1][0] = 0.9
    assert given_form(two)[1] == [0.5, 0.6, 23.6, 99.2, 0.9, 11.2, 1.1, 88.5]
    assert given_form(one)[1] == [1.1, 88.5, 0.7, 11.2, 0.4, 0.6, 23.6, 99.2]


def act(trains, action, at, number):
    """Do one thing to a list of trains that is not empty."""
    if action == "add":
        trains.append(SpikeTrain([3.0], 100.0, units="ms", channel_id=50 + number))
    elif action == "touch":
        assert trains[at].units == pq.ms
    elif action == "write" and len(trains[at]):
        trains[at].magnitude[-1] += 0.25
    elif action == "reverse":
        trains.reverse()
    elif action == "swap":
        last = trains.pop()
        trains.insert(at, last)
    elif action == "pop" and len(trains) > 1:
        trains.pop(at)
    elif action == "move":
        trains.append(trains.pop(at))
    elif action == "id":
        trains[at].annotations["channel_id"] = 60 + number
    elif action == "look":
        ids, times = trains.multiplexed
        found = zip(ids.tolist(), times.magnitude.tolist(), strict=True)
        assert sorted(found) == sorted(
            (train.annotations["channel_id"], time) for train in trains for time in train.magnitude
        )
        assert trains.all_channel_ids == [train.annotations["channel_id"] for train in trains]


ACTIONS = st.sampled_from(
    ["touch", "write", "reverse", "swap", "pop", "move", "id", "add", "add", "look"]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 3)), max_size=12))
def test_multiplexed_has_the_spikes_of_the_trains(steps):
    trains = multiplexed()
    for number, (action, at) in enumerate([*steps, ("look", 0)]):
        act(trains, action, min(at, len(trains) - 1), number)


# --- filter -----------------------------------------------------------------------------------


def test_filter_gives_lists_of_its_own_and_follows_annotations():
    segment = Segment()
    for number in range(3):
        segment.spiketrains.append(SpikeTrain([1.0], 5.0, units="s", unit_id=number))
    for found in (segment.filter(), segment.filter(objects=SpikeTrain), segment.filter(unit_id=1)):
        found.clear()
        assert len(segment.spiketrains) == 3
    first, second, third = segment.spiketrains
    assert segment.filter(unit_id=1) == [second]
    first.annotations["unit_id"] = 1
    third.unit_id = 1
    del second.annotations["unit_id"]
    assert segment.filter(unit_id=1) == [first, third]
    del third.unit_id
    first.annotations["unit_id"] = np.array([1, 1])
    assert segment.filter(unit_id=1) == []
