"""Entities of a NIX file -> a tree of objects, lazy or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus.core import (
    AnalogSignal,
    Block,
    ChannelView,
    Epoch,
    Event,
    Group,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.core.units import UnitInfo, as_unit, convert, unit_from_text
from ephyrus.errors import CorruptError
from ephyrus.nix.block import Block as NixBlock
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.group import Group as NixGroup
from ephyrus.nix.multi_tag import MultiTag
from ephyrus.nix.objects.annotations import annotations_of, array_annotations_of, value_of
from ephyrus.nix.objects.kinds import DATE, KINDS, NO_DATE, NO_RATE, SUBGROUP
from ephyrus.nix.objects.sources import (
    TIME,
    NixChannels,
    NixFrames,
    NixPath,
    NixPoints,
    NixSamples,
    labels_of,
)
from ephyrus.nix.property import Property

__all__ = ["NixPath", "block_names", "read_block"]

RATES = {"s": pq.Hz, "ms": pq.kHz, "us": pq.MHz}
_GROUPS = KINDS["Group"].type, SUBGROUP.type
_SIGNALS = tuple(
    KINDS[name].type for name in ("AnalogSignal", "IrregularlySampledSignal", "ImageSequence")
)


def block_names(place: NixPath) -> list[str]:
    """Give the names of the NIX blocks that hold objects."""
    return [block.name for block in place.file.blocks if block.type == KINDS["Block"].type]


@dataclass(slots=True)
class _Facts:
    """What the section of an object tells.

    Attributes
    ----------
    properties : dict of str to Property
        All of them, inherited ones too.
    """

    properties: dict[str, Property]

    def value(self, name: str) -> Any:
        """Give the value of a property, or None."""
        found = self.properties.get(name)
        return None if found is None else value_of(found)

    def scalar(self, name: str) -> pq.Quantity | None:
        """Give a value with its unit, or None."""
        found = self.value(name)
        if isinstance(found, pq.Quantity) and found.size:
            return pq.Quantity(float(np.ravel(found.magnitude)[0]), found.units)
        return None

    def common(self, entity: Any) -> dict[str, Any]:
        """Give name, description and annotations of an object."""
        name = self.value("neo_name")
        return {
            "name": name if isinstance(name, str) and name else None,
            "description": entity.definition,
            "annotations": annotations_of(self.properties.values()) | {"nix_name": entity.name},
        }


@dataclass(slots=True)
class _Tree:
    """A block that is being read.

    Attributes
    ----------
    place : NixPath
        The file.
    block : nix.Block
        The NIX block.
    lazy : bool
        Objects load their data when asked to.
    made : dict of str to object
        Objects by the names of their entities.
    arrays : dict of str to list of str
        By the name of an object: names of its data arrays in order.
    """

    place: NixPath
    block: NixBlock
    lazy: bool
    made: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, list[str]] = field(default_factory=dict)


def read_block(place: NixPath, name: str, *, lazy: bool = False) -> Block:
    """Read a block.

    Parameters
    ----------
    place : NixPath
        The file.
    name : str
        Name of the NIX block.
    lazy : bool
        Give objects that load their data when asked to.

    Raises
    ------
    KeyError
        If there is no such block.
    CorruptError
        If entities of one object contradict each other.
    """
    entity = place.block(name)
    tree = _Tree(place, entity, lazy)
    facts = _facts_of(entity)
    block = Block(**_container_facts(facts, entity, place.path))
    block.rec_datetime = _recorded(entity)
    block.file_datetime = _file_datetime(facts)
    groups = list(entity.groups)
    for group in groups:
        if group.type == KINDS["Segment"].type:
            block.segments.append(_segment(tree, group))
    _stray_signals(tree, block)
    _groups(tree, block, [group for group in groups if group.type in _GROUPS])
    return block


def _facts_of(entity: Any) -> _Facts:
    section = entity.metadata
    if section is None:
        return _Facts({})
    found = list(section.inherited_properties()) if section.link else list(section.props)
    return _Facts({each.name: each for each in found})


def _container_facts(facts: _Facts, entity: Any, path: str) -> dict[str, Any]:
    common = facts.common(entity)
    return {
        "name": common["name"],
        "description": common["description"],
        "file_origin": path,
        **_as_keywords(common["annotations"]),
    }


def _as_keywords(annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out annotations that would be taken for attributes."""
    taken = {"name", "description", "file_origin", "rec_datetime", "file_datetime", "index"}
    return {name: value for name, value in annotations.items() if name not in taken}


def _recorded(entity: Any) -> datetime | None:
    """Give when it was recorded: others keep it, in whole seconds, as the time of creation."""
    section = entity.metadata
    said = "" if section is None else section.definition or ""
    if said == NO_DATE:
        return None
    try:
        if said.startswith(DATE):
            return datetime.fromisoformat(said.removeprefix(DATE))
        return datetime.fromtimestamp(entity.created_at)
    except (OverflowError, OSError, ValueError):
        return None


def _file_datetime(facts: _Facts) -> datetime | None:
    found = facts.value("file_datetime")
    return found if isinstance(found, datetime) else None


def _segment(tree: _Tree, group: NixGroup) -> Segment:
    facts = _facts_of(group)
    segment = Segment(**_container_facts(facts, group, tree.place.path))
    segment.rec_datetime = _recorded(group)
    segment.file_datetime = _file_datetime(facts)
    for obj in _signals(tree, group.data_arrays):
        segment.add(obj)
    for tag in group.multi_tags:
        obj = _points(tree, tag)
        if obj is not None:
            segment.add(obj)
    return segment


def _object_name(array: DataArray) -> str:
    """Name the object that a data array is a channel of."""
    return array.name.rpartition(".")[0] or array.name


def _signals(tree: _Tree, data_arrays: Iterable[DataArray]) -> list[Any]:
    """Give the signals and image sequences among data arrays, each made once."""
    groups: dict[str, list[DataArray]] = {}
    for array in data_arrays:
        if array.type in _SIGNALS:
            groups.setdefault(_object_name(array), []).append(array)
    return [_signal(tree, name, arrays) for name, arrays in groups.items()]


def _signal(tree: _Tree, name: str, arrays: list[DataArray]) -> Any:
    """Make a signal of its channels."""
    if name in tree.made:
        return tree.made[name]
    arrays.sort(key=_channel_number)
    _check_alike(tree, name, arrays)
    first = arrays[0]
    facts = _facts_of(first)
    common = facts.common(first)
    common["annotations"]["nix_name"] = name
    common["file_origin"] = tree.place.path
    unit = _unit(first.unit, common["annotations"])
    common["array_annotations"] = _per_channel(facts, len(arrays))
    made = _MAKERS[first.type](tree, arrays, unit, facts, common)
    tree.made[name] = made
    tree.arrays[name] = [array.name for array in arrays]
    return made


def _channel_number(array: DataArray) -> tuple[int, str]:
    number = array.name.rpartition(".")[2]
    return (int(number) if number.isdecimal() else 0), array.name


def _check_alike(tree: _Tree, name: str, arrays: list[DataArray]) -> None:
    shapes = {(array.shape, array.dtype, array.unit) for array in arrays}
    if len(shapes) > 1 or len(arrays[0].shape) not in (1, 2):
        raise CorruptError(
            tree.place.path,
            f"the channels of {name!r} differ in length, type or unit",
            field=f"data arrays of block {tree.block.name!r}",
        )


def _unit(text: str | None, annotations: dict[str, Any]) -> UnitInfo:
    """Give the unit of a text; what is not known is noted in the annotations."""
    if not text:
        return as_unit(pq.dimensionless)
    unit, known = unit_from_text(text)
    if not known:
        annotations["units_string"] = text
    return as_unit(unit)


def _per_channel(facts: _Facts, count: int) -> dict[str, Any]:
    """Give array annotations; of one channel each is a single value in the file."""
    found = array_annotations_of(facts.properties.values())
    return {name: column for name, column in found.items() if len(column) == count}


def _source(tree: _Tree, arrays: list[DataArray], kind: Any, shape: tuple[int, ...]) -> Any:
    names = tuple(array.name for array in arrays)
    return kind(tree.place, tree.block.name, names, shape, np.dtype(arrays[0].dtype))


def _time_axis(array: DataArray) -> Any:
    """Give the dimension of time of a data array, or None."""
    dimensions = list(array.dimensions)
    named = [each for each in dimensions if getattr(each, "label", None) == TIME]
    return (named or dimensions or [None])[0]


def _analogsignal(
    tree: _Tree, arrays: list[DataArray], unit: UnitInfo, facts: _Facts, common: dict[str, Any]
) -> AnalogSignal:
    axis = _time_axis(arrays[0])
    if axis is None or not hasattr(axis, "sampling_interval"):
        raise CorruptError(
            tree.place.path, "a signal without sampled dimension", field=arrays[0].name
        )
    text = axis.unit or "s"
    period, _ = unit_from_text(text)
    t_start = facts.scalar("t_start")
    if t_start is None:
        t_start = pq.Quantity(axis.offset or 0.0, period)
    rate_unit = RATES.get(text, 1 / period)
    source = _source(tree, arrays, NixChannels, (arrays[0].shape[0], len(arrays)))
    data = np.empty((0, len(arrays)), source.dtype)
    return AnalogSignal._create(
        data if tree.lazy else source.read(0, source.shape[0], None),
        unit,
        sampling_rate=_rate(axis.sampling_interval),
        t_start=float(t_start.magnitude),
        rate_unit=rate_unit,
        time_unit=t_start.units,
        source=source if tree.lazy else None,
        **common,
    )


def _rate(interval: float) -> float:
    """Give the rate of an interval: the roundest whose inverse it is."""
    rate = 1.0 / interval
    for digits in (0, 3, 6, 9):
        rounded = round(rate, digits)
        if rounded and 1.0 / rounded == interval:
            return rounded
    return rate


def _irregular(
    tree: _Tree, arrays: list[DataArray], unit: UnitInfo, facts: _Facts, common: dict[str, Any]
) -> IrregularlySampledSignal:
    axis = _time_axis(arrays[0])
    if axis is None or not hasattr(axis, "ticks"):
        raise CorruptError(
            tree.place.path, "an irregular signal without range dimension", field=arrays[0].name
        )
    text = axis.unit or "s"
    period = as_unit(unit_from_text(text)[0])
    values = _source(tree, arrays, NixChannels, (arrays[0].shape[0], len(arrays)))
    if not tree.lazy:
        ticks = np.array(axis.ticks, np.float64)
        data = values.read(0, values.shape[0], None)
        return IrregularlySampledSignal._create(ticks, data, unit, time_unit=period, **common)
    source = NixSamples(values, period)
    ticks = source._ticks()
    return IrregularlySampledSignal._create(
        np.empty(0),
        np.empty((0, len(arrays)), values.dtype),
        unit,
        time_unit=period,
        t_start=float(ticks[0]) if len(ticks) else None,
        t_stop=float(ticks[-1]) if len(ticks) else None,
        source=source,
        **common,
    )


def _images(
    tree: _Tree, arrays: list[DataArray], unit: UnitInfo, facts: _Facts, common: dict[str, Any]
) -> ImageSequence:
    rows, frames = arrays[0].shape
    source = _source(tree, arrays, NixFrames, (frames, rows, len(arrays)))
    rate, t_start = facts.scalar("sampling_rate"), facts.scalar("t_start")
    scale = facts.scalar("spatial_scale")
    if rate is None or scale is None:
        raise CorruptError(
            tree.place.path, "an image sequence without rate or scale", field=arrays[0].name
        )
    t_start = 0.0 * pq.s if t_start is None else t_start
    common = {**common, "array_annotations": None}
    data = np.empty((0, rows, len(arrays)), source.dtype)
    return ImageSequence._create(
        data if tree.lazy else source.read(0, frames, None),
        unit,
        sampling_rate=float(rate.magnitude),
        spatial_scale=scale,
        t_start=float(t_start.magnitude),
        rate_unit=rate.units,
        time_unit=t_start.units,
        source=source if tree.lazy else None,
        **common,
    )


_MAKERS: Mapping[str, Any] = {
    KINDS["AnalogSignal"].type: _analogsignal,
    KINDS["IrregularlySampledSignal"].type: _irregular,
    KINDS["ImageSequence"].type: _images,
}


# Events, epochs, spike trains


def _points(tree: _Tree, tag: MultiTag) -> Any:
    """Make the object of a multi tag; None if it is of another kind."""
    maker = _POINT_MAKERS.get(tag.type)
    if maker is None:
        return None
    if tag.name not in tree.made:
        positions = tag.positions
        facts = _facts_of(tag)
        common = facts.common(tag)
        common["file_origin"] = tree.place.path
        unit = _time_unit(tree, positions)
        found = array_annotations_of(facts.properties.values())
        length = positions.shape[0] if positions.shape else 0
        columns = {name: column for name, column in found.items() if len(column) == length}
        tree.made[tag.name] = maker(tree, tag, positions, unit, columns, facts, common)
    return tree.made[tag.name]


def _time_unit(tree: _Tree, array: DataArray) -> UnitInfo:
    unit = as_unit(unit_from_text(array.unit or "s")[0])
    if unit.base is not as_unit(pq.s).base:
        raise CorruptError(
            tree.place.path, f"times in {array.unit!r}, which is no unit of time", field=array.name
        )
    return unit


def _extent(times: NDArray[Any]) -> dict[str, Any]:
    """Give the limits that a lazy event or epoch tells."""
    if not times.size:
        return {"t_start": None, "t_stop": None}
    return {"t_start": float(times.min()), "t_stop": float(times.max())}


def _event(
    tree: _Tree,
    tag: MultiTag,
    positions: DataArray,
    unit: UnitInfo,
    columns: dict[str, Any],
    facts: _Facts,
    common: dict[str, Any],
) -> Event:
    times = positions[:]
    if not tree.lazy:
        labels = labels_of(positions, len(times))
        return Event._create(times, labels, unit=unit, array_annotations=columns, **common)
    source = NixPoints(
        tree.place,
        tree.block.name,
        positions.name,
        unit,
        len(times),
        has_labels=True,
        columns=columns,
    )
    nothing = np.empty(0, times.dtype), np.empty(0, np.str_)
    return Event._create(*nothing, unit=unit, source=source, **_extent(times), **common)


def _epoch(
    tree: _Tree,
    tag: MultiTag,
    positions: DataArray,
    unit: UnitInfo,
    columns: dict[str, Any],
    facts: _Facts,
    common: dict[str, Any],
) -> Epoch:
    times, extents = positions[:], tag.extents
    if extents is None:
        raise CorruptError(tree.place.path, "an epoch without durations", field=tag.name)
    length_unit = _time_unit(tree, extents) if extents.unit else unit
    if not tree.lazy:
        durations = pq.Quantity(np.asarray(extents[:], np.float64), length_unit.unit)
        labels = labels_of(positions, len(times))
        return Epoch._create(
            times, durations, labels, unit=unit, array_annotations=columns, **common
        )
    source = NixPoints(
        tree.place,
        tree.block.name,
        positions.name,
        unit,
        len(times),
        durations=extents.name,
        durations_unit=length_unit,
        has_labels=True,
        columns=columns,
    )
    no_durations = pq.Quantity(np.empty(0), length_unit.unit)
    nothing = np.empty(0, times.dtype), no_durations, np.empty(0, np.str_)
    return Epoch._create(*nothing, unit=unit, source=source, **_extent(times), **common)


def _spiketrain(
    tree: _Tree,
    tag: MultiTag,
    positions: DataArray,
    unit: UnitInfo,
    columns: dict[str, Any],
    facts: _Facts,
    common: dict[str, Any],
) -> SpikeTrain:
    limits = [facts.scalar(name) for name in ("t_start", "t_stop")]
    times = None if tree.lazy and all(limits) else positions[:]
    fallback = [0.0, float(times.max()) if times is not None and times.size else 0.0]
    t_start, t_stop = (
        other
        if limit is None
        else float(convert(float(limit.magnitude), as_unit(limit.units), unit))
        for limit, other in zip(limits, fallback, strict=True)
    )
    waves, more = _waveforms(tree, tag)
    source = None
    if tree.lazy:
        source = NixPoints(
            tree.place,
            tree.block.name,
            positions.name,
            unit,
            positions.shape[0],
            waveforms=None if waves is None else waves.name,
            columns=columns,
        )
        times = np.empty(0, positions.dtype)
    return SpikeTrain._create(
        positions[:] if times is None else times,
        unit=unit,
        t_start=t_start,
        t_stop=t_stop,
        source=source,
        array_annotations=None if tree.lazy else columns,
        **more,
        **common,
    )


def _waveforms(tree: _Tree, tag: MultiTag) -> tuple[DataArray | None, dict[str, Any]]:
    """Give the data array of a train's waveforms, and what it says of them."""
    for feature in tag.features:
        array = feature.data
        if getattr(array, "type", None) != "neo.waveforms" or len(array.shape) != 3:
            continue
        facts, section = _facts_of(array), array.metadata
        has_rate = section is None or section.definition != NO_RATE
        unit, _ = unit_from_text(array.unit or "dimensionless")
        values = np.empty((0, *array.shape[1:]), array.dtype) if tree.lazy else array[:]
        more: dict[str, Any] = {"waveforms": pq.Quantity(values, unit, copy=False)}
        axis = _time_axis(array)
        if axis is not None and has_rate:
            period, _ = unit_from_text(axis.unit or "s")
            more["sampling_rate"] = _rate(axis.sampling_interval) * float(
                (1 / pq.Quantity(1.0, period)).rescale("Hz").magnitude
            )
        sweep = facts.scalar("left_sweep")
        if sweep is not None:
            more["left_sweep"] = float(sweep.rescale("s").magnitude)
        return array, more
    return None, {}


_POINT_MAKERS: Mapping[str, Any] = {
    KINDS["Event"].type: _event,
    KINDS["Epoch"].type: _epoch,
    KINDS["SpikeTrain"].type: _spiketrain,
}


# Groups


def _stray_signals(tree: _Tree, block: Block) -> None:
    """Put signals that are in no segment, as old files have them, into one of their own."""
    known = {name for names in tree.arrays.values() for name in names}
    stray = [
        array
        for array in tree.block.data_arrays
        if array.type in _SIGNALS and array.name not in known
    ]
    if not stray:
        return
    segment = Segment(name="signals in no segment", file_origin=tree.place.path)
    for obj in _signals(tree, stray):
        segment.add(obj)
    block.segments.append(segment)


def _groups(tree: _Tree, block: Block, entities: list[NixGroup]) -> None:
    made: dict[str, Group] = {}
    for entity in entities:
        facts = _facts_of(entity)
        group = Group(**_container_facts(facts, entity, tree.place.path))
        made[entity.name] = group
        for obj in _signals(tree, entity.data_arrays):
            group.add(obj)
        for tag in entity.multi_tags:
            view = tag.type == KINDS["ChannelView"].type
            obj = _view(tree, tag) if view else _points(tree, tag)
            if obj is not None:
                group.add(obj)
        parent = facts.value("neo_parent")
        owner: Any = block if parent is None else made.get(parent, block)
        owner.groups.append(group)


def _view(tree: _Tree, tag: MultiTag) -> ChannelView | None:
    if tag.name in tree.made:
        view: ChannelView = tree.made[tag.name]
        return view
    names = {_object_name(array) for array in tag.references}
    signals = [tree.made[name] for name in sorted(names) if name in tree.made]
    if len(signals) != 1:
        return None
    facts = _facts_of(tag)
    common = facts.common(tag)
    index = np.asarray(tag.positions[:], np.int64)
    columns = array_annotations_of(facts.properties.values())
    view = ChannelView(
        signals[0],
        index,
        name=common["name"],
        description=common["description"],
        file_origin=tree.place.path,
        array_annotations={key: each for key, each in columns.items() if len(each) == len(index)},
        **_as_keywords(common["annotations"]),
    )
    tree.made[tag.name] = view
    return view
