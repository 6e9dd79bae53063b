"""What users do with their own accounts: profile, password, tokens, friends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ephyrus.service.accounts import friends, groups, tokens, users
from ephyrus.service.accounts.login import LoggedIn
from ephyrus.service.accounts.proxies import client_network
from ephyrus.service.accounts.scopes import (
    parse_scopes,
    require_user,
    scopes_to_text,
)
from ephyrus.service.accounts.tokens import Token
from ephyrus.service.catalog.permalinks import profile
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes import envelope
from ephyrus.service.routes.account.fields import Field, moment_text, number, read
from ephyrus.service.routes.account.login import cookie_headers, logins

if TYPE_CHECKING:
    from ephyrus.service.routes.answers import Answer
    from ephyrus.service.routes.call import Call

__all__ = [
    "ACCOUNT_FIELDS",
    "FRIEND_FIELDS",
    "PASSWORD_FIELDS",
    "TOKEN_FIELDS",
    "add_friend",
    "change_account",
    "change_password",
    "issue_token",
    "list_friends",
    "list_tokens",
    "remove_friend",
    "revoke_token",
    "show_account",
    "show_profile",
]

ACCOUNT_FIELDS = (Field("full_name"), Field("email"))
PASSWORD_FIELDS = (Field("old", required=True), Field("new", required=True))
TOKEN_FIELDS = (
    Field("name", required=True),
    Field("scopes", "texts", required=True),
    Field("expires", "moment"),
)
FRIEND_FIELDS = (Field("user", required=True),)


def show_account(call: Call) -> Answer:
    """Show who is logged in and what the request may do."""
    user_id = require_user(call.principal)
    with call.service.database.reading() as conn:
        user = users.get(conn, user_id)
        names = {group.id: group.name for group in groups.listing(conn)}
    own = [names[each] for each in call.principal.groups if each in names]
    return _account(
        call,
        user,
        "object_selected",
        "Your account.",
        groups=sorted(own),
        scopes=scopes_to_text(call.principal.scopes).split(),
    )


def change_account(call: Call) -> Answer:
    """Change one's own full name or e-mail address."""
    user_id = require_user(call.principal)
    changes = read(call.document, ACCOUNT_FIELDS)
    with call.service.database.writing() as conn:
        user = users.change(conn, user_id, changes)
    return _account(call, user, "object_updated", "Your account was changed.")


def _account(call: Call, user: users.User, message_type: str, text: str, **extra: Any) -> Answer:
    shown = {
        "id": user.id,
        "username": user.name,
        "full_name": user.full_name,
        "email": user.email,
        "is_admin": user.is_admin,
        "permalink": profile(user.id),
        **extra,
    }
    return envelope.message(call, message_type, text, account=shown)


def change_password(call: Call) -> Answer:
    """Change one's own password; all other sessions end, this one gets a new cookie."""
    user_id = require_user(call.principal)
    sent = read(call.document, PASSWORD_FIELDS)
    name, network = call.principal.username, client_network(call.scope)
    entry, database = logins(call), call.service.database
    entry.check_password(name, sent["old"], network=network)
    stored = entry.passwords.hash(sent["new"], name=name)
    with database.writing() as conn:
        users.set_password(conn, user_id, stored)
    headers = None
    if call.principal.by_cookie:
        scopes = call.principal.scopes
        headers = cookie_headers(call, LoggedIn(name, entry.begin(user_id, scopes=scopes)))
    return envelope.message(call, "object_updated", "The password was changed.", headers=headers)


def show_profile(call: Call) -> Answer:
    """Show the name of a user."""
    with call.service.database.reading() as conn:
        user = users.get(conn, call.path["id"])
    shown = {
        "id": str(user.id),
        "model": "profiles.profile",
        "permalink": profile(user.id),
        "location": profile(user.id),
        "fields": {"id": user.id, "username": user.name, "full_name": user.full_name},
    }
    return envelope.selection(call, [shown])


def list_tokens(call: Call) -> Answer:
    """List one's own tokens, without their secrets."""
    user_id = require_user(call.principal)
    with call.service.database.reading() as conn:
        found = tokens.listing(conn, user_id)
    return envelope.message(
        call, "processed", "Your tokens.", tokens=[_token(token) for token in found]
    )


def issue_token(call: Call) -> Answer:
    """Make a token; its text is in this answer and nowhere else."""
    user_id = require_user(call.principal)
    sent = read(call.document, TOKEN_FIELDS)
    scopes = parse_scopes(sent["scopes"])
    beyond = scopes - call.principal.scopes
    if beyond:
        raise ServiceError(
            "not_authorized",
            "A token cannot be given more scopes than the request itself has.",
            details={"scopes": f"beyond: {scopes_to_text(beyond)}"},
        )
    with call.service.database.writing(quiet=True) as conn:
        text, token = tokens.issue(
            conn,
            user_id,
            sent["name"],
            scopes,
            expires=sent.get("expires"),
            settings=call.service.settings,
        )
    return envelope.message(
        call,
        "object_created",
        "Keep the token now: it is not shown again.",
        status=201,
        token=text,
        tokens=[_token(token)],
    )


def revoke_token(call: Call) -> Answer:
    """Revoke one of one's own tokens; sessions that were begun with it end."""
    user_id = require_user(call.principal)
    with call.service.database.writing() as conn:
        tokens.revoke(conn, number(call.path["id"]), user_id=user_id)
    return envelope.message(call, "deleted", "The token was revoked.")


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": scopes_to_text(token.scopes).split(),
        "created": moment_text(token.created),
        "last_used": moment_text(token.last_used),
        "expires": moment_text(token.expires),
    }


def list_friends(call: Call) -> Answer:
    """List friends, whom one has asked, and who asks."""
    user_id = require_user(call.principal)
    with call.service.database.reading() as conn:
        found = friends.listing(conn, user_id)
    return _friends(call, found, "processed", "Your friends.")


def add_friend(call: Call) -> Answer:
    """Ask another user to be friends, or accept where that one has asked."""
    user_id = require_user(call.principal)
    who = read(call.document, FRIEND_FIELDS)["user"]
    with call.service.database.writing() as conn:
        friend_id = users.resolve(conn, [who])[who]
        holds = friends.befriend(conn, user_id, friend_id)
        found = friends.listing(conn, user_id)
    text = "You are friends." if holds else "Asked; you are friends once the other accepts."
    return _friends(call, found, "object_updated", text)


def remove_friend(call: Call) -> Answer:
    """End a friendship, take a question back, or decline one."""
    user_id = require_user(call.principal)
    with call.service.database.writing() as conn:
        friends.part(conn, user_id, users.get(conn, call.path["user"]).id)
        found = friends.listing(conn, user_id)
    return _friends(call, found, "deleted", "You are not friends.")


def _friends(call: Call, found: friends.Friends, message_type: str, text: str) -> Answer:
    return envelope.message(
        call,
        message_type,
        text,
        friends=list(found.friends.values()),
        asked=list(found.asked.values()),
        asking=list(found.asking.values()),
    )
