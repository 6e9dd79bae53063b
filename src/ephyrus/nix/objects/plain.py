"""NIX blocks without objects of the object model: data arrays over time, as signals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus.core import AnalogSignal, Block, IrregularlySampledSignal, Segment
from ephyrus.core.units import UnitInfo, as_unit, unit_from_text
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.dimensions import RangeDimension, SampledDimension
from ephyrus.nix.objects.annotations import annotations_of
from ephyrus.nix.objects.claims import check_size
from ephyrus.nix.objects.sources import NixChannels, NixPath, NixSamples, tick_count, ticks_of
from ephyrus.nix.objects.times import rate_of, rate_unit_of

__all__ = ["read_plain"]


@dataclass(frozen=True, slots=True)
class PlainSignal:
    """A data array over time and perhaps channels, (time, channel) or (channel, time).

    Attributes
    ----------
    place : NixPath
        The file.
    block, array : str
        Names of the NIX block and the data array.
    shape : tuple of int
        Samples and channels.
    dtype : numpy.dtype
        Type of the values, polynomials applied.
    time_axis : int
        Which axis of the data array is time.
    rank : int
        How many axes it has.
    """

    place: NixPath
    block: str
    array: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    time_axis: int
    rank: int

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Read samples [start, stop)."""
        array = self.place.block(self.block).data_arrays[self.array]
        if start == stop:
            values = np.empty((0, self.shape[1]), self.dtype)
        elif self.rank == 1:
            values = array[start:stop][:, np.newaxis]
        else:
            values = array[start:stop] if self.time_axis == 0 else array[:, start:stop].T
        return np.array(values if channels is None else values[:, channels], self.dtype)

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Read samples, which are in physical units."""
        return self.read(start, stop, channels), 1.0


def read_plain(place: NixPath, name: str, *, lazy: bool, notes: list[str]) -> Block:
    """Read a NIX block without objects as a block with one segment.

    Parameters
    ----------
    place : NixPath
        The file.
    name : str
        Name of the NIX block.
    lazy : bool
        Give objects that load their data when asked to.
    notes : list of str
        Gets a sentence for each data array that is no signal.
    """
    entity = place.block(name)
    block = Block(name=entity.name, description=entity.definition, file_origin=place.path)
    segment = Segment(name=entity.name, file_origin=place.path)
    block.segments.append(segment)
    for array in entity.data_arrays:
        made = _signal(place, entity.name, array, lazy=lazy)
        if made is None:
            notes.append(f"data array {array.name!r} has no axis of time: left out")
        else:
            segment.add(made)
    return block


def _signal(place: NixPath, block: str, array: DataArray, *, lazy: bool) -> Any:
    """Make the signal of a data array; None if it is none."""
    dimensions, shape = list(array.dimensions), array.shape
    if array.dtype.kind not in "iuf" or len(shape) not in (1, 2) or len(dimensions) != len(shape):
        return None
    for axis in sorted({0, len(shape) - 1}):
        found = dimensions[axis]
        period = _time_unit(found)
        if isinstance(found, SampledDimension) and period is not None:
            check_size(place.path, array)
            return _sampled(place, block, array, axis, period, lazy=lazy)
        if isinstance(found, RangeDimension) and period is not None and len(shape) == 1:
            check_size(place.path, array)
            if found.is_alias or tick_count(array) != shape[0]:
                return None
            return _with_ticks(place, block, array, period, lazy=lazy)
    return None


def _time_unit(dimension: Any) -> UnitInfo | None:
    """Give the unit of an axis of time; None if it is none."""
    text = getattr(dimension, "unit", None)
    if not text:
        return None
    unit, known = unit_from_text(text)
    info = as_unit(unit)
    return info if known and info.base is as_unit(pq.s).base else None


def _common(array: DataArray, path: str) -> tuple[UnitInfo, dict[str, Any]]:
    """Give unit and what every object has."""
    unit, known = unit_from_text(array.unit or "dimensionless")
    section = array.metadata
    annotations = {} if section is None else annotations_of(section.props)
    annotations |= {"nix_type": array.type}
    if not known:
        annotations["units_string"] = array.unit
    facts = {
        "name": array.name,
        "description": array.definition,
        "file_origin": path,
        "annotations": annotations,
    }
    return as_unit(unit), facts


def _stored_type(array: DataArray) -> np.dtype[Any]:
    """Give the type of the values, polynomials applied."""
    plain = array._terms() is None
    return np.dtype(array.dtype) if plain else np.dtype(np.float64)


def _sampled(
    place: NixPath, block: str, array: DataArray, axis: int, period: UnitInfo, *, lazy: bool
) -> AnalogSignal:
    dimension: Any = array.dimensions[axis]
    rank = len(array.shape)
    length, count = array.shape[axis], 1 if rank == 1 else array.shape[1 - axis]
    source = PlainSignal(place, block, array.name, (length, count), _stored_type(array), axis, rank)
    unit, facts = _common(array, place.path)
    labels = [] if rank == 1 else list(getattr(array.dimensions[1 - axis], "labels", ()))
    if len(labels) == count:
        facts["array_annotations"] = {"channel_names": np.array(labels, np.str_)}
    return AnalogSignal._create(
        np.empty((0, count), source.dtype) if lazy else source.read(0, length, None),
        unit,
        sampling_rate=rate_of(dimension.sampling_interval),
        t_start=float(dimension.offset or 0.0),
        rate_unit=rate_unit_of(dimension.unit),
        time_unit=period,
        source=source if lazy else None,
        **facts,
    )


def _with_ticks(
    place: NixPath, block: str, array: DataArray, period: UnitInfo, *, lazy: bool
) -> IrregularlySampledSignal:
    unit, facts = _common(array, place.path)
    shape = array.shape[0], 1
    values = NixChannels(place, block, (array.name,), shape, _stored_type(array))
    ticks = ticks_of(array)
    limits: dict[str, Any] = {}
    data = np.empty((0, 1), values.dtype) if lazy else values.read(0, shape[0], None)
    if lazy:
        limits = {
            "t_start": float(ticks[0]) if ticks.size else None,
            "t_stop": float(ticks[-1]) if ticks.size else None,
            "source": NixSamples(values, period),
        }
    return IrregularlySampledSignal._create(
        np.empty(0) if lazy else ticks, data, unit, time_unit=period, **limits, **facts
    )
