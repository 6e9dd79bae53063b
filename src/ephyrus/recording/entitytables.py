"""Tables made of event, segment and neural entities; see `ephyrus.recording.entities`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.interface import NeuralInfo, SegmentInfo
from ephyrus.recording.clock import as_fraction
from ephyrus.recording.entities import Placed, is_rate
from ephyrus.recording.grouping import unit_counts
from ephyrus.recording.streams import Channels, TableStream, Unit, Waveforms, columns

__all__ = [
    "NUMBER_BYTES",
    "Table",
    "count_of_numbers",
    "number_names",
]

NUMBER_BYTES = {2: 1, 3: 2, 4: 4}  # of the numbers of byte, word and double word events
MOST_NUMBERS = 16  # of an event, that are given


def count_of_numbers(event_type: int, lengths: NDArray[np.int64]) -> int:
    """Tell how many numbers each event has that is given; 0 for texts.

    Parameters
    ----------
    event_type : int
        Type of the events.
    lengths : ndarray of int64, shape (items,)
        Bytes of each.
    """
    width = NUMBER_BYTES.get(event_type, 0)
    if not width:
        return 0
    least = int(lengths.min()) if lengths.size else width
    return max(1, min(least // width, MOST_NUMBERS))


def number_names(count: int) -> list[str]:
    """Name the columns of the numbers of events: ``number``, ``number_2``, ..."""
    return ["number", *(f"number_{n}" for n in range(2, count + 1))][:count]


class Table:
    """What all tables of entities share.

    Parameters
    ----------
    index : int
        Position among the tables.
    entity : int
        Number of the entity.
    label : str
        Its name.
    place : Placed
        Its items in segments.
    """

    def __init__(self, index: int, entity: int, label: str, place: Placed) -> None:
        self._entity, self._label, self._place = entity, label, place
        self._shared: dict[str, Any] = {
            "index": index,
            "id": str(entity),
            "name": label,
            "length": len(place.ticks),
            "clock": place.clock,
            "runs": place.runs,
        }

    def as_line(self) -> Table:
        """Give the base of a second table of the same entity: when a digital line was up."""
        self._shared["id"] = f"{self._entity} up"
        return self

    def events(self, event_type: int, csv_desc: str, numbers: int) -> TableStream:
        """Describe events of texts, or of so many numbers each."""
        width = NUMBER_BYTES.get(event_type, 0)
        types = dict.fromkeys(number_names(numbers), f"<u{width}")
        return TableStream(
            kind="events",
            columns=columns(tick=self._place.ticks.dtype, label=object, **types),
            annotations={"event_type": int(event_type), "field_names": csv_desc},
            **self._shared,
        )

    def epochs(self) -> TableStream:
        """Describe epochs; durations are floating point numbers of ticks."""
        kinds = columns(tick=self._place.ticks.dtype, duration=np.float64, label=object)
        return TableStream(kind="epochs", columns=kinds, **self._shared)

    def waveforms(
        self,
        info: SegmentInfo,
        sources: Sequence[Mapping[str, Any]],
        units: NDArray[np.uint32],
        samples: int,
    ) -> TableStream:
        """Describe spikes with waveforms of so many samples, a row for each of the sources.

        Parameters
        ----------
        info : SegmentInfo
            What the items are.
        sources : sequence of mapping
            Range, place and filters of each source whose samples there are.
        units : ndarray of uint32, shape (items,)
            Unit of each item in the order of the file.
        samples : int
            Samples of the longest item.
        """
        rate = as_fraction(info.sample_rate) if is_rate(info.sample_rate) else Fraction(1)
        facts: dict[str, Any] = {
            name: [each[name] for each in sources] if len(sources) > 1 else value
            for name, value in (sources[0] if sources else {}).items()
        }
        facts |= {"min_sample_count": info.min_sample_count, "unit_ids_are_bits": True}
        rows = max(len(sources), 1)
        ids = np.unique(units).tolist() or [0]
        return self._spikes(
            ids,
            units,
            {"waveform": ("<f8", (rows, samples))},
            {"entity_id": self._entity},
            waveforms=Waveforms(rate, Fraction(0), info.units),
            annotations=facts,
        )

    def times(self, info: NeuralInfo) -> TableStream:
        """Describe the spikes of a neural entity."""
        unit = info.source_unit_id
        text = info.probe_info
        return self._spikes(
            [unit],
            np.full(self._shared["length"], unit, np.uint32),
            {},
            {"entity_id": self._entity, "source_entity_id": info.source_entity_id},
            annotations={"probe_info": text} if text else {},
        )

    def _spikes(
        self,
        ids: Sequence[int],
        of_items: NDArray[np.uint32],
        types: Mapping[str, Any],
        facts: Mapping[str, Any],
        **keywords: Any,
    ) -> TableStream:
        """Describe spikes of some units."""
        alone = len(ids) == 1
        units = tuple(
            Unit(
                unit,
                self._label if alone else f"{self._label}#{unit}",
                f"{self._entity}#{unit}",
                {"unit_id": unit, **facts},
            )
            for unit in ids
        )
        return TableStream(
            kind="spikes",
            columns=columns(tick=self._place.ticks.dtype, unit="<u4", **types),
            units=units,
            unit_counts=unit_counts(self._place.chosen(of_items), ids, self._place.runs),
            **self._shared,
            **keywords,
        )

    def samples(self, units: str, sources: Sequence[Mapping[str, Any]]) -> TableStream:
        """Describe samples at times of their own, a channel for each of the sources."""
        rows = max(len(sources), 1)
        names = [self._label if rows == 1 else f"{self._label} {at}" for at in range(rows)]
        extra = {name: [each[name] for each in sources] for name in (sources or [{}])[0]}
        return TableStream(
            kind="samples",
            columns=columns(tick=self._place.ticks.dtype, value=("<f8", (rows,))),
            channels=Channels.table(names, units=units, extra=extra),
            **self._shared,
        )
