"""An overview of a recording, drawn with matplotlib in bounded memory."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import plotdata
from ephyrus.recording.downsample import PIECE_BYTES
from ephyrus.recording.extras import optional_module
from ephyrus.recording.limits import NullProgress, Progress
from ephyrus.recording.plotchoice import (
    Key,
    Row,
    chosen_rows,
    chosen_segments,
    chosen_streams,
    chosen_tables,
    far_apart,
)
from ephyrus.recording.plotdata import Marks, Raster, Trace, View
from ephyrus.recording.recording import Recording
from ephyrus.recording.select import ChannelSelection
from ephyrus.recording.streams import SignalStream, TableStream
from ephyrus.recording.summary import content_line, counted
from ephyrus.recording.times import ranges_between

__all__ = ["plot_recording"]

MOST_ROWS = 32  # channels
MOST_UNITS = 100  # rows of the raster
MOST_LANES = 6  # tables of events and epochs
FEW = 100  # samples that are marked, so that a single one is seen
NAMED_UNITS = 30  # more units have no room for their names

# colours that people with colour-blindness tell apart, dark enough for thin lines
SIGNAL_COLOURS = ("#24567f", "#9a4a17", "#2f6f4f", "#6b4490", "#7a6212", "#8f2f4a")
MARK_COLOURS = ("#c0392b", "#d98200", "#7d3c98", "#16806a", "#2e6db4", "#6e6e6e")
LABEL: dict[str, Any] = {
    "rotation": 0,
    "ha": "right",
    "va": "center",
    "fontsize": 8,
    "parse_math": False,
}
MARGIN = 0.62  # inches above and below the rows, for the words
INK, SOFT, PAPER_GAP = "#222222", "#6b6b6b", "#e9e9e9"


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
        figure = figures.Figure(figsize=(12, _height(content)), facecolor="white")
    _draw(figure, recording, content, view)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


@dataclass(slots=True)
class _Content:
    """What is drawn, and what is not."""

    traces: list[Trace] = field(default_factory=list)
    raster: list[Raster] = field(default_factory=list)
    marks: list[Marks] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


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
) -> _Content:
    """Read what is drawn."""
    signals = [each for each in chosen if isinstance(each, SignalStream)]
    rows, left = chosen_rows(signals, channels, MOST_ROWS)
    room = {"samples": MOST_ROWS - sum(len(positions) for _, positions in rows)}
    room |= {"spikes": MOST_UNITS, "marks": MOST_LANES}
    tables, more = chosen_tables([each for each in chosen if isinstance(each, TableStream)], room)
    content = _Content(left_out=left + more)
    view = replace(view, progress=_Part(progress))
    progress.start(_cost(rows, tables, view), "B", f"reading {recording.reading.files.name}")
    try:
        for stream, positions in rows:
            content.traces += plotdata.traces(recording, stream, positions, view)
        for table in tables:
            if table.kind == "spikes":
                content.raster += plotdata.raster(recording, table, view)
            elif table.kind == "samples":
                content.traces += plotdata.values(recording, table, view)
            else:
                _add_marks(recording, table, view, content)
    finally:
        progress.finish()
    content.traces = content.traces[:MOST_ROWS]
    content.raster = content.raster[:MOST_UNITS]
    return content


def _add_marks(recording: Recording, table: TableStream, view: View, content: _Content) -> None:
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


def _height(content: _Content) -> float:
    """Inches: rows are lower where there are many."""
    return min(2 * MARGIN + sum(_row_heights(content)), 40.0)


def _row_heights(content: _Content) -> list[float]:
    """Give the height of each axes in inches."""
    row = min(max(8.0 / max(len(content.traces), 1), 0.5), 1.8)
    heights = [0.32 * len(content.marks)] if content.marks else []
    heights += [row] * len(content.traces)
    if content.raster:
        heights.append(min(max(0.16 * len(content.raster), 0.5), 6.0))
    return heights or [1.0]


def _draw(figure: Any, recording: Recording, content: _Content, view: View) -> None:
    """Put everything into a figure."""
    heights = _row_heights(content)
    inches = 2 * MARGIN + sum(heights)
    axes = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    figure.subplots_adjust(
        left=0.13, right=0.975, top=1 - MARGIN / inches, bottom=MARGIN / inches, hspace=0.08
    )
    each = iter(axes)
    if content.marks:
        _draw_lanes(next(each), content.marks, view)
    streams = list(dict.fromkeys(trace.stream for trace in content.traces))
    for trace in content.traces:
        colour = SIGNAL_COLOURS[streams.index(trace.stream) % len(SIGNAL_COLOURS)]
        _draw_trace(next(each), trace, colour, view)
    if content.raster:
        _draw_raster(next(each), content.raster)
    for number, axis in enumerate(axes):
        _finish(axis, is_last=number == len(axes) - 1, view=view)
        if not (content.marks and number == 0):
            _draw_marks(axis, content.marks)
    if not content.traces and not content.raster and not content.marks:
        _say(axes[0], "nothing to draw")
    figure.align_ylabels(axes)
    _words(figure, recording, content, inches)


def _draw_trace(axis: Any, trace: Trace, colour: str, view: View) -> None:
    """Draw one channel with its gaps, name and unit."""
    finite = trace.values[np.isfinite(trace.values)]
    axis.plot(
        trace.times,
        trace.values,
        color=colour,
        linewidth=0.7,
        marker="." if finite.size <= FEW else "",
        markersize=3,
        alpha=0.55 if trace.overlaps else 1.0,
        solid_joinstyle="round",
    )
    wide = trace.gaps[trace.gaps[:, 1] - trace.gaps[:, 0] > (view.t_stop - view.t_start) / 2000]
    if len(wide):
        _add_spans(
            axis,
            wide,
            0,
            1,
            label="_gaps",
            facecolor=PAPER_GAP,
            zorder=0,
            transform=axis.get_xaxis_transform(),
        )
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
        axis.set_ylim(low - margin, high + margin)
        axis.locator_params(axis="y", nbins=3, prune="both")
    else:
        _say(axis, "no samples here")
    unit = f"\n({_shown(trace.unit)})" if trace.unit else ""
    axis.set_ylabel(_shown(trace.name) + unit, **LABEL)


def _draw_raster(axis: Any, raster: Sequence[Raster]) -> None:
    """Draw a row of ticks for each unit, the first at the top."""
    count = len(raster)
    rows = np.arange(count)[::-1]
    colours = [MARK_COLOURS[number % len(MARK_COLOURS)] for number in range(count)]
    axis.eventplot(
        [unit.times for unit in raster],
        lineoffsets=rows.tolist(),
        linelengths=0.8,
        linewidths=0.7,
        colors=colours,
    )
    axis.set_ylim(-0.6, count - 0.4)
    if count <= NAMED_UNITS:
        axis.set_yticks(rows, [_shown(unit.label) for unit in raster], parse_math=False)
    else:
        axis.set_yticks([])
    axis.set_ylabel("spikes" if count == 1 else f"spikes\n({count} units)", **LABEL)


def _draw_lanes(axis: Any, lanes: Sequence[Marks], view: View) -> None:
    """Draw events and epochs with their labels, one lane for each table."""
    axis.set_ylim(len(lanes) - 0.5, -0.5)
    axis.set_yticks(range(len(lanes)), [_shown(lane.name) for lane in lanes], parse_math=False)
    for row, (lane, colour) in enumerate(zip(lanes, _mark_colours(lanes), strict=True)):
        base = {"label": f"_{lane.name}", "transform": axis.transData}
        if lane.durations is None:
            _add_lines(axis, lane.times, row - 0.4, row + 0.4, colors=colour, **base)
        else:
            spans = np.column_stack([lane.times, lane.times + lane.durations])
            look = {"facecolor": colour, "edgecolor": colour, "alpha": 0.35, "linewidth": 0.5}
            _add_spans(axis, spans, row - 0.4, row + 0.4, **look, **base)
        _label_lane(axis, lane, row, view)


def _label_lane(axis: Any, lane: Marks, row: int, view: View) -> None:
    """Write labels beside their marks, as far as there is room."""
    letter = (view.t_stop - view.t_start) / 170  # about the width of a letter
    free = -math.inf
    for at in np.argsort(lane.times, kind="stable").tolist():
        text = _shown(lane.labels[at])
        begin = max(float(lane.times[at]), view.t_start) + letter / 2
        end = begin + letter * (len(text) + 1)
        if not text or begin < free or end > view.t_stop + letter:
            continue
        axis.text(begin, row, text, fontsize=7, color=INK, va="center", parse_math=False)
        free = end


def _draw_marks(axis: Any, lanes: Sequence[Marks]) -> None:
    """Draw events and epochs across an axes, behind its content."""
    for lane, colour in zip(lanes, _mark_colours(lanes), strict=True):
        base = {"label": f"_{lane.name}", "transform": axis.get_xaxis_transform(), "zorder": 0.5}
        if lane.durations is None:
            _add_lines(axis, lane.times, 0, 1, colors=colour, alpha=0.45, **base)
        else:
            spans = np.column_stack([lane.times, lane.times + lane.durations])
            _add_spans(axis, spans, 0, 1, facecolor=colour, alpha=0.10, **base)


def _mark_colours(lanes: Sequence[Marks]) -> list[str]:
    return [MARK_COLOURS[number % len(MARK_COLOURS)] for number in range(len(lanes))]


def _add_lines(axis: Any, times: NDArray[Any], low: float, high: float, **look: Any) -> None:
    """Add vertical lines that leave the limits of the axes alone."""
    from matplotlib.collections import LineCollection

    lines = [((time, low), (time, high)) for time in times.tolist()]
    axis.add_collection(LineCollection(lines, linewidths=0.8, **look), autolim=False)


def _add_spans(axis: Any, spans: NDArray[Any], low: float, high: float, **look: Any) -> None:
    """Add upright bands that leave the limits of the axes alone."""
    from matplotlib.collections import PolyCollection

    boxes = [
        ((start, low), (start, high), (stop, high), (stop, low)) for start, stop in spans.tolist()
    ]
    axis.add_collection(PolyCollection(boxes, **look), autolim=False)


def _finish(axis: Any, *, is_last: bool, view: View) -> None:
    """Give an axes its limits, lines and ticks."""
    axis.set_xlim(view.t_start, view.t_stop)
    for side in ("top", "right") if is_last else ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(SOFT)
    axis.tick_params(axis="both", labelsize=7, color=SOFT, labelcolor=SOFT, length=2.5)
    axis.tick_params(axis="x", bottom=is_last)
    axis.ticklabel_format(axis="x", useOffset=False, style="plain")
    if is_last:
        since = "" if view.origins is None else " since the beginning of each segment"
        axis.set_xlabel(f"time{since} (s)", fontsize=9, color=INK)


def _say(axis: Any, text: str) -> None:
    """Write into an axes that has nothing to show."""
    place = {"transform": axis.transAxes, "ha": "center", "va": "center"}
    axis.text(0.5, 0.5, text, fontsize=8, color=SOFT, style="italic", **place)
    axis.set_yticks([])


def _words(figure: Any, recording: Recording, content: _Content, inches: float) -> None:
    """Write the recording's name and what it holds above, and what was left out below."""
    name = _shown(recording.reading.files.name, most=80)
    line = f"{recording.format.label}: {content_line(recording)}"
    above = 1 - 0.14 / inches
    style = {"parse_math": False, "ha": "left", "va": "top"}
    figure.text(0.012, above, name, fontsize=12, weight="bold", color=INK, **style)
    figure.text(0.012, above - 0.24 / inches, line, fontsize=8, color=SOFT, **style)
    if content.left_out:
        left = ", ".join(content.left_out)
        note = f"Not drawn: {left}. Choose with channels=... and streams=..."
        figure.text(0.012, 0.1 / inches, note, fontsize=8, color=INK, ha="left", va="bottom")


def _shown(text: str, most: int = 22) -> str:
    """Give a text of a file as it may be drawn: on one line, not too long, the unit with its µ."""
    clean = "".join(each if each.isprintable() else " " for each in text).strip()
    clean = "µV" if clean == "uV" else clean
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"
