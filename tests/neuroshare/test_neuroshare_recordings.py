"""Recordings of every format as Neuroshare files: what entities give is what the recording has."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus import neuroshare
from ephyrus.core import Block, Epoch, Event, IrregularlySampledSignal, Segment, SpikeTrain
from ephyrus.errors import NeuroshareError
from ephyrus.neuroshare.timeline import Timeline
from ephyrus.recording import seconds
from ephyrus.recording.blocks import from_blocks
from ephyrus.recording.channelfacts import place_and_filters, unit_bits, value_range
from ephyrus.recording.times import item_times
from tests.golden import data_path, golden
from tests.synth.objects import signal_of

S = pq.s
FORMATS = [
    "alphaomega",
    "axon",
    "blackrock",
    "brainvision",
    "example",
    "neuroexplorer",
    "plexon",
    "spike2",
    "tdt",
]


def cases():
    for name in FORMATS:
        module = importlib.import_module(f"tests.synth.{name}")
        for sample in module.samples():
            yield pytest.param(sample, id=f"{name}-{sample.name}")


def members(file):
    """Entities by stream: channels of signals, then the entities of each table, in order."""
    return iter(file.list_entities())


@pytest.mark.parametrize("sample", list(cases()))
def test_every_entity(sample, tmp_path):
    path = sample.write(tmp_path)
    library = neuroshare.RecordingLibrary(format=sample.format, **sample.options)
    with (
        ephyrus.open(path, format=sample.format, **sample.options) as recording,
        neuroshare.File(path, library) as file,
    ):
        timeline = Timeline.of(recording)
        entities = members(file)
        for stream in recording.signals:
            if len(stream.item_shape) == 1:
                for channel in range(len(stream.channels)):
                    check_signal(recording, timeline, stream, channel, next(entities))
        for table in recording.tables:
            check_table(recording, timeline, table, entities)
        assert next(entities, None) is None
        assert file.time_span == timeline.t_stop


def check_signal(recording, timeline, stream, channel, entity):
    assert type(entity) is neuroshare.AnalogEntity
    assert (entity.label, entity.units) == (
        stream.channels.names[channel],
        stream.channels.units[channel],
    )
    assert entity.sample_rate == float(stream.rate)
    stop = min(stream.length, 20_000)
    data, times, continuous = entity.get_data(0, stop)
    raw = recording.read_signal(stream, 0, stop, [channel])[:, 0].astype(float)
    np.testing.assert_array_equal(
        data, raw * stream.channels.gain[channel] + stream.channels.offset[channel]
    )
    runs = stream.runs[np.searchsorted(stream.runs["first"], np.arange(stop), "right") - 1]
    expected = item_times(stream, np.arange(stop)) + timeline.shifts[runs["segment"]]
    np.testing.assert_allclose(times, expected, rtol=1e-12, atol=1e-9)
    if stop:
        first = stream.runs[stream.runs["count"] > 0][0]
        assert continuous == min(stop, first["count"])
        assert entity.min_value <= data.min()
        assert data.max() <= entity.max_value
        check_search(entity)


def check_search(entity):
    """Times never go back, and each leads to its item or to one of the same time."""
    chosen = np.unique(np.linspace(0, len(entity) - 1, 7).astype(int)).tolist()
    times = [entity.get_time_by_index(at) for at in chosen]
    assert times == sorted(times)
    for time in times:
        for position in neuroshare.EntityTime:
            found = entity.get_index_by_time(time, position)
            assert entity.get_time_by_index(found) == time


def stored_times(recording, timeline, table):
    found = recording.read_table(table, columns=["tick"])["tick"]
    run = np.searchsorted(table.runs["first"], np.arange(table.length), "right") - 1
    return seconds(found, table.clock) + timeline.shifts[table.runs["segment"][run]]


def check_table(recording, timeline, table, entities):
    times = stored_times(recording, timeline, table)
    order = np.argsort(times, kind="stable")
    check = {
        "events": check_events,
        "epochs": check_epochs,
        "spikes": check_spikes,
        "samples": check_samples,
    }[table.kind]
    check(recording, table, times, order, entities)


def check_events(recording, table, times, order, entities):
    found = recording.read_table(table)
    names = ["label", *(n for n in table.annotation_columns if not table.columns[n].shape)]
    for name in names:
        entity = next(entities)
        assert entity.label == (table.name if name == "label" else f"{table.name} {name}")
        all_times, values = entity.get_items()
        np.testing.assert_array_equal(all_times, times[order])
        expected = found[name][order].tolist()
        if entity.event_type == 0:
            expected = [value if isinstance(value, str) else repr(value) for value in expected]
            assert values == [text.split("\0")[0] for text in expected]
        else:
            width = table.columns[name].itemsize
            assert values == [int(value) % 256**width for value in expected]
            assert (entity.min_data_length, entity.max_data_length) == (width, width)
        if times.size:
            check_search(entity)


def check_epochs(recording, table, times, order, entities):
    entity = next(entities)
    found = recording.read_table(table, columns=["label", "duration"])
    durations = seconds(found["duration"], table.clock)[order].tolist()
    all_times, values = entity.get_items()
    np.testing.assert_array_equal(all_times, times[order])
    assert (entity.event_type, entity.csv_desc) == (1, "label,duration (s)")
    assert [float(value.rsplit(",", 1)[1]) for value in values] == durations
    if not any(mark in "".join(found["label"]) for mark in ',"\n\r\0'):
        assert [value.rsplit(",", 1)[0] for value in values] == found["label"][order].tolist()


def check_spikes(recording, table, times, order, entities):
    names = ["unit"] if table.waveforms is None else ["unit", "waveform"]
    found = recording.read_table(table, columns=names)
    ids = [unit.id for unit in table.units]
    source = None
    if table.waveforms is not None:
        source = next(entities)
        items = source.get_items()
        waveforms = found["waveform"][order].astype(float)
        expected = waveforms * table.waveforms.gain + table.waveforms.offset
        np.testing.assert_array_equal(items.values, expected)
        np.testing.assert_array_equal(items.times, times[order])
        assert (source.sample_rate, source.units) == (
            float(table.waveforms.rate),
            table.waveforms.unit,
        )
        assert len(source.sources) == found["waveform"].shape[1]
        bits = dict(zip(sorted(ids), unit_bits(np.array(sorted(ids))).tolist(), strict=True))
        assert items.unit_ids.tolist() == [bits[unit] for unit in found["unit"][order].tolist()]
    for unit in table.units:
        entity = next(entities)
        own = times[order][found["unit"][order] == unit.id]
        np.testing.assert_array_equal(entity.get_data(), own)
        np.testing.assert_array_equal(entity.get_data(len(own) // 2), own[len(own) // 2 :])
        assert entity.source_unit_id == max(unit.id, 0)
        assert entity.source_entity_id == (entity.id if source is None else source.id)


def check_samples(recording, table, times, order, entities):
    entity = next(entities)
    found = recording.read_table(table, columns=["value"])["value"][order].astype(float)
    items = entity.get_items()
    np.testing.assert_array_equal(items.times, times[order])
    expected = found * table.channels.gain + table.channels.offset
    np.testing.assert_array_equal(items.values[:, :, 0], expected)


def test_sweeps_follow_each_other():
    """The interface has one span of time: segments that each begin at 0 are moved, others not."""
    block = Block()
    for t_start in (0.0, 0.0, 5.0, 5.001):
        segment = Segment()
        segment.analogsignals.append(signal_of(np.arange(3.0)[:, np.newaxis], t_start=t_start * S))
        segment.events.append(Event([t_start] * S, labels=["x"]))
        block.segments.append(segment)
    library = neuroshare.RecordingLibrary()
    handle = library.add(from_blocks(block))
    times = [library.time_by_index(handle, 0, index) for index in range(12)]
    expected = [0, 0.001, 0.002, 0.003, 0.004, 0.005, 5, 5.001, 5.002, 5.003, 5.004, 5.005]
    np.testing.assert_allclose(times, expected, rtol=1e-12, atol=1e-15)
    found = library.event_data(handle, 1, 0, 4).times
    np.testing.assert_allclose(found, [0, 0.003, 5, 5.003], rtol=1e-12)
    info = library.file_info(handle)
    assert info.comment == "segments that overlap in time follow each other here"
    assert info.time_span == pytest.approx(5.006)
    assert library.index_by_time(handle, 0, 0.0042, 0) == 4


def test_objects_in_memory():
    """Spikes without waveforms, unsorted events, epochs with commas, irregular samples."""
    segment, block = Segment(), Block()
    block.segments.append(segment)
    segment.spiketrains.append(SpikeTrain([0.5, 1.5], units="s", t_stop=2.0, name="unit a"))
    segment.events.append(Event([2.0, 1.0] * S, labels=["later", "früher"], name="marks"))
    segment.epochs.append(
        Epoch([0.25] * S, durations=[0.5] * S, labels=['a "b", c'], name="states")
    )
    segment.irregularlysampledsignals.append(
        IrregularlySampledSignal([0.1, 0.7] * S, [[1.0, 2.0], [3.0, 4.0]], units="mV", time_units=S)
    )
    library = neuroshare.RecordingLibrary()
    calls = neuroshare.Library("memory", calls=library)
    handle = library.add(from_blocks(block))
    by_type = {}
    for entity in range(library.file_info(handle).entity_count):
        by_type.setdefault(library.entity_info(handle, entity).label, entity)
    assert calls.path is None
    events = library.event_data(handle, by_type["marks"], 0, 2)
    assert events.times.tolist() == [1.0, 2.0]
    assert events.values == ["früher".encode(), b"later"]
    epochs = library.event_data(handle, by_type["states"], 0, 1)
    assert (epochs.times.tolist(), epochs.values) == ([0.25], [b'"a ""b"", c",0.5'])
    assert library.neural_data(handle, by_type["unit a"], 0, 2).tolist() == [0.5, 1.5]
    numbers = range(library.file_info(handle).entity_count)
    infos = [library.entity_info(handle, entity) for entity in numbers]
    (samples,) = [entity for entity in numbers if infos[entity].entity_type == 3]
    found = library.segment_data(handle, samples, 0, 2)
    assert found.values[:, :, 0].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert found.times.tolist() == [0.1, 0.7]
    assert found.sample_counts.tolist() == [1, 1]
    with pytest.raises(NeuroshareError) as caught:
        library.source_info(handle, samples, 2)
    assert caught.value.code == -6
    with pytest.raises(NeuroshareError) as caught:
        library.analog_info(handle, samples)
    assert caught.value.code == -5
    library.close(handle)
    with pytest.raises(NeuroshareError) as caught:
        library.close(handle)
    assert caught.value.code == -4


def test_facts_of_channels():
    """Range, resolution and filters by what the formats call them."""
    assert value_range(np.dtype("i2"), -0.5, 1.0, {}) == {
        "min_value": -16382.5,
        "max_value": 16385.0,
        "resolution": 0.5,
    }
    whole = value_range(np.dtype("f8"), 2.0, 0.0, {})
    assert whole["max_value"] == -whole["min_value"] == np.finfo("f8").max
    assert whole["resolution"] == 0.0
    given = {"min_value": -1.0, "max_value": np.float32(2.5), "resolution": 0.25}
    assert value_range(np.dtype("i2"), 1.0, 0.0, given) == given
    facts = {"highpass": 0.3, "lowpass": 7500.0, "impedance": 120.0}
    found = place_and_filters(facts)
    assert (found["low_freq_corner"], found["high_freq_corner"]) == (0.3, 7500.0)
    assert found["probe_info"] == "impedance 120"
    blackrock = {
        "high_pass_frequency": 250.0,
        "high_pass_order": 4,
        "high_pass_type": "Butterworth",
        "low_pass_frequency": float("nan"),
    }
    found = place_and_filters(blackrock)
    assert (found["low_freq_corner"], found["low_freq_order"]) == (250.0, 4)
    assert (found["low_filter_type"], found["high_freq_corner"]) == ("Butterworth", 0.0)


@pytest.mark.real
def test_a_real_recording_without_any_library():
    path = data_path("plexon/16sp_lfp_with_2coords.plx")
    expected = golden("plexon/16sp_lfp_with_2coords.plx")
    with neuroshare.File(path) as file:
        assert file.file_type == "Plexon (.plx)"
        kinds = {}
        for entity in file.entities:
            kinds.setdefault(type(entity).__name__, []).append(entity)
        assert len(kinds["AnalogEntity"]) == 16
        assert sum(len(entity) for entity in kinds["NeuralEntity"]) == 9294
        assert len(kinds["NeuralEntity"]) == 8
        assert all(len(entity) == 15962 for entity in kinds["AnalogEntity"])
    assert expected["file"] == "16sp_lfp_with_2coords.plx"
