"""Annotations as sections, properties and values, within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus.client.annotations import annotations_of
from ephyrus.service.inplace import annotations as module
from ephyrus.service.inplace.annotations import Metadata, tags_of
from ephyrus.service.inplace.mapping import rows_of
from tests.golden import data_path


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
        (True, ["true"], ""),
        ([True, 2], ["True", "2"], ""),
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


def test_objects_are_tagged_with_all_values_of_a_property_or_none():
    rows = list(Metadata().section("s", "name", {"a": 1, "b": [5, 6], "c": None, "d": 2}))
    by_key = {row.key: row for row in rows}
    assert [by_key[key].attributes["data"] for key in tags_of(rows)] == ["1", "2", "5", "6"]
    many = list(Metadata().section("s", "name", {f"n{at}": at for at in range(100)}))
    assert len(tags_of(many)) == module.MOST_TAGS
    lists = {"long": list(range(module.MOST_TAGS)), "short": [1, 2], "one": 3}
    rows = list(Metadata().section("s", "name", lists))
    assert [str(key) for key in tags_of(rows)] == ["s/2/0", "s/1/0", "s/1/1"]


def read_back(rows: list[Any]) -> dict[str, dict[str, Any]]:
    """What a client makes of the properties of each section."""
    properties = {row.key: row for row in rows if row.type == "property"}
    pairs: dict[str, list[Any]] = {}
    for row in rows:
        if row.type == "value":
            above = properties[row.parents["parent_property"]]
            pairs.setdefault(above.parents["section"], []).append(
                [{"fields": above.attributes}, {"fields": row.attributes}]
            )
    return {section: annotations_of(found) for section, found in pairs.items()}


def as_sent(value: Any) -> Any:
    """A value as Python has it; a list with one value is that value."""
    if isinstance(value, Mapping):
        return {name: plain for name, each in value.items() if (plain := as_sent(each)) is not None}
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, list | tuple):
        listed = [as_sent(each) for each in value if each is not None and each != ""]
        if {type(each) for each in listed} == {int, float}:
            listed = [float(each) for each in listed]
        return listed[0] if len(listed) == 1 else listed[: module.MOST_VALUES] or None
    return None if value == "" else value


SAMPLES = {
    "alphaomega": {int, float, str},
    "abf/171116sh_0014.abf": {int, float, str},
    "blackrock/testData.nev": {int, str},
    "blackrock/test_BRSMPGRP_raw.ns3": {int, str},
    "brainvision/testbva.vhdr": {float},
    "neuroexplorer/test.nex": {str},
    "plexon/strobed_negative.plx": {int},
    "spike2/motor_units.smr": {int, float, str},
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.filterwarnings("ignore")
def test_values_of_real_recordings_keep_their_type(name):
    with ephyrus.open(data_path(name)) as recording:
        found = read_back(list(rows_of(recording)))
        sent = {"section:recording": dict(recording.annotations)}
        streams = {"signal": recording.signals, "table": recording.tables}
        for kind, group in streams.items():
            for number, each in enumerate(group):
                extra = each.channels.extra if kind == "signal" else {}
                sent[f"section:{kind}:{number}"] = {**each.annotations, **extra}
        for number, info in enumerate(recording.segments):
            sent[f"section:segment:{number}"] = dict(info.annotations)
    kinds: set[type] = set()
    for section, said_there in sent.items():
        for key, value in as_sent(said_there).items():
            got = found[section][key]
            assert (got, type(got)) == (value, type(value)), (section, key)
            values = value if isinstance(value, list) else [value]
            kinds |= {type(each) for each in values}
    assert kinds & {int, float, bool, str} >= SAMPLES[name]
