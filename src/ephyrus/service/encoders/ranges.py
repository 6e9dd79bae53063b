"""Ranges of bytes: the headers ``Range``, ``If-Range`` and ``Content-Range`` (RFC 9110, 14)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from ephyrus.service.errors import ServiceError

__all__ = ["ByteRange", "requested"]

_RANGE = re.compile(
    r"bytes[ \t]*=[ \t]*([0-9]{0,999})[ \t]*-[ \t]*([0-9]{0,999})[ \t]*", re.ASCII | re.IGNORECASE
)


class ByteRange(NamedTuple):
    """A half-open range of bytes that is answered with status 206."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Bytes of the answer."""
        return self.stop - self.start

    def content_range(self, length: int) -> str:
        """Value of ``Content-Range`` for a body of `length` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{length}"


def requested(
    header: str | None,
    *,
    length: int,
    if_range: str | None = None,
    etag: str | None = None,
    last_modified: datetime | None = None,
) -> ByteRange | None:
    """Return the range of bytes that is to be sent.

    Parameters
    ----------
    header : str or None
        The header ``Range`` of a GET request.
    length : int
        Bytes of the whole body.
    if_range : str or None
        The header ``If-Range``: a range is sent only of the version that it names.
    etag : str or None
        The ``ETag`` that is sent, with its quotes.
    last_modified : datetime or None
        The ``Last-Modified`` that is sent; without a time zone it is UTC.

    Returns
    -------
    ByteRange or None
        None: send everything with status 200. So are answered, as RFC 9110 allows: no header,
        another unit, a header against the rules, another version, and several ranges at once (their
        parts could be asked for to make a server work for nothing).

    Raises
    ------
    ServiceError
        416 ``range_not_satisfiable``, with the header ``Content-Range``: the range lies behind the
        end.
    """
    if header is None or not _is_same_version(if_range, etag, last_modified):
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        start, stop = max(length - int(last), 0), length
    else:
        start = int(first)
        stop = min(int(last) + 1, length) if last else length
        if last and int(last) < start:
            return None
    if start >= stop:
        msg = f"there is no byte in the range {header.strip()[:80]}: the body has {length} bytes"
        headers = {"Content-Range": f"bytes */{length}"}
        raise ServiceError(
            "range_not_satisfiable", msg, details={"length": length}, headers=headers
        )
    return ByteRange(start, stop)


def _is_same_version(
    if_range: str | None, etag: str | None, last_modified: datetime | None
) -> bool:
    """Tell whether ``If-Range`` names the version that would be sent."""
    if if_range is None:
        return True
    validator = if_range.strip()
    if validator.startswith(("W/", '"')):
        # the comparison is the strong one: a weak name never fits
        return etag is not None and validator == etag and not etag.startswith("W/")
    if last_modified is None:
        return False
    try:
        date = parsedate_to_datetime(validator)
    except ValueError:
        return False
    return _utc(date) == _utc(last_modified).replace(microsecond=0)


def _utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a time zone is taken to be there."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
