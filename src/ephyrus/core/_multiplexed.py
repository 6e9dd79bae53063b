"""Spikes of several channels in two arrays: what a SpikeTrainList holds until it is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ephyrus.core._deferred import Deferred
from ephyrus.core.baseneo import check_annotations
from ephyrus.core.spiketrain import SpikeTrain
from ephyrus.core.units import UnitInfo, convert

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Multiplexed", "plain", "shared_out"]


class Multiplexed:
    """Spikes of several channels in two arrays; makes the train of a channel when asked.

    Parameters
    ----------
    times : ndarray of float64, shape (spike,)
        In `unit`.
    ids : ndarray, shape (spike,)
        Channel of each spike.
    channels : list
        Channel of each train, in order.
    unit : UnitInfo
    extent : tuple of float
        Beginning and end of every train, in `unit`.
    annotations : list of dict
        Of each train.
    """

    def __init__(
        self,
        times: NDArray[np.float64],
        ids: NDArray[Any],
        channels: list[Any],
        unit: UnitInfo,
        extent: tuple[float, float],
        annotations: list[dict[str, Any]],
    ) -> None:
        self.times = times
        self.ids = ids
        self.channels = channels
        self.unit = unit
        self.extent = extent
        self.annotations = annotations
        positions = _positions(ids, channels)
        self._order = np.argsort(positions, kind="stable")
        self._bounds = np.searchsorted(positions[self._order], np.arange(len(channels) + 1))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What this was made of: plain values, for a pickle."""
        return self.times, self.ids, self.channels, self.unit, self.extent, self.annotations

    def of_channel(self, position: int) -> NDArray[np.float64]:
        """Return the times of one train, in the order given; a new array."""
        start, stop = self._bounds[position : position + 2]
        return self.times[self._order[start:stop]]

    def load_lazy_cascade(self, address: int, lazy: bool) -> SpikeTrain:
        """Make the train at a position (it is small: `lazy` makes no difference)."""
        return SpikeTrain._create(
            self.of_channel(address),
            unit=self.unit,
            t_start=self.extent[0],
            t_stop=self.extent[1],
            sampling_rate=1.0,
            annotations=dict(self.annotations[address]),
        )

    def agrees(self, items: list[Any], places: Iterable[int]) -> bool:
        """Tell whether the items at some places of a list are still what the arrays say.

        Nothing else tells that a train has changed: numpy gives out its memory to be written.
        """
        made = []
        for place in places:
            item = items[place]
            if type(item) is not Deferred:
                if not self._describes(place, item):
                    return False
                made.append(place)
            elif item.loader is not self or item.address != place:
                return False
        if not made:
            return True
        bounds = self._bounds.tolist()
        order = np.concatenate([self._order[bounds[at] : bounds[at + 1]] for at in made])
        times = np.concatenate([items[place].view(np.ndarray) for place in made])
        return bool((self.times[order] == times).all())

    def _describes(self, position: int, item: Any) -> bool:
        """Tell whether a train has the metadata and the number of spikes of a position."""
        channel, found = self.channels[position], (item._annotations or {}).get("channel_id")
        return (
            type(found) is type(channel)
            and found == channel
            and item._source is None
            and item._unit is self.unit
            and (item._t_start, item._t_stop) == self.extent
            and len(item) == self._bounds[position + 1] - self._bounds[position]
        )

    def joined(self, other: Multiplexed) -> Multiplexed:
        """Return the spikes of both, in the units of this one.

        Raises
        ------
        ValueError
            If the limits differ, or a channel is in both.
        """
        limits = tuple(convert(limit, other.unit, self.unit) for limit in other.extent)
        if not np.allclose(limits, self.extent, rtol=1e-12, atol=0.0):
            raise ValueError(
                "spike trains with different limits cannot be joined: "
                f"{list(self.extent)} and {list(limits)} {self.unit}"
            )
        own = set(self.channels)
        common = [channel for channel in other.channels if channel in own]
        if common:
            raise ValueError(f"channels {common} are in both lists of spike trains")
        return Multiplexed(
            np.concatenate([self.times, convert(other.times, other.unit, self.unit)]),
            np.concatenate([self.ids, other.ids]),
            self.channels + other.channels,
            self.unit,
            self.extent,
            self.annotations + other.annotations,
        )


def plain(channel: Any) -> Any:
    """Return a channel that numpy made as a plain Python value."""
    return channel.item() if isinstance(channel, np.generic) else channel


def _positions(ids: NDArray[Any], channels: list[Any]) -> NDArray[np.intp]:
    """Return, for each id, its position among `channels`.

    Raises
    ------
    ValueError
        If a channel is there twice, or an id is not among them.
    """
    known = np.array(channels)
    if len(set(channels)) < len(channels):
        raise ValueError(f"all_channel_ids names a channel twice: {channels}")
    if not len(ids):
        return np.empty(0, dtype=np.intp)
    order = np.argsort(known)
    places = np.searchsorted(known[order], ids) if len(known) else np.zeros(len(ids), np.intp)
    places = np.minimum(places, max(len(known) - 1, 0))
    missing = np.unique(ids if not len(known) else ids[known[order][places] != ids])
    if len(missing):
        raise ValueError(f"channels {missing.tolist()} are not in all_channel_ids")
    return order[places]


def shared_out(annotations: Mapping[str, Any], channels: list[Any]) -> list[dict[str, Any]]:
    """Return the annotations of each train."""
    check_annotations(annotations)
    shared: list[dict[str, Any]] = [{} for _ in channels]
    for name, value in annotations.items():
        values = value
        if not isinstance(value, (list, tuple, np.ndarray)) or np.ndim(value) == 0:
            values = [value] * len(channels)
        elif len(value) != len(channels):
            raise ValueError(
                f"annotation {name!r} has {len(value)} values for {len(channels)} channels"
            )
        for own, item in zip(shared, values, strict=True):
            own[name] = plain(item)
    for own, channel in zip(shared, channels, strict=True):
        own["channel_id"] = channel
    return shared
