"""Finds out what stored files are, by processes of their own, and checks what these report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.service.files.canonical import (
    StoredArrayInfo,
    array_header,
    array_nbytes,
    is_kept_dtype,
    is_kept_shape,
)
from ephyrus.service.files.kinds import ARRAY, NAMES, UNKNOWN
from ephyrus.service.files.nursery import ChildFailed, ChildLost, Refused
from ephyrus.service.files.scratch import lay_out
from ephyrus.service.files.workshop import Workshop

__all__ = ["Looked", "checked_array", "look", "look_at_path"]

_ALONE = (b"\x89HDF", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
DEFAULT_MIME = "application/octet-stream"
PATIENCE = 60.0  # seconds to wait for others who have files looked at
MOST_NOTE = 500  # characters


@dataclass(frozen=True, slots=True)
class Looked:
    """What a file is.

    Attributes
    ----------
    file_type : int
        One of `ephyrus.service.files.kinds`.
    format : str or None
        Format of the recording.
    mime : str
        Media type.
    array : StoredArrayInfo or None
        The array that was taken out of it, with its key in the store.
    note : str
        Why it is not what it may have been meant to be.
    is_main : bool
        It does not belong to another file that was looked at with it.
    """

    file_type: int = UNKNOWN
    format: str | None = None
    mime: str = DEFAULT_MIME
    array: StoredArrayInfo | None = None
    note: str = ""
    is_main: bool = True

    @property
    def info(self) -> dict[str, Any]:
        """What is told of it in ``extracted_info``."""
        info: dict[str, Any] = {}
        if self.format:
            info["format"] = self.format
        if self.array is not None:
            info |= {"dtype": self.array.dtype, "shape": list(self.array.shape)}
        if self.note:
            info["note"] = self.note
        return info


@dataclass(frozen=True, slots=True)
class StoredName:
    """A stored file under the name that it was uploaded with."""

    name: str
    key: str
    size: int = field(compare=False)


def look(
    workshop: Workshop, files: Sequence[StoredName], siblings: Sequence[StoredName] = ()
) -> list[Looked]:
    """Find out what files are.

    Parameters
    ----------
    workshop : Workshop
        What is needed for it.
    files : sequence of StoredName
        The files.
    siblings : sequence of StoredName
        Files that may belong to them.

    Returns
    -------
    list of Looked
        One for each of `files`. Arrays are in the store, and named by nothing yet.

    Raises
    ------
    ChildLost
        If that cannot be found out now.
    """
    with workshop.scratch.folder() as folder:
        shown = [(each.name, each.key) for each in files]
        beside = _beside(workshop, files, siblings)
        paths = lay_out(workshop.store, shown, folder, siblings=beside)
        found = [
            look_at_path(workshop, path, each.size) for path, each in zip(paths, files, strict=True)
        ]
        mains = _mains(workshop, paths, found)
    return [
        each if path in mains else replace(each, is_main=False)
        for path, each in zip(paths, found, strict=True)
    ]


def _beside(
    workshop: Workshop, files: Sequence[StoredName], siblings: Sequence[StoredName]
) -> list[tuple[str, str]]:
    """Choose the siblings that may tell what files are: those that are called alike.

    HDF5 files and archives stand for themselves.
    """
    stems = {_stem(each.name) for each in files if siblings and _needs_others(workshop, each)}
    return [(each.name, each.key) for each in siblings if _stem(each.name) in stems]


def _stem(name: str) -> str:
    return name.partition(".")[0].casefold()


def _needs_others(workshop: Workshop, file: StoredName) -> bool:
    """Tell by its first bytes whether a file may be a part of something."""
    source = workshop.store.source(file.key)
    try:
        return not source.head(8).startswith(_ALONE)
    finally:
        source.close()


def _mains(workshop: Workshop, paths: Sequence[Path], found: Sequence[Looked]) -> set[Path]:
    """Give the files that do not belong to others of the same recording."""
    parts = [str(path) for path, each in zip(paths, found, strict=True) if each.format]
    if len(parts) < 2:
        return set(paths)
    try:
        limits = workshop.look_limits(0)
        report = workshop.nursery.run("mains", {"paths": parts}, limits, patience=PATIENCE)
    except ChildLost:
        raise
    except (Refused, ChildFailed):
        return set(paths)
    mains = report.get("paths")
    others = set(parts) - set(map(str, mains if isinstance(mains, list) else parts))
    return {path for path in paths if str(path) not in others}


def look_at_path(workshop: Workshop, path: Path, size: int) -> Looked:
    """Find out what a file is that lies in a folder with what may belong to it."""
    with workshop.scratch.folder() as folder:
        request = {"path": str(path), "folder": str(folder), **workshop.room}
        try:
            limits = workshop.look_limits(size)
            report = workshop.nursery.run("look", request, limits, patience=PATIENCE)
            return _checked(workshop, report, folder)
        except ChildLost:  # which tells nothing about the file
            raise
        except (Refused, ChildFailed) as error:
            return Looked(note=str(error)[:MOST_NOTE])


def _checked(workshop: Workshop, report: Mapping[str, Any], folder: Path) -> Looked:
    """Believe a report as far as it can be checked, and take over the array."""
    kind, format, mime = (report.get(name) for name in ("file_type", "format", "mime"))
    is_sound = kind in NAMES and isinstance(mime, str) and mime.isascii() and len(mime) < 100
    if not is_sound or not (format is None or (isinstance(format, str) and format.isidentifier())):
        raise ChildFailed("the process that looked at the file gave a report that cannot be true")
    array = None
    if kind == ARRAY:
        path = folder / "array"
        array = checked_array(path, report.get("array"))
        array = array.at(workshop.store.adopt(path))
    note = str(report.get("note") or "")[:MOST_NOTE]
    return Looked(int(str(kind)), format, str(mime), array, note)


def checked_array(path: Path, report: Any) -> StoredArrayInfo:
    """Check what a child says of an array against the file that it wrote.

    Parameters
    ----------
    path : Path
        The file.
    report : object
        What it says: ``dtype``, ``shape``, ``sorted``, ``digest``.

    Returns
    -------
    StoredArrayInfo
        Its key is the name of the file.

    Raises
    ------
    ChildFailed
        If that is not exactly the file of such an array.
    """
    facts = report if isinstance(report, Mapping) else {}
    dtype, shape, is_sorted, digest = (
        facts.get(name) for name in ("dtype", "shape", "sorted", "digest")
    )
    is_sound = (
        isinstance(dtype, str)
        and is_kept_dtype(dtype)
        and isinstance(shape, list)
        and all(type(length) is int for length in shape)
        and is_kept_shape(shape)
        and is_sorted in (True, False, None)
        and isinstance(digest, str)
        and len(digest) == 40
        and digest.isalnum()
        and digest.isascii()
    )
    if is_sound:
        kind, lengths = np.dtype(str(dtype)), tuple(shape or ())
        header = array_header(kind, lengths)
        size = len(header) + array_nbytes(kind, lengths)
        if _is_plain_file(path, size) and _head(path, len(header)) == header:
            return StoredArrayInfo(
                path.name, len(header), kind.str, lengths, is_sorted, str(digest), size
            )
    raise ChildFailed("the process that copied the array wrote something else than it says")


def _is_plain_file(path: Path, size: int) -> bool:
    """Tell whether there is a file, and no link, of this size."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size == size


def _head(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
