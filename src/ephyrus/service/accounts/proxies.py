"""Where a request comes from, also behind a proxy that is trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from ephyrus.service.settings import Settings

__all__ = ["Forwarded", "client_network"]

_App = Callable[[Any, Any, Any], Awaitable[None]]
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV6_PREFIX = 64  # what one customer gets: single addresses cost an attacker nothing


class Forwarded:
    """Take client, scheme and host of a request from the headers of trusted proxies.

    ``X-Forwarded-For`` is read from its end, passing over trusted proxies; ``X-Forwarded-Proto``
    and ``X-Forwarded-Host`` give their last value. From anybody else these headers mean nothing.

    Parameters
    ----------
    app : ASGI application
        What is served.
    settings : Settings
        `trusted_proxies`: addresses, networks, or ``unix`` for a socket of the file system. Where
        there are none, requests are passed on as they are.

    Raises
    ------
    ValueError
        Something in `trusted_proxies` is neither an address nor a network.
    """

    def __init__(self, app: _App, settings: Settings) -> None:
        self._app = app
        self._is_unix_trusted = "unix" in settings.trusted_proxies
        self._networks = _networks(settings.trusted_proxies)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a connection."""
        is_request = scope["type"] in {"http", "websocket"}
        if is_request and self._is_trusted(_client_host(scope)):
            scope = self._forwarded(scope)
        await self._app(scope, receive, send)

    def _is_trusted(self, host: str) -> bool:
        if not host:
            return self._is_unix_trusted
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)

    def _forwarded(self, scope: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the scope as the outermost trusted proxy has seen it."""
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        changed: MutableMapping[str, Any] = dict(scope)
        for sent in reversed(_values(headers, b"x-forwarded-for")):
            host = _without_port(sent)
            changed["client"] = (host, 0)
            if not self._is_trusted(host):
                break
        scheme = _last(headers, b"x-forwarded-proto").lower()
        if scheme in {"http", "https"}:
            is_socket = scope["type"] == "websocket"
            changed["scheme"] = scheme.replace("http", "ws") if is_socket else scheme
        host = _last(headers, b"x-forwarded-host")
        if host:
            others = [each for each in headers if each[0] != b"host"]
            changed["headers"] = [(b"host", host.encode("latin-1")), *others]
        return changed


def _networks(texts: Iterable[str]) -> tuple[_Network, ...]:
    found: list[_Network] = []
    for text in texts:
        if text == "unix":
            continue
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise ValueError(
                f"trusted_proxies: {text!r} is neither an address nor a network "
                "(such as 10.0.0.5 or 10.0.0.0/8) nor 'unix'"
            ) from None
    return tuple(found)


def _client_host(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _address(text: str) -> _Address | None:
    """Read an address; one of IPv4 in the clothes of IPv6 is given as IPv4."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _without_port(text: str) -> str:
    """Take the address out of ``1.2.3.4:5678`` and ``[::1]:5678``, as some proxies write them."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, _, port = text.partition(":")
    return host if port.isdecimal() else text


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    joined = b",".join(value for each, value in headers if each == name)
    return [text for part in joined.split(b",") if (text := part.strip().decode("latin-1"))]


def _last(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    values = _values(headers, name)
    return values[-1] if values else ""


def client_network(scope: Mapping[str, Any]) -> str:
    """Give the network that a client's attempts are counted for.

    Parameters
    ----------
    scope : mapping
        ASGI scope, after `Forwarded`.

    Returns
    -------
    str
        An IPv4 address, the /64 network of an IPv6 address, or ``"unknown"``.
    """
    address = _address(_client_host(scope))
    if address is None:
        return "unknown"
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))
