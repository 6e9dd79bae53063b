"""Folders of their own for files that are being looked at or taken apart."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ephyrus.service.files.store import ArrayStore

__all__ = ["Scratch", "lay_out", "plain_name"]

COPIED = 8 * 2**20  # bytes at a time
MOST_NAME = 200  # bytes
_BAD = frozenset('/\\:*?"<>|')


def plain_name(name: str) -> str:
    """Give a name that a file may have anywhere, as much like the given one as possible.

    Parameters
    ----------
    name : str
        As it was sent; a path counts by its last part.

    Returns
    -------
    str
        Never empty, no path, no hidden file.
    """
    text = name.encode("utf-8", "replace").decode()  # halves of characters become "?"
    last = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join("_" if letter in _BAD or ord(letter) < 32 else letter for letter in last)
    while len(kept.encode()) > MOST_NAME:
        stem, dot, suffix = kept.rpartition(".")
        kept = f"{stem[:-1]}.{suffix}" if dot and len(suffix) < 20 else kept[:-1]
    return kept.strip().lstrip(".") or "file"


class Scratch:
    """Makes folders below one folder; what a killed process leaves there is swept.

    Parameters
    ----------
    root : Path
        The folder; on the same file system as the store of arrays, if that is a folder too, so
        that files are moved and not copied.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Make a folder for the length of the block."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.root, ignore_cleanup_errors=True) as name:
            yield Path(name)

    def sweep(self, *, older_than: float) -> int:
        """Remove folders that nothing was put into for `older_than` seconds; gives how many."""
        latest = time.time() - older_than
        removed = 0
        for path in self.root.iterdir() if self.root.is_dir() else ():
            if path.is_dir() and path.stat().st_mtime <= latest:
                shutil.rmtree(path, ignore_errors=True)
                removed += 1
        return removed


def lay_out(
    store: ArrayStore,
    files: Iterable[tuple[str, str]],
    folder: Path,
    *,
    siblings: Iterable[tuple[str, str]] = (),
) -> list[Path]:
    """Show stored files in a folder under their own names.

    Parameters
    ----------
    store : ArrayStore
        Where they are.
    files : iterable of (str, str)
        Name and key of each; of those of equal names the first lies beside the others.
    folder : Path
        Where they are to appear.
    siblings : iterable of (str, str)
        What is to lie beside them, unless something of that name does, or the store has lost it.

    Returns
    -------
    list of Path
        One for each of `files`.
    """
    paths: list[Path] = []
    for number, (name, key) in enumerate(files):
        path = folder / plain_name(name)
        if path.exists():  # the first has the name that others may know it by
            path = folder / str(number) / path.name
            path.parent.mkdir()
        _show(store, key, path)
        paths.append(path)
    for name, key in siblings:
        path = folder / plain_name(name)
        if not path.exists():
            with suppress(FileNotFoundError):  # lost from the store: the files are looked at alone
                _show(store, key, path)
    return paths


def _show(store: ArrayStore, key: str, path: Path) -> None:
    """Link a file, or copy it where there is nothing to link."""
    local = store.local_path(key)
    if local is not None:
        with suppress(OSError):  # another file system, or one without links
            os.link(local, path)
            return
    source = store.source(key)
    try:
        with path.open("xb") as target:
            for start in range(0, source.size, COPIED):
                target.write(source.read_at(start, min(COPIED, source.size - start)))
    finally:
        source.close()
