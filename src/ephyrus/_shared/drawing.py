"""Signals, spikes, events and epochs drawn over time with matplotlib, from plain arrays.

What is drawn is of bounded size already: whoever calls has reduced it. pyplot is not used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MOST_LANES",
    "MOST_ROWS",
    "MOST_UNITS",
    "Content",
    "Marks",
    "Raster",
    "Trace",
    "draw",
    "figure_height",
]

MOST_ROWS = 32  # channels
MOST_UNITS = 100  # rows of the raster
MOST_LANES = 6  # tables of events and epochs
FEW = 100  # samples that are marked, so that a single one is seen; lines of full strength
SHORT_NAME = 9  # letters for which there is room beside the scale
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


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One channel: a line with NaN between runs.

    Attributes
    ----------
    name, unit : str
        Of the channel.
    stream : str
        Identifier of its stream.
    times, values : ndarray of float, shape (points,)
        Samples; or, where there are many, lowest and highest value of each column in turn.
    gaps : ndarray of float64, shape (gaps, 2)
        Beginnings and ends of gaps in seconds.
    overlaps : bool
        Several sweeps lie over each other.
    """

    name: str
    unit: str
    stream: str
    times: NDArray[np.float64]
    values: NDArray[Any]
    gaps: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    overlaps: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Spike times of one unit, in seconds."""

    label: str
    times: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Events, or epochs where there are durations; times in seconds."""

    name: str
    times: NDArray[np.float64]
    labels: tuple[str, ...]
    durations: NDArray[np.float64] | None = None


@dataclass(slots=True)
class Content:
    """What is drawn, and what is not.

    Attributes
    ----------
    traces : list of Trace
        One axes each.
    raster : list of Raster
        Rows of one axes.
    marks : list of Marks
        Lanes of one axes at the top, and drawn across all others.
    left_out : list of str
        What there was no room for.
    """

    traces: list[Trace] = field(default_factory=list)
    raster: list[Raster] = field(default_factory=list)
    marks: list[Marks] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def figure_height(content: Content) -> float:
    """Give the height in inches that suits the content: rows are lower where there are many."""
    return min(2 * MARGIN + sum(_row_heights(content)), 40.0)


def _row_heights(content: Content) -> list[float]:
    """Give the height of each axes in inches."""
    row = min(max(8.0 / max(len(content.traces), 1), 0.5), 1.8)
    heights = [0.32 * len(content.marks)] if content.marks else []
    heights += [row] * len(content.traces)
    if content.raster:
        heights.append(min(max(0.16 * len(content.raster), 0.5), 6.0))
    return heights or [1.0]


def draw(
    figure: Any,
    content: Content,
    extent: tuple[float, float],
    *,
    title: str,
    line: str,
    note: str = "",
    time_label: str = "time (s)",
) -> None:
    """Put everything into a figure, in one column of axes that share their time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        Where to draw.
    content : Content
        What to draw.
    extent : tuple of float
        First and last time in seconds.
    title, line : str
        Written above the axes.
    note : str
        Written below them.
    time_label : str
        Of the axis of time.
    """
    heights = _row_heights(content)
    inches = 2 * MARGIN + sum(heights)
    axes = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    figure.subplots_adjust(
        left=_left_margin(content),
        right=0.975,
        top=1 - MARGIN / inches,
        bottom=MARGIN / inches,
        hspace=0.08,
    )
    _fill(iter(axes), content, extent)
    for number, axis in enumerate(axes):
        _finish(axis, extent, time_label if number == len(axes) - 1 else None)
        if not (content.marks and number == 0):
            _draw_marks(axis, content.marks)
    if not content.traces and not content.raster and not content.marks:
        _say(axes[0], "nothing to draw")
    figure.align_ylabels(axes)
    _words(figure, title, line, note, inches)


def _left_margin(content: Content) -> float:
    """Give the part of the width that names and scales need."""
    longest = max((len(_shown(trace.name)) for trace in content.traces), default=0)
    return 0.13 + 0.0055 * max(longest - SHORT_NAME, 0)


def _fill(axes: Iterator[Any], content: Content, extent: tuple[float, float]) -> None:
    """Draw lanes, traces and the raster, each into the next axes."""
    if content.marks:
        _draw_lanes(next(axes), content.marks, extent)
    streams = list(dict.fromkeys(trace.stream for trace in content.traces))
    for trace in content.traces:
        colour = SIGNAL_COLOURS[streams.index(trace.stream) % len(SIGNAL_COLOURS)]
        _draw_trace(next(axes), trace, colour, extent)
    if content.raster:
        _draw_raster(next(axes), content.raster)


def _draw_trace(axis: Any, trace: Trace, colour: str, extent: tuple[float, float]) -> None:
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
    wide = trace.gaps[trace.gaps[:, 1] - trace.gaps[:, 0] > (extent[1] - extent[0]) / 2000]
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


def _draw_lanes(axis: Any, lanes: Sequence[Marks], extent: tuple[float, float]) -> None:
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
        _label_lane(axis, lane, row, extent)


def _label_lane(axis: Any, lane: Marks, row: int, extent: tuple[float, float]) -> None:
    """Write labels beside their marks, as far as there is room."""
    letter = (extent[1] - extent[0]) / 170  # about the width of a letter
    free = -math.inf
    for at in np.argsort(lane.times, kind="stable").tolist():
        text = _shown(lane.labels[at])
        begin = max(float(lane.times[at]), extent[0]) + letter / 2
        end = begin + letter * (len(text) + 1)
        if not text or begin < free or end > extent[1] + letter:
            continue
        axis.text(begin, row, text, fontsize=7, color=INK, va="center", parse_math=False)
        free = end


def _draw_marks(axis: Any, lanes: Sequence[Marks]) -> None:
    """Draw events and epochs across an axes, behind its content."""
    for lane, colour in zip(lanes, _mark_colours(lanes), strict=True):
        base = {"label": f"_{lane.name}", "transform": axis.get_xaxis_transform(), "zorder": 0.5}
        if lane.durations is None:
            alpha = 0.45 * min(FEW / max(lane.times.size, 1), 1)  # many would bury the signals
            _add_lines(axis, lane.times, 0, 1, colors=colour, alpha=alpha, **base)
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


def _finish(axis: Any, extent: tuple[float, float], time_label: str | None) -> None:
    """Give an axes its limits, lines and ticks; the last one has the label of time."""
    is_last = time_label is not None
    axis.set_xlim(*extent)
    for side in ("top", "right") if is_last else ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(SOFT)
    axis.tick_params(axis="both", labelsize=7, color=SOFT, labelcolor=SOFT, length=2.5)
    axis.tick_params(axis="x", bottom=is_last)
    axis.ticklabel_format(axis="x", useOffset=False, style="plain")
    if is_last:
        axis.set_xlabel(time_label, fontsize=9, color=INK)


def _say(axis: Any, text: str) -> None:
    """Write into an axes that has nothing to show."""
    place = {"transform": axis.transAxes, "ha": "center", "va": "center"}
    axis.text(0.5, 0.5, text, fontsize=8, color=SOFT, style="italic", **place)
    axis.set_yticks([])


def _words(figure: Any, title: str, line: str, note: str, inches: float) -> None:
    """Write the title and what there is above, and what was left out below."""
    above = 1 - 0.14 / inches
    style = {"parse_math": False, "ha": "left", "va": "top"}
    figure.text(
        0.012, above, _shown(title, most=80), fontsize=12, weight="bold", color=INK, **style
    )
    figure.text(0.012, above - 0.24 / inches, line, fontsize=8, color=SOFT, **style)
    if note:
        figure.text(0.012, 0.1 / inches, note, fontsize=8, color=INK, ha="left", va="bottom")


def _shown(text: str, most: int = 22) -> str:
    """Give a text of a file as it may be drawn: on one line, not too long, the unit with its µ."""
    clean = "".join(each if each.isprintable() else " " for each in text).strip()
    clean = "µV" if clean == "uV" else clean
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"
