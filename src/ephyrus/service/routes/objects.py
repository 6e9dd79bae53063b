"""Reading objects: one, a list, and what belongs to one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ephyrus.service.catalog import annotation, history, reading, rights
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.values import parse_moment
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.answers import Answer
from ephyrus.service.routes.caching import cache_headers, list_tag, quoted, revalidate
from ephyrus.service.routes.ends import from_nearest_end, keep_end
from ephyrus.service.routes.envelope import (
    LIST_TEXT,
    Shown,
    message,
    moment_text,
    present,
    selection,
)
from ephyrus.service.routes.loading import Loaded, Loader, load_many, load_one, show_one, size_of
from ephyrus.service.routes.options import Options, read_options
from ephyrus.service.routes.parts import reads_arrays
from ephyrus.service.types import TYPES, ObjectType, find

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ephyrus.service.catalog.records import Page
    from ephyrus.service.routes.call import Call

__all__ = [
    "kind_of",
    "list_objects",
    "read_acl",
    "read_annotations",
    "read_history",
    "show",
    "show_list",
]

_BYTES_OF_TOTAL = 1024  # memory of the size of a selection that is kept, with its query


def kind_of(call: Call) -> ObjectType:
    """Give the type of object that an address names.

    Raises
    ------
    ServiceError
        There is none (404 ``not_found``).
    """
    if call.route.kind:
        return TYPES[call.route.kind]
    category, name = call.route.tag, call.path["type"]
    kind = find(category, name)
    if kind is None:
        raise ServiceError("not_found", f"There is no type {name[:60]!r} in {category}.")
    return kind


async def show(call: Call) -> Answer:
    """Show one object."""
    kind = kind_of(call)
    number = call.id
    options = read_options(call, kind, listed=False)
    loader = Loader.of(call.service)
    key = (call.principal, kind.name, number, options.detail, options.cascade, options.at_time,
           options.shown.level == "full")  # fmt: skip
    loaded: Loaded | None = loader.known(key, call.stamp)
    if loaded is None:
        loaded = await call.thread(load_one, call, kind.name, number, options)
        loader.keep(key, call.stamp, loaded, size=size_of(loaded))
    record = loaded.records[0]
    normal = options.normal
    is_plain = not normal and "q" not in call.query  # the page: its tag is the version
    tag = quoted(record.guid, "" if is_plain else _with_state(normal, options, loaded))
    public = record.safety_level == 1 and call.service.settings.anonymous_read
    modified = max(each.modified for each in (record, *loaded.within))
    same = revalidate(call, tag, modified, public=public)
    if same is not None:
        return same
    headers = cache_headers(tag, modified, public=public)
    if options.cascade or (not options.request.is_plain and reads_arrays(record, options)):
        return await call.thread(_shown, call, loaded, options, headers)
    return _shown(call, loaded, options, headers)


def _with_state(normal: str, options: Options, loaded: Loaded) -> str:
    """Say what an answer depends on beside the versions of its objects."""
    return normal if options.shown.level == "link" else f"{normal} {loaded.state}"


def _shown(call: Call, loaded: Loaded, options: Options, headers: dict[str, str]) -> Answer:
    item = show_one(call, loaded, loaded.records[0], options, listed=False)
    return selection(call, [item], headers=headers)


def list_objects(call: Call) -> Answer:
    """Show a part of the list of objects of a type."""
    return show_list(call, kind_of(call))


def show_list(call: Call, kind: ObjectType, *, within: str = "") -> Answer:
    """Show a part of a list; `within` is the id of a selection that all of it must be in."""
    options = read_options(call, kind, listed=True)
    pairs = [pair for pair in call.query.pairs if not pair[0].startswith("_")]
    if within:
        pairs.append(("selection", within))
    query = ListQuery.parse(pairs)
    with call.service.database.reading() as conn:
        page = _select(conn, call, kind, query, options)
        loaded = load_many(conn, call, page.records, options)
    span = f"{page.offset} {page.total} {page.next_cursor}"
    asked = _with_state(options.normal, options, loaded)
    normal = f"{call.principal.username} {kind.name} {asked} {span}"
    tag = list_tag((each.guid for each in page.records), normal)
    same = revalidate(call, tag)
    if same is not None:
        return same
    items = [show_one(call, loaded, each, options, listed=True) for each in page.records]
    links = _page_links(call, query, page)
    headers = cache_headers(tag, public=False)
    if links:
        headers["Link"] = ", ".join(f'<{link}>; rel="{name}"' for name, link in links.items())
    return selection(
        call,
        items,
        offset=page.offset if query.cursor is None else None,
        headers=headers,
        total=page.total,
        first=links.get("first"),
        previous=links.get("prev"),
        next=links.get("next"),
        next_cursor=page.next_cursor,
    )


def _select(
    conn: Connection, call: Call, kind: ObjectType, query: ListQuery, options: Options
) -> Page:
    """Read a page. The selection is counted once, and again when the catalog has changed."""
    loader = Loader.of(call.service)
    wanted = query.count
    if not ("count" in call.query or "total" in call.query):
        wanted = _is_counted_quickly(conn, call, kind.name, loader)
    page_free = replace(query, offset=0, max_results=0, cursor=None, order_by=(), count=False)
    key = ("total", call.principal, kind.name, page_free)
    total = loader.known(key, call.stamp) if wanted else None
    query = replace(query, count=wanted and total is None)
    ends = ("ends", call.principal, kind.name, replace(query, offset=0, max_results=0, count=False))
    nearer = from_nearest_end(loader, ends, call.stamp, query)
    page = reading.select(conn, call.principal, kind.name, nearer, detail=options.detail)
    if nearer is not query:
        page = replace(page, offset=query.offset)
        if page.records and not page.has_more:
            page = replace(page, total=page.offset + len(page.records))
    if query.cursor is None and query.groups_of is None:
        keep_end(loader, ends, call.stamp, page)
    if page.total is not None:
        loader.keep(key, call.stamp, page.total, size=_BYTES_OF_TOTAL)
    return page if total is None else replace(page, total=total)


def _is_counted_quickly(conn: Connection, call: Call, kind: str, loader: Loader) -> bool:
    """Tell whether selections of a type are counted without being asked to."""
    known: bool | None = loader.known(("counted", kind), call.stamp)
    if known is None:
        known = reading.is_counted_quickly(conn, kind)
        loader.keep(("counted", kind), call.stamp, known, size=_BYTES_OF_TOTAL)
    return known


def _page_links(call: Call, query: ListQuery, page: Page) -> dict[str, str]:
    """Give the addresses of the pages around one, by their relation to it."""
    kept = [(name, value) for name, value in call.query.pairs if name not in ("offset", "cursor")]
    links = {"first": _address(call, kept)}
    if query.cursor is not None:
        if page.next_cursor is not None:
            links["next"] = _address(call, [*kept, ("cursor", page.next_cursor)])
        return links
    size = query.max_results
    if page.offset and size:
        before = max(page.offset - size, 0)
        links["prev"] = _address(call, [*kept, ("offset", str(before))] if before else kept)
    if page.has_more and size:
        links["next"] = _address(call, [*kept, ("offset", str(page.offset + size))])
    return links


def _address(call: Call, pairs: list[tuple[str, str]]) -> str:
    path = call.scope.get("raw_path") or call.scope["path"].encode("utf-8")
    text: str = path.partition(b"?")[0].decode("latin-1")
    return f"{text}?{urlencode(pairs)}" if pairs else text


def read_acl(call: Call) -> Answer:
    """Show who may do what with an object."""
    kind = kind_of(call)
    with call.service.database.reading() as conn:
        found = rights.acl(conn, call.principal, kind.name, call.id)
    return acl_answer(call, found, "object_selected", "Here are the rights of the object.")


def acl_answer(call: Call, found: Any, message_type: str, text: str) -> Answer:
    """Make the answer that shows the rights of an object."""
    return message(
        call,
        message_type,
        text,
        safety_level=found.safety_level,
        shared_with=dict(found.shared_with),
        shared_with_groups=dict(found.groups),
    )


def read_annotations(call: Call) -> Answer:
    """Show the properties and values that an object is annotated with."""
    kind = kind_of(call)
    options = read_options(call, kind, listed=False)
    with call.service.database.reading() as conn:
        found = annotation.pairs(conn, call.principal, kind.name, call.id, at_time=options.at_time)
    brief = Shown("info", style=options.shown.style)
    pairs = [[present(above, brief), present(value, brief)] for above, value in found]
    return message(
        call,
        "metadata_found" if pairs else "no_metadata_found",
        "Here is the metadata of the object." if pairs else "The object has no metadata.",
        metadata=pairs,
    )


def read_history(call: Call) -> Answer:
    """Show the versions of an object."""
    kind = kind_of(call)
    call.query.check_names(frozenset({"start_date", "end_date"}))
    start, end = _date(call, "start_date"), _date(call, "end_date")
    with call.service.database.reading() as conn:
        versions = history.versions(
            conn,
            call.principal,
            kind.name,
            call.id,
            start=start,
            end=end,
        )
    items = [
        {
            "guid": each.guid,
            "starts_at": moment_text(each.starts_at),
            "ends_at": moment_text(each.ends_at),
            "user": each.user,
            "changed": list(each.changed),
        }
        for each in versions
    ]
    return selection(call, items, text=LIST_TEXT)


def _date(call: Call, name: str) -> datetime | None:
    """Read a time from the query."""
    text = call.query.one(name)
    try:
        return None if text is None else parse_moment(text)
    except ValueError:
        raise ServiceError(
            "wrong_params",
            f"{name} is {str(text)[:40]!r}; write it as 2026-01-31 12:00:00.",
            details=name,
        ) from None
