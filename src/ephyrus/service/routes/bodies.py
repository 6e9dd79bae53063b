"""Reading what a request sends: limits of size and time, JSON and forms."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from ephyrus.service.errors import ServiceError

if TYPE_CHECKING:
    from starlette.types import Receive

__all__ = ["parse_form", "parse_json", "read_body", "read_stream"]

_DEPTH = 32  # of a JSON body: an object, its parts, their lists; nothing has more than six
_MOST_PARTS = 250_000  # lists and objects of a JSON body; nothing has a tenth of that
_MOST_FIELDS = 1000  # of a form
_LEAST_RATE = 1024  # bytes per second: who sends less, after the time for one piece, is cut off


async def read_stream(
    receive: Receive,
    headers: Mapping[str, str],
    *,
    limit: int,
    idle: float,
    total: float | None,
) -> AsyncIterator[bytes]:
    """Read a body in pieces.

    Parameters
    ----------
    receive : callable
        Gives the messages of the request.
    headers : mapping of str to str
        Headers by lower-case name: a length that is announced is checked before anything is read.
    limit : int
        Most bytes.
    idle : float
        Seconds that may pass between two pieces.
    total : float or None
        Seconds that the whole body may take; None: as many as it needs at 1 KiB/s.

    Yields
    ------
    bytes
        The pieces.

    Raises
    ------
    ServiceError
        413 ``too_large``; 408 ``request_timeout``; 400 ``data_parsing_error``: the sender went
        away.
    """
    _check_length(headers.get("content-length"), limit)
    started = time.monotonic()
    size = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(idle):
                message = await receive()
        except TimeoutError:
            _too_slow(f"nothing came for {idle:g} s")
        if message["type"] == "http.disconnect":
            raise ServiceError("data_parsing_error", "The connection ended before the body did.")
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(piece)
        if size > limit:
            _too_large(limit)
        _check_pace(time.monotonic() - started, size, idle=idle, total=total)
        if piece:
            yield piece


def _check_length(announced: str | None, limit: int) -> None:
    if announced is None:
        return
    if not (announced.isascii() and announced.isdigit()):
        raise ServiceError("data_parsing_error", "Content-Length must be a whole number.")
    if len(announced) > 18 or int(announced) > limit:
        _too_large(limit)


def _check_pace(seconds: float, size: int, *, idle: float, total: float | None) -> None:
    if total is not None and seconds > total:
        _too_slow(f"it took more than {total:g} s")
    if total is None and seconds > idle and size < (seconds - idle) * _LEAST_RATE:
        _too_slow(f"less than {_LEAST_RATE} bytes came per second")


def _too_large(limit: int) -> NoReturn:
    raise ServiceError(
        "too_large",
        f"The body of this request may have at most {limit:,} bytes.",
        details={"limit": limit},
        headers={"Connection": "close"},
    )


def _too_slow(why: str) -> NoReturn:
    raise ServiceError(
        "request_timeout",
        f"The body of the request came too slowly ({why}); send it again.",
        headers={"Connection": "close"},
    )


async def read_body(
    receive: Receive, headers: Mapping[str, str], *, limit: int, seconds: float
) -> bytes:
    """Read a whole body of at most `limit` bytes within `seconds`."""
    pieces = [
        piece
        async for piece in read_stream(receive, headers, limit=limit, idle=seconds, total=seconds)
    ]
    return b"".join(pieces)


def parse_json(body: bytes) -> Any:
    """Parse a JSON body.

    Parameters
    ----------
    body : bytes
        The body, UTF-8.

    Returns
    -------
    object
        What it says; None for an empty body.

    Raises
    ------
    ServiceError
        It is not JSON, holds NaN or infinity, names one key twice, is nested too deeply, or has too
        many parts (400 ``data_parsing_error``).
    """
    if not body.strip():
        return None
    if body.count(b"[") + body.count(b"{") > _MOST_PARTS:  # within texts too, to be quick
        _not_json(f"it has more than {_MOST_PARTS:,} lists and objects")
    try:
        text = body.decode("utf-8-sig")
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        _not_json(f"it is not UTF-8 text (byte {error.start})")
    except json.JSONDecodeError as error:
        _not_json(f"{error.msg}, line {error.lineno}, column {error.colno}")
    except RecursionError:
        _not_json(f"it is nested more than {_DEPTH} deep")
    except ValueError:  # a number of more than 4,300 digits
        _not_json("it holds a number of too many digits")
    _check_values(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                _not_json(f"the key {name[:60]!r} stands twice in one object")
            seen.add(name)
    return made


def _no_constant(name: str) -> NoReturn:
    _not_json(f"{name} is not a JSON value; send null")


def _check_values(document: Any) -> None:
    """Refuse what is nested too deeply, numbers out of range and text that cannot be stored."""
    level = [document]
    for _ in range(_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each)
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
            else:
                _check_scalar(each)
        if not below:
            return
        level = below
    _not_json(f"it is nested more than {_DEPTH} deep")


def _check_scalar(value: Any) -> None:
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        _not_json("it holds a number beyond the range of doubles")
    if isinstance(value, str):
        if "\x00" in value:
            _not_json("a text may not hold the character 0")
        if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
            _not_json("a text holds half of a surrogate pair")


def _not_json(why: str) -> NoReturn:
    raise ServiceError(
        "data_parsing_error",
        f"The body of the request cannot be read as JSON: {why}.",
        details=why,
    )


def parse_form(body: bytes, content_type: str) -> dict[str, Any]:
    """Parse the fields of a form: urlencoded, multipart without files, or a JSON object.

    Raises
    ------
    ServiceError
        It is none of these (400 ``data_parsing_error``).
    """
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    if kind == "multipart/form-data":
        return _parse_multipart(body, rest)
    if kind == "application/json" or body.lstrip()[:1] == b"{":
        document = parse_json(body)
        if document is None:
            return {}
        if not isinstance(document, dict):
            raise ServiceError("data_parsing_error", "The body must be a JSON object.")
        return document
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise ServiceError(
            "data_parsing_error", "The body of the request cannot be read as a form."
        ) from None
    return dict(pairs)


def _parse_multipart(body: bytes, options: str) -> dict[str, Any]:
    """Parse a multipart form that holds fields only."""
    from python_multipart import create_form_parser
    from python_multipart.exceptions import FormParserError

    fields: dict[str, Any] = {}

    count = 0

    def on_field(field: Any) -> None:
        nonlocal count
        count += 1
        if count > _MOST_FIELDS:
            raise ServiceError(
                "data_parsing_error", f"A form may have at most {_MOST_FIELDS} fields."
            )
        fields[field.field_name.decode("utf-8", "replace")] = (field.value or b"").decode(
            "utf-8", "replace"
        )

    def on_file(_: Any) -> None:
        raise ServiceError("data_parsing_error", "This form has no files; send its fields only.")

    headers = {"Content-Type": f"multipart/form-data;{options}".encode("latin-1", "replace")}
    try:
        parser = create_form_parser(headers, on_field, on_file)
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise ServiceError(
            "data_parsing_error", "The body of the request cannot be read as a form."
        ) from None
    return fields
