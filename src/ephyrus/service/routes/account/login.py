"""Logging in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ephyrus.service.accounts import sessions
from ephyrus.service.accounts.credentials import (
    clearing_cookie,
    presented,
    session_cookie,
)
from ephyrus.service.accounts.cross_site import check_site, is_foreign
from ephyrus.service.accounts.login import LoggedIn, Logins
from ephyrus.service.accounts.proxies import client_network
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal
from ephyrus.service.routes import envelope
from ephyrus.service.routes.account.pages import local_path, login_page
from ephyrus.service.routes.answers import Answer

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = [
    "authenticate",
    "cookie_headers",
    "is_secure",
    "logins",
    "logout",
    "session_cookie_of",
    "session_digest",
    "show_login",
]


def logins(call: Call) -> Logins:
    """Give what lets users in, one per process."""
    return call.service.part("logins", lambda service: Logins(service.database, service.settings))


def is_secure(call: Call) -> bool:
    """Tell whether the request came over https."""
    return bool(call.scope.get("scheme") == "https")


def cookie_headers(call: Call, entered: LoggedIn) -> dict[str, str]:
    """Give the headers of an answer that begins a session."""
    return {"Set-Cookie": session_cookie_of(call, entered), "Cache-Control": "no-store"}


def session_cookie_of(call: Call, entered: LoggedIn) -> str:
    """Give the header ``Set-Cookie`` of a session that was begun."""
    session = entered.session
    return session_cookie(session.secret, secure=is_secure(call), max_age=session.max_age)


def show_login(call: Call) -> Answer:
    """Show the login form."""
    return login_page(
        next_path=local_path(call.query.one("next", "/")),
        with_provider=bool(call.service.settings.oidc_issuer),
    )


def authenticate(call: Call) -> Answer:
    """Log in by name and password, or with a token, and begin a session.

    A form that names ``next`` is one of `login_page`: it is answered as browsers need it.
    """
    settings = call.service.settings
    # an attacker's page must not log visitors in under the attacker's name
    check_site(call.method, call.headers, by_cookie=True, allowed_origins=settings.allowed_origins)
    form = {name: _text(call.form, name) for name in ("username", "password", "token", "next")}
    try:
        entered = _enter(call, form)
    except ServiceError as error:
        if "next" not in call.form:
            raise
        return login_page(
            status=error.status,
            alert=error.message,
            username=form["username"],
            next_path=local_path(form["next"]),
            with_provider=bool(settings.oidc_issuer),
            headers=error.headers,
        )
    headers = cookie_headers(call, entered)
    if "next" in call.form:
        return Answer(status=303, headers={"Location": local_path(form["next"]), **headers})
    return envelope.message(
        call,
        "authenticated",
        f"Logged in as {entered.username}.",
        headers=headers,
        logged_in_as=entered.username,
    )


def _text(form: dict[str, Any], name: str) -> str:
    value = form.get(name, "")
    if not isinstance(value, str):
        raise ServiceError("bad_parameter", f"'{name}' must be text.", details={name: "no text"})
    return value


def _enter(call: Call, form: dict[str, str]) -> LoggedIn:
    network, former = client_network(call.scope), session_digest(call)
    if form["token"]:
        return logins(call).by_token(form["token"], network=network, former=former)
    missing = [name for name in ("username", "password") if not form[name]]
    if missing:
        raise ServiceError(
            "missing_parameter",
            f"Send {' and '.join(missing)} (or a token).",
            details=dict.fromkeys(missing, "missing"),
            extra={"missing": missing},
        )
    return logins(call).by_password(
        form["username"], form["password"], network=network, former=former
    )


def session_digest(call: Call) -> str:
    """Give the digest of the session's cookie, whether valid or not; empty: there is none."""
    cookies = [pair for pair in call.scope["headers"] if pair[0] == b"cookie"]
    shown = presented(cookies)
    return shown.digest if shown is not None else ""


def logout(call: Call) -> Answer:
    """End the session, on the server and in the browser; ``all=1``: all sessions of the user."""
    if is_foreign(call.headers, allowed_origins=call.service.settings.allowed_origins):
        raise ServiceError("not_authorized", "The page of another site cannot log you out.")
    digest = session_digest(call)
    if digest and call.query.flag("all"):
        user = _user_of(call)
        if user is not None and user.user_id is not None:
            with call.service.database.writing() as conn:
                sessions.end_all(conn, user.user_id)
    elif digest:
        logins(call).end(digest)
    headers = {
        "Set-Cookie": clearing_cookie(secure=is_secure(call)),
        "Cache-Control": "no-store",
    }
    return envelope.message(call, "processed", "Logged out.", headers=headers)


def _user_of(call: Call) -> Principal | None:
    try:
        return call.service.authenticator.authenticate(call.scope, call.stamp)
    except ServiceError as error:
        if error.status != 401:
            raise
        return None
