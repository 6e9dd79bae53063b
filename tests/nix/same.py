"""Comparison of trees of objects, lazy or not, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq

from ephyrus.core.dataobject import DataObject

LISTS = (
    "analogsignals",
    "irregularlysampledsignals",
    "imagesequences",
    "spiketrains",
    "events",
    "epochs",
)
FACTS = (
    "times",
    "durations",
    "t_start",
    "t_stop",
    "sampling_rate",
    "left_sweep",
    "waveforms",
    "spatial_scale",
)


def loaded(obj: Any) -> Any:
    """Load an object with all that belongs to it."""
    if not isinstance(obj, DataObject) or obj.lazy_shape is None:
        return obj
    has_waves = getattr(obj, "waveforms", None) is not None
    return obj.load(load_waveforms=True) if has_waves else obj.load()


def assert_same_blocks(found: Any, expected: Any) -> None:
    assert_same_containers(found, expected)
    assert found.rec_datetime == expected.rec_datetime
    for segment, other in zip(found.segments, expected.segments, strict=True):
        assert segment.block is found
        assert_same_containers(segment, other)
        for name in LISTS:
            for one, two in zip(getattr(segment, name), getattr(other, name), strict=True):
                assert (
                    one.segment is segment
                    or sum(
                        any(each is one for each in getattr(part, name)) for part in found.segments
                    )
                    > 1
                )
                assert_same_objects(loaded(one), loaded(two))
    for group, other in zip(found.groups, expected.groups, strict=True):
        assert_same_groups(group, other)


def assert_same_containers(found: Any, expected: Any) -> None:
    assert (found.name or None) == (expected.name or None)
    assert (found.description or None) == (expected.description or None)
    assert_same_notes(found.annotations, expected.annotations)


def assert_same_groups(found: Any, expected: Any) -> None:
    assert_same_containers(found, expected)
    for name in LISTS:
        for one, two in zip(getattr(found, name), getattr(expected, name), strict=True):
            assert_same_objects(loaded(one), loaded(two))
    for view, other in zip(found.channelviews, expected.channelviews, strict=True):
        assert_same_containers(view, other)
        np.testing.assert_array_equal(view.index, other.index)
        assert_same_objects(loaded(view.obj), loaded(other.obj))
    for group, other in zip(found.groups, expected.groups, strict=True):
        assert_same_groups(group, other)


def assert_same_objects(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    assert_same_containers(found, expected)
    assert found.dtype == expected.dtype
    assert_same_values(found.view(pq.Quantity), expected.view(pq.Quantity))
    for name in FACTS:
        if hasattr(expected, name):
            one, two = getattr(found, name), getattr(expected, name)
            assert (one is None) == (two is None), name
            if two is not None:
                assert_same_values(one, two)
    if hasattr(expected, "labels"):
        assert list(found.labels) == list(expected.labels)
    assert_same_notes(found.array_annotations, expected.array_annotations)


def assert_same_notes(found: Any, expected: Any) -> None:
    names = expected.keys() - {"nix_name"}
    assert found.keys() - {"nix_name"} == names, (found, expected)
    for name in names:
        assert_same_values(found[name], expected[name])


def assert_same_values(found: Any, expected: Any) -> None:
    if isinstance(expected, pq.Quantity):
        assert found.dimensionality == expected.dimensionality, (found, expected)
        found, expected = found.magnitude, expected.magnitude
    if isinstance(expected, np.ndarray | np.generic) and expected.dtype.kind != "U":
        found = np.asarray(found)
        assert found.dtype == expected.dtype, (found, expected)
        np.testing.assert_array_equal(found, expected)
        return
    if isinstance(expected, np.ndarray):
        expected = expected.tolist()
        found = np.asarray(found).tolist()
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_same_values(found[name], value)
        return
    assert found == expected, (found, expected)
    assert type(found) is type(expected), (found, expected)
