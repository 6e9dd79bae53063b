"""Finds formats, tells which one a file is of, and opens it.

Formats are the modules of :mod:`ephyrus.formats` and the entry points of group
``ephyrus.formats``; the list of their names costs no import. A module is named after its IO class
(``axon`` for ``AxonIO``), so that one class costs one import.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path, PurePath
from typing import Any

from ephyrus import formats as _formats
from ephyrus._shared.extras import optional_module
from ephyrus.errors import WrongFormatError
from ephyrus.recording import (
    SNIFF_BYTES,
    Access,
    FileSet,
    Format,
    FormatModule,
    Limits,
    Progress,
    Recording,
)
from ephyrus.recording.declaration import as_format_module
from ephyrus.recording.files import is_url

__all__ = [
    "Match",
    "all_formats",
    "file_set",
    "format_module",
    "format_named",
    "format_names",
    "identify",
    "matches_of",
    "open_recording",
]

BY_NAME = 0.15  # confidence up to which only the name speaks for a format

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Match:
    """A format that a file may be of.

    Attributes
    ----------
    format : Format
        The candidate.
    confidence : float
        1 sure by content; up to 0.15 only the name speaks for it.
    """

    format: Format
    confidence: float


@cache
def _module_names() -> Mapping[str, str]:
    """Format name to module path; our own formats win over entry points of the same name."""
    found = {entry.name: entry.value for entry in entry_points(group="ephyrus.formats")}
    for module in pkgutil.iter_modules(_formats.__path__):
        found[module.name] = f"{_formats.__name__}.{module.name}"
    return found


def format_names() -> list[str]:
    """Names of all formats, sorted; imports none of them."""
    return sorted(_module_names())


@cache
def format_module(name: str) -> FormatModule:
    """Import a format by its name.

    Raises
    ------
    ValueError
        If there is no such format; the message lists those that exist.
    """
    path = _module_names().get(name)
    if path is None:
        raise ValueError(f"no format {name!r}; there are: {', '.join(format_names())}")
    return as_format_module(import_module(path))


def format_named(name: str) -> FormatModule:
    """Find a format by its name or its IO class (``"axon"``, ``"AxonIO"``), whatever the case."""
    return format_module(name.lower().removesuffix("io"))


def all_formats() -> list[Format]:
    """List the declarations of all formats by name (imports every module)."""
    return [format_module(name).FORMAT for name in format_names()]


def file_set(
    path: str | os.PathLike[str],
    *,
    access: Access = "mmap",
    storage_options: Mapping[str, Any] | None = None,
    fake: bool = False,
) -> FileSet:
    """Open a path's `FileSet`; ``.fake``, services (or what is called `fake`) need no file."""
    if fake or PurePath(path).suffix.lower() == ".fake" or _is_service(path):
        name = os.fspath(path)
        return FileSet(name, memory={name: b""})
    return FileSet(path, access=access, storage_options=storage_options)


def _is_service(path: str | os.PathLike[str]) -> bool:
    """Tell the address of a data service: it has no file to look into."""
    text = os.fspath(path)
    if not text.startswith(("http://", "https://")):
        return False
    address: re.Pattern[str] = import_module(f"{_formats.__name__}.service").ADDRESS
    return address.fullmatch(text) is not None


def identify(files: FileSet) -> list[Match]:
    """Tell which formats a recording may be of, the most likely first.

    Looks at the content (one read of the first 16 KiB, and companion files) and then at the name.

    Raises
    ------
    OSError
        If the file system fails.
    """
    return sorted(_candidates(files), key=lambda match: -match.confidence)


def _candidates(files: FileSet) -> Iterator[Match]:
    """Ask every format that may be of this kind; those of the name's ending first."""
    head = b"" if files.is_dir else files.main.head(SNIFF_BYTES)
    for declared in sorted(all_formats(), key=lambda each: files.suffix not in each.extensions):
        if declared.mode in ("dir", "database") or not files.is_dir:
            confidence = format_module(declared.name).sniff(files, head)
            if confidence > 0:
                yield Match(declared, confidence)


def matches_of(path: str | os.PathLike[str]) -> list[Match]:
    """Tell which formats a path may be of, the most likely first; see `identify`."""
    files = file_set(path)
    try:
        return identify(files)
    finally:
        files.close()


def open_recording(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    access: Access = "mmap",
    salvage: bool = False,
    progress: Progress | None = None,
    limits: Limits | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Recording:
    """Open a recording of any format.

    Parameters
    ----------
    path : path-like or str
        A file, a folder, or an address for fsspec (``s3://...``; extra ``cloud``). Where the
        format is given, the name of a file without its ending will do.
    format : str, optional
        Name of the format or of its IO class (default: found by content, then by name).
    access : {"mmap", "pread"}
        How local files are read; ``"pread"`` for network drives and files that may shrink.
    salvage : bool
        Read what is sound of a damaged file; ``recording.problems`` lists the rest.
    progress : Progress, optional
        Told about a long walk through the file.
    limits : Limits, optional
        What one read may cost.
    storage_options : dict, optional
        Passed to fsspec.
    **options
        Options of the format (``ephyrus formats NAME`` lists them).

    Returns
    -------
    Recording

    Raises
    ------
    FileNotFoundError
        If the path is not there.
    WrongFormatError
        If no format fits; the message says what was tried.
    FormatError
        If the file is damaged.
    MissingExtraError
        If an optional package is needed.

    Examples
    --------
    >>> import ephyrus
    >>> recording = ephyrus.open("made-up.fake")
    >>> [stream.name for stream in recording.signals]
    ['stream 0', 'stream 1']
    """
    module = None if format is None else format_named(format)
    fake = module is not None and module.FORMAT.mode in ("fake", "database")
    if module is not None and not fake:
        path = _completed(path, module.FORMAT)
    files = file_set(path, access=access, storage_options=storage_options, fake=fake)
    try:
        if module is None:
            module = _best(files)
        _check_extras(module.FORMAT)
        return Recording(module, files, options, salvage=salvage, progress=progress, limits=limits)
    except BaseException:
        files.close()
        raise


def _completed(path: str | os.PathLike[str], declared: Format) -> str | os.PathLike[str]:
    """Give the first file of a format with this base name, where no file has the very name."""
    if is_url(path) or Path(path).expanduser().exists():
        return path
    local = Path(path).expanduser()
    named = (local.with_name(f"{local.name}.{ending}") for ending in declared.extensions)
    return next((found for found in named if found.is_file()), path)


def _best(files: FileSet) -> FormatModule:
    """Give the most likely format, or explain why there is none."""
    matches: list[Match] = []
    for match in _candidates(files):
        matches.append(match)
        if match.confidence >= 1:  # sure by content: the others need not be asked
            break
    matches.sort(key=lambda match: -match.confidence)
    if matches and matches[0].confidence > BY_NAME:
        best = matches[0]
        log.debug("%s: %s with confidence %s", files.path, best.format.name, best.confidence)
        return format_module(best.format.name)
    if not matches:
        raise WrongFormatError(
            files.path,
            f"none of the {len(format_names())} formats recognises it; "
            "`ephyrus formats` lists them, format=... names one",
        )
    names = " or ".join(f"format={match.format.name!r}" for match in matches)
    raise WrongFormatError(
        files.path,
        f"nothing in the file tells its format; if you know it, say {names} "
        f"and the options it needs (`ephyrus formats {matches[0].format.name}` lists them)",
    )


def _check_extras(declared: Format) -> None:
    """Name the extra to install if a package that the format needs is missing."""
    for package, extra in declared.extras:
        optional_module(package, extra, f"Reading {declared.label}")
