"""Where files are: addresses elsewhere (``s3://...``) through fsspec, and what is in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ephyrus._shared.extras import optional_module

__all__ = ["entries", "entries_in_memory", "filesystem", "is_url"]


def is_url(path: str | os.PathLike[str]) -> bool:
    """Tell whether `path` is an address for fsspec (``s3://...``) and not a local path."""
    scheme, separator, _ = os.fspath(path).partition("://")
    return bool(separator) and scheme.isalnum()


def filesystem(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Give the fsspec file system and the path on it for an address."""
    fsspec = optional_module("fsspec", "cloud", f"Opening {url}")
    try:
        return fsspec.core.url_to_fs(url, **options)  # type: ignore[no-any-return]  # fsspec has no types
    except ImportError as error:  # each kind of address has a package of its own
        raise OSError(f"{url}: this kind of address needs another package: {error}") from error
    except ValueError as error:
        raise OSError(f"{url}: {error}") from error


def entries(filesystem: Any, folder: str) -> Iterator[tuple[str, str]]:
    """Give the names in a folder and what they name: "file", "directory" or something else.

    Parameters
    ----------
    filesystem : fsspec.AbstractFileSystem or None
        None: the local one.
    folder : str
        The folder's path on it.
    """
    if filesystem is not None:
        for entry in filesystem.ls(folder, detail=True):
            yield PurePosixPath(entry["name"]).name, entry["type"]
        return
    with os.scandir(folder) as found:
        for each in found:
            yield each.name, _kind(each)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_file():
        return "file"
    return "directory" if entry.is_dir() else "other"  # sockets, broken links


def entries_in_memory(names: Iterable[str], below: str) -> Iterator[tuple[str, str]]:
    """Give the same for files in memory; at the top every file is listed by its whole name."""
    prefix = f"{below.rstrip('/')}/" if below else ""
    inner = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    for name in inner:
        if not below or "/" not in name:
            yield name, "file"
    for folder in {name.partition("/")[0] for name in inner if name.find("/") > 0}:
        yield folder, "directory"
