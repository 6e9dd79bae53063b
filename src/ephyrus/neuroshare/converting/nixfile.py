"""A recording as a NIX file: arrays with times, groups by type, sections with all facts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus import nix
from ephyrus.neuroshare.converting import left_out, sample_pieces, unique_names
from ephyrus.neuroshare.entities import (
    AnalogEntity,
    Entity,
    EventEntity,
    NeuralEntity,
    SegmentEntity,
)
from ephyrus.neuroshare.file import File
from ephyrus.recording import Progress, pieces, under_way

__all__ = ["write_nix"]

PIECE_BYTES = 16 * 2**20  # of segments that are held at a time
GROUPS = {1: "Event", 2: "Analog", 3: "Segment", 4: "Neural"}
SECTIONS = {1: "events", 2: "analogs", 3: "segments", 4: "neurals"}
NO_UNIT = "V"  # where the library gives a unit that none is


def write_nix(file: File, path: Path, progress: Progress) -> tuple[str, ...]:
    """Write all entities; gives what is left out, a sentence each."""
    with nix.File.open(path, nix.FileMode.Overwrite) as target:
        return _Converter(file, target, progress).run()


class _Converter:
    """Writes the entities of a file into a block of another one."""

    def __init__(self, file: File, target: Any, progress: Progress) -> None:
        self._file, self._target, self._progress = file, target, progress
        name = file.name.replace("/", "_").strip() or "recording"
        self._block = target.create_block(name, "nix.session")
        self._top = target.create_section(name, "odml.recording")
        self._groups: dict[int, Any] = {}
        self._sections: dict[int, Any] = {}
        self._segment_arrays: set[str] = set()

    def run(self) -> tuple[str, ...]:
        """Write everything."""
        _put_facts(self._top, self._file.metadata_raw)
        entities = list(self._file.list_entities())
        known = [entity for entity in entities if entity.entity_type in GROUPS]
        names = unique_names({entity.id: _name(entity) for entity in known})
        for entity in known:
            label = f"{entity.id + 1} of {len(entities)}: {entity.label}"
            with under_way(self._progress, entity.item_count, "items", label):
                self._write(entity, names[entity.id])
        left = len(entities) - len(known)
        return left_out(left)

    def _write(self, entity: Entity, name: str) -> None:
        """Write an entity; those without items are no arrays."""
        if isinstance(entity, SegmentEntity):
            self._segments(entity, name)
            return
        if not entity.item_count:
            return
        if isinstance(entity, AnalogEntity):
            array = self._analog(entity, name)
        elif isinstance(entity, EventEntity):
            array = self._events(entity, name)
        elif isinstance(entity, NeuralEntity):
            array = self._neural(entity, name)
        else:
            return
        self._group(entity).data_arrays.append(array)
        array.metadata = self._facts(entity, f"{name} metadata", "odml.recording")

    def _group(self, entity: Entity) -> Any:
        """Give the group of a type of entities; it is made when it is needed."""
        kind = entity.entity_type
        if kind not in self._groups:
            self._groups[kind] = self._block.create_group(GROUPS[kind], "group")
        return self._groups[kind]

    def _section(self, entity: Entity) -> Any:
        kind = entity.entity_type
        if kind not in self._sections:
            self._sections[kind] = self._top.create_section(SECTIONS[kind], "odml.recording")
        return self._sections[kind]

    def _facts(self, entity: Entity, name: str, kind: str) -> Any:
        """Make a section with the facts of an entity."""
        section = self._section(entity).create_section(name, kind)
        _put_facts(section, entity.metadata_raw)
        return section

    def _events(self, entity: EventEntity, name: str) -> Any:
        times, values = entity.get_items()
        data: NDArray[Any] = np.array(values, object if isinstance(values[0], str) else np.float64)
        array = self._block.create_data_array(name, "nix.event", data=data, label="timepoints")
        array.append_range_dimension(times, label="time", unit="s")
        self._progress.advance(len(values))
        return array

    def _analog(self, entity: AnalogEntity, name: str) -> Any:
        count = entity.item_count
        array = self._block.create_data_array(
            name, "nix.analog", dtype=nix.DataType.Double, shape=(count,), label="waveform"
        )
        array.unit = _unit(entity.units)
        times = np.empty(count)
        for start, stop in sample_pieces(entity):
            values, times[start:stop], _ = entity.get_data(start, stop - start)
            array[start:stop] = values
            self._progress.advance(stop - start)
        array.append_range_dimension(times, label="time", unit="s")
        return array

    def _neural(self, entity: NeuralEntity, name: str) -> Any:
        times = entity.get_data()
        array = self._block.create_data_array(
            name, "nix.neural", data=times, label="timestamps", unit="s"
        )
        array.append_range_dimension_using_self()
        self._progress.advance(times.size)
        return array

    def _segments(self, entity: SegmentEntity, name: str) -> None:
        """Write an array for each item, and the facts of the entity and its sources."""
        facts = self._facts(entity, f"{name}_metadata", "odml.recording")
        for source in entity.sources:
            section = facts.create_section(f"SourceInfo.{source.id}", "odml.recording")
            _put_facts(section, source.metadata_raw)
        group, unit = self._group(entity), _unit(entity.units)
        interval = 1 / entity.sample_rate if entity.sample_rate > 0 else 1.0
        item_bytes = 8 * max(1, entity.source_count * entity.max_sample_count)
        for start, stop in pieces(0, entity.item_count, item_bytes, PIECE_BYTES):
            items = entity.get_items(start, stop - start)
            for at, time in enumerate(items.times.tolist()):
                count = int(items.sample_counts[at])
                values = items.values[at, :, :count].T
                title = f"{start + at} - {time:.6f}"
                array = self._block.create_data_array(
                    f"{name}_{title}",
                    "nix.segment",
                    data=values[:, 0] if values.shape[1] == 1 else values,
                    label="cutout waveform",
                    unit=unit,
                )
                array.append_sampled_dimension(interval, label="time", unit="s", offset=time)
                if values.shape[1] != 1:
                    array.append_set_dimension()
                section = facts.create_section(f"{entity.id}_{title}_metadata", "odml.unit")
                section.create_property("unitID", int(items.unit_ids[at]))
                array.metadata = section
                group.data_arrays.append(array)
            self._progress.advance(stop - start)


def _name(entity: Entity) -> str:
    """Name the array of an entity."""
    if isinstance(entity, NeuralEntity):
        return f"{entity.id} - {entity.label}"
    return entity.label


def _put_facts(section: Any, facts: Mapping[str, Any]) -> None:
    """Make a property of each fact."""
    for key, value in facts.items():
        section.create_property(key, value)


def _unit(text: str) -> str:
    """Give a unit that NIX has."""
    return text if nix.util.units.is_si(text) or nix.util.units.is_compound(text) else NO_UNIT
