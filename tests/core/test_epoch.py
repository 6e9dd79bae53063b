"""Epoch: labelled stretches of time."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import Epoch, Event, Segment
from ephyrus.errors import MergeError


def full():
    return Epoch(
        [1, 2, 4] * pq.s, durations=[500, 1000, 1500] * pq.ms, labels=["a", "b", "c"],
        name="n", description="d", array_annotations={"z": [1, 2, 3]}, k=[1],
    )  # fmt: skip


def values(epoch):
    return epoch.magnitude.tolist()


def durations(epoch):
    return epoch.durations.magnitude.tolist()


class MyEpoch(Epoch):
    """A class of a user."""


# --- making -----------------------------------------------------------------------------------


def test_making():
    epoch = full()
    assert values(epoch) == [1.0, 2.0, 4.0]
    assert durations(epoch) == [500.0, 1000.0, 1500.0]
    assert epoch.durations.units == pq.ms
    assert epoch.labels.tolist() == ["a", "b", "c"]
    assert type(epoch.times) is pq.Quantity
    assert (epoch.name, epoch.annotations) == ("n", {"k": [1]})
    assert Epoch._necessary_attrs == (
        ("times", pq.Quantity, 1), ("durations", pq.Quantity, 1),
        ("labels", np.ndarray, 1, np.dtype("U")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected", "unit"),
    [
        (3 * pq.ms, [3.0, 3.0], pq.ms),
        ([3] * pq.ms, [3.0, 3.0], pq.ms),
        (3, [3.0, 3.0], pq.s),
        ([3, 4], [3.0, 4.0], pq.s),
        (np.array([3.0, 4.0]), [3.0, 4.0], pq.s),
        ([3 * pq.s, 4 * pq.ms], [3.0, 0.004], pq.s),
    ],
)
def test_durations_given(given, expected, unit):
    epoch = Epoch([1, 2] * pq.s, given)
    np.testing.assert_allclose(durations(epoch), expected, rtol=1e-15)
    assert epoch.durations.units == unit


def test_surprise_27_missing_durations_are_zero():
    epoch = Epoch([1, 2] * pq.s)
    assert durations(epoch) == [0.0, 0.0]
    assert repr(epoch) == "<Epoch: 1.0 s for 0.0 s, 2.0 s for 0.0 s>"
    assert durations(Epoch()) == []
    assert repr(Epoch()) == "<Epoch: >"


def test_surprise_27_lists_of_durations_are_checked():
    for wrong in ([1, 2, 3], [1, 2, 3] * pq.s, [[1, 2]]):
        with pytest.raises(ValueError, match="Durations array has different length to times"):
            Epoch([1, 2] * pq.s, wrong)
    with pytest.raises(ValueError, match="durations must be in units of time, not in mV"):
        Epoch([1, 2] * pq.s, 3 * pq.mV)
    with pytest.raises(ValueError, match="durations must be real numbers"):
        Epoch([1, 2] * pq.s, ["a", "b"])
    with pytest.raises(ValueError, match="Labels array has different length"):
        Epoch([1, 2] * pq.s, 1, ["a"])
    with pytest.raises(ValueError, match="units must be given"):
        Epoch([1, 2])


def test_setting_durations_and_labels():
    epoch = full()
    epoch.durations = [1, 2, 3]
    assert epoch.durations.units == pq.s
    epoch.durations[0] = 250 * pq.ms
    assert durations(epoch) == [0.25, 2.0, 3.0]
    epoch.durations *= 2
    assert durations(epoch) == [0.5, 4.0, 6.0]
    epoch.set_durations(7 * pq.ms)
    assert epoch.get_durations().magnitude.tolist() == [7.0] * 3
    with pytest.raises(ValueError, match="2 durations, 3 times"):
        epoch.durations = [1, 2]
    epoch.labels[0] = "a longer label"
    assert epoch.labels.tolist() == ["a longer label", "b", "c"]


def test_surprise_11_durations_are_copied():
    given = np.array([1.0, 2.0])
    epoch = Epoch([1, 2] * pq.s, given)
    epoch.durations[0] = 9 * pq.s
    assert given.tolist() == [1.0, 2.0]


def test_reprs():
    assert repr(full()[:2]) == "<Epoch: a@1.0 s for 500.0 ms, b@2.0 s for 1000.0 ms>"
    assert full()._pretty_lines() == [
        "Epoch containing 3 epochs with labels; time units s; datatype float64 "
    ]


# --- indexing, shifting -----------------------------------------------------------------------


def test_indexing():
    epoch = full()
    one = epoch[1]
    assert type(one) is pq.Quantity
    assert (one, one.times, one.durations, one.labels) == (2 * pq.s, 2 * pq.s, 1 * pq.s, "b")
    part = epoch[[2, 0]]
    assert type(part) is Epoch
    assert (values(part), durations(part)) == ([4.0, 1.0], [1500.0, 500.0])
    assert part.labels.tolist() == ["c", "a"]
    assert part.array_annotations["z"].tolist() == [3, 1]
    part.sort()
    assert (values(part), durations(part)) == ([1.0, 4.0], [500.0, 1500.0])
    assert part.labels.tolist() == ["a", "c"]


def test_surprise_7_shifts_keep_durations_and_labels():
    epoch = full()
    for moved in (epoch + 1 * pq.s, epoch.time_shift(1000 * pq.ms), 1 * pq.s + epoch):
        assert type(moved) is Epoch
        assert values(moved) == [2.0, 3.0, 5.0]
        assert durations(moved) == [500.0, 1000.0, 1500.0]
        assert moved.labels.tolist() == ["a", "b", "c"]
    moved.durations[0] = 9 * pq.s
    assert durations(epoch) == [500.0, 1000.0, 1500.0]
    assert type(epoch * 2) is pq.Quantity


def test_rescale_converts_durations():
    scaled = full().rescale("us")
    assert values(scaled) == [1e6, 2e6, 4e6]
    assert durations(scaled) == [5e5, 1e6, 1.5e6]
    assert scaled.durations.units == pq.us
    same = full().rescale("s")
    assert durations(same) == [0.5, 1.0, 1.5]


# --- windows ----------------------------------------------------------------------------------


def test_time_slice_goes_by_start():
    epoch = full()
    epoch.segment = Segment()
    part = epoch.time_slice(1.2 * pq.s, 4000 * pq.ms)
    assert (values(part), durations(part)) == ([2.0, 4.0], [1000.0, 1500.0])
    assert part.labels.tolist() == ["b", "c"]
    assert part.array_annotations["z"].tolist() == [2, 3]
    assert part.segment is None
    assert values(epoch.time_slice(None, 1)) == [1.0]
    assert values(epoch.time_slice(9, 10)) == []
    part.durations[0] = 1 * pq.s
    assert durations(epoch) == [500.0, 1000.0, 1500.0]


@pytest.mark.parametrize(
    ("overlap", "window", "starts", "lengths"),
    [
        ("start", (1.2, 5.0), [2.0, 4.0], [1000.0, 1500.0]),
        ("any", (1.2, 5.0), [1.0, 2.0, 4.0], [500.0, 1000.0, 1500.0]),
        ("any", (1.5, 1.9), [1.0], [500.0]),
        ("any", (None, 2.0), [1.0, 2.0], [500.0, 1000.0]),
        ("inside", (1.0, 5.0), [1.0, 2.0], [500.0, 1000.0]),
        ("inside", (1.2, None), [2.0, 4.0], [1000.0, 1500.0]),
        ("crop", (1.25, 5.0), [1.25, 2.0, 4.0], [250.0, 1000.0, 1000.0]),
        ("crop", (2.25, 2.75), [2.25], [500.0]),
        ("crop", (6.0, 7.0), [], []),
    ],
)
def test_surprise_28_overlap(overlap, window, starts, lengths):
    part = full().time_slice(*window, overlap=overlap)
    assert values(part) == starts
    np.testing.assert_allclose(durations(part), lengths, rtol=1e-12)
    assert part.durations.units == pq.ms
    assert len(part.labels) == len(part.array_annotations["z"]) == len(starts)


def test_surprise_28_other_words_are_refused():
    with pytest.raises(ValueError, match="overlap must be 'start', 'any', 'inside' or 'crop'"):
        full().time_slice(1, 2, overlap="partly")


def test_load_in_memory():
    epoch = full()
    assert epoch.load() is epoch
    assert values(epoch.load(time_slice=(2, None))) == [2.0, 4.0]


def test_chunks():
    pieces = list(full().chunks(40))
    assert [values(piece) for piece in pieces] == [[1.0, 2.0], [4.0]]
    assert durations(pieces[1]) == [1500.0]
    assert pieces[1].labels.tolist() == ["c"]


# --- copies, merging --------------------------------------------------------------------------


def test_copies_and_pickles():
    epoch = full()
    epoch.segment = Segment()
    deep = copy.deepcopy(epoch)
    deep.durations[0] = 0 * pq.s
    epoch.copy().durations[0] = 0 * pq.s
    assert durations(epoch) == [500.0, 1000.0, 1500.0]
    assert deep.segment is None
    again = pickle.loads(pickle.dumps(full()))
    assert (values(again), durations(again)) == ([1.0, 2.0, 4.0], [500.0, 1000.0, 1500.0])
    assert again.durations.units == pq.ms
    assert again.labels.tolist() == ["a", "b", "c"]
    assert type(pickle.loads(pickle.dumps(MyEpoch([1] * pq.s)))) is MyEpoch


def test_merge():
    other = Epoch([100] * pq.ms, [2] * pq.s, ["x"], name="m", array_annotations={"z": [9]})
    merged = full().merge(other)
    assert values(merged) == [1.0, 2.0, 4.0, 0.1]
    assert durations(merged) == [500.0, 1000.0, 1500.0, 2000.0]
    assert merged.labels.tolist() == ["a", "b", "c", "x"]
    assert merged.array_annotations["z"].tolist() == [1, 2, 3, 9]
    assert (merged.name, merged.annotations) == ("merge(n, m)", {"k": [1]})
    with pytest.raises(MergeError, match="cannot be merged into Epoch"):
        full().merge(Event())


def test_duplicate_with_new_data():
    epoch = full()
    twin = epoch.duplicate_with_new_data([7, 8], 5 * pq.ms, ["x", "y"], units="ms")
    assert (values(twin), twin.units) == ([7.0, 8.0], pq.ms)
    assert durations(twin) == [5.0, 5.0]
    assert (twin.labels.tolist(), twin.name, twin.array_annotations) == (["x", "y"], "n", {})
    assert epoch.duplicate_with_new_data([7], [1], ["x"]).units == pq.s
    assert twin.annotations["k"] is not epoch.annotations["k"]
    assert Epoch([1.0] * pq.s).duplicate_with_new_data([2.0], 1, None).annotations == {}
    with pytest.raises(ValueError, match="Durations array"):
        epoch.duplicate_with_new_data([7, 8, 9], [1, 2], ["x", "y", "z"])


def test_to_event():
    epoch = Epoch([1, 2] * pq.s, [1500, 500] * pq.ms, ["a", "b"], array_annotations={"z": [1, 2]})
    start = epoch.to_event()
    assert (values(start), start.labels.tolist()) == ([1.0, 2.0], ["a", "b"])
    stop = epoch.to_event("stop")
    assert (values(stop), stop.array_annotations["edge"].tolist()) == ([2.5, 2.5], ["stop"] * 2)
    both = epoch.to_event(which="both")
    assert values(both) == [1.0, 2.0, 2.5, 2.5]
    assert both.labels.tolist() == ["a", "b", "a", "b"]
    assert both.array_annotations["edge"].tolist() == ["start", "start", "stop", "stop"]
    assert both.array_annotations["z"].tolist() == [1, 2, 1, 2]
    assert Epoch([1.0] * pq.s).to_event().labels.tolist() == []
    with pytest.raises(ValueError, match="which must be 'start', 'stop' or 'both'"):
        epoch.to_event("middle")
