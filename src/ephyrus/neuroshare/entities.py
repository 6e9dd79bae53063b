"""Entities of a Neuroshare file: events, analog signals, segments, spike times.

Names, arguments and shapes are those of G-Node's documentation. Nothing is read before it is asked
for.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.constants import EntityType, EventType, Result
from ephyrus.dll.failures import failure
from ephyrus.dll.interface import EntityInfo, EventItems, SegmentItems
from ephyrus.dll.texts import decoded
from ephyrus.dll.times import sample_times

if TYPE_CHECKING:
    from ephyrus.neuroshare.file import File

__all__ = [
    "AnalogEntity",
    "Entity",
    "EntityTime",
    "EventEntity",
    "NeuralEntity",
    "SegmentEntity",
    "SegmentSource",
    "entity_class",
]

ValueT = TypeVar("ValueT")
_TEXTS = (EventType.TEXT, EventType.CSV)
_WORD_BYTES = {EventType.BYTE: 1, EventType.WORD: 2, EventType.DWORD: 4}


class EntityTime(IntEnum):
    """Which item is meant by a time."""

    Closest = 0
    Before = -1
    After = 1


class Fact(Generic[ValueT]):
    """A value of the information that a library gives of an entity."""

    def __init__(self, key: str, doc: str) -> None:
        self.key = key
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, owner: None, kind: type) -> Fact[ValueT]: ...

    @overload
    def __get__(self, owner: object, kind: type) -> ValueT: ...

    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None:
            return self
        value = getattr(owner.info, self.name)
        return int(value) if isinstance(value, IntEnum) else value


def _facts(cls: type) -> dict[str, str]:
    """Give the metadata key of each fact of a class and those it derives from."""
    classes = reversed(cls.__mro__)
    return {
        fact.key: name
        for each in classes
        for name, fact in vars(each).items()
        if isinstance(fact, Fact)
    }


class _Place:
    """Where and through which filters something was recorded."""

    location_x = Fact[float]("LocationX", "Place of the electrode in m.")
    location_y = Fact[float]("LocationY", "Place of the electrode in m.")
    location_z = Fact[float]("LocationZ", "Place of the electrode in m.")
    location_user = Fact[float]("LocationUser", "A further coordinate, of the user's own.")
    high_freq_corner = Fact[float]("HighFreqCorner", "Corner of the low-pass filter in Hz.")
    high_freq_order = Fact[int]("HighFreqOrder", "Order of the low-pass filter.")
    high_filter_type = Fact[str]("HighFilterType", "Type of the low-pass filter.")
    low_freq_corner = Fact[float]("LowFreqCorner", "Corner of the high-pass filter in Hz.")
    low_freq_order = Fact[int]("LowFreqOrder", "Order of the high-pass filter.")
    low_filter_type = Fact[str]("LowFilterType", "Type of the high-pass filter.")
    probe_info = Fact[str]("ProbeInfo", "What the library says of the probe.")


class Entity:
    """Something in a file that has items in order of time.

    Parameters
    ----------
    file : File
        The file.
    id : int
        Its number in the file.
    general : EntityInfo, optional
        What the library says of any entity, where it is known already.
    """

    def __init__(self, file: File, id: int, general: EntityInfo | None = None) -> None:
        self.file = file
        self.id = operator.index(id)
        self._entity = general or file.entity_info(self.id)

    @property
    def label(self) -> str:
        """Its name."""
        return self._entity.label

    @property
    def entity_type(self) -> int:
        """What it is, one of `EntityType`; libraries can give other numbers."""
        return self._entity.entity_type

    @property
    def item_count(self) -> int:
        """Number of items."""
        return self._entity.item_count

    def __len__(self) -> int:
        return self.item_count

    @cached_property
    def info(self) -> Any:
        """What the library says of an entity of this type; None for the general ones."""
        return self._read_info()

    def _read_info(self) -> Any:
        return None

    @property
    def metadata_raw(self) -> dict[str, Any]:
        """All facts by the names of the C interface."""
        general = {
            "EntityLabel": self.label,
            "EntityType": self.entity_type,
            "ItemCount": self.item_count,
        }
        return general | {key: getattr(self.info, name) for key, name in _facts(type(self)).items()}

    def get_time_by_index(self, index: int) -> float:
        """Give the time of an item in seconds.

        Raises
        ------
        NeuroshareError
            If there is no such item.
        """
        return float(self._ask("time_by_index", operator.index(index)))

    def get_index_by_time(self, timepoint: float, position: int = EntityTime.Closest) -> int:
        """Give the index of the item at, before or after a time.

        Parameters
        ----------
        timepoint : float
            Seconds.
        position : EntityTime
            Which item is meant: the closest, the last at or before, the first at or after it.

        Raises
        ------
        NeuroshareError
            If there is no such item.
        """
        return int(self._ask("index_by_time", float(timepoint), int(EntityTime(position))))

    def _ask(self, call: str, *arguments: Any) -> Any:
        """Ask the library something about this entity."""
        return getattr(self.file.open_library, call)(self.file.open_handle, self.id, *arguments)

    def _range(self, start: int, count: int) -> tuple[int, int]:
        """Give start and count of items; a negative count means all from `start` on."""
        start, count = operator.index(start), operator.index(count)
        left = self.item_count - start
        count = left if count < 0 else count
        if start < 0 or count < 0 or count > left:
            raise failure(
                Result.BADINDEX,
                f"{self.label!r} has {self.item_count:,} items: {count:,} from {start:,} on are "
                "not all there",
            )
        return start, count

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"neuroshare.{name}({self.label!r}, {self.item_count:,} items)"


class EventEntity(Entity):
    """Texts or numbers at times.

    Items are texts, comma-separated values, or unsigned numbers of 8, 16 or 32 bits.
    """

    EVENT_TEXT: ClassVar[int] = EventType.TEXT
    EVENT_CSV: ClassVar[int] = EventType.CSV
    EVENT_BYTE: ClassVar[int] = EventType.BYTE
    EVENT_WORD: ClassVar[int] = EventType.WORD
    EVENT_DWORD: ClassVar[int] = EventType.DWORD

    event_type = Fact[int]("EventType", "What the items are: text, CSV, byte, word, double word.")
    csv_desc = Fact[str]("CSVDesc", "Names of the comma-separated values.")
    min_data_length = Fact[int]("MinDataLength", "Bytes of the shortest item.")
    max_data_length = Fact[int]("MaxDataLength", "Bytes of the longest item.")

    def _read_info(self) -> Any:
        return self._ask("event_info")

    def get_data(self, index: int) -> tuple[float, str | int]:
        """Give time (s) and value of an item.

        Raises
        ------
        NeuroshareError
            If the library has no such item.
        """
        items = self._ask("event_data", operator.index(index), 1)
        return float(items.times[0]), self._value(items.values[0])

    def get_items(self, start: int = 0, count: int = -1) -> tuple[NDArray[np.float64], list[Any]]:
        """Give times (s) and values of many items; a negative count means all from `start` on."""
        items = self._ask("event_data", *self._range(start, count))
        return items.times, [self._value(value) for value in items.values]

    def get_bytes(self, start: int = 0, count: int = -1) -> EventItems:
        """Give many items as the library gave them: words can have more than one number."""
        return cast("EventItems", self._ask("event_data", *self._range(start, count)))

    def _value(self, raw: bytes) -> str | int:
        if self.event_type in _TEXTS:
            return decoded(raw)
        width = _WORD_BYTES.get(cast("EventType", self.event_type), len(raw))
        return int.from_bytes(raw[:width], "little")


class AnalogEntity(_Place, Entity):
    """A signal of one channel, which can have gaps."""

    sample_rate = Fact[float]("SampleRate", "Samples per second.")
    min_value = Fact[float]("MinVal", "Least possible value.")
    max_value = Fact[float]("MaxVal", "Greatest possible value.")
    units = Fact[str]("Units", "Unit of the values.")
    resolution = Fact[float]("Resolution", "Least step between values.")

    def _read_info(self) -> Any:
        return self._ask("analog_info")

    def get_data(
        self, index: int = 0, count: int = -1
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Give samples, their times, and how many are continuous.

        Parameters
        ----------
        index : int
            First sample.
        count : int
            Number of samples; negative: all from `index` on.

        Returns
        -------
        data : ndarray of float64, shape (count,)
            Values in `units`.
        times : ndarray of float64, shape (count,)
            Seconds.
        continuous_count : int
            How many samples from `index` on have no gap between them.

        Raises
        ------
        NeuroshareError
            If they are not all there.
        """
        index, count = self._range(index, count)
        data, continuous = self._ask("analog_data", index, count)
        library, handle = self.file.open_library, self.file.open_handle
        times = sample_times(library, handle, self.id, index, count, self.sample_rate)
        return data, times, continuous


class SegmentSource(_Place):
    """One of the channels that a segment entity was cut out of."""

    min_value = Fact[float]("MinVal", "Least possible value.")
    max_value = Fact[float]("MaxVal", "Greatest possible value.")
    resolution = Fact[float]("Resolution", "Least step between values.")
    sub_sample_shift = Fact[float]("SubSampleShift", "Time of sampling after the time given, in s.")

    def __init__(self, segment: SegmentEntity, id: int) -> None:
        self.segment = segment
        self.id = id

    @cached_property
    def info(self) -> Any:
        """What the library says of the source."""
        return self.segment._ask("source_info", self.id)

    @property
    def metadata_raw(self) -> dict[str, Any]:
        """All facts by the names of the C interface."""
        return {key: getattr(self.info, name) for key, name in _facts(type(self)).items()}

    def __repr__(self) -> str:
        return f"neuroshare.SegmentSource({self.id} of {self.segment.label!r})"


class _Sources(Sequence[SegmentSource]):
    """The sources of a segment entity."""

    def __init__(self, segment: SegmentEntity) -> None:
        self._segment = segment

    def __len__(self) -> int:
        return self._segment.source_count

    @overload
    def __getitem__(self, index: int) -> SegmentSource: ...

    @overload
    def __getitem__(self, index: slice) -> list[SegmentSource]: ...

    def __getitem__(self, index: int | slice) -> SegmentSource | list[SegmentSource]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [SegmentSource(self._segment, number) for number in numbers]
        return SegmentSource(self._segment, numbers)


class SegmentEntity(Entity):
    """Short pieces of one or several channels around events: spikes with waveforms."""

    source_count = Fact[int]("SourceCount", "Number of channels.")
    min_sample_count = Fact[int]("MinSampleCount", "Samples of the shortest item.")
    max_sample_count = Fact[int]("MaxSampleCount", "Samples of the longest item.")
    sample_rate = Fact[float]("SampleRate", "Samples per second.")
    units = Fact[str]("Units", "Unit of the values.")

    def _read_info(self) -> Any:
        return self._ask("segment_info")

    @property
    def sources(self) -> Sequence[SegmentSource]:
        """The channels."""
        return _Sources(self)

    def get_data(self, index: int) -> tuple[NDArray[np.float64], float, int, int]:
        """Give an item.

        Returns
        -------
        data : ndarray of float64, shape (sources, max_sample_count)
            Values in `units`; NaN beyond the samples of this item.
        timestamp : float
            Seconds.
        sample_count : int
            Samples of this item.
        unit_id : int
            Units as the library gives them: 0 unclassified, bit 0 noise, bit n unit n.
        """
        items = self._ask("segment_data", operator.index(index), 1)
        count, unit = int(items.sample_counts[0]), int(items.unit_ids[0])
        return items.values[0], float(items.times[0]), count, unit

    def get_items(self, start: int = 0, count: int = -1) -> SegmentItems:
        """Give many items at once; a negative count means all from `start` on."""
        return cast("SegmentItems", self._ask("segment_data", *self._range(start, count)))


class NeuralEntity(Entity):
    """Times of the spikes of one unit."""

    probe_info = Fact[str]("ProbeInfo", "What the library says of the probe or the unit.")
    source_entity_id = Fact[int]("SourceEntityID", "Number of the entity it was sorted from.")
    source_unit_id = Fact[int]("SourceUnitID", "Number of the unit in that entity.")

    def _read_info(self) -> Any:
        return self._ask("neural_info")

    def get_data(self, index: int = 0, count: int = -1) -> NDArray[np.float64]:
        """Give times in seconds, shape (count,); a negative count means all from `index` on."""
        return cast("NDArray[np.float64]", self._ask("neural_data", *self._range(index, count)))


_CLASSES: Mapping[int, type[Entity]] = {
    EntityType.Event: EventEntity,
    EntityType.Analog: AnalogEntity,
    EntityType.Segment: SegmentEntity,
    EntityType.Neural: NeuralEntity,
}


def entity_class(entity_type: int) -> type[Entity]:
    """Give the class for a type of entities; for unknown ones the general one."""
    return _CLASSES.get(entity_type, Entity)
