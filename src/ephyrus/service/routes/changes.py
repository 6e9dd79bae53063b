"""Making, changing and deleting objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ephyrus.service.catalog import deleting, reading, rights, writing
from ephyrus.service.catalog.permalinks import permalink
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.records import Detail
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.answers import Answer
from ephyrus.service.routes.caching import cache_headers, quoted, require_match
from ephyrus.service.routes.envelope import (
    CREATED_TEXT,
    DELETED_TEXT,
    Facts,
    Shown,
    message,
    present,
    selection,
)
from ephyrus.service.routes.objects import acl_answer, kind_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ephyrus.service.catalog.records import Record
    from ephyrus.service.routes.call import Call

__all__ = [
    "bulk_update_datafiles",
    "delete_object",
    "delete_objects",
    "post_objects",
    "update_object",
    "write_acl",
]

UPDATED_TEXT = "Object was updated."
SEVERAL_UPDATED_TEXT = "Objects were updated."
_FIRST_PAGE = 100
_SWITCHES = frozenset({"bulk_update", "m2m_append", "cascade", "mode", "force", "notify"})


def _document(call: Call) -> dict[str, Any]:
    """Give the body as an object."""
    if not isinstance(call.document, dict):
        what = "empty" if call.document is None else "not a JSON object"
        raise ServiceError(
            "data_parsing_error", f"The body is {what}; send a JSON object.", details=what
        )
    return call.document


def _refuse_past(call: Call) -> None:
    """Refuse to change what has been."""
    if "at_time" in call.query:
        raise ServiceError(
            "wrong_params", "The past cannot be changed; leave at_time out.", details="at_time"
        )


def _mode_ignores(call: Call) -> bool:
    """Tell whether objects that may not be changed are passed over."""
    mode = call.query.one("mode")
    if mode not in (None, "ignore"):
        raise ServiceError(
            "wrong_params", f"mode is {mode[:40]!r}; it can only be ignore.", details="mode"
        )
    return mode == "ignore"


def _selection_query(call: Call) -> ListQuery:
    """Read the filters that name the objects to change."""
    pairs = [pair for pair in call.query.pairs if not pair[0].startswith("_")]
    return ListQuery.parse(pairs)


def _show_changed(call: Call, conn: Connection, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Present objects that have been written."""
    shown = Shown(style=call.service.settings.id_style)
    ids = {ref.datafile_id for each in records for ref in each.arrays.values() if ref}
    facts = Facts(arrays=reading.arrays_of(conn, sorted(ids)) if ids else {})
    return [present(each, shown, facts) for each in records]


def post_objects(call: Call) -> Answer:
    """Create an object, or change all that the filters select."""
    _refuse_past(call)
    if call.query.flag("bulk_update"):
        return _bulk_update(call)
    kind = kind_of(call)
    call.query.check_names(frozenset({"bulk_update"}))
    with call.service.database.writing() as conn:
        record = writing.create(conn, call.principal, kind.name, _document(call))
        items = _show_changed(call, conn, [record])
    style = call.service.settings.id_style
    return selection(
        call,
        items,
        message_type="object_created",
        text=CREATED_TEXT,
        status=201,
        headers={
            "Location": permalink(kind.name, record.id, style),
            "Cache-Control": "no-store",
            "ETag": quoted(record.guid),
        },
    )


def update_object(call: Call) -> Answer:
    """Change one object: only the fields that are sent."""
    _refuse_past(call)
    if call.query.flag("bulk_update"):
        return _bulk_update(call)
    kind, number = kind_of(call), call.id
    call.query.check_names(_SWITCHES)
    document = _document(call)
    with call.service.database.writing() as conn:
        _check_match(conn, call, kind.name, number)
        written = writing.update(
            conn,
            call.principal,
            kind.name,
            number,
            document,
            append=call.query.flag("m2m_append", default=True),
            cascade=call.query.flag("cascade", default=True),
        )
        record = written.record
        items = _show_changed(call, conn, [record])
    public = record.safety_level == 1 and call.service.settings.anonymous_read
    headers = cache_headers(quoted(record.guid), record.modified, public=public)
    return selection(call, items, message_type="object_updated", text=UPDATED_TEXT, headers=headers)


def _check_match(conn: Connection, call: Call, kind: str, number: int) -> None:
    """Refuse a change of an object that is not what ``If-Match`` says."""
    if call.header("if-match"):
        require_match(call, reading.get(conn, call.principal, kind, number).guid)


def _bulk_update(call: Call) -> Answer:
    """Change all objects that the filters select, or none."""
    kind = kind_of(call)
    document = _document(call)
    skip = _mode_ignores(call)
    with call.service.database.writing() as conn:
        ids = writing.bulk_update(
            conn,
            call.principal,
            kind.name,
            _selection_query(call),
            document,
            skip=skip,
            append=call.query.flag("m2m_append", default=True),
            cascade=call.query.flag("cascade", default=True),
        )
        found = reading.get_many(
            conn, call.principal, kind.name, ids[:_FIRST_PAGE], detail=Detail()
        )
        items = _show_changed(call, conn, [found[each] for each in ids if each in found])
    return selection(
        call, items, message_type="object_updated", text=SEVERAL_UPDATED_TEXT, total=len(ids)
    )


def bulk_update_datafiles(call: Call) -> Answer:
    """Change all datafiles that the filters select: for the route that also takes uploads."""
    _refuse_past(call)
    return _bulk_update(call)


def delete_object(call: Call) -> Answer:
    """Delete an object and what is below it."""
    _refuse_past(call)
    kind, number = kind_of(call), call.id
    call.query.check_names(_SWITCHES)
    force = call.query.flag("force")
    with call.service.database.writing() as conn:
        _check_match(conn, call, kind.name, number)
        gone = deleting.delete(conn, call.principal, kind.name, number, force=force)
    return message(call, "deleted", DELETED_TEXT, deleted=_counts(gone.counts))


def delete_objects(call: Call) -> Answer:
    """Delete all objects that the filters select, and what is below them."""
    _refuse_past(call)
    kind = kind_of(call)
    skip = _mode_ignores(call)
    with call.service.database.writing() as conn:
        gone = deleting.delete_many(
            conn,
            call.principal,
            kind.name,
            _selection_query(call),
            force=call.query.flag("force"),
            skip=skip,
        )
    return message(call, "deleted", DELETED_TEXT, deleted=_counts(gone.counts))


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {kind: number for kind, number in counts.items() if number}


def write_acl(call: Call) -> Answer:
    """Change who may do what with an object."""
    _refuse_past(call)
    kind, number = kind_of(call), call.id
    call.query.check_names(_SWITCHES)
    call.query.flag("notify")  # no mail is configured: accepted, nothing is sent
    with call.service.database.writing() as conn:
        _check_match(conn, call, kind.name, number)
        found = rights.set_acl(
            conn,
            call.principal,
            kind.name,
            number,
            _document(call),
            cascade=call.query.flag("cascade"),
        )
    return acl_answer(call, found, "object_updated", "The rights of the object were changed.")
