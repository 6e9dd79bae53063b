"""Many small objects of a service at once: their arrays come together, in few requests."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.client.objects import RemoteObject
from ephyrus.client.sources import RemotePoints, RemoteSignal, unit_info
from ephyrus.client.units import spelled

if TYPE_CHECKING:
    from ephyrus.client.sync import Client

__all__ = ["load_all", "seconds_of", "single_spikes"]

SMALL_BYTES = 2**20  # larger objects are fetched by themselves, in ranges
TOGETHER_BYTES = 32 * 2**20


def load_all(client: Client, objects: Sequence[Any]) -> list[Any]:
    """Load lazy objects, with the waveforms of spikes.

    Parameters
    ----------
    client : Client
        How the service is reached.
    objects : sequence of DataObject
        Objects of one kind.

    Raises
    ------
    RemoteError
        If the service refuses.
    """
    loaded = list(objects)
    group: list[int] = []
    size = 0
    for at, each in enumerate(objects):
        length = each._source.nbytes
        if length >= SMALL_BYTES:
            loaded[at] = _loaded(each)
            continue
        if size + length > TOGETHER_BYTES:
            _load_together(client, loaded, group)
            group, size = [], 0
        group.append(at)
        size += length
    _load_together(client, loaded, group)
    return loaded


def _loaded(lazy: Any) -> Any:
    has_waveforms = getattr(lazy, "waveforms", None) is not None
    return lazy.load(load_waveforms=True) if has_waveforms else lazy.load()


def _load_together(client: Client, loaded: list[Any], group: Sequence[int]) -> None:
    """Load those objects of a list, in place."""
    sources: list[RemotePoints | RemoteSignal] = [loaded[at]._source for at in group]
    wanted = [{"datafile": link} for source in sources for link in source.links]
    most = sum(source.nbytes for source in sources)
    arrays = iter(client.run(client.flows.parts(wanted, most)))
    for at, source in zip(group, sources, strict=True):
        some = [next(arrays) for _ in source.links]
        if some:
            loaded[at]._source = source.fetched(some)
        loaded[at] = _loaded(loaded[at])


def seconds_of(objects: Sequence[RemoteObject], name: str) -> NDArray[np.float64]:
    """Give a quantity of several objects in seconds."""
    from ephyrus.core.units import SECOND, convert

    return np.array(
        [convert(float(each[name]["data"]), unit_info(each[name]["units"]), SECOND)
         for each in objects],
        np.float64,
    )  # fmt: skip


def single_spikes(client: Client, spikes: Sequence[RemoteObject]) -> Any:
    """Make one SpikeTrain of single spikes, with their waveforms if all have one of one shape.

    Raises
    ------
    RemoteError
        If the service refuses.
    """
    import quantities as pq

    from ephyrus.core import SpikeTrain
    from ephyrus.core.units import unit_from_text

    times = seconds_of(spikes, "time")
    order = np.argsort(times, kind="stable")
    spikes, times = [spikes[at] for at in order], times[order]
    facts = {(each.arrays.get("waveform"), each["waveform"]["units"]) for each in spikes}
    known, unit = facts.pop()
    more: dict[str, Any] = {}
    if known is not None and not facts:
        wanted = [{"datafile": each.link("waveform")} for each in spikes]
        most = len(spikes) * prod(known.shape) * known.dtype.itemsize
        arrays = client.run(client.flows.parts(wanted, most))
        more["waveforms"] = pq.Quantity(
            np.stack(arrays), unit_from_text(spelled(unit, "signal"))[0]
        )
        first = spikes[0]
        if first["sampling_rate"]["data"] is not None:
            rate = spelled(first["sampling_rate"]["units"], "rate")
            more["sampling_rate"] = _quantity(first["sampling_rate"]["data"], rate)
        if first["left_sweep"]["data"] is not None:
            sweep = spelled(first["left_sweep"]["units"], "time")
            more["left_sweep"] = _quantity(first["left_sweep"]["data"], sweep)
    return SpikeTrain(times, units="s", t_start=times[0], t_stop=times[-1], name="spikes", **more)


def _quantity(number: float, unit: str) -> Any:
    """Give a number its unit, which is looked up and never evaluated."""
    import quantities as pq

    from ephyrus.core.units import as_unit

    return pq.Quantity(float(number), as_unit(unit).unit)
