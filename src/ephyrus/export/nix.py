"""Writes blocks as a NIX file, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephyrus.export import WriteReport
from ephyrus.export.files import beside
from ephyrus.nix.enums import Compression, FileMode
from ephyrus.nix.file import File
from ephyrus.nix.objects import bytes_of, write_block
from ephyrus.recording import under_way

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
    """Write blocks to a NIX file.

    Parameters
    ----------
    blocks : sequence of Block
        Each becomes a NIX block of type ``neo.block``.
    path : Path
        The file.
    options : mapping
        ``use_obj_names``: entities have the names of the objects. ``compression``: the data are
        compressed.
    progress : Progress
        Told about the bytes of data.

    Returns
    -------
    WriteReport
        What the layout cannot hold.

    Raises
    ------
    ValueError
        If names are to be used and are missing or not unique, or a group has members that are in
        no segment of its block.

    Notes
    -----
    Memory: the tree, the labels and annotations, and one piece of data.
    """
    compression = Compression.DeflateNormal if options["compression"] else Compression.No
    losses: list[str] = []
    with (
        under_way(progress, sum(map(bytes_of, blocks)), "B", f"writing {path.name}"),
        beside(path) as (part,),
        File(part, FileMode.Overwrite, compression, auto_update_timestamps=False) as file,
    ):
        for block in blocks:
            names = options["use_obj_names"]
            written = write_block(file, block, use_obj_names=names, advance=progress.advance)
            losses += written.losses
    return WriteReport((path,), tuple(losses))
