"""What lazy objects of a service read through (the protocols of `ephyrus.core.lazy`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import numpy as np
from numpy.typing import NDArray

from ephyrus.client.units import spelled
from ephyrus.errors import RemoteError

if TYPE_CHECKING:
    from ephyrus.client.objects import RemoteObject
    from ephyrus.client.sync import Client
    from ephyrus.core.lazy import Points
    from ephyrus.core.units import UnitInfo

__all__ = ["FetchedPoints", "FetchedSignal", "RemotePoints", "RemoteSignal", "texts", "unit_info"]

WIDER = 1e-9  # of a time: a window that is asked for is widened by this share, then cut exactly


def unit_info(units: str | None) -> UnitInfo:
    """Give the unit of times."""
    from ephyrus.core.units import as_unit

    return as_unit(spelled(units, "time"))


def _range(start: int, stop: int) -> list[tuple[str, str]]:
    return [("start_index", str(start)), ("end_index", str(stop))]


def _most_bytes(count: int, dtype: np.dtype[Any]) -> int:
    """Tell how long the body of so many numbers may be, with its head."""
    return count * max(16, dtype.itemsize) + 2**12


def _checked(values: NDArray[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Give numbers that were fetched; they must be as many as were asked for.

    Raises
    ------
    RemoteError
        If they are not.
    """
    if values.shape != shape:
        raise RemoteError(
            what, f"the service gave an array of shape {values.shape} instead of {shape}"
        )
    return values


def texts(values: NDArray[Any]) -> NDArray[np.str_]:
    """Give labels as text; bytes that are none are marked, not refused."""
    if values.dtype.kind != "S":
        return values.astype(np.str_)
    return np.asarray(np.char.decode(values, "utf-8", "replace"), np.str_)


@dataclass(frozen=True, slots=True)
class RemoteSignal:
    """The samples of a signal on a service.

    Attributes
    ----------
    client : Client
        How the service is reached.
    link : str
        Link to the array.
    guid : str
        Of the object, for the cache.
    stored_shape : tuple of int
        Shape on the service: (time,) or (time, channel).
    dtype : numpy.dtype
        Type of the values.
    """

    client: Client
    link: str
    guid: str
    stored_shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, always (time, channel)."""
        return self.stored_shape if len(self.stored_shape) == 2 else (*self.stored_shape, 1)

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Fetch samples [start, stop)."""
        width = self.shape[1]
        picked = np.arange(width) if channels is None else np.asarray(channels)
        if stop <= start or not len(picked):
            return np.empty((0 if stop <= start else stop - start, len(picked)), self.dtype)
        more = _range(start, stop)
        wanted, back = np.unique(picked, return_inverse=True)
        if len(wanted) < width:
            more.append(("channels", ",".join(map(str, wanted.tolist()))))
        count = (stop - start) * len(wanted)
        most = _most_bytes(count, self.dtype)
        values = self.client.run(self.client.flows.numbers(self.link, self.guid, more, most))
        inner = (len(wanted),) if len(self.stored_shape) == 2 else ()
        values = _checked(values, (stop - start, *inner), self.client.address + self.link)
        values = values.reshape(stop - start, len(wanted))
        if len(picked) == len(wanted) and (back == np.arange(len(picked))).all():
            return np.array(values, self.dtype)
        return np.asarray(values[:, back], self.dtype)

    @property
    def links(self) -> list[str]:
        """Links to all arrays."""
        return [self.link] if prod(self.stored_shape) else []

    @property
    def nbytes(self) -> int:
        """Size of all numbers."""
        return prod(self.stored_shape) * self.dtype.itemsize

    def fetched(self, arrays: Sequence[NDArray[Any]]) -> FetchedSignal:
        """Make the source of whole arrays that were fetched, in the order of `links`.

        Raises
        ------
        RemoteError
            If they have another shape.
        """
        (values,) = arrays
        what = self.client.address + self.link
        values = _checked(values, self.stored_shape, what).reshape(self.shape)
        return FetchedSignal(np.array(values, self.dtype))

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Refuse: a service gives physical units."""
        raise ValueError(
            'a service gives values in physical units: load with magnitude_mode="rescaled"'
        )


@dataclass(frozen=True, slots=True)
class RemotePoints:
    """The items of a spike train, event, epoch or irregular signal on a service.

    Attributes
    ----------
    client : Client
        How the service is reached.
    owner : RemoteObject
        The object.
    fields : tuple of (str, str)
        Which array of the object (the second) holds ``times``, ``durations``, ``labels``,
        ``values`` and ``waveforms``.
    """

    client: Client
    owner: RemoteObject
    fields: tuple[tuple[str, str], ...]

    @property
    def length(self) -> int:
        """Number of items."""
        return self.owner.facts("times", 1).shape[0]

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Ask the service which items lie in a window of time (seconds)."""
        from ephyrus.core.units import SECOND, convert

        if not self.length:
            return 0, 0
        unit = unit_info((self.owner.get("t_start") or self.owner["times"])["units"])
        params: dict[str, Any] = {}
        for name, time, side in (("start_time", t_start, -1), ("end_time", t_stop, 1)):
            if time is not None:
                params[name] = repr(float(convert(time + side * abs(time) * WIDER, SECOND, unit)))
        link = self._window_link(params)
        if link is None:
            return 0, 0
        query = parse_qs(link.partition("?")[2])
        if "window" in query:  # times in no order
            return 0, self.length
        start = int(query.get("start_index", ["0"])[0])
        return start, int(query.get("end_index", [str(self.length)])[0])

    def _window_link(self, params: dict[str, Any]) -> str | None:
        """Give the link to the times in a window; None: there are none."""
        try:
            found = self.client.run(self.client.flows.get(self.owner.permalink, params))
        except RemoteError as error:
            if error.message_type == "wrong_params":  # the window lies beside the recording
                return None
            raise
        return found.link("times")

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Fetch the items [start, stop)."""
        found = {
            role: self._fetch(name, start, stop)
            for role, name in self.fields
            if role != "waveforms" or waveforms
        }
        return self.points(found)

    def points(self, found: Mapping[str, NDArray[Any]]) -> Points:
        """Make items of their columns as the service gives them."""
        from ephyrus.core.lazy import Points
        from ephyrus.core.units import SECOND, convert

        made: dict[str, Any] = dict(found)
        stored: dict[str, tuple[NDArray[Any], UnitInfo]] = {}
        for role in ("times", "durations"):
            if role in made:
                unit = unit_info(self.owner[role]["units"])
                values = np.asarray(made[role], np.float64)
                stored[role] = values, unit
                made[role] = np.asarray(convert(values, unit, SECOND), np.float64)
        if "labels" in made:
            made["labels"] = texts(made["labels"])
        if "values" in made and made["values"].ndim == 1:
            made["values"] = made["values"][:, None]
        return Points(**made, stored=stored)

    def _fetch(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Fetch rows of an array."""
        facts = self.owner.facts(name)
        link = self.owner.link(name)
        shape = (max(0, stop - start), *facts.shape[1:])
        if not shape[0] or link is None:
            return np.empty((0, *facts.shape[1:]), facts.dtype)
        more, most = _range(start, stop), _most_bytes(prod(shape), facts.dtype)
        values = self.client.run(self.client.flows.numbers(link, self.owner.guid, more, most))
        return np.array(_checked(values, shape, self.client.address + link))

    @property
    def links(self) -> list[str]:
        """Links to all arrays."""
        links = [self.owner.link(name) for _, name in self.fields] if self.length else []
        return [link for link in links if link is not None]

    @property
    def nbytes(self) -> int:
        """Size of all numbers."""
        facts = [self.owner.facts(name) for _, name in self.fields]
        return sum(prod(each.shape) * each.dtype.itemsize for each in facts)

    def fetched(self, arrays: Sequence[NDArray[Any]]) -> FetchedPoints:
        """Make the source of whole arrays that were fetched, in the order of `links`.

        Raises
        ------
        RemoteError
            If they have another shape.
        """
        columns = {
            role: np.array(_checked(values, self.owner.facts(name).shape, self.client.address))
            for (role, name), values in zip(self.fields, arrays, strict=True)
        }
        return FetchedPoints(self.length, self.points(columns))


@dataclass(frozen=True, slots=True)
class FetchedSignal:
    """Samples that were fetched together with those of other signals.

    Attributes
    ----------
    values : ndarray, shape (time, channel)
        All of them.
    """

    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.values.dtype

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Give samples [start, stop)."""
        return self.values[start:stop] if channels is None else self.values[start:stop, channels]


@dataclass(frozen=True, slots=True)
class FetchedPoints:
    """Items that were fetched together with those of other objects.

    Attributes
    ----------
    length : int
        Number of items.
    points : Points
        All of them.
    """

    length: int
    points: Points

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Give all items; the caller cuts."""
        return 0, self.length

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Give all items: they are only read whole."""
        return self.points
