"""What a client is told when a request cannot be answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ephyrus.errors import EphyrusError

__all__ = ["STATUS_OF", "ServiceError"]

STATUS_OF: Mapping[str, int] = {
    "wrong_params": 400,
    "data_parsing_error": 400,
    "post_data_invalid": 400,
    "missing_parameter": 400,
    "bad_parameter": 400,
    "units_missing": 400,
    "data_missing": 400,
    "dict_required": 400,
    "not_iterable": 400,
    "bad_float_data": 400,
    "data_inconsistency": 400,
    "no_hdf5_array": 400,
    "not_an_archive": 400,
    "non_convertible": 400,
    "wrong_reference": 400,
    "not_authenticated": 401,
    "invalid_credentials": 401,
    "not_authorized": 403,
    "does_not_exist": 404,
    "not_found": 404,
    "invalid_method": 405,
    "request_timeout": 408,
    "has_collaborators": 409,
    "in_use": 409,
    "length_differs": 409,
    "precondition_failed": 412,
    "too_large": 413,
    "range_not_satisfiable": 416,
    "too_many_requests": 429,
    "internal_error": 500,
    "unavailable": 503,
}
"""HTTP status of every type of message that reports a failure."""


class ServiceError(EphyrusError):
    """A request that is answered with a status of 400 or more.

    Parameters
    ----------
    message_type : str
        Key of :data:`STATUS_OF`.
    message : str
        One sentence for people: what is wrong and what to do.
    details : str or mapping, optional
        What exactly: the parameter's name, or facts by name. None: the message.
    headers : mapping, optional
        Headers of the answer (``Allow``, ``Retry-After``, ``WWW-Authenticate``).
    extra : mapping, optional
        Further keys of the envelope (``missing``).

    Attributes
    ----------
    status : int
        HTTP status.
    """

    def __init__(
        self,
        message_type: str,
        message: str,
        *,
        details: str | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = STATUS_OF[message_type]
        self.message_type = message_type
        self.message = message
        self.details = message if details is None else details
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
