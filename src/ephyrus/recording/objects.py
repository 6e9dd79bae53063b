"""Address -> data object: makes the one object that stands at a place of a recording.

Every object of a tree is made from an `Address`, a small value that names its place in the
recording, by one function, `load_address`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus.core import (
    AnalogSignal,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    SpikeTrain,
)
from ephyrus.core.units import unit_from_text
from ephyrus.recording.arena import Allocate
from ephyrus.recording.clock import seconds
from ephyrus.recording.sources import RunSignal, TableItems

if TYPE_CHECKING:
    from ephyrus.recording.recording import Recording
    from ephyrus.recording.streams import Channels, SignalStream, TableStream

__all__ = ["CHILD_LISTS", "Address", "load_address"]

CHILD_LISTS = {
    "signal": "analogsignals",
    "image": "imagesequences",
    "samples": "irregularlysampledsignals",
    "spikes": "spiketrains",
    "events": "events",
    "epochs": "epochs",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """The place of one object in a recording.

    Attributes
    ----------
    kind : str
        Key of `CHILD_LISTS`, or ``"segment"``.
    segment : int
        Position among the recording's segments.
    stream : int
        Position among the signals, stimuli or tables.
    run : int or None
        Position among the stream's runs; None: the segment has no items of it.
    name : str or None
        Name of the object.
    channels : tuple of int or None
        Channel positions; None: all.
    unit : int
        Position among the units of a spikes stream.
    is_stimulus : bool
        The stream is one of the recording's stimuli.
    mode : str
        How channels are grouped (segments only).
    """

    kind: str
    segment: int
    stream: int = 0
    run: int | None = None
    name: str | None = None
    channels: tuple[int, ...] | None = None
    unit: int = 0
    is_stimulus: bool = False
    mode: str = ""


def load_address(
    recording: Recording,
    address: Address,
    *,
    lazy: bool = False,
    time_slice: tuple[Any, Any] | None = None,
    load_waveforms: bool = False,
    allocate: Allocate = np.empty,
) -> Any:
    """Make the data object at `address`.

    Parameters
    ----------
    recording : Recording
        Where it is read from.
    address : Address
        Its place.
    lazy : bool
        Make an object that loads its data when asked to.
    time_slice : (Quantity, Quantity), optional
        Load this window only; it is clipped to the object.
    load_waveforms : bool
        Load the waveforms of spikes too, where there are any.
    allocate : callable
        ``allocate(shape, dtype)`` makes the arrays of signals that are loaded.
    """
    if not lazy and time_slice is None and address.kind in ("signal", "events"):
        if address.kind == "signal":  # these two are what sweeps have: no detour over lazy ones
            return _make_signal(recording, address, allocate)
        return _read_events(recording, address)
    made = _MAKERS[address.kind](recording, address)
    if lazy:
        return made
    keywords: dict[str, Any] = {}
    if time_slice is not None:
        keywords = {"time_slice": time_slice, "strict_slicing": False}
    if address.kind == "spikes":
        has_waveforms = recording.tables[address.stream].waveforms is not None
        keywords["load_waveforms"] = load_waveforms and has_waveforms
    return made.load(**keywords)


def _channel_facts(
    channels: Channels, positions: tuple[int, ...] | None, annotations: Mapping[str, Any]
) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Give unit, annotations and array annotations of the chosen channels."""
    text, unit, known, arrays = _shared_facts(channels, positions)
    notes = dict(annotations)
    if not known:
        log.warning("unit %r is not known: values are given without unit", text)
        notes["units_string"] = text
    if positions is not None and len(positions) == 1:  # as plain values too
        notes |= {name: column[positions[0]].item() for name, column in channels.extra.items()}
    return unit, notes, {name: array.copy() for name, array in arrays.items()}


@lru_cache(maxsize=256)
def _shared_facts(
    channels: Channels, positions: tuple[int, ...] | None
) -> tuple[str, Any, bool, dict[str, NDArray[Any]]]:
    """Give the unit, as text too, and array annotations of the chosen channels of any sweep."""
    chosen = list(range(len(channels)) if positions is None else positions)
    arrays: dict[str, NDArray[Any]] = {
        "channel_names": np.array([channels.names[at] for at in chosen], np.str_),
        "channel_ids": np.array([channels.ids[at] for at in chosen], np.str_),
    }
    arrays |= {name: column[chosen] for name, column in channels.extra.items()}
    text = channels.units[chosen[0]] if chosen else ""
    return text, *unit_from_text(text), arrays


def _make_signal(
    recording: Recording, address: Address, allocate: Allocate | None = None
) -> AnalogSignal:
    """Make a lazy signal, or, told where to put it, read it."""
    streams = recording.stimuli if address.is_stimulus else recording.signals
    stream, run = streams[address.stream], address.run or 0
    source = RunSignal(recording, stream.index, run, address.channels, address.is_stimulus)
    unit, notes, arrays = _channel_facts(stream.channels, address.channels, stream.annotations)
    length, width = source.shape
    return AnalogSignal._create(
        np.empty((0, width), source.dtype)
        if allocate is None
        else source.read(0, length, None, allocate=allocate),
        unit,
        sampling_rate=float(stream.rate),
        t_start=_start(stream, run),
        name=address.name,
        file_origin=recording.path,
        annotations={"stream_id": stream.id, **notes},
        array_annotations=arrays,
        source=source if allocate is None else None,
    )


def _make_image(recording: Recording, address: Address) -> ImageSequence:
    stream, run = recording.signals[address.stream], address.run or 0
    source = RunSignal(recording, stream.index, run)
    unit, notes, _ = _channel_facts(stream.channels, None, stream.annotations)
    scale = notes.pop("spatial_scale", 1.0)
    return ImageSequence._create(
        np.empty((0, *source.shape[1:]), source.dtype),
        unit,
        sampling_rate=float(stream.rate),
        t_start=_start(stream, run),
        spatial_scale=scale * pq.um,
        name=address.name,
        file_origin=recording.path,
        annotations={"stream_id": stream.id, **notes},
        source=source,
    )


def _make_samples(recording: Recording, address: Address) -> IrregularlySampledSignal:
    table = recording.tables[address.stream]
    source = TableItems(recording, table.index, address.run, channels=address.channels)
    if table.channels is None:
        raise ValueError(f"table {table.name!r} has values but no channels")
    unit, notes, arrays = _channel_facts(table.channels, address.channels, table.annotations)
    width = len(arrays["channel_names"])
    times = source.read(0, 1).times, source.read(source.length - 1, source.length).times
    t_start, t_stop = (float(edge[0]) if source.length else None for edge in times)
    return IrregularlySampledSignal._create(
        np.empty(0),
        np.empty((0, width)),
        unit,
        t_start=t_start,
        t_stop=t_stop,
        name=address.name,
        file_origin=recording.path,
        annotations={"stream_id": table.id, **notes},
        array_annotations=arrays,
        source=source,
    )


def _make_spikes(recording: Recording, address: Address) -> SpikeTrain:
    table = recording.tables[address.stream]
    unit, info = table.units[address.unit], recording.segments[address.segment]
    waveforms = table.waveforms
    return SpikeTrain._create(
        np.empty(0),
        t_start=info.t_start or 0.0,
        t_stop=info.t_stop or 0.0,
        waveforms=_no_waveforms(table),
        sampling_rate=None if waveforms is None else float(waveforms.rate),
        left_sweep=None if waveforms is None else float(waveforms.left_sweep),
        name=address.name,
        file_origin=recording.path,
        annotations={"id": unit.label, **table.annotations, **unit.annotations},
        source=TableItems(recording, table.index, address.run, address.unit),
    )


def _no_waveforms(table: TableStream) -> pq.Quantity | None:
    """Give zero waveforms of the right shape and unit, so that a lazy train knows it has some."""
    if table.waveforms is None:
        return None
    shape = table.columns["waveform"].shape
    unit, _ = unit_from_text(table.waveforms.unit)
    return pq.Quantity(np.empty((0, *shape), np.float32), unit)


def _make_events(recording: Recording, address: Address) -> Event:
    return Event._create(np.empty(0), np.empty(0, "U1"), **_event_facts(recording, address))


def _read_events(recording: Recording, address: Address) -> Event:
    facts = _event_facts(recording, address)
    source = facts.pop("source")
    points = source.read(0, source.length)
    labels = np.empty(0, "U1") if points.labels is None else points.labels
    return Event._create(points.times, labels, array_annotations=points.array_annotations, **facts)


def _make_epochs(recording: Recording, address: Address) -> Epoch:
    facts = _event_facts(recording, address)
    return Epoch._create(np.empty(0), np.empty(0), np.empty(0, "U1"), **facts)


def _event_facts(recording: Recording, address: Address) -> dict[str, Any]:
    table, info = recording.tables[address.stream], recording.segments[address.segment]
    return {
        "name": address.name,
        "file_origin": recording.path,
        "annotations": {"id": table.id, **table.annotations},
        "t_start": info.t_start,
        "t_stop": info.t_stop,
        "source": TableItems(recording, table.index, address.run),
    }


def _start(stream: SignalStream, run: int) -> float:
    return float(seconds(stream.runs["tick"][run], stream.clock))


_MAKERS = {
    "signal": _make_signal,
    "image": _make_image,
    "samples": _make_samples,
    "spikes": _make_spikes,
    "events": _make_events,
    "epochs": _make_epochs,
}
