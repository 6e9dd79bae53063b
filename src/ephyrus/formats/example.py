"""Example: a made-up recording that holds everything a recording can hold.

It needs no file: any path that ends in ``.fake`` (or none) opens it. It has two blocks with two
and three segments, two streams of eight channels at 10 kHz, three spike channels with waveforms, an
event channel and an epoch channel; its values are those of the reference data set of Neo's rawio
interface. It serves as the model for new formats, and as a recording to try analyses on.

Nothing is left out. Source: the description of ``ExampleRawIO`` in Neo's documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import (
    BlockInfo,
    Channels,
    FileSet,
    Format,
    Opening,
    Reading,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    Unit,
    Waveforms,
    columns,
    run_table,
)

# Segments: block, t_start and t_stop in seconds.
SEGMENTS = ((0, 0.0, 10.0), (0, 15.0, 25.0), (1, 0.0, 10.0), (1, 20.0, 30.0), (1, 60.0, 70.0))
RATE = Fraction(10_000)  # Hz, of signals, waveforms and the clock
GAIN = 1000 / 2**16  # uV (or pA) per count
STREAM_CHANNELS = 8
STREAM_COUNT = 2
PICOAMPERE_CHANNELS = {14, 15}
SEGMENT_SAMPLES = 100_000
SPIKES = 20  # per unit and segment
SPIKE_TICKS = 500  # between spikes
WAVEFORM_SAMPLES = 50
LEFT_SWEEP_SAMPLES = 20
EVENTS = 6  # per segment, one a second
EPOCHS = 10  # per segment, one a second from 0.5 s on
EPOCH_TICKS = 2_500  # duration

FORMAT = Format(
    name="example",
    label="Example (made up, no file needed)",
    io_class="ExampleIO",
    extensions=("fake",),
    mode="fake",
    holds=("Block", "Segment", "Group", "AnalogSignal", "SpikeTrain", "Event", "Epoch"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """There is nothing in the file; the name stands for the recording."""

    source_name: str


def sniff(files: FileSet, head: bytes) -> float:
    """Tell a ``.fake`` path; its content does not matter."""
    return 1.0 if files.suffix == "fake" else 0.0


def parse_header(opening: Opening) -> Header:
    """Take the name of the recording."""
    return Header(opening.files.path)


def index(opening: Opening, header: Header) -> NDArray[np.int64]:
    """Give the first tick of each segment."""
    return np.array([round(t_start * RATE) for _, t_start, _ in SEGMENTS], np.int64)


def describe(header: Header, index: NDArray[np.int64]) -> RecordingInfo:
    """Build the descriptors."""
    segment_of_block: dict[int, int] = {}
    segments = []
    for block, t_start, t_stop in SEGMENTS:
        number = segment_of_block.setdefault(block, 0)
        segment_of_block[block] += 1
        name = f"Seg #{number} Block #{block}"
        extra = {"seg_extra_info": f"This is the seg {number} of block {block}"}
        segments.append(SegmentInfo(t_start, t_stop, name, block, extra))
    blocks = tuple(
        BlockInfo(f"Block #{block}", {"block_extra_info": f"This is the block {block}"})
        for block in segment_of_block
    )
    return RecordingInfo(
        segments=tuple(segments),
        blocks=blocks,
        signals=tuple(_signal(number, index) for number in range(STREAM_COUNT)),
        tables=(*(_spikes(number, index) for number in range(3)), _events(index), _epochs(index)),
        software="ephyrus",
    )


def _signal(number: int, ticks: NDArray[np.int64]) -> SignalStream:
    channels = range(number * STREAM_CHANNELS, (number + 1) * STREAM_CHANNELS)
    runs = run_table([SEGMENT_SAMPLES] * len(ticks), ticks)
    return SignalStream(
        index=number,
        id=str(number),
        name=f"stream {number}",
        length=int(runs["count"].sum()),
        dtype=np.dtype("<i2"),
        rate=RATE,
        channels=Channels.table(
            [f"ch{channel}" for channel in channels],
            ids=[str(channel + 1) for channel in channels],
            units=["pA" if channel in PICOAMPERE_CHANNELS else "uV" for channel in channels],
            gain=GAIN,
            extra={"impedance": np.linspace(1.0, 1.7, STREAM_CHANNELS)},
        ),
        runs=runs,
        clock=RATE,
        annotations={"nickname": f"This stream {number} is from a subdevice"},
    )


def _spikes(number: int, ticks: NDArray[np.int64]) -> TableStream:
    runs = run_table([SPIKES] * len(ticks), ticks)
    unit = Unit(number, f"unit{number}", f"#{number}", {"quality": "Good!!"})
    return TableStream(
        index=number,
        id=unit.label,
        name=unit.name,
        kind="spikes",
        length=int(runs["count"].sum()),
        columns=columns(
            tick="<i8", unit="<i4", amplitudes="<f8", waveform=("<i2", (1, WAVEFORM_SAMPLES))
        ),
        clock=RATE,
        runs=runs,
        units=(unit,),
        unit_counts=runs["count"][np.newaxis, :],
        waveforms=Waveforms(RATE, LEFT_SWEEP_SAMPLES / RATE, "uV", GAIN),
    )


def _events(ticks: NDArray[np.int64]) -> TableStream:
    runs = run_table([EVENTS] * len(ticks), ticks)
    return TableStream(
        index=3,
        id="ev_0",
        name="Some events",
        kind="events",
        length=int(runs["count"].sum()),
        columns=columns(tick="<i8", label=object, button="<U1"),
        clock=RATE,
        runs=runs,
        annotations={"nickname": "Miss Event 0"},
    )


def _epochs(ticks: NDArray[np.int64]) -> TableStream:
    runs = run_table([EPOCHS] * len(ticks), ticks)
    return TableStream(
        index=4,
        id="ep_1",
        name="Some epochs",
        kind="epochs",
        length=int(runs["count"].sum()),
        columns=columns(tick="<i8", duration="<i8", label=object),
        clock=RATE,
        runs=runs,
        annotations={"nickname": "Mr Epoch 1"},
    )


def read_signal(
    reading: Reading[Header, NDArray[np.int64]],
    stream: SignalStream,
    start: int,
    stop: int,
    channels: NDArray[np.intp] | None,
) -> NDArray[Any]:
    """Give stored numbers of samples [start, stop): all zero."""
    width = len(stream.channels) if channels is None else len(channels)
    return np.zeros((stop - start, width), stream.dtype)


def read_table(
    reading: Reading[Header, NDArray[np.int64]],
    stream: TableStream,
    start: int,
    stop: int,
    columns: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Give columns of items [start, stop)."""
    per_segment = int(stream.runs["count"][0])
    segment, item = np.divmod(np.arange(start, stop), per_segment)
    makers = {"spikes": _spike_columns, "events": _event_columns, "epochs": _epoch_columns}
    made = makers[stream.kind](stream, reading.index[segment], item, segment)
    return {name: made[name] for name in columns}


def _spike_columns(
    stream: TableStream,
    t_start: NDArray[np.int64],
    item: NDArray[np.int64],
    segment: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    shape = stream.length, 1, WAVEFORM_SAMPLES
    waveforms = np.random.default_rng(stream.index).integers(-16, 16, shape, np.int16)
    return {
        "tick": t_start + item * SPIKE_TICKS,
        "unit": np.full(item.size, stream.units[0].id, np.int32),
        "amplitudes": -item.astype(np.float64),
        "waveform": waveforms[segment * SPIKES + item],
    }


def _event_columns(
    stream: TableStream,
    t_start: NDArray[np.int64],
    item: NDArray[np.int64],
    segment: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    return {
        "tick": t_start + item * int(RATE),
        "label": np.where(item % 2 == 0, "trigger_a", "trigger_b"),
        "button": np.full(item.size, "A"),
    }


def _epoch_columns(
    stream: TableStream,
    t_start: NDArray[np.int64],
    item: NDArray[np.int64],
    segment: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    return {
        "tick": t_start + item * int(RATE) + int(RATE) // 2,
        "duration": np.full(item.size, EPOCH_TICKS, np.int64),
        "label": np.where(item < EPOCHS // 2, "zoneX", "zoneZ"),
    }
