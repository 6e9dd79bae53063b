"""Finding vendors' libraries: which one is for a file, where it lies, and why it cannot be used.

Libraries are looked for in the folders of `folders`, and nowhere else: never in the current
directory, where whoever gave the recording could have put one too, and not where the system or
Python look for theirs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from ephyrus.dll.binaries import Binary, binary_of, elf_size, this_process
from ephyrus.errors import ArgumentError, DLLNotFound, DLLTypeUnknown, DLLUnusable

__all__ = [
    "EXTENSIONS",
    "PATH_VARIABLE",
    "WINE_LIBRARY",
    "explain",
    "find_library",
    "find_library_for_file",
    "folders",
    "library_name",
]

PATH_VARIABLE = "EPHYRUS_NEUROSHARE_PATH"  # further folders, before all others
WINE_LIBRARY = "nsWineLibrary"  # runs Windows libraries under Wine, for all kinds of files

EXTENSIONS = MappingProxyType(
    {
        "mcd": "nsMCDLibrary",
        "plx": "nsPlxLibrary",
        "map": "nsAOLibrary",
        "nev": "nsNEVLibrary",
        "nex": "NeuroExplorerNeuroShareLibrary",
        "nsn": "nsNSNLibrary",
        "stb": "nsTDTLib",
        "smr": "nsCedSon",
        "son": "nsCedSon",
        "cfs": "nsCedSon",
    }
)

_FOLDERS = ("~/.neuroshare", "/usr/lib/neuroshare", "/usr/local/lib/neuroshare")
_SUFFIXES = {"Windows": ".dll", "macOS": ".dylib", "Linux": ".so"}
_WIDE = "64"  # some vendors add it to the names of their 64-bit libraries


def folders() -> list[Path]:
    """Give the folders in which libraries are looked for, in order.

    Those of the environment variable ``EPHYRUS_NEUROSHARE_PATH`` (relative ones are left out, as
    they would depend on the current directory), ``~/.neuroshare``, ``/usr/lib/neuroshare``, and
    ``/usr/local/lib/neuroshare``.
    """
    further = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    named = [Path(os.path.expanduser(each)) for each in (*further, *_FOLDERS) if each]  # noqa: PTH111 - a home that is not known is no error
    return list(dict.fromkeys(folder for folder in named if folder.is_absolute()))


def library_name(filename: str | os.PathLike[str]) -> str:
    """Give the name of the library for a file, by the ending of the file's name.

    Raises
    ------
    ArgumentError
        If its name has no ending.
    DLLTypeUnknown
        If no library is known for it.
    """
    name, extension = os.fspath(filename), _extension(filename)
    if not extension:
        raise ArgumentError(
            name, "the name of the file has no ending that tells which library reads it"
        )
    try:
        return EXTENSIONS[extension.lower()]
    except KeyError:
        raise DLLTypeUnknown(name, extension) from None


def find_library_for_file(filename: str | os.PathLike[str]) -> Path:
    """Find the library for a file, or else the one that asks Windows libraries under Wine.

    Raises
    ------
    ArgumentError, DLLTypeUnknown
        See `library_name`.
    DLLNotFound
        If there is none that can be used here; the message says what was found, and what would
        work.
    """
    name = library_name(filename)
    found = _usable(name) or _usable(WINE_LIBRARY)
    if found is None:
        raise DLLNotFound(os.fspath(filename), _extension(filename), name, _advice(name))
    return found


def find_library(library: str | os.PathLike[str]) -> Path:
    """Find a library by its name, or by its path.

    Parameters
    ----------
    library : path-like or str
        A name, with or without the ending of the file, is looked for in `folders`. What has a
        folder in it is a path; ``./`` stands before a file of the current directory.

    Raises
    ------
    DLLNotFound
        If there is none of the name that can be used here.
    DLLUnusable
        If the file is there and cannot be used here.
    """
    path = Path(library).expanduser()
    if _is_path(library):
        path = path.absolute()
        reason = explain(path) if path.is_file() else "there is no such file"
        if reason:
            raise DLLUnusable(str(path), reason)
        return path
    name = path.stem if path.suffix.lower() in _SUFFIXES.values() else path.name
    found = _usable(name)
    if found is None:
        raise DLLNotFound("", "", name, _advice(name))
    return found


def explain(path: str | os.PathLike[str]) -> str | None:
    """Tell why a library cannot be used here, and what would work; None if nothing says so.

    Only the file's header is read, to see for which system and processor it is; the file is not
    loaded.
    """
    here = this_process()
    try:
        binary, expected = binary_of(path), elf_size(path)
        size = Path(path).stat().st_size
    except OSError as error:
        return f"the file cannot be read ({error.strerror or error})"
    if binary is None:
        return "it is no shared library, going by its first bytes; install it again"
    if size < expected:
        return f"it is cut short: it has {size} of {expected} bytes; copy or install it again"
    if binary.runs_in(here):
        return None
    remedies = "; or ".join(_remedies(binary, here))
    return f"it is for {binary}, and this Python is for {here}. What would work: {remedies}"


def _remedies(binary: Binary, here: Binary) -> Iterator[str]:
    """Give what a user can do with a library for something else than this process."""
    yield f"the vendor's library for {here}, if there is one"
    if binary.system == "Windows" != here.system:
        yield (
            f"{WINE_LIBRARY}{_suffix()}, which runs Windows libraries under Wine, in one of the "
            "folders of libraries"
        )
    if binary.system == here.system:
        yield f"a Python for {binary}"
    else:
        yield f"a Python on a machine with {binary}, to convert the file there"


def _is_path(library: str | os.PathLike[str]) -> bool:
    text = os.fspath(library)
    return any(mark in text for mark in (os.sep, os.altsep) if mark)


def _extension(filename: str | os.PathLike[str]) -> str:
    return Path(filename).suffix[1:]


def _suffix() -> str:
    return _SUFFIXES.get(this_process().system, ".so")


def _candidates(name: str, suffix: str) -> Iterator[Path]:
    """Give the files that are there under a library's name."""
    is_wide = this_process().processors[0].bits == 64 and not name.endswith(_WIDE)
    names = [name, name + _WIDE] if is_wide else [name]
    for folder in folders():
        for each in names:
            path = folder / (each + suffix)
            if path.is_file():
                yield path


def _usable(name: str) -> Path | None:
    """Find a library that nothing speaks against."""
    return next((path for path in _candidates(name, _suffix()) if explain(path) is None), None)


def _advice(name: str) -> str:
    """Tell what was found instead of a library, where it was looked for, and what would work."""
    found = [path for suffix in _SUFFIXES.values() for path in _candidates(name, suffix)]
    told = [
        f"{path} was found, and cannot be used: "
        f"{explain(path) or f'its name does not end with {_suffix()}'}."
        for path in found
    ]
    where = ", ".join(str(folder) for folder in folders())
    file = name + _suffix()
    return " ".join(
        [
            *told,
            f"{file} was looked for in {where}. Put it into one of them, name its folder in the "
            f"environment variable {PATH_VARIABLE}, or give its path as library=.",
        ]
    )
