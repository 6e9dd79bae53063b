"""Sends calls: connections, retries, and who is asking.

A call that can be repeated is sent again when the connection fails or the service is busy, after
pauses that double, or as long as the service says.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from ephyrus.client.calls import Call, Reply, Upload, refusal
from ephyrus.errors import MissingExtraError, RemoteError, RemoteUnreachable

if TYPE_CHECKING:
    import httpx2

__all__ = [
    "TOKEN_VARIABLE",
    "Access",
    "Pieces",
    "base_address",
    "closed",
    "http_library",
    "pause_before",
    "prepared",
    "taken",
    "unreachable",
]

TOKEN_VARIABLE = "EPHYRUS_TOKEN"  # noqa: S105 - the name of a variable
BUSY = frozenset({429, 502, 503, 504})
LONGEST_PAUSE = 30.0  # seconds
MOST_BYTES = 256 * 2**20  # of an answer that is not an array: more is no list of objects


@dataclass(frozen=True, slots=True)
class Access:
    """Where a service is and who asks.

    Attributes
    ----------
    address : str
        ``http://host:port`` of the service, with a path if it does not lie at the root.
    token : str
        Bearer token; empty: that of the variable ``EPHYRUS_TOKEN``, if there is one.
    retries : int
        How often a repeatable call is sent again.
    timeout : float
        Seconds without a byte after which a connection is given up.
    connections : int
        Calls that run at the same time.
    """

    address: str
    token: str = field(default="", repr=False)
    retries: int = 4
    timeout: float = 30.0
    connections: int = 4

    @property
    def is_secure(self) -> bool:
        """The service is reached by TLS, so that its certificate is checked."""
        return self.address.startswith("https:")

    def headers(self) -> dict[str, str]:
        """Give the headers of every call."""
        token = self.token or os.environ.get(TOKEN_VARIABLE, "")
        return {"authorization": f"Bearer {token}"} if token else {}


def http_library() -> Any:
    """Import the HTTP library.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import httpx2
    except ImportError as error:
        raise MissingExtraError("httpx2", "client", "The client of the data service") from error
    return httpx2


def base_address(address: str) -> str:
    """Give the address of a service without its trailing slash.

    Raises
    ------
    ValueError
        If it is no http address, or holds a password, which every message would show.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'the address of a service begins with "http://", not {address!r}')
    if "@" in parts.netloc:
        raise ValueError(
            f"the address of the service at {parts.hostname} holds a name or a password; give "
            "username=... and password=..., or token=..., instead"
        )
    return address.rstrip("/")


def prepared(
    client: httpx2.Client | httpx2.AsyncClient,
    access: Access,
    call: Call,
    *,
    is_async: bool = False,
) -> httpx2.Request:
    """Make the library's request of a call.

    Raises
    ------
    RemoteError
        If the call follows a link to another host: the token is not sent there.
    """
    keywords: dict[str, Any] = {}
    headers = dict(call.headers)
    if call.uploads:
        body = Multipart(call.uploads)
        headers |= body.headers
        keywords["content"] = body.later() if is_async else body
    elif call.body is not None:
        keywords["content"] = call.body
    elif call.json is not None:
        keywords["json"] = call.json
    elif call.form is not None:
        keywords["data"] = dict(call.form)
    target = _local(access.address, call.path)
    if call.params:
        target += ("&" if "?" in target else "?") + urlencode(call.params)
    return client.build_request(call.method, access.address + target, headers=headers, **keywords)


def _local(address: str, link: str) -> str:
    """Give a link as a path on the service."""
    if link.startswith(f"{address}/"):
        link = link[len(address) :]
    if link.startswith("/") and not link.startswith("//"):
        return link
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        raise RemoteError(
            address,
            f"the service links to {parts.netloc or parts.scheme!r}, another place than its own "
            "address; nothing is sent there",
        )
    return f"/{link}"


class Pieces:
    """The body of an answer as it arrives.

    Parameters
    ----------
    response : httpx2.Response
        The answer, of which nothing was read.
    most_bytes : int or None
        How long the body may be; None: `MOST_BYTES`.

    Raises
    ------
    RemoteError
        From `add`, if the body is longer: a service cannot fill the memory.
    """

    def __init__(self, response: httpx2.Response, most_bytes: int | None) -> None:
        self._response = response
        self._left = self._most = MOST_BYTES if most_bytes is None else most_bytes
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Take a piece."""
        self._left -= len(piece)
        if self._left < 0:
            raise RemoteError(
                _shown(self._response),
                f"the answer is longer than the {self._most:,} bytes that it may have",
            )
        self._pieces.append(piece)

    @property
    def whole(self) -> bytes:
        """All pieces."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


def taken(response: httpx2.Response, body: bytes) -> Reply:
    """Make the reply of a response.

    Raises
    ------
    RemoteError
        If the service refuses, or points elsewhere.
    """
    status = response.status_code
    if status in BUSY:
        raise _busy(response, body)
    if status >= 400:
        raise refusal(_shown(response), status, body)
    if 300 <= status < 400 and status != 304:
        raise RemoteError(_shown(response), _elsewhere(response), status=status)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status, headers, body)


def _elsewhere(response: httpx2.Response) -> str:
    """Word a redirect, which is not followed: the token would go along."""
    place = urlsplit(response.headers.get("location", ""))
    where = f"{place.scheme}://{place.hostname}" if place.hostname else "another address"
    if place.hostname and place.port:
        where += f":{place.port}"
    return f"the service points to {where}; if you trust it, give that address instead"


def _shown(response: httpx2.Response) -> str:
    """Give the address for a message (without the query, which may be long)."""
    return str(response.request.url.copy_with(query=None))


def pause_before(access: Access, call: Call, attempt: int, error: Exception) -> float | None:
    """Tell how many seconds to wait before a call is sent again; None: it is not.

    Parameters
    ----------
    access : Access
        How often is enough.
    call : Call
        What failed.
    attempt : int
        Number of attempts before, 0 for the first.
    error : Exception
        How it failed.
    """
    if attempt >= access.retries or not call.is_repeatable:
        return None
    pause = min(LONGEST_PAUSE, 0.1 * 2.0**attempt * (1 + random.random()))  # noqa: S311
    if isinstance(error, RemoteUnreachable):
        return pause
    if isinstance(error, BusyError):
        return min(LONGEST_PAUSE, max(pause, error.retry_after))
    return None


class BusyError(RemoteError):
    """The service is busy: later, the same call may succeed."""

    retry_after: float = 0.0


def _busy(response: httpx2.Response, body: bytes) -> BusyError:
    """Make the error of an answer that asks to come again later."""
    told = refusal(_shown(response), response.status_code, body)
    error = BusyError(
        told.address,
        told.message,
        status=told.status,
        message_type=told.message_type,
        details=told.details,
    )
    seconds = response.headers.get("retry-after", "")
    error.retry_after = float(seconds) if seconds.isdecimal() else 0.0
    return error


def unreachable(access: Access, error: Exception) -> RemoteUnreachable:
    """Make the error of a connection that failed."""
    reason = str(error) or type(error).__name__
    return RemoteUnreachable(
        access.address, f"the service does not answer ({reason}); is it running at this address?"
    )


def closed(access: Access) -> RemoteError:
    """Make the error of a call to a client that was closed."""
    return RemoteError(access.address, "this client of the service is closed; open another one")


class Multipart:
    """A multipart form of files, sent piece by piece with a length known before.

    Parameters
    ----------
    uploads : sequence of Upload
        The files.
    """

    def __init__(self, uploads: Sequence[Upload]) -> None:
        boundary = uuid4().hex
        self._parts = [(_part_head(each, boundary), each) for each in uploads]
        self._tail = f"--{boundary}--\r\n".encode()
        size = sum(len(head) + each.size + 2 for head, each in self._parts)
        self.headers: Mapping[str, str] = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(size + len(self._tail)),
        }

    def __iter__(self) -> Iterator[bytes]:
        for head, upload in self._parts:
            yield head
            yield from upload.pieces()
            yield b"\r\n"
        yield self._tail

    async def later(self) -> AsyncIterator[bytes]:
        """Give the same pieces to a client that waits for none of them."""
        for piece in self:
            yield piece


def _part_head(upload: Upload, boundary: str) -> bytes:
    """Write the lines before a file."""
    name = upload.name.replace("\\", "_").replace('"', "%22")
    name = "".join(c if c.isprintable() else "_" for c in name)
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="raw_file"; '
        f'filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    ).encode()
