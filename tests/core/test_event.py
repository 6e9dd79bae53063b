"""Event: labelled points in time."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import Epoch, Event, Segment
from ephyrus.errors import MergeError


def full():
    return Event(
        [1, 2, 3, 4] * pq.s, labels=list("abcd"), name="n", description="d", file_origin="f",
        array_annotations={"z": [1, 2, 3, 4]}, k=[1],
    )  # fmt: skip


def values(event):
    return event.magnitude.tolist()


class MyEvent(Event):
    """A class of a user."""


# --- making -----------------------------------------------------------------------------------


def test_making():
    event = full()
    assert isinstance(event, pq.Quantity)
    assert values(event) == [1.0, 2.0, 3.0, 4.0]
    assert event.labels.tolist() == ["a", "b", "c", "d"]
    assert event.labels.dtype.kind == "U"
    assert (event.name, event.description, event.file_origin) == ("n", "d", "f")
    assert event.annotations == {"k": [1]}
    assert event.segment is None
    assert type(event.times) is pq.Quantity
    assert event.times.magnitude.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert Event([1, 2], ["a", "b"], "ms").units == pq.ms
    assert values(Event([1, 2] * pq.s, units="ms")) == [1000.0, 2000.0]
    assert Event(np.array([1, 2]), units="s").dtype == np.float64
    assert Event(np.array([1, 2], "f4"), units="s").dtype == np.float32


def test_empty():
    event = Event()
    assert (event.shape, event.units, event.labels.tolist()) == ((0,), pq.s, [])
    assert Event(units="ms").units == pq.ms
    assert Event([] * pq.s, labels=[]).labels.dtype.kind == "U"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0],), "units must be given"),
        (([[1.0]] * pq.s,), "one dimension"),
        (([1.0] * pq.mV,), "units of time, not in mV"),
        (([1.0] * pq.s, ["a", "b"]), "Labels array has different length to times: 2 labels, 1"),
        (([1.0, 2.0] * pq.s, "a"), "Labels array has different length"),
        (([1.0] * pq.s, [["a"]]), "Labels array"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Event(*arguments)


def test_labels_become_strings():
    two = [1.0, 2.0] * pq.s
    for labels, expected in (
        ([1, 2], ["1", "2"]),
        (np.array([b"x", "\u00b5".encode()]), ["x", "\u00b5"]),
        (np.array([b"x", b"\xff"]), ["x", "\\xff"]),
        (["a", None], ["a", ""]),
        (np.array(["a", "b"], dtype=object), ["a", "b"]),
        (("a", "b"), ["a", "b"]),
    ):
        assert Event(two, labels).labels.tolist() == expected
    assert Event([1.0] * pq.s, "one").labels.tolist() == ["one"]


def test_surprise_11_arguments_are_copied():
    times, labels = np.array([1.0, 2.0]), np.array(["a", "b"])
    event = Event(times, labels, "s")
    event[0] = 5 * pq.s
    event.labels[0] = "x"
    assert (times.tolist(), labels.tolist()) == ([1.0, 2.0], ["a", "b"])


def test_class_tables():
    assert Event._quantity_attr == "times"
    assert Event._necessary_attrs == (
        ("times", pq.Quantity, 1), ("labels", np.ndarray, 1, np.dtype("U")),
    )  # fmt: skip
    assert [name for name, _ in Event._recommended_attrs] == [
        "name", "description", "file_origin",
    ]  # fmt: skip


# --- labels -----------------------------------------------------------------------------------


def test_setting_labels():
    event = Event([1.0, 2.0] * pq.s, ["a", "b"])
    event.labels = ["long label", "c"]
    assert event.labels.tolist() == ["long label", "c"]
    event.set_labels(np.array(["p", "q"]))
    assert event.get_labels().tolist() == ["p", "q"]
    with pytest.raises(ValueError, match="different length"):
        event.labels = ["a"]
    event.labels = None
    assert event.labels.tolist() == []


def test_surprise_26_labels_widen_on_assignment():
    event = Event([1.0, 2.0, 3.0] * pq.s, ["a", "b", "c"])
    event.labels[0] = "longer"
    assert event.labels.tolist() == ["longer", "b", "c"]
    labels = event.labels
    labels[1:] = ["second", "the third one"]
    assert event.labels.tolist() == ["longer", "second", "the third one"]
    labels[0] = "x"
    assert event.labels.tolist() == ["x", "second", "the third one"]
    part = event.labels[1:]
    part[0] = "s"
    assert type(event.labels + np.array(["!"] * 3)) is not list
    assert event.labels.tolist()[0] == "x"


def test_surprise_26_repr_without_labels_shows_times():
    assert repr(Event([1.0, 2.0] * pq.s)) == "<Event: 1.0 s, 2.0 s>"
    assert repr(Event([1, 2] * pq.s, ["a", "b"])) == "<Event: a@1.0 s, b@2.0 s>"
    assert repr(Event()) == "<Event: >"
    assert full()._pretty_lines() == [
        "Event containing 4 events with labels; time units s; datatype float64 "
    ]
    assert Event()._pretty_lines()[0].startswith("Event containing 0 events; time units s")


# --- indexing ---------------------------------------------------------------------------------


def test_indexing():
    event = full()
    event.segment = segment = Segment()
    one = event[1]
    assert type(one) is pq.Quantity
    assert (one, one.times, one.labels) == (2 * pq.s, 2 * pq.s, "b")
    assert Event([1.0] * pq.s)[0].labels == ""
    for index, places in (
        (slice(1, 3), [1, 2]),
        ([3, 0], [3, 0]),
        (np.array([True, False, True, False]), [0, 2]),
    ):
        part = event[index]
        assert type(part) is Event
        assert values(part) == [place + 1.0 for place in places]
        assert part.labels.tolist() == ["abcd"[place] for place in places]
        assert part.array_annotations["z"].tolist() == [place + 1 for place in places]
        assert (part.name, part.annotations, part.segment) == ("n", {"k": [1]}, segment)
    part = event[1:]
    part.annotate(new=1)
    assert event.annotations == {"k": [1]}
    assert event[:, None].shape == (4, 1)


def test_assignment():
    event = full()
    event[0] = 500 * pq.ms
    event[1] = 0.75
    assert values(event) == [0.5, 0.75, 3.0, 4.0]
    with pytest.raises(ValueError, match="units of time, not in mV"):
        event[0] = 1 * pq.mV


def test_sort_carries_everything():
    event = full()[[2, 0, 3, 1]]
    event.sort()
    assert values(event) == [1.0, 2.0, 3.0, 4.0]
    assert event.labels.tolist() == ["a", "b", "c", "d"]
    assert event.array_annotations["z"].tolist() == [1, 2, 3, 4]


# --- windows and shifts -----------------------------------------------------------------------


def test_time_slice():
    event = full()
    event.segment = Segment()
    part = event.time_slice(2 * pq.s, 3000 * pq.ms)
    assert (values(part), part.labels.tolist()) == ([2.0, 3.0], ["b", "c"])
    assert part.array_annotations["z"].tolist() == [2, 3]
    assert (part.name, part.segment) == ("n", None)
    part[0] = 9
    part.labels[0] = "zz"
    part.annotations["k"].append(2)
    assert (values(event), event.annotations) == ([1.0, 2.0, 3.0, 4.0], {"k": [1]})
    assert event.labels.tolist() == ["a", "b", "c", "d"]
    assert values(event.time_slice(None, 2)) == [1.0, 2.0]
    assert values(event.time_slice(3.5, None)) == [4.0]
    assert values(event.time_slice(None, None)) == values(event)
    assert values(event[::-1].time_slice(2, 3)) == [3.0, 2.0]
    assert values(event[::-1].time_slice(None, 2)) == [2.0, 1.0]
    assert values(event[::-1].time_slice(3, None)) == [4.0, 3.0]


def test_time_slice_outside_is_empty():
    part = full().time_slice(10 * pq.s, 20 * pq.s)
    assert (values(part), part.labels.tolist()) == ([], [])
    assert part.array_annotations["z"].tolist() == []
    assert part.name == "n"
    with pytest.raises(ValueError, match="t_start must be in units like s"):
        full().time_slice(1 * pq.mV, None)


def test_surprise_7_shifts_keep_labels():
    event = full()
    for moved in (event + 500 * pq.ms, event.time_shift(0.5 * pq.s), 0.5 + event, event - -0.5):
        assert type(moved) is Event
        assert values(moved) == [1.5, 2.5, 3.5, 4.5]
        assert moved.labels.tolist() == ["a", "b", "c", "d"]
        assert moved.array_annotations["z"].tolist() == [1, 2, 3, 4]
        assert moved.name == "n"
    moved = event + [1.0, 1.0, 1.0, 2.0] * pq.s
    assert values(moved) == [2.0, 3.0, 4.0, 6.0]
    event += 1 * pq.s
    assert values(event) == [2.0, 3.0, 4.0, 5.0]
    assert type(event * 2) is pq.Quantity
    assert (event - full()).magnitude.tolist() == [1.0] * 4
    with pytest.raises(TypeError, match="Event cannot be added to Event"):
        event + full()
    with pytest.raises(TypeError, match="of 1 epochs cannot be subtracted from Event of 4"):
        event - Epoch([1.0] * pq.s)


def test_chunks():
    event = full()
    pieces = list(event.chunks(24))
    assert [values(piece) for piece in pieces] == [[1.0, 2.0], [3.0, 4.0]]
    assert pieces[1].labels.tolist() == ["c", "d"]
    assert np.shares_memory(pieces[0], event)
    assert [len(piece) for piece in Event().chunks()] == [0]


def test_load_in_memory():
    event = full()
    assert event.load() is event
    assert values(event.load(time_slice=(2, 3 * pq.s))) == [2.0, 3.0]
    with pytest.raises(ValueError, match=r"ends \(1.0 s\) before it begins \(2.0 s\)"):
        event.load(time_slice=(2, 1))
    with pytest.raises(AttributeError, match="t_start: only a lazy Event"):
        _ = event.t_start
    assert not hasattr(event, "t_stop")
    assert not hasattr(event, "proxy_for")


# --- copies -----------------------------------------------------------------------------------


def test_rescale_and_copies():
    event = full()
    event.segment = segment = Segment()
    scaled = event.rescale("ms")
    assert values(scaled) == [1000.0, 2000.0, 3000.0, 4000.0]
    assert scaled.labels.tolist() == ["a", "b", "c", "d"]
    assert scaled.segment is segment
    scaled.labels[0] = "zz"
    twin = event.copy()
    assert twin.segment is segment
    twin.labels[0] = "yy"
    deep = copy.deepcopy(event)
    assert deep.segment is None
    deep.labels[1] = "q"
    deep.array_annotations["z"][0] = 9
    assert event.labels.tolist() == ["a", "b", "c", "d"]
    assert event.array_annotations["z"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("protocol", [2, 5])
def test_pickle(protocol):
    again = pickle.loads(pickle.dumps(full(), protocol))
    assert type(again) is Event
    assert values(again) == [1.0, 2.0, 3.0, 4.0]
    assert again.labels.tolist() == ["a", "b", "c", "d"]
    assert again.array_annotations["z"].tolist() == [1, 2, 3, 4]
    assert (again.name, again.annotations) == ("n", {"k": [1]})
    mine = MyEvent([1.0] * pq.s, ["x"])
    assert type(pickle.loads(pickle.dumps(mine, protocol))) is MyEvent
    labels = pickle.loads(pickle.dumps(full().labels, protocol))
    labels[0] = "x"
    assert labels.tolist() == ["x", "b", "c", "d"]


def test_duplicate_with_new_data():
    event = full()
    event.segment = Segment()
    twin = event.duplicate_with_new_data([7.0] * pq.ms, ["x"])
    assert (values(twin), twin.units, twin.labels.tolist()) == ([7.0], pq.ms, ["x"])
    assert (twin.name, twin.array_annotations, twin.segment) == ("n", {}, None)
    assert twin.annotations == {"k": [1]}
    assert twin.annotations["k"] is not event.annotations["k"]
    assert event.duplicate_with_new_data([7.0], ["x"]).units == pq.s
    assert event.duplicate_with_new_data([7.0], ["x"], units="ms").units == pq.ms
    assert Event([1.0] * pq.s).duplicate_with_new_data([2.0], None).annotations == {}
    with pytest.raises(ValueError, match="different length"):
        event.duplicate_with_new_data([7.0], ["x", "y"])


# --- merging and epochs -----------------------------------------------------------------------


def test_surprise_25_merge(capsys):
    other = Event([500.0] * pq.ms, ["long"], name="m", array_annotations={"z": [9]}, k=[2])
    merged = full().merge(other)
    assert values(merged) == [1.0, 2.0, 3.0, 4.0, 0.5]
    assert merged.labels.tolist() == ["a", "b", "c", "d", "long"]
    assert merged.array_annotations["z"].tolist() == [1, 2, 3, 4, 9]
    assert (merged.name, merged.description) == ("merge(n, m)", "merge(d, None)")
    assert merged.annotations == {"k": [1, 2]}
    assert capsys.readouterr() == ("", "")


def test_merge_without_labels_and_with_other_annotations():
    with pytest.warns(UserWarning, match="left out: z") as caught:
        merged = full().merge(Event([9.0] * pq.s))
    assert caught[0].filename == __file__
    assert merged.labels.tolist() == ["a", "b", "c", "d", ""]
    assert Event([1.0] * pq.s).merge(Event([2.0] * pq.s)).labels.tolist() == []
    with pytest.raises(MergeError, match="Epoch cannot be merged into Event"):
        full().merge(Epoch())


def test_to_epoch_of_one_epoch_per_event_keeps_array_annotations():
    event = Event([1.0, 3.0] * pq.s, ["a", "b"], array_annotations={"trial": [7, 8]})
    epoch = event.to_epoch(durations=1 * pq.s)
    assert epoch.array_annotations == {"trial": np.array([7, 8])}
    epoch.array_annotate(trial=[1, 2])
    assert event.array_annotations == {"trial": np.array([7, 8])}
    assert event.to_epoch().array_annotations == {}


def test_to_epoch():
    event = full()
    epoch = event.to_epoch()
    assert type(epoch) is Epoch
    assert values(epoch) == [1.0, 2.0, 3.0]
    assert epoch.durations.magnitude.tolist() == [1.0, 1.0, 1.0]
    assert epoch.labels.tolist() == ["a-b", "b-c", "c-d"]
    epoch = event.to_epoch(pairwise=True)
    assert (values(epoch), epoch.labels.tolist()) == ([1.0, 3.0], ["a-b", "c-d"])
    assert epoch.durations.magnitude.tolist() == [1.0, 1.0]
    epoch = event.to_epoch(durations=[1, 2, 3, 4] * pq.ms)
    assert (values(epoch), epoch.labels.tolist()) == (values(event), list("abcd"))
    assert str(epoch.durations) == "[1. 2. 3. 4.] ms"
    assert event.to_epoch(durations=2).durations.magnitude.tolist() == [2.0] * 4
    assert Event([1.0, 3.0] * pq.s).to_epoch().labels.tolist() == []
    assert len(Event([1.0] * pq.s, ["a"]).to_epoch()) == len(Event().to_epoch()) == 0
    with pytest.raises(ValueError, match="even number of events, there are 3"):
        event[:3].to_epoch(pairwise=True)
    with pytest.raises(ValueError, match="Inconsistent arguments"):
        event.to_epoch(pairwise=True, durations=1 * pq.s)
