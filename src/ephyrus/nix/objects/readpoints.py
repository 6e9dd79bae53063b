"""Multi tags of a NIX block -> events, epochs and spike trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus.core import Epoch, Event, SpikeTrain
from ephyrus.core.units import UnitInfo, as_unit, convert, unit_from_text
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.multi_tag import MultiTag
from ephyrus.nix.objects.claims import check_size
from ephyrus.nix.objects.kinds import KINDS
from ephyrus.nix.objects.sources import NixPoints, labels_of
from ephyrus.nix.objects.times import rate_of_axis
from ephyrus.nix.objects.tree import Facts, Tree, facts_of, time_axis, time_unit

__all__ = ["points_of"]


@dataclass(slots=True)
class _Tagged:
    """A multi tag with times as its positions.

    Attributes
    ----------
    tag : MultiTag
        The tag.
    positions : DataArray
        The times.
    unit : UnitInfo
        Their unit.
    facts : Facts
        What its section tells.
    path : str
        The file.
    """

    tag: MultiTag
    positions: DataArray
    unit: UnitInfo
    facts: Facts
    path: str

    @property
    def common(self) -> dict[str, Any]:
        """Name, description, file, annotations."""
        return self.facts.common(self.tag, self.path)

    @property
    def length(self) -> int:
        """Number of items."""
        return int(self.positions.shape[0])

    @property
    def columns(self) -> dict[str, Any]:
        """Array annotations."""
        return self.facts.columns(self.length)

    def source(self, tree: Tree, **more: Any) -> NixPoints:
        """Make what the lazy object reads through."""
        place = tree.place, tree.block.name, self.positions.name, self.unit, self.length
        return NixPoints(*place, columns=self.columns, **more)


def points_of(tree: Tree, tag: MultiTag) -> Any:
    """Make the object of a multi tag, once; None if it is of another kind.

    Raises
    ------
    CorruptError
        If its entities contradict each other.
    """
    made = tree.made.get(tag.name)
    if made is not None:
        return made
    maker = _MAKERS.get(tag.type)
    if maker is None:
        return None
    positions = tag.positions
    if len(positions.shape) != 1 or positions.dtype.kind not in "iuf":
        raise tree.corrupt("its positions are no list of times", tag.name)
    check_size(tree.place.path, positions)
    unit = time_unit(tree, positions.unit, tag.name)
    tagged = _Tagged(tag, positions, unit, facts_of(tag), tree.place.path)
    tree.arrays.add(positions.name)
    made = tree.made[tag.name] = maker(tree, tagged)
    return made


def _extent(times: NDArray[Any]) -> dict[str, Any]:
    """Give the limits that a lazy event or epoch tells."""
    if not times.size:
        return {"t_start": None, "t_stop": None}
    return {"t_start": float(times.min()), "t_stop": float(times.max())}


def _event(tree: Tree, tagged: _Tagged) -> Event:
    times = tagged.positions[:]
    unit, common = tagged.unit, tagged.common
    if not tree.lazy:
        labels = labels_of(tagged.positions, len(times))
        columns = tagged.columns
        return Event._create(times, labels, unit=unit, array_annotations=columns, **common)
    source = tagged.source(tree, has_labels=True)
    no_times, no_labels = np.empty(0, times.dtype), np.empty(0, np.str_)
    common |= _extent(times)
    return Event._create(no_times, no_labels, unit=unit, source=source, **common)


def _epoch(tree: Tree, tagged: _Tagged) -> Epoch:
    times, extents = tagged.positions[:], tagged.tag.extents
    unit, common = tagged.unit, tagged.common
    if extents is None or extents.shape != times.shape or extents.dtype.kind not in "iuf":
        raise tree.corrupt("an epoch without a duration for each time", tagged.tag.name)
    length_unit = time_unit(tree, extents.unit, extents.name) if extents.unit else unit
    if not tree.lazy:
        durations = pq.Quantity(extents[:], length_unit.unit)
        labels = labels_of(tagged.positions, len(times))
        columns = tagged.columns
        return Epoch._create(
            times, durations, labels, unit=unit, array_annotations=columns, **common
        )
    source = tagged.source(
        tree, durations=extents.name, durations_unit=length_unit, has_labels=True
    )
    no_times, no_labels = np.empty(0, times.dtype), np.empty(0, np.str_)
    no_durations = pq.Quantity(np.empty(0, extents.dtype), length_unit.unit)
    common |= _extent(times)
    return Epoch._create(no_times, no_durations, no_labels, unit=unit, source=source, **common)


def _spiketrain(tree: Tree, tagged: _Tagged) -> SpikeTrain:
    positions, unit = tagged.positions, tagged.unit
    limits = [tagged.facts.time(name) for name in ("t_start", "t_stop")]
    is_known = all(limit is not None for limit in limits)
    times = np.empty(0, positions.dtype) if tree.lazy and is_known else positions[:]
    fallback = [0.0, float(times.max()) if times.size else 0.0]
    t_start, t_stop = (
        other
        if limit is None
        else float(convert(float(limit.magnitude), as_unit(limit.units), unit))
        for limit, other in zip(limits, fallback, strict=True)
    )
    waves, values, rate, sweep = _waveforms(tree, tagged)
    source = None
    if tree.lazy:
        source = tagged.source(tree, waveforms=None if waves is None else waves.name)
        times = np.empty(0, positions.dtype)
    train = SpikeTrain._create(
        times,
        unit=unit,
        t_start=t_start,
        t_stop=t_stop,
        source=source,
        waveforms=values,
        array_annotations=None if tree.lazy else tagged.columns,
        **tagged.common,
    )
    train.sampling_rate, train.left_sweep = rate, sweep
    return train


def _waveforms(tree: Tree, tagged: _Tagged) -> tuple[DataArray | None, Any, Any, Any]:
    """Give the data array of a train's waveforms, the waveforms, their rate and left sweep."""
    for feature in tagged.tag.features:
        array: Any = feature.data
        if getattr(array, "type", None) != "neo.waveforms":
            continue
        shape = array.shape
        if len(shape) != 3 or shape[0] != tagged.length or array.dtype.kind not in "iuf":
            raise tree.corrupt("not one waveform for each spike", array.name)
        check_size(tree.place.path, array)
        tree.arrays.add(array.name)
        unit, _ = unit_from_text(array.unit or "dimensionless")
        values = np.empty((0, *shape[1:]), array.dtype) if tree.lazy else array[:]
        waveforms = pq.Quantity(values, unit)
        facts = facts_of(array)
        return array, waveforms, _rate(tree, array, facts), facts.take_time("left_sweep")
    return None, None, *_noted(tagged)


def _noted(tagged: _Tagged) -> tuple[Any, Any]:
    """Give rate and left sweep of a train without waveforms; 1 Hz is what Neo says of them."""
    facts = tagged.facts
    rate = None if facts.has_no_rate else facts.rate("sampling_rate") or 1.0 * pq.Hz
    return rate, facts.take_time("left_sweep")


def _rate(tree: Tree, array: DataArray, facts: Facts) -> Any:
    """Give the sampling rate of waveforms; None where there is none."""
    axis = time_axis(array)
    if facts.has_no_rate or not hasattr(axis, "sampling_interval"):
        return None
    time_unit(tree, axis.unit, array.name)
    return rate_of_axis(axis, facts.rate("sampling_rate"))


_MAKERS: Mapping[str, Any] = {
    KINDS["Event"].type: _event,
    KINDS["Epoch"].type: _epoch,
    KINDS["SpikeTrain"].type: _spiketrain,
}
