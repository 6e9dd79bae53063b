"""What a request may do at all, before the rights on an object are asked."""

from __future__ import annotations

from collections.abc import Iterable

from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import Principal, Scope

__all__ = [
    "ALL_SCOPES",
    "not_authenticated",
    "parse_scopes",
    "require",
    "require_admin",
    "require_user",
    "scopes_from_text",
    "scopes_to_text",
]

_IMPLIED: dict[Scope, frozenset[Scope]] = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write"}),
    "admin": frozenset({"read", "write", "admin"}),
}
ALL_SCOPES: frozenset[Scope] = _IMPLIED["admin"]
"""Scopes of a session."""

_ORDER: tuple[Scope, ...] = ("read", "write", "admin")


def parse_scopes(values: Iterable[object]) -> frozenset[Scope]:
    """Check scopes that were asked for; ``write`` includes ``read``, ``admin`` includes both.

    Raises
    ------
    ServiceError
        ``bad_parameter``: there is none, or an unknown one.
    """
    found: frozenset[Scope] = frozenset()
    for value in values:
        if value not in _ORDER:
            raise ServiceError(
                "bad_parameter",
                f"There is no scope {value!r}; choose of read, write, admin.",
                details={"scopes": f"unknown: {value!r}"},
            )
        found |= _IMPLIED[value]
    if not found:
        raise ServiceError(
            "bad_parameter",
            "A token needs at least one of the scopes read, write, admin.",
            details={"scopes": "empty"},
        )
    return found


def scopes_to_text(scopes: frozenset[Scope]) -> str:
    """Write scopes for the database."""
    return " ".join(each for each in _ORDER if each in scopes)


def scopes_from_text(text: str) -> frozenset[Scope]:
    """Read scopes from the database."""
    words = text.split()
    return frozenset(each for each in _ORDER if each in words)


def not_authenticated(message: str = "Log in first.") -> ServiceError:
    """Make the failure of a request that needs a user and has none."""
    return ServiceError("not_authenticated", message, headers={"WWW-Authenticate": "Session"})


def require(principal: Principal, scope: Scope) -> None:
    """Demand a scope of a request.

    Raises
    ------
    ServiceError
        ``not_authenticated``: nobody has logged in, and that may be why. ``not_authorized``: the
        token lacks the scope.
    """
    if scope in principal.scopes:
        return
    if principal.is_anonymous:
        raise not_authenticated()
    raise ServiceError(
        "not_authorized",
        f"The token lacks the scope {scope!r}; use one that has it.",
        details={"scope": scope, "scopes": scopes_to_text(principal.scopes)},
    )


def require_user(principal: Principal) -> int:
    """Demand that somebody has logged in, and give the user's id.

    Raises
    ------
    ServiceError
        ``not_authenticated``.
    """
    if principal.user_id is None:
        raise not_authenticated()
    return principal.user_id


def require_admin(principal: Principal) -> int:
    """Demand an administrator who acts as one, and give the user's id.

    Raises
    ------
    ServiceError
        ``not_authenticated``, or ``not_authorized``: no administrator, or a token without the
        scope ``admin``.
    """
    user_id = require_user(principal)
    if not principal.is_admin:
        raise ServiceError(
            "not_authorized",
            "Only an administrator may do that; a token needs the scope 'admin' besides.",
        )
    return user_id
