"""A recording as a plain HDF5 file: a dataset for each entity, facts as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

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

__all__ = ["write_hdf5"]

PIECE_BYTES = 16 * 2**20  # of segments that are held at a time
GROUPS = {1: "Event", 2: "Analog", 3: "Segment", 4: "Neural"}
NUMBERS = {1: "<u1", 2: "<u2", 4: "<u4"}  # unsigned, as the interface has them


def write_hdf5(file: File, path: Path, progress: Progress) -> tuple[str, ...]:
    """Write all entities; gives what is left out, a sentence each."""
    entities = list(file.list_entities())
    known = [entity for entity in entities if entity.entity_type in GROUPS]
    with h5py.File(path, "w") as target:
        _put_facts(target, file.metadata_raw)
        for kind, name in GROUPS.items():
            own = [entity for entity in known if entity.entity_type == kind]
            names = unique_names({entity.id: _name(entity) for entity in own})
            group = target.create_group(name)
            for entity in own:
                label = f"{entity.id + 1} of {len(entities)}: {entity.label}"
                with under_way(progress, entity.item_count, "items", label):
                    _WRITERS[kind](group, names[entity.id], entity, progress)
    left = len(entities) - len(known)
    return left_out(left)


def _name(entity: Entity) -> str:
    if isinstance(entity, NeuralEntity):
        return f"{entity.id} - {entity.label}"
    return entity.label


def _put_facts(target: Any, facts: Mapping[str, Any], prefix: str = "") -> None:
    for key, value in facts.items():
        target.attrs[prefix + key] = value


def _events(group: Any, name: str, entity: EventEntity, progress: Progress) -> None:
    """Write records of time and value."""
    items = entity.get_bytes()
    width = max([entity.max_data_length, *map(len, items.values), 1])
    numbers = NUMBERS.get({2: 1, 3: 2, 4: 4}.get(entity.event_type, 0))
    kind = f"S{width}" if numbers is None else numbers
    records = np.zeros(len(items.values), [("timestamp", "<f8"), ("value", kind)])
    records["timestamp"] = items.times
    if numbers is None:
        records["value"] = [item.split(b"\0", 1)[0] for item in items.values]
    else:
        records["value"] = entity.get_items()[1]
    dataset = group.create_dataset(name, data=records)
    _put_facts(dataset, entity.metadata_raw)
    progress.advance(len(records))


def _analog(group: Any, name: str, entity: AnalogEntity, progress: Progress) -> None:
    """Write rows of time and value."""
    dataset = group.create_dataset(name, shape=(entity.item_count, 2), dtype="<f8")
    for start, stop in sample_pieces(entity):
        values, times, _ = entity.get_data(start, stop - start)
        dataset[start:stop] = np.column_stack([times, values])
        progress.advance(stop - start)
    _put_facts(dataset, entity.metadata_raw)


def _segments(group: Any, name: str, entity: SegmentEntity, progress: Progress) -> None:
    """Write a dataset for each item, shape (samples, sources)."""
    own = group.create_group(name)
    _put_facts(own, entity.metadata_raw)
    for source in entity.sources:
        _put_facts(own, source.metadata_raw, f"SourceInfo.{source.id}.")
    item_bytes = 8 * max(1, entity.source_count * entity.max_sample_count)
    for start, stop in pieces(0, entity.item_count, item_bytes, PIECE_BYTES):
        items = entity.get_items(start, stop - start)
        for at, time in enumerate(items.times.tolist()):
            values = items.values[at, :, : int(items.sample_counts[at])].T
            dataset = own.create_dataset(f"{start + at} - {time:.6f}", data=values)
            facts = {"Timestamp": time, "Unit": int(items.unit_ids[at]), "Index": start + at}
            _put_facts(dataset, facts)
        progress.advance(stop - start)


def _neural(group: Any, name: str, entity: NeuralEntity, progress: Progress) -> None:
    dataset = group.create_dataset(name, data=entity.get_data())
    _put_facts(dataset, entity.metadata_raw)
    progress.advance(entity.item_count)


_WRITERS: Mapping[int, Any] = {1: _events, 2: _analog, 3: _segments, 4: _neural}
