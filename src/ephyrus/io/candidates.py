"""Which IO class fits a file or folder."""

from __future__ import annotations

import fnmatch
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ephyrus.core import Block
from ephyrus.errors import MissingExtraError, NeoReadWriteError
from ephyrus.io.basefromrawio import BaseFromRaw
from ephyrus.io.derive import io_class
from ephyrus.recording.files import is_url
from ephyrus.registry import BY_NAME, all_formats, matches_of

__all__ = ["get_io", "io_by_extension", "list_candidate_ios", "read"]

PathLike = str | os.PathLike[str]
IGNORED = ("*.ini", "README.txt", "README.md")


def io_by_extension() -> dict[str, list[type[BaseFromRaw]]]:
    """Give the classes for each name ending (lower case, without dot)."""
    found: dict[str, list[type[BaseFromRaw]]] = {}
    for declared in all_formats():
        for extension in declared.extensions:
            found.setdefault(extension, []).append(io_class(declared.name))
    return found


def _classes_of(extension: str) -> list[type[BaseFromRaw]]:
    """Give the classes for one name ending; the modules of other formats are not imported."""
    formats = [each for each in all_formats() if extension.lower() in each.extensions]
    return [io_class(each.name) for each in formats]


def list_candidate_ios(
    file_or_folder: PathLike, ignore_patterns: Sequence[str] = IGNORED
) -> list[type[BaseFromRaw]]:
    """Give the IO classes that a file or folder may be for, the most likely first.

    Parameters
    ----------
    file_or_folder : path-like or str
        An existing file or folder, a file to be written, or the beginning of file names.
    ignore_patterns : sequence of str
        Names in folders that do not count.

    Returns
    -------
    list of class
        Existing files are looked into: sure ones come first, contradicted ones drop out.

    Raises
    ------
    ValueError
        If nothing fits.
    """
    return _candidates(file_or_folder, ignore_patterns)[0]


def _candidates(
    file_or_folder: PathLike, ignore_patterns: Sequence[str] = IGNORED
) -> tuple[list[type[BaseFromRaw]], type[BaseFromRaw] | None]:
    """Give the candidates, and the one whose format recognises the content, if there is one."""
    path = Path(file_or_folder).expanduser()
    sure = None
    if is_url(file_or_folder) or path.exists():
        matches = matches_of(file_or_folder)
        classes = [io_class(match.format.name) for match in matches]
        sure = classes[0] if matches and matches[0].confidence > BY_NAME else None
        if path.is_dir() and sure is None:  # no recording itself: what lies in it may tell
            votes = _by_votes(path.rglob("*"), ignore_patterns)
            classes += [each for each in votes if each not in classes]
    elif path.suffix:
        classes = _classes_of(path.suffix[1:])
    else:
        there = path.parent.glob(f"{path.name}*") if path.parent.is_dir() else ()
        classes = _by_votes(there, ignore_patterns)
    if not classes:
        raise ValueError(f"{file_or_folder}: no IO class is known for it; see ephyrus.io.iolist")
    return classes, sure


def _by_votes(entries: Iterable[Path], ignore_patterns: Sequence[str]) -> list[type[BaseFromRaw]]:
    """Let each file's name ending vote for its classes."""
    votes: Counter[type[BaseFromRaw]] = Counter()
    classes_of = cache(_classes_of)  # a folder may have very many files
    for entry in entries:
        ignored = any(fnmatch.fnmatch(entry.name, pattern) for pattern in ignore_patterns)
        if entry.is_file() and not ignored:
            votes.update(classes_of(entry.suffix[1:]))
    return [candidate for candidate, _ in votes.most_common()]


def get_io(file_or_folder: PathLike, *args: Any, **kwargs: Any) -> BaseFromRaw:
    """Give an IO object for a file or folder.

    Parameters
    ----------
    file_or_folder : path-like or str
        The recording, or the name of one to be written.
    *args, **kwargs
        Passed to the class.

    Returns
    -------
    BaseFromRaw

    Raises
    ------
    OSError
        If no class could be constructed; the message lists each with its reason.
    FormatError
        If a class recognised the file by its content and failed to read it.
    """
    try:
        candidates, sure = _candidates(file_or_folder)
    except ValueError as error:
        raise NeoReadWriteError(f"Could not identify IO for {file_or_folder}: {error}") from error
    reasons = []
    for candidate in candidates:
        try:
            return candidate(file_or_folder, *args, **kwargs)
        except (OSError, TypeError, ValueError, MissingExtraError) as error:
            if candidate is sure:
                raise
            reasons.append(f"  {candidate.__name__}: {error}")
    tried = "\n".join(reasons)
    raise NeoReadWriteError(f"Could not identify IO for {file_or_folder}; tried\n{tried}")


def read(path: PathLike, **kwargs: Any) -> list[Block]:
    """Read a recording of any format as Blocks.

    Parameters
    ----------
    path : path-like or str
        A file or folder.
    **kwargs
        `lazy`, `cascade`, and the other keywords of ``read_block``; anything else is an option of
        the format.

    Returns
    -------
    list of Block

    Raises
    ------
    FileNotFoundError
        If the path is not there.
    OSError
        If no class could be constructed; the message lists each with its reason.
    FormatError
        If the file is damaged.

    Examples
    --------
    >>> import ephyrus
    >>> blocks = ephyrus.read("made-up.fake", lazy=True)
    >>> [len(block.segments) for block in blocks]
    [2, 3]
    """
    try:
        reader = get_io(path)
    except NeoReadWriteError as error:
        if is_url(path) or Path(path).expanduser().exists():
            raise
        raise FileNotFoundError(f"{path}: no such file or folder") from error
    return reader.read(**kwargs)
