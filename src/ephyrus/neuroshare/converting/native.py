"""A recording as a Neuroshare native file, by way of the objects."""

from __future__ import annotations

from pathlib import Path

from ephyrus.dll.opening import library_for
from ephyrus.export.nsn import write
from ephyrus.neuroshare.file import File
from ephyrus.recording import Progress, Recording
from ephyrus.registry import open_recording

__all__ = ["write_native"]


def write_native(file: File, path: Path, progress: Progress) -> tuple[str, ...]:
    """Write what a library or a reader of the package reads as a native file."""
    with _recording(file, progress) as recording:
        return write(recording.tree(lazy=True), path, {}, progress=progress).losses


def _recording(file: File, progress: Progress) -> Recording:
    """Open the file as a recording, through the same library."""
    library = file.library.path
    if library is None:
        return open_recording(file.name, progress=progress)
    isolate = file.library.calls is not library_for(file.name, library, isolate=False)
    return open_recording(
        file.name, format="neuroshare", dllname=library, isolate=isolate, progress=progress
    )
