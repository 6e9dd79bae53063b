"""Which files belong to a recording: those of one base name, or those that options name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ephyrus.errors import WrongFormatError
from ephyrus.formats.blackrock.layout import NEV_MAGICS, NSX_MAGICS
from ephyrus.recording import FileSet, Opening

__all__ = ["NSX_NUMBERS", "Members", "base_name", "find_members", "is_blackrock"]

NSX_NUMBERS = range(1, 10)
LIKELY_NUMBERS = (5, 6, 4, 3, 2, 1, 7, 8, 9)  # of a continuous file whose name has none
_MAGIC_BYTES = 8
_ENDING = re.compile(r"\.(nev|ns[1-9])\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Members:
    """The files that are read.

    Attributes
    ----------
    nev : str or None
        Name of the file of spikes and events.
    nsx : mapping of int to str
        Names of the continuous files by their number.
    """

    nev: str | None
    nsx: Mapping[int, str]


def is_blackrock(head: bytes) -> bool:
    """Tell by the first bytes; the .nev files of Neuralynx begin otherwise."""
    magic = head[:_MAGIC_BYTES]
    return magic in NEV_MAGICS or magic in NSX_MAGICS


def base_name(name: str) -> str:
    """Give a file's name without the ending that tells which file of a recording it is."""
    return _ENDING.sub("", name)


def find_members(opening: Opening) -> Members:
    """Find the files of the recording and choose those that are to be read.

    Raises
    ------
    WrongFormatError
        If the file that is opened is none of Blackrock's.
    ValueError
        If a file that an option names is not there, or nothing is left to read.
    """
    files, options = opening.files, opening.options
    head = files.main.head(_MAGIC_BYTES)
    if not is_blackrock(head):
        raise WrongFormatError(
            files.main.name, f"it begins with {head!r}, which no .nev or .nsX file does", offset=0
        )
    nev = _nev(opening, head) if options.get("load_nev", True) else None
    there = _nsx(opening, head)
    wanted = _wanted(options.get("nsx_to_load", "all"), there, files)
    if nev is None and not wanted:
        raise ValueError(f"{files.path}: the options leave nothing to read of this recording")
    return Members(nev, {number: there[number] for number in sorted(wanted)})


def _nev(opening: Opening, head: bytes) -> str | None:
    files, override = opening.files, opening.options.get("nev_override")
    if head in NEV_MAGICS and not override:
        return files.name
    base = _own_name(files, override) if override else base_name(files.name)
    found = _there(opening, [f"{base}.nev"], NEV_MAGICS)[0]
    if override and found is None:
        raise ValueError(f"nev_override={override!r}: there is no {base}.nev {_place(files)}")
    return found


def _nsx(opening: Opening, head: bytes) -> dict[int, str]:
    files, override = opening.files, opening.options.get("nsx_override")
    base = _own_name(files, override) if override else base_name(files.name)
    found = _there(opening, [f"{base}.ns{number}" for number in NSX_NUMBERS], NSX_MAGICS)
    there = {number: name for number, name in zip(NSX_NUMBERS, found, strict=True) if name}
    if override and not there:
        raise ValueError(
            f"nsx_override={override!r}: there is no {base}.ns1 to .ns9 {_place(files)}"
        )
    if not override and head in NSX_MAGICS and files.name not in there.values():
        there[next(number for number in LIKELY_NUMBERS if number not in there)] = files.name
    return there


def _there(opening: Opening, names: Sequence[str], magics: Collection[bytes]) -> list[str | None]:
    """Give the names under which files lie in the folder, whatever their case; None: not there."""
    files = opening.files
    if any("/" in name for name in names):
        found = [files.find(name) for name in names]
    else:
        listed = files.names()
        folded = {name.casefold(): name for name in listed} | {name: name for name in listed}
        found = [folded.get(name, folded.get(name.casefold())) for name in names]
    return [name if name and _is_ours(opening, name, magics) else None for name in found]


def _is_ours(opening: Opening, name: str, magics: Collection[bytes]) -> bool:
    """Tell whether a file is what its name says; one beside the main file that is not is noted."""
    source = opening.files.source(name)
    if source.head(_MAGIC_BYTES) in magics:
        return True
    if name != opening.files.name:
        opening.note(
            "it has the name of a file of this recording, but does not begin as one of "
            "Blackrock's does; it is left out",
            path=source.name,
        )
    return False


def _own_name(files: FileSet, override: str) -> str:
    """Give the base name that an option names, relative to the recording's folder."""
    path = PurePath(override)
    folder = PurePath(files.path).parent
    if path.is_absolute() and path.is_relative_to(folder):
        path = path.relative_to(folder)
    return base_name(path.as_posix())


def _place(files: FileSet) -> str:
    return f"in the folder of {files.path} (only files of that folder are read)"


def _wanted(given: Any, there: Collection[int], files: FileSet) -> set[int]:
    """Give the numbers of the nsX files that the option chooses."""
    if given is None:
        return set(there)
    text = str(given).strip().lower() if isinstance(given, str) else ""
    if text == "all":
        return set(there)
    if text == "max":
        return {max(there)} if there else set()
    parts = text.split(",") if text else given if isinstance(given, list | tuple | set) else [given]
    try:
        numbers = {int(str(part).strip().lower().removeprefix("ns")) for part in parts}
    except ValueError:
        raise ValueError(
            f'nsx_to_load={given!r}: expected a number, a list of numbers, "all" or "max"'
        ) from None
    if missing := sorted(numbers - set(there)):
        names = ", ".join(f"ns{number}" for number in sorted(there)) or "none"
        raise ValueError(
            f"nsx_to_load={given!r}: {files.path} has no file ns{missing[0]}; there are: {names}"
        )
    return numbers
