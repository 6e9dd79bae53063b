"""A format for tests: a JSON header, then the stored numbers of the signals, one after the other.

It is a format module like any other (so recordings of it can be pickled and read piece by piece),
and `write` makes its files from arrays. Layout: 8 bytes little-endian header length, JSON, data.
"""

from __future__ import annotations

import json
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from ephyrus.recording import (
    BlockInfo,
    Channels,
    FileSet,
    Format,
    Limits,
    Option,
    Recording,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    Unit,
    Waveforms,
    columns,
    run_table,
)

FORMAT = Format(
    name="arrays",
    label="Arrays for tests",
    io_class="ArraysIO",
    extensions=("arrays",),
    holds=("AnalogSignal",),
    options=(Option("note", None, "A problem to note.", "text"),),
)


def sniff(files, head):
    return 1.0 if files.suffix == "arrays" else 0.0


def signal(data, *, rate=1000, clock=None, runs=None, names=None, **more):
    """Describe a signal: array (time, channel), runs as (count, tick, segment)."""
    data = np.asarray(data)
    runs = [(len(data), 0, 0)] if runs is None else runs
    width = data.shape[1] if data.ndim == 2 else 1
    rate = Fraction(rate)
    return {
        "data": data,
        "rate": [rate.numerator, rate.denominator],
        "clock": list(Fraction(clock or rate).as_integer_ratio()),
        "runs": [list(run) for run in runs],
        "names": names or [f"ch{number}" for number in range(width)],
        **more,
    }


def table(kind, *, clock=1000, runs=None, units=(), **fields):
    """Describe a table; fields are arrays."""
    arrays = {name: np.asarray(values) for name, values in fields.items() if name not in _FACTS}
    length = len(arrays["tick"])
    return {
        "kind": kind,
        "clock": list(Fraction(clock).as_integer_ratio()),
        "runs": [list(run) for run in (runs or [(length, 0, 0)])],
        "units": list(units),
        "columns": {
            name: {
                "dtype": "O" if values.dtype.kind in "UO" else values.dtype.str,
                "shape": values.shape[1:],
                "values": values.tolist(),
            }
            for name, values in arrays.items()
        },
        **{name: fields[name] for name in _FACTS if name in fields},
    }


_FACTS = ("name", "waveforms", "channels", "annotations")


def content(signals=(), tables=(), *, stimuli=(), segments=None, **facts):
    """Give the bytes of a file."""
    blobs, described = [], {"signals": [], "stimuli": []}
    for group, members in (("signals", signals), ("stimuli", stimuli)):
        for member in members:
            data = member["data"]
            described[group].append(
                {key: value for key, value in member.items() if key != "data"}
                | {"dtype": data.dtype.str, "shape": data.shape}
            )
            blobs.append(np.ascontiguousarray(data).tobytes())
    last = max(
        (run[2] for item in (*signals, *tables, *stimuli) for run in item["runs"]), default=0
    )
    described |= {"tables": list(tables), "segments": segments or [{} for _ in range(last + 1)]}
    described |= {"facts": facts}
    header = json.dumps(described).encode()
    return len(header).to_bytes(8, "little") + header + b"".join(blobs)


def write(path, signals=(), tables=(), **more):
    """Write a file."""
    Path(path).write_bytes(content(signals, tables, **more))
    return path


def in_memory(signals=(), tables=(), *, limits=None, note=None, name="made.arrays", **more):
    """Open a recording in memory."""
    files = FileSet(name, memory={name: content(signals, tables, **more)})
    return opened(files, limits=limits, note=note)


def opened(files, *, limits: Limits | None = None, note: str | None = None):
    """Open a recording of a FileSet."""
    import tests.synth.arrays as module

    return Recording(module, files, {"note": note}, limits=limits)


def parse_header(opening):
    length = int(opening.files.main.array(0, "<u8", 1)[0])
    if opening.options["note"]:
        opening.note(opening.options["note"], offset=3, field="note", lost=2)
    return json.loads(opening.files.main.read_at(8, length)) | {"offset": 8 + length}


def index(opening, header):
    offset, places = header["offset"], {}
    for group in ("signals", "stimuli"):
        for number, item in enumerate(header[group]):
            places[group, number] = offset
            offset += int(np.prod(item["shape"])) * np.dtype(item["dtype"]).itemsize
    return places


def describe(header, index):
    facts = header["facts"]
    when = facts.get("rec_datetime")
    return RecordingInfo(
        segments=tuple(SegmentInfo(**segment) for segment in header["segments"]),
        blocks=(BlockInfo(rec_datetime=when and datetime.fromisoformat(when)),),
        signals=tuple(_signal("signals", *each) for each in enumerate(header["signals"])),
        stimuli=tuple(_signal("stimuli", *each) for each in enumerate(header["stimuli"])),
        tables=tuple(_table(*each) for each in enumerate(header["tables"])),
        software=facts.get("software"),
        annotations=facts.get("annotations", {}),
    )


def _signal(group, number, item):
    counts, ticks, segments = zip(*item["runs"], strict=True)
    return SignalStream(
        index=number,
        id=f"{group}{number}",
        name=item.get("name", f"stream {number}"),
        length=item["shape"][0],
        dtype=np.dtype(item["dtype"]),
        rate=Fraction(*item["rate"]),
        channels=Channels.table(
            item["names"],
            ids=item.get("ids"),
            units=item.get("units", "mV"),
            gain=item.get("gain", 1.0),
            offset=item.get("offset", 0.0),
            extra=item.get("extra"),
        ),
        runs=run_table(counts, ticks, segments),
        clock=Fraction(*item["clock"]),
        item_shape=tuple(item["shape"][1:]),
        annotations={"group": group} | item.get("annotations", {}),
    )


def _table(number, item):
    counts, ticks, segments = zip(*item["runs"], strict=True)
    runs = run_table(counts, ticks, segments)
    units = tuple(Unit(*unit) for unit in item["units"])
    ids = np.array(item["columns"].get("unit", {"values": []})["values"])
    per_run = [
        [int(np.sum(ids[run["first"] : run["first"] + run["count"]] == unit.id)) for run in runs]
        for unit in units
    ]
    channels = item.get("channels")
    waveforms = item.get("waveforms")
    return TableStream(
        index=number,
        id=f"tables{number}",
        name=item.get("name", f"table {number}"),
        kind=item["kind"],
        length=int(runs["count"].sum()),
        columns=columns(
            **{
                name: (column["dtype"], tuple(column["shape"]))
                for name, column in item["columns"].items()
            }
        ),
        clock=Fraction(*item["clock"]),
        runs=runs,
        units=units,
        unit_counts=np.array(per_run, np.int64).reshape(len(units), len(runs)),
        waveforms=waveforms and Waveforms(Fraction(waveforms[0]), Fraction(0), *waveforms[1:]),
        channels=channels and Channels.table(**channels),
        annotations=item.get("annotations", {}),
    )


def read_signal(reading, stream, start, stop, channels):
    offset = reading.index[stream.annotations["group"], stream.index] + start * stream.item_bytes
    count = (stop - start) * int(np.prod(stream.item_shape))
    data = reading.files.main.array(offset, stream.dtype, count)
    data = data.reshape(stop - start, *stream.item_shape)
    return data if channels is None else data[:, channels]


def read_table(reading, stream, start, stop, columns):
    described = reading.header["tables"][stream.index]["columns"]
    return {
        name: np.array(described[name]["values"][start:stop], described[name]["dtype"]).reshape(
            stop - start, *described[name]["shape"]
        )
        for name in columns
    }
