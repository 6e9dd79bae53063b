"""``ephyrus info``: what is in a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from ephyrus._shared.words import counted
from ephyrus.cli import console, words
from ephyrus.cli.failures import Tally
from ephyrus.cli.inputs import How, find_sources, open_source, recording_files
from ephyrus.cli.progress import RichProgress
from ephyrus.recording import Recording
from ephyrus.recording.summary import summary

__all__ = ["run"]

SEGMENTS_SHOWN = 8
NAMES_SHOWN = 8
UNITS_SHOWN = 12
EMPTY_SHOWN = 5  # tables without items; more of them are one line
PROBLEMS_SHOWN = 20
LONGEST_VALUE = 400  # characters of an annotation


def run(paths: Sequence[str], how: How, *, recursive: bool, as_json: bool, quiet: bool) -> int:
    """Describe recordings; gives the exit code."""
    tally = Tally(salvage=how.salvage)
    entries: list[dict[str, Any]] = []
    with RichProgress(quiet=quiet) as progress:
        for source in find_sources(paths, tally, recursive=recursive, format=how.format):
            with tally.attempt(source.path):
                with open_source(source.path, how, progress) as recording:
                    entry = _entry(recording)
                progress.finish()
                entries.append(entry)
                if not as_json:
                    _show(entry)
    if as_json:
        console.write_json(entries + tally.entries())
    return tally.code


def _entry(recording: Recording) -> dict[str, Any]:
    """Describe a recording in the terms of JSON."""
    files = recording_files(recording)
    size = sum(file.stat().st_size for file in files)
    entry = summary(recording)
    return {
        "path": entry.pop("path"),
        "files": [str(file) for file in files],
        "size": size if files else None,
        **entry,
    }


def _show(entry: Mapping[str, Any]) -> None:
    console.out().print(Group(*_parts(entry)))


def _parts(entry: Mapping[str, Any]) -> Iterator[Any]:
    """Compose the description for people."""
    yield Text(console.plain(entry["path"]), style="bold green", overflow="fold")
    yield _facts(entry)
    if len(entry["segments"]) > 1:
        yield _segments(entry["segments"], has_blocks=len(entry["blocks"]) > 1)
    for title, signals in (("Signals", entry["signals"]), ("Stimuli", entry["stimuli"])):
        if signals:
            yield _signals(title, signals)
    if entry["tables"]:
        yield _tables(entry["tables"])
    annotations = dict(entry["annotations"])
    for block in entry["blocks"]:
        annotations |= block["annotations"] if len(entry["blocks"]) == 1 else {}
    if annotations:
        yield _annotations(annotations)
    if entry["problems"]:
        yield from _problems(entry["problems"])


def _facts(entry: Mapping[str, Any]) -> Any:
    facts = console.facts()
    rows = [
        ("format", f"{entry['format_label']} ({entry['format']})"),
        ("files", ", ".join(Path(file).name for file in entry["files"][1:]) and _names(entry)),
        ("size", None if entry["size"] is None else words.size(entry["size"])),
        ("recorded", entry["rec_datetime"] and entry["rec_datetime"].replace("T", " ")),
        ("software", entry["software"]),
        ("duration", _extent(entry)),
    ]
    for name, value in rows:
        if value:
            facts.add_row(name, *console.cells(value))
    return Padding(facts, (0, 0, 1, 1), expand=False)


def _names(entry: Mapping[str, Any]) -> str:
    names = [Path(file).name for file in entry["files"]]
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _extent(entry: Mapping[str, Any]) -> str:
    segments = entry["segments"]
    text = words.duration(entry["duration"])
    if len(segments) < 2:
        return text
    text += f" in {counted(len(segments), 'segment')}"
    blocks = len(entry["blocks"])
    return text + (f" of {counted(blocks, 'block')}" if blocks > 1 else "")


def _segments(segments: Sequence[Mapping[str, Any]], *, has_blocks: bool) -> Any:
    """Make the table of segments; those in the middle of many are left out."""
    heads = (*(("block",) if has_blocks else ()), "segment", "name", "start (s)", "duration")
    table = console.table(*heads, right=("block", "segment", "start (s)", "duration"))
    last = len(segments) - 1
    within: dict[int, int] = {}
    for position, segment in enumerate(segments):
        number = within.setdefault(segment["block"], 0)
        within[segment["block"]] += 1
        if len(segments) > SEGMENTS_SHOWN and SEGMENTS_SHOWN - 2 < position < last:
            if position == SEGMENTS_SHOWN - 1:
                left_out = counted(last - position, "more segment")
                table.add_row(*[""] * (len(heads) - 3), f"... {left_out} ...", "", "")
            continue
        start, stop = (float(segment[key] or 0.0) for key in ("t_start", "t_stop"))
        lead = (segment["block"],) if has_blocks else ()
        row = *lead, number, segment["name"], words.seconds(start), words.duration(stop - start)
        table.add_row(*console.cells(*row))
    return console.section("Segments", table)


def _signals(title: str, signals: Sequence[Mapping[str, Any]]) -> Any:
    heads = "name", "channels", "unit", "rate", "samples", "type", "gaps"
    table = console.table(*heads, right=("rate", "samples"))
    for signal in signals:
        table.add_row(
            *console.cells(
                signal["name"],
                _channels(signal),
                ", ".join(unit or "(none)" for unit in signal["units"]),
                words.rate(signal["rate"]),
                f"{signal['samples']:,}",
                np.dtype(signal["dtype"]).name,
                _gaps(signal["gaps"]),
            )
        )
    return console.section(title, table)


def _channels(signal: Mapping[str, Any]) -> str:
    """Name the first channels, or give the size of images."""
    if len(signal["shape"]) > 1:
        return "image of " + " × ".join(map(str, signal["shape"]))
    names = [channel["name"] for channel in signal["channels"]]
    return f"{len(names):,}: {_first(names, NAMES_SHOWN)}"


def _first(names: Sequence[str], shown: int) -> str:
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")


def _gaps(gaps: Mapping[str, Any]) -> str:
    if not gaps["count"]:
        return ""
    return f"{gaps['count']:,}, {words.duration(gaps['seconds'])} in all"


def _tables(tables: Sequence[Mapping[str, Any]]) -> Any:
    table = console.table("name", "kind", "count", "content", right=("count",))
    empty = [each for each in tables if not each["count"]]
    gathered = len(empty) > EMPTY_SHOWN
    for each in tables:
        if gathered and not each["count"]:
            continue
        row = each["name"], each["kind"], f"{each['count']:,}", _content(each)
        table.add_row(*console.cells(*row))
    if gathered:
        names = _first([each["name"] for each in empty], NAMES_SHOWN)
        row = f"{len(empty):,} without items", "", "0", names
        table.add_row(*console.cells(*row))
    return console.section("Spikes, events, epochs", table)


def _content(table: Mapping[str, Any]) -> str:
    """Name units, labels or channels, with their counts."""
    if "labels_error" in table:
        return f"cannot be read: {table['labels_error']}"
    if "units" in table:
        found = [f"{unit['label']} ({unit['count']:,})" for unit in table["units"]]
        return f"{counted(len(found), 'unit')}: {_first(found, UNITS_SHOWN)}"
    if "labels" in table:
        found = [f"{label or '(no label)'} ({count:,})" for label, count in table["labels"].items()]
        more = table["label_count"] > len(found[:UNITS_SHOWN])
        return ", ".join(found[:UNITS_SHOWN]) + (", …" if more else "")
    channels = table.get("channels", ())
    return ", ".join(f"{channel['name']} ({channel['unit']})" for channel in channels)


def _annotations(annotations: Mapping[str, Any]) -> Any:
    table = console.table("name", "value")
    for name, value in annotations.items():
        if value in (None, ""):
            continue
        text = console.plain(value)
        if len(text) > LONGEST_VALUE:
            text = f"{text[:LONGEST_VALUE]}… ({len(text):,} characters; --json shows them all)"
        table.add_row(*console.cells(name, text))
    return console.section("Annotations", table)


def _problems(problems: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """List what was salvaged, assumed or ignored."""
    yield Text("Problems", style="bold yellow")
    for problem in problems[:PROBLEMS_SHOWN]:
        place = "" if problem["offset"] is None else f"byte {problem['offset']} "
        place += f"({problem['field']}) " if problem["field"] else ""
        lost = f" [{problem['lost']:,} items lost]" if problem["lost"] else ""
        name = Path(problem["path"]).name
        text = f"  {name}: {place.rstrip()}{': ' if place else ''}{problem['reason']}{lost}"
        yield Text(console.plain(text), overflow="fold")
    more = len(problems) - PROBLEMS_SHOWN
    if more > 0:
        yield Text(f"  and {more:,} more; 'ephyrus check' lists them all")
