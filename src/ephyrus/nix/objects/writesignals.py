"""Signals and image sequences -> data arrays, one for each channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus.core import AnalogSignal, ImageSequence, IrregularlySampledSignal
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.objects.annotations import put_annotations
from ephyrus.nix.objects.kinds import KINDS, Kind
from ephyrus.nix.objects.target import (
    PIECE_BYTES,
    Target,
    put_quantity,
    uncached,
    unit_text,
    write_last,
)
from ephyrus.nix.objects.times import period_of, rate_of, rate_unit_of, time_in
from ephyrus.nix.section import Section

__all__ = ["write_analogsignal", "write_images", "write_irregular"]


def write_analogsignal(target: Target, parent: Section, signal: AnalogSignal) -> list[DataArray]:
    """Write a regularly sampled signal."""
    kind = KINDS["AnalogSignal"]
    arrays, section = _write_channels(target, parent, signal, kind, target.name_of(signal, kind))
    interval, unit = period_of(signal.sampling_rate)
    offset = time_in(signal.t_start, unit)
    for array in arrays:
        array.append_sampled_dimension(interval, label="time", unit=unit, offset=offset)
    put_quantity(section, "t_start", signal.t_start)
    put_rate(section, signal.sampling_rate, interval, unit)
    return arrays


def put_rate(section: Section, rate: pq.Quantity, interval: float, unit: str) -> None:
    """Note a rate that the interval does not tell to the last bit, or not in its unit."""
    is_told = rate_of(interval) == float(rate.magnitude)
    if not is_told or unit_text(rate) != unit_text(rate_unit_of(unit)):
        put_quantity(section, "sampling_rate", rate)


def write_irregular(
    target: Target, parent: Section, signal: IrregularlySampledSignal
) -> list[DataArray]:
    """Write an irregularly sampled signal; samples that are not in order are sorted."""
    kind = KINDS["IrregularlySampledSignal"]
    name = target.name_of(signal, kind)
    written: Any = signal
    times = _times_of(signal)
    if np.any(times[1:] < times[:-1]):
        target.note(f"samples of {signal.name or 'a signal'!r} are sorted by their times")
        written = _sorted(signal, np.argsort(times, kind="stable"))
        times = np.sort(times, kind="stable")
    arrays, _ = _write_channels(target, parent, written, kind, name)
    ticks: Any = times
    for array in arrays:
        array.append_range_dimension(ticks, label="time", unit=unit_text(signal.times))
    return arrays


def _sorted(signal: Any, order: NDArray[np.intp]) -> IrregularlySampledSignal:
    """Give a signal with its samples in another order."""
    loaded = signal if signal.lazy_shape is None else signal.load()
    return IrregularlySampledSignal._create(
        np.asarray(loaded.times.magnitude, np.float64)[order],
        np.asarray(loaded.magnitude)[order],
        loaded.units,
        time_unit=loaded.times.units,
        name=signal.name,
        description=signal.description,
        annotations=dict(signal.annotations),
        array_annotations=dict(signal.array_annotations),
    )


def _times_of(signal: Any) -> NDArray[np.float64]:
    """Give all times of a signal in its own unit of time."""
    pieces = [np.asarray(piece.times.magnitude) for piece in signal.chunks(PIECE_BYTES)]
    times = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return times.astype(np.float64, copy=False)


def _write_channels(
    target: Target, parent: Section, signal: Any, kind: Kind, name: str
) -> tuple[list[DataArray], Section]:
    """Write each channel of a signal as a data array; they share a section."""
    count = signal.true_shape[1]
    section = target.section(parent, signal, kind, name)
    put_annotations(section, signal.array_annotations, target.note, arrays=True)
    names = [f"{name}.{channel}" for channel in range(count)]
    arrays = _stored(target, kind, names, signal, time_first=True)
    for array in arrays:
        target.described(array, section, signal)
    return arrays, section


def _stored(
    target: Target, kind: Kind, names: list[str], signal: Any, *, time_first: bool
) -> list[DataArray]:
    """Make the data arrays of a signal with their values: one for each index of its last axis."""
    shape, dtype, unit = signal.true_shape, signal.dtype, unit_text(signal)
    inner = shape[:1] if time_first else (shape[1], shape[0])
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size <= PIECE_BYTES:
        whole = signal if signal.lazy_shape is None else signal._piece(0, shape[0])
        columns = _columns(whole)
        target.advance(size)
        return [
            target.array(name, kind.type, inner, whole.dtype, unit, np.ascontiguousarray(column))
            for name, column in zip(names, columns, strict=True)
        ]
    dtype = signal._piece(0, 1).dtype  # of a lazy object only what is loaded tells it
    # Made with the length of a piece, the data sets have chunks that pieces fill exactly.
    rows = min(max(1, PIECE_BYTES // signal._item_bytes()), shape[0])
    first = (*inner[:-1], rows)
    arrays = [target.array(name, kind.type, first, dtype, unit) for name in names]
    for array in arrays:
        array.data_extent = inner
    _fill(target, arrays, signal)
    return arrays


def _columns(piece: Any) -> NDArray[Any]:
    """Give the values for each data array: (channel, time), or (column, row, frame)."""
    return np.asarray(piece.magnitude).T


def _fill(target: Target, arrays: list[DataArray], signal: Any) -> None:
    """Write the values of a signal piece by piece, into data sets that keep nothing in memory."""
    data_sets = [uncached(array) for array in arrays]
    start = 0
    for piece in signal.chunks(PIECE_BYTES):
        columns = _columns(piece)
        for did, column in zip(data_sets, columns, strict=True):
            write_last(did, start, column)
        start += columns.shape[-1]
        target.advance(columns.nbytes)


def write_images(target: Target, parent: Section, images: ImageSequence) -> list[DataArray]:
    """Write an image sequence: a data array (row, frame) for each column."""
    kind = KINDS["ImageSequence"]
    name = target.name_of(images, kind)
    section = target.section(parent, images, kind, name)
    for attribute in ("sampling_rate", "spatial_scale", "t_start"):
        put_quantity(section, attribute, getattr(images, attribute))
    names = [f"{name}.{column}" for column in range(images.true_shape[2])]
    arrays = _stored(target, kind, names, images, time_first=False)
    interval, unit = period_of(images.sampling_rate)
    for array in arrays:
        target.described(array, section, images)
        array.append_set_dimension()
        array.append_sampled_dimension(interval, label="time", unit=unit)
    return arrays
