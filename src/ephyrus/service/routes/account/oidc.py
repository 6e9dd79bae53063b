"""Logging in through an OpenID Connect provider."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ephyrus.errors import MissingExtraError
from ephyrus.service.accounts.login import LoggedIn
from ephyrus.service.accounts.oidc import flow
from ephyrus.service.accounts.oidc.idtoken import UnknownKeyError, validated_claims
from ephyrus.service.accounts.oidc.provider import Provider
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.account.login import (
    is_secure,
    logins,
    session_cookie_of,
    session_digest,
)
from ephyrus.service.routes.account.pages import local_path, login_page
from ephyrus.service.routes.answers import Answer

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = ["callback", "start"]

_COOKIE = "oidclogin"
_PATH = "/account/oidc/"
_IN_COOKIES = re.compile(rf"(?:^|;)\s*{_COOKIE}=([A-Za-z0-9_-]{{43}})(?:;|,|$)")


def _provider(call: Call) -> Provider:
    if not call.service.settings.oidc_issuer:
        raise ServiceError("not_found", "This service has no login through a provider.")
    try:
        return call.service.part("oidc", lambda service: Provider(service.settings))
    except MissingExtraError as error:
        raise ServiceError("unavailable", str(error)) from error


def _redirect_uri(call: Call) -> str:
    configured = call.service.settings.oidc_redirect_uri
    if configured:
        return configured
    scheme = "https" if is_secure(call) else "http"
    return f"{scheme}://{call.header('host')}{_PATH}callback/"


async def start(call: Call) -> Answer:
    """Begin a login: send the browser to the provider."""
    provider, settings = _provider(call), call.service.settings
    addresses = await provider.addresses()
    redirect_uri = _redirect_uri(call)
    begun = await call.thread(
        flow.begin,
        call.service.database,
        redirect_uri=redirect_uri,
        next_path=local_path(call.query.one("next", "/")),
    )
    address = flow.authorization_url(
        addresses.authorization, begun, settings, redirect_uri=redirect_uri
    )
    headers = {
        "Location": address,
        "Set-Cookie": _cookie(call, begun.browser, flow.LOGIN_SECONDS),
        "Cache-Control": "no-store",
    }
    return Answer(status=303, headers=headers)


def _cookie(call: Call, value: str, max_age: int) -> str:
    parts = [f"{_COOKIE}={value}", f"Path={_PATH}", f"Max-Age={max_age}", "HttpOnly"]
    parts += ["SameSite=Lax", *(["Secure"] if is_secure(call) else [])]
    return "; ".join(parts)


async def callback(call: Call) -> Answer:
    """End a login that the provider sends back, and begin a session."""
    provider = _provider(call)
    try:
        pending, claims = await _confirmed(call, provider)
        entered = await call.thread(_enter, call, claims)
    except ServiceError as error:
        return login_page(
            status=error.status, alert=error.message, with_provider=True, headers=error.headers
        )
    headers = [
        ("Location", pending.next_path),
        ("Set-Cookie", session_cookie_of(call, entered)),
        ("Set-Cookie", _cookie(call, "", 0)),
        ("Cache-Control", "no-store"),
    ]
    return Answer(status=303, headers=headers)


async def _confirmed(call: Call, provider: Provider) -> tuple[flow.Pending, dict[str, Any]]:
    """Let the provider confirm who has logged in there."""
    settings = call.service.settings
    found = _IN_COOKIES.search(call.header("cookie"))
    pending = await call.thread(
        flow.take,
        call.service.database,
        state=call.query.one("state", ""),
        browser="" if found is None else found.group(1),
    )
    if call.query.one("iss", settings.oidc_issuer) != settings.oidc_issuer:
        raise ServiceError("invalid_credentials", "Another login provider has answered.")
    code = call.query.one("code", "")
    if not code or "error" in call.query:
        raise ServiceError("invalid_credentials", "The login provider has not let you in.")
    token = await provider.id_token(
        code, verifier=pending.verifier, redirect_uri=pending.redirect_uri
    )
    try:
        keys = await provider.keys()
        return pending, validated_claims(token, keys, settings, nonce=pending.nonce)
    except UnknownKeyError:
        keys = await provider.keys(fresh=True)  # providers change their keys
    return pending, validated_claims(token, keys, settings, nonce=pending.nonce)


def _enter(call: Call, claims: dict[str, Any]) -> LoggedIn:
    with call.service.database.writing(quiet=True) as conn:
        user_id, name = flow.user_of(conn, claims, call.service.settings)
    session = logins(call).begin(user_id, former=session_digest(call))
    return LoggedIn(name, session)
