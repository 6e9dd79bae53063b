"""Every exception that ephyrus raises, one tree.

::

    EphyrusError
    ├── NeoReadWriteError (OSError)      this format or IO cannot do that
    │   └── FormatError (ValueError)     a file breaks the rules of its format
    │       ├── WrongFormatError         it is a file of another format
    │       ├── TruncatedError           it ends before what its header promises
    │       ├── CorruptError             a value in it cannot be true
    │       └── UnsupportedVersionError  a version or variant that is not read
    ├── MergeError                       two objects cannot be joined
    ├── MissingExtraError (ImportError)  an optional package is not installed
    ├── LimitError (MemoryError)         the request is larger than the limits allow
    └── Cancelled                        the caller stopped a long piece of work
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "Cancelled",
    "CorruptError",
    "EphyrusError",
    "FormatError",
    "LimitError",
    "MergeError",
    "MissingExtraError",
    "NeoReadWriteError",
    "TruncatedError",
    "UnsupportedVersionError",
    "WrongFormatError",
]


class EphyrusError(Exception):
    """Base of everything that ephyrus raises on purpose."""


class NeoReadWriteError(EphyrusError, OSError):
    """A format or an IO class cannot do what was asked of it."""


class FormatError(NeoReadWriteError, ValueError):
    """A file breaks the rules of its format.

    Parameters
    ----------
    path : str
        The file (or folder) that was read.
    reason : str
        What was found and what was expected, as a sentence a user can act on.
    offset : int, optional
        Byte offset in the file (for text files: of the line's first byte).
    field : str, optional
        Name of the header field, section or packet.

    Attributes
    ----------
    path, offset, field, reason
        As given.
    """

    def __init__(
        self, path: str, reason: str, *, offset: int | None = None, field: str | None = None
    ) -> None:
        self.path = str(path)
        self.reason = reason
        self.offset = offset
        self.field = field
        place = [] if offset is None else [f"byte {offset}"]
        place += [] if field is None else [f"({field})"]
        where = [self.path, " ".join(place)] if place else [self.path]
        super().__init__(": ".join([*where, reason]))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.path, self.reason, self.offset, self.field)


def _rebuild(
    cls: type[FormatError], path: str, reason: str, offset: int | None, field: str | None
) -> FormatError:
    """Recreate a pickled error (its constructor takes keywords)."""
    return cls(path, reason, offset=offset, field=field)


class WrongFormatError(FormatError):
    """The file is of another format; the message says which, where that is known."""


class TruncatedError(FormatError):
    """The file ends before what its header promises."""


class CorruptError(FormatError):
    """A value in the file cannot be true."""


class UnsupportedVersionError(FormatError):
    """The file is of a version or variant that is not read."""


class MergeError(EphyrusError):
    """Two objects cannot be joined because an attribute that must agree differs."""


class MissingExtraError(EphyrusError, ImportError):
    """An optional package is needed and not installed.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of ephyrus that installs it.
    purpose : str
        What it is needed for, completing the sentence "... needs <package>".
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        self.purpose = purpose
        super().__init__(
            f"{purpose} needs the package {package}: pip install 'ephyrus[{extra}]'",
            name=package,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.package, self.extra, self.purpose)


class LimitError(EphyrusError, MemoryError):
    """What was asked for is larger than the limits in force allow."""


class Cancelled(EphyrusError):
    """The caller cancelled a long piece of work through its progress object."""
