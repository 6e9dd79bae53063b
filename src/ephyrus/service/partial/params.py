"""Parameters of partial data: those of a request for objects, and those of one for a datafile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ephyrus.service.partial.channels import Channels
from ephyrus.service.partial.values import Values, single_values, wrong
from ephyrus.service.partial.wanted import Wanted

__all__ = [
    "DATA_NAMES",
    "DATA_TRIGGERS",
    "DTYPES",
    "FORMATS",
    "KINDS",
    "OBJECT_NAMES",
    "RANGE_NAMES",
    "TIME_NAMES",
    "DataRequest",
    "RangeRequest",
    "Rows",
]

TIME_NAMES = frozenset({"start_time", "end_time", "duration"})
"""Parameters that are times; a datafile knows none."""

RANGE_NAMES = TIME_NAMES | {"start_index", "end_index", "samples_count", "downsample"}
"""Range parameters of an object: where one is sent, the answer has the key ``partial``."""

_ENCODING = ("dtype", "scaled", "compress", "compression", "times")  # carried into links as sent
_DATA_ONLY = ("window", "by", "indices")

OBJECT_NAMES = (
    RANGE_NAMES | {"kind", "channels", "format", "strict", "overlap", "bins"} | set(_ENCODING)
) | set(_DATA_ONLY)
"""Everything that `RangeRequest` reads: never the name of a filter."""

DATA_NAMES = (OBJECT_NAMES - {"overlap"}) | set(_DATA_ONLY)
"""Everything that `DataRequest` reads."""

DATA_TRIGGERS = DATA_NAMES - {"strict", *TIME_NAMES}
"""Parameters that turn a request for a datafile into one for its data."""

FORMATS: Mapping[str, str] = {
    "hdf5": "hdf5",
    "h5": "hdf5",
    "json": "json",
    "npy": "npy",
    "raw": "raw",
    "arrow": "arrow",
    "csv": "csv",
    "zarr": "zarr",
}
"""Formats of a body by each name they may be asked for by."""

KINDS = ("mean", "stride", "minmax", "lttb", "minmaxlttb", "resample", "decimate")
"""Kinds of downsampling; the first one is used where none is asked for."""

DTYPES = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")
"""Types of numbers that a body can be asked for in."""

COMPRESSIONS = ("none", "gzip", "lzf", "blosc")

_KIND_CHOICES = {kind: kind for kind in KINDS}
_DTYPE_CHOICES = {dtype: dtype for dtype in DTYPES}
_COMPRESSION_CHOICES = {name: name for name in COMPRESSIONS}
_WINDOW_HELP = "window must be <start>:<end>, two numbers of which one may be left out"


@dataclass(frozen=True, slots=True)
class _Encoding:
    """What both kinds of request say of the body."""

    downsample: int | None = None
    kind: str | None = None
    channels: Channels | None = None
    format: str | None = None
    dtype: str | None = None
    scaled: bool | None = None
    compress: bool | None = None
    compression: str | None = None
    times: bool | None = None
    bins: int | None = None


def _flag(values: Values, name: str) -> bool | None:
    return values.flag(name)


def _index(values: Values, name: str) -> int | None:
    return values.integer(name, 0)


def _count(values: Values, name: str) -> int | None:
    return values.integer(name, 1)


def _number(values: Values, name: str) -> float | None:
    return values.number(name)


_READERS: Mapping[str, Callable[[Values, str], Any]] = {
    "start_time": _number,
    "end_time": _number,
    "duration": lambda values, name: values.number(name, 0.0),
    "start_index": _index,
    "end_index": _index,
    "samples_count": _count,
    "downsample": _count,
    "kind": lambda values, name: values.choice(name, _KIND_CHOICES),
    "channels": lambda values, name: Channels.parse(name, values[name]),
    "indices": lambda values, name: Channels.parse(name, values[name], names=False),
    "window": lambda values, name: _window(values[name]),
    "by": lambda values, name: values[name],
    "format": lambda values, name: values.choice(name, FORMATS),
    "dtype": lambda values, name: values.choice(name, _DTYPE_CHOICES),
    "scaled": _flag,
    "compress": _flag,
    "compression": lambda values, name: values.choice(name, _COMPRESSION_CHOICES),
    "times": _flag,
    "bins": _count,
    "overlap": _flag,
    "strict": _flag,
}
"""How the value of each parameter is read."""


def _read(found: Mapping[str, str], prefer: str) -> dict[str, Any]:
    """Read the parameters that were sent; the parameter `strict` wins over the header."""
    values = Values(found)
    read = {name: _READERS[name](values, name) for name in found}
    if _prefers_strict(prefer):
        read.setdefault("strict", True)
    return read


def _text(value: Any) -> str:
    """Write a value of a request in its normal form."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Channels):
        return value.text
    if isinstance(value, tuple):
        return ":".join("" if side is None else repr(side) for side in value)
    return str(value)


def _normal(request: Any, names: Iterable[str]) -> str:
    """Write what was asked for, in one order, without what was left out."""
    parts = [
        f"{name}={_text(value)}" for name in names if (value := getattr(request, name)) is not None
    ]
    return "&".join(parts)


@dataclass(frozen=True, slots=True)
class RangeRequest(_Encoding):
    """Range and downsampling as asked for on an object or a list of objects.

    Every attribute is named like its parameter; None: it was not sent. Times are in the unit of
    the object's ``t_start`` (of ``times`` where it has none).

    Attributes
    ----------
    start_time, end_time, duration : float or None
        Window in time; both ends belong to it.
    start_index, end_index, samples_count : int or None
        Window in samples; both ends belong to it.
    downsample : int or None
        Points wanted.
    kind : str or None
        One of `KINDS`.
    channels : Channels or None
        Channels wanted.
    format : str or None
        Canonical name of the format of the body.
    overlap : bool or None
        Epochs that began before the window and reach into it belong to it.
    bins : int or None
        Counts in so many bins, in place of the times of spikes and events.
    dtype, compression : str or None
        Type of numbers and compression of the body.
    scaled, compress, times : bool or None
        Physical values; compressed transfer; positions beside values.
    strict : bool or None
        Refuse instead of cutting.
    wanted : Wanted
        The window without what is redundant.
    disregarded : tuple of str
        Names that the window does not need: time wins over index, start and end over length.
    has_window : bool
        A start, an end or a length was sent.
    asks : bool
        A range parameter was sent.
    """

    start_time: float | None = None
    end_time: float | None = None
    duration: float | None = None
    start_index: int | None = None
    end_index: int | None = None
    samples_count: int | None = None
    overlap: bool | None = None
    strict: bool | None = None
    wanted: Wanted = field(init=False, compare=False, repr=False)
    disregarded: tuple[str, ...] = field(init=False, compare=False, repr=False)
    has_window: bool = field(init=False, compare=False, repr=False)
    asks: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        wanted, disregarded = Wanted.of(
            (self.start_time, self.start_index),
            (self.end_time, self.end_index),
            (self.duration, self.samples_count),
        )
        has_window = any(value is not None for value in wanted)
        object.__setattr__(self, "wanted", wanted)
        object.__setattr__(self, "disregarded", disregarded)
        object.__setattr__(self, "has_window", has_window)
        object.__setattr__(self, "asks", has_window or self.downsample is not None)

    @classmethod
    def from_query(cls, items: Iterable[tuple[str, str]], *, prefer: str = "") -> RangeRequest:
        """Read the parameters of a query; names that are not known here are left alone.

        Parameters
        ----------
        items : iterable of (str, str)
            The query, names that come more than once included.
        prefer : str
            Header ``Prefer`` of the request: ``handling=strict`` is heeded.

        Raises
        ------
        ServiceError
            ``wrong_params``; the details name the parameter. Parameters that are disregarded
            later must be right too.
        """
        found = single_values(items, OBJECT_NAMES)
        if not found:
            return cls(strict=True) if _prefers_strict(prefer) else _PLAIN
        for name in _DATA_ONLY:
            if name in found:
                raise wrong(name, f"{name} is a parameter of datafiles: send it to the link.")
        return cls(**_read(found, prefer))

    @property
    def is_plain(self) -> bool:
        """No parameter was sent: objects are shown as they are."""
        return not self.asks and (self is _PLAIN or self == _PLAIN)

    @property
    def normal(self) -> str:
        """The request in one normal form, for tags of answers; empty where nothing was sent."""
        return _normal(self, _RANGE_ORDER)

    @property
    def sent(self) -> tuple[str, ...]:
        """Names of the range parameters that were sent."""
        return tuple(name for name in _RANGE_SENT if getattr(self, name) is not None)


_RANGE_SENT = (
    "start_time",
    "start_index",
    "end_time",
    "end_index",
    "duration",
    "samples_count",
    "downsample",
)
_RANGE_ORDER = (
    *_RANGE_SENT,
    *(each.name for each in fields(RangeRequest) if each.init and each.name not in _RANGE_SENT),
)
_PLAIN = RangeRequest()


def _window(text: str) -> tuple[float | None, float | None]:
    """Read a window of times: two numbers with a colon between them."""
    sides = text.split(":")
    if len(sides) != 2:
        raise wrong("window", f"{_WINDOW_HELP}, not {text[:80]!r}.")
    low, high = (Values({"window": side}).number("window") if side else None for side in sides)
    if low is not None and high is not None and low > high:
        raise wrong("window", f"window ends at {high:g}, before it begins at {low:g}.")
    return low, high


def _prefers_strict(header: str) -> bool:
    """Whether a header ``Prefer`` asks for strict handling."""
    if not header:
        return False
    plain = header.lower().replace(" ", "").replace('"', "")
    return "handling=strict" in plain.replace(";", ",").split(",")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of an array that a request for a datafile selects.

    Attributes
    ----------
    start, stop : int
        Half-open range, within the array.
    cut : bool
        More was asked for than there is.
    disregarded : tuple of str
        Parameters that were not needed.
    """

    start: int
    stop: int
    cut: bool = False
    disregarded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataRequest(_Encoding):
    """What is asked for on a datafile.

    Attributes
    ----------
    start_index, end_index, samples_count : int or None
        Rows: the first one is included, the end is not.
    downsample, kind, channels, format, dtype, scaled, compress, compression, times, bins
        As in `RangeRequest`.
    indices : Channels or None
        Rows one by one.
    window : tuple of (float or None, float or None) or None
        Closed window of values of the array `by`, in its own unit; None: open on that side.
    by : str or None
        Id of the datafile that holds the times of the rows.
    strict : bool or None
        Refuse instead of cutting.
    """

    start_index: int | None = None
    end_index: int | None = None
    samples_count: int | None = None
    indices: Channels | None = None
    window: tuple[float | None, float | None] | None = None
    by: str | None = None
    strict: bool | None = None

    @classmethod
    def from_query(cls, items: Iterable[tuple[str, str]], *, prefer: str = "") -> DataRequest:
        """Read the parameters of a query; names that are not known here are left alone.

        Raises
        ------
        ServiceError
            ``wrong_params``; the details name the parameter.
        """
        found = single_values(items, DATA_NAMES)
        if not found:
            return cls(strict=True) if _prefers_strict(prefer) else _EMPTY
        for name in TIME_NAMES:
            if name in found:
                raise wrong(
                    name,
                    f"{name}: a datafile knows no time; send times to the object, or indices here.",
                )
        request = cls(**_read(found, prefer))
        request._check_choice()
        return request

    def _check_choice(self) -> None:
        """Refuse ways of choosing rows that contradict each other."""
        if (self.window is None) != (self.by is None):
            name = "by" if self.by is None else "window"
            raise wrong(name, "window and by go together: send both or none.")
        has_rows = not (self.start_index is None and self.end_index is None)
        ways = {
            "indices": self.indices is not None,
            "window": self.window is not None,
            "start_index": has_rows or self.samples_count is not None,
        }
        chosen = [name for name, is_sent in ways.items() if is_sent]
        if len(chosen) > 1:
            raise wrong(chosen[0], "Send one of indices, window, or a range of indices.")

    @property
    def asks_data(self) -> bool:
        """A parameter was sent that only data have."""
        return any(
            getattr(self, each.name) is not None for each in fields(self) if each.name != "strict"
        )

    @property
    def normal(self) -> str:
        """The request in one normal form, for tags of answers; empty where nothing was sent."""
        return _normal(self, _DATA_ORDER)

    def rows(self, n: int) -> Rows:
        """Select rows of an array of n rows; `indices` and `window` are not looked at.

        Raises
        ------
        ServiceError
            If the range is empty, lies beyond the array, or (strict) reaches beyond it.
        """
        start, end, count = self.start_index, self.end_index, self.samples_count
        if start is None and end is None and count is None:
            return Rows(0, n)
        disregarded: tuple[str, ...] = ()
        if start is not None and end is not None:
            disregarded = () if count is None else ("samples_count",)
        elif count is not None and end is not None:
            start = end - count
        elif count is not None:
            end = (start or 0) + count
        return self._cut(start or 0, n if end is None else end, n, disregarded)

    def _cut(self, start: int, end: int, n: int, disregarded: tuple[str, ...]) -> Rows:
        """Cut a range to an array of n rows."""
        if start < 0:
            raise wrong("samples_count", f"samples_count reaches {-start} before index 0.")
        name = "start_index" if self.start_index is not None else "end_index"
        if start >= n:
            raise wrong(name, f"The range begins at {start}, the array has {n} rows.")
        if start >= end:
            raise wrong(name, f"The range [{start}, {end}) is empty: end_index is excluded.")
        if end > n and self.strict:
            name = "end_index" if self.end_index is not None else "samples_count"
            raise wrong(name, f"The range ends at {end}, the array has {n} rows.")
        return Rows(start, min(end, n), end > n, disregarded)


_DATA_ORDER = (
    "start_index",
    "end_index",
    "samples_count",
    *(
        each.name
        for each in fields(DataRequest)
        if each.name not in ("start_index", "end_index", "samples_count")
    ),
)
_EMPTY = DataRequest()
