"""Saved selections: their addresses, and what they select."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ephyrus.service.accounts.scopes import require_user
from ephyrus.service.catalog import selections
from ephyrus.service.catalog.permalinks import profile
from ephyrus.service.routes import envelope, objects, parameters
from ephyrus.service.routes.account.declaring import reads, writes
from ephyrus.service.routes.account.fields import Field, moment_text, number, read
from ephyrus.service.routes.table import Parameter, Route
from ephyrus.service.types import TYPES

if TYPE_CHECKING:
    from ephyrus.service.catalog.selections import Selection
    from ephyrus.service.routes.answers import Answer
    from ephyrus.service.routes.call import Call

__all__ = ["ROUTES"]

_PATH = "/account/selections"
_TAG = "selections"
_CHANGES = (
    Field("name"),
    Field("query"),
    Field("description"),
    Field("safety_level", "level"),
    Field("shared_with", "levels"),
    Field("shared_with_groups", "levels"),
)
_NEW = (
    Field("type", required=True),
    Field("name", required=True),
    Field("query", required=True),
    *_CHANGES[2:],
)


def list_selections(call: Call) -> Answer:
    """List the selections that may be read: one's own, and those of others."""
    call.query.check_names(frozenset({"type", "owner", "offset", "max_results"}))
    kind = call.query.one("type", "")
    kind = selections.kind_named(kind) if kind else ""
    with call.service.database.reading() as conn:
        found, total = selections.listing(
            conn,
            call.principal,
            kind=kind,
            owner=call.query.one("owner", ""),
            offset=call.query.number("offset", 0),
            limit=call.query.number("max_results", 100, most=1000),
        )
    shown = [_shown(each) for each in found]
    return envelope.message(call, "processed", "Saved selections.", selections=shown, total=total)


def show_selection(call: Call) -> Answer:
    """Show a selection."""
    with call.service.database.reading() as conn:
        found = selections.get(conn, call.principal, number(call.path["id"]))
    return _answer(call, found, "object_selected", "The selection.")


def save_selection(call: Call) -> Answer:
    """Save a selection; its filters are checked as a list checks them."""
    user_id = require_user(call.principal)
    sent = read(call.document, _NEW)
    kind = selections.kind_named(sent["type"])
    with call.service.database.reading() as conn:
        sent["query"] = selections.check_query(conn, call.principal, kind, sent["query"])
    with call.service.database.writing() as conn:
        made = selections.create(conn, user_id, kind, sent, call.principal)
    return _answer(
        call,
        made,
        "object_created",
        "The selection was saved.",
        status=201,
        headers={"Location": f"{_PATH}/{made.id}", "Cache-Control": "no-store"},
    )


def change_selection(call: Call) -> Answer:
    """Change what is sent of a selection."""
    sent, place = read(call.document, _CHANGES), number(call.path["id"])
    if "query" in sent:
        with call.service.database.reading() as conn:
            kind = selections.get(conn, call.principal, place).type
            sent["query"] = selections.check_query(conn, call.principal, kind, sent["query"])
    with call.service.database.writing() as conn:
        found = selections.change(conn, call.principal, place, sent)
    return _answer(call, found, "object_updated", "The selection was changed.")


def delete_selection(call: Call) -> Answer:
    """Delete a selection; what it selects stays."""
    with call.service.database.writing() as conn:
        selections.remove(conn, call.principal, number(call.path["id"]))
    return envelope.message(call, "deleted", "The selection was deleted.")


def list_members(call: Call) -> Answer:
    """List the objects that a selection selects now, of those that may be read."""
    with call.service.database.reading() as conn:
        found = selections.get(conn, call.principal, number(call.path["id"]))
    return objects.show_list(call, TYPES[found.type], within=str(found.id))


def _answer(call: Call, found: Selection, message_type: str, text: str, **rest: Any) -> Answer:
    return envelope.message(call, message_type, text, selections=[_shown(found)], **rest)


def _shown(each: Selection) -> dict[str, Any]:
    return {
        "id": each.id,
        "permalink": f"{_PATH}/{each.id}",
        "objects": f"{_PATH}/{each.id}/objects",
        "type": each.type,
        "name": each.name,
        "description": each.description,
        "query": each.query,
        "owner": profile(each.owner_id),
        "owner_name": each.owner,
        "safety_level": each.safety_level,
        "shared_with": dict(each.shared_with),
        "shared_with_groups": dict(each.shared_with_groups),
        "date_created": moment_text(each.created),
        "last_modified": moment_text(each.modified),
    }


_LIST = (
    Parameter(name="type", schema={"type": "string"}, description="Only those of this type."),
    Parameter(
        name="owner", schema={"type": "string"}, description="Only those of this user: name or id."
    ),
    Parameter(
        name="offset",
        schema={"type": "integer", "minimum": 0},
        description="How many to pass over.",
    ),
    Parameter(
        name="max_results",
        schema={"type": "integer", "minimum": 0, "maximum": 1000, "default": 100},
        description="Most selections in the answer.",
    ),
)


ROUTES: tuple[Route, ...] = (
    reads("selections", _PATH, list_selections, "List the selections that one may read.",
          tag=_TAG, access="public", query=_LIST),
    writes("selections.save", "POST", _PATH, save_selection,
           "Save the filters of a list under a name.", tag=_TAG, fields=_NEW, created=True),
    reads("selections.show", f"{_PATH}/{{id}}", show_selection, "Show a selection.", tag=_TAG,
          access="public", needs="view"),
    writes("selections.change", "POST", f"{_PATH}/{{id}}", change_selection,
           "Change a selection: its name, its filters, who may see it.", tag=_TAG, fields=_CHANGES,
           needs="edit"),
    writes("selections.delete", "DELETE", f"{_PATH}/{{id}}", delete_selection,
           "Delete a selection, and nothing of what it selects.", tag=_TAG, needs="own"),
    reads("selections.objects", f"{_PATH}/{{id}}/objects", list_members,
          "List the objects that a selection selects now.", tag=_TAG, access="public",
          query=(*parameters.LIST, *parameters.RANGE), answer="any", needs="view"),
)  # fmt: skip
"""Addresses of saved selections."""
