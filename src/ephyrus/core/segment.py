"""Segment: data recorded together, on one time axis."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import quantities as pq

from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.baseneo import copy_annotations
from ephyrus.core.container import ChildList, Container
from ephyrus.core.epoch import Epoch
from ephyrus.core.event import Event
from ephyrus.core.imagesequence import ImageSequence
from ephyrus.core.irregularlysampledsignal import IrregularlySampledSignal
from ephyrus.core.objectlist import ObjectList
from ephyrus.core.spiketrain import SpikeTrain
from ephyrus.core.spiketrainlist import SpikeTrainList
from ephyrus.core.units import seconds
from ephyrus.core.view import ChannelView

if TYPE_CHECKING:
    from ephyrus.core.block import Block

__all__ = ["Segment"]


class Segment(Container):
    """Data objects that share a time axis: a sweep, a trial, or a whole recording.

    Parameters
    ----------
    name, description, file_origin : str, optional
        What it is called, what it is, which file it comes from.
    file_datetime : datetime.datetime, optional
        When the file was made.
    rec_datetime : datetime.datetime, optional
        When the recording was made.
    index : int, optional
        Position among the segments of a block.
    **annotations
        Further metadata of simple types.

    Attributes
    ----------
    analogsignals, irregularlysampledsignals, events, epochs, imagesequences : ObjectList
        Data objects by class; their `segment` is this one.
    spiketrains : SpikeTrainList
        Its trains' `segment` is this one.
    channelviews : ObjectList of ChannelView
        Views of signals; they keep no link to the segment.
    block : Block or None
        The block that lists this segment.

    Examples
    --------
    >>> import quantities as pq
    >>> from ephyrus.core import Event, Segment
    >>> segment = Segment(name="trial 3")
    >>> segment.events.append(Event([1.0, 2.5] * pq.s, labels=["on", "off"]))
    >>> segment.t_stop
    array(2.5) * s
    """

    _parent_objects = ("Block",)
    _parent_attrs = ("block",)
    _data_child_objects = (
        "AnalogSignal",
        "Epoch",
        "Event",
        "IrregularlySampledSignal",
        "SpikeTrain",
        "ImageSequence",
    )
    _recommended_attrs = (
        ("file_datetime", datetime),
        ("rec_datetime", datetime),
        ("index", int),
        *Container._recommended_attrs,
    )
    _repr_pretty_attrs_keys_ = (
        "name",
        "description",
        "annotations",
        "file_origin",
        "file_datetime",
        "rec_datetime",
        "index",
    )
    _repr_pretty_containers = ("analogsignals",)

    block: Block | None
    file_datetime: datetime | None
    rec_datetime: datetime | None
    index: int | None

    analogsignals = ChildList(lambda segment: ObjectList(AnalogSignal, parent=segment))
    irregularlysampledsignals = ChildList(
        lambda segment: ObjectList(IrregularlySampledSignal, parent=segment)
    )
    spiketrains = ChildList(lambda segment: SpikeTrainList(parent=segment))
    events = ChildList(lambda segment: ObjectList(Event, parent=segment))
    epochs = ChildList(lambda segment: ObjectList(Epoch, parent=segment))
    channelviews = ChildList(lambda _: ObjectList(ChannelView))
    imagesequences = ChildList(lambda segment: ObjectList(ImageSequence, parent=segment))

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        file_datetime: datetime | None = None,
        rec_datetime: datetime | None = None,
        index: int | None = None,
        **annotations: Any,
    ) -> None:
        super().__init__(name=name, description=description, file_origin=file_origin, **annotations)
        self.file_datetime = file_datetime
        self.rec_datetime = rec_datetime
        self.index = index

    # --- times ------------------------------------------------------------------------
    def _extents(self) -> Iterator[tuple[pq.Quantity, pq.Quantity]]:
        """Yield the first and the last time of each child that has any."""
        for child in self.data_children:
            if isinstance(child, (Event, Epoch)):
                extent = child._extent()
            else:
                extent = (child.t_start, child.t_stop)  # type: ignore[attr-defined]  # a signal
            if extent is not None and extent[0] is not None:
                yield extent

    @property
    def t_start(self) -> pq.Quantity | None:
        """Earliest time of signals, spike trains and image sequences, events and epochs.

        None for an empty segment.
        """
        return min((first for first, _ in self._extents()), key=seconds, default=None)

    @property
    def t_stop(self) -> pq.Quantity | None:
        """Latest time of signals, spike trains and image sequences, events and epochs.

        Of epochs, the start of the last counts. None for an empty segment.
        """
        return max((last for _, last in self._extents()), key=seconds, default=None)

    def time_slice(
        self,
        t_start: pq.Quantity | float | None = None,
        t_stop: pq.Quantity | float | None = None,
        reset_time: bool = False,
        **kwargs: Any,
    ) -> Segment:
        """Return a new segment with the part of every child within a window of time.

        Parameters
        ----------
        t_start, t_stop : Quantity or float, optional
            The window, both ends included; None is the end of the segment, a bare number
            means seconds.
        reset_time : bool, default False
            Shift all times by ``-t_start``, so that the new segment starts at 0.
        **kwargs
            Attributes (`name`, `index`, ...) or annotations of the new segment that are
            to differ from those of this one.

        Returns
        -------
        Segment
            With copies of the data; lazy children are loaded for the window. Children
            outside the window are left out, also events and epochs without any time in it.

        Raises
        ------
        ValueError
            If `t_start` is after `t_stop`.
        """
        first = self.t_start if t_start is None else t_start
        last = self.t_stop if t_stop is None else t_stop
        new = self._empty_copy(kwargs)
        if first is None or last is None:  # an empty segment, sliced by default bounds
            return new
        if seconds(first) > seconds(last):
            raise ValueError(f"t_start ({first}) is after t_stop ({last})")
        slices: dict[int, Any] = {}
        for child in self.data_children:
            part = _slice_of(child, seconds(first), seconds(last))
            if part is not None:
                slices[id(child)] = part.time_shift(_negative(first)) if reset_time else part
        new.add(*slices.values())
        for view in self.channelviews:
            if id(view.obj) in slices:
                new.channelviews.append(_view_of(slices[id(view.obj)], view))
        return new

    def _empty_copy(self, changes: dict[str, Any]) -> Segment:
        """Return a segment without children, its attributes copied but for `changes`."""
        names = ("name", "description", "file_origin", "file_datetime", "rec_datetime", "index")
        attributes = {name: getattr(self, name) for name in names}
        return Segment(**copy_annotations(self.annotations) | attributes | changes)

    # --- drawing ----------------------------------------------------------------------
    def plot(
        self,
        *,
        t_start: pq.Quantity | float | None = None,
        t_stop: pq.Quantity | float | None = None,
        width: int = 1600,
        figure: Any = None,
        path: str | os.PathLike[str] | None = None,
    ) -> Any:
        """Draw all that the segment holds over one axis of time.

        Events and epochs are lanes at the top, and drawn across all others; each channel of
        the signals has an axes; spike trains are rows of the last one. What there is no room
        for (beyond 32 channels, 100 spike trains, 6 events and epochs) is told below the plot.
        Nothing is held in memory for it but pieces: lazy objects are read one after the other.

        Parameters
        ----------
        t_start, t_stop : Quantity or float, optional
            Stretch of time; bare numbers mean seconds (default: all).
        width : int, default 1600
            Columns over that stretch.
        figure : matplotlib.figure.Figure or SubFigure, optional
            Where to draw (default: a new figure; pyplot is not used).
        path : path-like, optional
            Save the figure there; the suffix tells the format (``.png``, ``.svg``, ``.pdf``).

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        ValueError
            If the stretch of time is empty or not of times, or `width` is below 1, or samples
            are complex.
        """
        from ephyrus.core._plotting import plot_segment

        return plot_segment(self, t_start, t_stop, width, figure, path)

    # --- old names --------------------------------------------------------------------
    @property
    def eventarrays(self) -> list[Event]:
        """Events under the name of old versions; use `events`."""
        _warn_old_name("eventarrays", "events")
        return list(self.events)

    @property
    def epocharrays(self) -> list[Epoch]:
        """Epochs under the name of old versions; use `epochs`."""
        _warn_old_name("epocharrays", "epochs")
        return list(self.epochs)


def _warn_old_name(old: str, new: str) -> None:
    warnings.warn(
        f"Segment.{old} is an old name: use Segment.{new}", DeprecationWarning, stacklevel=3
    )


def _negative(time: pq.Quantity | float) -> pq.Quantity:
    return -time if isinstance(time, pq.Quantity) else -float(time) * pq.s


def _slice_of(child: Any, first: float, last: float) -> Any:
    """Return the part of `child` in a window in seconds; None if nothing is there."""
    if isinstance(child, (Event, Epoch)):
        part = child.time_slice(first * pq.s, last * pq.s)
        return part if len(part) else None
    if child.t_start is None:
        return None
    start, stop = seconds(child.t_start), seconds(child.t_stop)
    if start > last or stop < first:
        return None
    # an end that is not cut stays open, so that it is not rounded by a change of units
    part = child.time_slice(
        first * pq.s if first > start else None, last * pq.s if last < stop else None
    )
    return part if len(part) or isinstance(child, SpikeTrain) else None


def _view_of(signal: Any, view: ChannelView) -> ChannelView:
    """Return the same view of a slice of its signal."""
    return ChannelView(
        signal,
        view.index,
        name=view.name,
        description=view.description,
        file_origin=view.file_origin,
        array_annotations=dict(view.array_annotations),
        **copy_annotations(view.annotations),
    )
