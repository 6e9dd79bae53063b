"""What a check works on: a sample, written to a folder, and the ways to open it."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import (
    Access,
    FileSet,
    FormatModule,
    Progress,
    Recording,
    SignalStream,
    TableStream,
)
from ephyrus.testing.faults import Watch, WatchedFileSet, unwatched
from ephyrus.testing.sample import Sample

__all__ = [
    "Subject",
    "all_signals",
    "all_streams",
    "lengths",
    "quiet",
    "read_all",
    "require",
    "same",
    "values",
]

Key = tuple[str, str]
Values = dict[Key, NDArray[Any] | dict[str, NDArray[Any]]]


def require(condition: object, message: str) -> None:
    """Fail the test with `message` unless `condition` holds."""
    if not condition:
        raise AssertionError(message)


@dataclass(frozen=True, slots=True)
class Subject:
    """A sample on disk.

    Attributes
    ----------
    module : FormatModule
        The format that reads it.
    sample : Sample
        What it is.
    path : Path
        What is opened.
    scratch : Path
        An empty folder for damaged copies.
    in_memory : bool
        Damaged copies need no disk.
    """

    module: FormatModule
    sample: Sample
    path: Path
    scratch: Path
    in_memory: bool = True

    @property
    def has_file(self) -> bool:
        """Whether there is a file: a format whose mode is ``"fake"`` says that there is none."""
        return self.module.FORMAT.mode != "fake"

    @property
    def title(self) -> str:
        """Format and name of the sample, for messages."""
        return f"{self.sample.format}/{self.sample.name}"

    @property
    def folder(self) -> Path:
        """The recording's folder."""
        return self.path if self.path.is_dir() else self.path.parent

    def contents(self) -> dict[str, bytes]:
        """Give the content of each file by its name relative to the folder, the main one first.

        The main file of a folder is its largest.
        """
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        files.sort(key=lambda path: (path != self.path, -path.stat().st_size, path))
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}

    def files(self, *, access: Access = "mmap", watch: Watch = unwatched) -> FileSet:
        """Give the sound files."""
        if not self.has_file:
            return WatchedFileSet(self.path.name, memory={self.path.name: b""}, watch=watch)
        return WatchedFileSet(self.path, access=access, watch=watch)

    def damaged(self, contents: Mapping[str, bytes], *, watch: Watch = unwatched) -> FileSet:
        """Give files with other contents, in memory where the format allows that."""
        if self.in_memory and not self.path.is_dir():
            return WatchedFileSet(self.path.name, memory=contents, watch=watch)
        return WatchedFileSet(self.stored(contents), watch=watch)

    def stored(self, contents: Mapping[str, bytes]) -> Path:
        """Write contents to a scratch folder of their own and give the path to open."""
        folder = self.scratch / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, data in contents.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return folder if self.path.is_dir() else folder / self.path.name

    def open(
        self,
        files: FileSet | None = None,
        *,
        salvage: bool = False,
        progress: Progress | None = None,
    ) -> Recording:
        """Open the sound files, or others."""
        return Recording(
            self.module,
            self.files() if files is None else files,
            self.sample.options,
            salvage=salvage,
            progress=progress,
        )


def all_signals(rec: Recording) -> Iterator[tuple[Key, SignalStream]]:
    """Give recorded and command signals with the keys under which `values` has them."""
    for kind, streams in (("signal", rec.signals), ("stimulus", rec.stimuli)):
        for stream in streams:
            yield (kind, stream.id), stream


def all_streams(rec: Recording) -> Iterator[tuple[Key, SignalStream | TableStream]]:
    """Give signals and tables with the keys under which `values` has them."""
    yield from all_signals(rec)
    for table in rec.tables:
        yield ("table", table.id), table


def lengths(rec: Recording) -> dict[Key, int]:
    """Give the length of each stream."""
    return {key: stream.length for key, stream in all_streams(rec)}


def read_all(
    rec: Recording, stream: SignalStream | TableStream, start: int = 0, stop: int | None = None
) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """Read a range of a stream, with all columns of a table; check shapes and types."""
    stop = stream.length if stop is None else stop
    if isinstance(stream, SignalStream):
        signal = rec.read_signal(stream, start, stop)
        _require_array(signal, stream.dtype, (stop - start, *stream.item_shape), stream.name)
        return signal
    table = rec.read_table(stream, start, stop, list(stream.columns))
    require(
        list(table) == list(stream.columns),
        f"table {stream.name!r}: asked for columns {list(stream.columns)}, got {list(table)}",
    )
    for name, dtype in stream.columns.items():
        what = f"{stream.name!r}, column {name!r}"
        _require_array(table[name], dtype.base, (stop - start, *dtype.shape), what)
    return table


def _require_array(
    found: NDArray[Any], dtype: np.dtype[Any], shape: tuple[int, ...], what: str
) -> None:
    require(isinstance(found, np.ndarray), f"{what}: read {type(found).__name__}, no array")
    require(found.shape == shape, f"{what}: declared shape {shape}, read {found.shape}")
    if dtype.kind in "OU":
        good = found.dtype.kind == "U" or (
            dtype.kind == "O" and all(isinstance(item, str) for item in found.flat)
        )
        require(good, f"{what}: declared texts ({dtype}), read {found.dtype}")
    else:
        require(found.dtype == dtype, f"{what}: declared {dtype.str}, read {found.dtype.str}")


def values(rec: Recording) -> Values:
    """Read everything."""
    return {key: read_all(rec, stream) for key, stream in all_streams(rec)}


def same(found: Any, expected: Any) -> bool:
    """Tell whether two results are equal, bit by bit (so that NaN equals itself)."""
    if isinstance(expected, Mapping):
        return found.keys() == expected.keys() and all(
            same(found[key], item) for key, item in expected.items()
        )
    if found.shape != expected.shape:
        return False
    if expected.dtype.kind in "OU":
        return bool(np.all(found == expected))
    return bool(found.dtype == expected.dtype and found.tobytes() == expected.tobytes())


@contextmanager
def quiet() -> Iterator[None]:
    """Keep thousands of damaged files from filling the log; make warnings errors."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        logging.disable(disabled)
