"""A (lazy) tree of objects -> entities of a NIX file, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import numpy as np

from ephyrus.core import Block, ChannelView, Group, Segment
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.file import File
from ephyrus.nix.multi_tag import MultiTag
from ephyrus.nix.objects.annotations import Stored, put_annotations, put_value
from ephyrus.nix.objects.kinds import (
    DATE,
    KINDS,
    NEO_VERSION,
    NO_DATE,
    SUBGROUP,
    VERSION_SECTION,
    VERSION_TYPE,
)
from ephyrus.nix.objects.target import Advance, Target, Written, class_name, is_name, link_all
from ephyrus.nix.objects.writepoints import write_points
from ephyrus.nix.objects.writesignals import write_analogsignal, write_images, write_irregular
from ephyrus.nix.section import Section

__all__ = ["check_names", "mark_version", "write_block"]

SIGNAL_LISTS = ("analogsignals", "irregularlysampledsignals", "imagesequences")
POINT_LISTS = ("events", "epochs", "spiketrains")
_WRITERS = {
    "analogsignals": write_analogsignal,
    "irregularlysampledsignals": write_irregular,
    "imagesequences": write_images,
}


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
        If a name is missing, cannot be one in NIX, or two objects of one sort have the same.
    """
    everything = [
        [obj for segment in block.segments for name in names for obj in getattr(segment, name)]
        for names in (SIGNAL_LISTS, POINT_LISTS)
    ]
    groups = [inner for group in block.groups for inner in group.walk()]
    for what, objects in (
        ("block", [block]),
        ("segments", list(block.segments)),
        ("signals and image sequences", _unique(everything[0])),
        ("events, epochs and spike trains", _unique(everything[1])),
        ("groups", groups),
    ):
        names = [str(obj.name or "") for obj in objects]
        if not all(names):
            raise ValueError(f"use_obj_names: not all of the {what} of {block.name!r} have a name")
        if len(set(names)) < len(names):
            raise ValueError(f"use_obj_names: two of the {what} of {block.name!r} share a name")
        for name in names:
            if not is_name(name):
                raise ValueError(f"use_obj_names: {name!r} cannot be a name in NIX (one of {what})")
    for obj in (block, *block.segments, *everything[0], *everything[1], *groups):
        obj.annotations["nix_name"] = obj.name


def _unique(objects: list[Any]) -> list[Any]:
    """Give each object once: one may stand in several segments."""
    return list({id(obj): obj for obj in objects}.values())


def write_block(
    file: File,
    block: Block,
    *,
    use_obj_names: bool = False,
    strict: bool = False,
    advance: Advance = lambda count: None,
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
    strict : bool
        Members of groups that are in no segment of the block are an error, not a loss.
    advance : callable
        Told the bytes of data that were written.

    Returns
    -------
    Written

    Raises
    ------
    ValueError
        If names are to be used and are missing or not unique, or (`strict`) a group has members
        that are in no segment of the block; nothing was written or replaced then.
    """
    if use_obj_names:
        check_names(block)
    if strict:
        _check_members(block)
    mark_version(file)
    kind = KINDS["Block"]
    written = Written("")
    target = Target(None, written, advance)  # type: ignore[arg-type]  # made below
    written.name = target.name_of(block, kind)
    places = file.blocks, file.sections
    is_there = any(written.name in place for place in places)
    # What is there stays until all is written: lazy objects may read from it.
    name = f"{written.name}.{uuid4().hex}" if is_there else written.name
    try:
        _write_tree(file, target, block, name)
    except BaseException:
        for place in places:
            if name in place:
                del place[name]
        raise
    for place in places if is_there else ():
        if written.name in place:
            del place[written.name]
        place[name].rename(written.name)
    return written


def _write_tree(file: File, target: Target, block: Block, name: str) -> None:
    """Write a block with everything in it."""
    kind = KINDS["Block"]
    entity = target.block = file.create_block(name, kind.type)
    section = target.section(file, block, kind, name)
    target.described(entity, section, block)
    _put_dates(section, entity, block)
    for segment in block.segments:
        _write_segment(target, section, segment)
    for group in block.groups:
        _write_group(target, section, group, None)


def _put_dates(section: Section, entity: Any, container: Block | Segment) -> None:
    """Write when something was recorded, and when its file was made."""
    recorded = container.rec_datetime
    section.definition = NO_DATE if recorded is None else f"{DATE}{recorded.isoformat()}"
    if recorded is not None:
        entity.force_created_at(max(int(recorded.timestamp()), 0))
    if isinstance(container.file_datetime, datetime):
        text = container.file_datetime.strftime("%Y-%m-%dT%H:%M:%S.%f")
        put_value(section, "file_datetime", Stored(text, None, "DATETIME"))


def _write_segment(target: Target, parent: Section, segment: Segment) -> None:
    kind = KINDS["Segment"]
    name = target.name_of(segment, kind)
    group = target.block.create_group(name, kind.type)
    section = target.section(parent, segment, kind, name)
    target.described(group, section, segment)
    _put_dates(section, group, segment)
    signals: list[DataArray] = []
    for lists in ("analogsignals", "irregularlysampledsignals"):
        for signal in getattr(segment, lists):
            signals += target.once(section, signal, _WRITERS[lists])
    link_all(group, b"data_arrays", signals)
    tags: list[MultiTag] = []
    for lists in POINT_LISTS:
        for obj in getattr(segment, lists):
            tags += target.once(section, obj, write_points)
    for tag in tags:
        link_all(tag, b"references", signals)
    link_all(group, b"multi_tags", tags)
    for sequence in segment.imagesequences:
        link_all(group, b"data_arrays", target.once(section, sequence, write_images))


# Groups


def _write_group(target: Target, parent: Section, group: Group, owner: str | None) -> None:
    kind = KINDS["Group"] if owner is None else SUBGROUP
    name = target.name_of(group, kind)
    entity = target.block.create_group(name, kind.type)
    section = target.section(parent, group, kind, name)
    target.described(entity, section, group)
    if owner is not None:
        put_value(section, "neo_parent", Stored(owner))
    for obj in _members(group):
        made = target.made.get(id(obj))
        if made is None:
            target.note(_orphan(group, obj))
            continue
        is_tag = KINDS[class_name(obj)].is_tag
        link_all(entity, b"multi_tags" if is_tag else b"data_arrays", made)
    for view in group.channelviews:
        link_all(entity, b"multi_tags", target.once(section, view, _write_view))
    for what, objects in (
        ("regions of interest", group.regionsofinterest),
        ("segments", group.segments),
    ):
        if len(objects):
            target.note(f"{len(objects)} {what} of the group {group.name!r}")
    for inner in group.groups:
        _write_group(target, parent, inner, name)


def _members(group: Group) -> Iterator[Any]:
    """Give the data objects of a group that stand in segments."""
    for name in (*SIGNAL_LISTS, *POINT_LISTS):
        yield from getattr(group, name)


def _orphan(group: Group, obj: Any) -> str:
    return (
        f"group {group.name!r} has a {type(obj).__name__} ({obj.name!r}) that is in no segment of "
        "the block: add it to a segment"
    )


def _check_members(block: Block) -> None:
    """Refuse groups with members that are in no segment."""
    known = {
        id(obj)
        for segment in block.segments
        for name in (*SIGNAL_LISTS, *POINT_LISTS)
        for obj in getattr(segment, name)
    }
    for outer in block.groups:
        for group in outer.walk():
            for obj in (*_members(group), *(view.obj for view in group.channelviews)):
                if id(obj) not in known:
                    raise ValueError(_orphan(group, obj))


def _write_view(target: Target, parent: Section, view: ChannelView) -> list[MultiTag]:
    arrays = target.made.get(id(view.obj))
    if arrays is None:
        target.note(f"the view {view.name!r} is of a signal that is in no segment of the block")
        return []
    kind = KINDS["ChannelView"]
    name = target.name_of(view, kind)
    index = np.asarray(view.index, np.int64)
    type_ = f"{kind.type}.index"
    positions = target.array(f"{name}.index", type_, index.shape, index.dtype, None, index)
    positions.append_set_dimension()
    tag = target.block.create_multi_tag(name, kind.type, positions)
    section = target.section(parent, view, kind, name)
    target.described(tag, section, view)
    put_annotations(section, view.array_annotations, target.note, arrays=True)
    link_all(tag, b"references", arrays)
    return [tag]
