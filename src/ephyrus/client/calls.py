"""Requests and answers as values, and flows of them.

What the client does is written once, as *flows*: generators that yield a `Call` (or a list of
calls, which may run at the same time) and are sent the `Reply`. `ephyrus.client.Client` and
`ephyrus.client.AsyncClient` drive the same flows, each in its own way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from ephyrus.errors import (
    RemoteConflict,
    RemoteError,
    RemoteForbidden,
    RemoteMissing,
)

__all__ = ["Call", "Flow", "Reply", "Step", "Upload", "refusal"]

T = TypeVar("T")

_KINDS: Mapping[int, type[RemoteError]] = {
    401: RemoteForbidden,
    403: RemoteForbidden,
    404: RemoteMissing,
    409: RemoteConflict,
    412: RemoteConflict,
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be sent.

    Attributes
    ----------
    name : str
        Name that the service shows.
    pieces : callable
        Gives the bytes from the beginning, piece by piece; called again for each attempt.
    size : int
        Number of bytes.
    """

    name: str
    pieces: Callable[[], Iterator[bytes]]
    size: int


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    Attributes
    ----------
    method : str
        ``"GET"``, ``"POST"`` or ``"DELETE"``.
    path : str
        Path on the service, with its query if it has one.
    params : tuple of (str, str)
        More of the query.
    json : object
        Body, sent as JSON; None: no body.
    form : mapping of str to str, optional
        Body, sent as a form.
    uploads : tuple of Upload
        Files, sent as multipart form.
    body : bytes, optional
        Body, sent as it is.
    headers : mapping of str to str
        Headers.
    most_bytes : int, optional
        How long the body of the answer may be (default: as long as any list of objects is).
    is_query : bool, optional
        It may be sent twice, whatever its method.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    json: Any = None
    form: Mapping[str, str] | None = None
    uploads: tuple[Upload, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    most_bytes: int | None = None
    is_query: bool = False
    body: bytes | None = None

    @property
    def is_repeatable(self) -> bool:
        """Sending it twice does the same as sending it once."""
        return self.is_query or self.method in ("GET", "HEAD", "DELETE")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status below 400.

    Attributes
    ----------
    status : int
        HTTP status.
    headers : mapping of str to str
        Headers, names in lower case.
    body : bytes
        The body, decoded.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def envelope(self, address: str) -> dict[str, Any]:
        """Read the body as a JSON object.

        Raises
        ------
        RemoteError
            If it is none: the address is not that of a service.
        """
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise RemoteError(
                address, "the answer is not that of a data service; check the address"
            )
        return found


Step: TypeAlias = Call | list[Call]
Flow: TypeAlias = Generator[Step, Any, T]


def refusal(address: str, status: int, body: bytes) -> RemoteError:
    """Make the error of an answer with a status of 400 or more."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    kind = _KINDS.get(status, RemoteError)
    message = str(told.get("message") or f"the service answered with status {status}")
    details = told.get("details")
    if details == message:
        details = None
    if status == 401:
        message += " Log in with token=... (EPHYRUS_TOKEN) or username=... and password=..."
    return kind(
        address,
        message,
        status=status,
        message_type=str(told.get("message_type", "")),
        details=details,
    )
