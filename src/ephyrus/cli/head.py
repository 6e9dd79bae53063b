"""``ephyrus head``: the first values of a recording, in physical units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Group
from rich.text import Text

from ephyrus._shared.words import counted
from ephyrus.cli import console, words
from ephyrus.cli.channels import chosen_channels
from ephyrus.cli.failures import Failure, Tally
from ephyrus.cli.inputs import How, find_sources, open_source, remarks
from ephyrus.cli.places import signal_place, table_place
from ephyrus.cli.progress import RichProgress
from ephyrus.recording import Recording, SignalStream, TableStream, scaled, seconds
from ephyrus.recording.times import item_times, run_positions

__all__ = ["Wanted", "run"]

BORDER = 2  # characters between columns


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown.

    Attributes
    ----------
    count : int
        Samples, spikes and events of each stream.
    channels : tuple of str
        Names or positions; empty: all.
    start : float or None
        From this time on, in seconds.
    segment : int or None
        Of this segment only.
    """

    count: int
    channels: tuple[str, ...] = ()
    start: float | None = None
    segment: int | None = None


def run(
    paths: Sequence[str], how: How, wanted: Wanted, *, recursive: bool, as_json: bool, quiet: bool
) -> int:
    """Show the first values of recordings; gives the exit code."""
    tally = Tally(salvage=how.salvage)
    entries: list[dict[str, Any]] = []
    with RichProgress(quiet=quiet) as progress:
        for source in find_sources(paths, tally, recursive=recursive, format=how.format):
            with tally.attempt(source.path):
                with open_source(source.path, how, progress) as recording:
                    progress.finish()
                    remarks(recording, quiet=quiet or as_json)
                    entry = _entry(recording, wanted)
                entries.append(entry)
                if not as_json:
                    _show(entry, wanted)
    if as_json:
        console.write_json(entries + tally.entries())
    return tally.code


def _entry(recording: Recording, wanted: Wanted) -> dict[str, Any]:
    """Read the first values, and nothing else."""
    segments = len(recording.segments)
    if wanted.segment is not None and wanted.segment >= segments:
        raise Failure(
            f"{recording.path}: there is no segment {wanted.segment}",
            f"it has {counted(segments, 'segment')}, counted from 0",
        )
    chosen = chosen_channels(recording.signals, wanted.channels, recording.path)
    return {
        "path": recording.path,
        "format": recording.format.name,
        "segments": segments,
        "signals": [
            _signal(recording, stream, positions, wanted)
            for stream, positions in zip(recording.signals, chosen, strict=True)
            if positions != []
        ],
        "tables": [_table(recording, table, wanted) for table in recording.tables],
    }


def _signal(
    recording: Recording, stream: SignalStream, positions: list[int] | None, wanted: Wanted
) -> dict[str, Any]:
    place = signal_place(recording, stream, wanted.start, wanted.segment)
    stop = min(place.first + wanted.count, place.last)
    items = np.arange(place.first, stop)
    values = recording.read_scaled(stream, place.first, stop, positions)
    shown = range(len(stream.channels)) if positions is None else positions
    entry: dict[str, Any] = {
        "name": stream.name,
        "id": stream.id,
        "samples": stream.length,
        "first": place.first,
        "times": item_times(stream, items),
        "segment_numbers": _segments(stream, items),
        "channels": [stream.channels.names[position] for position in shown],
        "units": [stream.channels.units[position] for position in shown],
    }
    if len(stream.item_shape) == 1:
        return entry | {"values": values}
    flat = values.reshape(len(values), -1)
    ranges = {"minimum": flat.min(1), "mean": flat.mean(1), "maximum": flat.max(1)}
    return entry | {"shape": list(stream.item_shape), **ranges}


def _segments(stream: SignalStream | TableStream, items: Any) -> Any:
    """Give the segment of each item."""
    return stream.runs["segment"][run_positions(stream, items)]


def _table(recording: Recording, table: TableStream, wanted: Wanted) -> dict[str, Any]:
    place = table_place(recording, table, wanted.start, wanted.segment)
    stop = min(place.first + wanted.count, place.last)
    names = [name for name in table.columns if name != "waveform"]
    found = recording.read_table(table, place.first, stop, names)
    entry: dict[str, Any] = {
        "name": table.name,
        "id": table.id,
        "kind": table.kind,
        "count": table.length,
        "first": place.first,
        "times": seconds(found["tick"], table.clock),
        "segment_numbers": _segments(table, np.arange(place.first, stop)),
    }
    if "duration" in found:
        entry["durations"] = seconds(found["duration"], table.clock)
    if "label" in found:
        entry["labels"] = [str(label) for label in found["label"]]
    if "unit" in found:
        labels = {unit.id: unit.label for unit in table.units}
        entry["units"] = [labels.get(int(number), str(number)) for number in found["unit"]]
    if table.channels is not None:
        channels = table.channels
        entry["channels"] = list(channels.names)
        entry["channel_units"] = list(channels.units)
        entry["values"] = scaled(found["value"], channels.gain, channels.offset)
    entry["annotations"] = {name: found[name] for name in table.annotation_columns}
    return entry


def _show(entry: Mapping[str, Any], wanted: Wanted) -> None:
    """Print the tables of a recording."""
    screen = console.out()
    width = None if wanted.channels else screen.width
    has_segments = entry["segments"] > 1
    parts: list[Any] = [Text(console.plain(entry["path"]), style="bold green", overflow="fold")]
    parts += [_signal_table(each, width, has_segments=has_segments) for each in entry["signals"]]
    parts += [_item_table(table, has_segments=has_segments) for table in entry["tables"]]
    screen.print(Group(*parts))


def _title(name: str, first: int, shown: int, total: int, noun: str) -> str:
    if not shown:
        return f"{name}: none of {counted(total, noun)}"
    return f"{name}: {noun}s {first:,} to {first + shown - 1:,} of {total:,}"


def _lead(entry: Mapping[str, Any], row: int, *, has_segments: bool) -> list[str]:
    segment = [str(int(entry["segment_numbers"][row]))] if has_segments else []
    return [*segment, words.seconds(float(entry["times"][row]), digits=7)]


def _signal_table(signal: Mapping[str, Any], width: int | None, *, has_segments: bool) -> Any:
    """Make the table of a signal's samples, as many channels as fit."""
    columns = _signal_columns(signal)
    rows = range(len(signal["times"]))
    leads = [_lead(signal, row, has_segments=has_segments) for row in rows]
    heads = [*(["segment"] if has_segments else []), "time (s)"]
    shown = list(columns)
    if width is not None:
        taken = sum(len(head) + BORDER for head in heads) + BORDER
        shown = shown[: _fitting(columns, width - taken)]
    title = _title(signal["name"], signal["first"], len(rows), signal["samples"], "sample")
    heads += [console.plain(head) for head, _ in shown]
    table = console.table(*heads, right=tuple(heads))
    for row in rows:
        table.add_row(*leads[row], *(cells[row] for _, cells in shown))
    hidden = len(columns) - len(shown)
    if hidden:
        title += f" ({counted(hidden, 'more channel')}: --channels chooses)"
    return console.section(title, table)


def _signal_columns(signal: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Give a head and the cells for each channel; of images, their ranges."""
    if "values" in signal:
        names, units, values = signal["channels"], signal["units"], signal["values"]
    else:
        names = "minimum", "mean", "maximum"
        units = [signal["units"][0]] * len(names)
        values = np.stack([signal[name] for name in names], axis=1)
    return [
        (f"{name} ({unit})" if unit else name, [words.number(float(each)) for each in column])
        for name, unit, column in zip(names, units, values.T, strict=True)
    ]


def _fitting(columns: Sequence[tuple[str, list[str]]], width: int) -> int:
    """Count the columns that fit side by side, at least one."""
    for number, (head, cells) in enumerate(columns):
        width -= max(map(len, [head, *cells])) + BORDER
        if width < 0:
            return max(1, number)
    return len(columns)


def _item_table(entry: Mapping[str, Any], *, has_segments: bool) -> Any:
    """Make the table of spikes, events, epochs or irregular samples."""
    noun = {"spikes": "spike", "events": "event", "epochs": "epoch"}.get(entry["kind"], "item")
    columns = _item_columns(entry)
    heads = [*(["segment"] if has_segments else []), "time (s)", *columns]
    title = _title(entry["name"], entry["first"], len(entry["times"]), entry["count"], noun)
    table = console.table(*map(console.plain, heads), right=("segment", "time (s)"))
    for row in range(len(entry["times"])):
        lead = _lead(entry, row, has_segments=has_segments)
        table.add_row(*lead, *console.cells(*(column[row] for column in columns.values())))
    return console.section(title, table)


def _item_columns(entry: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """Give the columns of a table as text, by their heads."""
    columns: dict[str, Sequence[Any]] = {}
    if "durations" in entry:
        columns["duration (s)"] = [words.seconds(float(each)) for each in entry["durations"]]
    if "labels" in entry:
        columns["label"] = entry["labels"]
    if "units" in entry:
        columns["unit"] = entry["units"]
    for position, name in enumerate(entry.get("channels", ())):
        head = f"{name} ({entry['channel_units'][position]})"
        columns[head] = [words.number(float(each)) for each in entry["values"][:, position]]
    return columns | {name: list(column) for name, column in entry["annotations"].items()}
