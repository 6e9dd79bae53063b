"""Facts of a recording as each package tells them, and how they are compared."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

Facts = Mapping[str, Any]
TOLERANCE = 1e-6  # of a channel's range: other packages scale in float32
TIME = 1e-9  # seconds


def peer(name: str) -> Any:
    """Import another package, or skip the module that needs it."""
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError:
        reason = f"{name} is not installed (dependency group peers; `make peers` installs it)"
        pytest.skip(reason, allow_module_level=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore the warnings of other packages; ours stay errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def differences(ours: Facts, theirs: Facts) -> dict[str, str]:
    """Compare what both tell; gives what differs, by the name of the fact."""
    found = {}
    for name in ours.keys() & theirs.keys():
        text = difference(ours[name], theirs[name])
        if text:
            found[name] = text
    return found


def difference(ours: Any, theirs: Any) -> str:
    """Say how two facts differ; empty if they agree."""
    if isinstance(ours, list | tuple) and not all(isinstance(item, float) for item in ours):
        return _of_lists(list(ours), list(theirs))
    if isinstance(ours, np.ndarray):
        return _of_arrays(ours, np.asarray(theirs))
    if isinstance(ours, float | list | tuple):
        mine, other = np.asarray(ours, float), np.asarray(theirs, float)
        if mine.shape == other.shape and np.allclose(mine, other, rtol=1e-9, atol=TIME):
            return ""
        return f"{ours} and {theirs}"
    return "" if ours == theirs else f"{ours!r} and {theirs!r}"


def _of_lists(ours: list[Any], theirs: list[Any]) -> str:
    if len(ours) != len(theirs):
        return f"{len(ours)} and {len(theirs)} items: {str(ours)[:200]}, {str(theirs)[:200]}"
    each = (difference(mine, other) for mine, other in zip(ours, theirs, strict=True))
    return next((text for text in each if text), "")


def _of_arrays(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Compare whole arrays: integers exactly, floats to a millionth of each channel's range."""
    if ours.shape != theirs.shape:
        return f"shapes {ours.shape} and {theirs.shape}"
    if ours.dtype.kind in "iu" or not ours.size:
        return "" if np.array_equal(ours, theirs) else "other integers"
    largest = np.abs(ours).max(axis=0)
    span = np.maximum(np.ptp(ours, axis=0), largest)
    worst = float((np.abs(ours - theirs) / np.maximum(span, 1e-30)).max())
    return "" if worst <= TOLERANCE else f"{worst:.3g} of the range apart"
