"""What a recording holds, in a line, as a dictionary for JSON, and as HTML."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np

from ephyrus._shared.html import BOX, TITLE, facts_html, html_text, rows_html
from ephyrus._shared.words import counted, frequency_text, one_line_text, seconds_text
from ephyrus.errors import EphyrusError
from ephyrus.recording.limits import pieces
from ephyrus.recording.recording import Recording
from ephyrus.recording.streams import BlockInfo, Channels, SegmentInfo, SignalStream, TableStream
from ephyrus.recording.times import gaps

__all__ = ["content_line", "html", "one_line", "plain", "summary"]

LONGEST_LIST = 100  # longer arrays and lists of annotations are described, not listed
MOST_LABELS = 20  # labels that are listed
MOST_ITEMS = 100_000  # labels of longer tables are not counted
PIECE_ITEMS = 10_000


def summary(recording: Recording, *, labels: bool = True) -> dict[str, Any]:
    """Describe a recording with values that JSON knows.

    Parameters
    ----------
    recording : Recording
        An open recording.
    labels : bool
        Count the labels of events and epochs (reads that column of tables of up to 100,000 items);
        False: read nothing.

    Returns
    -------
    dict
        ``path``, ``format``, ``format_label``, ``software``, ``rec_datetime`` (ISO 8601 or None),
        ``duration`` (seconds, sum over the segments), ``blocks``, ``segments``, ``signals``,
        ``tables``, ``stimuli``, ``annotations`` and ``problems``. Times are in seconds, rates in
        Hz. Arrays of more than 100 values are given by dtype and shape; NaN is None.

    Examples
    --------
    >>> import ephyrus
    >>> with ephyrus.open("made-up.fake", format="example") as recording:
    ...     found = summary(recording)
    >>> found["duration"], found["signals"][0]["rate"], found["tables"][3]["labels"]
    (50.0, 10000.0, {'trigger_a': 15, 'trigger_b': 15})
    """
    durations = [_duration(segment) for segment in recording.segments]
    return {
        "path": recording.path,
        "format": recording.format.name,
        "format_label": recording.format.label,
        "software": recording.info.software,
        "rec_datetime": _recorded(recording),
        "duration": _number(sum(durations)),
        "blocks": [
            {"name": block.name, "annotations": plain(block.annotations)}
            for block in recording.blocks
        ],
        "segments": [
            {
                "name": segment.name,
                "block": segment.block,
                "t_start": plain(segment.t_start),
                "t_stop": plain(segment.t_stop),
                "annotations": plain(segment.annotations),
            }
            for segment in recording.segments
        ],
        "signals": [_signal(stream) for stream in recording.signals],
        "tables": [_table(recording, table, labels=labels) for table in recording.tables],
        "stimuli": [_signal(stream) for stream in recording.stimuli],
        "annotations": plain(recording.annotations),
        "problems": [
            {
                "path": problem.path,
                "reason": problem.reason,
                "offset": plain(problem.offset),
                "field": problem.field,
                "lost": int(problem.lost),
            }
            for problem in recording.problems
        ],
    }


def one_line(recording: Recording) -> str:
    """Describe a recording in a line; reads nothing.

    Examples
    --------
    >>> import ephyrus
    >>> with ephyrus.open("made-up.fake", format="example") as recording:
    ...     one_line(recording).partition("; ")[2]
    '16 channels at 10 kHz; 3 units, 300 spikes; 30 events; 50 epochs>'
    """
    name = one_line_text(recording.reading.files.name)
    return f"<Recording {name} ({recording.format.name}): {content_line(recording)}>"


def content_line(recording: Recording) -> str:
    """Count what a recording holds, for people: segments, channels, spikes, events."""
    duration = sum(_duration(segment) for segment in recording.segments)
    extent = [
        *([counted(len(recording.blocks), "block")] if len(recording.blocks) > 1 else []),
        counted(len(recording.segments), "segment"),
        seconds_text(duration),
    ]
    parts = [", ".join(extent), *_signal_parts(recording.signals), *_table_parts(recording.tables)]
    if recording.problems:
        parts.append(counted(len(recording.problems), "problem"))
    return "; ".join(parts)


def html(recording: Recording) -> str:
    """Describe a recording as a piece of HTML; everything that comes from a file is escaped.

    Returns
    -------
    str
        A ``div`` for notebooks and pages; it has no scripts and loads nothing.
    """
    found = summary(recording)
    facts = [
        ("Format", found["format_label"]),
        ("Recorded", found["rec_datetime"]),
        ("Software", found["software"]),
        ("Duration", seconds_text(found["duration"] or 0.0)),
        ("Segments", f"{len(found['segments']):,}"),
    ]
    sections = [
        f'<div style="{TITLE}">{html_text(recording.reading.files.name)}</div>',
        facts_html(facts),
        _signals_html("Signals", found["signals"]),
        _tables_html(found["tables"]),
        _signals_html("Stimuli", found["stimuli"]),
        _annotations_html(found["annotations"]),
        _problems_html(recording),
    ]
    return f'<div class="ephyrus-recording" style="{BOX}">{"".join(sections)}</div>'


def _duration(segment: SegmentInfo) -> float:
    """Seconds from a segment's beginning to its end."""
    return float(segment.t_stop or 0.0) - float(segment.t_start or 0.0)


def _recorded(recording: Recording) -> str | None:
    """When the recording began: the first block or segment that tells."""
    parts: tuple[BlockInfo | SegmentInfo, ...] = (*recording.blocks, *recording.segments)
    known = (part.rec_datetime for part in parts if part.rec_datetime is not None)
    first = next(known, None)
    return None if first is None else first.isoformat()


def _signal(stream: SignalStream) -> dict[str, Any]:
    found = gaps(stream)
    lasting = found[:, 1] - found[:, 0]
    return {
        "id": stream.id,
        "name": stream.name,
        "rate": float(stream.rate),
        "samples": int(stream.length),
        "duration": _number(stream.length / float(stream.rate)),
        "dtype": stream.dtype.str,
        "shape": [int(size) for size in stream.item_shape],
        "units": sorted(set(stream.channels.units)),
        "runs": len(stream.runs),
        "gaps": {
            "count": len(found),
            "seconds": _number(lasting.sum()),
            "longest": _number(lasting.max(initial=0.0)),
        },
        "channels": _channels(stream.channels),
        "annotations": plain(stream.annotations),
    }


def _channels(channels: Channels) -> list[dict[str, Any]]:
    return [
        {
            "name": channels.names[position],
            "id": channels.ids[position],
            "unit": channels.units[position],
            "gain": _number(channels.gain[position]),
            "offset": _number(channels.offset[position]),
            **{key: plain(column[position]) for key, column in channels.extra.items()},
        }
        for position in range(len(channels))
    ]


def _table(recording: Recording, table: TableStream, *, labels: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": table.id,
        "name": table.name,
        "kind": table.kind,
        "count": int(table.length),
        "columns": [*table.columns],
    }
    if table.kind == "spikes":
        found["units"] = [
            {"id": int(unit.id), "name": unit.name, "label": unit.label, "count": int(count)}
            for unit, count in zip(table.units, table.unit_counts.sum(axis=1), strict=True)
        ]
    if table.channels is not None:
        found["channels"] = _channels(table.channels)
    if labels and "label" in table.columns and table.length <= MOST_ITEMS:
        found |= _label_counts(recording, table)
    return found | {"annotations": plain(table.annotations)}


def _label_counts(recording: Recording, table: TableStream) -> dict[str, Any]:
    """Count labels, the most frequent first; what cannot be read is told in their place."""
    counts: Counter[str] = Counter()
    try:
        for start, stop in pieces(0, table.length, 1, PIECE_ITEMS):
            labels = recording.read_table(table, start, stop, ["label"])["label"]
            counts.update(map(str, labels))
    except (EphyrusError, OSError) as error:
        return {"labels_error": str(error)}
    return {"labels": dict(counts.most_common(MOST_LABELS)), "label_count": len(counts)}


def plain(value: Any) -> Any:
    """Give a value in terms of JSON."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float | Fraction):
        return _number(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain_array(value)
    if isinstance(value, Iterable):
        return _plain_list(list(value))
    return str(value)


def _plain_array(array: Any) -> Any:
    """Give a numpy value or array; quantities keep their unit."""
    if getattr(array, "dimensionality", None) is not None and hasattr(array, "magnitude"):
        return {"value": plain(array.magnitude), "unit": str(array.dimensionality)}
    if array.dtype.names:
        return plain({name: array[name] for name in array.dtype.names})
    if array.size > LONGEST_LIST:
        return {"dtype": array.dtype.str, "shape": [*array.shape]}
    return plain(array.tolist() if array.dtype.kind not in "mM" else array.astype(str).tolist())


def _plain_list(values: Sequence[Any]) -> Any:
    if len(values) > LONGEST_LIST:
        return {"items": len(values)}
    return [plain(value) for value in values]


def _number(value: Any) -> Any:
    """Give a finite number as a float, NaN as None, infinities as text."""
    number = float(value)
    if math.isnan(number):
        return None
    return str(number) if math.isinf(number) else number


def _signal_parts(signals: Sequence[SignalStream]) -> list[str]:
    """Count channels by rate, the fastest first; images by themselves."""
    parts = []
    channels = [stream for stream in signals if len(stream.item_shape) == 1]
    by_rate = sorted(channels, key=lambda stream: -stream.rate)
    for rate, group in groupby(by_rate, key=lambda stream: stream.rate):
        count = sum(len(stream.channels) for stream in group)
        parts.append(f"{counted(count, 'channel')} at {frequency_text(float(rate))}")
    images = len(signals) - len(channels)
    return [*parts, *([counted(images, "image sequence")] if images else [])]


def _table_parts(tables: Sequence[TableStream]) -> list[str]:
    """Count what the tables hold."""
    parts = []
    nouns = {"spikes": "spike", "events": "event", "epochs": "epoch", "samples": "irregular sample"}
    for kind, noun in nouns.items():
        chosen = [table for table in tables if table.kind == kind and table.length]
        if not chosen:
            continue
        count = counted(sum(table.length for table in chosen), noun)
        units = counted(sum(len(table.units) for table in chosen), "unit")
        parts.append(f"{units}, {count}" if kind == "spikes" else count)
    return parts


def _signals_html(title: str, signals: Sequence[Mapping[str, Any]]) -> str:
    heads = ("Name", "Channels", "Unit", "Rate", "Samples", "Type", "Gaps")
    rows = [
        (
            signal["name"],
            _channels_text(signal),
            ", ".join(signal["units"]),
            frequency_text(signal["rate"]),
            f"{signal['samples']:,}",
            np.dtype(signal["dtype"]).name,
            f"{signal['gaps']['count']:,}" if signal["gaps"]["count"] else "",
        )
        for signal in signals
    ]
    return rows_html(title, heads, rows)


def _channels_text(signal: Mapping[str, Any]) -> str:
    """Name up to eight channels, or give the size of the images."""
    if len(signal["shape"]) > 1:
        return " × ".join(map(str, signal["shape"]))
    names = [channel["name"] for channel in signal["channels"]]
    shown = ", ".join(names[:8])
    return f"{len(names):,}: {shown}{', …' if len(names) > 8 else ''}"


def _tables_html(tables: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (table["name"], table["kind"], f"{table['count']:,}", _content_text(table))
        for table in tables
    ]
    return rows_html("Spikes, events, epochs", ("Name", "Kind", "Count", "Content"), rows)


def _content_text(table: Mapping[str, Any]) -> str:
    """Name units with counts, labels with counts, or channels."""
    if "labels_error" in table:
        return f"cannot be read: {table['labels_error']}"
    if "units" in table:
        pairs = [(unit["label"], unit["count"]) for unit in table["units"]]
    elif "labels" in table:
        pairs = [*table["labels"].items()]
    else:
        return ", ".join(channel["name"] for channel in table.get("channels", ()))
    shown = ", ".join(f"{label} ({count:,})" for label, count in pairs[:8])
    return shown + (", …" if table.get("label_count", len(pairs)) > 8 else "")


def _annotations_html(annotations: Mapping[str, Any]) -> str:
    rows = [(key, value) for key, value in annotations.items() if value not in (None, "")]
    return rows_html("Annotations", ("Name", "Value"), rows)


def _problems_html(recording: Recording) -> str:
    return rows_html("Problems", ("What was found",), [[each] for each in recording.problems])
