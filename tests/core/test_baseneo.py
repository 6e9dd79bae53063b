"""BaseNeo: annotations, their merging, parents, pretty form."""

import copy
import pickle
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import baseneo
from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.baseneo import (
    BaseNeo,
    check_annotations,
    copy_annotations,
    intersect_annotations,
    merge_annotation,
    merge_annotations,
    merge_text,
)
from ephyrus.errors import MergeError, NeoReadWriteError

ALLOWED = [
    1,
    1.5,
    1j,
    "text",
    b"bytes",
    None,
    True,
    datetime(2020, 1, 2, 3, 4),
    date(2020, 1, 2),
    time(3, 4),
    timedelta(seconds=5),
    Decimal("1.5"),
    Fraction(1, 3),
    np.int16(3),
    np.float32(0.5),
    np.bool_(True),
    np.str_("a"),
    np.datetime64("2020-01-01"),
    np.array([1, 2]),
    np.array(["a", "b"]),
    np.array([1.0, 2.0]) * pq.mV,
    [1, "a", [2.0, {"deep": (None, [1])}]],
    (1, 2),
    {"a": 1, "b": {"c": [1, 2]}},
]


@pytest.mark.parametrize("value", ALLOWED)
def test_allowed_annotations_are_kept(value):
    obj = BaseNeo(key=value)
    assert obj.annotations["key"] is value
    obj.annotate(other=value)
    assert list(obj.annotations) == ["key", "other"]


@pytest.mark.parametrize(
    "value",
    [{1, 2}, object(), BaseNeo(), np.array([object()]), [1, {2}], {"a": {1}}, (object(),), len],
)
def test_other_annotations_are_refused(value):
    with pytest.raises(ValueError, match="annotations cannot be"):
        BaseNeo(key=value)
    obj = BaseNeo(key=1)
    with pytest.raises(ValueError, match="annotations cannot be"):
        obj.annotate(good=2, key=value)
    assert obj.annotations == {"key": 1}


def test_names_of_annotations_must_be_str():
    with pytest.raises(TypeError, match="annotation names must be str, not int: 3"):
        BaseNeo(key={"deep": {3: 1}})
    with pytest.raises(TypeError):
        check_annotations({3: 1})
    check_annotations(3)


def test_constructor_and_attributes():
    obj = BaseNeo("name", "description", "file", a=1, b="x")
    assert (obj.name, obj.description, obj.file_origin) == ("name", "description", "file")
    assert obj.annotations == {"a": 1, "b": "x"}
    assert BaseNeo().annotations == {}
    assert BaseNeo().name is None
    assert not obj.is_view
    obj.annotate(a=2, c=3)
    assert obj.annotations == {"a": 2, "b": "x", "c": 3}
    again = pickle.loads(pickle.dumps(obj))
    assert again.__dict__ == obj.__dict__
    assert copy.deepcopy(obj).annotations == obj.annotations


def test_class_attributes():
    assert BaseNeo._recommended_attrs == (("name", str), ("description", str), ("file_origin", str))
    assert BaseNeo()._all_attrs == BaseNeo._recommended_attrs
    assert BaseNeo()._parent_containers == ()
    assert BaseNeo().parents == ()
    assert BaseNeo._repr_pretty_attrs_keys_ == ("name", "description", "annotations")
    assert baseneo.MergeError is MergeError
    assert baseneo.NeoReadWriteError is NeoReadWriteError


class Segment(BaseNeo):
    """Stands for the class of that name: parents are found by it."""


class SpecialSegment(Segment):
    pass


class Child(BaseNeo):
    _parent_objects = ("Segment", "Group")
    _parent_attrs = ("segment", "group")


def test_parents():
    child, parent = Child(), SpecialSegment()
    assert child.parents == (None, None)
    child.set_parent(parent)
    assert child.segment is parent
    assert child.parents == (parent, None)
    assert child._parent_containers == ("segment", "group")
    with pytest.raises(TypeError, match="Child cannot have a parent of type Child; allowed: Seg"):
        child.set_parent(child)
    with pytest.raises(TypeError, match="allowed: none"):
        BaseNeo().set_parent(parent)


def test_merge_annotation():
    assert merge_annotation("a", "a") == "a"
    assert merge_annotation("a", "b") == "a;b"
    assert merge_annotation([1], [2]) == [1, 2]
    assert merge_annotation({"x": "a"}, {"x": "b", "y": 1}) == {"x": "a;b", "y": 1}
    assert merge_annotation(3, 3) == 3
    np.testing.assert_array_equal(merge_annotation(np.array([1]), np.array([2])), [1, 2])
    joined = merge_annotation([1.0] * pq.mV, [2.0] * pq.V)
    np.testing.assert_array_equal(joined.magnitude, [1.0, 2000.0])
    assert joined.units == pq.mV
    with pytest.raises(ValueError, match="different values"):
        merge_annotation(3, 4)
    with pytest.raises(TypeError, match="int, float"):
        merge_annotation(3, 3.0)


def test_merge_annotations_leaves_the_first_unchanged():
    first = {"a": "x", "b": 1}
    merged = merge_annotations(first, {"a": "y", "c": 2}, {"a": "x;y", "d": None})
    assert merged == {"a": "x;y", "b": 1, "c": 2, "d": None}
    assert first == {"a": "x", "b": 1}


def test_surprise_38_conflicts_are_marked_and_both_values_logged(caplog):
    merged = merge_annotations({"a": 1, "b": 1}, {"a": 2, "b": "1"}, {"a": 2})
    assert merged == {"a": "MERGE CONFLICT", "b": "MERGE CONFLICT"}
    assert "'a' cannot be merged: 1 and 2" in caplog.text
    assert "'b' cannot be merged: 1 and '1'" in caplog.text


def test_merging_objects():
    first, second, third = BaseNeo(a="x"), BaseNeo(a="y", b=1), BaseNeo(c=2)
    annotations = first.annotations
    first.merge(second, third)
    assert first.annotations is annotations
    assert annotations == {"a": "x;y", "b": 1, "c": 2}
    assert second.annotations == {"a": "y", "b": 1}


def test_surprise_10_intersection_keeps_numbers_and_drops_different_types():
    first = {"a": 1, "b": "x", "c": [1], "d": np.array([1, 2]), "e": {"k": (1, 2)}, "f": 1, "g": 1}
    second = {
        "a": 1,
        "b": "x",
        "c": [1],
        "d": np.array([1, 2]),
        "e": {"k": (1, 2)},
        "f": 2,
        "g": 1.0,
    }
    common = intersect_annotations(first, second)
    assert list(common) == ["a", "b", "c", "d", "e"]
    assert common["a"] == 1
    assert common["c"] == [1]
    assert common["c"] is not first["c"]
    assert common["d"] is not first["d"]
    assert intersect_annotations({"q": [1] * pq.mV}, {"q": [1] * pq.V}) == {}
    assert list(intersect_annotations({"q": [1] * pq.mV}, {"q": [1] * pq.mV})) == ["q"]


def test_copies_of_annotations_are_independent():
    original = {"a": [1, {"b": np.array([1])}], "c": "text", "d": (1, [2])}
    copied = copy_annotations(original)
    original["a"][1]["b"][0] = 9
    original["a"].append(2)
    original["d"][1].append(3)
    assert copied["a"][1]["b"][0] == 1
    assert len(copied["a"]) == 2
    assert copied["d"] == (1, [2])


def test_merge_text():
    assert merge_text(["a", "a"]) == "a"
    assert merge_text([None, None]) is None
    assert merge_text(["a", None]) == "merge(a, None)"
    assert merge_text(["a", "b"], what="join", separator=";") == "join(a;b)"


class Printer:
    """Takes what IPython's printer takes."""

    def __init__(self):
        self.parts = []

    def text(self, text):
        self.parts.append(text)

    def break_(self):
        self.parts.append("\n")

    def pretty(self, value):
        self.parts.append(repr(value))


def test_pretty_form():
    printer = Printer()
    BaseNeo(name="n", a=1)._repr_pretty_(printer, False)
    assert "".join(printer.parts) == "BaseNeo\nname: 'n'\nannotations: {'a': 1}"
    printer = Printer()
    signal = AnalogSignal([1, 2], "mV", sampling_rate=1 * pq.Hz, name="n")
    signal._repr_pretty_(printer, False)
    assert "".join(printer.parts) == (
        "AnalogSignal with 1 channels of length 2; units mV; datatype int64\n"
        "sampling rate: 1.0 Hz\ntime: 0.0 s to 2.0 s\nname: 'n'"
    )
    printer = Printer()
    BaseNeo()._repr_pretty_(printer, True)
    assert "".join(printer.parts) == "BaseNeo(...)"
