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
    ├── NeuroshareError                  a Neuroshare library refuses a call
    │   ├── LibraryCrashed               it ended the process that it ran in
    │   └── LibraryHung                  it did not answer in time
    ├── DLLException                     no vendor's library for a file
    │   ├── DLLTypeUnknown               no library is known for the name's ending
    │   ├── DLLNotFound                  it is not in the folders of libraries
    │   └── DLLUnusable                  it is there and cannot be used here
    ├── ArgumentError (ValueError)       nothing tells which library is meant
    ├── RemoteError (NeoReadWriteError)  a data service does not do what it was asked
    │   ├── RemoteUnreachable (ConnectionError)  it does not answer
    │   ├── RemoteForbidden (PermissionError)    nobody is logged in, or has no right to it
    │   ├── RemoteMissing (LookupError)          it has no such object
    │   └── RemoteConflict                       the object was changed, or is in use
    ├── LimitError (MemoryError)         the request is larger than the limits allow
    └── Cancelled                        the caller stopped a long piece of work
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ArgumentError",
    "Cancelled",
    "CorruptError",
    "DLLException",
    "DLLNotFound",
    "DLLTypeUnknown",
    "DLLUnusable",
    "EphyrusError",
    "FormatError",
    "LibraryCrashed",
    "LibraryHung",
    "LimitError",
    "MergeError",
    "MissingExtraError",
    "NeoReadWriteError",
    "NeuroshareError",
    "RemoteConflict",
    "RemoteError",
    "RemoteForbidden",
    "RemoteMissing",
    "RemoteUnreachable",
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


class RemoteError(NeoReadWriteError):
    """A data service does not do what it was asked.

    Parameters
    ----------
    address : str
        What was asked for.
    message : str
        The service's own message, or what went wrong on the way.
    status : int
        HTTP status; 0: there was no answer.
    message_type : str
        The service's word for the kind of failure, such as ``"wrong_params"``.
    details : object
        What exactly, as the service tells it.

    Attributes
    ----------
    address, message, status, message_type, details
        As given.
    """

    def __init__(
        self,
        address: str,
        message: str,
        *,
        status: int = 0,
        message_type: str = "",
        details: Any = None,
    ) -> None:
        self.address = address
        self.message = message
        self.status = status
        self.message_type = message_type
        self.details = details
        more = f" ({details})" if details and details != message else ""
        super().__init__(f"{address}: {message}{more}")

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {name: getattr(self, name) for name in ("status", "message_type", "details")}
        return _rebuild_remote, (type(self), self.address, self.message, facts)


def _rebuild_remote(
    cls: type[RemoteError], address: str, message: str, facts: dict[str, Any]
) -> RemoteError:
    """Recreate a pickled error (its constructor takes keywords)."""
    return cls(address, message, **facts)


class RemoteUnreachable(RemoteError, ConnectionError):
    """A data service does not answer."""


class RemoteForbidden(RemoteError, PermissionError):
    """Nobody is logged in at a data service, or the user has no right to what was asked for."""


class RemoteMissing(RemoteError, LookupError):
    """A data service has no such object."""


class RemoteConflict(RemoteError):
    """An object of a data service was changed by somebody else, or is in use."""


class NeuroshareError(EphyrusError):
    """A Neuroshare library refuses a call.

    Parameters
    ----------
    code : int
        What the library answered, such as -7.
    name : str
        Name of the code in the C interface, such as ``"ns_BADINDEX"``.
    message : str
        The library's own message, or what the code means where it gives none.

    Attributes
    ----------
    code, name, message
        As given.
    """

    def __init__(self, code: int, name: str, message: str) -> None:
        self.code = code
        self.name = name
        self.message = message
        super().__init__(f"Neuroshare-Error ({code}): {message}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.name, self.message)


class _LibraryGone(NeuroshareError):
    """A library that ran in a process of its own is no longer there."""

    def __init__(self, message: str) -> None:
        super().__init__(-1, "ns_LIBERROR", message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message,)


class LibraryCrashed(_LibraryGone):
    """A library ended the process that it ran in; the files that it had open are closed."""


class LibraryHung(_LibraryGone):
    """A library did not answer in time, and was stopped; the files that it had open are closed."""


class DLLException(EphyrusError):
    """There is no vendor's library that can open a file."""


class DLLTypeUnknown(DLLException):
    """No library is known for files with such a name.

    Parameters
    ----------
    name : str
        The file.
    ext : str
        Its ending, without the dot.
    """

    def __init__(self, name: str, ext: str) -> None:
        self.name = name
        self.ext = ext
        super().__init__(f'"{ext}": Unknown library type.')

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.ext)


class DLLNotFound(DLLException):
    """The library for a file is in none of the folders of libraries.

    Parameters
    ----------
    name : str
        The file that was to be opened; empty if the library itself was asked for.
    ext : str
        Its ending, without the dot.
    lib : str
        Name of the library.
    advice : str, optional
        Where it was looked for, what was found instead, and what would work.
    """

    def __init__(self, name: str, ext: str, lib: str, advice: str = "") -> None:
        self.name = name
        self.ext = ext
        self.lib = lib
        self.advice = advice
        text = f'Vendor DLL "{lib}" could not be found'
        super().__init__(f"{text}: {advice}" if advice else text)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.ext, self.lib, self.advice)


class DLLUnusable(DLLException):
    """A file was found that should be a vendor's library, and cannot be used as one here.

    Parameters
    ----------
    path : str
        The file.
    reason : str
        Why, and what would work.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} cannot be used: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.reason)


class ArgumentError(EphyrusError, ValueError):
    """An argument does not tell which library is meant.

    Parameters
    ----------
    arg : str
        What was given.
    msg : str
        What is wrong with it.
    """

    def __init__(self, arg: str, msg: str) -> None:
        self.arg = arg
        self.msg = msg
        super().__init__(f'"{arg}": {msg}')

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.arg, self.msg)
