"""Data arrays of a NIX block -> signals and image sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import quantities as pq

from ephyrus.core import AnalogSignal, ImageSequence, IrregularlySampledSignal
from ephyrus.core.units import UnitInfo
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.objects.claims import check_size
from ephyrus.nix.objects.kinds import KINDS
from ephyrus.nix.objects.sources import NixChannels, NixFrames, NixSamples, tick_count, ticks_of
from ephyrus.nix.objects.times import rate_of_axis
from ephyrus.nix.objects.tree import Facts, Tree, facts_of, time_axis, time_unit, unit_of

__all__ = ["SIGNALS", "object_name", "signals_of"]

SIGNALS = {KINDS["AnalogSignal"].type: 1, KINDS["IrregularlySampledSignal"].type: 1}
SIGNALS[KINDS["ImageSequence"].type] = 2  # number of axes of each data array
_NUMBERS = "iufcb"


def object_name(array: DataArray) -> str:
    """Name the object that a data array is a channel of."""
    return array.name.rpartition(".")[0] or array.name


def signals_of(tree: Tree, data_arrays: Iterable[DataArray]) -> list[Any]:
    """Give the signals and image sequences among data arrays, each made once.

    Raises
    ------
    CorruptError
        If the data arrays of one object contradict each other.
    """
    objects: dict[str, list[DataArray]] = {}
    for array in data_arrays:
        name = object_name(array)
        if name in objects or name in tree.signals or array.type in SIGNALS:
            objects.setdefault(name, []).append(array)
    return [_signal(tree, name, arrays) for name, arrays in objects.items()]


def _signal(tree: Tree, name: str, arrays: list[DataArray]) -> Any:
    """Make a signal of its channels."""
    if name in tree.made:
        return tree.made[name]
    if len(arrays) > 1:
        arrays.sort(key=_channel_number)
    first = arrays[0]
    kind = first.type
    shape, dtype = _check_alike(tree, name, arrays, SIGNALS[kind])
    facts = facts_of(first)
    common = facts.common(first, tree.place.path)
    common["annotations"]["nix_name"] = name
    unit = unit_of(first.unit, common["annotations"])
    common["array_annotations"] = facts.columns(len(arrays))
    source_kind, make = _MAKERS[kind]
    full = (*shape[::-1], len(arrays))
    names = tuple(array.name for array in arrays)
    source = source_kind(tree.place, tree.block.name, names, full, dtype)
    tree.arrays.update(names)
    tree.signals.add(name)
    made = tree.made[name] = make(tree, first, source, unit, facts, common)
    return made


def _channel_number(array: DataArray) -> tuple[int, str]:
    number = array.name.rpartition(".")[2]
    return (int(number) if number.isdecimal() else 0), array.name


def _check_alike(
    tree: Tree, name: str, arrays: list[DataArray], rank: int
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Give shape and type of the data arrays of an object."""
    forms = {(array.shape, array.dtype, array.unit) for array in arrays}
    shape, dtype, _ = next(iter(forms))
    if len(forms) > 1 or len(shape) != rank or dtype.kind not in _NUMBERS:
        raise tree.corrupt("its channels differ in length, type or unit, or are no numbers", name)
    for array in arrays:
        check_size(tree.place.path, array)
    return shape, dtype


def _analogsignal(
    tree: Tree, first: DataArray, source: Any, unit: UnitInfo, facts: Facts, common: dict[str, Any]
) -> AnalogSignal:
    axis = time_axis(first)
    if axis is None or not hasattr(axis, "sampling_interval"):
        raise tree.corrupt("a signal without sampled dimension", first.name)
    period = time_unit(tree, axis.unit, first.name)
    t_start = facts.time("t_start")
    if t_start is None:
        t_start = pq.Quantity(axis.offset or 0.0, period.unit)
    rate = rate_of_axis(axis, facts.rate("sampling_rate"))
    return AnalogSignal._create(
        source.empty() if tree.lazy else source.read(0, source.shape[0], None),
        unit,
        sampling_rate=float(rate.magnitude),
        t_start=float(t_start.magnitude),
        rate_unit=rate.units,
        time_unit=t_start.units,
        source=source if tree.lazy else None,
        **common,
    )


def _irregular(
    tree: Tree, first: DataArray, source: Any, unit: UnitInfo, facts: Facts, common: dict[str, Any]
) -> IrregularlySampledSignal:
    axis = time_axis(first)
    if axis is None or not hasattr(axis, "ticks"):
        raise tree.corrupt("an irregular signal without range dimension", first.name)
    period = time_unit(tree, axis.unit, first.name)
    count = tick_count(first)
    if count != source.shape[0]:
        raise tree.corrupt(f"{count} times for {source.shape[0]} samples", first.name)
    if not tree.lazy:
        ticks, data = ticks_of(first), source.read(0, count, None)
        return IrregularlySampledSignal._create(ticks, data, unit, time_unit=period, **common)
    ends = [ticks_of(first, at, at + 1) for at in ((0, count - 1) if count else ())]
    return IrregularlySampledSignal._create(
        np.empty(0),
        source.empty(),
        unit,
        time_unit=period,
        t_start=float(ends[0][0]) if ends else None,
        t_stop=float(ends[1][0]) if ends else None,
        source=NixSamples(source, period),
        **common,
    )


def _images(
    tree: Tree, first: DataArray, source: Any, unit: UnitInfo, facts: Facts, common: dict[str, Any]
) -> ImageSequence:
    rate, scale = facts.rate("sampling_rate"), facts.scalar("spatial_scale")
    if rate is None or scale is None:
        raise tree.corrupt("an image sequence without rate or scale", first.name)
    t_start = facts.time("t_start")
    t_start = 0.0 * pq.s if t_start is None else t_start
    return ImageSequence._create(
        source.empty() if tree.lazy else source.read(0, source.shape[0], None),
        unit,
        sampling_rate=float(rate.magnitude),
        spatial_scale=scale,
        t_start=float(t_start.magnitude),
        rate_unit=rate.units,
        time_unit=t_start.units,
        source=source if tree.lazy else None,
        **{**common, "array_annotations": None},
    )


_MAKERS: Mapping[str, Any] = {
    KINDS["AnalogSignal"].type: (NixChannels, _analogsignal),
    KINDS["IrregularlySampledSignal"].type: (NixChannels, _irregular),
    KINDS["ImageSequence"].type: (NixFrames, _images),
}
