"""What the service and the processes that open uploaded files have agreed on.

Messages are JSON with a length before them; what may be long is written to files of known names.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

__all__ = [
    "ENDING",
    "LISTING",
    "MANIFEST",
    "MOST_OBJECTS",
    "MOST_REPORT",
    "MOST_REQUEST",
    "REPORT",
    "REQUEST",
    "receive",
    "send",
]

REQUEST, REPORT, ENDING = b"Q", b"R", b"X"
MOST_REQUEST = 16 * 2**20  # bytes
MOST_REPORT = 4 * 2**20  # bytes; what may be longer goes through a file
MANIFEST = "objects.jsonl"  # objects, one JSON document a line
MOST_OBJECTS = 300_000  # in it
LISTING = "files.json"  # what was unpacked
_HEAD = 9  # the kind and the length


def send(connection: socket.socket, kind: bytes, value: Mapping[str, Any]) -> None:
    """Send one message."""
    body = json.dumps(value).encode()
    connection.sendall(kind + len(body).to_bytes(8, "little") + body)


def receive(connection: socket.socket, *, most: int) -> tuple[bytes, Any]:
    """Receive one message.

    Parameters
    ----------
    connection : socket
        Where it comes from.
    most : int
        Longest body that is taken, in bytes.

    Returns
    -------
    kind : bytes
        One of the three; empty when the other end is gone.
    value : object

    Raises
    ------
    ValueError
        If it is no message, or too long.
    OSError
        If the connection fails.
    """
    head = _exactly(connection, _HEAD)
    if len(head) < _HEAD:
        return b"", None
    length = int.from_bytes(head[1:], "little")
    if head[:1] not in (REQUEST, REPORT, ENDING) or length > most:
        raise ValueError("a message that cannot be one of the service's")
    body = _exactly(connection, length)
    return (head[:1], json.loads(body)) if len(body) == length else (b"", None)


def _exactly(connection: socket.socket, count: int) -> bytes:
    """Receive `count` bytes, fewer if the other end is gone."""
    pieces = []
    while count:
        piece = connection.recv(min(count, 2**16))
        if not piece:
            break
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
