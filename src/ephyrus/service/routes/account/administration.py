"""What administrators do: users and groups."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ephyrus.service.accounts import groups, users
from ephyrus.service.accounts.names import checked_name
from ephyrus.service.accounts.oidc.flow import link
from ephyrus.service.catalog.permalinks import profile
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes import envelope
from ephyrus.service.routes.account.fields import Field, moment_text, read
from ephyrus.service.routes.account.login import logins

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ephyrus.service.accounts.groups import Group
    from ephyrus.service.accounts.users import User
    from ephyrus.service.routes.answers import Answer
    from ephyrus.service.routes.call import Call

__all__ = [
    "GROUP_CHANGES",
    "NEW_GROUP",
    "NEW_USER",
    "USER_CHANGES",
    "change_group",
    "change_user",
    "create_group",
    "create_user",
    "list_groups",
    "list_users",
    "remove_group",
    "show_group",
    "show_user",
]

log = logging.getLogger(__name__)

NEW_USER = (
    Field("username", required=True),
    Field("password"),
    Field("full_name"),
    Field("email"),
    Field("is_admin", "flag"),
)
USER_CHANGES = (
    Field("password"),
    Field("full_name"),
    Field("email"),
    Field("is_admin", "flag"),
    Field("is_active", "flag"),
    Field("unlock", "flag"),
    Field("subject"),
)
NEW_GROUP = (Field("name", required=True), Field("description"), Field("members", "texts"))
GROUP_CHANGES = (
    Field("name"),
    Field("description"),
    Field("members", "texts"),
    Field("add", "texts"),
    Field("remove", "texts"),
)


def list_users(call: Call) -> Answer:
    """List users by name; administrators see all of each."""
    offset = call.query.number("offset", 0)
    limit = call.query.number("max_results", 100, most=1000)
    with call.service.database.reading() as conn:
        found = users.listing(
            conn, offset=offset, limit=limit, containing=call.query.one("search", "")
        )
        total = users.count(conn)
    return envelope.message(
        call,
        "processed",
        "Users of this service.",
        users=[_user(call, user) for user in found],
        total=total,
    )


def show_user(call: Call) -> Answer:
    """Show a user."""
    with call.service.database.reading() as conn:
        user = users.get(conn, call.path["user"])
    return _shown(call, user, "object_selected", "The user.")


def create_user(call: Call) -> Answer:
    """Make a user."""
    sent = read(call.document, NEW_USER)
    name, password = checked_name(sent.pop("username")), sent.pop("password", None)
    stored = None if password is None else logins(call).passwords.hash(password, name=name)
    with call.service.database.writing() as conn:
        user = users.create(conn, name, password_hash=stored, **sent)
    log.info("user %d has made user %d", call.principal.user_id, user.id)
    return _shown(call, user, "object_created", "The user was made.", status=201)


def change_user(call: Call) -> Answer:
    """Change a user: rights, activity, password (all sessions end then), attempts forgotten.

    ``subject`` links the user with somebody of the login provider.
    """
    sent = read(call.document, USER_CHANGES)
    unlock, password = sent.pop("unlock", False), sent.pop("password", None)
    subject = sent.pop("subject", None)
    entry = logins(call)
    with call.service.database.reading() as conn:
        user = users.get(conn, call.path["user"])
    stored = None if password is None else entry.passwords.hash(password, name=user.name)
    with call.service.database.writing() as conn:
        if stored is not None:
            users.set_password(conn, user.id, stored)
        if unlock or stored is not None:
            entry.limits.clear(conn, user.name)
        if subject is not None:
            link(conn, user.id, issuer=call.service.settings.oidc_issuer, subject=subject)
        user = users.change(conn, user.id, sent)
    what = ", ".join(sorted(call.document or {}))
    log.info("user %d has changed of user %d: %s", call.principal.user_id, user.id, what)
    return _shown(call, user, "object_updated", "The user was changed.")


def _shown(call: Call, user: User, message_type: str, text: str, *, status: int = 200) -> Answer:
    return envelope.message(call, message_type, text, status=status, users=[_user(call, user)])


def _user(call: Call, user: User) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": user.id,
        "username": user.name,
        "full_name": user.full_name,
        "permalink": profile(user.id),
    }
    if call.principal.is_admin:
        shown |= {
            "email": user.email,
            "is_admin": user.is_admin,
            "is_active": user.is_active,
            "has_password": user.has_password,
            "created": moment_text(user.created),
        }
    return shown


def list_groups(call: Call) -> Answer:
    """List groups; members are shown to members and administrators."""
    with call.service.database.reading() as conn:
        shown = [_group(call, conn, group) for group in groups.listing(conn)]
    return envelope.message(call, "processed", "Groups of this service.", groups=shown)


def show_group(call: Call) -> Answer:
    """Show a group."""
    with call.service.database.reading() as conn:
        shown = _group(call, conn, groups.get(conn, call.path["group"]))
    return envelope.message(call, "object_selected", "The group.", groups=[shown])


def create_group(call: Call) -> Answer:
    """Make a group."""
    sent = read(call.document, NEW_GROUP)
    with call.service.database.writing() as conn:
        group = groups.create(conn, sent["name"], description=sent.get("description", ""))
        groups.set_members(conn, group.id, _ids(conn, sent.get("members", [])))
        shown = _group(call, conn, group)
    return envelope.message(
        call, "object_created", "The group was made.", status=201, groups=[shown]
    )


def change_group(call: Call) -> Answer:
    """Change a group: ``members`` replaces the members, ``add`` and ``remove`` change some."""
    sent = read(call.document, GROUP_CHANGES)
    if "members" in sent and ("add" in sent or "remove" in sent):
        raise ServiceError(
            "bad_parameter",
            "Send either all 'members', or those to 'add' and to 'remove'.",
            details={"members": "together with add or remove"},
        )
    with call.service.database.writing() as conn:
        group_id = groups.get(conn, call.path["group"]).id
        group = groups.change(
            conn, group_id, name=sent.get("name"), description=sent.get("description")
        )
        if "members" in sent:
            groups.set_members(conn, group_id, _ids(conn, sent["members"]))
        groups.add_members(conn, group_id, _ids(conn, sent.get("add", [])))
        for user_id in _ids(conn, sent.get("remove", [])):
            groups.remove_member(conn, group_id, user_id)
        shown = _group(call, conn, group)
    return envelope.message(call, "object_updated", "The group was changed.", groups=[shown])


def remove_group(call: Call) -> Answer:
    """Remove a group; what was shared with it is so no longer."""
    with call.service.database.writing() as conn:
        groups.remove(conn, groups.get(conn, call.path["group"]).id)
    return envelope.message(call, "deleted", "The group was removed.")


def _ids(conn: Connection, given: list[str | int]) -> list[int]:
    return list(users.resolve(conn, given).values())


def _group(call: Call, conn: Connection, group: Group) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": group.id,
        "name": group.name,
        "description": group.description,
    }
    if call.principal.is_admin or group.id in call.principal.groups:
        shown["members"] = list(groups.members(conn, group.id).values())
    return shown
