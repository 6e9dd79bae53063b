"""What the recordings of `vendor.c` hold: written from that file, and used by no code but tests."""

from __future__ import annotations

import numpy as np

from ephyrus.dll.constants import LibraryFlags
from ephyrus.dll.interface import (
    AnalogInfo,
    EntityInfo,
    EventInfo,
    FileDescription,
    FileInfo,
    LibraryInfo,
    NeuralInfo,
    SegmentInfo,
    SourceInfo,
)

LARGE = 100  # samples of entity 6 and items of entity 11, unless ordered otherwise

LIBRARY = LibraryInfo(
    version_major=2,
    version_minor=7,
    api_version_major=1,
    api_version_minor=3,
    description="Library for tests",
    creator="ephyrus",
    year=2011,
    month=12,
    day=31,
    flags=LibraryFlags.DEBUG,
    max_files=8,
    file_types=(FileDescription("Test recordings", "nst", "", b"NSTEST"),),
)

FILE = FileInfo(
    file_type="test recording",
    entity_count=12,
    time_stamp_resolution=1 / 30000,
    time_span=12.5,
    app_name="ephyrus tests",
    year=2019,
    month=2,
    day=28,
    hour=23,
    minute=59,
    second=58,
    millisecond=1000,
    comment="Messung ä - no UTF-8",
)

ENTITIES = [
    EntityInfo("words", 1, 4),
    EntityInfo("table", 1, 3),
    EntityInfo("bytes", 1, 5),
    EntityInfo("word pairs", 1, 3),
    EntityInfo("long words", 1, 2),
    EntityInfo("gaps µV", 2, 1501),
    EntityInfo("large", 2, LARGE),
    EntityInfo("tetrode", 3, 6),
    EntityInfo("neural", 4, 7),
    EntityInfo("nothing", 1, 0),
    EntityInfo("a label of thirty-two characters", 7, 0),
    EntityInfo("large spikes", 3, LARGE),
]

EVENT_INFOS = {
    0: EventInfo(0, 0, 6, ""),
    1: EventInfo(1, 5, 5, "x,y"),
    2: EventInfo(2, 1, 1, ""),
    3: EventInfo(3, 4, 4, ""),
    4: EventInfo(4, 4, 4, ""),
    9: EventInfo(3, 2, 2, ""),
}

EVENT_VALUES = {
    0: [b"start", b"Reiz \xfc", b"", b"stop"],
    1: [b"0,100\0", b"1,101\0", b"2,102\0"],
    2: [b"\xfa", b"\xfb", b"\xfc", b"\xfd", b"\xfe"],
    3: [b"\xfd\xff\x00\x00", b"\xfe\xff\x07\x00", b"\xff\xff\x0e\x00"],
    4: [b"\xfe\xff\xff\xff", b"\xff\xff\xff\xff"],
    9: [],
}

# Place and filters, of analog entities and of sources.
PLACE = {
    "location_x": 0.001,
    "location_y": 0.002,
    "location_z": 0.003,
    "location_user": 0.004,
    "high_freq_corner": 5000.0,
    "high_freq_order": 4,
    "high_filter_type": "Butterworth",
    "low_freq_corner": 1.0,
    "low_freq_order": 2,
    "low_filter_type": "sixteen letters!",
    "probe_info": "probe é",
}

ANALOG_INFOS = {
    entity: AnalogInfo(
        sample_rate=rate, min_value=-100.0, max_value=1000.0, units="uV", resolution=0.5, **PLACE
    )
    for entity, rate in ((5, 1000.0), (6, 30000.0))
}

SEGMENT_INFOS = {
    7: SegmentInfo(3, 5, 20, 30000.0, "mV"),
    11: SegmentInfo(1, 32, 32, 30000.0, "mV"),
}

SOURCE_INFOS = {
    (entity, source): SourceInfo(
        min_value=-1.0,
        max_value=1.0,
        resolution=0.001 * (source + 1),
        sub_sample_shift=1e-6 * source,
        **PLACE,
    )
    for entity, source in ((7, 0), (7, 1), (7, 2), (11, 0))
}

NEURAL_INFO = NeuralInfo(7, 2, "tetrode")

RUNS = [(0, 1000, 0.0), (1000, 500, 2.5), (1500, 1, 10.0)]  # of entity 5: first, count, start

SEGMENT_COUNTS = [5, 8, 11, 14, 17, 20]
SEGMENT_UNITS = [0, 1, 2, 4, 2, 0]


def analog_values(start: int, stop: int) -> np.ndarray:
    """Samples of both analog entities."""
    return np.arange(start, stop) % 4096 * 0.5 - 100


def continuous(entity: int, start: int, count: int) -> int:
    """How many samples have no gap."""
    if entity == 6:
        return count
    return next(min(count, first + size - start) for first, size, _ in RUNS if start < first + size)


def times(entity: int, large: int = LARGE) -> np.ndarray:
    """Times of all items of an entity."""
    index = np.arange(ENTITIES[entity].item_count, dtype=float)
    if entity == 5:
        return np.concatenate([start + np.arange(size) / 1000 for _, size, start in RUNS])
    if entity in (6, 11):
        return np.arange(large) / {6: 30000.0, 11: 1000.0}[entity]
    if entity == 7:
        return 0.5 + index * 1.25
    if entity == 8:
        return 0.125 * index * index
    return 0.25 * (index + 1) + entity


def segment_values(entity: int, large: int = LARGE) -> np.ndarray:
    """Items of a segment entity, with NaN beyond the samples of each."""
    if entity == 11:
        items, samples = np.ogrid[:large, :32]
        return (items + 0.01 * samples)[:, np.newaxis, :]
    items, sources, samples = np.ogrid[:6, :3, :20]
    values = items + 0.01 * samples + 100.0 * sources
    lengths = np.array(SEGMENT_COUNTS)[:, np.newaxis, np.newaxis]
    return np.where(samples < lengths, values, np.nan)


def segment_units(entity: int, large: int = LARGE) -> np.ndarray:
    """Units of the items of a segment entity."""
    return np.array(SEGMENT_UNITS) if entity == 7 else np.arange(large) % 3


def segment_counts(entity: int, large: int = LARGE) -> np.ndarray:
    """Samples of the items of a segment entity."""
    return np.array(SEGMENT_COUNTS) if entity == 7 else np.full(large, 32)
