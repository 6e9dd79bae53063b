"""NeuroExplorer files against the synthetic writer, and the vendor's own example."""

from __future__ import annotations

import logging
import os
import struct
from fractions import Fraction

import numpy as np
import pytest
import quantities as pq

from ephyrus import io
from ephyrus.errors import CorruptError, TruncatedError, WrongFormatError
from ephyrus.formats.neuroexplorer import items, layout
from ephyrus.recording import seconds
from ephyrus.registry import open_recording
from tests.golden import assert_channel, assert_points, data_path, golden
from tests.synth import neuroexplorer as synth
from tests.synth.neuroexplorer import (
    CONTINUOUS,
    EVENT,
    INTERVAL,
    MARKER,
    METADATA,
    NEURON,
    POPULATION,
    WAVEFORM,
    Variable,
    nex,
    nex5,
)

F8 = np.dtype(np.float64)
CLOCK = 40_000
BOTH = pytest.mark.parametrize("write", [nex, nex5], ids=["nex", "nex5"])


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("EPHYRUS_CACHE", "off")


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes a file and opens it; every recording is closed in the end."""
    recordings = []

    def open_bytes(raw, *, name="test.nex", **options):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else raw.tobytes())
        recordings.append(open_recording(path, format="neuroexplorer", **options))
        return recordings[-1]

    yield open_bytes
    for recording in recordings:
        recording.close()


def patched(parts, *patches):
    """Bytes of a file with other values: (offset, format of struct, value)."""
    raw = bytearray(parts.tobytes())
    for offset, form, value in patches:
        struct.pack_into("<" + form, raw, offset, value)
    return bytes(raw)


def reasons(recording):
    return [f"{problem.field}: {problem.reason}" for problem in recording.problems]


def names(recording):
    return [table.name for table in recording.tables]


# Layout


def test_header_sizes():
    assert layout.NEX_FILE.itemsize == 544
    assert layout.NEX_VARIABLE.itemsize == 208
    assert layout.NEX5_FILE.itemsize == 356
    assert layout.NEX5_VARIABLE.itemsize == 244
    offsets = {name: field[1] for name, field in layout.NEX_VARIABLE.fields.items()}
    assert offsets["offset"] == 72
    assert offsets["x"] == 96
    assert offsets["points"] == 128
    assert offsets["shift"] == 140
    assert offsets["prethreshold"] == 148
    offsets = {name: field[1] for name, field in layout.NEX5_VARIABLE.fields.items()}
    assert offsets["units"] == 104
    assert offsets["points"] == 152
    assert offsets["index_type"] == 180


# Values of all kinds of variables

VARIANTS = {
    "nex-106": lambda made: nex(made, extent=(0, 8001)),
    "nex-scattered": lambda made: nex(
        made, extent=(0, 8001), gap=3, data_order=range(len(made) - 1, -1, -1)
    ),
    "nex5-501": lambda made: nex5(made, version=501, extent=(0, 8001)),
    "nex5-502": lambda made: nex5(made, extent=(0, 8001)),
}
EACH = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture
def made(variant):
    return synth.everything(is_long=variant == "nex5-502", is_float=variant == "nex5-501")


@EACH
def test_spikes(opened, variant, made):
    rec = opened(VARIANTS[variant](made))
    neuron, waveform = made[:2]
    for variable in (neuron, waveform):
        table = rec.table(variable.name)
        found = rec.read_table(table)
        assert found["tick"].tolist() == sorted(variable.ticks)
        assert found["tick"].dtype == ("<i8" if variant == "nex5-502" else "<i4")
        unit = 1 if variant.startswith("nex-") else 0
        assert found["unit"].tolist() == [unit] * len(variable.ticks)
        assert [each.id for each in table.units] == [unit]
        assert table.unit_counts.tolist() == [[len(variable.ticks)]]
        assert table.clock == CLOCK
    assert rec.table("sig001a").waveforms is None
    table = rec.table("sig001a_wf")
    stored = rec.read_table(table, columns=["waveform"])["waveform"]
    np.testing.assert_array_equal(stored[:, 0], waveform.values)
    layout_of = table.waveforms
    assert layout_of.rate == 40_000
    assert layout_of.left_sweep == Fraction(0.000225)
    is_float = variant == "nex5-501"
    assert (layout_of.gain, layout_of.offset) == ((1, 0) if is_float else (0.25, 1.5))
    assert not rec.problems


@EACH
def test_events_and_intervals(opened, variant, made):
    rec = opened(VARIANTS[variant](made))
    found = rec.read_table("Start")
    assert found["tick"].tolist() == [0]
    assert found["label"].tolist() == [""]
    assert rec.table("None").length == 0
    assert rec.read_table("None")["label"].tolist() == []
    found = rec.read_table("trials")
    assert found["tick"].tolist() == [100, 2000, 4000]
    assert found["duration"].tolist() == [1400, 500, 3000]
    assert found["label"].tolist() == ["", "", ""]
    assert rec.read_table("AllFile")["duration"].tolist() == [8000]
    assert [table.kind for table in rec.tables] == [
        *("spikes", "spikes", "events", "events", "epochs", "epochs", "events")
    ]


@EACH
def test_markers(opened, variant, made):
    rec = opened(VARIANTS[variant](made))
    table = rec.table("Strobed")
    assert list(table.columns) == ["tick", "label", "note"]
    assert table.annotations == {"field_names": ["DIO", "note"]}
    found = rec.read_table(table)
    assert found["tick"].tolist() == [80, 800, 8000]
    assert found["label"].tolist() == ["00001", "00255", "9"]
    assert found["note"].tolist() == ["first", "", "third"]


@EACH
def test_continuous(opened, variant, made):
    rec = opened(VARIANTS[variant](made))
    assert [stream.name for stream in rec.signals] == ["Continuous (1 kHz)", "slow"]
    both, slow = rec.signals
    assert both.channels.names == ("FP01", "FP02")
    assert both.channels.ids == ("6", "7")
    assert both.channels.units == ("mV", "mV")
    first, second = made[6:8]
    is_float = variant == "nex5-501"
    stored = np.column_stack([first.values, second.values]).astype("<f4" if is_float else "<i2")
    np.testing.assert_array_equal(rec.read_signal(both), stored)
    gains = [1, 1] if is_float else [0.125, 0.25]
    shifts = [0, 0] if is_float else [-2, 0]
    np.testing.assert_array_equal(rec.read_scaled(both, dtype=F8), stored * gains + shifts)
    assert both.runs.tolist() == [(0, 200, 0, 0)]
    assert slow.runs.tolist() == [(0, 20, 40, 0)]
    assert slow.rate == 100
    np.testing.assert_array_equal(rec.read_signal(slow)[:, 0], made[8].values)


@EACH
def test_facts(opened, variant, made):
    rec = opened(VARIANTS[variant](made))
    facts = rec.blocks[0].annotations
    assert facts["comment"] == "made"
    assert facts["version"] == (106 if variant == "nex-scattered" else int(variant[-3:]))
    assert facts["population_vectors"]["weights"].tolist() == [0.25, -1.5]
    (segment,) = rec.segments
    assert (segment.t_start, segment.t_stop) == (0.0, 0.001 + 20 / 100)  # to the end of "slow"
    facts = rec.table("sig001a").units[0].annotations
    expected = {"x": 20.0, "y": 30.0, "wire": 1, "unit": 1} if variant.startswith("nex-") else {}
    assert facts == expected


@EACH
def test_objects(opened, variant, made):
    rec = opened(VARIANTS[variant](made))
    block = io.NeuroExplorerIO(rec.path).read_block(
        load_waveforms=True, create_group_across_segment=True
    )
    (segment,) = block.segments
    neuron, waves = segment.spiketrains
    assert (neuron.name, waves.name) == ("sig001a", "sig001a_wf")
    assert neuron.waveforms is None  # demanded where there are none: no error
    assert neuron.times.units == pq.s
    np.testing.assert_array_equal(neuron.times.magnitude, np.array([400, 1200, 1200, 5000]) / CLOCK)
    assert waves.waveforms.shape == (6, 1, 10)
    assert waves.waveforms.units == pq.mV
    gain, shift = (1, 0) if variant == "nex5-501" else (0.25, 1.5)
    expected = (np.asarray(made[1].values) * gain + shift).astype("f4")
    np.testing.assert_array_equal(waves.waveforms.magnitude[:, 0], expected)
    assert waves.sampling_rate == 40_000 * pq.Hz
    assert float(waves.left_sweep.rescale("s")) == 0.000225
    assert (neuron.annotations["id"], waves.annotations["id"]) == ("0", "1")
    if variant.startswith("nex-"):
        facts = {"wire": 1, "unit": 1, "x": 20.0, "y": 30.0}
        assert facts.items() <= neuron.annotations.items()
    start, none, strobed = segment.events
    assert none.size == 0
    assert start.labels.tolist() == [""]
    assert strobed.labels.tolist() == ["00001", "00255", "9"]
    assert strobed.array_annotations["note"].tolist() == ["first", "", "third"]
    everything, trials = segment.epochs
    assert everything.name == "AllFile"
    np.testing.assert_array_equal(trials.times.magnitude, np.array([100, 2000, 4000]) / CLOCK)
    np.testing.assert_array_equal(trials.durations.magnitude, np.array([1400, 500, 3000]) / CLOCK)
    both, slow = segment.analogsignals
    assert both.array_annotations["channel_names"].tolist() == ["FP01", "FP02"]
    assert both.units == pq.mV
    assert slow.t_start == 0.001 * pq.s
    assert slow.sampling_rate == 100 * pq.Hz
    groups = {group.annotations.get("unit_name") for group in block.groups}
    assert {"sig001a", "sig001a_wf"} <= groups
    assert block.annotations["population_vectors"]["weights"].tolist() == [0.25, -1.5]


# Versions


@pytest.mark.parametrize("version", range(100, 107))
def test_versions_of_nex(opened, version):
    waves = synth.ramp(20).reshape(2, 10)
    variables = [
        Variable(CONTINUOUS, "FP01", [0], synth.ramp(30), shift=7.0),
        Variable(WAVEFORM, "wave", [1, 2], waves, shift=3.0, prethreshold=0.001),
    ]
    rec = opened(nex(variables, version=version))
    assert rec.signals[0].channels.offset.tolist() == [7.0 if version >= 105 else 0.0]
    layout_of = rec.tables[0].waveforms
    assert layout_of.offset == (3.0 if version >= 105 else 0.0)
    assert layout_of.left_sweep == (Fraction(0.001) if version >= 106 else 0)
    assert not rec.problems


@pytest.mark.parametrize(("version", "expected"), [(100, 0.0), (101, 0.0), (102, 0.001)])
def test_prethreshold_needs_its_variable_header(opened, version, expected):
    variable = Variable(
        WAVEFORM, "wave", [1], np.ones((1, 4)), prethreshold=0.001, version=version, unit=3
    )
    (table,) = opened(nex([variable])).tables
    assert table.waveforms.left_sweep == Fraction(expected)
    facts = table.units[0].annotations
    assert facts.get("unit") == (3 if version >= 101 else None)
    assert ("wire" in facts) == (version >= 101)


@BOTH
def test_unknown_version_is_noted(opened, write):
    rec = opened(write([Variable(NEURON, "one", [1])], version=999))
    assert rec.read_table(0)["tick"].tolist() == [1]
    assert "version 999 is not known" in reasons(rec)[0]


@pytest.mark.parametrize(("version", "t_stop"), [(500, 7.0), (501, 100.0), (502, 100.0)])
def test_end_of_nex5_is_valid_since_501(opened, version, t_stop):
    rec = opened(
        nex5([Variable(EVENT, "e", [7 * CLOCK])], version=version, extent=(0, 100 * CLOCK))
    )
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (0.0, t_stop)


def test_nex5_types(opened):
    """64-bit ticks and sample numbers beyond what 32 bits hold; float values in their units."""
    far = 2**40
    variables = [
        Variable(NEURON, "n", [far, far + 3], is_long=True),
        Variable(INTERVAL, "i", [far], [far + 2**33], is_long=True),
        Variable(
            CONTINUOUS, "c", [far, far + 40 * 2000], np.linspace(-1, 1, 30), [0, 20],
            is_long=True, is_float=True, has_long_indexes=True, gain=9.0, shift=9.0, units="uV",
        ),
    ]  # fmt: skip
    rec = opened(nex5(variables, frequency=1e9))
    assert rec.read_table("n")["tick"].tolist() == [far, far + 3]
    assert rec.read_table("i")["duration"].tolist() == [2**33]
    assert rec.tables[0].clock == 10**9
    (stream,) = rec.signals
    assert stream.runs["tick"].tolist() == [far, far + 80_000]
    assert stream.channels.units == ("uV",)
    np.testing.assert_array_equal(
        rec.read_scaled(stream)[:, 0], np.linspace(-1, 1, 30).astype("f4")
    )


def test_numeric_markers(opened):
    rec = opened(nex5(synth.numbered()))
    found = rec.read_table("Strobed")
    assert found["label"].tolist() == ["3", "4294967295", "0"]
    assert found["word"].tolist() == [3, 2**32 - 1, 0]
    assert found["box"].tolist() == [7, 8, 9]
    assert found["word"].dtype == np.uint32
    (event,) = io.NeuroExplorerIO(rec.path).read_segment().events
    assert event.labels.tolist() == ["3", "4294967295", "0"]
    assert event.array_annotations["word"].tolist() == [3, 2**32 - 1, 0]


def test_metadata(opened):
    variables = [Variable(NEURON, "sig001a", [1]), Variable(NEURON, "other", [1])]
    rec = opened(nex5(variables, metadata=METADATA), name="t.nex5")
    assert rec.blocks[0].annotations["metadata"] == METADATA
    assert rec.info.software == "made 1.5"
    facts = {"wire": 7, "unit": 1, "x": 10.0, "y": 2.5}
    assert rec.table("sig001a").units[0].annotations == facts
    assert rec.table("other").units[0].annotations == {}
    block = io.NeuroExplorerIO(rec.path).read_block()
    assert block.annotations["metadata"] == METADATA
    assert facts.items() <= block.segments[0].spiketrains[0].annotations.items()
    assert not rec.problems


@pytest.mark.parametrize(
    "strange",
    [
        [1, 2],
        {"file": 3, "variables": 4},
        {"file": {"writerSoftware": []}, "variables": [5, {"name": "sig001a", "probe": "x"}]},
        {"variables": [{"name": "sig001a", "unitNumber": 2**31, "probe": {"wireNumber": "7"}}]},
        {"variables": [{"name": "sig001a", "unitNumber": True, "probe": {"position": [1, 2]}}]},
    ],
)
def test_metadata_of_another_shape(opened, strange):
    rec = opened(nex5([Variable(NEURON, "sig001a", [1])], metadata=strange))
    assert rec.blocks[0].annotations["metadata"] == strange
    assert rec.info.software is None
    assert rec.tables[0].units[0].annotations == {}
    assert not rec.problems


@pytest.mark.parametrize(
    ("raw", "reason"), [(b"{", "no JSON text"), (b"[" * 100_000, "no JSON text"), (b"\xff", "JSON")]
)
def test_metadata_that_is_no_json(opened, raw, reason):
    rec = opened(nex5([Variable(NEURON, "one", [1])], metadata=raw))
    assert "metadata" not in rec.blocks[0].annotations
    assert reason in reasons(rec)[0]
    assert rec.read_table(0)["tick"].tolist() == [1]


@pytest.mark.parametrize("place", [-1, 8, 10**9])
def test_metadata_that_are_not_there(opened, place):
    rec = opened(patched(nex5([Variable(NEURON, "one", [1])]), (284, "q", place)))
    assert "metadata" in reasons(rec)[0]
    assert "metadata" not in rec.blocks[0].annotations


def test_metadata_may_end_with_zeros(opened):
    rec = opened(nex5([], metadata=b'{"a": 1}\0\0\n'))
    assert rec.blocks[0].annotations["metadata"] == {"a": 1}


# Times


def test_fractional_and_high_clocks(opened):
    rec = opened(nex([Variable(NEURON, "one", [1, 1000, 2**31 - 1])], frequency=24414.0625))
    assert rec.tables[0].clock == Fraction(24414.0625)
    expected = np.array([1, 1000, 2**31 - 1]) / 24414.0625
    (train,) = io.NeuroExplorerIO(rec.path).read_segment().spiketrains
    np.testing.assert_array_equal(train.times.magnitude, expected)
    rec = opened(nex5([Variable(NEURON, "one", [2**53 - 1], is_long=True)], frequency=1e9))
    (train,) = io.NeuroExplorerIO(rec.path).read_segment().spiketrains
    assert train.times.magnitude.tolist() == [(2**53 - 1) / 1e9]


def test_extent_covers_what_is_there(opened):
    """The header may say less than the data."""
    variables = [
        Variable(NEURON, "one", [-800, 90_000]),
        Variable(CONTINUOUS, "c", [0], [1] * 8000),
    ]
    rec = opened(nex(variables, extent=(0, 400)))
    (segment,) = rec.segments
    assert (segment.t_start, segment.t_stop) == (-0.02, 8.0)
    rec = opened(nex(variables[:1], extent=(0, 400)))
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (-0.02, 2.25)


def test_extent_that_contradicts_itself(opened):
    rec = opened(nex([Variable(NEURON, "one", [40_000])], extent=(10, 3)))
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (1.0, 1.0)
    assert "ends at tick 3, before it begins" in reasons(rec)[0]
    rec = opened(nex([], extent=(10, 3)))
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (0.0, 0.0)


# Fragments, segments


@BOTH
def test_common_pauses_make_segments(opened, write):
    made = synth.stretches()
    rec = opened(write(made))
    both, fast = rec.signals
    # fragments 0 and 1 follow each other: 50 samples of 1 kHz are 2,000 ticks
    assert both.runs.tolist() == [(0, 100, 400, 0), (100, 80, 10_000, 1), (180, 40, 30_000, 2)]
    assert fast.runs.tolist() == [(0, 200, 400, 0), (200, 160, 10_000, 1), (360, 80, 30_000, 2)]
    np.testing.assert_array_equal(
        rec.read_signal(both), np.column_stack([made[0].values, made[1].values])
    )
    np.testing.assert_array_equal(rec.read_signal(fast)[:, 0], made[2].values)
    table = rec.table("sig001a")
    assert table.runs.tolist() == [(0, 3, 400, 0), (3, 2, 10_000, 1), (5, 2, 30_000, 2)]
    assert table.unit_counts.tolist() == [[3, 2, 2]]
    assert rec.table("late").runs.tolist() == [(0, 1, 30_000, 2)]
    extents = [(segment.t_start, segment.t_stop) for segment in rec.segments]
    assert extents == [(0.0, 9999 / CLOCK), (0.25, 29_999 / CLOCK), (0.75, 90_000 / CLOCK)]
    assert not rec.problems


@BOTH
def test_objects_of_segments(opened, write):
    made = synth.stretches()
    rec = opened(write(made))
    block = io.NeuroExplorerIO(rec.path).read_block(create_group_across_segment=True)
    assert [len(segment.analogsignals) for segment in block.segments] == [2, 2, 2]
    assert [segment.analogsignals[0].shape for segment in block.segments] == [
        *((100, 2), (80, 2), (40, 2))
    ]
    starts = [float(segment.analogsignals[0].t_start) for segment in block.segments]
    assert starts == [0.01, 0.25, 0.75]
    values = block.segments[1].analogsignals[0].magnitude
    expected = np.column_stack([made[0].values, made[1].values])[100:180] * [0.5, 0.25]
    np.testing.assert_array_equal(values, expected.astype("f4"))
    spikes = [segment.spiketrains[0].times.magnitude.tolist() for segment in block.segments]
    assert spikes == [
        [399 / CLOCK, 400 / CLOCK, 9999 / CLOCK],
        [0.25, 29_999 / CLOCK],
        [0.75, 90_000 / CLOCK],
    ]
    assert [segment.events[0].size for segment in block.segments] == [0, 0, 1]
    (group,) = [group for group in block.groups if group.annotations.get("unit_name") == "sig001a"]
    assert [train.size for train in group.spiketrains] == [3, 2, 2]
    assert group.spiketrains[1] is block.segments[1].spiketrains[0]


@BOTH
def test_unrelated_gaps_stay_in_one_segment(opened, write):
    made = synth.unrelated()
    rec = opened(write(made))
    whole, parts = rec.signals
    assert len(rec.segments) == 1
    assert whole.runs.tolist() == [(0, 1000, 0, 0)]
    assert parts.runs.tolist() == [(0, 100, 4000, 0), (100, 200, 24_000, 0)]
    segment = io.NeuroExplorerIO(rec.path).read_segment()
    assert [signal.shape for signal in segment.analogsignals] == [(1000, 1), (100, 1), (200, 1)]
    assert [signal.name for signal in segment.analogsignals] == ["whole", "parts", "parts"]
    assert [float(signal.t_start) for signal in segment.analogsignals] == [0.0, 0.1, 0.6]
    np.testing.assert_array_equal(
        segment.analogsignals[2].magnitude[:, 0], np.asarray(made[1].values[100:] * 0.5, "f4")
    )
    assert rec.table("both").runs.tolist() == [(0, 2, 0, 0)]


def test_pauses_in_common_among_gaps_of_their_own(opened):
    variables = [
        Variable(CONTINUOUS, "a", [0, 40_000], synth.ramp(1000), [0, 500]),  # to 20,000 and 60,000
        Variable(CONTINUOUS, "b", [10_000, 50_000], synth.ramp(1000), [0, 500]),  # to 30,000 ...
    ]
    rec = opened(nex(variables))
    assert rec.signals[0].runs["segment"].tolist() == [0, 1]
    assert rec.signals[1].runs["segment"].tolist() == [0, 1]
    assert [segment.t_start for segment in rec.segments] == [0.0, 1.0]
    assert [segment.t_stop for segment in rec.segments] == [0.75, 1.75]


@pytest.mark.parametrize(
    ("tick", "runs"),
    [
        (4000 + 19, [(0, 200, 0, 0)]),
        (4000 - 19, [(0, 200, 0, 0)]),
        (4000 + 20, [(0, 100, 0, 0), (100, 100, 4020, 0)]),
        (4000 + 21, [(0, 100, 0, 0), (100, 100, 4021, 1)]),
        (4000 - 20, [(0, 100, 0, 0), (100, 100, 3980, 0)]),
        (0, [(0, 100, 0, 0), (100, 100, 0, 0)]),
    ],
)
def test_fragments_within_half_a_sample_are_joined(opened, tick, runs):
    """A sample is 40 ticks; fragments that overlap are no stretch, and no pause either."""
    rec = opened(nex([Variable(CONTINUOUS, "c", [0, tick], synth.ramp(200), [0, 100])]))
    assert rec.signals[0].runs.tolist() == runs


def test_many_fragments(opened):
    count, width = 5000, 7
    starts = np.arange(count) * width * 40 + np.where(np.arange(count) >= 3000, 400, 0)
    values = synth.ramp(count * width)
    rec = opened(nex([Variable(CONTINUOUS, "c", starts, values, np.arange(count) * width)]))
    assert rec.signals[0].runs.tolist() == [
        (0, 21_000, 0, 0),
        (21_000, 14_000, 21_000 * 40 + 400, 1),
    ]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], values)


def test_empty_fragments_are_dropped(opened):
    variable = Variable(CONTINUOUS, "c", [0, 4000, 9000, 9000], synth.ramp(150), [0, 100, 100, 150])
    rec = opened(nex([variable]))
    assert rec.signals[0].runs.tolist() == [(0, 100, 0, 0), (100, 50, 9000, 1)]


def test_ticks_beyond_53_bits(opened):
    """Differences of ticks decide, not their values as floats."""
    far = 2**60
    variable = Variable(
        CONTINUOUS, "c", [far, far + 400, far + 801], synth.ramp(30), [0, 10, 20], is_long=True
    )
    rec = opened(nex5([variable], frequency=2000.0, extent=(0, 1)))
    # a sample is two ticks: 10 samples are 20
    assert rec.signals[0].runs["tick"].tolist() == [far, far + 400, far + 801]
    variable.ticks = [far, far + 20, far + 41]
    rec = opened(nex5([variable], frequency=2000.0, extent=(0, 1)))
    assert rec.signals[0].runs["tick"].tolist() == [far, far + 41]


# Channels


@pytest.mark.parametrize("count", [2, 7, 8, 12])
@pytest.mark.parametrize("gap", [0, 6])
@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_channels_of_any_number_and_distance(opened, count, gap, access):
    made = synth.many(count)
    order = [*range(0, count, 2), *range(1, count, 2)] if gap else None
    rec = opened(nex(made, gap=gap, data_order=order), access=access)
    (stream,) = rec.signals
    expected = np.column_stack([variable.values for variable in made])
    np.testing.assert_array_equal(rec.read_signal(stream), expected)
    np.testing.assert_array_equal(rec.read_scaled(stream), expected * np.float32(0.5))
    np.testing.assert_array_equal(rec.read_signal(stream, 17, 42), expected[17:42])
    chosen = [count - 1, 0, 1]
    np.testing.assert_array_equal(rec.read_signal(stream, 5, 299, chosen), expected[5:299, chosen])
    assert rec.read_signal(stream, 5, 5).shape == (0, count)
    assert rec.read_signal(stream, 5, 9, []).shape == (4, 0)


def test_blocks_of_long_channels(opened):
    values = [synth.ramp(40_000, at) for at in range(3)]
    made = [Variable(CONTINUOUS, f"c{at}", [0], each) for at, each in enumerate(values)]
    rec = opened(nex(made))
    np.testing.assert_array_equal(rec.read_signal(0), np.column_stack(values))
    np.testing.assert_array_equal(
        rec.read_signal(0, 16_383, 32_770)[:, 1], values[1][16_383:32_770]
    )


def test_grouping(opened):
    """Equal rate, start and length make one signal; equal units are not needed."""
    values = synth.ramp(100)
    variables = [
        Variable(CONTINUOUS, "a", [0], values),
        Variable(CONTINUOUS, "other start", [40], values),
        Variable(CONTINUOUS, "b", [0], values, units="uV"),
        Variable(CONTINUOUS, "shorter", [0], values[:99]),
        Variable(CONTINUOUS, "other rate", [0], values, rate=999.0),
        Variable(CONTINUOUS, "floats", [0], values, is_float=True),
    ]
    rec = opened(nex5(variables))
    assert [stream.channels.names for stream in rec.signals] == [
        *(("a", "b"), ("other start",), ("shorter",), ("other rate",), ("floats",))
    ]
    assert rec.signals[0].channels.units == ("mV", "uV")
    assert [stream.id for stream in rec.signals] == ["0", "1", "3", "4", "5"]
    block = io.NeuroExplorerIO(rec.path).read_block()
    assert [str(signal.units.dimensionality) for signal in block.segments[0].analogsignals[:2]] == [
        *("mV", "uV")
    ]


# Quirks


def test_waveforms_begin_behind_times_of_four_bytes(opened):
    """Samples are not read at the times, nor after two bytes for each."""
    waves = synth.ramp(4000, 3).reshape(100, 40)
    rec = opened(nex([Variable(WAVEFORM, "w", np.arange(100) * 11, waves)]))
    found = rec.read_table("w", columns=["tick", "waveform"])
    assert found["tick"].tolist() == (np.arange(100) * 11).tolist()
    np.testing.assert_array_equal(found["waveform"][:, 0], waves)


def test_names_and_comment(opened):
    variables = [
        Variable(NEURON, "padded    ", [1]),
        Variable(NEURON, b"rubbish\0\xcc\xcc", [2]),
        Variable(NEURON, "Gerät 5 µ", [3]),
        Variable(NEURON, "padded", [4]),
    ]
    rec = opened(nex(variables, comment="Versuch für Ä\0rest"))
    assert names(rec) == ["padded", "rubbish", "Gerät 5 µ", "padded"]
    assert rec.read_table("3")["tick"].tolist() == [4]
    assert rec.blocks[0].annotations["comment"] == "Versuch für Ä"
    rec = opened(nex5(variables, comment="日本"))
    assert names(rec) == ["padded", "rubbish", "Gerät 5 µ", "padded"]
    assert rec.blocks[0].annotations["comment"] == "日本"


@BOTH
def test_marker_length_0(opened, write):
    fields = [("a", ["", ""]), ("b", ["", ""])]
    rec = opened(write([Variable(MARKER, "m", [3, 4], fields=fields, text_bytes=0)]))
    found = rec.read_table("m")
    assert found["label"].tolist() == ["", ""]
    assert found["b"].tolist() == ["", ""]
    assert found["tick"].tolist() == [3, 4]
    assert not rec.problems


@BOTH
def test_marker_without_fields(opened, write):
    rec = opened(write([Variable(MARKER, "m", [3, 4])]))
    assert rec.read_table("m")["label"].tolist() == ["", ""]
    assert rec.table("m").annotations == {}


def test_marker_without_markers(opened):
    fields = [("a", []), ("b", [])]
    rec = opened(nex([Variable(MARKER, "m", [], fields=fields)]))
    assert list(rec.table("m").columns) == ["tick", "label", "b"]
    rec = opened(nex([Variable(MARKER, "m", [], fields=fields, offset=0)]))
    assert list(rec.table("m").columns) == ["tick", "label"]
    assert not rec.problems


def test_marker_field_names(opened):
    """Columns have a name each, and none of those that mean something."""
    fields = [(name, ["x"]) for name in ("value", "label", "tick", "same", "same", "")]
    rec = opened(nex([Variable(MARKER, "m", [3], fields=fields)]))
    assert list(rec.table("m").columns) == [
        *("tick", "label", "label_", "tick_", "same", "same_4", "field_5")
    ]


def test_texts_of_markers(opened):
    """What follows a NUL is left over; UTF-8, else cp1252, each value by itself."""
    values = [b"plain\0\xcc\xcc", "ä".encode(), b"\xe4\xb5", b"\0rest", b"12345678", b" a b "]
    fields = [("first", values), ("second", values)]
    rec = opened(nex([Variable(MARKER, "m", range(6), fields=fields)]))
    expected = ["plain", "ä", "äµ", "", "12345678", " a b "]
    assert rec.read_table("m")["label"].tolist() == expected
    assert rec.read_table("m")["second"].tolist() == expected
    assert rec.read_table("m", 2, 3)["label"].tolist() == ["äµ"]
    raw = np.frombuffer(b"\xc3\xa4\x81\0", "u1").reshape(1, 4)
    assert items.texts(raw).tolist() == ["Ã¤\N{REPLACEMENT CHARACTER}"]


def test_offsets_of_the_upper_half_are_positive(tmp_path):
    """Declared signed, read unsigned: a sparse file with data behind 2 GiB."""
    place = 3 * 2**30
    path = tmp_path / "large.nex"
    parts = nex([Variable(NEURON, "far", [5, 6, 7], offset=place)])
    head = parts.parts[0]
    with path.open("wb") as file:
        file.write(head)
        file.seek(place)
        file.write(np.array([5, 6, 7], "<i4").tobytes())
    with open_recording(path) as rec:
        assert rec.read_table("far")["tick"].tolist() == [5, 6, 7]
        assert not rec.problems


def test_data_above_4_gib(tmp_path):
    """Offsets begin again from 0 there: what they mean cannot be known, and is not guessed."""
    path = tmp_path / "huge.nex"
    variables = [
        Variable(NEURON, "near", [1, 2], offset=2**20),
        Variable(EVENT, "empty", [], offset=0),
        Variable(NEURON, "last", [3, 4], offset=2**32 - 8),
        Variable(NEURON, "wrapped", [5, 6], offset=2**32 + 4096),
        Variable(NEURON, "after", [7, 8], offset=2**32 + 5000),
    ]
    with path.open("wb") as file:
        file.write(nex(variables).parts[0])
        for variable in variables:
            file.seek(variable.offset or 2000)
            file.write(np.array(variable.ticks, "<i4").tobytes())
    with open_recording(path) as rec:
        assert names(rec) == ["near", "empty", "last"]
        assert rec.read_table("last")["tick"].tolist() == [3, 4]
        notes = reasons(rec)
        assert "offsets of a .nex file reach 4,294,967,296" in notes[0]
        assert notes[1].startswith("wrapped: the variable is left out")
        assert notes[2].startswith("after: the variable is left out")


@BOTH
def test_times_out_of_order_are_sorted_with_what_belongs_to_them(opened, write, caplog):
    made = synth.unsorted()
    with caplog.at_level(logging.WARNING):
        rec = opened(write(made))
    assert len(rec.problems) == 4
    assert len(caplog.records) == 4
    assert reasons(rec)[1] == "sig001a_wf: the time stamps are not in order: they are sorted"
    order = [1, 2, 3, 0]
    assert rec.read_table("sig001a")["tick"].tolist() == [-200, 300, 300, 500]
    found = rec.read_table("sig001a_wf", columns=["tick", "waveform"])
    assert found["tick"].tolist() == [-200, 300, 300, 500]
    np.testing.assert_array_equal(found["waveform"][:, 0], made[1].values[order])
    found = rec.read_table("sig001a_wf", 1, 3, ["waveform"])
    np.testing.assert_array_equal(found["waveform"][:, 0], made[1].values[order][1:3])
    found = rec.read_table("trials")
    assert found["tick"].tolist() == [100, 900]
    assert found["duration"].tolist() == [300, 50]
    assert rec.read_table("words")["label"].tolist() == ["c", "e", "i"]
    train = io.NeuroExplorerIO(rec.path).read_segment().spiketrains[0]
    assert train.times.magnitude.tolist() == [-0.005, 0.0075, 0.0075, 0.0125]
    assert train.t_start == -0.005 * pq.s


def test_order_and_segments(opened):
    variables = [
        Variable(CONTINUOUS, "c", [0, 40_000], synth.ramp(200), [0, 100]),
        Variable(EVENT, "e", [50_000, 10, 40_000, 39_999]),
    ]
    rec = opened(nex(variables))
    assert rec.read_table("e")["tick"].tolist() == [10, 39_999, 40_000, 50_000]
    assert rec.table("e").runs.tolist() == [(0, 2, 0, 0), (2, 2, 40_000, 1)]


def test_cached_times_are_as_read(tmp_path, monkeypatch):
    """Large files keep their order and segments in the cache."""
    monkeypatch.setenv("EPHYRUS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "large.nex"
    variables = [*synth.unsorted(), Variable(CONTINUOUS, "c", [0, 400], [1] * 20, [0, 5])]
    variables.append(Variable(CONTINUOUS, "long", [0], np.zeros(10_000_000, "<i2"), rate=1e6))
    nex(variables).write(path)
    os.utime(path, (1e9, 1e9))
    found = []
    for _ in range(2):
        with open_recording(path) as rec:
            tables = [rec.read_table(table, columns=[*table.columns]) for table in rec.tables]
            found.append((tables, [table.runs.tolist() for table in rec.tables], reasons(rec)))
    assert (tmp_path / "cache").is_dir()
    assert [*(tmp_path / "cache").iterdir()]
    (first, runs, notes), (second, again, noted) = found
    assert runs == again
    assert notes == noted
    assert len(notes) == 4
    for one, other in zip(first, second, strict=True):
        for name, column in one.items():
            np.testing.assert_array_equal(column, other[name])


def test_empty_variables(opened):
    variables = [
        Variable(NEURON, "no spikes", []),
        Variable(WAVEFORM, "no waves", [], np.empty((0, 32))),
        Variable(CONTINUOUS, "no fragment", [], [], []),
        Variable(CONTINUOUS, "no points", [0], []),
        Variable(CONTINUOUS, "no rate needed", [], [], [], rate=0.0),
        Variable(POPULATION, "no weights", values=[]),
    ]
    rec = opened(nex(variables))
    assert names(rec) == ["no spikes", "no waves"]
    assert rec.signals == ()
    assert rec.tables[1].columns["waveform"].shape == (1, 32)
    assert not rec.problems
    first, second = io.NeuroExplorerIO(rec.path).read_segment(load_waveforms=True).spiketrains
    assert first.size == second.size == 0
    assert second.waveforms.shape == (0, 1, 32)


def test_population_vectors_of_one_name(opened):
    variables = [Variable(POPULATION, "w", values=[at, 2.5]) for at in (0, 1)]
    facts = opened(nex(variables)).blocks[0].annotations
    assert {name: each.tolist() for name, each in facts["population_vectors"].items()} == {
        "w": [0.0, 2.5],
        "w_1": [1.0, 2.5],
    }


def test_opening_touches_no_samples(tmp_path):
    path = synth.big(tmp_path / "big.nex", samples=100_000, channels=4, spikes=1000, units=2)
    with open_recording(path, access="pread") as rec:
        times = 4 * 1000
        heads = 2 * 16_384 + 544 + 6 * 208
        assert rec.reading.files.main.bytes_read <= times + heads


# Bad input


def test_magic(opened):
    with pytest.raises(WrongFormatError, match="expected b'NEX1' or b'NEX5'"):
        opened(b"NEX2" + bytes(1000))
    with pytest.raises(WrongFormatError):
        opened(b"")


@BOTH
@pytest.mark.parametrize("frequency", [0.0, -1.0, float("nan"), float("inf"), 1e-300])
def test_frequency(opened, write, frequency):
    with pytest.raises(CorruptError, match="ticks per second, expected a number above 0") as caught:
        opened(write([Variable(NEURON, "one", [1])], frequency=frequency))
    assert caught.value.offset == 264


@pytest.mark.parametrize(("write", "place", "header"), [(nex, 280, 752), (nex5, 280, 600)])
def test_number_of_variables(opened, write, place, header):
    parts = write([Variable(NEURON, "one", [1]), Variable(NEURON, "two", [2])])
    with pytest.raises(CorruptError, match="a count of -1"):
        opened(patched(parts, (place, "i", -1)))
    with pytest.raises(TruncatedError, match="variable headers"):
        opened(patched(parts, (place, "i", 2**31 - 1)))
    raw = parts.tobytes()[: header + 10]  # one header and a bit
    with pytest.raises(TruncatedError):
        opened(raw)
    rec = opened(raw, salvage=True)
    assert rec.problems[0].lost == 1
    assert "variable headers" in reasons(rec)[0]


@BOTH
@pytest.mark.parametrize(
    "variable",
    [
        Variable(NEURON, "cut", [7], count=100),
        Variable(INTERVAL, "cut", [7], [8], count=100),
        Variable(WAVEFORM, "cut", [7], np.ones((1, 4)), points=10_000),
        Variable(MARKER, "cut", [7], fields=[("f", ["x"])], count=100),
        Variable(MARKER, "cut", [7], fields=[("f", ["x"])], n_fields=100),
        Variable(MARKER, "cut", [7], fields=[("f", ["x"])], n_fields=2**31 - 1),
        Variable(CONTINUOUS, "cut", [7], [1, 2], points=1000),
        Variable(CONTINUOUS, "cut", [7], [1, 2], count=1000),
        Variable(POPULATION, "cut", values=[1.0], count=1000),
        Variable(NEURON, "cut", [7], offset=10**6),
        Variable(NEURON, "cut", [7], offset=544),
    ],
)
def test_data_past_the_end_leave_a_variable_out(opened, write, variable):
    rec = opened(write([Variable(NEURON, "one", [1]), variable]))
    assert names(rec) == ["one"]
    assert rec.signals == ()
    assert rec.read_table("one")["tick"].tolist() == [1]
    (problem,) = rec.problems
    assert problem.field == "cut"
    assert "the variable is left out" in problem.reason
    assert problem.lost > 0


SALVAGED = [
    (Variable(NEURON, "n", range(10)), 4 * 7, {"tick": list(range(7))}),
    (
        Variable(INTERVAL, "i", range(10), range(5, 15)),
        40 + 4 * 3 + 2,
        {"tick": [0, 1, 2], "duration": [5, 5, 5], "label": ["", "", ""]},
    ),
    (
        Variable(MARKER, "m", range(3), fields=[("a", "xyz"), ("b", "uvw")], text_bytes=2),
        12 + 64 + 6 + 64 + 5,
        {"tick": [0, 1], "label": ["x", "y"], "b": ["u", "v"]},
    ),
]


@BOTH
@pytest.mark.parametrize(("variable", "kept", "expected"), SALVAGED)
def test_salvage_of_tables(opened, write, variable, kept, expected):
    parts = write([variable])
    begin = len(parts.parts[0])
    raw = parts.tobytes()[: begin + kept]
    rec = opened(raw)
    assert rec.tables == ()
    assert rec.problems[0].lost == len(variable.ticks)
    rec = opened(raw, salvage=True)
    found = rec.read_table(0)
    assert {name: found[name].tolist() for name in expected} == expected
    assert rec.problems[0].lost == len(variable.ticks) - len(expected["tick"])


@BOTH
def test_salvage_of_waveforms_and_samples(opened, write):
    waves = synth.ramp(40).reshape(4, 10)
    parts = write([Variable(WAVEFORM, "w", range(4), waves)])
    rec = opened(parts.tobytes()[:-25], salvage=True)
    found = rec.read_table("w", columns=["tick", "waveform"])
    assert found["tick"].tolist() == [0, 1]
    np.testing.assert_array_equal(found["waveform"][:, 0], waves[:2])
    variable = Variable(CONTINUOUS, "c", [0, 40_000, 80_000], synth.ramp(30), [0, 10, 20])
    rec = opened(write([variable]).tobytes()[:-23], salvage=True)
    assert rec.signals[0].runs.tolist() == [(0, 10, 0, 0), (10, 8, 40_000, 1)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], variable.values[:18])
    assert rec.problems[0].lost == 12
    assert "30 samples from byte" in rec.problems[0].reason


@pytest.mark.parametrize(
    "attributes",
    [
        {"count": -1},
        {"points": -5},
        {"kind": MARKER, "n_fields": -1},
        {"kind": MARKER, "text_bytes": -1},
    ],
)
def test_negative_counts(opened, attributes):
    variable = Variable(WAVEFORM, "bad", [7], np.ones((1, 4)))
    made = nex([Variable(NEURON, "one", [1]), variable])
    places = {"count": 76, "points": 128, "n_fields": 132, "text_bytes": 136, "kind": 0}
    begin = 544 + 208
    raw = patched(made, *((begin + places[key], "i", value) for key, value in attributes.items()))
    rec = opened(raw)
    assert names(rec) == ["one"]
    assert reasons(rec)[0].startswith("bad: the variable is left out: a ")


@BOTH
@pytest.mark.parametrize("kind", [7, -1, 2**31 - 1])
def test_unknown_type(opened, write, kind):
    strange = Variable(NEURON, "strange", [2])
    parts = write([strange, Variable(NEURON, "one", [1])])
    rec = opened(patched(parts, (544 if write is nex else 356, "i", kind)))
    assert names(rec) == ["one"]
    assert reasons(rec) == [
        f"strange: the variable is left out: variables of type {kind} are not known"
    ]


@pytest.mark.parametrize(
    ("kind", "field", "is_refused"),
    [
        (NEURON, "tick", True),
        (NEURON, "value", False),
        (NEURON, "marker", False),
        (WAVEFORM, "value", True),
        (WAVEFORM, "index", False),
        (CONTINUOUS, "index", True),
        (MARKER, "marker", True),
    ],
)
def test_unknown_types_of_nex5_matter_where_they_are_used(opened, kind, field, is_refused):
    values = np.ones((1, 4)) if kind == WAVEFORM else [1.0]
    strange = Variable(kind, "strange", [2], values, fields=[("f", ["x"])], types={field: 9})
    rec = opened(nex5([strange]))
    assert bool(rec.problems) == is_refused
    assert bool(rec.tables or rec.signals) != is_refused


@BOTH
@pytest.mark.parametrize("indexes", [[0, 60, 50], [5, 50, 60], [0, 50, 101]])
def test_fragment_indexes(opened, write, indexes):
    strange = Variable(CONTINUOUS, "strange", [0, 4000, 9000], synth.ramp(100), indexes)
    rec = opened(write([strange, Variable(CONTINUOUS, "good", [0], synth.ramp(100))]))
    assert [stream.name for stream in rec.signals] == ["good"]
    assert "do not begin at increasing sample numbers from 0 to 100" in reasons(rec)[0]


@BOTH
def test_waveforms_without_points(opened, write):
    rec = opened(write([Variable(WAVEFORM, "w", [3, 4], np.empty((2, 0)))]))
    assert rec.tables[0].waveforms is None
    assert rec.read_table("w")["tick"].tolist() == [3, 4]
    assert reasons(rec) == ["w: waveforms of 0 points: the spikes have none"]
    (train,) = io.NeuroExplorerIO(rec.path).read_segment(load_waveforms=True).spiketrains
    assert train.size == 2


@BOTH
@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), 1e-300])
def test_rates(opened, write, rate):
    variables = [
        Variable(WAVEFORM, "w", [3], np.ones((1, 4)), rate=rate),
        Variable(CONTINUOUS, "c", [0], [1, 2], rate=rate),
        Variable(NEURON, "n", [1], rate=rate),
    ]
    rec = opened(write(variables))
    assert rec.table("w").waveforms.rate == 1
    assert rec.signals == ()
    assert reasons(rec) == [
        f"w: a sampling rate of {rate} Hz: waveforms are given at 1 Hz",
        f"c: the variable is left out: a sampling rate of {rate} Hz",
    ]


@BOTH
@pytest.mark.parametrize(
    ("gain", "shift"),
    [
        *[(0.0, 0.0), (float("nan"), 1.0), (1.0, float("inf")), (1.0, float("nan"))],
        *[(1e300, 0.0), (-1e38, 0.0), (1e-300, 0.0), (1.0, -1e300)],  # no float of 32 bits holds it
    ],
)
def test_scales(opened, write, gain, shift):
    variable = Variable(CONTINUOUS, "c", [0], [1, 2], gain=gain, shift=shift)
    rec = opened(write([variable]))
    assert rec.read_scaled(0)[:, 0].tolist() == [1.0, 2.0]
    assert rec.signals[0].channels.units == ("",)
    assert "stored numbers are given" in reasons(rec)[0]


@BOTH
@pytest.mark.parametrize("prethreshold", [float("nan"), float("-inf"), 1e300])
def test_prethreshold(opened, write, prethreshold):
    rec = opened(write([Variable(WAVEFORM, "w", [3], np.ones((1, 4)), prethreshold=prethreshold)]))
    assert rec.tables[0].waveforms.left_sweep == 0
    assert "taken as 0" in reasons(rec)[0]


def test_items_larger_than_a_type_can_hold(opened):
    rec = opened(nex5([Variable(WAVEFORM, "w", [], np.empty((0, 4)), points=2**62)]))
    assert rec.tables == ()
    assert "longer than 1 GiB" in reasons(rec)[0]


# The vendor's own example


REAL = "neuroexplorer/test.nex"


def overlapping(count, numbers, kind, points):
    """Variables that all claim the same bytes: numbers that go back, and room for more."""
    first = Variable(NEURON, "n", range(numbers, 0, -1))
    empty = [Variable(NEURON, "n") for _ in range(count - 1)]
    file, begin = nex([first, *empty]), 544 + 208 * count
    changes = []
    for header in range(544, begin, 208):
        changes += [(header, "i", kind), (header + 72, "I", begin), (header + 76, "i", numbers)]
        changes.append((header + 128, "i", points))
    return patched(file, *changes) + bytes(4 * numbers)


@pytest.mark.parametrize("salvage", [False, True])
@pytest.mark.parametrize(
    ("kind", "points", "claimed"),
    [(NEURON, 0, 4), (INTERVAL, 0, 8), (POPULATION, 0, 8), (WAVEFORM, 1, 6)],
)
def test_variables_that_claim_the_same_bytes(opened, kind, points, claimed, salvage):
    """Memory and time follow the bytes of the file, not what its headers claim together."""
    count, numbers = 300, 10_000
    raw = overlapping(count, numbers, kind, points)
    rec = opened(raw, salvage=salvage)
    left_out = (
        "n: the variable is left out: the variables before it claim 4 times the bytes of the file "
        "already"
    )
    kept = 4 * len(raw) // (claimed * numbers)
    assert reasons(rec).count(left_out) == count - kept
    if kind != POPULATION:
        assert len(rec.tables) == kept
        np.testing.assert_array_equal(rec.read_table(kept - 1)["tick"], np.arange(1, numbers + 1))


@pytest.mark.parametrize("points", [5, 2**40, 2**63, 2**64 - 1])
def test_samples_without_end(opened, points):
    """Numbers of samples that no integer of 64 bits holds: what is there is read, and is exact."""
    variable = Variable(
        CONTINUOUS, "c", [0, 4000], [1, 2, 3, 4], (0, 3), points=points, is_long=True
    )
    rec = opened(nex5([variable]), name="test.nex5", salvage=True)
    assert f"c: {points:,} samples from byte" in reasons(rec)[0]
    assert rec.signal(0).runs["count"].tolist() == [3, 1]
    assert rec.signal(0).runs["tick"].tolist() == [0, 4000]
    assert rec.read_signal(0)[:, 0].tolist() == [1, 2, 3, 4]
    strict = opened(nex5([variable]), name="strict.nex5")
    assert strict.signals == ()


def test_variables_that_are_not_whole_claim_nothing(opened):
    """Sound variables behind many broken ones are read."""
    broken = [Variable(NEURON, "broken", range(9), count=2**30) for _ in range(20)]
    rec = opened(nex([*broken, Variable(NEURON, "sound", [3, 4])]))
    assert names(rec) == ["sound"]
    assert rec.read_table(0)["tick"].tolist() == [3, 4]


@BOTH
def test_too_many_fields(opened, write):
    fields = [("same", ["x"])] * 3
    rec = opened(write([Variable(MARKER, "m", [3], fields=fields, n_fields=2**14 + 1)]))
    assert reasons(rec) == ["m: the variable is left out: its 16,385 fields are more than markers "
                            "have"]  # fmt: skip


def test_thousands_of_fields_of_one_name(opened):
    """Their names do not grow with their number."""
    fields = [("same", ["x"])] * 5000
    columns = list(opened(nex([Variable(MARKER, "m", [3], fields=fields)])).table("m").columns)
    assert columns[:4] == ["tick", "label", "same_1", "same_2"]
    assert max(map(len, columns)) == len("same_4999")


def test_labels_tell_units_apart(opened):
    """They are what tables and pictures show."""
    variables = [Variable(NEURON, name, [5]) for name in ("sig1a", "twice", "twice", "")]
    rec = opened(nex(variables))
    assert [table.units[0].label for table in rec.tables] == ["sig1a", "twice#1", "twice#2", "#3"]
    block = io.NeuroExplorerIO(rec.path).read_block()
    assert [train.annotations["id"] for train in block.segments[0].spiketrains] == [*"0123"]


@pytest.fixture
def real():
    with open_recording(data_path(REAL)) as recording:
        yield recording


@pytest.fixture
def expected():
    (segment,) = golden(REAL)["segments"]
    return segment


@pytest.mark.real
def test_real_signal(real, expected):
    """Its two fragments, 1.0 to 1.5 s and from 7.0 s on, are two segments (DISAGREEMENTS.md)."""
    (channel,) = expected["channels"]
    (stream,) = real.signals
    values = real.read_scaled(stream)[:, 0]
    assert_channel(values, channel)
    assert (stream.name, stream.id) == (channel["name"], channel["id"])
    assert stream.channels.units == (channel["units"],)
    assert float(stream.rate) == channel["sampling_rate"]
    assert float(stream.t_start()) == channel["t_start"]
    assert stream.runs.tolist() == [(0, 5, 10_000, 0), (5, 3, 70_000, 1)]
    assert real.segments[0].t_start == expected["t_start"]
    assert real.segments[-1].t_stop == expected["t_stop"]


@pytest.mark.real
def test_real_spikes(real, expected):
    trains = expected["spiketrains"]
    spikes = [table for table in real.tables if table.kind == "spikes"]
    assert [table.name for table in spikes] == [train["name"] for train in trains]
    for table, train in zip(spikes, trains, strict=True):
        assert (table.id, table.units[0].label) == (train["id"], train["name"])
        found = real.read_table(table, columns=[*table.columns])
        assert_points(seconds(found["tick"], table.clock), train)
        assert (table.waveforms is not None) == ("waveforms" in train)
    waves, facts = found["waveform"], trains[-1]["waveforms"]
    assert list(waves.shape) == facts["shape"]
    values = waves * table.waveforms.gain + table.waveforms.offset
    assert (values.sum(), values.min(), values.max()) == (facts["sum"], facts["min"], facts["max"])
    assert table.waveforms.unit == facts["units"]
    assert float(table.waveforms.rate) == facts["sampling_rate"]
    assert float(table.waveforms.left_sweep) == facts["left_sweep"]
    up = np.arange(8.0)
    np.testing.assert_array_equal(values[:, 0], [up, up[::-1], up])


@pytest.mark.real
def test_real_epochs_and_markers(real, expected):
    (epoch,) = expected["epochs"]
    table = real.table(epoch["name"])
    found = real.read_table(table)
    assert_points(seconds(found["tick"], table.clock), epoch)
    assert_points(seconds(found["duration"], table.clock), epoch["durations"])
    assert found["label"].tolist() == epoch["labels_first5"]
    (event,) = expected["events"]
    assert "UnicodeDecodeError" in event["error"]  # bytes 0xCC follow the end of each text
    table = real.table(event["name"])
    found = real.read_table(table)
    assert table.length == event["count"]
    assert found["tick"].tolist() == [10_000, 20_000, 30_000]
    assert found["label"].tolist() == ["field1value1", "field1value2", "field1value3"]
    assert found["field2"].tolist() == ["field2value1", "field2value2", "field2value3"]
    assert table.annotations == {"field_names": ["field1", "field2"]}


@pytest.mark.real
def test_real_facts(real):
    assert real.blocks[0].annotations == {"comment": "test nex file", "version": 100}
    assert not real.problems
    block = io.NeuroExplorerIO(data_path(REAL)).read_block(load_waveforms=True)
    first, second = block.segments
    assert [float(segment.analogsignals[0].t_start) for segment in (first, second)] == [1.0, 7.0]
    assert [train.size for train in first.spiketrains] == [3, 2, 3]
    assert [train.size for train in second.spiketrains] == [0, 0, 0]
