"""Events, epochs and spike trains -> multi tags."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus.core import Epoch, SpikeTrain
from ephyrus.nix import storage
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.enums import LinkType
from ephyrus.nix.multi_tag import MultiTag
from ephyrus.nix.objects.annotations import put_annotations
from ephyrus.nix.objects.kinds import KINDS, NO_RATE
from ephyrus.nix.objects.target import (
    PIECE_BYTES,
    Target,
    class_name,
    object_bytes,
    put_quantity,
    unit_text,
)
from ephyrus.nix.objects.texts import kept_text
from ephyrus.nix.objects.times import period_of
from ephyrus.nix.objects.writesignals import put_rate
from ephyrus.nix.section import Section

__all__ = ["write_points"]

NIX_TIMES = {"s", "ms", "us", "ns"}  # units of time that tags can have


def write_points(target: Target, parent: Section, obj: Any) -> list[MultiTag]:
    """Write an Event, Epoch or SpikeTrain as a multi tag."""
    kind = KINDS[class_name(obj)]
    name = target.name_of(obj, kind)
    pieces = obj.chunks(PIECE_BYTES)
    first = next(pieces)  # of a lazy object only what is loaded tells all types
    shape, type_ = (obj.true_shape[0],), f"{kind.type}.times"
    stores: dict[str, Any] = {
        "times": target.array(f"{name}.times", type_, shape, first.dtype, unit_text(obj))
    }
    if isinstance(obj, Epoch):
        durations, type_ = first.durations, f"{kind.type}.durations"
        stores["durations"] = target.array(
            f"{name}.durations", type_, shape, durations.dtype, unit_text(durations)
        )
    tag = target.block.create_multi_tag(name, kind.type, stores["times"], stores.get("durations"))
    if stores["times"].unit in NIX_TIMES:
        tag.units = [str(stores["times"].unit)]
    section = target.section(parent, obj, kind, name)
    target.described(tag, section, obj)
    if isinstance(obj, SpikeTrain):
        put_quantity(section, "t_start", obj.t_start)
        put_quantity(section, "t_stop", obj.t_stop)
        waves = _new_waveforms(target, section, tag, obj, first.waveforms)
        if waves is not None:
            stores["waveforms"] = waves
    labels, columns = _fill(target, stores, chain([first], pieces))
    if not isinstance(obj, SpikeTrain):
        kept = [kept_text(label) for label in labels]
        if kept != labels:
            target.note(f"labels of {obj.name or 'an event'!r} are kept without NUL characters")
        stores["times"].append_set_dimension(kept)
    else:
        stores["times"].append_set_dimension()
    if "durations" in stores:
        stores["durations"].append_set_dimension()
    put_annotations(section, columns, target.note, arrays=True)
    return [tag]


def _fill(
    target: Target, stores: dict[str, DataArray], pieces: Iterable[Any]
) -> tuple[list[str], dict[str, Any]]:
    """Write the items piece by piece; gives their labels and array annotations."""
    labels: list[str] = []
    columns: dict[str, list[Any]] = {}
    start = 0
    for piece in pieces:
        count = len(piece)
        for name, array in stores.items():
            values = _values(piece, name, array)
            storage.write_rows(array._did, start, values.astype(array.dtype, copy=False))
        if hasattr(piece, "labels"):
            labels += np.asarray(piece.labels).tolist()
        for key, column in piece.array_annotations.items():
            columns.setdefault(key, []).append(column)
        target.advance(object_bytes(piece))
        start += count
    labels += [""] * (start - len(labels))
    return labels, {key: _joined(parts) for key, parts in columns.items()}


def _values(piece: Any, name: str, array: DataArray) -> NDArray[Any]:
    """Give what a data array keeps of a piece."""
    if name == "times":
        return np.asarray(piece.magnitude)
    quantity = getattr(piece, name)
    if unit_text(quantity) != array.unit:
        quantity = quantity.rescale(array.unit)
    return np.asarray(quantity.magnitude)


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([np.asarray(part) for part in parts])
    unit = getattr(parts[0], "units", None)
    return values if unit is None else pq.Quantity(values, unit)


def _new_waveforms(
    target: Target, parent: Section, tag: MultiTag, train: SpikeTrain, waveforms: Any
) -> DataArray | None:
    """Make the data array of a train's waveforms, empty, and note their rate and left sweep."""
    if waveforms is None or waveforms.ndim != 3:
        if waveforms is not None:
            target.note(f"waveforms of {train.name!r} have no axis of channels; they are left out")
        _note_sampling(parent, train)
        return None
    shape = (train.true_shape[0], *waveforms.shape[1:])
    name = f"{tag.name}.waveforms"
    array = target.array(name, "neo.waveforms", shape, waveforms.dtype, unit_text(waveforms))
    section = parent.create_section(name, "neo.waveforms.metadata")
    array.metadata = section
    if train.left_sweep is not None:
        put_quantity(section, "left_sweep", train.left_sweep)
    array.append_set_dimension()
    array.append_set_dimension()
    rate = train.sampling_rate
    interval, unit = (1.0, "s") if rate is None else period_of(rate)
    array.append_sampled_dimension(interval, label="time", unit=unit)
    if rate is None:
        section.definition = NO_RATE
    else:
        put_rate(section, rate, interval, unit)
    tag.create_feature(array, LinkType.Indexed)
    return array


def _note_sampling(section: Section, train: SpikeTrain) -> None:
    """Note rate and left sweep of a train without waveforms; 1 Hz is what Neo says of them."""
    rate = train.sampling_rate
    if rate is None:
        section.definition = NO_RATE
    elif rate.magnitude != 1 or unit_text(rate) != "Hz":
        put_quantity(section, "sampling_rate", rate)
    if train.left_sweep is not None and "left_sweep" not in train.annotations:
        put_quantity(section, "left_sweep", train.left_sweep)
