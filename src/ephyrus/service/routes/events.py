"""What changes in the catalog, told as it happens (server-sent events)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Row, literal, select, union_all

from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.catalog import rights
from ephyrus.service.catalog.growth import Appended, appended_since
from ephyrus.service.catalog.ids import format_id
from ephyrus.service.catalog.permalinks import permalink
from ephyrus.service.db.schema import CHANGE, DELETED, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.answers import StreamAnswer
from ephyrus.service.routes.loading import Loader
from ephyrus.service.routes.table import Parameter, Route
from ephyrus.service.types import TYPES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ephyrus.service.principals import Principal
    from ephyrus.service.routes.call import Call

__all__ = ["ROUTES"]

_MOST = 1000  # changes that are told one by one; a client reads its lists again beyond
_MOST_STREAMS = 200  # in one process
_LONGEST_BACK = timedelta(hours=1)  # a client that was away for longer reads its lists again
_ALIVE_SECONDS = 15.0
_EPOCH = datetime(1970, 1, 1)


@dataclass(slots=True)
class _Streams:
    """How many streams a process has."""

    count: int = 0


async def tell_changes(call: Call) -> StreamAnswer:
    """Tell what changes from now on, or from the event that the client has seen last."""
    call.query.check_names(frozenset({"since", "type"}))
    kinds = _kinds(call)
    since = _since(call.header("last-event-id") or call.query.one("since", ""))
    last = await call.thread(_last_change, call)
    first = b"retry: 1000\n\n"  # at once: the client sees that it is connected
    if since is not None and since < min(last, utc_now() - _LONGEST_BACK):
        first += _event("many", last, {"since": since.isoformat()})
        since = None
    streams = call.service.part("event streams", lambda _: _Streams())
    if streams.count >= _MOST_STREAMS:
        raise ServiceError(
            "unavailable",
            "There are too many streams of events; try again later.",
            headers={"Retry-After": "30"},
        )
    return StreamAnswer(
        blocks=_stream(call, streams, first, since or last, kinds),
        media_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _kinds(call: Call) -> tuple[str, ...]:
    """Read the types that a client wants to hear of."""
    text = call.query.one("type")
    if text is None:
        return tuple(TYPES)
    kinds = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in kinds if name not in TYPES]
    if unknown or not kinds:
        raise ServiceError(
            "wrong_params",
            f"type is {text[:40]!r}; it must be names of types, separated by commas.",
            details="type",
        )
    return kinds


def _since(text: str) -> datetime | None:
    """Read the id of an event, which is the time of the change."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise ServiceError(
            "wrong_params", f"since is {text[:40]!r}; it must be an event's id.", details="since"
        )
    return found


def _last_change(call: Call) -> datetime:
    """Give the time of the last change."""
    with call.service.database.reading() as conn:
        return _last_moment(conn)


def _last_moment(conn: Connection) -> datetime:
    last = conn.execute(select(CHANGE.c.last_at)).scalar()
    return _EPOCH + timedelta(microseconds=int(last or 0))


async def _stream(
    call: Call, streams: _Streams, first: bytes, since: datetime, kinds: Sequence[str]
) -> AsyncIterator[bytes]:
    """Give events until the stream has lasted long enough; clients then connect again."""
    settings = call.service.settings
    streams.count += 1
    try:
        yield first
        end = time.monotonic() + settings.events_life
        alive, stamp = time.monotonic(), None
        while time.monotonic() < end and not call.service.stopping.is_set():
            now = await call.thread(call.service.database.changes)
            if now != stamp:
                stamp = now
                text, since = await call.thread(_told, call, stamp, since, kinds)
                if text:
                    alive = time.monotonic()
                    yield text
            if time.monotonic() - alive > _ALIVE_SECONDS:
                alive = time.monotonic()
                yield b": nothing new\n\n"
            await asyncio.sleep(settings.events_interval)
    finally:
        streams.count -= 1


def _told(call: Call, stamp: Any, since: datetime, kinds: Sequence[str]) -> tuple[bytes, datetime]:
    """Write the events since a time, of the objects that the client may see."""
    principal = call.service.authenticator.authenticate(call.scope, stamp)
    loader = Loader.of(call.service)
    key = ("events", since)
    with call.service.database.reading() as conn:
        changes: Sequence[Row[Any]] | None = loader.known(key, stamp)
        if changes is None:
            changes = _changes(conn, since)
            loader.keep(key, stamp, changes, size=500 * (len(changes) + 1))
        if not changes:
            return b"", since
        if len(changes) > _MOST:
            last = _last_moment(conn)
            return _event("many", last, {"since": since.isoformat()}), last
        seen = _visible(conn, principal, [each for each in changes if each.kind in kinds])
        files = [each.id for each in seen if each.kind == "datafile"]
        grown = appended_since(conn, files, since) if files else {}
    style = call.service.settings.id_style
    told = (
        _of_change(change, style, grown.get(change.id) if change.kind == "datafile" else None)
        for change in seen
    )
    return b"".join(told), changes[-1].last_modified


def _changes(conn: Connection, since: datetime) -> Sequence[Row[Any]]:
    """Read what was changed after a time, at most one more than is told one by one."""
    parts = [
        select(
            literal(kind).label("kind"),
            table.c.id,
            table.c.guid,
            table.c.current_state,
            table.c.date_created,
            table.c.last_modified,
        ).where(table.c.last_modified > since)
        for kind, table in TABLES.items()
    ]
    found = union_all(*parts).subquery()
    return conn.execute(select(found).order_by(found.c.last_modified).limit(_MOST + 1)).all()


def _visible(conn: Connection, principal: Principal, changes: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Leave out what the client may not see."""
    by_kind: dict[str, list[int]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(change.id)
    levels = {kind: rights.levels(conn, principal, kind, ids) for kind, ids in by_kind.items()}
    return [change for change in changes if levels[change.kind].get(change.id, 0) >= rights.READ]


def _of_change(change: Row[Any], style: str, grown: Appended | None) -> bytes:
    """Write the event of one change; of a datafile to which rows were appended, that of these."""
    name = "changed"
    if change.current_state == DELETED:
        name = "deleted"
    elif change.date_created == change.last_modified:
        name = "created"
    facts = {
        "type": change.kind,
        "id": format_id(change.id, style),
        "permalink": permalink(change.kind, change.id, style),
        "guid": change.guid,
    }
    if grown is None or name == "deleted":
        return _event(name, change.last_modified, facts)
    rows = {"start_index": grown.start, "length": grown.length}
    told = _event("appended", change.last_modified, {**facts, **rows})
    is_all = grown.at == change.last_modified  # else something was changed after that
    return told if is_all else told + _event(name, change.last_modified, facts)


def _event(name: str, moment: datetime, facts: Mapping[str, Any]) -> bytes:
    text = moment.isoformat(timespec="microseconds")
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        text.encode("ascii"),
        name.encode("ascii"),
        orjson.dumps(facts),
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="events",
        method="GET",
        path="/events",
        handler=tell_changes,
        summary="Tell what changes, as it happens (server-sent events).",
        description="Events created, changed and deleted name the object; appended names a "
        "datafile whose array got longer: rows start_index to length are new. many: too much "
        "changed, read your lists again. The stream ends after a while; connect again with "
        "Last-Event-ID.",
        query=(
            Parameter(
                name="since",
                schema={"type": "string"},
                description="Id of the last event that was seen; the header Last-Event-ID wins.",
            ),
            Parameter(
                name="type",
                schema={"type": "string"},
                description="Types to hear of, separated by commas; all, if left out.",
            ),
        ),
        responses={200: "The stream."},
        media=("text/event-stream",),
        tag="service",
    ),
)
"""The route of events."""
