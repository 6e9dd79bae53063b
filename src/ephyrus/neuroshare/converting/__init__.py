"""Converts what a Neuroshare library reads: to NIX, to plain HDF5, to a native file.

The layouts of NIX and HDF5 files are those of ``ns-convert`` of G-Node, so that scripts made for
its files go on to work: an array for each entity, with all facts of the interface.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ephyrus._shared.words import counted
from ephyrus.errors import NeoReadWriteError
from ephyrus.export.files import beside
from ephyrus.neuroshare.entities import AnalogEntity
from ephyrus.neuroshare.file import File
from ephyrus.recording import NullProgress, Progress, pieces

__all__ = ["FORMATS", "convert", "default_target", "left_out", "sample_pieces", "unique_names"]

PIECE_SAMPLES = 2**20
ENDINGS = {"nix": ".h5", "hdf5": ".hdf5", "nsn": ".nsn"}
FORMATS = tuple(ENDINGS)


def default_target(source: str | os.PathLike[str], format: str) -> Path:
    """Give the file that a recording is converted to: its name with the ending of the format."""
    return Path(source).with_suffix(ENDINGS[format])


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    format: str | None = None,
    *,
    library: Any = None,
    isolate: bool | None = None,
    progress: Progress | None = None,
) -> tuple[Path, tuple[str, ...]]:
    """Convert a recording that a Neuroshare library, or a reader of the package, reads.

    Parameters
    ----------
    source : path-like or str
        The recording.
    target : path-like or str, optional
        The file to be made (default: see `default_target`).
    format : {"nix", "hdf5", "nsn"}, optional
        What is made (default: native for a name that ends in ``.nsn``, else NIX).
    library, isolate
        As for `File`.
    progress : Progress, optional
        Told about each entity.

    Returns
    -------
    target : Path
        The file.
    losses : tuple of str
        What it does not have of the recording, a sentence each.

    Raises
    ------
    NeoReadWriteError
        If the target is the source.
    ValueError
        If there is no such format.
    """
    wanted = format
    if wanted is None:
        is_native = target is not None and Path(target).suffix.lower() == ".nsn"
        wanted = "nsn" if is_native else "nix"
    if wanted not in ENDINGS:
        raise ValueError(f"format={wanted!r}: expected one of {', '.join(FORMATS)}")
    path = default_target(source, wanted) if target is None else Path(target)
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise NeoReadWriteError(f"{path}: the recording cannot be replaced by what is made of it")
    watched = progress or NullProgress()
    with File(source, library, isolate=isolate) as file:
        if wanted == "nsn":
            from ephyrus.neuroshare.converting.native import write_native

            return path, write_native(file, path, watched)
        if wanted == "nix":
            from ephyrus.neuroshare.converting.nixfile import write_nix as write
        else:
            from ephyrus.neuroshare.converting.hdf5file import write_hdf5 as write
        with beside(path) as (part,):
            losses = write(file, part, watched)
    return path, losses


def unique_names(names: Mapping[int, str]) -> dict[int, str]:
    """Make the names of entities unique, and names that files can have.

    Examples
    --------
    >>> unique_names({0: "a", 1: "b/c", 4: "a"})
    {0: 'a', 1: 'b_c', 4: 'a #4'}
    """
    taken: set[str] = set()
    found = {}
    for number, name in names.items():
        unique = name.replace("/", "_").strip() or f"entity {number}"
        unique = f"_{unique}" if unique == "." else unique
        if unique in taken:
            unique = f"{unique} #{number}"
        taken.add(unique)
        found[number] = unique
    return found


def sample_pieces(entity: AnalogEntity) -> Iterator[tuple[int, int]]:
    """Cut the samples of an entity into ranges that are read at once."""
    return pieces(0, entity.item_count, 8, 8 * PIECE_SAMPLES)


def left_out(count: int) -> tuple[str, ...]:
    """Tell how many entities are of a type that the interface does not define."""
    if not count:
        return ()
    return (f"left out: {counted(count, 'entity', 'entities')} of unknown type",)
