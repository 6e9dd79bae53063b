"""The addresses of accounts: login, users, groups, tokens, friends, share links."""

from __future__ import annotations

from typing import Any

from ephyrus.service.routes.account import administration, links, login, oidc, own
from ephyrus.service.routes.account.declaring import reads, writes
from ephyrus.service.routes.table import Parameter, Route

__all__ = ["ROUTES"]

_TAG = "accounts"
_NEXT = Parameter(
    name="next", schema={"type": "string"}, description="Path to go to after the login."
)
_ALL = Parameter(
    name="all", schema={"type": "integer", "enum": [0, 1]}, description="End all sessions."
)
_USER_LIST = (
    Parameter(name="search", schema={"type": "string"}, description="Part of a name."),
    Parameter(
        name="offset", schema={"type": "integer", "minimum": 0}, description="Users to pass over."
    ),
    Parameter(
        name="max_results",
        schema={"type": "integer", "minimum": 0, "maximum": 1000},
        description="Most users in the answer.",
    ),
)
_LOGIN_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("username", "password", "token")},
    "anyOf": [{"required": ["username", "password"]}, {"required": ["token"]}],
}


def _logout(method: Any) -> Route:
    return Route(
        name=f"account.logout.{method.lower()}",
        method=method,
        path="/account/logout",
        handler=login.logout,
        summary="End the session.",
        access="open",
        query=(_ALL,),
        tag=_TAG,
    )


_LOGIN = (
    Route(
        name="account.authenticate",
        method="POST",
        path="/account/authenticate",
        handler=login.authenticate,
        summary="Log in by name and password, or with a token; the answer sets the cookie.",
        description="Fields as a form or as JSON: username and password, or token.",
        access="open",
        body="form",
        document=_LOGIN_SCHEMA,
        responses={
            200: "Logged in.",
            303: "Logged in by the form of /account/login/.",
            503: "Too many logins are under way.",
        },
        tag=_TAG,
    ),
    Route(
        name="account.login",
        method="GET",
        path="/account/login",
        handler=login.show_login,
        summary="Show the login form.",
        access="open",
        query=(_NEXT,),
        media=("text/html",),
        tag=_TAG,
    ),
    Route(
        name="account.oidc.login",
        method="GET",
        path="/account/oidc/login",
        handler=oidc.start,
        summary="Begin a login through the OpenID Connect provider.",
        access="open",
        query=(_NEXT,),
        responses={303: "To the provider.", 404: "There is none.", 503: "It does not answer."},
        tag=_TAG,
    ),
    Route(
        name="account.oidc.callback",
        method="GET",
        path="/account/oidc/callback",
        handler=oidc.callback,
        summary="End a login through the provider, which sends the browser here.",
        access="open",
        query=tuple(
            Parameter(name=name, schema={"type": "string"}, description="Set by the provider.")
            for name in ("state", "code", "iss", "error")
        ),
        responses={303: "Logged in.", 404: "There is none.", 503: "It does not answer."},
        media=("text/html",),
        tag=_TAG,
    ),
    _logout("GET"),
    _logout("POST"),
)

_OWN = (
    reads("account.show", "/account", own.show_account, "Show who is logged in."),
    writes(
        "account.change",
        "POST",
        "/account",
        own.change_account,
        "Change one's own full name or e-mail address.",
        fields=own.ACCOUNT_FIELDS,
    ),
    writes(
        "account.password",
        "POST",
        "/account/password",
        own.change_password,
        "Change one's own password; all other sessions end.",
        fields=own.PASSWORD_FIELDS,
    ),
    reads("account.tokens", "/account/tokens", own.list_tokens, "List one's own tokens."),
    writes(
        "account.tokens.issue",
        "POST",
        "/account/tokens",
        own.issue_token,
        "Make a bearer token; it is shown once.",
        fields=own.TOKEN_FIELDS,
        created=True,
    ),
    writes(
        "account.tokens.revoke",
        "DELETE",
        "/account/tokens/{id}",
        own.revoke_token,
        "Revoke a token of one's own.",
    ),
    reads("account.friends", "/account/friends", own.list_friends, "List friends."),
    writes(
        "account.friends.add",
        "POST",
        "/account/friends",
        own.add_friend,
        "Ask a user to be friends, or accept.",
        fields=own.FRIEND_FIELDS,
    ),
    writes(
        "account.friends.remove",
        "DELETE",
        "/account/friends/{user}",
        own.remove_friend,
        "End a friendship, or take a question back, or decline one.",
    ),
    reads("profile", "/profiles/profile/{id}", own.show_profile, "Show the name of a user."),
)

_USERS = (
    reads(
        "account.users",
        "/account/users",
        administration.list_users,
        "List users; administrators see all of each.",
        query=_USER_LIST,
    ),
    reads("account.users.show", "/account/users/{user}", administration.show_user, "Show a user."),
    writes(
        "account.users.create",
        "POST",
        "/account/users",
        administration.create_user,
        "Make a user.",
        fields=administration.NEW_USER,
        access="admin",
        created=True,
    ),
    writes(
        "account.users.change",
        "POST",
        "/account/users/{user}",
        administration.change_user,
        "Change a user, set a password, deactivate, forget failed logins.",
        fields=administration.USER_CHANGES,
        access="admin",
    ),
)

_GROUPS = (
    reads(
        "account.groups",
        "/account/groups",
        administration.list_groups,
        "List groups; members are shown to members and administrators.",
    ),
    reads(
        "account.groups.show", "/account/groups/{group}", administration.show_group, "Show a group."
    ),
    writes(
        "account.groups.create",
        "POST",
        "/account/groups",
        administration.create_group,
        "Make a group.",
        fields=administration.NEW_GROUP,
        access="admin",
        created=True,
    ),
    writes(
        "account.groups.change",
        "POST",
        "/account/groups/{group}",
        administration.change_group,
        "Change a group or its members.",
        fields=administration.GROUP_CHANGES,
        access="admin",
    ),
    writes(
        "account.groups.remove",
        "DELETE",
        "/account/groups/{group}",
        administration.remove_group,
        "Remove a group.",
        access="admin",
    ),
)

_LINKS = (
    reads("account.links", "/account/links", links.list_links, "List one's own share links."),
    writes(
        "account.links.make",
        "POST",
        "/account/links",
        links.make_link,
        "Make a share link to an object and what lies below it; its address is shown once.",
        fields=links.LINK_FIELDS,
        created=True,
    ),
    writes(
        "account.links.revoke",
        "DELETE",
        "/account/links/{id}",
        links.revoke_link,
        "Withdraw a share link.",
    ),
    Route(
        name="share",
        method="GET",
        path="/share/{secret}",
        handler=links.open_link,
        summary="Follow a share link.",
        description="Programs may send its secret as the header X-Share-Link instead.",
        access="open",
        responses={303: "To the object.", 404: "The link has expired or was withdrawn."},
        tag=_TAG,
    ),
)

ROUTES: tuple[Route, ...] = (*_LOGIN, *_OWN, *_USERS, *_GROUPS, *_LINKS)
"""All addresses of accounts."""
