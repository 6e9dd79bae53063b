"""Annotations as sections, properties and values, within bounds."""

from __future__ import annotations

from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import quantities as pq

from ephyrus.service.inplace import annotations as module
from ephyrus.service.inplace.annotations import Metadata, tags_of


def said(annotations: dict[str, Any]) -> dict[str, tuple[list[str], str]]:
    """Name to values and unit of each property that annotations become."""
    rows = list(Metadata().section("s", "name", annotations, odml_type="recording"))
    assert rows[0].attributes == {"name": "name", "odml_type": "recording"}
    found: dict[str, tuple[list[str], str]] = {}
    properties = {row.key: row for row in rows if row.type == "property"}
    for row in rows:
        if row.type == "value":
            above = properties[row.parents["parent_property"]].attributes
            texts, _ = found.setdefault(above["name"], ([], above.get("unit", "")))
            texts.append(row.attributes["data"])
    return found


@pytest.mark.parametrize(
    ("value", "texts", "unit"),
    [
        ("text", ["text"], ""),
        (5, ["5"], ""),
        (0.1, ["0.1"], ""),
        (True, ["True"], ""),
        (np.float64(0.25), ["0.25"], ""),
        (np.int16(-3), ["-3"], ""),
        (Fraction(1, 4), ["0.25"], ""),
        (b"caf\xe9", ["café"], ""),
        (["a", "b"], ["a", "b"], ""),
        (np.array([[1, 2], [3, 4]]), ["1", "2", "3", "4"], ""),
        (datetime(2024, 2, 29, 12, 30), ["2024-02-29T12:30:00"], ""),
        (date(2024, 2, 29), ["2024-02-29"], ""),
        (time(12, 30), ["12:30:00"], ""),
        (3 * pq.mV, ["3.0"], "mV"),
        ({"magnitude": 2.5, "units": "ms"}, ["2.5"], "ms"),
        ("zero\0byte", ["zerobyte"], ""),
    ],
)
def test_values_as_text(value, texts, unit):
    assert said({"what": value}) == {"what": (texts, unit)}


def test_what_says_nothing_is_left_out():
    assert said({"none": None, "empty": "", "list": [], "nested": {}}) == {}


def test_mappings_become_names_with_dots():
    nested = {"amp": {"gain": 2, "filter": {"low": 1}}}
    assert said(nested) == {"amp.gain": (["2"], ""), "amp.filter.low": (["1"], "")}
    deep: dict[str, Any] = {"end": 1}
    for _ in range(10):
        deep = {"x": deep}
    assert said(deep) == {}


def test_bounds(monkeypatch):
    assert len(said({f"n{at}": at for at in range(1000)})) == module.MOST_PROPERTIES
    assert len(said({"many": range(10)})["many"][0]) == 1  # no list: as it is written
    assert len(said({"many": list(range(1000))})["many"][0]) == module.MOST_VALUES
    (text,), _ = said({"long": "x" * 100_000})["long"]
    assert len(text) == module.MOST_LETTERS
    assert text.endswith("x...")
    monkeypatch.setattr(module, "MOST_OBJECTS", 5)
    assert said({"a": 1, "b": [1, 2, 3], "c": 2}) == {"a": (["1"], ""), "c": (["2"], "")}


def test_objects_are_tagged_with_the_first_value_of_each():
    rows = list(Metadata().section("s", "name", {"a": 1, "b": [5, 6], "c": None, "d": 2}))
    by_key = {row.key: row for row in rows}
    assert [by_key[key].attributes["data"] for key in tags_of(rows)] == ["1", "5", "2"]
    many = list(Metadata().section("s", "name", {f"n{at}": at for at in range(100)}))
    assert len(tags_of(many)) == module.MOST_TAGS
