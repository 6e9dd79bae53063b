"""Appending rows to arrays that grow."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ephyrus.service.catalog.ids import format_id, parse_id
from ephyrus.service.catalog.permalinks import permalink
from ephyrus.service.catalog.reading import get
from ephyrus.service.catalog.records import BRIEF, ArrayRow
from ephyrus.service.errors import ServiceError
from ephyrus.service.files.appending import (
    Done,
    append_rows,
    check_length,
    growing_arrays,
    shape_of,
)
from ephyrus.service.files.hands import hands_of
from ephyrus.service.files.receiving import FILE_FIELD, receive_form
from ephyrus.service.files.rowfiles import rows_of_file
from ephyrus.service.files.rows import JsonRows, NpyRows, RawRows, Rows, Taker
from ephyrus.service.files.workshop import workshop_of
from ephyrus.service.routes.answers import Answer
from ephyrus.service.routes.caching import cache_headers, quoted, require_match
from ephyrus.service.routes.envelope import message
from ephyrus.service.routes.table import Parameter, Route

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = ["ROUTES"]

MOST_ARRAYS = 8  # of one request: an object has at most three that belong together
_FED = 2**18  # bytes that are handed to a thread at a time
_FORMATS: Mapping[str, str] = {
    "application/octet-stream": "raw",
    "application/x-npy": "npy",
    "application/json": "json",
    "application/x-hdf": "hdf5",
    "application/x-hdf5": "hdf5",
    "multipart/form-data": "hdf5",
}
_SYNONYMS: Mapping[str, str] = {"h5": "hdf5"}


async def append(call: Call) -> Answer:
    """Append rows to an array, or to several that belong together."""
    call.query.check_names(frozenset({"start_index", "with", "format"}))
    ids = _ids(call)
    start = call.query.number("start_index", 0) if "start_index" in call.query else None
    name = _format(call)
    if len(ids) > 1 and name not in ("npy", "json"):
        raise ServiceError(
            "wrong_params", "Rows of several arrays are sent as npy or json.", details="format"
        )
    arrays, guid = await call.thread(_before, call, ids, start)
    rows = await _received(call, name, arrays)
    workshop = workshop_of(call.service)
    done = await call.thread(
        append_rows,
        workshop,
        call.principal,
        arrays,
        rows,
        start=start,
        expected_guid=guid,
    )
    return _answer(call, done)


def _answer(call: Call, done: Sequence[Done]) -> Answer:
    """Tell where the rows are."""
    style, first = call.service.settings.id_style, done[0]
    return message(
        call,
        "object_updated",
        "Rows were appended.",
        headers=cache_headers(quoted(first.guid), public=False),
        start_index=first.start,
        length=first.length,
        guid=first.guid,
        appended=[
            {
                "id": format_id(each.datafile_id, style),
                "permalink": permalink("datafile", each.datafile_id, style),
                "guid": each.guid,
                "start_index": each.start,
                "length": each.length,
            }
            for each in done
        ],
    )


def _ids(call: Call) -> list[int]:
    """Read which arrays are meant."""
    style = call.service.settings.id_style
    ids = [call.id]
    text = call.query.one("with", "")
    ids += [parse_id(each.strip(), style) for each in text.split(",") if each.strip()]
    if len(set(ids)) < len(ids) or len(ids) > MOST_ARRAYS:
        raise ServiceError(
            "wrong_params",
            f"with must name at most {MOST_ARRAYS - 1} other datafiles, each once.",
            details="with",
        )
    return ids


def _format(call: Call) -> str:
    """Find out what the body is."""
    kind = call.header("content-type").partition(";")[0].strip().lower()
    text = (call.query.one("format") or "").lower()
    if not text:
        name = _FORMATS.get(kind)
        if name is None:
            raise ServiceError(
                "data_parsing_error",
                f"Rows may not be of type {kind[:60]!r}; say what they are with format=raw, npy, "
                "json or hdf5.",
                details={"content_type": kind[:200]},
            )
        return name
    name = _SYNONYMS.get(text, text)
    if name not in _FORMATS.values():
        raise ServiceError(
            "wrong_params",
            f"format is {text[:40]!r}; rows are sent as raw, npy, json or hdf5.",
            details="format",
        )
    return name


def _before(call: Call, ids: list[int], start: int | None) -> tuple[list[ArrayRow], str | None]:
    """Refuse what cannot be appended, before it is sent; gives the version that is meant."""
    guid = None
    with call.service.database.reading() as connection:
        arrays = growing_arrays(connection, call.principal, ids)
        if call.header("if-match"):
            guid = get(connection, call.principal, "datafile", ids[0], detail=BRIEF).guid
            require_match(call, guid)
    for row in arrays:
        check_length(row, start)
    return arrays, guid


async def _received(call: Call, name: str, arrays: list[ArrayRow]) -> list[Rows]:
    """Receive the rows of each array."""
    settings, store = call.service.settings, call.service.store
    shapes = [shape_of(row) for row in arrays]
    if name == "hdf5":
        return [await _from_hdf5(call, arrays[0])]
    limit = settings.max_json_bytes if name == "json" else settings.max_append_bytes
    taker: Taker
    if name == "raw":
        declared = call.header("x-array-dtype"), call.header("x-array-shape")
        taker = RawRows(store, shapes[0], declared)
    else:
        taker = JsonRows(store, shapes) if name == "json" else NpyRows(store, shapes)
    guarded, run = _Guarded(taker), hands_of(call.service).receive
    try:
        waiting = bytearray()
        async for piece in call.stream(limit=limit):
            waiting += piece
            if len(waiting) >= _FED:
                whole, waiting = bytes(waiting), bytearray()
                await run(guarded.feed, whole)
        return await run(guarded.finish, bytes(waiting))
    except BaseException:  # also when the request is cancelled: nothing is left behind
        await run(guarded.discard)
        raise


class _Guarded:
    """Takes a body apart in worker threads; may be given up while one is at work.

    Parameters
    ----------
    taker : Taker
        What takes it apart.
    """

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._lock = threading.Lock()
        self._is_discarded = False

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        with self._lock:
            if not self._is_discarded:
                self._taker.feed(data)

    def finish(self, data: bytes) -> list[Rows]:
        """Take the last piece, and give the rows."""
        self.feed(data)
        with self._lock:
            return [] if self._is_discarded else self._taker.finish()

    def discard(self) -> None:
        """Remove what was stored."""
        with self._lock:
            self._is_discarded = True
            self._taker.discard()


async def _from_hdf5(call: Call, row: ArrayRow) -> Rows:
    """Receive an HDF5 file as an upload is received, and have the rows taken out of it."""
    workshop, hands = workshop_of(call.service), hands_of(call.service)
    limit = workshop.settings.max_append_bytes
    kind = call.header("content-type")
    if kind.lower().startswith("multipart/form-data"):
        form = await receive_form(
            call.stream(limit=limit), kind, workshop.store, hands.receive, most_files=1
        )
        if not form.files:
            raise ServiceError(
                "missing_parameter",
                f"The form holds no file under the key {FILE_FIELD}.",
                details=FILE_FIELD,
                extra={"missing": [FILE_FIELD]},
            )
        key, size = form.files[0].key, form.files[0].size
    else:
        key, size = await _body_in_store(call, limit)
    return await hands.look(rows_of_file, workshop, key, size, shape_of(row))


async def _body_in_store(call: Call, limit: int) -> tuple[str, int]:
    """Write a body into the store as it comes; gives its key and its bytes."""
    run = hands_of(call.service).receive
    new = await run(call.service.store.create)
    try:
        async for piece in call.stream(limit=limit):
            await run(new.write, piece)
        return await run(new.commit, settled=False), new.size
    except BaseException:
        await run(new.abort)
        raise


_BODY: Mapping[str, Any] = {
    "description": "Rows in the type and width of the array: bare samples (raw: little-endian, C "
    "order, X-Array-Shape and X-Array-Dtype are checked if sent), a NumPy file, a JSON list, or an "
    "HDF5 file with one array. Of several arrays: NumPy files one behind the other, or a JSON list "
    "of lists.",
}

ROUTES: tuple[Route, ...] = (
    Route(
        name="datafile.append",
        method="POST",
        path="/datafiles/{id}/append",
        handler=append,
        summary="Append rows to the array of a datafile.",
        description="What was acknowledged is kept. With start_index a request may be sent again "
        "when its answer was lost: rows are appended once (409 length_differs else, with the "
        "length that the array has). All who can read the array see it grow at once; objects that "
        "own it get a new guid.",
        access="user",
        scope="write",
        body="stream",
        document=_BODY,
        query=(
            Parameter(
                name="start_index",
                schema={"type": "integer", "minimum": 0},
                description="Rows that the array must have before: where the new ones begin.",
            ),
            Parameter(
                name="format",
                schema={"type": "string", "enum": ["raw", "npy", "json", "hdf5"]},
                description="What the body is (default: as Content-Type tells).",
            ),
            Parameter(
                name="with",
                schema={"type": "string"},
                description="Ids of further datafiles that rows are sent for, which must stay as "
                "long as this one: the labels of times, for example.",
            ),
        ),
        responses={
            200: "The rows were appended.",
            409: "The array has another length (length_differs), or is being worked on (in_use).",
            412: "The datafile is not the version that If-Match names.",
        },
        tag="datafiles",
        kind="datafile",
        needs="edit",
    ),
)
"""The route of appends."""
