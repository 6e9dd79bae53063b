"""The files of a recording: which there are, and whether they are as they were."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ephyrus.recording import ByteSource, FileSet, Format, Limits, Progress, Recording
from ephyrus.registry import format_named

__all__ = ["State", "TrackedFiles", "opened", "state_of"]

MOST_FILES = 2000  # of a folder that is one recording: those beyond are not watched


@dataclass(frozen=True, slots=True)
class State:
    """What tells whether files changed.

    Attributes
    ----------
    size : int
        Bytes of all files.
    modified_ns : int
        Latest time of change.
    """

    size: int
    modified_ns: int


class TrackedFiles(FileSet):
    """Files of a recording that remember which of them were opened."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self.used: dict[str, None] = {}
        super().__init__(*arguments, **keywords)

    def source(self, name: str, *, field: str | None = None) -> ByteSource:
        """Open a file, or give it if it is open."""
        if name not in self.used:
            self.used[name] = None
        return super().source(name, field=field)


def opened(
    path: str, format: str, options: Mapping[str, Any], *, progress: Progress | None = None
) -> tuple[Recording, TrackedFiles]:
    """Open a recording of a known format to be served: read by position, never mapped.

    Raises
    ------
    FormatError, OSError, MissingExtraError
        As `ephyrus.open`.
    """
    files = TrackedFiles(path, access="pread")
    module = format_named(format)
    return Recording(module, files, options, progress=progress, limits=Limits()), files


def files_of(files: TrackedFiles, declared: Format) -> list[str]:
    """List the paths of the files that a recording consists of, the main one first."""
    main = Path(os.path.abspath(files.path))  # noqa: PTH100 - a link stays a link
    if files.is_dir:
        found = sorted(each for each in main.rglob("*") if each.is_file())[:MOST_FILES]
        return [str(main), *map(str, found)]
    used = [main.parent / name for name in files.used if name != files.name]
    beside = [
        path
        for ending in declared.companions
        for path in (main.with_suffix(f".{ending}"), main.with_suffix(f".{ending.upper()}"))
    ]
    there = [path for path in (*used, *beside) if path != main and path.is_file()]
    return [str(path) for path in dict.fromkeys([main, *there])][:MOST_FILES]


def state_of(paths: Iterable[str]) -> State:
    """Give the state of files on disk.

    Raises
    ------
    OSError
        If one of them is not there.
    """
    size, modified = 0, 0
    for path in paths:
        status = os.stat(path)  # noqa: PTH116 - asked for with every answer: twice as quick
        size += status.st_size
        modified = max(modified, status.st_mtime_ns)
    return State(size, modified)


def is_unchanged(paths: Sequence[str], state: State) -> bool:
    """Tell whether files are there and in a state."""
    try:
        return state_of(paths) == state
    except OSError:
        return False
