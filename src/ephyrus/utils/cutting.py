"""Cut segments and blocks into one segment per epoch, trials for instance."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ephyrus.core.baseneo import copy_annotations
from ephyrus.core.block import Block
from ephyrus.core.epoch import Epoch
from ephyrus.core.segment import Segment
from ephyrus.core.units import quantity
from ephyrus.utils.selection import get_epochs, loaded

__all__ = ["cut_block_by_epochs", "cut_segment_by_epoch"]


def cut_block_by_epochs(
    block: Block, properties: dict[str, Any] | None = None, reset_time: bool = False
) -> Block:
    """Make a block with one segment per epoch.

    Parameters
    ----------
    block : Block
        Is not changed.
    properties : dict, optional
        Which epochs to cut by, as keywords of `get_epochs`; by default all that there are.
    reset_time : bool, default False
        Let the times of each new segment begin at 0.

    Returns
    -------
    Block
        With the attributes and annotations of `block`. Its segments are those of
        `cut_segment_by_epoch`, for each segment of `block` in turn. Groups are not taken over,
        because their members are not: they belong to the segments that were cut.

    Raises
    ------
    TypeError
        If `block` is not a Block.

    Warns
    -----
    UserWarning
        If there is no such epoch, so that the new block is empty.
    """
    if not isinstance(block, Block):
        raise TypeError(f"only a Block can be cut, not a {type(block).__name__}")
    names = ("name", "description", "file_origin", "file_datetime", "rec_datetime", "index")
    attributes = {name: getattr(block, name) for name in names}
    new = Block(**attributes)
    new.annotations = copy_annotations(block.annotations)
    for segment in block.segments:
        for epoch in get_epochs(segment, **(properties or {})):
            new.segments.extend(cut_segment_by_epoch(segment, epoch, reset_time=reset_time))
    if not new.segments:
        warnings.warn(
            f"no epoch in the segments of {block!r} has the properties {properties or {}}, so the "
            "new block is empty",
            UserWarning,
            stacklevel=2,
        )
    return new


def cut_segment_by_epoch(seg: Segment, epoch: Epoch, reset_time: bool = False) -> list[Segment]:
    """Make one segment per epoch.

    Parameters
    ----------
    seg : Segment
        Is not changed.
    epoch : Epoch
        Beginnings and durations of the new segments; they may overlap. Loaded if lazy.
    reset_time : bool, default False
        Let the times of each new segment begin at 0.

    Returns
    -------
    list of Segment
        Each with copies of the data from the beginning of an epoch to its end (see
        `Segment.time_slice`; lazy data are loaded for this window), with the attributes and
        annotations of `seg`, the annotations of the Epoch and, as further annotations, the values
        that its array annotations have for that epoch.

    Raises
    ------
    TypeError
        If an argument is of another class.
    """
    if not isinstance(seg, Segment):
        raise TypeError(f"only a Segment can be cut, not a {type(seg).__name__}")
    if not isinstance(epoch, Epoch):
        raise TypeError(f"a Segment is cut by an Epoch, not by a {type(epoch).__name__}")
    full = loaded(epoch)
    starts = full.view(np.ndarray)
    stops = starts + full._own_durations()
    parts = []
    for place, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        part = seg.time_slice(
            quantity(start, full._unit), quantity(stop, full._unit), reset_time=reset_time
        )
        part.annotations.update(copy_annotations(full.annotations))
        part.annotations.update(_values_at(full, place))
        parts.append(part)
    return parts


def _values_at(epoch: Epoch, place: int) -> dict[str, Any]:
    """Return the values of array annotations for one epoch; plain numbers and strings as such."""
    values = {}
    for name, array in epoch.array_annotations.items():
        if len(array):  # an empty one is to be filled later
            value = array[place]
            plain = isinstance(value, np.generic) and value.dtype.kind in "biufcUS"
            values[name] = value.item() if plain else value
    return values
