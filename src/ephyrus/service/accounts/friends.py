"""Friends: two users who see each other's friendly objects.

One asks, the other accepts; then it holds in either direction. Without the second step anybody
could make himself the friend of anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from ephyrus.service.accounts.tables import FRIENDSHIP, USER
from ephyrus.service.errors import ServiceError

__all__ = ["Friends", "befriend", "listing", "of_user", "part"]


@dataclass(frozen=True, slots=True)
class Friends:
    """A user's friends and open questions: user names by id, in the order of names.

    Attributes
    ----------
    friends : dict of int to str
        Friends.
    asked : dict of int to str
        Whom the user has asked, without an answer yet.
    asking : dict of int to str
        Who asks the user.
    """

    friends: dict[int, str]
    asked: dict[int, str]
    asking: dict[int, str]


def of_user(conn: Connection, user_id: int) -> frozenset[int]:
    """Give the ids of a user's friends."""
    row = FRIENDSHIP.c
    query = select(row.user_id, row.friend_id).where(
        row.accepted, or_(row.user_id == user_id, row.friend_id == user_id)
    )
    return frozenset(friend if user == user_id else user for user, friend in conn.execute(query))


def listing(conn: Connection, user_id: int) -> Friends:
    """List a user's friends and open questions."""
    row = FRIENDSHIP.c
    other = or_(
        and_(row.user_id == user_id, USER.c.id == row.friend_id),
        and_(row.friend_id == user_id, USER.c.id == row.user_id),
    )
    query = (
        select(USER.c.id, USER.c.name, row.accepted, row.user_id)
        .join(FRIENDSHIP, other)
        .order_by(USER.c.name)
    )
    found = Friends({}, {}, {})
    for friend_id, name, accepted, asker in conn.execute(query):
        kind = found.friends if accepted else found.asked if asker == user_id else found.asking
        kind[friend_id] = name
    return found


def befriend(conn: Connection, user_id: int, friend_id: int, *, accepted: bool = False) -> bool:
    """Ask another user, or accept if that one has asked.

    Parameters
    ----------
    conn : Connection
        Inside a writing transaction.
    user_id, friend_id : int
        Who asks whom.
    accepted : bool
        Do not ask (administrators).

    Returns
    -------
    bool
        They are friends now.

    Raises
    ------
    ServiceError
        ``bad_parameter``: the two are one.
    """
    if user_id == friend_id:
        raise ServiceError(
            "bad_parameter", "Nobody is a friend of oneself.", details={"user": "yourself"}
        )
    row = FRIENDSHIP.c
    state = dict(
        conn.execute(select(row.user_id, row.accepted).where(_pair(user_id, friend_id))).all()
    )
    holds = accepted or any(state.values()) or friend_id in state
    if not state:
        conn.execute(
            insert(FRIENDSHIP).values(user_id=user_id, friend_id=friend_id, accepted=holds)
        )
    elif holds:
        conn.execute(update(FRIENDSHIP).where(_pair(user_id, friend_id)).values(accepted=True))
    return holds


def part(conn: Connection, user_id: int, friend_id: int) -> None:
    """End a friendship, or take a question back, or decline it.

    Raises
    ------
    ServiceError
        ``does_not_exist``: there is neither.
    """
    if not conn.execute(delete(FRIENDSHIP).where(_pair(user_id, friend_id))).rowcount:
        raise ServiceError("does_not_exist", "You are not friends, and nobody has asked.")


def _pair(one: int, other: int) -> ColumnElement[bool]:
    row = FRIENDSHIP.c
    return or_(
        and_(row.user_id == one, row.friend_id == other),
        and_(row.user_id == other, row.friend_id == one),
    )
