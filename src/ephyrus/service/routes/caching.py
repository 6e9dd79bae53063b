"""Tags and dates by which clients and proxies find out whether an answer is still the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from hashlib import sha1
from typing import TYPE_CHECKING

from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.answers import Answer

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = ["cache_headers", "content_tag", "list_tag", "quoted", "require_match", "revalidate"]

VARY = "Cookie, Authorization, Accept"


def quoted(guid: str, normal: str = "") -> str:
    """Make the tag of an object.

    Parameters
    ----------
    guid : str
        Version of the object.
    normal : str
        What else the answer depends on, always written alike; empty: nothing.

    Returns
    -------
    str
        ``"<guid>"``, or ``"<guid>-<8 hex>"``.
    """
    return f'"{guid}-{_digest(normal)[:8]}"' if normal else f'"{guid}"'


def list_tag(guids: Iterable[str], normal: str) -> str:
    """Make the tag of a list of objects."""
    return f'"{_digest(" ".join((normal, *guids)))}"'


def content_tag(body: bytes) -> str:
    """Make the tag of something that is the same for everybody, from what it holds."""
    return f'"{sha1(body, usedforsecurity=False).hexdigest()}"'


def _digest(text: str) -> str:
    return sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def cache_headers(tag: str, modified: datetime | None = None, *, public: bool) -> dict[str, str]:
    """Give the headers of an answer that may be kept and must be asked about each time."""
    headers = {
        "ETag": tag,
        "Cache-Control": f"{'public' if public else 'private'}, no-cache",
        "Vary": VARY,
    }
    if modified is not None:
        headers["Last-Modified"] = _http_date(modified)
    return headers


@lru_cache(maxsize=1024)
def _http_date(moment: datetime) -> str:
    return format_datetime(moment.replace(tzinfo=UTC), usegmt=True)


def revalidate(
    call: Call, tag: str, modified: datetime | None = None, *, public: bool = False
) -> Answer | None:
    """Give the answer 304 where the client has what would be sent; else None.

    Parameters
    ----------
    call : Call
        The request.
    tag : str
        Tag of the answer.
    modified : datetime, optional
        When the object was changed last, UTC.
    public : bool
        The object may be kept by everybody.
    """
    sent = call.header("if-none-match")
    if sent:
        same = _is_named(sent, tag)
    else:
        same = modified is not None and _is_since(call.header("if-modified-since"), modified)
    if not same:
        return None
    return Answer(
        status=304, media_type="", headers=cache_headers(tag, modified, public=public), coding=False
    )


def _is_named(sent: str, tag: str) -> bool:
    """Tell whether one of the tags that were sent is the tag.

    A tag without quotes is the name of a version: the client has kept what it got for this address
    in that version, so that what stands behind the version is not compared.
    """
    inner = tag.strip('"')
    for each in sent.split(","):
        text = each.strip()
        if text == "*":
            return True
        text = text.removeprefix("W/")
        if text.startswith('"'):
            if text.strip('"') == inner:
                return True
        elif text in (inner, inner.partition("-")[0]):
            return True
    return False


def _is_since(sent: str, modified: datetime) -> bool:
    """Tell whether nothing was changed after the time that was sent; no time: something was."""
    if not sent:
        return False
    try:
        since = parsedate_to_datetime(sent)
    except ValueError:
        return False  # what is no date is to be disregarded
    if since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    return modified.replace(tzinfo=UTC, microsecond=0) <= since


def require_match(call: Call, guid: str) -> None:
    """Refuse to change an object that is no longer the one that the client has seen.

    Raises
    ------
    ServiceError
        ``If-Match`` was sent and does not name the current version (412
        ``precondition_failed``).
    """
    sent = call.header("if-match")
    if not sent:
        return
    for each in sent.split(","):
        text = each.strip().removeprefix("W/").strip('"')
        if text in ("*", guid) or text.partition("-")[0] == guid:
            return
    raise ServiceError(
        "precondition_failed",
        "The object has been changed since; get it again and repeat the change.",
        details={"guid": guid},
    )
