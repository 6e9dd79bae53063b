"""Index columns of large files, kept in the user's cache folder.

Walking the packets of a large file takes longer than everything else about opening it, and gives
the same columns every time. They are kept as plain ``.npy`` files, which are mapped when the file
is opened again. An entry is keyed by the paths, sizes and modification times of the files, by
samples of their bytes, and by everything else the columns depend on; a file that changed has
another key.

``EPHYRUS_CACHE`` names another folder, or is ``off``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from ephyrus._version import __version__
from ephyrus.recording.files import FileSet
from ephyrus.recording.streams import Problem

__all__ = ["CACHE_VARIABLE", "cache_folder", "cached_columns"]

CACHE_VARIABLE = "EPHYRUS_CACHE"
CACHED_FROM_BYTES = 16 * 2**20  # smaller files are walked faster than a folder is searched
MOST_BYTES = 2 * 2**30  # of all entries together; the oldest go
SAMPLES, SAMPLE_BYTES = 16, 4096  # of each file, in its digest
SETTLED_SECONDS = 2.0  # a file that was just written may change again within one time stamp
FACTS = "facts.json"

Columns = Mapping[str, NDArray[Any]]

log = logging.getLogger(__name__)


def cache_folder() -> Path | None:
    """Give the folder of the cache, or None where it is off."""
    named = os.environ.get(CACHE_VARIABLE, "")
    if named.lower() == "off":
        return None
    return Path(named) if named else user_cache_path("ephyrus", appauthor=False) / "index"


def cached_columns(
    files: FileSet,
    names: Sequence[str],
    purpose: Mapping[str, Any],
    problems: list[Problem],
    build: Callable[[], Columns],
) -> Columns:
    """Give columns from the cache, or build and keep them.

    Parameters
    ----------
    files : FileSet
        The recording's files.
    names : sequence of str
        Names of the files the columns depend on.
    purpose : mapping
        What else they depend on: format, options, which columns.
    problems : list of Problem
        Those that `build` adds are kept, and added again when the columns come from the cache.
    build : callable
        Makes the columns, each of one dimension.
    """
    folder = cache_folder()
    key = None if folder is None else _key(files, names, purpose)
    if folder is None or key is None:
        return build()
    entry = folder / key
    found = _loaded(entry)
    if found is not None:
        columns, noted = found
        problems += noted
        return columns
    before = len(problems)
    columns = build()
    if _key(files, names, purpose) == key:  # else it changed while it was walked
        _keep(entry, columns, problems[before:])
    return columns


def _key(files: FileSet, names: Sequence[str], purpose: Mapping[str, Any]) -> str | None:
    """Digest of everything that columns depend on; None: they are not to be kept."""
    digest = hashlib.sha256(repr((__version__, sorted(purpose.items()))).encode())
    total = 0
    for name in names:
        status = files.status(name)
        if status is None or abs(time.time() - status.st_mtime) < SETTLED_SECONDS:
            return None
        total += status.st_size
        digest.update(repr((name, status.st_size, status.st_mtime_ns, status.st_ino)).encode())
        source = files.source(name)
        places = np.linspace(0, max(source.size - SAMPLE_BYTES, 0), SAMPLES).astype(np.int64)
        for place in places.tolist():
            digest.update(source.read_at(place, min(SAMPLE_BYTES, source.size - place)))
    digest.update(str(Path(files.path).absolute()).encode(errors="surrogateescape"))
    return digest.hexdigest() if total >= CACHED_FROM_BYTES else None


def _loaded(entry: Path) -> tuple[Columns, list[Problem]] | None:
    """Map the columns of an entry; None where there is none or it is not sound."""
    if not entry.is_dir():
        return None
    try:
        facts = json.loads((entry / FACTS).read_text("utf-8"))
        columns = {}
        for name, (place, size) in facts["columns"].items():
            column = np.load(entry / place, mmap_mode="r", allow_pickle=False)
            if column.shape != (size,):
                raise ValueError(f"column {name} has the shape {column.shape}")  # noqa: TRY301
            columns[name] = np.asarray(column)
        problems = [Problem(**problem) for problem in facts["problems"]]
        os.utime(entry)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.info("the cached index %s is not used: %s", entry, error)
        shutil.rmtree(entry, ignore_errors=True)
        return None
    return columns, problems


def _keep(entry: Path, columns: Columns, problems: Sequence[Problem]) -> None:
    """Write an entry beside its place and rename it; a cache that cannot be written is no error."""
    part: str | None = None
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.mkdtemp(prefix=".part-", dir=entry.parent)
        places = {}
        for number, (name, column) in enumerate(columns.items()):
            places[name] = f"{number}.npy", column.shape[0]
            np.save(Path(part) / places[name][0], column, allow_pickle=False)
        facts = {"columns": places, "problems": [asdict(problem) for problem in problems]}
        (Path(part) / FACTS).write_text(json.dumps(facts), "utf-8")
        Path(part).rename(entry)
        _shrink(entry.parent)
    except OSError as error:
        log.info("the index is not cached: %s", error)
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _shrink(folder: Path) -> None:
    """Remove the entries that were not used for longest, until the rest fits."""
    sizes = {}
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            size = sum(file.stat().st_size for file in entry.iterdir())
            sizes[entry] = entry.stat().st_mtime, size
    total = sum(size for _, size in sizes.values())
    for entry, (_, size) in sorted(sizes.items(), key=lambda item: item[1][0]):
        if total <= MOST_BYTES:
            return
        shutil.rmtree(entry, ignore_errors=True)
        total -= size
