"""What a Neuroshare library is in Python terms: a protocol, and the values that it gives.

Two kinds of libraries follow it: vendors' shared libraries behind `ctypes`, in this process or in
a child, and recordings that the package reads itself. Items are given many at a time, so that
neither a call nor a message between processes is needed for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.constants import LibraryFlags

__all__ = [
    "AnalogInfo",
    "EntityInfo",
    "EventInfo",
    "EventItems",
    "FileDescription",
    "FileInfo",
    "LibraryInfo",
    "NeuralInfo",
    "NeuroshareLibrary",
    "SegmentInfo",
    "SegmentItems",
    "SourceInfo",
]


@dataclass(frozen=True, slots=True)
class FileDescription:
    """A type of files that a library reads."""

    description: str
    extension: str
    mac_codes: str
    magic_code: bytes


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """What a library says of itself; a date that is none is 0, 0, 0."""

    version_major: int
    version_minor: int
    api_version_major: int
    api_version_minor: int
    description: str
    creator: str
    year: int
    month: int
    day: int
    flags: LibraryFlags
    max_files: int
    file_types: tuple[FileDescription, ...] = ()


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What a library says of a file; times in seconds, a date that is none is all 0."""

    file_type: str
    entity_count: int
    time_stamp_resolution: float
    time_span: float
    app_name: str
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    millisecond: int
    comment: str


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """Label, type (see `EntityType`; others occur) and number of items of an entity."""

    label: str
    entity_type: int
    item_count: int


@dataclass(frozen=True, slots=True)
class EventInfo:
    """Type (see `EventType`) and sizes in bytes of the items of an event entity."""

    event_type: int
    min_data_length: int
    max_data_length: int
    csv_desc: str


@dataclass(frozen=True, slots=True)
class AnalogInfo:
    """Rate (Hz), range and resolution (in `units`), place (m) and filters of an analog entity."""

    sample_rate: float
    min_value: float
    max_value: float
    units: str
    resolution: float
    location_x: float
    location_y: float
    location_z: float
    location_user: float
    high_freq_corner: float
    high_freq_order: int
    high_filter_type: str
    low_freq_corner: float
    low_freq_order: int
    low_filter_type: str
    probe_info: str


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """Sources, samples per item, rate (Hz) and unit of a segment entity."""

    source_count: int
    min_sample_count: int
    max_sample_count: int
    sample_rate: float
    units: str


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Range, resolution, shift of the samples (s), place (m) and filters of a segment's source."""

    min_value: float
    max_value: float
    resolution: float
    sub_sample_shift: float
    location_x: float
    location_y: float
    location_z: float
    location_user: float
    high_freq_corner: float
    high_freq_order: int
    high_filter_type: str
    low_freq_corner: float
    low_freq_order: int
    low_filter_type: str
    probe_info: str


@dataclass(frozen=True, slots=True)
class NeuralInfo:
    """Where the spikes of a neural entity were sorted from."""

    source_entity_id: int
    source_unit_id: int
    probe_info: str


class EventItems(NamedTuple):
    """Times in seconds, shape (items,), and the bytes of each item as the library gave them."""

    times: NDArray[np.float64]
    values: list[bytes]


class SegmentItems(NamedTuple):
    """Items of a segment entity.

    Attributes
    ----------
    times : ndarray of float64, shape (items,)
        Seconds.
    values : ndarray of float64, shape (items, sources, most samples)
        NaN beyond the samples of an item.
    sample_counts : ndarray of uint32, shape (items,)
        Samples of each item.
    unit_ids : ndarray of uint32, shape (items,)
        Units as the library gives them (bits: 0 unclassified, bit 0 noise, bit n unit n).
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    sample_counts: NDArray[np.uint32]
    unit_ids: NDArray[np.uint32]


class NeuroshareLibrary(Protocol):
    """The calls of the C interface in Python terms.

    Every call may raise `NeuroshareError` with the result code; ``start`` and ``count`` must lie
    within the entity's items.
    """

    @property
    def name(self) -> str:
        """Name of the library."""

    @property
    def path(self) -> str | None:
        """The library's file, where it is one."""

    def library_info(self) -> LibraryInfo:
        """Tell what the library is."""

    def open(self, filename: str) -> int:
        """Open a file and give its handle."""

    def close(self, handle: int) -> None:
        """Close a file."""

    def file_info(self, handle: int) -> FileInfo:
        """Tell what a file is."""

    def entity_info(self, handle: int, entity: int) -> EntityInfo:
        """Tell what an entity is."""

    def event_info(self, handle: int, entity: int) -> EventInfo:
        """Tell what the items of an event entity are."""

    def analog_info(self, handle: int, entity: int) -> AnalogInfo:
        """Tell how an analog entity was recorded."""

    def segment_info(self, handle: int, entity: int) -> SegmentInfo:
        """Tell what the items of a segment entity are."""

    def source_info(self, handle: int, entity: int, source: int) -> SourceInfo:
        """Tell how a source of a segment entity was recorded."""

    def neural_info(self, handle: int, entity: int) -> NeuralInfo:
        """Tell where a neural entity comes from."""

    def event_data(self, handle: int, entity: int, start: int, count: int) -> EventItems:
        """Give items of an event entity."""

    def analog_data(
        self, handle: int, entity: int, start: int, count: int
    ) -> tuple[NDArray[np.float64], int]:
        """Give samples, and how many from `start` on have no gap between them."""

    def continuous_count(self, handle: int, entity: int, start: int, count: int) -> int:
        """Tell how many of `count` samples from `start` on have no gap, without reading them."""

    def segment_data(self, handle: int, entity: int, start: int, count: int) -> SegmentItems:
        """Give items of a segment entity."""

    def neural_data(self, handle: int, entity: int, start: int, count: int) -> NDArray[np.float64]:
        """Give times of spikes in seconds."""

    def time_by_index(self, handle: int, entity: int, index: int) -> float:
        """Give the time of an item in seconds."""

    def index_by_time(self, handle: int, entity: int, time: float, search: int) -> int:
        """Give the item that `search` means by a time."""
