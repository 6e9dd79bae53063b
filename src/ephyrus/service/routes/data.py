"""Data of datafiles: the second of the two steps to an array."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ephyrus.service.encoders import encode
from ephyrus.service.encoders.body import Body
from ephyrus.service.encoders.negotiation import accepts, choose_format
from ephyrus.service.encoders.ranges import ByteRange, requested
from ephyrus.service.encoders.registry import FORMATS
from ephyrus.service.encoders.zarr_view import entry as zarr_entry
from ephyrus.service.partial.params import DATA_NAMES, DTYPES, DataRequest
from ephyrus.service.routes import dataquery, objects, parameters
from ephyrus.service.routes.answers import Answer, StreamAnswer
from ephyrus.service.routes.caching import cache_headers, quoted, revalidate
from ephyrus.service.routes.choices import Wanted, is_heavy, part_of, wanted
from ephyrus.service.routes.entries import Entry, entry_of, moment_of
from ephyrus.service.routes.gate import Gate
from ephyrus.service.routes.quick import INLINE_BYTES, PLAIN_FORMATS, Plans, disposition
from ephyrus.service.routes.table import Parameter, Route

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = ["ROUTES", "requested_part"]

requested_part = part_of

WHOLE_BYTES = 4 * 2**20  # bodies up to this size are made in one go
INLINE_TEXT_BYTES = 2**16  # of numbers that are written as text, which takes longer
_QUICK_KINDS = frozenset({None, "mean", "minmax", "stride"})
_KNOWN = DATA_NAMES | {"at_time", "q"}


async def show_or_send(call: Call) -> Answer | StreamAnswer:
    """Answer the address of a datafile: its data, or its description."""
    known = Plans.of(call).answer(call)
    if known is not None:
        return known
    request = DataRequest.from_query(call.query.pairs, prefer=call.header("prefer"))
    if not request.asks_data:
        if "q" in call.query or _names_json(call.header("accept")):
            return await objects.show(call)
        entry = await entry_of(call, call.id, moment_of(call))
        if entry.row is None:
            return await objects.show(call)
    return await send_data(call, request)


def _names_json(accept: str) -> bool:
    """Tell whether a client asks for JSON by name, and not for HDF5."""
    if "application/json" not in accept.lower():
        return False
    hdf5 = max(_weight(accept, "application/x-hdf"), _weight(accept, "application/x-hdf5"))
    return _weight(accept, "application/json") > 0 and hdf5 == 0


def _weight(accept: str, media_type: str) -> float:
    return accepts(accept, media_type) if media_type in accept.lower() else 0.0


async def data(call: Call) -> Answer | StreamAnswer:
    """Send the data of a datafile."""
    known = Plans.of(call).answer(call)
    if known is not None:
        return known
    request = DataRequest.from_query(call.query.pairs, prefer=call.header("prefer"))
    return await send_data(call, request)


async def send_data(call: Call, request: DataRequest) -> Answer | StreamAnswer:
    """Send a part of an array."""
    call.query.check_names(_KNOWN)
    at_time = moment_of(call)
    entry = await entry_of(call, call.id, at_time)
    name = choose_format(request.format, call.header("accept"))
    row = entry.array
    tag = quoted(entry.guid, f"{entry.name} {request.normal} {name}")
    same = revalidate(call, tag, public=entry.is_public)
    if same is not None:
        return same
    headers = cache_headers(tag, public=entry.is_public)
    if is_heavy(row, request) and not call.is_head:
        gate = call.service.part("heavy", Gate)
        return await gate.through(call, _answer, call, entry, request, name, headers, at_time)
    if _is_quick(call, entry, request, name):
        return _answer(call, entry, request, name, headers, at_time, is_quick=True)
    return await call.thread(_answer, call, entry, request, name, headers, at_time)


def _is_quick(call: Call, entry: Entry, request: DataRequest, name: str) -> bool:
    """Tell whether so little is done that a thread would cost more."""
    row = entry.array
    is_local = row.location["kind"] != "recorded" and not call.service.settings.array_store
    if not is_local or request.kind not in _QUICK_KINDS:
        return False
    if request.window is not None or request.bins is not None or request.compression:
        return False
    rows = request.rows(row.shape[0])
    most = INLINE_BYTES if name in PLAIN_FORMATS else INLINE_TEXT_BYTES
    return entry.row_bytes * (rows.stop - rows.start) <= most


def _answer(
    call: Call,
    entry: Entry,
    request: DataRequest,
    name: str,
    headers: dict[str, str],
    at_time: datetime | None,
    *,
    is_quick: bool = False,
) -> Answer | StreamAnswer:
    """Make the answer: whole where it is small, else block by block."""
    found = wanted(call, entry, request, at_time)
    if is_quick and at_time is None:
        Plans.of(call).keep(call, entry, request, found, name)
    body = _body(found, request, name)
    if name != "json":
        file = disposition(entry.name, found.start, found.stop, body.extension)
        headers["Content-Disposition"] = file
    headers |= body.headers
    coding = body.compressible or bool(request.compress)
    if body.seekable and not coding:
        headers["Accept-Ranges"] = "bytes"
        part = requested(
            call.headers.get("range"),
            length=body.length or 0,
            if_range=call.headers.get("if-range"),
            etag=headers["ETag"],
        )
        if part is not None:
            return _partial(body, part, headers)
    if call.is_head or (body.length or found.part.nbytes) > WHOLE_BYTES:
        return StreamAnswer(
            blocks=body.blocks(),
            media_type=body.media_type,
            headers=headers,
            length=body.length,
            coding=coding,
        )
    first, rest = body.pieces()
    return Answer(body=first, rest=rest, media_type=body.media_type, headers=headers, coding=coding)


def _body(found: Wanted, request: DataRequest, name: str) -> Body:
    compression = None if request.compression == "none" else request.compression
    return encode(
        found.part, name, compression=compression, columns=found.columns, indices=found.indices
    )


def _partial(body: Body, part: ByteRange, headers: dict[str, str]) -> Answer | StreamAnswer:
    """Send a range of bytes."""
    headers["Content-Range"] = part.content_range(body.length or 0)
    blocks = body.blocks(part.start, part.stop)
    if part.size <= WHOLE_BYTES:
        return Answer(
            status=206,
            body=b"".join(blocks),
            media_type=body.media_type,
            headers=headers,
            coding=False,
        )
    return StreamAnswer(
        blocks=blocks,
        status=206,
        media_type=body.media_type,
        headers=headers,
        length=part.size,
    )


async def zarr(call: Call) -> Answer | StreamAnswer:
    """Send a file of the Zarr view of an array."""
    entry = await entry_of(call, call.id, moment_of(call))
    place = call.path["rest"]
    tag = quoted(entry.guid, f"{entry.name} zarr {place}")
    same = revalidate(call, tag, public=entry.is_public)
    if same is not None:
        return same
    headers = cache_headers(tag, public=entry.is_public)
    return await call.thread(_zarr_answer, call, entry, place, headers)


def _zarr_answer(call: Call, entry: Entry, place: str, headers: dict[str, str]) -> Answer:
    part = wanted(call, entry, DataRequest.from_query(())).part
    body = zarr_entry(part, place)
    content = b"" if call.is_head else body.read_all()
    return Answer(body=content, media_type=body.media_type, headers=headers, coding=False)


_ROW = {"type": "integer", "minimum": 0}
_QUERY = (
    Parameter(name="start_index", schema=_ROW, description="First row."),
    Parameter(name="end_index", schema=_ROW, description="Row behind the last one."),
    *(
        each
        for each in parameters.RANGE
        if each.name
        in {"samples_count", "downsample", "kind", "channels", "format", "bins", "strict"}
    ),
    Parameter(name="indices", schema={"type": "string"}, description="Rows one by one: 0,3,5-9."),
    Parameter(
        name="window",
        schema={"type": "string"},
        description="Rows whose time lies in a closed window: <start>:<end>, with by.",
    ),
    Parameter(
        name="by", schema={"type": "string"}, description="Datafile with the times of the rows."
    ),
    Parameter(
        name="times",
        schema={"type": "string", "enum": ["0", "1"]},
        description="1: pairs of row and value, for kinds that pick rows.",
    ),
    Parameter(
        name="dtype",
        schema={"type": "string", "enum": list(DTYPES)},
        description="Type of the numbers; whole numbers are rounded and kept within their limits.",
    ),
    Parameter(
        name="scaled",
        schema={"type": "string", "enum": ["0", "1"], "default": "1"},
        description="0: numbers as the recording has them, not in physical units.",
    ),
    Parameter(
        name="compression",
        schema={"type": "string", "enum": ["none", "gzip", "lzf", "blosc"]},
        description="Compression inside HDF5.",
    ),
    Parameter(
        name="compress",
        schema={"type": "string", "enum": ["0", "1"]},
        description="1: the body may be compressed for the transfer.",
    ),
    parameters.AT_TIME,
)
_MEDIA = tuple(dict.fromkeys(each.media_type for each in FORMATS.values()))
_SENT = {
    200: "The data.",
    206: "A range of bytes.",
    304: "They have not been changed.",
    416: "There are no such bytes.",
}

ROUTES: tuple[Route, ...] = (
    *dataquery.ROUTES,
    Route(
        name="datafile.get",
        method="GET",
        path="/datafiles/{id}",
        handler=show_or_send,
        summary="Send the data of a datafile, or show its description.",
        description="Parameters of data ask for data; q, or Accept: application/json, for the "
        "description. Otherwise an array is sent whole, as HDF5, and any other file is described.",
        query=(*_QUERY, *(each for each in parameters.SHOWN if each.name == "q")),
        responses=_SENT,
        media=(*_MEDIA,),
        tag="datafiles",
        kind="datafile",
        needs="view",
    ),
    Route(
        name="datafile.data",
        method="GET",
        path="/datafiles/{id}/data",
        handler=data,
        summary="Send the data of a datafile, or a part of them.",
        query=_QUERY,
        responses=_SENT,
        media=_MEDIA,
        tag="datafiles",
        kind="datafile",
        needs="view",
    ),
    Route(
        name="datafile.zarr",
        method="GET",
        path="/datafiles/{id}/zarr/{rest:path}",
        handler=zarr,
        summary="Send a file of the read-only Zarr view of an array.",
        responses={200: "The file.", 304: "It has not been changed."},
        media=("application/json", "application/octet-stream"),
        tag="datafiles",
        kind="datafile",
        needs="view",
    ),
)
"""Routes of data."""
