"""Parts of many arrays in one request."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.service.catalog.permalinks import parse, permalink
from ephyrus.service.encoders import FORMATS, encode
from ephyrus.service.encoders.body import Body, Buffer
from ephyrus.service.encoders.joined import MEDIA_TYPE, arrow_rows, multipart, need_arrow
from ephyrus.service.encoders.negotiation import choose_format
from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.params import DataRequest
from ephyrus.service.routes import parameters
from ephyrus.service.routes.answers import StreamAnswer
from ephyrus.service.routes.choices import Wanted, is_heavy, wanted
from ephyrus.service.routes.entries import Entry, entries_of
from ephyrus.service.routes.gate import Gate
from ephyrus.service.routes.table import Route

if TYPE_CHECKING:
    from ephyrus.service.arrays.part import ArrayPart
    from ephyrus.service.routes.call import Call

__all__ = ["MOST_ITEMS", "ROUTES"]

MOST_ITEMS = 10_000
MOST_ROW_BYTES = 64 * 2**20  # of one part that becomes one row of a table
_KNOWN = (
    "datafile", "start_index", "end_index", "samples_count", "downsample", "kind", "channels",
    "indices", "window", "by", "bins", "dtype", "scaled", "strict",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Item:
    """One part that is asked for."""

    place: int
    entry: Entry
    request: DataRequest


async def query(call: Call) -> StreamAnswer:
    """Send parts of many arrays in one answer."""
    call.query.check_names(frozenset({"format"}))
    name = choose_format(call.query.one("format"), call.header("accept"))
    asked = _asked(call)
    items = await call.thread(_items, call, asked)
    if not any(is_heavy(item.entry.array, item.request) for item in items):
        return await call.thread(_answer, call, items, name)
    gate = call.service.part("heavy", Gate)
    return await gate.through(call, _answer, call, items, name)


def _asked(call: Call) -> list[tuple[int, DataRequest]]:
    """Read the document: ids of datafiles, and what is wanted of each.

    Raises
    ------
    ServiceError
        It is no list (400 ``not_iterable``), an item is no object (400 ``dict_required``), has
        other names, or values that cannot be; the details name place and parameter. There are too
        many items (413).
    """
    document = call.document
    if not isinstance(document, list) or not document:
        raise ServiceError(
            "not_iterable", "Send a list of objects, each with the key datafile and what is wanted."
        )
    if len(document) > MOST_ITEMS:
        raise ServiceError(
            "too_large",
            f"Ask for at most {MOST_ITEMS:,} parts at once, not {len(document):,}.",
            details={"limit": MOST_ITEMS},
        )
    style = call.service.settings.id_style
    asked = []
    for place, item in enumerate(document):
        if not isinstance(item, Mapping):
            raise ServiceError(
                "dict_required", f"Item {place} is no object.", details={"item": place}
            )
        with _told(place):
            request = DataRequest.from_query(_pairs(item))
            asked.append((parse(item.get("datafile"), kind="datafile", style=style).id, request))
    return asked


class _told:  # noqa: N801  # used like a function
    """Says which item an error is about."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ServiceError):
            raise ServiceError(
                error.message_type,
                f"Item {self._place}: {error.message}",
                details={"item": self._place, "parameter": error.details},
            ) from error


def _pairs(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write an item as parameters of an address."""
    pairs = []
    for name, value in item.items():
        if name not in _KNOWN:
            known = ", ".join(_KNOWN)
            raise ServiceError(
                "wrong_params", f"{name[:60]!r} is unknown; there are {known}.", details=name[:200]
            )
        if name == "datafile" or value is None:
            continue
        pairs.append((name, _text(name, value)))
    return pairs


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float | str):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, int | str) for each in value):
        return ",".join(map(str, value))
    raise ServiceError(
        "wrong_params", f"{name} must be a number, a text or a list of them.", details=name
    )


def _items(call: Call, asked: list[tuple[int, DataRequest]]) -> list[_Item]:
    """Find the datafiles, and check what can be checked without reading."""
    entries = entries_of(call, [number for number, _ in asked])
    items = []
    for place, (number, request) in enumerate(asked):
        entry = entries[number]
        with _told(place):
            shape = entry.array.shape
            if request.window is None and request.indices is None:
                request.rows(shape[0])
            if request.channels is not None and request.channels.is_plain and len(shape) > 1:
                request.channels.resolve(shape[1])
        items.append(_Item(place, entry, request))
    return items


def _answer(call: Call, items: list[_Item], name: str) -> StreamAnswer:
    headers = {"Cache-Control": "private, no-cache"}
    if name == "arrow":
        need_arrow()
        blocks: Iterator[Buffer] = arrow_rows(_rows(call, items), _common_dtype(call, items))
        return StreamAnswer(blocks=blocks, media_type=MEDIA_TYPE, headers=headers)
    boundary = secrets.token_hex(20)
    return StreamAnswer(
        blocks=multipart(_bodies(call, items, name), boundary),
        media_type=f"multipart/mixed; boundary={boundary}",
        headers=headers,
    )


def _wanted(call: Call, item: _Item) -> Wanted:
    with _told(item.place):
        return wanted(call, item.entry, item.request)


def _permalink(call: Call, item: _Item) -> str:
    return permalink("datafile", item.entry.id, call.service.settings.id_style)


def _bodies(call: Call, items: list[_Item], name: str) -> Iterator[tuple[Mapping[str, str], Body]]:
    """Make the bodies one after the other, each when it is its turn."""
    for item in items:
        found = _wanted(call, item)
        body = encode(found.part, name, columns=found.columns)
        file = f"{item.entry.name}-S{found.start}-E{found.stop}{body.extension}"
        yield (
            {
                "Content-Disposition": f"attachment; filename={file}",
                "Content-Location": _permalink(call, item),
            },
            body,
        )


def _rows(call: Call, items: list[_Item]) -> Iterator[tuple[str, ArrayPart]]:
    for item in items:
        yield _permalink(call, item), _wanted(call, item).part


def _common_dtype(call: Call, items: list[_Item]) -> np.dtype[Any]:
    """Find the type that holds the values of all parts.

    Raises
    ------
    ServiceError
        Some are texts and some numbers (400), or one is too large for a row (413).
    """
    dtypes = set()
    for item in items:
        part = _wanted(call, item).part
        dtypes.add(part.dtype)
        if part.nbytes > MOST_ROW_BYTES:
            raise ServiceError(
                "too_large",
                f"Item {item.place} is too large for a row of a table; leave format=arrow out, or "
                "ask for a part of it.",
                details={"item": item.place, "limit": MOST_ROW_BYTES},
            )
    if len({dtype.kind == "S" for dtype in dtypes}) > 1:
        raise ServiceError(
            "wrong_params",
            "Texts and numbers do not go into one table; ask for them one after the other.",
            details={"parameter": "format"},
        )
    return np.result_type(*dtypes)


ROUTES: tuple[Route, ...] = (
    Route(
        name="datafile.query",
        method="POST",
        path="/datafiles/query",
        handler=query,
        summary="Send parts of many arrays in one answer.",
        description="The body is a list of objects with the key datafile (id or permalink) and the "
        "parameters of data: start_index, end_index, samples_count, downsample, kind, channels, "
        "indices, window, by, bins, dtype, scaled, strict. The answer holds the parts in the order "
        "asked for: as multipart/mixed, each in the format that is chosen, or (format=arrow) as "
        "rows of one table with the columns datafile, name, shape and values.",
        body="json",
        query=tuple(each for each in parameters.RANGE if each.name == "format"),
        responses={200: "The parts."},
        media=("multipart/mixed", FORMATS["arrow"].media_type),
        document={
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_ITEMS,
            "items": {"type": "object", "required": ["datafile"]},
        },
        tag="datafiles",
    ),
)
"""Routes of queries."""
