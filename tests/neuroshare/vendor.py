"""What the recording of the vendor library holds, and the same as a native file."""

from __future__ import annotations

import numpy as np

from tests.dll import contents
from tests.synth import nsn

NUMBERS = {info.label: number for number, info in enumerate(contents.ENTITIES)}
WIDTHS = {2: "<u1", 3: "<u2", 4: "<u4"}


def event_values(label: str) -> list[str | int]:
    """Items of an event entity as the Python interface gives them."""
    number = NUMBERS[label]
    kind = contents.EVENT_INFOS[number].event_type
    raw = contents.EVENT_VALUES[number]
    if kind in WIDTHS:
        return [int(np.frombuffer(item, WIDTHS[kind], 1)[0]) for item in raw]
    return [nsn_text(item) for item in raw]


def nsn_text(raw: bytes) -> str:
    text = raw.split(b"\0")[0]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def as_nsn() -> nsn.File:
    """The recording with the same entities in the same order, by the native format's page."""
    return nsn.File([_entity(number) for number in range(len(contents.ENTITIES))])


def _entity(number: int) -> nsn.Entity:
    info = contents.ENTITIES[number]
    label, times = info.label.encode("latin-1"), contents.times(number)
    if number in contents.EVENT_INFOS:
        about = contents.EVENT_INFOS[number]
        items = contents.EVENT_VALUES[number]
        return nsn.Events(label, times, items, about.event_type, about.csv_desc.encode())
    if number in contents.ANALOG_INFOS:
        values = contents.analog_values(0, info.item_count)
        runs = contents.RUNS if number == 5 else [(0, info.item_count, 0.0)]
        pieces = [(start, values[first : first + count]) for first, count, start in runs]
        return nsn.Analog(label, pieces, rate=contents.ANALOG_INFOS[number].sample_rate)
    if number in contents.SEGMENT_INFOS:
        counts = contents.segment_counts(number)
        values = contents.segment_values(number)
        shapes = [item[:, :count] for item, count in zip(values, counts, strict=True)]
        units = contents.segment_units(number).tolist()
        sources = contents.SEGMENT_INFOS[number].source_count
        return nsn.Segments(label, times, shapes, units, sources=sources)
    if info.entity_type == 4:
        about = contents.NEURAL_INFO
        return nsn.Neural(label, times, about.source_entity_id, about.source_unit_id)
    return nsn.Unknown(info.entity_type, label)
