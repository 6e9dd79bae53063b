"""Headers that every answer has, and those for pages of other sites."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

__all__ = ["NO_CONTENT_POLICY", "Cors", "header_of", "standing_headers"]

_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # not "no-referrer": browsers would send "Origin: null" with the forms of our own pages
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-site"),
)
_HTTPS = (*_SECURITY, (b"strict-transport-security", b"max-age=31536000"))
NO_CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""For answers without a policy of their own: what a browser makes of them may load nothing."""
_EXPOSED = "ETag, Link, Location, Content-Range, X-Array-Shape, X-Array-Dtype, X-Request-Id"
_SENT = "Authorization, Content-Type, If-Match, If-None-Match, If-Modified-Since, Prefer, Range"


def header_of(scope: Scope, name: bytes) -> str:
    """Give one header of a request; empty where it is not there."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return ""


def standing_headers(scheme: str, request_id: str) -> list[tuple[bytes, bytes]]:
    """Give the headers that each answer has."""
    common = _HTTPS if scheme == "https" else _SECURITY
    return [*common, (b"x-request-id", request_id.encode("ascii"))]


class Cors:
    """What pages of other sites may read.

    Parameters
    ----------
    origins : tuple of str
        Origins of the sites; ``*``: all, but without the visitor's session. None: no headers.
    """

    def __init__(self, origins: tuple[str, ...]) -> None:
        self.origins = frozenset(origins)

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Give the headers for the answer to a request."""
        origin = header_of(scope, b"origin")
        if origin in self.origins:
            facts = {
                "access-control-allow-origin": origin,
                "access-control-allow-credentials": "true",
            }
        elif "*" in self.origins:
            facts = {"access-control-allow-origin": "*"}
        else:
            return [(b"vary", b"Origin")]
        facts["access-control-expose-headers"] = _EXPOSED
        return [(b"vary", b"Origin"), *_encoded(tuple(facts.items()))]

    def preflight(self, scope: Scope, allow: str) -> Mapping[str, str]:
        """Give the further headers for the question whether a request may be made."""
        if not self.origins or not header_of(scope, b"access-control-request-method"):
            return {}
        return {
            "access-control-allow-methods": allow,
            "access-control-allow-headers": _SENT,
            "access-control-max-age": "600",
        }


@lru_cache(maxsize=64)
def _encoded(facts: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("ascii"), value.encode("latin-1")) for name, value in facts)
