"""Merging spike trains into one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import quantities as pq

from ephyrus.core._arraydict import index_arrays, join_array_annotations
from ephyrus.core.baseneo import merge_annotations
from ephyrus.core.units import convert, quantity, unit_of
from ephyrus.errors import MergeError

if TYPE_CHECKING:
    from ephyrus.core.spiketrain import SpikeTrain

__all__ = ["merged"]

# Rates and sweeps agree within this part of themselves, limits within rounding.
_TOLERANCE = 1e-6
_ROUNDING = 1e-12


def merged(first: SpikeTrain, others: tuple[SpikeTrain, ...]) -> SpikeTrain:
    """Return the spikes of all trains, sorted by time, with the segment of the first.

    Raises
    ------
    MergeError
        If an attribute that must agree differs.
    """
    for other in others:
        _check_same(first, other)
    unit = first._unit
    trains = (first, *others)
    times = np.concatenate([convert(t.view(np.ndarray), t._unit, unit) for t in trains])
    order = np.argsort(times, kind="stable")
    new = first._like(times[order])
    if first.waveforms is not None:
        new.waveforms = _joined([train.waveforms for train in trains])[order]
    for name in ("name", "description", "file_origin"):
        setattr(new, name, _merged_text([getattr(train, name) for train in trains]))
    new._annotations = merge_annotations(*[train.annotations for train in trains])
    # the warning about what is left out is for the caller of SpikeTrain.merge
    joined = join_array_annotations(*[train.array_annotations for train in trains], stacklevel=3)
    new._array_annotations = index_arrays(joined, order)
    return new


def _check_same(first: SpikeTrain, other: SpikeTrain) -> None:
    """Raise MergeError unless the attributes that must agree do."""
    unit, other_unit = first._unit, other._unit
    for name in ("t_start", "t_stop"):
        mine = getattr(first, f"_{name}")
        theirs = convert(getattr(other, f"_{name}"), other_unit, unit)
        if mine != theirs and not math.isclose(mine, theirs, rel_tol=_ROUNDING):
            _disagree(name, getattr(first, name), getattr(other, name))
    if first.segment is not other.segment:
        _disagree("segment", first.segment, other.segment)
    if (first.waveforms is None) != (other.waveforms is None):
        raise MergeError("spike trains with and without waveforms cannot be merged")
    if first.waveforms is not None:
        mine, theirs = np.shape(first.waveforms)[1:], np.shape(other.waveforms)[1:]
        if mine != theirs:
            _disagree("waveform shape (channels, samples)", mine, theirs)
    if not _same_rate(first, other):
        _disagree("sampling_rate", first.sampling_rate, other.sampling_rate)
    if not _same_sweep(first, other):
        _disagree("left_sweep", first.left_sweep, other.left_sweep)


def _same_sweep(a: SpikeTrain, b: SpikeTrain) -> bool:
    """Tell whether spikes are at the same place in their waveforms."""
    if a._left_sweep is None or b._left_sweep is None:
        return a._left_sweep is b._left_sweep
    theirs = convert(b._left_sweep, b._left_sweep_unit, a._left_sweep_unit)
    return np.shape(a._left_sweep) == np.shape(theirs) and bool(
        np.allclose(a._left_sweep, theirs, rtol=_TOLERANCE, atol=0.0)
    )


def _same_rate(a: SpikeTrain, b: SpikeTrain) -> bool:
    """Tell whether the rates of the waveforms agree."""
    if a._rate is None or b._rate is None:
        return a._rate is b._rate
    rate = convert(b._rate, b._rate_unit, a._rate_unit)
    return a._rate == rate or math.isclose(a._rate, rate, rel_tol=_TOLERANCE)


def _joined(parts: list[Any]) -> Any:
    """Join waveforms, in the units of the first."""
    if not isinstance(parts[0], pq.Quantity):
        return np.concatenate(parts)
    unit = unit_of(parts[0])
    numbers = [convert(part.view(np.ndarray), unit_of(part), unit) for part in parts]
    return quantity(np.concatenate(numbers), unit)


def _disagree(name: str, mine: Any, theirs: Any) -> None:
    """Refuse the merge because of an attribute."""
    raise MergeError(f"spike trains of different {name} cannot be merged: {mine}, {theirs}")


def _merged_text(texts: list[str | None]) -> str | None:
    """Join names as ``merge(a; b)``, each once, taking earlier merges apart."""
    if len(set(texts)) == 1:
        return texts[0]
    parts: dict[str, None] = {}
    for text in texts:
        inner = str(text)
        if inner.startswith("merge(") and inner.endswith(")"):
            parts.update(dict.fromkeys(inner[6:-1].split("; ")))
        else:
            parts[inner] = None
    return f"merge({'; '.join(parts)})"
