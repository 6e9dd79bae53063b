"""A (lazy) tree of objects -> entities of a NIX file, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
)
from ephyrus.nix.block import Block as NixBlock
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.enums import LinkType
from ephyrus.nix.file import File
from ephyrus.nix.multi_tag import MultiTag
from ephyrus.nix.objects.annotations import Stored, put_annotations, put_value
from ephyrus.nix.objects.kinds import (
    DATE,
    KINDS,
    NEO_VERSION,
    NO_DATE,
    NO_RATE,
    SUBGROUP,
    VERSION_SECTION,
    VERSION_TYPE,
    Kind,
    nix_name,
)
from ephyrus.nix.section import Section

__all__ = ["Written", "check_names", "mark_version", "write_block"]

PIECE_BYTES = 16 * 2**20
# Time units of dimensions that NIX knows, for the units of rates.
PERIODS = {"Hz": "s", "kHz": "ms", "MHz": "us", "1/s": "s", "1/ms": "ms", "1/us": "us"}

Advance = Callable[[int], None]


@dataclass(slots=True)
class Written:
    """What came of writing a block.

    Attributes
    ----------
    name : str
        Name of the NIX block.
    losses : list of str
        What the layout cannot hold, a sentence each.
    """

    name: str
    losses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Target:
    """Where objects are written, and what stands for those that have been.

    Attributes
    ----------
    block : nix.Block
        The NIX block.
    section : Section
        That of the container whose objects are being written.
    written : Written
        What came of it.
    advance : callable
        Told the bytes of data that were written.
    made : dict of int to list
        By the identity of an object: its data arrays, or its multi tag.
    kept : list
        The objects, so that their identities stay theirs.
    """

    block: NixBlock
    section: Section
    written: Written
    advance: Advance
    made: dict[int, list[Any]] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)

    def note(self, loss: str) -> None:
        self.written.losses.append(loss)


def mark_version(file: File) -> None:
    """Say in a file which version of the layout it has, unless it does."""
    if VERSION_SECTION not in file.sections:
        section = file.create_section(VERSION_SECTION, VERSION_TYPE)
        section.create_property("version", NEO_VERSION)


def check_names(block: Block) -> None:
    """Take the names of objects for the names of their entities.

    Raises
    ------
    ValueError
        If a name is missing, or two objects of one sort have the same.
    """
    signals, points = [], []
    for segment in block.segments:
        signals += [*segment.analogsignals, *segment.irregularlysampledsignals]
        signals += segment.imagesequences
        points += [*segment.events, *segment.epochs, *segment.spiketrains]
    groups = [inner for group in block.groups for inner in group.walk()]
    for what, objects in (
        ("block", [block]),
        ("segments", list(block.segments)),
        ("signals and image sequences", signals),
        ("events, epochs and spike trains", points),
        ("groups", groups),
    ):
        names = [obj.name for obj in objects]
        if not all(names):
            raise ValueError(f"use_obj_names: not all of the {what} of {block.name!r} have a name")
        if len(set(names)) < len(names):
            raise ValueError(f"use_obj_names: two of the {what} of {block.name!r} share a name")
        for obj in objects:
            obj.annotations["nix_name"] = obj.name


def write_block(
    file: File, block: Block, *, use_obj_names: bool = False, advance: Advance = lambda count: None
) -> Written:
    """Write a block; one that was written before is replaced.

    Parameters
    ----------
    file : File
        A file that is writable.
    block : Block
        The tree, lazy or not. Every object that is written gets the annotation ``nix_name``.
    use_obj_names : bool
        Entities have the names of the objects; else names that are unique everywhere.
    advance : callable
        Told the bytes of data that were written.

    Returns
    -------
    Written

    Raises
    ------
    ValueError
        If names are to be used and are missing or not unique, or a group has members that are in
        no segment of the block.
    """
    if use_obj_names:
        check_names(block)
    mark_version(file)
    name = nix_name(block, KINDS["Block"])
    for container in (file.blocks, file.sections):
        if name in container:
            del container[name]
    entity = file.create_block(name, KINDS["Block"].type)
    section = file.create_section(name, KINDS["Block"].section_type)
    entity.metadata = section
    written = Written(name)
    target = _Target(entity, section, written, advance)
    _describe(target, section, entity, block)
    _put_dates(section, entity, block)
    for segment in block.segments:
        _write_segment(target, section, segment)
    for group in block.groups:
        _write_group(target, section, group, None)
    return written


def _describe(target: _Target, section: Section, entity: Any, obj: Any) -> None:
    """Write name, description and annotations of an object."""
    put_value(section, "neo_name", Stored(obj.name or str))
    if obj.description:
        entity.definition = obj.description
    put_annotations(section, obj.annotations, target.note)


def _put_dates(section: Section, entity: Any, container: Block | Segment) -> None:
    """Write when something was recorded, and when its file was made."""
    recorded = container.rec_datetime
    section.definition = NO_DATE if recorded is None else f"{DATE}{recorded.isoformat()}"
    if recorded is not None:
        entity.force_created_at(int(recorded.timestamp()))
    if isinstance(container.file_datetime, datetime):
        text = container.file_datetime.strftime("%Y-%m-%dT%H:%M:%S.%f")
        put_value(section, "file_datetime", Stored(text, None, "DATETIME"))


def _own_section(target: _Target, parent: Section, obj: Any, kind: Kind, entity: Any) -> Section:
    """Make the section of an object, with what every object has."""
    section = parent.create_section(entity.name, kind.section_type)
    entity.metadata = section
    _describe(target, section, entity, obj)
    return section


def _write_segment(target: _Target, parent: Section, segment: Segment) -> None:
    name = nix_name(segment, KINDS["Segment"])
    group = target.block.create_group(name, KINDS["Segment"].type)
    section = _own_section(target, parent, segment, KINDS["Segment"], group)
    _put_dates(section, group, segment)
    signals: list[DataArray] = []
    for signal in segment.analogsignals:
        signals += _written_once(target, section, signal, _write_analogsignal)
    for irregular in segment.irregularlysampledsignals:
        signals += _written_once(target, section, irregular, _write_irregular)
    group.data_arrays.extend(signals)
    tags: list[MultiTag] = []
    for objects in (segment.events, segment.epochs, segment.spiketrains):
        for obj in objects:
            tags += _written_once(target, section, obj, _write_points)
    for tag in tags if signals else ():
        tag.references.extend(signals)
    group.multi_tags.extend(tags)
    for sequence in segment.imagesequences:
        group.data_arrays.extend(_written_once(target, section, sequence, _write_images))


def _written_once(
    target: _Target, section: Section, obj: Any, write: Callable[[_Target, Section, Any], list[Any]]
) -> list[Any]:
    """Write an object, or give what it became where it stands elsewhere too."""
    known = target.made.get(id(obj))
    if known is None:
        known = target.made[id(obj)] = write(target, section, obj)
        target.kept.append(obj)
    return known


# Signals


def _write_analogsignal(target: _Target, parent: Section, signal: AnalogSignal) -> list[DataArray]:
    kind = KINDS["AnalogSignal"]
    arrays, section = _write_channels(target, parent, signal, kind)
    interval, offset, unit = _sampling(signal)
    for array in arrays:
        array.append_sampled_dimension(interval, label="time", unit=unit, offset=offset)
    _put_quantity(section, "t_start", signal.t_start)
    return arrays


def _sampling(signal: Any) -> tuple[float, float, str]:
    """Give interval, first time and their unit, one that NIX knows."""
    unit = PERIODS.get(signal.sampling_rate.dimensionality.string, "s")
    rate = float(signal.sampling_rate.rescale(f"1/{unit}").magnitude)
    return 1.0 / rate, float(signal.t_start.rescale(unit).magnitude), unit


def _write_irregular(
    target: _Target, parent: Section, signal: IrregularlySampledSignal
) -> list[DataArray]:
    loaded: Any = signal if signal.lazy_shape is None else signal.load()
    loaded.annotations.setdefault("nix_name", nix_name(signal, KINDS["IrregularlySampledSignal"]))
    times = loaded.times
    if np.any(times.magnitude[1:] < times.magnitude[:-1]):
        target.note(f"samples of {signal.name or 'a signal'} are sorted by their times")
        loaded = loaded[np.argsort(times.magnitude, kind="stable")]
        times = loaded.times
    kind = KINDS["IrregularlySampledSignal"]
    arrays, _ = _write_channels(target, parent, loaded, kind)
    unit = times.dimensionality.string
    for array in arrays:
        array.append_range_dimension(times.magnitude, label="time", unit=unit)
    return arrays


def _write_channels(
    target: _Target, parent: Section, signal: Any, kind: Kind
) -> tuple[list[DataArray], Section]:
    """Write each channel of a signal as a data array; they share a section."""
    name = nix_name(signal, kind)
    length, count = signal.true_shape
    unit = signal.dimensionality.string
    section = parent.create_section(name, kind.section_type)
    arrays = [
        target.block.create_data_array(
            f"{name}.{channel}", kind.type, signal.dtype, (length,), unit=unit
        )
        for channel in range(count)
    ]
    for array in arrays:
        array.metadata = section
        if signal.description:
            array.definition = signal.description
    put_value(section, "neo_name", Stored(signal.name or str))
    put_annotations(section, signal.annotations, target.note)
    put_annotations(section, signal.array_annotations, target.note, arrays=True)
    _fill_columns(target, arrays, signal)
    return arrays, section


def _fill_columns(target: _Target, arrays: list[DataArray], signal: Any) -> None:
    """Write the samples of a signal, piece by piece."""
    start = 0
    for piece in signal.chunks(PIECE_BYTES):
        values = np.ascontiguousarray(np.asarray(piece.magnitude).T)
        stop = start + values.shape[1]
        for array, column in zip(arrays, values, strict=True):
            if stop > start:
                array[start:stop] = column
        start = stop
        target.advance(values.nbytes)


def _write_images(target: _Target, parent: Section, images: ImageSequence) -> list[DataArray]:
    kind = KINDS["ImageSequence"]
    name = nix_name(images, kind)
    frames, rows, columns = images.true_shape
    section = parent.create_section(name, kind.section_type)
    unit = images.dimensionality.string
    arrays = [
        target.block.create_data_array(
            f"{name}.{column}", kind.type, images.dtype, (rows, frames), unit=unit
        )
        for column in range(columns)
    ]
    for array in arrays:
        array.metadata = section
        if images.description:
            array.definition = images.description
    put_value(section, "neo_name", Stored(images.name or str))
    put_annotations(section, images.annotations, target.note)
    for attribute in ("sampling_rate", "spatial_scale", "t_start"):
        _put_quantity(section, attribute, getattr(images, attribute))
    start = 0
    for piece in images.chunks(PIECE_BYTES):
        values = np.asarray(piece.magnitude)
        stop = start + len(values)
        for column, array in enumerate(arrays if stop > start else ()):
            array[:, start:stop] = values[:, :, column].T
        start = stop
        target.advance(values.nbytes)
    return arrays


def _put_quantity(section: Section, name: str, value: pq.Quantity) -> None:
    stored = Stored(float(value.magnitude), value.dimensionality.string)
    put_value(section, name, stored)


# Events, epochs, spike trains


def _write_points(target: _Target, parent: Section, obj: Any) -> list[MultiTag]:
    """Write an Event, Epoch or SpikeTrain as a multi tag."""
    kind = KINDS[_class_name(obj)]
    name = nix_name(obj, kind)
    block, length = target.block, obj.true_shape[0]
    times = block.create_data_array(
        f"{name}.times", f"{kind.type}.times", obj.dtype, (length,), unit=_unit(obj)
    )
    extents = None
    if isinstance(obj, Epoch):
        extents = block.create_data_array(
            f"{name}.durations", f"{kind.type}.durations", np.float64, (length,), unit=_unit(obj)
        )
    tag = block.create_multi_tag(name, kind.type, times, extents)
    section = _own_section(target, parent, obj, kind, tag)
    waves = _new_waveforms(target, section, tag, obj)
    labels: list[str] = []
    columns: dict[str, list[Any]] = {}
    start = 0
    for piece in obj.chunks(PIECE_BYTES):
        stop = start + len(piece)
        if stop > start:
            times[start:stop] = np.asarray(piece.magnitude)
            if extents is not None:
                extents[start:stop] = piece.durations.rescale(obj.units).magnitude
            if waves is not None:
                waves[start:stop] = piece.waveforms.rescale(waves.unit).magnitude
        if isinstance(obj, Event | Epoch):
            labels += np.asarray(piece.labels).tolist()
        for key, column in piece.array_annotations.items():
            columns.setdefault(key, []).append(column)
        target.advance(_nbytes(piece))
        start = stop
    if isinstance(obj, Event | Epoch):
        times.append_set_dimension(labels)
    else:
        _put_quantity(section, "t_start", obj.t_start)
        _put_quantity(section, "t_stop", obj.t_stop)
    joined = {key: _joined(parts) for key, parts in columns.items()}
    put_annotations(section, joined, target.note, arrays=True)
    return [tag]


def _class_name(obj: Any) -> str:
    """Name the class of the object model that an object is of."""
    return next(each.__name__ for each in type(obj).__mro__ if each.__name__ in KINDS)


def _unit(obj: Any) -> str:
    return str(obj.dimensionality.string)


def _nbytes(piece: Any) -> int:
    waveforms = getattr(piece, "waveforms", None)
    return int(piece.nbytes) + (0 if waveforms is None else int(waveforms.nbytes))


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([np.asarray(part) for part in parts])
    unit = getattr(parts[0], "units", None)
    return values if unit is None else pq.Quantity(values, unit)


def _new_waveforms(target: _Target, parent: Section, tag: MultiTag, obj: Any) -> DataArray | None:
    """Make the data array of a train's waveforms, empty."""
    waveforms = getattr(obj, "waveforms", None)
    if waveforms is None or waveforms.ndim != 3:
        return None
    shape = (obj.true_shape[0], *waveforms.shape[1:])
    name = f"{tag.name}.waveforms"
    array = target.block.create_data_array(
        name, "neo.waveforms", waveforms.dtype, shape, unit=_unit(waveforms)
    )
    section = parent.create_section(name, "neo.waveforms.metadata")
    array.metadata = section
    if obj.left_sweep is not None:
        sweep = pq.Quantity(np.ravel(obj.left_sweep.magnitude)[0], obj.left_sweep.units)
        _put_quantity(section, "left_sweep", sweep)
    array.append_set_dimension()
    array.append_set_dimension()
    if obj.sampling_rate is None:
        array.append_sampled_dimension(1.0, label="time", unit="s")
        section.definition = NO_RATE
    else:
        unit = PERIODS.get(obj.sampling_rate.dimensionality.string, "s")
        rate = float(obj.sampling_rate.rescale(f"1/{unit}").magnitude)
        array.append_sampled_dimension(1.0 / rate, label="time", unit=unit)
    tag.create_feature(array, LinkType.Indexed)
    return array


# Groups


def _write_group(target: _Target, parent: Section, group: Group, owner: str | None) -> None:
    kind = KINDS["Group"] if owner is None else SUBGROUP
    name = nix_name(group, kind)
    entity = target.block.create_group(name, kind.type)
    section = _own_section(target, parent, group, kind, entity)
    if owner is not None:
        put_value(section, "neo_parent", Stored(owner))
    for obj in _members(group):
        made = target.made.get(id(obj))
        if made is None:
            raise ValueError(
                f"group {group.name!r} has a {type(obj).__name__} ({obj.name!r}) that is in no "
                "segment of the block: add it to a segment"
            )
        links: Any = entity.multi_tags if KINDS[_class_name(obj)].is_tag else entity.data_arrays
        links.extend(made)
    for view in group.channelviews:
        entity.multi_tags.extend(_written_once(target, section, view, _write_view))
    lost = [("regions of interest", group.regionsofinterest), ("segments", group.segments)]
    for what, objects in lost:
        if len(objects):
            target.note(f"{len(objects)} {what} of the group {group.name!r}")
    for inner in group.groups:
        _write_group(target, parent, inner, name)


def _members(group: Group) -> Iterator[Any]:
    """Give the data objects of a group that stand in segments."""
    lists: Iterable[Iterable[Any]] = (
        group.analogsignals,
        group.irregularlysampledsignals,
        group.imagesequences,
        group.events,
        group.epochs,
        group.spiketrains,
    )
    for objects in lists:
        yield from objects


def _write_view(target: _Target, parent: Section, view: ChannelView) -> list[MultiTag]:
    kind = KINDS["ChannelView"]
    name = nix_name(view, kind)
    arrays = target.made.get(id(view.obj))
    if arrays is None:
        raise ValueError(
            f"the view {view.name!r} is of a signal that is in no segment of the block: "
            "add the signal to a segment"
        )
    index: NDArray[Any] = np.asarray(view.index, np.int64)
    positions = target.block.create_data_array(f"{name}.index", f"{kind.type}.index", data=index)
    tag = target.block.create_multi_tag(name, kind.type, positions)
    section = _own_section(target, parent, view, kind, tag)
    put_annotations(section, view.array_annotations, target.note, arrays=True)
    tag.references.extend(arrays)
    return [tag]


def bytes_of(block: Block) -> int:
    """Give the bytes of data in a tree, for progress."""
    return sum(_bytes_of(obj) for obj in block.data_children_recur)


def _bytes_of(obj: Any) -> int:
    if not hasattr(obj, "true_shape"):
        return 0
    waveforms = getattr(obj, "waveforms", None)
    each = 0 if waveforms is None else int(np.prod(waveforms.shape[1:])) * waveforms.dtype.itemsize
    shape = obj.true_shape
    return int(np.prod(shape)) * int(obj.dtype.itemsize) + int(shape[0]) * each
