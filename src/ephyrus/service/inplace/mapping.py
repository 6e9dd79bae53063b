"""Recording -> rows of objects, without a database and without copying any data.

The tree is that of ``read_block``: one object per signal, train, event and epoch that it would
give, with the same grouping of channels. Beside it there are, for each block, a group of recording
channels per signal, a group of units, and a section with the annotations, which the objects are
tagged with. Times are in s, rates in Hz, signals in the units of the file. Images are arrays with
one channel per pixel, row by row, as their description says. Command signals of a protocol are not
part of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import numpy as np

from ephyrus.core.units import unit_from_text
from ephyrus.recording import Recording, SignalStream, TableStream
from ephyrus.recording.blocks import TreeIndex
from ephyrus.recording.clock import seconds
from ephyrus.recording.objects import CHILD_LISTS, Address
from ephyrus.recording.tree import segment_addresses
from ephyrus.service.arrays.recorded import encoded_labels, recorded_array
from ephyrus.service.catalog.bulk import NewObject
from ephyrus.service.inplace.annotations import Metadata, tags_of

__all__ = ["rows_of"]

ARRAY, ARRAY_MIME = 5, "application/x-hdf"  # what a datafile is that holds one array
CHECKED_ITEMS = 2**16  # up to so many times are read to see whether they are sorted
SCANNED_ITEMS = 2**16  # labels that are looked at together for their length


def rows_of(
    recording: Recording, *, recording_id: int = 0, name: str = "", version: int = 0
) -> Iterator[NewObject]:
    """Give the objects of a recording, parents before children.

    Parameters
    ----------
    recording : Recording
        The recording; only descriptors are read, and labels for their length.
    recording_id : int
        Its number in the locations of arrays.
    name : str
        What it is called (default: the name of its file).
    version : int
        Time of the last change of its files, in the locations of arrays; 0: none.

    Yields
    ------
    NewObject
        Datafiles carry their ``array``, whose location is understood by `recorded_array`.
    """
    title = name or PurePath(recording.path).name
    for row in _Mapping(recording, recording_id, title, version).rows():
        texts = [each for each in row.attributes.values() if isinstance(each, str)]
        if all(map(_is_sound, texts)):
            yield row
        else:
            yield replace(row, attributes={k: _sound(v) for k, v in row.attributes.items()})


class _Mapping:
    """The rows of one recording."""

    def __init__(self, recording: Recording, recording_id: int, name: str, version: int) -> None:
        self.recording = recording
        self.place = {"kind": "recorded", "recording": recording_id, "version": version}
        self.name = name
        self.metadata = Metadata()
        self.tags: dict[str, tuple[Any, ...]] = {}
        index = recording.reading.index
        self.held: TreeIndex | None = index if isinstance(index, TreeIndex) else None

    def rows(self) -> Iterator[NewObject]:
        """Give all rows."""
        recording = self.recording
        facts = {"format": recording.format.label, "file": self.name}
        if recording.info.software:
            facts["software"] = recording.info.software
        yield from self._section(
            "recording", self.name, {**facts, **recording.annotations}, odml_type="recording"
        )
        for number, stream in enumerate(recording.signals):
            yield from self._stream_section(f"signal:{number}", stream)
        for number, table in enumerate(recording.tables):
            yield from self._stream_section(f"table:{number}", table)
        for block in range(len(recording.blocks)):
            yield from self._block(block)

    def _section(
        self, key: str, name: str, annotations: Mapping[str, Any], **more: Any
    ) -> Iterator[NewObject]:
        """Make a section and remember the values that objects are tagged with."""
        rows = list(self.metadata.section(f"section:{key}", name, annotations, **more))
        self.tags[key] = tags_of(rows)
        yield from rows

    def _stream_section(self, key: str, stream: SignalStream | TableStream) -> Iterator[NewObject]:
        facts = {"id": stream.id, **stream.annotations}
        if isinstance(stream, SignalStream):
            facts |= dict(stream.channels.extra)
        kind = "signal" if isinstance(stream, SignalStream) else stream.kind
        parent = "section:recording"
        yield from self._section(key, stream.name, facts, parent=parent, odml_type=kind)

    def _block(self, number: int) -> Iterator[NewObject]:
        """Make a block with its section, groups and segments."""
        recording, info = self.recording, self.recording.blocks[number]
        key, many = f"block:{number}", len(recording.blocks) > 1
        held = None if self.held is None else self.held.blocks[number]
        tags = self.tags["recording"]
        if info.annotations:
            title = info.name or (f"block {number}" if many else "block")
            yield from self._section(
                key, title, info.annotations, parent="section:recording", odml_type="block"
            )
            tags += self.tags[key]
        name = info.name or (f"{self.name} {number}" if many else self.name)
        yield NewObject(
            "block",
            key,
            attributes={
                "name": name,
                "description": getattr(held, "description", None)
                or f"{recording.format.label} recording {self.name}",
                "filedatetime": _moment(info.rec_datetime),
                "index": number,
            },
            parents={"section": "section:recording"},
            tags=tags,
        )
        segments = [at for at, each in enumerate(recording.segments) if each.block == number]
        yield from self._channels(number, segments)
        yield from self._units(number, segments)
        for segment in segments:
            yield from self._segment(segment, key)

    def _channels(self, block: int, segments: list[int]) -> Iterator[NewObject]:
        """Make the channels of each signal that occurs in a block."""
        for number, stream in enumerate(self.recording.signals):
            if not np.isin(stream.runs["segment"], segments).any():
                continue
            group = f"group:{block}:{number}"
            yield NewObject(
                "recordingchannelgroup",
                group,
                attributes={"name": stream.name, "description": f"channels of {stream.name}"},
                parents={"block": f"block:{block}"},
                tags=self.tags[f"signal:{number}"],
            )
            if len(stream.item_shape) > 1:
                continue
            for at, name in enumerate(stream.channels.names):
                yield NewObject(
                    "recordingchannel",
                    f"channel:{block}:{number}:{at}",
                    attributes={
                        "name": name or f"channel {at}",
                        "description": f"id {stream.channels.ids[at]}",
                        "index": at,
                    },
                    parents={"recordingchannelgroup": (group,)},
                )

    def _units(self, block: int, segments: list[int]) -> Iterator[NewObject]:
        """Make the units of a block, in one group."""
        group = f"units:{block}"
        spikes = [table for table in self.recording.tables if table.kind == "spikes"]
        there = [table for table in spikes if np.isin(table.runs["segment"], segments).any()]
        if not there:
            return
        yield NewObject(
            "recordingchannelgroup",
            group,
            attributes={"name": "units", "description": "units whose spikes were recorded"},
            parents={"block": f"block:{block}"},
        )
        for table in there:
            for at, unit in enumerate(table.units):
                yield NewObject(
                    "unit",
                    f"unit:{block}:{table.index}:{at}",
                    attributes={
                        "name": unit.name or unit.label,
                        "description": f"{table.name}, id {unit.label}",
                    },
                    parents={"recordingchannelgroup": group},
                )

    def _segment(self, number: int, block: str) -> Iterator[NewObject]:
        """Make a segment and what is in it."""
        info, recording = self.recording.segments[number], self.recording
        place = recording.segment_places[number]
        key, section = f"segment:{number}", f"segment:{number}"
        tags: tuple[Any, ...] = ()
        if info.annotations:
            title = f"segment {place}" + (f" of {block}" if len(recording.blocks) > 1 else "")
            yield from self._section(
                section,
                info.name or title,
                info.annotations,
                parent="section:recording",
                odml_type="segment",
            )
            tags = self.tags[section]
        yield NewObject(
            "segment",
            key,
            attributes={
                "name": info.name or f"segment {place}",
                "filedatetime": _moment(info.rec_datetime),
                "index": place,
            },
            parents={"block": block},
            tags=tags,
        )
        modes = recording.format.signal_group_modes
        mode = recording.info.signal_group_mode or modes[0]
        for name, addresses in segment_addresses(recording, number, mode).items():
            for address in addresses:
                yield from _MAKERS[name](self, address, key)

    def _signal(self, address: Address, segment: str) -> Iterator[NewObject]:
        """Make a signal: one channel is an array of one dimension, more (and images) of two."""
        stream, run = self.recording.signals[address.stream], address.run or 0
        block = self.recording.segments[address.segment].block
        place: dict[str, Any] = {"stream": address.stream, "run": run}
        if address.channels is not None:
            place["channels"] = list(address.channels)
        parts = "" if address.channels is None else f":{address.channels[0]}"
        key = f"{segment}/signal:{address.stream}:{run}{parts}"
        name, description = self._words(address)
        is_one = len(address.channels or stream.channels) == 1 and len(stream.item_shape) == 1
        if is_one:
            first = 0 if address.channels is None else address.channels[0]
            above = {"recordingchannel": f"channel:{block}:{address.stream}:{first}"}
        else:
            above = {"recordingchannelgroup": f"group:{block}:{address.stream}"}
        yield self._datafile(key, "signal", name, place)
        yield NewObject(
            "analogsignal" if is_one else "analogsignalarray",
            key,
            attributes={"name": name, "description": description or _shape_in_words(stream)},
            quantities={
                "sampling_rate": (float(stream.rate), "Hz"),
                "t_start": (float(seconds(stream.runs["tick"][run], stream.clock)), "s"),
            },
            arrays={"signal": (f"{key}.signal", _unit(_unit_text(stream.channels, address)))},
            parents={"segment": segment, **above},
            tags=self.tags[f"signal:{address.stream}"],
        )

    def _samples(self, address: Address, segment: str) -> Iterator[NewObject]:
        """Make an irregular signal."""
        table = self.recording.tables[address.stream]
        parts = "" if address.channels is None else f":{address.channels[0]}"
        key, place = self._table_place(address, segment, parts)
        if address.channels is not None:
            place["channels"] = list(address.channels)
        name, description = self._words(address)
        yield self._datafile(key, "times", name, place)
        yield self._datafile(key, "signal", name, place)
        array = recorded_array(self.recording, {"field": "times", "address": place})
        start = float(array.read(0, 1)[0]) if array.shape[0] else 0.0
        yield NewObject(
            "irsaanalogsignal",
            key,
            attributes={"name": name, "description": description},
            quantities={"t_start": (start, "s")},
            arrays={
                "signal": (f"{key}.signal", _unit(_unit_text(table.channels, address))),
                "times": (f"{key}.times", "s"),
            },
            parents={"segment": segment},
            tags=self.tags[f"table:{address.stream}"],
        )

    def _spikes(self, address: Address, segment: str) -> Iterator[NewObject]:
        """Make a spike train."""
        table = self.recording.tables[address.stream]
        key, place = self._table_place(address, segment, f":{address.unit}")
        place["unit"] = address.unit
        name, description = self._words(address)
        arrays = {"times": (f"{key}.times", "s")}
        yield self._datafile(key, "times", name, place)
        if table.waveforms is not None and address.run is not None:
            arrays["waveforms"] = f"{key}.waveforms", _unit(table.waveforms.unit)
            yield self._datafile(key, "waveforms", name, place)
        start, stop = self._extent(address)
        block = self.recording.segments[address.segment].block
        unit = f"unit:{block}:{address.stream}:{address.unit}"
        yield NewObject(
            "spiketrain",
            key,
            attributes={"name": name, "description": description},
            quantities={"t_start": (start, "s"), "t_stop": (stop, "s")},
            arrays=arrays,
            parents={"segment": segment} | ({} if address.run is None else {"unit": unit}),
            tags=self.tags[f"table:{address.stream}"],
        )

    def _points(self, address: Address, segment: str) -> Iterator[NewObject]:
        """Make an array of events or epochs."""
        fields = ("labels", "times", "durations")[: 3 if address.kind == "epochs" else 2]
        key, place = self._table_place(address, segment)
        name, description = self._words(address)
        for field in fields:
            more = {"width": self._width(address)} if field == "labels" else {}
            yield self._datafile(key, field, name, {**place, **more})
        yield NewObject(
            "epocharray" if address.kind == "epochs" else "eventarray",
            key,
            attributes={"name": name, "description": description},
            arrays={
                field: (f"{key}.{field}", None if field == "labels" else "s") for field in fields
            },
            parents={"segment": segment},
            tags=self.tags[f"table:{address.stream}"],
        )

    def _table_place(
        self, address: Address, segment: str, more: str = ""
    ) -> tuple[str, dict[str, Any]]:
        run = "none" if address.run is None else address.run
        key = f"{segment}/{address.kind}:{address.stream}:{run}{more}"
        return key, {"table": True, "stream": address.stream, "run": address.run}

    def _datafile(self, key: str, field: str, name: str, place: Mapping[str, Any]) -> NewObject:
        """Make the datafile of an array."""
        address = {name: value for name, value in place.items() if name != "width"}
        if field == "labels":
            address["width"] = place["width"]
        location = {**self.place, "address": address, "field": field}
        array = recorded_array(self.recording, location)
        is_sorted = None
        if field == "times":
            is_sorted = self._is_sorted(address, location, array.shape[0])
            address["sorted"] = bool(is_sorted)
        return NewObject(
            "datafile",
            f"{key}.{field}",
            attributes={"name": f"{field} of {name}" if name else field},
            array={
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "sorted": is_sorted,
                "location": location,
            },
            facts={
                "file_type": ARRAY,
                "mime": ARRAY_MIME,
                "extracted_info": {"dtype": array.dtype.str, "shape": list(array.shape)},
                "content": f"{self.name}@{self.place['version']}#{key}.{field}",
            },
        )

    def _is_sorted(
        self, address: Mapping[str, Any], location: Mapping[str, Any], count: int
    ) -> bool | None:
        """Tell whether times are sorted; None: there are too many to look."""
        table = self.recording.tables[address["stream"]]
        if table.is_sorted or count < 2:
            return True
        if count > CHECKED_ITEMS:
            return None
        times = recorded_array(self.recording, location).read()
        return bool(np.all(times[1:] >= times[:-1]))

    def _width(self, address: Address) -> int:
        """Give the bytes of the longest label."""
        table, run = self.recording.tables[address.stream], address.run
        if run is None:
            return 1
        first = int(table.runs["first"][run])
        stop, widest = first + int(table.runs["count"][run]), 1
        for start in range(first, stop, SCANNED_ITEMS):
            end = min(start + SCANNED_ITEMS, stop)
            labels = self.recording.read_table(table, start, end, ["label"])["label"]
            widest = max(widest, encoded_labels(labels).dtype.itemsize)
        return widest

    def _held_object(self, address: Address) -> Any:
        """Give the object of a recording that holds a tree itself."""
        if self.held is None or address.run is None:
            return None
        is_signal = address.kind in ("signal", "image")
        lists = self.held.signals if is_signal else self.held.tables
        return lists[address.stream][address.run]

    def _words(self, address: Address) -> tuple[str, str | None]:
        """Give name and description."""
        held = self._held_object(address)
        if held is None:
            return address.name or "", None
        return held.name or "", held.description

    def _extent(self, address: Address) -> tuple[float, float]:
        """Give the first and the last time of a train."""
        held, info = self._held_object(address), self.recording.segments[address.segment]
        if held is None:
            return info.t_start or 0.0, info.t_stop or 0.0
        return (
            float(held.t_start.rescale("s").magnitude),
            float(held.t_stop.rescale("s").magnitude),
        )


def _shape_in_words(stream: SignalStream) -> str | None:
    if len(stream.item_shape) == 1:
        return None
    rows, columns = stream.item_shape
    return f"images of {rows} rows and {columns} columns; one channel per pixel, row by row"


def _unit_text(channels: Any, address: Address) -> str:
    """Give the unit of the chosen channels, which is one for all."""
    units = channels.units
    if not units:
        return ""
    return str(units[0 if address.channels is None else address.channels[0]])


def _is_sound(text: str) -> bool:
    """Tell whether every database can hold a text."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _sound(value: Any) -> Any:
    """Take out of a text what no database can hold."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "")


def _moment(value: datetime | None) -> datetime | None:
    """Give a time without a zone; one that has a zone in UTC."""
    if value is None or value.tzinfo is None:
        return value
    return value.astimezone(UTC).replace(tzinfo=None)


@lru_cache(maxsize=256)
def _unit(text: str) -> str:
    """Give a unit as objects in memory have it; one that is not known as the file has it."""
    unit, known = unit_from_text(text)
    if not known:
        return text.strip() or "dimensionless"
    return str(unit.dimensionality)


_MAKERS = {
    CHILD_LISTS["signal"]: _Mapping._signal,
    CHILD_LISTS["image"]: _Mapping._signal,
    CHILD_LISTS["samples"]: _Mapping._samples,
    CHILD_LISTS["spikes"]: _Mapping._spikes,
    CHILD_LISTS["events"]: _Mapping._points,
    CHILD_LISTS["epochs"]: _Mapping._points,
}
