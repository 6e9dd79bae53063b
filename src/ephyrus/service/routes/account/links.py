"""Share links: made by who owns an object, used by whoever has the address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from ephyrus.service.accounts import links
from ephyrus.service.accounts.credentials import LINK_COOKIE, digest, new_secret, session_cookie
from ephyrus.service.accounts.scopes import require_user
from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.catalog import rights, tree
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.catalog.permalinks import parse, permalink
from ephyrus.service.db.schema import SHARES
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes import envelope
from ephyrus.service.routes.account.fields import Field, moment_text, number, read
from ephyrus.service.routes.account.login import is_secure
from ephyrus.service.routes.answers import Answer
from ephyrus.service.types import TYPES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ephyrus.service.principals import Principal
    from ephyrus.service.routes.call import Call

__all__ = ["LINK_FIELDS", "list_links", "make_link", "open_link", "revoke_link"]

LINK_FIELDS = (Field("object", required=True), Field("name"), Field("expires", "moment"))

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def list_links(call: Call) -> Answer:
    """List one's own share links, without their secrets."""
    user_id = require_user(call.principal)
    with call.service.database.reading() as conn:
        found = links.listing(conn, user_id)
    shown = [_shown(call, link) for link in found]
    return envelope.message(call, "processed", "Your share links.", links=shown)


def make_link(call: Call) -> Answer:
    """Make a link to an object and what lies below it; its address is in this answer alone."""
    user_id = require_user(call.principal)
    sent, settings = read(call.document, LINK_FIELDS), call.service.settings
    reference = parse(sent["object"], style=settings.id_style)
    if reference.type is None or TYPES[reference.type].rights_from:
        raise ServiceError(
            "wrong_reference",
            "Name the object by its permalink, such as /electrophysiology/block/7; properties and "
            "values are shared with their section.",
            details={"object": "no permalink of an object with rights of its own"},
        )
    secret = new_secret()
    with call.service.database.writing() as conn:
        links.prune(conn)
        rights.require(conn, call.principal, reference.type, reference.id, rights.OWN)
        link = links.insert_link(
            conn,
            user_id,
            reference.type,
            reference.id,
            digest=digest(secret),
            name=sent.get("name", ""),
            expires=sent.get("expires"),
            most_seconds=settings.share_link_max_seconds,
        )
        _share(conn, call.principal, link)
    return envelope.message(
        call,
        "object_created",
        "Keep the address now: it is not shown again.",
        status=201,
        address=f"/share/{secret}",
        secret=secret,
        links=[_shown(call, link)],
    )


def _share(conn: Connection, principal: Principal, link: links.Link) -> None:
    """Share an object, and what its maker owns below it, with the group of a link."""
    targets = tree.descendants(conn, {link.type: {link.object_id}})
    for kind, ids in targets.items():
        if TYPES[kind].rights_from:
            continue
        levels = rights.levels(conn, principal, kind, ids)
        own = sorted(number for number in ids if levels.get(number) == rights.OWN)
        for part in chunks(own):
            rows = [
                {"type": kind, "object_id": number, "group_id": link.group_id, "level": rights.READ}
                for number in part
            ]
            conn.execute(insert(SHARES), rows)


def revoke_link(call: Call) -> Answer:
    """Withdraw a share link."""
    user_id = require_user(call.principal)
    with call.service.database.writing() as conn:
        links.revoke(conn, number(call.path["id"]), user_id=user_id)
    return envelope.message(call, "deleted", "The share link was withdrawn.")


def open_link(call: Call) -> Answer:
    """Follow a share link: remember it in the browser, and go to the object."""
    secret = call.path["secret"]
    link = None
    if _SECRET.fullmatch(secret):
        with call.service.database.reading() as conn:
            link = links.find(conn, digest(secret))
    if link is None:
        raise ServiceError("not_found", "This share link has expired or was withdrawn.")
    max_age = max(1, int((link.expires - utc_now()).total_seconds()))
    cookie = session_cookie(secret, secure=is_secure(call), max_age=max_age, name=LINK_COOKIE)
    headers = {
        "Location": permalink(link.type, link.object_id, call.service.settings.id_style),
        "Set-Cookie": cookie,
        "Cache-Control": "no-store",
    }
    return Answer(status=303, headers=headers)


def _shown(call: Call, link: links.Link) -> dict[str, Any]:
    return {
        "id": link.id,
        "name": link.name,
        "object": permalink(link.type, link.object_id, call.service.settings.id_style),
        "created": moment_text(link.created),
        "expires": moment_text(link.expires),
    }
