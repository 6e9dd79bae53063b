"""What a client shows to be known: session cookies and bearer tokens.

Secrets are 256 random bits. Only their SHA-256 is stored and kept in memory: they are as good as
random, so that a slow hash would add nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

__all__ = [
    "COOKIE",
    "LINK_COOKIE",
    "Presented",
    "clearing_cookie",
    "digest",
    "new_secret",
    "new_token",
    "presented",
    "session_cookie",
    "token_prefix",
]

COOKIE = "sessionid"
"""Name of the session's cookie."""

LINK_COOKIE = "sharelink"
"""Name of the cookie that a share link sets."""

_SECRET = re.compile(rb"[A-Za-z0-9_-]{43}")
_TOKEN = re.compile(rb"eph_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")
_SESSION_IN_COOKIES = re.compile(rb"(?:^|;)[ \t]*sessionid=([^;]*)")
_LINK_IN_COOKIES = re.compile(rb"(?:^|;)[ \t]*sharelink=([A-Za-z0-9_-]{43})(?:;|$)")
_PADDING = b' \t"'
_PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_PREFIX_LENGTH = len("eph_") + 8


@dataclass(frozen=True, slots=True)
class Presented:
    """Credentials of a request.

    Attributes
    ----------
    kind : {"session", "token", "link"}
        Where they came from; ``"link"``: there is nothing but a share link.
    digest : str
        SHA-256 in hex; empty: what was sent cannot be credentials of ours.
    link : str
        SHA-256 of a share link's secret, which came besides; empty: none did.
    is_link_demanded : bool
        The share link came in a header of its own: if it is not valid the request is refused. One
        in a cookie, which browsers send to the end of its days, is passed over then.
    """

    kind: Literal["session", "token", "link"]
    digest: str
    link: str = ""
    is_link_demanded: bool = False


def new_secret() -> str:
    """Make 256 random bits, as 43 characters that fit into cookies and addresses."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """Make the text of a bearer token: ``eph_<8 letters to recognise it by>_<secret>``."""
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(8))
    return f"eph_{prefix}_{new_secret()}"


def token_prefix(token: str) -> str:
    """Give the part of a token that may be shown."""
    return token[:_PREFIX_LENGTH]


def digest(secret: str) -> str:
    """Give the SHA-256 of a secret in hex: what is stored in its place."""
    return sha256(secret.encode()).hexdigest()


def presented(headers: Iterable[tuple[bytes, bytes]]) -> Presented | None:
    """Find the credentials of a request.

    A header ``Authorization`` wins over a cookie. What is there and cannot be ours (another scheme,
    another form) has an empty digest: it is refused, never taken for nobody.

    Parameters
    ----------
    headers : iterable of (bytes, bytes)
        Headers as in an ASGI scope: names in lower case.

    Returns
    -------
    Presented or None
        None: neither an ``Authorization`` nor the cookie of a session or share link was sent.
    """
    token = header = session = link = None
    for name, value in headers:
        if name == b"cookie":
            session = session or _SESSION_IN_COOKIES.search(value)
            link = link or _LINK_IN_COOKIES.search(value)
        elif name == b"authorization":
            token = value
        elif name == b"x-share-link":
            header = value
    kind: Literal["session", "token", "link"] = "link"
    shown = ""
    if token is not None:
        kind, shown = "token", _token_digest(token)
    elif session is not None and (secret := session.group(1).strip(_PADDING)):
        kind, shown = "session", _digest(secret)
    if header is None and link is None:
        return None if kind == "link" else Presented(kind, shown)
    key = _digest((link.group(1) if header is None and link else header or b"").strip(_PADDING))
    return Presented(kind, shown, key, is_link_demanded=header is not None)


def _digest(secret: bytes) -> str:
    return sha256(secret).hexdigest() if _SECRET.fullmatch(secret) else ""


def _token_digest(value: bytes) -> str:
    scheme, _, text = value.strip().partition(b" ")
    text = text.strip()
    if scheme.lower() != b"bearer" or _TOKEN.fullmatch(text) is None:
        return ""
    return sha256(text).hexdigest()


def session_cookie(secret: str, *, secure: bool, max_age: int, name: str = COOKIE) -> str:
    """Give the header ``Set-Cookie`` of a session (or of what else `name` says)."""
    parts = [f"{name}={secret}", "Path=/", f"Max-Age={max_age}", "HttpOnly", "SameSite=Lax"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def clearing_cookie(*, secure: bool) -> str:
    """Give the header ``Set-Cookie`` that makes a browser forget its session."""
    return session_cookie("", secure=secure, max_age=0)
