"""Tables of users, of what they log in with, and of groups. Times are UTC without a zone."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    String,
    Table,
    UniqueConstraint,
)

from ephyrus.service.db.base import ID, METADATA, MOMENT, TEXT

__all__ = [
    "FRIENDSHIP",
    "GROUP",
    "GROUP_MEMBER",
    "IDENTITY",
    "LOGIN_ATTEMPT",
    "OIDC_LOGIN",
    "SESSION",
    "SHARE_LINK",
    "TOKEN",
    "USER",
    "utc_now",
]
_DIGEST = String(64)


def utc_now() -> datetime:
    """Give the time in UTC, without a zone, as it is kept in the database."""
    return datetime.now(UTC).replace(tzinfo=None)


def _user(name: str = "user_id", *, primary_key: bool = False, index: bool = True) -> Column[int]:
    return Column(
        name,
        ID,
        ForeignKey("user.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
        index=index,
    )


USER = Table(
    "user",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", TEXT, nullable=False, unique=True),  # normal form, see names.py
    Column("full_name", TEXT, nullable=False, default=""),
    Column("email", TEXT, nullable=False, default=""),
    Column("password", String(200)),  # argon2 hash; null: no login by password
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("is_active", Boolean, nullable=False, default=True),
    Column("created", MOMENT, nullable=False, default=utc_now),
)

TOKEN = Table(
    "token",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("digest", _DIGEST, nullable=False, unique=True),
    _user(),
    Column("name", TEXT, nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("scopes", String(32), nullable=False),
    Column("created", MOMENT, nullable=False),
    Column("last_used", MOMENT),
    Column("expires", MOMENT),  # null: never
)

SESSION = Table(
    "session",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("digest", _DIGEST, nullable=False, unique=True),  # SHA-256 of the cookie's value
    _user(),
    Column("token_id", ID, ForeignKey("token.id", ondelete="CASCADE"), index=True),  # begun with
    Column("scopes", String(32), nullable=False),
    Column("created", MOMENT, nullable=False),
    Column("last_used", MOMENT, nullable=False),
    Column("expires", MOMENT, nullable=False, index=True),  # moves on with use
    Column("ends", MOMENT, nullable=False),  # never moves
)

GROUP = Table(
    "group",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("name", TEXT, nullable=False, unique=True),
    Column("description", TEXT, nullable=False, default=""),
    Column("is_link", Boolean, nullable=False, default=False),  # nobody's: of a share link
    Column("created", MOMENT, nullable=False, default=utc_now),
)

GROUP_MEMBER = Table(
    "group_member",
    METADATA,
    Column("group_id", ID, ForeignKey("group.id", ondelete="CASCADE"), primary_key=True),
    _user(primary_key=True),
)

FRIENDSHIP = Table(  # made by one user, holds in either direction once the other has accepted
    "friendship",
    METADATA,
    _user(primary_key=True, index=False),
    _user("friend_id", primary_key=True),
    Column("accepted", Boolean, nullable=False, default=False),
    Column("created", MOMENT, nullable=False, default=utc_now),
)

LOGIN_ATTEMPT = Table(
    "login_attempt",
    METADATA,
    Column("key", _DIGEST, primary_key=True),  # digest of kind, name and network
    Column("kind", String(8), nullable=False),
    Column("subject", _DIGEST, nullable=False, index=True),  # digest of the name; empty: any
    Column("until", Double, nullable=False, index=True),  # Unix time; the row is of no use after it
)

IDENTITY = Table(
    "identity",
    METADATA,
    Column("id", ID, primary_key=True),
    _user(),
    Column("issuer", String(500), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("created", MOMENT, nullable=False, default=utc_now),
    UniqueConstraint("issuer", "subject"),
)

OIDC_LOGIN = Table(  # logins that are under way at the provider
    "oidc_login",
    METADATA,
    Column("digest", _DIGEST, primary_key=True),  # SHA-256 of the state
    Column("browser", _DIGEST, nullable=False),  # SHA-256 of the cookie of who began it
    Column("nonce", String(64), nullable=False),
    Column("verifier", String(128), nullable=False),
    Column("redirect_uri", String(2000), nullable=False),
    Column("next", String(2000), nullable=False),
    Column("expires", MOMENT, nullable=False, index=True),
)

SHARE_LINK = Table(  # what it opens is shared with a group that has no members
    "share_link",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("digest", _DIGEST, nullable=False, unique=True),
    _user(),
    Column("group_id", ID, ForeignKey("group.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("type", TEXT, nullable=False),
    Column("object_id", ID, nullable=False),
    Column("name", TEXT, nullable=False, default=""),
    Column("created", MOMENT, nullable=False),
    Column("expires", MOMENT, nullable=False),
    Index(None, "type", "object_id"),
)
