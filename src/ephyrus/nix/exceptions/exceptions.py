"""Every exception of the NIX model.

::

    EphyrusError
    ├── NixError
    │   ├── DuplicateName (NameError), DuplicateColumnName   a name is taken
    │   ├── InvalidAttrType (TypeError)            a property was given a value of the wrong type
    │   ├── InvalidUnit (ValueError)               units that cannot be converted
    │   ├── IncompatibleDimensions (ValueError)    ranks or units that do not fit each other
    │   ├── OutOfBounds (IndexError)               outside of the data, or no such reference
    │   ├── InvalidSlice                           writing through a view of nothing
    │   ├── UninitializedEntity, InvalidEntity     an entity without its data
    │   ├── MissingTargetError (RuntimeError)      what a link led to was deleted
    │   ├── UnsupportedLinkType                    a tagged feature on a data frame
    │   ├── ClosedFileError (RuntimeError)         the file is closed
    │   ├── ReadOnlyFileError (OSError)            the file is open for reading only
    │   ├── LockedFileError (OSError)              someone else writes the file
    │   └── MissingFileError (FileNotFoundError, RuntimeError)
    └── FormatError
        ├── InvalidFile (WrongFormatError)         HDF5, but not NIX
        └── VersionError (UnsupportedVersionError, RuntimeError)
"""

from __future__ import annotations

from typing import Any

from ephyrus.errors import EphyrusError, UnsupportedVersionError, WrongFormatError

__all__ = [
    "ClosedFileError",
    "DuplicateColumnName",
    "DuplicateName",
    "IncompatibleDimensions",
    "InvalidAttrType",
    "InvalidEntity",
    "InvalidFile",
    "InvalidSlice",
    "InvalidUnit",
    "LockedFileError",
    "MissingFileError",
    "MissingTargetError",
    "NixError",
    "OutOfBounds",
    "ReadOnlyFileError",
    "UninitializedEntity",
    "UnsupportedLinkType",
    "VersionError",
]


class NixError(EphyrusError):
    """Base of the errors of the NIX model that are not about the content of a file."""


class DuplicateName(NixError, NameError):
    """An entity of that name exists already in its container."""


class DuplicateColumnName(NixError):
    """Two columns of a data frame have one name."""


class InvalidFile(WrongFormatError):
    """The file is HDF5, but not NIX."""


class VersionError(UnsupportedVersionError, RuntimeError):
    """The file is of a version that cannot be opened in this mode."""


class InvalidAttrType(NixError, TypeError):
    """A property was given a value of the wrong type.

    Parameters
    ----------
    expected : type, tuple of type or str
        What it takes.
    value : object
        What it was given.
    """

    def __init__(self, expected: Any, value: Any) -> None:
        self.expected = expected
        self.value = value
        super().__init__(
            f"expected {_type_words(expected)}, got {value!r} ({type(value).__name__})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.expected, self.value)


class _WhatWhere(NixError):
    """An error with what was found and where."""

    def __init__(self, what: str, where: str) -> None:
        self.what = what
        self.where = where
        super().__init__(f"{where}: {what}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.where)


class InvalidUnit(_WhatWhere, ValueError):
    """Units that cannot be converted into each other."""


class IncompatibleDimensions(_WhatWhere, ValueError):
    """Ranks or units that do not fit each other."""


class OutOfBounds(NixError, IndexError):
    """An index or a region outside of the data.

    Parameters
    ----------
    message : str
        What lies outside of what.
    index : object, optional
        The index that was asked for.
    """

    def __init__(self, message: str, index: Any = None) -> None:
        self.message = message
        self.index = index
        super().__init__(message if index is None else f"{message} [index: {index}]")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.index)


class InvalidSlice(NixError):
    """A view of nothing was written to."""


class UninitializedEntity(NixError):
    """An entity misses the data that it must have."""


class InvalidEntity(NixError):
    """An object in the file is not the entity that its place asks for."""


class MissingTargetError(NixError, RuntimeError):
    """What a link led to was deleted."""


class UnsupportedLinkType(NixError):
    """A kind of link that is not possible with this kind of data.

    Parameters
    ----------
    objtype, linktype : str
        The kinds.
    """

    def __init__(self, objtype: str, linktype: str) -> None:
        self.objtype = objtype
        self.linktype = linktype
        super().__init__(f"a feature of link type {linktype!r} cannot hold a {objtype}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.objtype, self.linktype)


class ClosedFileError(NixError, RuntimeError):
    """The file was closed."""


class ReadOnlyFileError(NixError, OSError):
    """The file is open for reading only."""


class LockedFileError(NixError, OSError):
    """Someone else has the file open for writing."""


class MissingFileError(NixError, FileNotFoundError, RuntimeError):
    """There is no file to read."""


def _type_words(expected: Any) -> str:
    """Name a type, or several."""
    if isinstance(expected, tuple):
        return " or ".join(_type_words(each) for each in expected)
    return expected.__name__ if isinstance(expected, type) else str(expected)
