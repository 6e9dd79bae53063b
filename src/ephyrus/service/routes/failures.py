"""From an exception to the answer that says what went wrong."""

from __future__ import annotations

import errno
from typing import Any

import orjson
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ephyrus.errors import FormatError, LimitError, MissingExtraError, NeoReadWriteError
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.answers import Answer

__all__ = ["describe_failure", "failure_answer"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_AGAIN = {"Retry-After": "1"}


def describe_failure(error: Exception) -> ServiceError | None:
    """Say what a failure means for the one who asked; None: it is a fault of the service.

    Messages of exceptions that are not made for clients are not passed on: they may hold paths.
    """
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, LimitError):
        return ServiceError(
            "too_large", "The request is larger than the limits of the service; ask for less."
        )
    if isinstance(error, FormatError):
        reason = str(getattr(error, "reason", "") or "damaged")
        return ServiceError(
            "unavailable", f"The file of this object cannot be read: {reason}.", details=reason
        )
    if isinstance(error, MissingExtraError):
        return ServiceError("unavailable", f"The service lacks an optional package: {error}")
    if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError):
        return ServiceError(
            "unavailable", "The database does not answer; try again.", headers=_AGAIN
        )
    if isinstance(error, NeoReadWriteError):
        return ServiceError("unavailable", "The file of this object cannot be read.")
    if isinstance(error, OSError):
        return _of_system(error)
    return None


def _of_system(error: OSError) -> ServiceError:
    if error.errno in _FULL:
        return ServiceError("unavailable", "The disk of the service is full.", details="disk full")
    if isinstance(error, FileNotFoundError):
        return ServiceError("unavailable", "The file of this object is missing from the store.")
    return ServiceError(
        "unavailable", "The files of the service cannot be reached; try again.", headers=_AGAIN
    )


def failure_answer(failure: ServiceError | None, *, username: str, request_id: str) -> Answer:
    """Make the answer for a failure, or for a fault of the service."""
    if failure is None:
        failure = ServiceError(
            "internal_error",
            "The service made a mistake; tell the administrator the number of the request.",
            details={"request_id": request_id},
        )
    document: dict[str, Any] = {
        "logged_in_as": username,
        "message": failure.message,
        "message_type": failure.message_type,
        "details": failure.details,
        **failure.extra,
    }
    return Answer(
        status=failure.status,
        body=orjson.dumps(document, default=str),
        headers={**failure.headers, "Cache-Control": "no-store"},
    )
