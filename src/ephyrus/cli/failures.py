"""Failures: one line each on standard error, and the exit code that follows from them."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ephyrus.cli.console import note
from ephyrus.errors import (
    CorruptError,
    EphyrusError,
    FormatError,
    TruncatedError,
    WrongFormatError,
)

__all__ = [
    "FINE",
    "INTERRUPTED",
    "PIPE_CLOSED",
    "PROBLEMS",
    "UNREADABLE",
    "Failure",
    "Tally",
    "error_entry",
    "explained",
]

FINE = 0
PROBLEMS = 1  # problems were found, or some files failed
UNREADABLE = 2  # wrong usage, or nothing could be read
INTERRUPTED = 130  # 128 + SIGINT, as shells give it
PIPE_CLOSED = 141  # 128 + SIGPIPE

log = logging.getLogger(__name__)

_OS_HINTS = {
    errno.EACCES: "check the permissions of the file and its folder",
    errno.EPERM: "check the permissions of the file and its folder",
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EROFS: "write to another folder",
    errno.EMFILE: "close other programs, or give fewer files at once",
    errno.EIO: "the disk or the network drive fails: copy the file elsewhere and try again",
}


class Failure(Exception):
    """What the command line itself finds wrong with an argument or a file.

    Parameters
    ----------
    message : str
        Place and reason.
    hint : str, optional
        What to do.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(message)


def explained(error: BaseException, path: str | None = None, *, salvage: bool = False) -> str:
    """Give an error as one line: file, place, reason, and what to do.

    Parameters
    ----------
    error : BaseException
        What was raised.
    path : str, optional
        The file that was being worked on, named unless the message begins with a file.
    salvage : bool
        Damage is being salvaged already, so that is no advice.
    """
    message, hint = _message(error), _hint(error, salvage=salvage)
    if path is not None and not _names_a_file(error, message, path):
        message = f"{path}: {message}"
    return message if hint is None else f"{message} ({hint})"


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        reason = error.strerror[:1].lower() + error.strerror[1:]
        return reason if error.filename is None else f"{_text(error.filename)}: {reason}"
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])  # str() of a KeyError is quoted
    if isinstance(error, MemoryError) and not str(error):
        return "there is not enough memory"
    return str(error) or type(error).__name__


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _names_a_file(error: BaseException, message: str, path: str) -> bool:
    if isinstance(error, FormatError):
        return True
    if isinstance(error, OSError) and error.filename is not None:
        return True
    return message.startswith(path)


def _hint(error: BaseException, *, salvage: bool) -> str | None:
    if isinstance(error, Failure):
        return error.hint
    if isinstance(error, WrongFormatError):
        return "on the command line: --format NAME, --option NAME=VALUE"
    if isinstance(error, TruncatedError | CorruptError):
        return None if salvage else "--salvage reads what is sound of a damaged file"
    if isinstance(error, FileNotFoundError):
        return "check the spelling, and put names with spaces in quotes"
    return _OS_HINTS.get(error.errno or 0) if isinstance(error, OSError) else None


def error_entry(error: BaseException) -> dict[str, Any]:
    """Give an error for JSON output."""
    return {
        "type": type(error).__name__,
        "reason": error.reason if isinstance(error, FormatError) else _message(error),
        "offset": getattr(error, "offset", None),
        "field": getattr(error, "field", None),
    }


@dataclass(slots=True)
class Tally:
    """Counts the files of a command and reports those that fail.

    Attributes
    ----------
    salvage : bool
        Damage is being salvaged.
    done, failed : int
        Files that went well, and those that did not.
    problems : int
        Problems found in files that could be read.
    errors : list of (path, error)
        What was reported, for JSON output.
    """

    salvage: bool = False
    done: int = 0
    failed: int = 0
    problems: int = 0
    errors: list[tuple[str, BaseException]] = field(default_factory=list)

    @contextmanager
    def attempt(self, path: str) -> Iterator[None]:
        """Work on a file; if that fails, report it and go on."""
        try:
            yield
        except BrokenPipeError:
            raise
        except (EphyrusError, Failure, OSError, MemoryError) as error:
            self.fail(path, error)
        else:
            self.done += 1

    def fail(self, path: str, error: BaseException) -> None:
        """Report a file that failed."""
        self.failed += 1
        self.errors.append((path, error))
        log.debug("%s", path, exc_info=error)
        note("error", explained(error, path, salvage=self.salvage))

    def entries(self, **facts: Any) -> list[dict[str, Any]]:
        """Give the files that failed for JSON output, each with the given facts."""
        return [{"path": path, **facts, "error": error_entry(error)} for path, error in self.errors]

    @property
    def code(self) -> int:
        """Exit code of the command."""
        if self.failed and not self.done:
            return UNREADABLE
        return PROBLEMS if self.failed or self.problems else FINE
