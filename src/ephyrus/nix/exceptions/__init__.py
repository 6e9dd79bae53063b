"""The exceptions of the NIX model (also importable as ``ephyrus.nix.exceptions.exceptions``)."""

from __future__ import annotations

from ephyrus.nix.exceptions.exceptions import (
    ClosedFileError,
    DuplicateColumnName,
    DuplicateName,
    IncompatibleDimensions,
    InvalidAttrType,
    InvalidEntity,
    InvalidFile,
    InvalidSlice,
    InvalidUnit,
    LockedFileError,
    MissingFileError,
    MissingTargetError,
    NixError,
    OutOfBounds,
    ReadOnlyFileError,
    UninitializedEntity,
    UnsupportedLinkType,
    VersionError,
)

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
