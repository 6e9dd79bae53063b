"""Parts of arrays of an object: links to them, and their values in place of the links."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from ephyrus.service.arrays.opening import ArrayOpener
from ephyrus.service.catalog.ids import format_id
from ephyrus.service.encoders import encode
from ephyrus.service.errors import ServiceError
from ephyrus.service.inplace.catalog import recordings
from ephyrus.service.partial.params import DataRequest, RangeRequest
from ephyrus.service.partial.view import ArrayFacts, View, view

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ephyrus.service.catalog.records import ArrayRow, Record
    from ephyrus.service.routes.call import Call, Service
    from ephyrus.service.routes.options import Options

__all__ = ["array_opener", "array_view", "inline_values", "reads_arrays"]

_READ_FOR_WINDOWS = frozenset({"times", "durations"})


def array_opener(service: Service) -> ArrayOpener:
    """Give what opens arrays in this process."""
    return service.part("arrays", _opener)


def _opener(service: Service) -> ArrayOpener:
    # a worker beside others is given no pool: it opens the recordings that the catalog names
    pool = service.recordings or service.part("recordings", lambda each: recordings(each.database))
    return ArrayOpener(service.store, pool)


def reads_arrays(record: Record, options: Options) -> bool:
    """Tell whether showing an object reads from its arrays, which takes its time."""
    request = options.request
    return bool(record.arrays) and (
        options.is_inline or _names_channels(request) or "times" in record.arrays
    )


def _names_channels(request: RangeRequest) -> bool:
    """Tell whether channels are asked for by name, so that the names have to be known."""
    return request.channels is not None and not request.channels.is_plain


def array_view(
    call: Call,
    record: Record,
    rows: Mapping[int, ArrayRow],
    options: Options,
    *,
    listed: bool,
) -> View:
    """Find out which part of the arrays of an object is asked for.

    Raises
    ------
    ServiceError
        The window misses the object, or cannot be (400 ``wrong_params``).
    """
    facts: dict[str, ArrayFacts | None] = {}
    names: tuple[str, ...] = ()
    for name, ref in record.arrays.items():
        row = None if ref is None else rows.get(ref.datafile_id)
        if ref is None or row is None:
            facts[name] = None
            continue
        if _names_channels(options.request):
            names = names or array_opener(call.service).open(row).channel_names
        facts[name] = ArrayFacts(
            format_id(ref.datafile_id, options.shown.style),
            ref.units,
            tuple(row.shape),
            is_sorted=row.sorted,
            read=_reader(call, row) if name in _READ_FOR_WINDOWS else None,
        )
    return view(
        record.kind,
        record.quantities,
        facts,
        options.request,
        listed=listed,
        channel_names=names,
    )


def _reader(call: Call, row: ArrayRow) -> Callable[[int, int], NDArray[np.float64]]:
    """Give a function that reads rows of an array, which is opened when they are wanted."""

    def read(start: int, stop: int) -> NDArray[np.float64]:
        array = array_opener(call.service).open(row)
        values = array.read(start, stop, None)
        if array.gain is None:
            return values
        scaled: NDArray[np.float64] = values * array.gain + (array.offset or 0.0)
        return scaled

    return read


def inline_values(
    call: Call, record: Record, rows: Mapping[int, ArrayRow], shown: View | None
) -> dict[str, Any]:
    """Read the arrays of an object to be shown in place of their links.

    Raises
    ------
    ServiceError
        They hold more values than may be shown so (413 ``too_large``).
    """
    from ephyrus.service.routes.data import requested_part

    most, points = call.service.settings.inline_points, 0
    parts = {}
    for name, link in (shown.links if shown is not None else {}).items():
        ref = record.arrays.get(name)
        if ref is None or link is None:
            continue
        request = DataRequest.from_query(parse_qsl(urlsplit(link).query))
        part = requested_part(call, rows[ref.datafile_id], request, name=record.guid)
        points += prod(part.shape)
        if points > most:
            raise ServiceError(
                "too_large",
                f"The arrays hold more than {most} values; ask for a part of them, downsample, or "
                "use the links to the datafiles.",
                details={"limit": most},
            )
        parts[name] = part
    return {name: orjson.Fragment(encode(part, "json").read_all()) for name, part in parts.items()}
