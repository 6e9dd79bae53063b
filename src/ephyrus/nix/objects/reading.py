"""Entities of a NIX file -> a tree of objects, lazy or not, whole or as it is touched."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from ephyrus.core import Block, ChannelView, Group, Segment
from ephyrus.nix.group import Group as NixGroup
from ephyrus.nix.multi_tag import MultiTag
from ephyrus.nix.objects.kinds import KINDS, SUBGROUP
from ephyrus.nix.objects.readpoints import points_of
from ephyrus.nix.objects.readsignals import SIGNALS, object_name, signals_of
from ephyrus.nix.objects.sources import NixPath
from ephyrus.nix.objects.tree import Facts, Tree, as_keywords, facts_of, recorded

__all__ = ["BlockReader", "NixPath", "block_names", "read_block"]

_GROUPS = KINDS["Group"].type, SUBGROUP.type
_STRAY = ""  # stands for the segment of signals that are in none


def block_names(place: NixPath) -> list[str]:
    """Give the names of the NIX blocks that hold objects."""
    return [block.name for block in place.file.blocks if block.type == KINDS["Block"].type]


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
    return BlockReader(place, name, lazy=lazy).whole()


class BlockReader:
    """Reads one block, in one go or segment by segment.

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
    """

    def __init__(self, place: NixPath, name: str, *, lazy: bool = False) -> None:
        self._tree = Tree(place, place.block(name), lazy)
        self._name = name
        self._groups: dict[str, Group] = {}
        self._block: Block | None = None
        self._numbers: dict[str, int] = {}  # of segments

    def __getstate__(self) -> tuple[NixPath, str, bool, Block | None, dict[str, int]]:
        return self._tree.place, self._name, self._tree.lazy, self._block, self._numbers

    def __setstate__(self, state: tuple[NixPath, str, bool, Block | None, dict[str, int]]) -> None:
        place, name, lazy, block, numbers = state
        BlockReader.__init__(self, place, name, lazy=lazy)
        self._block, self._numbers = block, numbers

    def bare(self) -> Block:
        """Give the block without children."""
        entity = self._tree.block
        facts = facts_of(entity)
        block = Block(**as_keywords(facts.common(entity, self._tree.place.path)))
        block.rec_datetime = recorded(entity)
        block.file_datetime = _file_datetime(facts)
        return block

    def whole(self) -> Block:
        """Give the block with everything in it."""
        self._block = block = self.bare()
        groups = self._entities()
        block.segments.extend(self._segment(group) for group in groups if _is_segment(group))
        for number, segment in enumerate(block.segments):
            segment.index = number  # which is not kept
        stray = self._stray()
        if stray is not None:
            block.segments.append(stray)
        self._make_groups(groups)
        return block

    def deferred(self) -> Block:
        """Give the block; its segments and groups are read when they are touched."""
        self._block = block = self.bare()
        groups = self._entities()
        segments = [(self._name, "segment", group.name) for group in groups if _is_segment(group)]
        if self._has_stray(groups):
            segments.append((self._name, "segment", _STRAY))
        self._numbers = {name: number for number, (_, _, name) in enumerate(segments)}
        lazy = self._tree.lazy
        block.segments._defer(segments, self, lazy=lazy)
        owners = [group.name for group in groups if group.type == KINDS["Group"].type]
        block.groups._defer([(self._name, "group", name) for name in owners], self, lazy=lazy)
        return block

    def load_lazy_cascade(self, address: tuple[str, str, str], lazy: bool) -> Any:
        """Read a child of the deferred block, or give the one that was read."""
        _, kind, name = address
        if kind == "segment":
            if name == _STRAY:
                return self._stray()
            segment = self._segment(self._tree.block.groups[name])
            segment.index = self._numbers.get(name)
            return segment
        if not self._groups and self._block is not None:
            list(self._block.segments)  # members of groups belong to their segments first
            self._make_groups(self._entities(), attach=False)
        return self._groups[name]

    def _entities(self) -> list[NixGroup]:
        return list(self._tree.block.groups)

    # --- segments ---

    def _segment(self, group: NixGroup) -> Segment:
        tree, facts = self._tree, facts_of(group)
        segment = Segment(**as_keywords(facts.common(group, tree.place.path)))
        segment.rec_datetime = recorded(group)
        segment.file_datetime = _file_datetime(facts)
        for obj in signals_of(tree, group.data_arrays):
            segment.add(obj)
        for tag in group.multi_tags:
            obj = points_of(tree, tag)
            if obj is not None:
                segment.add(obj)
        return segment

    def _stray(self) -> Segment | None:
        """Give signals that are in no group, as old files have them, in a segment of their own."""
        tree = self._tree
        unused = [array for array in tree.block.data_arrays if array.name not in tree.arrays]
        stray = signals_of(tree, unused)
        if not stray:
            return None
        segment = Segment(name="signals in no segment", file_origin=tree.place.path)
        for obj in stray:
            segment.add(obj)
        return segment

    def _has_stray(self, groups: list[NixGroup]) -> bool:
        """Tell whether there are signals in no group, without reading any."""
        linked = {array.id for group in groups for array in group.data_arrays}
        return any(
            array.type in SIGNALS and array.id not in linked
            for array in self._tree.block.data_arrays
        )

    # --- groups ---

    def _make_groups(self, entities: list[NixGroup], *, attach: bool = True) -> None:
        """Make all groups; with `attach`, put the outer ones into the block."""
        for entity in entities:
            if entity.type not in _GROUPS:
                continue
            facts = facts_of(entity)
            group = self._group(entity, facts)
            self._groups[entity.name] = group
            parent = facts.reserved.get("neo_parent")
            owner = self._groups.get(parent) if isinstance(parent, str) else None
            if owner is not None and owner is not group:
                owner.groups.append(group)
            elif attach and self._block is not None:
                self._block.groups.append(group)

    def _group(self, entity: NixGroup, facts: Facts) -> Group:
        tree = self._tree
        group = Group(**as_keywords(facts.common(entity, tree.place.path)))
        for obj in signals_of(tree, entity.data_arrays):
            group.add(obj)
        for tag in entity.multi_tags:
            is_view = tag.type == KINDS["ChannelView"].type
            obj = self._view(tag) if is_view else points_of(tree, tag)
            if obj is not None:
                group.add(obj)
        return group

    def _view(self, tag: MultiTag) -> ChannelView | None:
        """Make the view of a multi tag, once; None if it is not of one signal."""
        tree = self._tree
        view: ChannelView | None = tree.made.get(tag.name)
        if view is not None:
            return view
        names = {object_name(array) for array in tag.references}
        signals = [tree.made[name] for name in sorted(names) if name in tree.made]
        positions = tag.positions
        tree.arrays.add(positions.name)
        if len(signals) != 1 or positions.dtype.kind not in "iuf":
            return None
        facts = facts_of(tag)
        index = np.asarray(positions[:], np.int64)
        view = tree.made[tag.name] = ChannelView(
            signals[0],
            index,
            array_annotations=facts.columns(len(index)),
            **as_keywords(facts.common(tag, tree.place.path)),
        )
        return view


def _is_segment(group: NixGroup) -> bool:
    return group.type == KINDS["Segment"].type


def _file_datetime(facts: Facts) -> datetime | None:
    found = facts.reserved.get("file_datetime")
    return found if isinstance(found, datetime) else None
