"""An overview of a recording, drawn with matplotlib in bounded memory."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ephyrus._shared.drawing import MOST_LANES, MOST_ROWS, MOST_UNITS, Content, draw, figure_height
from ephyrus._shared.extras import optional_module
from ephyrus._shared.words import counted
from ephyrus.recording import plotdata
from ephyrus.recording.downsample import PIECE_BYTES
from ephyrus.recording.limits import NullProgress, Progress, under_way
from ephyrus.recording.plotchoice import (
    Key,
    Row,
    chosen_rows,
    chosen_segments,
    chosen_streams,
    chosen_tables,
    far_apart,
)
from ephyrus.recording.plotdata import View
from ephyrus.recording.recording import Recording
from ephyrus.recording.select import ChannelSelection
from ephyrus.recording.streams import SignalStream, TableStream
from ephyrus.recording.summary import content_line
from ephyrus.recording.times import ranges_between

__all__ = ["plot_recording"]


def plot_recording(
    recording: Recording,
    *,
    t_start: float | None = None,
    t_stop: float | None = None,
    channels: ChannelSelection = None,
    streams: Key | Sequence[Key] | None = None,
    segments: int | Sequence[int] | None = None,
    overlay: bool | None = None,
    width: int = 1600,
    figure: Any = None,
    max_bytes: int = PIECE_BYTES,
    progress: Progress | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draw signals, spikes, events and epochs over time.

    Signals of any length are drawn as the lowest and highest value of each column, so that nothing
    that stands out is lost; short stretches show each sample. Gaps are left empty and shaded.
    Sweeps that share their time lie over each other.

    Parameters
    ----------
    recording : Recording
        What to draw.
    t_start, t_stop : float, optional
        Stretch of time in seconds (default: everything).
    channels : int, str, slice or sequence, optional
        Channels by position (in each signal), name or id; names may be those of different signals.
    streams : int, str, stream or sequence, optional
        Signals by position, id or name, tables by id or name (default: all).
    segments : int or sequence of int, optional
        Only these segments.
    overlay : bool, optional
        Count time from the beginning of each segment, so that sweeps lie over each other. Default:
        where there are several segments, less than a fifth of the time between the first and the
        last was recorded, and no stretch of time is asked for.
    width : int
        Columns over the stretch of time.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw (default: a new figure; pyplot is not used).
    max_bytes : int
        Most bytes of stored numbers held at a time.
    progress : Progress, optional
        Told about bytes read; cancels.
    path : path-like, optional
        Save the figure there; the suffix tells the format (``.png``, ``.svg``, ``.pdf``).

    Returns
    -------
    matplotlib.figure.Figure
        With one axes for events and epochs, one per channel, one for spikes. What was left out
        (beyond 32 channels, 100 units, 6 tables of events) is said below the plot.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    KeyError, IndexError
        If there is no such stream, channel or segment.
    ValueError
        If the stretch of time is empty, or `width` is below 1.
    """
    figures = optional_module("matplotlib.figure", "plot", "Recording.plot")
    if width < 1:
        raise ValueError(f"width must be 1 or more, not {width}")
    chosen = chosen_streams(recording, streams)
    bounds = (
        -math.inf if t_start is None else float(t_start),
        math.inf if t_stop is None else float(t_stop),
    )
    picked = chosen_segments(recording, segments)
    if overlay is None:
        overlay = t_start is None and t_stop is None and far_apart(recording, picked)
    origins = tuple(float(each.t_start or 0.0) for each in recording.segments)
    blank = View(*bounds, width, max_bytes, NullProgress(), picked, origins if overlay else None)
    view = plotdata.full_view(recording, chosen, blank)
    content = _collected(recording, chosen, channels, view, progress or NullProgress())
    if figure is None:
        figure = figures.Figure(figsize=(12, figure_height(content)), facecolor="white")
    _draw(figure, recording, content, view)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


class _Part:
    """Progress of one part of the work: passes on only how far it is."""

    def __init__(self, whole: Progress) -> None:
        self.advance = whole.advance

    def start(self, total: int | None, unit: str, label: str) -> None:
        """Do nothing: the whole has begun already."""

    def finish(self) -> None:
        """Do nothing: the whole is not at its end."""


def _collected(
    recording: Recording,
    chosen: list[SignalStream | TableStream],
    channels: ChannelSelection,
    view: View,
    progress: Progress,
) -> Content:
    """Read what is drawn."""
    signals = [each for each in chosen if isinstance(each, SignalStream)]
    rows, left = chosen_rows(signals, channels, MOST_ROWS)
    room = {"samples": MOST_ROWS - sum(len(positions) for _, positions in rows)}
    room |= {"spikes": MOST_UNITS, "marks": MOST_LANES}
    tables, more = chosen_tables([each for each in chosen if isinstance(each, TableStream)], room)
    content = Content(left_out=left + more)
    view = replace(view, progress=_Part(progress))
    label = f"reading {recording.reading.files.name}"
    with under_way(progress, _cost(rows, tables, view), "B", label):
        for stream, positions in rows:
            content.traces += plotdata.traces(recording, stream, positions, view)
        for table in tables:
            if table.kind == "spikes":
                content.raster += plotdata.raster(recording, table, view)
            elif table.kind == "samples":
                content.traces += plotdata.values(recording, table, view)
            else:
                _add_marks(recording, table, view, content)
    content.traces = content.traces[:MOST_ROWS]
    content.raster = content.raster[:MOST_UNITS]
    return content


def _add_marks(recording: Recording, table: TableStream, view: View, content: Content) -> None:
    """Add events or epochs; sweeps that lie over each other have no place for those in pauses."""
    found = plotdata.marks(recording, table, view)
    if found.times.size:
        content.marks.append(found)
    elif view.origins is not None:
        noun = "event" if table.kind == "events" else "epoch"
        content.left_out.append(f"{counted(table.length, noun)} outside the segments drawn")


def _cost(rows: list[Row], tables: list[TableStream], view: View) -> int:
    """Give the bytes that will be read."""
    total = sum(plotdata.table_bytes(table) for table in tables)
    for stream, _ in rows:
        ranges = ranges_between(
            stream, view.t_start, view.t_stop, view.segments, origins=view.origins
        )
        total += sum(stop - start for start, stop in ranges) * stream.item_bytes
    return total


def _draw(figure: Any, recording: Recording, content: Content, view: View) -> None:
    """Put everything into a figure."""
    left = ", ".join(content.left_out)
    since = "" if view.origins is None else " since the beginning of each segment"
    draw(
        figure,
        content,
        (view.t_start, view.t_stop),
        title=recording.reading.files.name,
        line=f"{recording.format.label}: {content_line(recording)}",
        note=f"Not drawn: {left}. Choose with channels=... and streams=..." if left else "",
        time_label=f"time{since} (s)",
    )
