"""Objects in memory as the sources of lazy objects, and as columns of tables."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.core import (
    AnalogSignal,
    Block,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    SpikeTrain,
)
from ephyrus.core.dataobject import DataObject
from ephyrus.core.lazy import Points

__all__ = ["HeldPoints", "HeldSignal", "lazy_block", "table_column"]


@dataclass(frozen=True, slots=True)
class HeldSignal:
    """The source of a lazy signal whose data are in memory (`core.lazy.SignalSource`)."""

    held: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """True shape."""
        return tuple(self.held.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        dtype: np.dtype[Any] = self.held.dtype
        return dtype

    def read(self, start: int, stop: int, channels: NDArray[np.intp] | None) -> NDArray[Any]:
        """Copy samples [start, stop)."""
        values = self.held.magnitude[start:stop]
        return np.array(values if channels is None else values[:, channels])

    def read_raw(
        self, start: int, stop: int, channels: NDArray[np.intp] | None
    ) -> tuple[NDArray[Any], float]:
        """Copy samples [start, stop); they have no other stored form."""
        return self.read(start, stop, channels), 1.0


@dataclass(frozen=True, slots=True)
class HeldPoints:
    """The source of lazy points whose data are in memory (`core.lazy.PointSource`)."""

    held: Any

    @property
    def length(self) -> int:
        """True number of items."""
        return len(self.held)

    def window(self, t_start: float | None, t_stop: float | None) -> tuple[int, int]:
        """Give all items: they need not be sorted."""
        return 0, self.length

    def read(self, start: int, stop: int, *, waveforms: bool = False) -> Points:
        """Copy items [start, stop)."""
        piece = self.held[start:stop]
        has_waveforms = waveforms and getattr(piece, "waveforms", None) is not None
        is_samples = isinstance(piece, IrregularlySampledSignal)
        return Points(
            times=np.array(table_column(piece, "tick")),
            durations=table_column(piece, "duration") if isinstance(piece, Epoch) else None,
            labels=table_column(piece, "label") if isinstance(piece, Event | Epoch) else None,
            values=np.array(piece.magnitude) if is_samples else None,
            waveforms=np.array(piece.waveforms.magnitude) if has_waveforms else None,
            array_annotations={} if is_samples else dict(piece.array_annotations),
        )


def lazy_block(block: Block) -> Block:
    """Give a block of the same structure whose data objects load from the given one's.

    Parameters
    ----------
    block : Block
        A block in memory; objects that are lazy already are used as they are.

    Returns
    -------
    Block
        Groups, views and links are those between the lazy objects.
    """
    memo = {
        id(obj): obj if obj.lazy_shape is not None else _lazy_object(obj)
        for obj in block.data_children_recur
        if isinstance(obj, DataObject)
    }
    return copy.deepcopy(block, memo)


def _lazy_object(obj: Any) -> Any:
    """Make the lazy form of one object, with its metadata."""
    held = obj.detached()
    common: dict[str, Any] = {
        "name": obj.name,
        "description": obj.description,
        "file_origin": obj.file_origin,
        "annotations": dict(obj.annotations),
    }
    if isinstance(obj, AnalogSignal | ImageSequence | SpikeTrain):
        lazy = obj[:0]
        is_train = isinstance(obj, SpikeTrain)
        lazy._source = HeldPoints(held) if is_train else HeldSignal(held)
        lazy._array_annotations = None if is_train else dict(obj.array_annotations)
        lazy.lazy_shape = obj.shape
        return lazy
    common |= _extent(obj)
    if isinstance(obj, IrregularlySampledSignal):
        return IrregularlySampledSignal._create(
            np.empty(0),
            np.empty((0, obj.shape[1]), obj.dtype),
            obj.units,
            time_unit=obj.times.units,
            array_annotations=dict(obj.array_annotations),
            source=HeldPoints(held),
            **common,
        )
    empty = [np.empty(0)] * (2 if isinstance(obj, Epoch) else 1)
    source = HeldPoints(held)
    return type(obj)._create(*empty, np.empty(0, "U1"), unit=obj.units, source=source, **common)


def _extent(obj: Any) -> dict[str, float | None]:
    """Give the first and the last time, in the object's own unit of time."""
    times = obj.times.magnitude
    if not len(times):
        return {"t_start": None, "t_stop": None}
    return {"t_start": float(times.min()), "t_stop": float(times.max())}


def table_column(obj: Any, name: str) -> NDArray[Any]:
    """Give a column of a table (see `TableStream.columns`) from an object in memory."""
    if name == "tick":
        times = obj.times.rescale("s").magnitude
        return np.asarray(times, np.float64)
    if name == "unit":
        return np.zeros(len(obj), np.int64)
    if name == "duration":
        return np.asarray(obj.durations.rescale("s").magnitude, np.float64)
    if name == "label":
        labels = obj.labels
        return np.asarray(labels if len(labels) == len(obj) else [""] * len(obj), np.str_)
    if name == "waveform":
        return np.asarray(obj.waveforms.magnitude)
    if name == "value":
        return np.asarray(obj.magnitude)
    return np.asarray(obj.array_annotations[name])
