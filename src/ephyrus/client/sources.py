"""What lazy objects of a service read through (the protocols of `ephyrus.core.lazy`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import numpy as np
from numpy.typing import NDArray

from ephyrus.client.units import spelled

if TYPE_CHECKING:
    from ephyrus.client.objects import RemoteObject
    from ephyrus.client.sync import Client
    from ephyrus.core.lazy import Points
    from ephyrus.core.units import UnitInfo

__all__ = ["RemotePoints", "RemoteSignal", "unit_info"]

WIDER = 1e-9  # of a time: a window that is asked for is widened by this share, then cut exactly


def unit_info(units: str | None) -> UnitInfo:
    """Give the unit of times."""
    from ephyrus.core.units import as_unit

    return as_unit(spelled(units, "time"))


def _range(start: int, stop: int) -> list[tuple[str, str]]:
    return [("start_index", str(start)), ("end_index", str(stop))]


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
        values = self.client.run(self.client.flows.numbers(self.link, self.guid, more))
        values = values.reshape(stop - start, len(wanted))
        if len(picked) == len(wanted) and (back == np.arange(len(picked))).all():
            return np.array(values, self.dtype)
        return np.asarray(values[:, back], self.dtype)

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
    fields : mapping of str to str
        Which array of the object holds ``times``, ``durations``, ``labels``, ``values`` and
        ``waveforms``.
    """

    client: Client
    owner: RemoteObject
    fields: tuple[tuple[str, str], ...]

    @property
    def length(self) -> int:
        """Number of items."""
        return int(self.owner.arrays["times"].shape[0]) if "times" in self.owner.arrays else 0

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
        from ephyrus.errors import RemoteError

        try:
            found = self.client.run(self.client.flows.get(self.owner.permalink, params))
        except RemoteError as error:
            if error.message_type == "wrong_params":  # the window lies beside the recording
                return None
            raise
        return found.link("times")

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Fetch the items [start, stop)."""
        from ephyrus.core.lazy import Points
        from ephyrus.core.units import SECOND, convert

        found: dict[str, Any] = {
            role: self._fetch(name, start, stop)
            for role, name in self.fields
            if role != "waveforms" or waveforms
        }
        stored: dict[str, tuple[NDArray[Any], UnitInfo]] = {}
        for role in ("times", "durations"):
            if role in found:
                unit = unit_info(self.owner[role]["units"])
                values = np.asarray(found[role], np.float64)
                stored[role] = values, unit
                found[role] = np.asarray(convert(values, unit, SECOND), np.float64)
        if "labels" in found:
            found["labels"] = np.char.decode(found["labels"], "utf-8")
        if "values" in found and found["values"].ndim == 1:
            found["values"] = found["values"][:, None]
        return Points(**found, stored=stored)

    def _fetch(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Fetch rows of an array."""
        facts = self.owner.arrays[name]
        link = self.owner.link(name)
        if stop <= start or link is None:
            return np.empty((0, *facts.shape[1:]), facts.dtype)
        more = _range(start, stop)
        return np.array(self.client.run(self.client.flows.numbers(link, self.owner.guid, more)))
