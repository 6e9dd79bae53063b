"""Who makes a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ANONYMOUS", "Principal", "Scope"]

Scope = Literal["read", "write", "admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and what the request may do.

    Attributes
    ----------
    user_id : int or None
        The user; None: nobody has logged in.
    username : str
        Name of the user; empty: nobody.
    is_admin : bool
        The user is an administrator and the request has the scope to act as one.
    groups : frozenset of int
        Groups that the user belongs to.
    friends : frozenset of int
        Users who are friends of the user, in either direction.
    scopes : frozenset of {"read", "write", "admin"}
        What the request may do: all for a session, as granted for a token.
    by_cookie : bool
        The request is authenticated by a cookie, which browsers send unasked.
    """

    user_id: int | None
    username: str = ""
    is_admin: bool = False
    groups: frozenset[int] = frozenset()
    friends: frozenset[int] = frozenset()
    scopes: frozenset[Scope] = frozenset()
    by_cookie: bool = False

    @property
    def is_anonymous(self) -> bool:
        """Nobody has logged in."""
        return self.user_id is None


ANONYMOUS = Principal(None, scopes=frozenset({"read"}))
