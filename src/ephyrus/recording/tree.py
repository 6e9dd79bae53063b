"""Recording -> Block tree: one object per (stream, run, group of channels or unit).

Reading at once, lazily, and on touch (``cascade="lazy"``) differ only in when
:func:`ephyrus.recording.objects.load_address` is called for the addresses of a segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import quantities as pq

from ephyrus.core import Block, Group, Segment
from ephyrus.core.units import unit_from_text
from ephyrus.recording.arena import Allocate, Arena
from ephyrus.recording.objects import CHILD_LISTS, Address, load_address

if TYPE_CHECKING:
    from ephyrus.recording.recording import Recording
    from ephyrus.recording.streams import Channels, TableStream

__all__ = [
    "CascadeLoader",
    "TreeOptions",
    "read_block",
    "read_blocks",
    "read_protocol",
    "read_segment",
    "segment_addresses",
]

Cascade = Literal["lazy"] | bool
Window = tuple[Any, Any]
Children = dict[str, list[Address]]
GROUPED = ("AnalogSignal", "SpikeTrain", "Event", "Epoch")


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """How a tree is made.

    Attributes
    ----------
    lazy : bool
        Objects load their data when asked to.
    cascade : bool or "lazy"
        Make children: now, not at all, or when they are touched.
    signal_group_mode : str or None
        One of the format's modes; None: its default.
    groups : bool, mapping or None
        Make Groups across segments (``create_group_across_segment``).
    load_waveforms : bool
        Load the waveforms of spikes too.
    time_slice : (start, stop) or None
        Read this window only; Quantity, or float in seconds, or None for an open end.
    strict_slicing : bool
        A bound outside the segment is an error; else it is clipped.
    """

    lazy: bool = False
    cascade: Cascade = True
    signal_group_mode: str | None = None
    groups: bool | Mapping[str, bool] | None = None
    load_waveforms: bool = False
    time_slice: Window | None = None
    strict_slicing: bool = True


class CascadeLoader:
    """Loads the children of lists that wait to be touched."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def load_lazy_cascade(self, address: Address, lazy: bool) -> Any:
        """Make the object at `address`."""
        if address.kind == "segment":
            options = TreeOptions(lazy=lazy, cascade="lazy", signal_group_mode=address.mode)
            return _segment(self.recording, address.segment, options)
        return load_address(self.recording, address, lazy=lazy)


class GroupMembers:
    """Loads the members of groups through the segments they belong to, so that both are one."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def load_lazy_cascade(self, address: tuple[int, str, int], lazy: bool) -> Any:
        """Give member `position` of the child list of a segment."""
        segment, children, position = address
        return getattr(self.block.segments[segment], children)[position]


def read_blocks(recording: Recording, options: TreeOptions) -> list[Block]:
    """Give all blocks of a recording; raises as `read_block`."""
    options = _checked(recording, options)
    own = _own_blocks(recording, options)
    return [_block(recording, index, options, own) for index in range(len(recording.blocks))]


def read_block(recording: Recording, block_index: int, options: TreeOptions) -> Block:
    """Give one block.

    Raises
    ------
    IndexError
        If there is no such block.
    ValueError
        If options contradict each other, or a window lies outside a segment.
    NotImplementedError
        If the format has no such `signal_group_mode`, or groups of events or epochs are asked for.
    """
    options = _checked(recording, options)
    _item(recording.blocks, block_index, "block", recording)
    return _block(recording, block_index, options, _own_blocks(recording, options))


def _block(
    recording: Recording, block_index: int, options: TreeOptions, own: Sequence[Block] | None
) -> Block:
    """Make a block, or give as much as the options ask for of the one that the format holds."""
    if own is not None:
        return _part_of_block(recording, own[block_index], block_index, options)
    info = recording.blocks[block_index]
    block = Block(
        name=info.name,
        file_origin=recording.path,
        rec_datetime=info.rec_datetime,
        index=block_index,
        **_plain({**recording.annotations, **info.annotations}),
    )
    segments = _segments_of(recording, block_index)
    if not options.cascade:
        return block
    children = [_children(recording, segment, options) for segment in segments]
    if options.cascade == "lazy":
        mode = options.signal_group_mode or ""
        addresses = [Address("segment", segment, mode=mode) for segment in segments]
        block.segments._defer(addresses, CascadeLoader(recording), lazy=options.lazy)
    else:
        arena = Arena()
        block.segments.extend(
            _filled_segment(recording, segment, addresses, options, arena.empty)
            for segment, addresses in zip(segments, children, strict=True)
        )
    block.groups.extend(_groups(recording, block, children, options))
    return block


def read_segment(
    recording: Recording, block_index: int, seg_index: int, options: TreeOptions
) -> Segment:
    """Give one segment of a block; raises as `read_block`."""
    options = _checked(recording, options)
    _item(recording.blocks, block_index, "block", recording)
    segments = _segments_of(recording, block_index)
    number = _item(segments, seg_index, "segment", recording)
    own = _own_blocks(recording, options)
    if own is not None:
        segment = own[block_index].segments[seg_index]
        return _part_of_segment(recording, segment, number, options)
    return _segment(recording, number, options)


def read_protocol(recording: Recording) -> list[Segment]:
    """Give the command signals, one Segment per sweep with one AnalogSignal per stimulus stream."""
    segments = []
    for number in range(len(recording.segments)):
        segment = _empty_segment(recording, number)
        for stream in recording.stimuli:
            for run in recording.segment_runs(stream, number):
                address = Address(
                    "signal", number, stream.index, int(run), stream.name, is_stimulus=True
                )
                segment.analogsignals.append(load_address(recording, address))
        segments.append(segment)
    return segments


def segment_addresses(recording: Recording, segment: int, mode: str) -> Children:
    """Give the addresses of a segment's children, by the name of their list."""
    children: Children = {name: [] for name in CHILD_LISTS.values()}
    for stream in recording.signals:
        kind = "signal" if len(stream.item_shape) == 1 else "image"
        parts = _parts(stream.channels, stream.name, mode)
        for run in recording.segment_runs(stream, segment):
            children[CHILD_LISTS[kind]] += [
                Address(kind, segment, stream.index, int(run), name, channels)
                for name, channels in parts
            ]
    for table in recording.tables:
        runs = recording.segment_runs(table, segment)
        children[CHILD_LISTS[table.kind]] += [
            address
            for run in (map(int, runs) if len(runs) else [None])
            for address in _table_addresses(table, segment, run, mode)
        ]
    return children


def _checked(recording: Recording, options: TreeOptions) -> TreeOptions:
    """Check options against each other and the format, and fill in the default mode."""
    if options.lazy and (options.load_waveforms or options.time_slice is not None):
        raise ValueError(
            "lazy=True does not go with load_waveforms or time_slice: pass them to the load() of "
            "the lazy objects"
        )
    modes = recording.format.signal_group_modes
    mode = options.signal_group_mode or recording.info.signal_group_mode or modes[0]
    if mode not in modes:
        raise NotImplementedError(
            f"{recording.format.label} has no signal_group_mode {mode!r}; it has {[*modes]}"
        )
    if options.cascade not in (True, False, "lazy"):
        raise ValueError(f'cascade must be True, False or "lazy", not {options.cascade!r}')
    return replace(options, signal_group_mode=mode)


def _item(items: Sequence[Any], index: int, what: str, recording: Recording) -> Any:
    if not -len(items) <= index < len(items):
        raise IndexError(f"{recording.path} has {len(items)} {what}s, asked for {what} {index}")
    return items[index]


def _own_blocks(recording: Recording, options: TreeOptions) -> Sequence[Block] | None:
    """Give the blocks that a format holds as object trees itself, if it does."""
    read_own = getattr(recording.module, "read_blocks", None)
    return None if read_own is None else read_own(recording.reading, lazy=options.lazy)


def _part_of_block(recording: Recording, block: Block, index: int, options: TreeOptions) -> Block:
    """Give as much of a ready block as the options ask for."""
    if options.cascade and options.time_slice is None:
        return block
    bare: Block = _childless(block)
    if options.cascade:
        bare.segments.extend(
            _part_of_segment(recording, segment, number, options)
            for number, segment in zip(_segments_of(recording, index), block.segments, strict=True)
        )
    return bare


def _part_of_segment(
    recording: Recording, segment: Segment, number: int, options: TreeOptions
) -> Segment:
    """Give as much of a ready segment as the options ask for."""
    if not options.cascade:
        bare: Segment = _childless(segment)
        return bare
    window = _window(recording, number, options)
    if window is None:
        return segment
    part: Segment = segment.time_slice(*window)
    return part


def _childless(container: Any) -> Any:
    """Copy a container's attributes and annotations, but no children and no parent."""
    twin = type(container)()
    parents = set(twin._parent_attrs)
    facts = {key: value for key, value in vars(container).items() if key not in parents}
    twin.__dict__.update(facts, _lists={}, annotations=dict(container.annotations))
    return twin


def _segments_of(recording: Recording, block_index: int) -> list[int]:
    block = range(len(recording.blocks))[block_index]
    return [number for number, info in enumerate(recording.segments) if info.block == block]


def _plain(annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Rename annotations that would be taken for parameters of a constructor."""
    taken = {"name", "description", "file_origin", "file_datetime", "rec_datetime", "index"}
    return {(f"{key}_" if key in taken else key): value for key, value in annotations.items()}


def _empty_segment(recording: Recording, number: int) -> Segment:
    info = recording.segments[number]
    return Segment(
        name=info.name,
        file_origin=recording.path,
        rec_datetime=info.rec_datetime,
        index=recording.segment_places[number],
        **_plain(info.annotations),
    )


def _segment(recording: Recording, number: int, options: TreeOptions) -> Segment:
    if not options.cascade:
        return _empty_segment(recording, number)
    return _filled_segment(recording, number, _children(recording, number, options), options)


def _filled_segment(
    recording: Recording,
    number: int,
    children: Children,
    options: TreeOptions,
    allocate: Allocate = np.empty,
) -> Segment:
    """Make a segment and put its children into it, now or when they are touched."""
    segment = _empty_segment(recording, number)
    filled = {name: addresses for name, addresses in children.items() if addresses}
    if options.cascade == "lazy":
        loader = CascadeLoader(recording)
        for name, addresses in filled.items():
            getattr(segment, name)._defer(addresses, loader, lazy=options.lazy)
        return segment
    window = _window(recording, number, options)
    for name, addresses in filled.items():
        getattr(segment, name).extend(
            load_address(
                recording,
                address,
                lazy=options.lazy,
                time_slice=window,
                load_waveforms=options.load_waveforms,
                allocate=allocate,
            )
            for address in addresses
        )
    return segment


def _children(recording: Recording, number: int, options: TreeOptions) -> Children:
    """Give the addresses of a segment's children that reach into the window."""
    window = _window(recording, number, options)
    children = segment_addresses(recording, number, options.signal_group_mode or "")
    if window is None:
        return children
    return {
        name: [address for address in addresses if _reaches(recording, address, window)]
        for name, addresses in children.items()
    }


def _window(recording: Recording, number: int, options: TreeOptions) -> Window | None:
    """Clip the window to the segment; a strict bound outside is an error."""
    if options.time_slice is None:
        return None
    info = recording.segments[number]
    low, high = info.t_start or 0.0, info.t_stop or 0.0
    start, stop = (_seconds(bound) for bound in options.time_slice)
    start, stop = low if start is None else start, high if stop is None else stop
    slack = 1e-9 * max(1.0, abs(low), abs(high))
    if options.strict_slicing and (start < low - slack or stop > high + slack):
        raise ValueError(
            f"time_slice ({start} s, {stop} s) reaches outside segment {number} of "
            f"{recording.path} ({low} s to {high} s); strict_slicing=False clips it"
        )
    if start > stop:
        raise ValueError(f"time_slice starts at {start} s, after it ends at {stop} s")
    return max(start, low) * pq.s, min(stop, high) * pq.s


def _seconds(bound: Any) -> float | None:
    if bound is None:
        return None
    return float(bound.rescale(pq.s).magnitude if hasattr(bound, "rescale") else bound)


def _reaches(recording: Recording, address: Address, window: Window) -> bool:
    """Tell whether an object has anything in the window (tables always do: empty ones are kept)."""
    if address.kind not in ("signal", "image"):
        return True
    stream = recording.signals[address.stream]
    start, stop = (float(bound.magnitude) for bound in window)
    run = address.run or 0
    return float(stream.t_start(run)) < stop and start < float(stream.t_stop(run))


@lru_cache(maxsize=256)
def _parts(
    channels: Channels, stream_name: str, mode: str
) -> list[tuple[str, tuple[int, ...] | None]]:
    """Give the groups of channels that become one signal each, and its name."""
    if mode == "split-all":
        return [(name, (position,)) for position, name in enumerate(channels.names)]
    by_unit: dict[Any, list[int]] = {}
    for position, text in enumerate(channels.units):
        unit, known = unit_from_text(text)
        by_unit.setdefault(str(unit.dimensionality) if known else (text,), []).append(position)
    if len(by_unit) <= 1:
        return [(stream_name, None)]
    return [
        (f"Channels: ({' '.join(channels.names[at] for at in positions)})", tuple(positions))
        for positions in by_unit.values()
    ]


def _table_addresses(table: TableStream, segment: int, run: int | None, mode: str) -> list[Address]:
    if table.kind == "spikes":
        return [
            Address("spikes", segment, table.index, run, unit.name, unit=position)
            for position, unit in enumerate(table.units)
        ]
    if table.kind == "samples" and table.channels is not None:
        return [
            Address("samples", segment, table.index, run, name, channels)
            for name, channels in _parts(table.channels, table.name, mode)
        ]
    return [Address(table.kind, segment, table.index, run, table.name)]


def _wanted_groups(groups: bool | Mapping[str, bool] | None) -> set[str]:
    """Give the names of the classes that get groups across segments."""
    if groups is None:
        return {"AnalogSignal"}
    if isinstance(groups, bool):
        return {"AnalogSignal", "SpikeTrain"} if groups else set()
    if not isinstance(groups, Mapping) or not set(groups) <= set(GROUPED):
        raise ValueError(
            "create_group_across_segment must be None, a bool, or a dict with the keys "
            f"{[*GROUPED]}, not {groups!r}"
        )
    wanted = {name for name, is_wanted in groups.items() if is_wanted}
    if wanted & {"Event", "Epoch"}:
        raise NotImplementedError("groups of events or epochs across segments are not made")
    return wanted


def _groups(
    recording: Recording, block: Block, children: Sequence[Children], options: TreeOptions
) -> Iterable[Group]:
    """Make groups of the same signal, or the same unit, over all segments of the block."""
    wanted = _wanted_groups(options.groups)
    owners = {"signal": "AnalogSignal", "spikes": "SpikeTrain"}
    kinds = [kind for kind, owner in owners.items() if owner in wanted]
    members: dict[tuple[Any, ...], list[tuple[int, str, int]]] = {}
    for within, kind in product(range(len(children)), kinds):
        for position, address in enumerate(children[within][CHILD_LISTS[kind]]):
            key = kind, address.stream, address.channels, address.unit
            members.setdefault(key, []).append((within, CHILD_LISTS[kind], position))
    numbers = dict.fromkeys(kinds, 0)
    for (kind, stream, _, unit), entries in members.items():
        group = _group(recording, kind, stream, unit, numbers[kind])
        numbers[kind] += 1
        _fill(group, CHILD_LISTS[kind], block, entries, options)
        yield group


def _group(recording: Recording, kind: str, stream: int, unit: int, number: int) -> Group:
    if kind == "signal":
        found = recording.signals[stream]
        return Group(name=f"AnalogSignal group {number}", stream_id=found.id)
    sorted_unit = recording.tables[stream].units[unit]
    return Group(
        name=f"SpikeTrain group {number}", unit_name=sorted_unit.name, unit_id=sorted_unit.label
    )


def _fill(
    group: Group,
    children: str,
    block: Block,
    entries: list[tuple[int, str, int]],
    options: TreeOptions,
) -> None:
    """Put members into a group, now or when they are touched."""
    members = getattr(group, children)
    if options.cascade == "lazy":
        members._defer(entries, GroupMembers(block), lazy=options.lazy)
        return
    loader = GroupMembers(block)
    members.extend(loader.load_lazy_cascade(entry, options.lazy) for entry in entries)
