"""Requests that the page of another site makes a visitor's browser send.

Browsers send cookies unasked. Two headers, which no page can set, tell where a request was
begun: ``Sec-Fetch-Site`` and ``Origin``. Programs send neither and are not refused: nobody else's
cookie is in them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings

__all__ = ["SAFE_METHODS", "check_host", "check_site", "host_name", "is_foreign"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

_OWN_SITES = frozenset({"same-origin", "none"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_site(
    method: str,
    headers: Mapping[str, str],
    *,
    by_cookie: bool,
    allowed_origins: Collection[str] = (),
) -> None:
    """Refuse a request that changes something and comes from another site.

    Parameters
    ----------
    method : str
        Method of the request.
    headers : mapping
        Headers, names in lower case.
    by_cookie : bool
        The request carries a cookie, or is a login (whose answer sets one: nobody shall be logged
        in under a stranger's name without noticing).
    allowed_origins : collection of str
        Origins of other sites that may.

    Raises
    ------
    ServiceError
        ``not_authorized``.

    Notes
    -----
    A *sibling* (``Sec-Fetch-Site: same-site``, another name below the same domain) is refused like
    any other site: below the domain of a university lie pages of thousands of people.
    """
    if not by_cookie or method in SAFE_METHODS:
        return
    if is_foreign(headers, allowed_origins=allowed_origins):
        raise ServiceError(
            "not_authorized",
            "The request comes from the page of another site. If that is intended, name its "
            "origin in the setting allowed_origins, or use a bearer token; behind a proxy, name "
            "the proxy in trusted_proxies.",
            details={"origin": headers.get("origin", ""), "host": headers.get("host", "")},
        )


def is_foreign(headers: Mapping[str, str], *, allowed_origins: Collection[str] = ()) -> bool:
    """Tell whether a request was begun by the page of another site.

    Parameters
    ----------
    headers : mapping
        Headers, names in lower case.
    allowed_origins : collection of str
        Origins that count as own.
    """
    origin, site = headers.get("origin", ""), headers.get("sec-fetch-site", "").strip().lower()
    if origin and origin in allowed_origins:
        return False
    if site and site not in _OWN_SITES:
        return True
    if not origin:
        return False
    if origin == "null":  # a page without an origin, or one that hides it
        return not site
    return _place(origin) is None or _place(origin) != _own_place(headers, origin)


def _place(origin: str) -> tuple[str, int] | None:
    """Give host and port of an origin; None: it is none."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return None
    return host, port or _DEFAULT_PORTS[parts.scheme]


def _own_place(headers: Mapping[str, str], origin: str) -> tuple[str, int] | None:
    """Give host and port that the request was sent to.

    A port that is left out is the default one of the origin's scheme: whether the connection was
    encrypted is not known behind a proxy.
    """
    scheme = origin.partition(":")[0]
    return _place(f"{scheme}://{headers.get('host', '')}")


def host_name(headers: Mapping[str, str]) -> str:
    """Give the name in the header ``Host``, without the port, in lower case; empty: none."""
    place = _place(f"http://{headers.get('host', '')}")
    return "" if place is None else place[0]


def check_host(headers: Mapping[str, str], settings: Settings) -> None:
    """Refuse a request for a name that the service is not called by.

    Otherwise a page could have its own name point at the loopback address, and read what is served
    there as if it were its own (DNS rebinding).

    Parameters
    ----------
    headers : mapping
        Headers, names in lower case.
    settings : Settings
        `allowed_hosts`: names, ``*.example.org`` for all below one, ``*`` for any. None: any, but
        only names of this machine while the service listens on a loopback address.

    Raises
    ------
    ServiceError
        ``not_authorized``.
    """
    allowed: Collection[str] = settings.allowed_hosts
    if not allowed:
        if settings.host not in _LOOPBACK:
            return
        allowed = _LOOPBACK
    name = host_name(headers)
    if not any(_is_name(name, each.lower()) for each in allowed):
        raise ServiceError(
            "not_authorized",
            "The service is not called by this name. If it should be, add the name to the "
            "setting allowed_hosts.",
            details={"host": headers.get("host", "")},
        )


def _is_name(name: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return name == pattern.strip("[]")
