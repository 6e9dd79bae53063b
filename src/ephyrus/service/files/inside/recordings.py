"""Copies a recording of any format: into objects and arrays, or into one NIX file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ephyrus.errors import EphyrusError
from ephyrus.export import writer
from ephyrus.nix.objects import bytes_of
from ephyrus.recording import Limits, NullProgress, Recording
from ephyrus.registry import open_recording
from ephyrus.service.arrays.recorded import RecordedArray, recorded_array
from ephyrus.service.files.inside.manifest import Manifest
from ephyrus.service.files.nursery import Refused
from ephyrus.service.inplace.mapping import rows_of

if TYPE_CHECKING:
    from ephyrus.core import Block

__all__ = ["convert_recording", "export_recording"]

TOO_LARGE = "the data would need more room than is allowed for the size of the file"
READ_BYTES = 256 * 2**20  # most that one read may give
MOST_PROBLEMS = 50


def _opened(path: Path, format: str | None) -> Recording:
    """Open a recording, damaged ones as far as they are sound."""
    try:
        return open_recording(
            path,
            format=format,
            access="pread",
            salvage=True,
            limits=Limits(read_bytes=READ_BYTES),
        )
    except (EphyrusError, OSError, ValueError) as error:
        raise Refused(_told(error, path)) from error


def _told(error: Exception, path: Path) -> str:
    """Say what is wrong, without naming folders of the service."""
    text = str(error).replace(f"{path.parent}/", "").replace(str(Path.home()), "~")
    return " ".join(text.split())[:500]


def convert_recording(path: Path, format: str | None, manifest: Manifest) -> list[str]:
    """Write down the objects of a recording, and copy its arrays.

    Parameters
    ----------
    path : Path
        Its main file.
    format : str or None
        Its format; None: found by content.
    manifest : Manifest
        Where objects and arrays go.

    Returns
    -------
    list of str
        What was salvaged, assumed or left out.

    Raises
    ------
    Refused
        If it cannot be read.
    """
    with _opened(path, format) as recording:
        try:
            for row in rows_of(recording, name=path.name):
                array = None
                if row.array is not None:
                    array = _copied(recording_array(recording, row.array), manifest)
                manifest.add(
                    row.type,
                    row.key,
                    attributes=row.attributes,
                    quantities=row.quantities,
                    arrays=row.arrays,
                    parents=row.parents,
                    tags=row.tags,
                    facts={},
                    array=array,
                )
        except Refused:
            raise
        except (EphyrusError, OSError, ValueError, IndexError) as error:
            raise Refused(_told(error, path)) from error
        return [_told_problem(problem, path) for problem in recording.problems[:MOST_PROBLEMS]]


def _told_problem(problem: Any, path: Path) -> str:
    return str(problem).replace(f"{path.parent}/", "")


def recording_array(recording: Recording, array: Mapping[str, Any]) -> RecordedArray:
    """Give the array of a row of the mapping."""
    return recorded_array(recording, array["location"])


def _copied(array: RecordedArray, manifest: Manifest) -> Any:
    """Copy an array in physical units, piece by piece."""
    row_bytes = max(1, math.prod(array.shape[1:]) * array.dtype.itemsize)
    rows = max(1, min(array.preferred_rows, READ_BYTES // row_bytes))

    def blocks() -> Iterator[NDArray[Any]]:
        for start in range(0, array.shape[0], rows):
            yield array.read(start, min(start + rows, array.shape[0]), scaled=True)

    return manifest.write_array(array.dtype, array.shape, blocks())


def export_recording(path: Path, format: str | None, target: Path, room: int) -> list[str]:
    """Write a recording as a NIX file, if its data have at most `room` bytes.

    Returns
    -------
    list of str
        What NIX cannot hold.

    Raises
    ------
    Refused
        If it cannot be read, or not be written so.
    """
    options = {"use_obj_names": False, "compression": False}
    with _opened(path, format) as recording:
        try:
            blocks = _with_room(recording.tree(lazy=True), room)
            report = writer("nix")(blocks, target, options, progress=NullProgress())
        except Refused:
            raise
        except (EphyrusError, OSError, ValueError) as error:
            raise Refused(_told(error, path)) from error
    return list(report.losses)


def _with_room(blocks: list[Block], room: int) -> list[Block]:
    """Refuse blocks with more data than there is room for."""
    if sum(map(bytes_of, blocks)) > room:
        raise Refused(TOO_LARGE)
    return blocks
