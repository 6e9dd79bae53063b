"""From arguments to recordings: files, folders, many files; opening them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from ephyrus.cli.console import note
from ephyrus.cli.failures import Failure, Tally
from ephyrus.errors import FormatError, MissingExtraError, NeoReadWriteError
from ephyrus.folders import recognised, without_companions
from ephyrus.recording import SNIFF_BYTES, Access, Format, Option, Progress, Recording
from ephyrus.recording.declaration import by_keyword
from ephyrus.recording.files import is_url
from ephyrus.registry import (
    BY_NAME,
    format_module,
    format_named,
    format_names,
    matches_of,
    open_recording,
)

__all__ = [
    "How",
    "Source",
    "find_sources",
    "named_format",
    "open_source",
    "recording_files",
    "remarks",
    "with_units",
]

REMARKS_SHOWN = 5
_QUANTITY = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*([A-Za-zµμ]+)\s*")


@dataclass(frozen=True, slots=True)
class Source:
    """A recording to work on.

    Attributes
    ----------
    path : str
        File, folder or address.
    within : PurePath
        Its place below the folder that was given (its name, if a file was given).
    """

    path: str
    within: PurePath


@dataclass(frozen=True, slots=True)
class How:
    """How recordings are opened.

    Attributes
    ----------
    format : str or None
        Name of the format; None: found.
    options : mapping
        Options of the format as typed.
    salvage : bool
        Read what is sound of damaged files.
    access : {"mmap", "pread"}
        How local files are read.
    """

    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    salvage: bool = False
    access: Access = "mmap"


def named_format(name: str) -> Format:
    """Find a format by name or IO class.

    Raises
    ------
    Failure
        If there is none; the line names those that are spelled alike.
    """
    import difflib

    try:
        return format_named(name).FORMAT
    except ValueError as error:
        alike = difflib.get_close_matches(name.lower().removesuffix("io"), format_names())
        hint = f"did you mean {' or '.join(alike)}?" if alike else "'ephyrus formats' lists them"
        raise Failure(f"there is no format {name!r}", hint) from error


def find_sources(
    paths: Iterable[str],
    tally: Tally,
    *,
    recursive: bool = False,
    format: str | None = None,
    lost: bool = False,
) -> list[Source]:
    """List the recordings that arguments mean, each once.

    Parameters
    ----------
    paths : iterable of str
        Files, folders, addresses.
    tally : Tally
        Is told about folders without recordings.
    recursive : bool
        Look into folders within folders.
    format : str, optional
        Only this format counts in folders.
    lost : bool
        Tell the tally of files in folders that are called like recordings, and are none.

    Returns
    -------
    list of Source
        In the order given; those of a folder by name.
    """
    wanted = None if format is None else named_format(format)
    found: dict[str, Source] = {}
    for path in paths:
        folder = Path(path).expanduser()
        if is_url(path) or not folder.is_dir() or _is_recording(folder, wanted):
            found.setdefault(path, Source(path, PurePath(PurePath(path).name)))
            continue
        failed = tally.failed
        unknown = _lost_file if lost and wanted is None else None
        inside = list(_within(folder, recursive, wanted, tally, unknown))
        if not inside and tally.failed == failed:
            tally.fail(path, _nothing(folder, recursive))
        for source in inside:
            found.setdefault(source.path, source)
    kept = set(without_companions([source.path for source in found.values()], wanted))
    return [source for source in found.values() if source.path in kept]


def _is_recording(folder: Path, wanted: Format | None) -> bool:
    """Tell whether a folder is a recording itself, of the wanted format if there is one."""
    if wanted is not None and wanted.mode == "file":
        return False
    try:
        return recognised(str(folder), wanted)
    except OSError:
        return False  # told when it is looked into


def _nothing(folder: Path, recursive: bool) -> Failure:
    below = not recursive and any(entry.is_dir() for entry in folder.iterdir())
    hint = "-r looks into the folders in it" if below else "'ephyrus formats' lists what is read"
    return Failure(f"{folder}: no recording is recognised in this folder", hint)


def _within(
    folder: Path,
    recursive: bool,
    wanted: Format | None,
    tally: Tally,
    unknown: Callable[[Path], Failure | None] | None,
) -> Iterator[Source]:
    """Walk a folder; hidden files and folders are left out."""

    def tell(error: OSError) -> None:
        tally.fail(str(error.filename), error)

    for base, folders, names in os.walk(folder, onerror=tell):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(base)
        candidates = [here / name for name in sorted(names) if not name.startswith(".")]
        for name in list(folders):
            if _is_recording(here / name, wanted):
                folders.remove(name)
                yield Source(str(here / name), (here / name).relative_to(folder))
        for path in candidates:
            if _recognised(path, wanted, tally):
                yield Source(str(path), path.relative_to(folder))
            elif unknown is not None and (failure := unknown(path)) is not None:
                tally.fail(str(path), failure)
        if not recursive:
            return


def _recognised(path: Path, wanted: Format | None, tally: Tally) -> bool:
    if not path.is_file():  # sockets, broken links
        return False
    try:
        fits = recognised(str(path), wanted)
    except OSError as error:
        tally.fail(str(path), error)
        return False
    return fits and (wanted is None or path.suffix[1:].lower() in wanted.extensions)


def _lost_file(path: Path) -> Failure | None:
    """Say what is wrong with a file that is called like a recording, and is not recognised."""
    ending = path.suffix[1:].lower()
    named = [
        declared
        for declared in map(_declared, format_names())
        if ending in declared.extensions and ending not in declared.companions
    ]
    if not named:
        return None
    label = " or ".join(declared.label for declared in named)
    if not path.is_file():
        return Failure(f"{path}: the link leads nowhere") if path.is_symlink() else None
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF_BYTES)
    except OSError:
        return None  # told when it was looked at
    if not head:
        return Failure(f"{path}: the file is empty; it is called like {label}")
    # Text of any kind is no damage; nor are numbers without a header, which only a name tells.
    is_bare = any(not match.format.companions for match in matches_of(str(path)))
    if b"\0" not in head or is_bare:
        return None
    return Failure(f"{path}: the content is not that of {label}, as which it is called")


def _declared(name: str) -> Format:
    return format_module(name).FORMAT


def open_source(path: str, how: How, progress: Progress | None = None) -> Recording:
    """Open a recording.

    Raises
    ------
    Failure
        If an option does not fit the format.
    FormatError, OSError, MissingExtraError
        As `ephyrus.open`.
    """
    format = how.format
    if format is not None:
        format = named_format(format).name
    elif how.options:
        matches = matches_of(path)
        if matches and matches[0].confidence > BY_NAME:
            format = matches[0].format.name
    options = dict(how.options)
    if format is not None:
        options = with_units(format_named(format).FORMAT.options, options)
    try:
        return open_recording(
            path,
            format=format,
            access=how.access,
            salvage=how.salvage,
            progress=progress,
            **options,
        )
    except (FormatError, MissingExtraError, NeoReadWriteError):
        raise
    except (TypeError, ValueError) as error:
        name = format or "NAME"
        raise Failure(
            f"{path}: {error}", f"'ephyrus formats {name}' explains the options"
        ) from error


def with_units(declared: Iterable[Option], options: Mapping[str, Any]) -> dict[str, Any]:
    """Turn "30 kHz" into a quantity where an option is a frequency or a time."""
    kinds = {name: option.kind for name, option in by_keyword(declared).items()}
    return {
        name: _quantity(value) if kinds.get(name) in ("frequency", "time") else value
        for name, value in options.items()
    }


def _quantity(text: str) -> Any:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return text
    from ephyrus.core.units import unit_from_text

    unit, known = unit_from_text(found[2])
    return float(found[1]) * unit if known else text


def recording_files(recording: Recording) -> list[Path]:
    """List the local files of a recording: its own, and its companions beside it."""
    path = Path(recording.path.removeprefix("file://"))
    if is_url(str(path)) or not path.exists():
        return []
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if not recording.format.companions:
        return [path]
    endings = recording.format.extensions
    beside = [
        file
        for file in path.parent.iterdir()
        if file.stem == path.stem and file.suffix[1:].lower() in endings and file.is_file()
    ]
    return sorted(beside, key=lambda file: endings.index(file.suffix[1:].lower()))


def remarks(recording: Recording, *, quiet: bool = False) -> None:
    """Say on standard error what was noted while a recording was opened."""
    if quiet:
        return
    for problem in recording.problems[:REMARKS_SHOWN]:
        note("warning", str(problem))
    more = len(recording.problems) - REMARKS_SHOWN
    if more > 0:
        note("warning", f"{recording.path}: {more:,} more problems; 'ephyrus check' lists them all")
