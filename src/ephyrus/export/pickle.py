"""Writes blocks as a pickle; lazy objects are loaded first, because a pickle holds data."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephyrus.core import SpikeTrain
from ephyrus.core.dataobject import DataObject
from ephyrus.export import WriteReport
from ephyrus.export.files import beside

if TYPE_CHECKING:
    from ephyrus.core import Block
    from ephyrus.recording import Progress

__all__ = ["write"]


def write(
    blocks: Sequence[Block],
    path: Path,
    options: Mapping[str, Any],
    *,
    progress: Progress,
) -> WriteReport:
    """Write blocks to a pickle.

    Parameters
    ----------
    blocks : sequence of Block
        One block is pickled itself, several as a list.
    path : Path
        The file.
    options : mapping
        ``protocol``: 4 or 5.
    progress : Progress
        Told about the objects.

    Returns
    -------
    WriteReport
        Nothing is lost. The whole tree is held in memory.
    """
    loaded = [_loaded(block) for block in blocks]
    progress.start(len(loaded), "blocks", f"writing {path.name}")
    try:
        with beside(path) as (part,), part.open("wb") as file:
            for_file: Any = loaded[0] if len(loaded) == 1 else loaded
            pickle.dump(for_file, file, protocol=options["protocol"])
        progress.advance(len(loaded))
    finally:
        progress.finish()
    return WriteReport((path,))


def _loaded(block: Block) -> Block:
    """Give the block, or a copy of it in which every lazy object is loaded."""
    objects = [obj for obj in block.data_children_recur if isinstance(obj, DataObject)]
    memo = {id(obj): _full(obj) for obj in objects if obj.lazy_shape is not None}
    if not memo:
        return block
    memo |= {id(obj): obj.detached() for obj in objects if obj.lazy_shape is None}
    return copy.deepcopy(block, memo)


def _full(obj: Any) -> Any:
    """Load an object with everything it has."""
    if isinstance(obj, SpikeTrain):
        return obj.load(load_waveforms=obj.waveforms is not None)
    return obj.load()
