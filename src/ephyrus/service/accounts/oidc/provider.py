"""A provider: where its addresses are, its keys, and the exchange of a code for an ID token."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlsplit

from ephyrus._shared.extras import optional_module
from ephyrus.service.accounts.oidc.idtoken import Keys
from ephyrus.service.errors import ServiceError

if TYPE_CHECKING:
    from ephyrus.service.settings import Settings

__all__ = ["Addresses", "Provider"]

_CACHE_SECONDS = 3600.0
_REFRESH_SECONDS = 60.0  # keys that are not known are asked for at most so often
_PAUSE_SECONDS = 5.0  # a provider that cannot be reached is left alone for
_MAX_BODY = 1 << 20
_TIMEOUT = 10.0
_LOST = "it cannot be reached"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of a provider, and how clients are known there."""

    authorization: str
    token: str
    keys: str
    secret_in_header: bool


class Provider:
    """Speaks with the provider that the settings name; one per process.

    Parameters
    ----------
    settings : Settings
        Issuer and client.
    transport : AsyncBaseTransport, optional
        Of httpx2; None: the network.

    Notes
    -----
    Nothing is asked for before the first login. Redirects are not followed, answers are limited in
    size and time, and addresses must be ``https`` (but for this machine).
    """

    def __init__(self, settings: Settings, transport: Any = None) -> None:
        self._settings = settings
        self._http = optional_module("httpx2", "oidc", "login through a provider")
        self._client = self._http.AsyncClient(transport=transport, timeout=_TIMEOUT)
        self._lock = asyncio.Lock()
        self._addresses: Addresses | None = None
        self._addresses_at = 0.0
        self._keys: Keys | None = None
        self._keys_at = 0.0
        self._lost_at = -math.inf

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def addresses(self) -> Addresses:
        """Give the addresses, asked for at most once an hour.

        Raises
        ------
        ServiceError
            ``unavailable``: the provider does not answer, or says what cannot be used.
        """
        async with self._lock:
            if self._addresses is None or _age(self._addresses_at) > _CACHE_SECONDS:
                base = self._settings.oidc_issuer.rstrip("/")
                document = await self._get(f"{base}/.well-known/openid-configuration")
                self._addresses = self._parsed(document)
                self._addresses_at = time.monotonic()
            return self._addresses

    def _parsed(self, document: Mapping[str, Any]) -> Addresses:
        if document.get("issuer") != self._settings.oidc_issuer:
            raise _unusable("it calls itself by another name than the setting oidc_issuer")
        found = {}
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            address = document.get(name)
            if not isinstance(address, str):
                raise _unusable(f"it has no {name}")
            _check_address(address)
            found[name] = address
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Addresses(
            found["authorization_endpoint"],
            found["token_endpoint"],
            found["jwks_uri"],
            secret_in_header="client_secret_basic" in methods,
        )

    async def keys(self, *, fresh: bool = False) -> Keys:
        """Give the provider's keys.

        Parameters
        ----------
        fresh : bool
            The known ones do not do: ask again, unless that was done just now.
        """
        addresses = await self.addresses()
        async with self._lock:
            limit = _REFRESH_SECONDS if fresh else _CACHE_SECONDS
            if self._keys is None or _age(self._keys_at) > limit:
                self._keys = Keys.parse(await self._get(addresses.keys))
                self._keys_at = time.monotonic()
            return self._keys

    async def id_token(self, code: str, *, verifier: str, redirect_uri: str) -> str:
        """Exchange a code for an ID token.

        Raises
        ------
        ServiceError
            ``invalid_credentials``: the provider refuses the code; ``unavailable``.
        """
        addresses, settings = await self.addresses(), self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        secret, auth = settings.oidc_client_secret.get_secret_value(), None
        if secret and addresses.secret_in_header:
            auth = self._http.BasicAuth(_quoted(settings.oidc_client_id), _quoted(secret))
        else:
            form["client_id"] = settings.oidc_client_id
            if secret:
                form["client_secret"] = secret
        options = {} if auth is None else {"auth": auth}
        status, document = await self._ask("POST", addresses.token, data=form, **options)
        token = document.get("id_token")
        if 400 <= status < 500 or (status == 200 and not isinstance(token, str)):
            raise ServiceError(
                "invalid_credentials", "The login provider does not confirm the login; try again."
            )
        if status != 200 or not isinstance(token, str):
            raise _unusable(f"it answers with status {status}")
        return token

    async def _get(self, address: str) -> Mapping[str, Any]:
        _check_address(address)
        if _age(self._lost_at) < _PAUSE_SECONDS:  # those who waited do not wait again, in a queue
            raise _unusable(_LOST)
        status, document = await self._ask("GET", address)
        if status != 200:
            raise _unusable(f"it answers with status {status}")
        return document

    async def _ask(self, method: str, address: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Ask for a JSON object."""
        body = bytearray()
        headers = {"Accept": "application/json"}
        try:
            async with (
                asyncio.timeout(2 * _TIMEOUT),
                self._client.stream(method, address, headers=headers, **options) as answer,
            ):
                async for block in answer.aiter_bytes():
                    body += block
                    if len(body) > _MAX_BODY:
                        raise _unusable("its answer is too long")
                status: int = answer.status_code
        except (self._http.HTTPError, self._http.InvalidURL, TimeoutError) as error:
            self._lost_at = time.monotonic()
            raise _unusable(_LOST) from error
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            if status == 200:
                raise _unusable("its answer is no JSON object")
            document = {}
        return status, document


def _age(moment: float) -> float:
    return time.monotonic() - moment


def _quoted(text: str) -> str:
    # RFC 6749, 2.3.1: name and secret are form-encoded before they go into the header
    return quote_plus(text)


def _check_address(address: str) -> None:
    """Refuse what would carry secrets in the clear."""
    try:
        parts = urlsplit(address)
        is_local = parts.scheme == "http" and parts.hostname in _LOCAL
    except ValueError:
        raise _unusable("one of its addresses is none") from None
    if not is_local and (parts.scheme != "https" or not parts.hostname):
        raise _unusable("its addresses must begin with https://")


def _unusable(reason: str) -> ServiceError:
    return ServiceError(
        "unavailable",
        f"The login provider cannot be used at the moment: {reason}.",
        headers={"Retry-After": "30"},
    )
