"""A login through a provider, from the first click to the user."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from ephyrus.service.accounts import users
from ephyrus.service.accounts.credentials import digest, new_secret
from ephyrus.service.accounts.oidc.idtoken import MAX_SUBJECT
from ephyrus.service.accounts.tables import IDENTITY, OIDC_LOGIN, USER, utc_now
from ephyrus.service.errors import ServiceError

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database
    from ephyrus.service.settings import Settings

__all__ = [
    "LOGIN_SECONDS",
    "Begun",
    "Pending",
    "authorization_url",
    "begin",
    "link",
    "take",
    "user_of",
]

LOGIN_SECONDS = 600
"""Time that somebody has for the login at the provider."""

_MOST_LOGINS = 20_000


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that was begun.

    Attributes
    ----------
    state, nonce, verifier : str
        What the provider must send back, write into the token, and be shown at the end.
    browser : str
        Cookie of the browser in which it was begun; it must end in the same one.
    """

    state: str
    nonce: str
    verifier: str
    browser: str

    @property
    def challenge(self) -> str:
        """What the provider is shown of `verifier` at the beginning (PKCE, S256)."""
        hashed = sha256(self.verifier.encode()).digest()
        return urlsafe_b64encode(hashed).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Pending:
    """What was kept of a login while the provider was at work."""

    nonce: str
    verifier: str
    redirect_uri: str
    next_path: str


def begin(database: Database, *, redirect_uri: str, next_path: str) -> Begun:
    """Begin a login, and keep what its end will be compared with.

    Parameters
    ----------
    database : Database
        Of the service.
    redirect_uri : str
        Where the provider sends the browser back to.
    next_path : str
        Where the user goes then.
    """
    begun, now = Begun(new_secret(), new_secret(), new_secret(), new_secret()), utc_now()
    with database.writing(quiet=True) as conn:
        conn.execute(delete(OIDC_LOGIN).where(OIDC_LOGIN.c.expires <= now))
        count = conn.execute(select(func.count()).select_from(OIDC_LOGIN)).scalar_one()
        if count >= _MOST_LOGINS:
            raise ServiceError(
                "unavailable",
                "Too many logins are under way; try again in a few minutes.",
                headers={"Retry-After": str(LOGIN_SECONDS)},
            )
        conn.execute(
            insert(OIDC_LOGIN).values(
                digest=digest(begun.state),
                browser=digest(begun.browser),
                nonce=begun.nonce,
                verifier=begun.verifier,
                redirect_uri=redirect_uri,
                next=next_path,
                expires=now + timedelta(seconds=LOGIN_SECONDS),
            )
        )
    return begun


def authorization_url(endpoint: str, begun: Begun, settings: Settings, *, redirect_uri: str) -> str:
    """Give the address at the provider that the browser is sent to."""
    query = {
        "response_type": "code",
        "client_id": settings.oidc_client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(settings.oidc_scopes),
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": begun.challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def take(database: Database, *, state: str, browser: str) -> Pending:
    """Find a login that the provider has sent back; it can be found once.

    Parameters
    ----------
    database : Database
        Of the service.
    state : str
        What the provider has sent.
    browser : str
        The cookie that the browser has sent.

    Raises
    ------
    ServiceError
        ``invalid_credentials``: none was begun, it took too long, or it was begun in another
        browser (somebody tries to log a visitor in under his own name).
    """
    with database.writing(quiet=True) as conn:
        row = conn.execute(
            delete(OIDC_LOGIN).where(OIDC_LOGIN.c.digest == digest(state)).returning(*OIDC_LOGIN.c)
        ).one_or_none()
    is_own = row is not None and hmac.compare_digest(row.browser, digest(browser))
    if row is None or not is_own or row.expires <= utc_now():
        raise ServiceError(
            "invalid_credentials",
            "This login has ended, or was begun in another browser; begin again.",
        )
    return Pending(row.nonce, row.verifier, row.redirect_uri, row.next)


def user_of(conn: Connection, claims: Mapping[str, Any], settings: Settings) -> tuple[int, str]:
    """Give id and name of the user whom a provider has confirmed.

    Users are found by issuer and subject alone: names and e-mail addresses can be given to
    somebody else.

    Parameters
    ----------
    conn : Connection
        Inside a writing transaction.
    claims : mapping
        Claims of the ID token, after all checks.
    settings : Settings
        What becomes of somebody who comes for the first time.

    Raises
    ------
    ServiceError
        ``not_authorized``: nobody is linked to the identity and none is made, or the user is not
        active.
    """
    issuer, subject = settings.oidc_issuer, str(claims["sub"])
    row = conn.execute(
        select(USER.c.id, USER.c.name, USER.c.is_active)
        .join(IDENTITY, IDENTITY.c.user_id == USER.c.id)
        .where(IDENTITY.c.issuer == issuer, IDENTITY.c.subject == subject)
    ).one_or_none()
    if row is not None and not row.is_active:
        raise ServiceError("not_authorized", "This user is not active; ask an administrator.")
    if row is not None:
        return row.id, row.name
    if settings.oidc_first_login == "refuse":
        raise ServiceError(
            "not_authorized",
            "No user of this service belongs to this login; ask an administrator to link it.",
            details={"issuer": issuer, "subject": subject},
        )
    user = _new_user(conn, claims, settings)
    link(conn, user.id, issuer=issuer, subject=subject)
    return user.id, user.name


def _new_user(conn: Connection, claims: Mapping[str, Any], settings: Settings) -> users.User:
    name = claims.get(settings.oidc_name_claim)
    if not isinstance(name, str) or users.find(conn, name) is not None:
        raise ServiceError(
            "not_authorized",
            "A user of this name exists already, or the login provider gives no name; ask an "
            "administrator to link the login with a user.",
            details={"claim": settings.oidc_name_claim, "subject": str(claims["sub"])},
        )
    is_verified = claims.get("email_verified") is True
    return users.create(
        conn,
        name,
        full_name=_plain(claims.get("name"))[:200],
        email=_plain(claims.get("email")) if is_verified else "",
    )


def _plain(value: Any) -> str:
    return value.replace("\0", "") if isinstance(value, str) else ""


def link(conn: Connection, user_id: int, *, issuer: str, subject: str) -> None:
    """Let a user log in as somebody of a provider.

    Raises
    ------
    ServiceError
        ``bad_parameter``: that one is linked to a user already, or there is no provider.
    """
    if not issuer or not 1 <= len(subject) <= MAX_SUBJECT:
        raise ServiceError(
            "bad_parameter",
            "A login is linked by its subject (1 to 255 characters) at the provider that the "
            "setting oidc_issuer names.",
            details={"subject": "no subject, or no provider"},
        )
    values = {"user_id": user_id, "issuer": issuer, "subject": subject}
    try:
        with conn.begin_nested():
            conn.execute(insert(IDENTITY).values(**values))
    except IntegrityError:
        raise ServiceError(
            "bad_parameter",
            "This login is linked to a user already.",
            details={"subject": subject},
        ) from None
