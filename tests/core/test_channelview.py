"""ChannelView: the choice of channels."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_array_equal

from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.core.view import ChannelView

VALUES = np.arange(30.0).reshape(10, 3)
SIGNAL = AnalogSignal(
    VALUES, "mV", sampling_rate=1 * pq.kHz, array_annotations={"name": ["a", "b", "c"]}
)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ([0, 2], [0, 2]),
        (np.array([2, 1]), [2, 1]),
        ((1,), [1]),
        ([True, False, True], [0, 2]),
        (np.array([False, True, False]), [1]),
        ([-1], [-1]),
        ([], []),
        (range(2), [0, 1]),
    ],
)
def test_index_is_kept_as_ints(index, expected):
    view = ChannelView(SIGNAL, index)
    assert view.index.dtype.kind == "i"
    assert view.index.tolist() == expected
    assert view.shape == (10, len(expected))
    resolved = view.resolve()
    assert type(resolved) is AnalogSignal
    assert_array_equal(resolved.magnitude, VALUES[:, expected])
    assert resolved.array_annotations == {"name": np.array(["a", "b", "c"])[expected]}


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([0.5], "ints or bools, not of dtype float64"),
        (["a"], "ints or bools"),
        ([[0, 1]], "one dimension"),
        (1, "one dimension"),
        ([True, False], "one entry per channel: 3, not 2"),
        ([3], "out of range: there are 3 channels"),
        ([-4], "out of range"),
    ],
)
def test_wrong_indexes(index, message):
    with pytest.raises(ValueError, match=message):
        ChannelView(SIGNAL, index)


def test_wrong_objects():
    for obj in (VALUES, VALUES * pq.mV, None, "signal"):
        with pytest.raises(
            ValueError, match="needs an AnalogSignal or an IrregularlySampledSignal"
        ):
            ChannelView(obj, [0])


def test_attributes():
    view = ChannelView(
        SIGNAL,
        [0, 2],
        name="n",
        description="d",
        file_origin="f",
        key=1,
        array_annotations={"tetrode": [1, 2]},
    )
    assert view.obj is SIGNAL
    assert (view.name, view.description, view.file_origin) == ("n", "d", "f")
    assert view.annotations == {"key": 1}
    assert view.array_annotations == {"tetrode": [1, 2]}
    view.array_annotate(other=["x", "y"])
    assert view.array_annotations_at_index(1)["other"] == "y"
    view.array_annotations = {"new": [3, 4]}
    assert view.array_annotations == {"new": [3, 4]}
    for change in (
        lambda: view.array_annotate(other=[1, 2, 3]),
        lambda: setattr(view, "array_annotations", {"other": [1]}),
        lambda: ChannelView(SIGNAL, [0], array_annotations={"a": [1, 2]}),
    ):
        with pytest.raises(ValueError, match="are needed"):
            change()
    assert ChannelView.is_view
    assert ChannelView._parent_objects == ("Group",)
    assert view.group is None
    assert repr(view) == "<ChannelView of AnalogSignal, channels [0, 2]>"


def test_views_of_irregular_signals_copies_and_pickles():
    signal = IrregularlySampledSignal(np.arange(10), VALUES, "mV", "s")
    view = ChannelView(signal, [1], array_annotations={"a": [1]})
    assert_array_equal(view.resolve().magnitude, VALUES[:, [1]])
    for other in (copy.deepcopy(view), pickle.loads(pickle.dumps(view))):
        assert other.index.tolist() == [1]
        assert other.array_annotations == {"a": [1]}
        assert_array_equal(other.resolve().magnitude, VALUES[:, [1]])
