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

_SECRET = re.compile(rb"[A-Za-z0-9_-]{43}")
_TOKEN = re.compile(rb"eph_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")
_SESSION_IN_COOKIES = re.compile(rb"(?:^|;)[ \t]*sessionid=([^;]*)")
_PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_PREFIX_LENGTH = len("eph_") + 8


@dataclass(frozen=True, slots=True)
class Presented:
    """Credentials of a request.

    Attributes
    ----------
    kind : {"session", "token"}
        Where they came from.
    digest : str
        SHA-256 in hex; empty: what was sent cannot be credentials of ours.
    """

    kind: Literal["session", "token"]
    digest: str


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
        None: neither an ``Authorization`` nor a session's cookie was sent.
    """
    cookie = None
    for name, value in headers:
        if name == b"authorization":
            return Presented("token", _token_digest(value))
        if name == b"cookie" and cookie is None:
            cookie = _SESSION_IN_COOKIES.search(value)
    if cookie is None:
        return None
    secret = cookie.group(1).strip(b' \t"')
    if not secret:
        return None
    is_ours = _SECRET.fullmatch(secret) is not None
    return Presented("session", sha256(secret).hexdigest() if is_ours else "")


def _token_digest(value: bytes) -> str:
    scheme, _, text = value.strip().partition(b" ")
    text = text.strip()
    if scheme.lower() != b"bearer" or _TOKEN.fullmatch(text) is None:
        return ""
    return sha256(text).hexdigest()


def session_cookie(secret: str, *, secure: bool, max_age: int) -> str:
    """Give the header ``Set-Cookie`` of a session."""
    parts = [f"{COOKIE}={secret}", "Path=/", f"Max-Age={max_age}", "HttpOnly", "SameSite=Lax"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def clearing_cookie(*, secure: bool) -> str:
    """Give the header ``Set-Cookie`` that makes a browser forget its session."""
    return session_cookie("", secure=secure, max_age=0)
