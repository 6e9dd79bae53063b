"""What an object shows when a part of it is asked for: links, times and ``partial``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ephyrus.service.partial.links import array_link, encoding_part, join
from ephyrus.service.partial.params import KINDS, RangeRequest
from ephyrus.service.partial.timed import Durations, Timed, resolve_timed, window_part
from ephyrus.service.partial.times import Read, Times
from ephyrus.service.partial.units import convert
from ephyrus.service.partial.values import wrong
from ephyrus.service.partial.windows import Regular, Window, resolve, tidy
from ephyrus.service.types import ObjectType

__all__ = ["ArrayFacts", "View", "view"]

Quantities = Mapping[str, tuple[float | None, str | None]]
Arrays = Mapping[str, "ArrayFacts | None"]

_REGULAR = frozenset({"analogsignal", "analogsignalarray"})
_IRREGULAR = "irsaanalogsignal"
_TIMED = frozenset({_IRREGULAR, "spiketrain", "eventarray", "epocharray"})
_ALIGNED_KINDS = ("mean", "stride", "minmax")  # times and values of a bin stay together


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """What is known of an array of an object.

    Attributes
    ----------
    id : int or str
        Id of its datafile, as printed.
    units : str or None
        Unit of its values.
    shape : tuple of int
        Shape of the whole array.
    is_sorted : bool or None
        The values do not decrease; None: not known. Only looked at for ``times``.
    read : callable or None
        ``read(start, stop)`` gives rows; needed for ``times`` and ``durations``, called only when
        a window is asked for.
    """

    id: int | str
    units: str | None
    shape: tuple[int, ...]
    is_sorted: bool | None = None
    read: Read | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What changes in an object when a part of it is asked for.

    Attributes
    ----------
    links : dict of str to str or None
        Link by name of the array; None: there is no such array, or the window misses it.
    quantities : dict of str to float
        New values of quantities, in the unit in which they are stored.
    partial : dict or None
        Value of the key ``partial``; None: no range parameter was sent.
    """

    links: dict[str, str | None]
    quantities: dict[str, float] = field(default_factory=dict)
    partial: dict[str, Any] | None = None


def view(
    kind: ObjectType,
    quantities: Quantities,
    arrays: Arrays,
    request: RangeRequest,
    *,
    listed: bool = False,
    channel_names: Sequence[str] = (),
) -> View:
    """Work out what an object shows.

    Parameters
    ----------
    kind : ObjectType
        Type of the object.
    quantities : mapping
        Value and unit of each quantity.
    arrays : mapping
        Facts of each array; None: it is not set.
    request : RangeRequest
        What is asked for.
    listed : bool
        The object is one of a list: windows that miss it are no error.
    channel_names : sequence of str
        Names of the channels, where they are known.

    Returns
    -------
    View
        Links, changed quantities and ``partial``.

    Raises
    ------
    ServiceError
        ``wrong_params`` if the request cannot be met, see `resolve` and `resolve_timed`.
    ValueError
        If the facts of ``times`` have no function that reads them.
    """
    if request.is_plain:
        return _plain(arrays)
    signal, times = arrays.get("signal"), arrays.get("times")
    if kind.name in _REGULAR and signal is not None:
        return _regular(signal, quantities, request, listed, channel_names)
    if kind.name in _TIMED and times is not None:
        axis = _axis(times, quantities, arrays.get("durations"), kind.name == _IRREGULAR)
        return _timed(axis, quantities, arrays, request, listed, channel_names)
    return _whole(kind, arrays, request, channel_names)


def _plain(arrays: Arrays) -> View:
    """Show an object as it is."""
    return View(
        {name: None if facts is None else array_link(facts.id) for name, facts in arrays.items()}
    )


def _whole(
    kind: ObjectType, arrays: Arrays, request: RangeRequest, channel_names: Sequence[str]
) -> View:
    """Show an object that has no range: range parameters are disregarded."""
    links: dict[str, str | None] = {}
    axis = 0 if kind.name == "spike" else 1
    used = False
    for name, facts in arrays.items():
        channels = None if facts is None else _channels(request, facts, axis, channel_names)
        used = used or channels is not None
        query = encoding_part(request, channels=channels, downsamples=False)
        links[name] = None if facts is None else array_link(facts.id, query)
    if not request.asks:
        return View(links)
    names = [*request.sent, *_unused(request, channels=used, kind=False)]
    return View(links, partial=_partial(request, None, None, None, names))


def _channels(
    request: RangeRequest, facts: ArrayFacts, axis: int, names: Sequence[str]
) -> str | None:
    """Check the channels that are asked for and write them for a link; None: not for this array."""
    if request.channels is None or len(facts.shape) <= axis:
        return None
    chosen = request.channels.resolve(facts.shape[axis], names)
    return request.channels.linked(chosen)


def _unused(
    request: RangeRequest, *, channels: bool, kind: bool, bins: bool = False, overlap: bool = False
) -> list[str]:
    """Name what was sent beside the range and has no meaning for the object."""
    names: list[str] = []
    if request.channels is not None and not channels:
        names.append("channels")
    if request.kind is not None and not kind:
        names.append("kind")
    if request.bins is not None and not bins:
        names.append("bins")
    if request.overlap is not None and not overlap:
        names.append("overlap")
    return names


def _regular(
    signal: ArrayFacts,
    quantities: Quantities,
    request: RangeRequest,
    listed: bool,
    channel_names: Sequence[str],
) -> View:
    """Show a signal with a sampling rate."""
    t_start, t_units = quantities.get("t_start", (None, None))
    rate, rate_units = quantities.get("sampling_rate", (None, None))
    channels = _channels(request, signal, 1, channel_names)
    axis = Regular(signal.shape[0], t_start, t_units, rate, rate_units)
    window = resolve(request, axis, listed=listed)
    query = join(window.query, encoding_part(request, channels=channels))
    links = {"signal": None if window.missed else array_link(signal.id, query)}
    changed = {} if window.t_start is None else {"t_start": window.t_start}
    if not request.asks:
        return View(links, changed)
    unused = [*request.disregarded, *_unused(request, channels=channels is not None, kind=True)]
    partial = _partial(request, window, (rate, rate_units), t_units, unused)
    return View(links, changed, partial)


def _timed(
    axis: Timed,
    quantities: Quantities,
    arrays: Arrays,
    request: RangeRequest,
    listed: bool,
    channel_names: Sequence[str],
) -> View:
    """Show an object whose rows have times of their own."""
    is_signal = axis.samples
    if is_signal and request.downsample and (request.kind or KINDS[0]) not in _ALIGNED_KINDS:
        raise wrong(
            "kind",
            f"Times and values stay together only with one of {', '.join(_ALIGNED_KINDS)}.",
        )
    window = resolve_timed(request, axis, listed=listed)
    links: dict[str, str | None] = {}
    used = False
    for name, facts in arrays.items():
        if facts is None:
            links[name] = None
            continue
        channels = _channels(request, facts, 1, channel_names) if is_signal else None
        used = used or channels is not None
        tail = encoding_part(request, channels=channels, downsamples=is_signal)
        links[name] = None if window.missed else array_link(facts.id, join(window.query, tail))
    counted = request.bins is not None and not is_signal
    if counted and not window.missed:
        links["times"] = array_link(axis.by, _counting(request, axis, window))
    changed = _changed(quantities, window, axis)
    if not request.asks:
        return View(links, changed)
    overlap = axis.durations is not None
    unused = [
        *request.disregarded,
        *(("downsample",) if request.downsample and not is_signal else ()),
        *_unused(request, channels=used, kind=is_signal, bins=counted, overlap=overlap),
    ]
    partial = _partial(request, window, None, axis.units, unused, downsamples=is_signal)
    if counted and not window.missed:
        partial["points"] = request.bins
    return View(links, changed, partial)


def _axis(
    times: ArrayFacts, quantities: Quantities, durations: ArrayFacts | None, is_signal: bool
) -> Timed:
    """Describe the times of an object."""
    if times.read is None:
        raise ValueError("the facts of times need a function that reads them")
    stored = times.units or "s"
    t_start, units = quantities.get("t_start", (None, None))
    units = units if t_start is not None and units else stored
    t_stop, stop_units = quantities.get("t_stop", (None, None))
    if t_stop is not None and stop_units:
        t_stop = convert("time", t_stop, stop_units, units)
    lasting = None
    if durations is not None and durations.read is not None:
        lasting = Durations(durations.units or stored, durations.read)
    return Timed(
        Times(times.shape[0], stored, times.read, is_sorted=times.is_sorted),
        times.id,
        units,
        t_start,
        t_stop,
        is_signal,
        lasting,
    )


def _counting(request: RangeRequest, axis: Timed, window: Window) -> str:
    """Write the query that counts the times of a window in bins."""
    low, high = window.bounds
    if low is None and window.query == "":
        low = axis.t_start
    if high is None and window.query == "":
        high = axis.t_stop
    part = ""
    if low is not None or high is not None:
        part = window_part(axis.stored(low), axis.stored(high), axis.by)
    tail = encoding_part(request, downsamples=False)
    return join(part, f"bins={request.bins}", tail)


def _changed(quantities: Quantities, window: Window, axis: Timed) -> dict[str, float]:
    """Give the new values of t_start and t_stop, where the object has them."""
    changed: dict[str, float] = {}
    for name, value in (("t_start", window.t_start), ("t_stop", window.t_stop)):
        stored, units = quantities.get(name, (None, None))
        if window.missed or value is None or stored is None or not units:
            continue
        changed[name] = tidy(convert("time", value, axis.units, units), stored)
    return changed


def _partial(
    request: RangeRequest,
    window: Window | None,
    rate: tuple[float | None, str | None] | None,
    t_units: str | None,
    disregarded: Sequence[str],
    *,
    downsamples: bool = True,
) -> dict[str, Any]:
    """Write the value of the key ``partial``."""
    shown: dict[str, Any] = {
        "start_index": None,
        "end_index": None,
        "samples_count": None,
        "points": None,
        "kind": None,
        "sampling_rate": {"units": None, "data": None},
        "t_stop": {"units": None, "data": None},
        "disregarded": list(disregarded),
        "cut": False,
    }
    if window is None:
        return shown
    n = window.count
    is_downsampled = downsamples and request.downsample is not None
    points = min(request.downsample or n, n) if is_downsampled else n
    shown |= {
        "start_index": window.start,
        "end_index": window.stop,
        "samples_count": n,
        "points": points,
        "kind": (request.kind or KINDS[0]) if is_downsampled else None,
        "cut": window.cut,
    }
    if rate is not None and rate[0] is not None and n:
        shown["sampling_rate"] = {"units": rate[1], "data": tidy(rate[0] * points / n, rate[0])}
    if window.t_stop is not None:
        shown["t_stop"] = {"units": t_units, "data": window.t_stop}
    return shown
