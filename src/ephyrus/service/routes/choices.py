"""From a request for data to a part of an array, with its facts."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.arrays.opening import OpenArray
from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.arrays.parts import Choice, choose, chosen_positions
from ephyrus.service.arrays.timed import counts, rows_in_window
from ephyrus.service.catalog.ids import parse_id
from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.channels import Channels
from ephyrus.service.partial.times import Times
from ephyrus.service.partial.units import samples_per_unit
from ephyrus.service.routes.entries import Entry, load_entry, opened

if TYPE_CHECKING:
    from datetime import datetime

    from ephyrus.service.catalog.records import ArrayRow
    from ephyrus.service.partial.params import DataRequest
    from ephyrus.service.routes.call import Call

__all__ = ["Wanted", "channel_columns", "facts_of", "is_heavy", "part_of", "wanted"]

MOST_INDICES = 2**22  # rows whose positions are sent along
_HEAVY_VALUES = 2**22  # numbers that are looked at: above, a request is a heavy one
_LIGHT_KINDS = frozenset({None, "mean", "minmax", "stride"})
_HEAVY_LINE = 2**18  # the same for kinds that take longer for each number


@dataclass(slots=True, eq=False)
class Wanted:
    """A part of an array that is to be sent.

    Attributes
    ----------
    part : ArrayPart
        The part.
    start, stop : int
        The range of rows that it was made of.
    indices : ndarray of int64 or None
        Rows that its points are, where they are sent along.
    columns : tuple of str or None
        Names of its channels.
    choice : Choice or None
        What was chosen of the array; None: something was counted.
    """

    part: ArrayPart
    start: int
    stop: int
    indices: NDArray[np.int64] | None = None
    columns: tuple[str, ...] | None = None
    choice: Choice | None = None


def is_heavy(row: ArrayRow, request: DataRequest) -> bool:
    """Tell whether a request looks at much more than it sends, without levels that know it."""
    if request.window is not None or request.bins is not None:
        return row.sorted is not True and row.shape[0] > _HEAVY_VALUES
    if request.downsample is None:
        return False
    is_light = request.kind in _LIGHT_KINDS
    if request.kind == "stride":
        return False
    rows = request.rows(row.shape[0])
    start = rows.start
    if is_light and row.levels_key is not None and not request.times:
        # of an array that grew since, the levels know the first rows
        covered = int(row.location.get("covered", row.shape[0]))
        start = max(start, min(covered, rows.stop))
    looked = (rows.stop - start) * prod(row.shape[1:])
    return looked > (_HEAVY_VALUES if is_light else _HEAVY_LINE)


def wanted(
    call: Call, entry: Entry, request: DataRequest, at_time: datetime | None = None
) -> Wanted:
    """Find out what is sent; reads only what finding it needs.

    Raises
    ------
    ServiceError
        The request does not fit the array (400), is too large (413), or the array cannot be read.
    """
    array = opened(call, entry)
    if request.bins is not None:
        return _counted(call, entry, array, request)
    choice = _choice(call, entry, array, request, at_time)
    part = choose(array, choice, name=entry.name, attributes=facts_of(entry, choice))
    columns, indices = channel_columns(array, choice), _indices(array, choice, request)
    return Wanted(part, choice.start, choice.stop, indices, columns, choice)


def part_of(call: Call, row: ArrayRow, request: DataRequest, *, name: str) -> ArrayPart:
    """Give a part of an array that may be read, for an object that shows its values.

    Raises
    ------
    ServiceError
        As `wanted`.
    """
    entry = Entry(row.datafile_id, name, is_public=False, row=row)
    return wanted(call, entry, request).part


def _choice(
    call: Call,
    entry: Entry,
    array: OpenArray,
    request: DataRequest,
    at_time: datetime | None,
) -> Choice:
    length = array.shape[0]
    channels, places = None, None
    by_rows = entry.owner is not None and entry.owner.type == "spike"  # channels x samples
    if request.channels is not None and not by_rows:
        if len(array.shape) < 2:
            raise ServiceError(
                "wrong_params",
                "The array has one dimension; it has no channels to choose.",
                details="channels",
            )
        channels = _resolved(request.channels, array)
    if request.indices is not None:
        places = request.indices.resolve(length)
    elif request.window is not None:
        found = _in_window(call, entry, request, at_time)
        places = None if isinstance(found, slice) else found
        start, stop = (found.start, found.stop) if isinstance(found, slice) else (0, len(found))
    if by_rows and request.channels is not None:
        chosen = request.channels.resolve(length, array.channel_names)
        places = chosen if places is None else places[chosen]
    if request.window is None:
        rows = request.rows(length)
        start, stop = (rows.start, rows.stop) if places is None else (0, len(places))
    return Choice(
        start,
        stop,
        places,
        channels,
        request.downsample,
        request.kind or "mean",  # type: ignore[arg-type]  # one of KINDS, as parameters were read
        request.scaled is not False,
        None if request.dtype is None else np.dtype(f"<{request.dtype}"),
    )


def _resolved(channels: Channels, array: OpenArray) -> NDArray[np.intp]:
    """Find the channels that are asked for; a single one by the short way."""
    items = channels.items
    if len(items) == 1 and isinstance(items[0], tuple):
        first, last = items[0]
        if first == last < array.shape[1]:
            return np.array([first], np.intp)
    found = channels.resolve(array.shape[1], array.channel_names)
    return found.astype(np.intp, copy=False)


def _in_window(
    call: Call, entry: Entry, request: DataRequest, at_time: datetime | None
) -> slice | NDArray[np.int64]:
    """Find the rows whose time lies in the window that was sent."""
    number = parse_id(request.by or "", call.service.settings.id_style)
    other = entry if number == entry.id else load_entry(call, number, at_time)
    times = _times(call, other, "by")
    if times.n != entry.array.shape[0]:
        raise ServiceError(
            "wrong_params",
            f"by: that array has {times.n} elements, this one {entry.array.shape[0]} rows.",
            details="by",
        )
    return rows_in_window(times, request.window or (None, None))


def _times(call: Call, entry: Entry, name: str) -> Times:
    """Give an array as times."""
    array = opened(call, entry)
    if len(array.shape) != 1 or array.dtype.kind not in "iuf":
        raise ServiceError(
            "wrong_params", f"{name} is for a list of numbers, such as times.", details=name
        )
    source = array.read_scaled or array.read
    return Times(
        array.shape[0],
        "",
        lambda start, stop: source(start, stop, None),
        is_sorted=entry.array.sorted,
    )


def _counted(call: Call, entry: Entry, array: OpenArray, request: DataRequest) -> Wanted:
    """Count times in bins."""
    times = _times(call, entry, "bins")
    if request.window is not None:
        if parse_id(request.by or "", call.service.settings.id_style) != entry.id:
            raise ServiceError(
                "wrong_params", "With bins, by must name the times themselves.", details="by"
            )
        start, stop = 0, array.shape[0]
    else:
        rows = request.rows(array.shape[0])
        start, stop = rows.start, rows.stop
        times = _part_of_times(times, start, stop)
    part = counts(times, request.bins or 1, request.window or (None, None), name=entry.name)
    return Wanted(part, start, stop)


def _part_of_times(times: Times, start: int, stop: int) -> Times:
    if (start, stop) == (0, times.n):
        return times

    def read(first: int, last: int) -> NDArray[Any]:
        return next(iter(times.blocks(start + first, start + last)))[1]

    is_sorted = True if times.is_sorted else None
    return Times(stop - start, times.units, read, is_sorted=is_sorted)


def _indices(array: OpenArray, choice: Choice, request: DataRequest) -> NDArray[np.int64] | None:
    """Find the rows that are sent, where they are to be sent along."""
    if not request.times:
        return None
    if not choice.is_thinned and choice.count > MOST_INDICES:
        raise ServiceError(
            "too_large",
            f"times=1 can be sent with at most {MOST_INDICES:,} rows; ask for fewer.",
            details={"limit": MOST_INDICES},
        )
    return chosen_positions(array, choice)


def channel_columns(array: OpenArray, choice: Choice) -> tuple[str, ...] | None:
    """Give the names of the channels that are chosen, where they have names."""
    if not array.channel_names or len(array.shape) < 2:
        return None
    if choice.channels is None:
        return array.channel_names
    return tuple(array.channel_names[channel] for channel in choice.channels.tolist())


def facts_of(entry: Entry, choice: Choice) -> dict[str, str | int | float | None]:
    """Give what is told of an array beside its values."""
    facts: dict[str, str | int | float | None] = {
        "start_index": choice.start,
        "end_index": choice.stop,
    }
    if choice.is_thinned:
        facts |= {"downsample": choice.points, "kind": choice.kind}
    owner = entry.owner
    if owner is None:
        return facts
    reference = owner.arrays.get(entry.field)
    facts |= {"units": None if reference is None else reference.units, "field": entry.field}
    facts["permalink"] = owner.permalink
    rate, rate_units = owner.quantities.get("sampling_rate", (None, None))
    start, start_units = owner.quantities.get("t_start", (None, None))
    if start is not None and rate is not None and entry.field == "signal":
        start += choice.start / samples_per_unit(rate, rate_units or "", start_units or "")
    facts |= {"t_start": start, "t_start_units": start_units}
    facts |= {"sampling_rate": rate, "sampling_rate_units": rate_units}
    return facts
