"""Real Blackrock recordings, whole, as neo reads them, and files of ours read by both."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ephyrus
from ephyrus.recording import seconds
from tests.golden import data_path
from tests.peers.facts import Facts, differences, peer, quiet
from tests.synth import blackrock as synth

neo_rawio = peer("neo.rawio")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),  # neo leaves them open
]

ONE = ((0, 3000),)
PAUSE = ((0, 3000), (6000, 4000))


@pytest.fixture(autouse=True)
def neo_closed() -> Iterator[None]:
    """Let go of the files that neo leaves open."""
    yield
    with quiet():
        gc.collect()


def ours(path: Any, **options: Any) -> list[Facts]:
    """What we read, by segment: signals, spikes of each unit, events."""
    with ephyrus.open(path, format="blackrock", **options) as recording:
        return [_segment(recording, number) for number in range(len(recording.segments))]


def _segment(recording: Any, segment: int) -> Facts:
    facts: dict[str, Any] = {"signals": [], "trains": [], "events": []}
    for stream in recording.signals:
        for run in recording.segment_runs(stream, segment):
            first, count, tick, _ = stream.runs[run].tolist()
            name = stream.name
            facts["signals"].append(name)
            facts[f"{name} names"] = list(stream.channels.names)
            facts[f"{name} units"] = list(stream.channels.units)
            facts[f"{name} start"] = float(tick / stream.clock)
            facts[f"{name} rate"] = float(stream.rate)
            facts[f"{name} stored"] = recording.read_signal(stream, first, first + count)
            facts[f"{name} samples"] = recording.read_scaled(
                stream, first, first + count, dtype=np.dtype("f8")
            )
    for table in recording.tables:
        for run in recording.segment_runs(table, segment):
            first, count, _, _ = table.runs[run].tolist()
            found = recording.read_table(table, first, first + count, list(table.columns))
            times = seconds(found["tick"], table.clock)
            if table.kind == "events":
                facts["events"].append(table.name)
                facts[f"{table.name} times"] = times
                facts[f"{table.name} labels"] = found["label"].tolist()
                continue
            for unit in table.units:
                mine = found["unit"] == unit.id
                if mine.any():
                    facts["trains"].append(unit.name)
                    facts[f"{unit.name} times"] = times[mine]
                    waves = found["waveform"][mine] * table.waveforms.gain
                    facts[f"{unit.name} waveforms"] = waves
    return facts


def by_neo(path: Any, **options: Any) -> list[Facts]:
    """What neo reads, by segment; trains and events of which there are none are left out."""
    with quiet():
        base = str(path.with_suffix(""))
        reader = neo_rawio.BlackrockRawIO(filename=base, nsx_to_load="all", **options)
        reader.parse_header()
        return [_neo_segment(reader, number) for number in range(reader.segment_count(0))]


def _neo_segment(reader: Any, segment: int) -> Facts:
    facts: dict[str, Any] = {"signals": [], "trains": [], "events": []}
    channels = reader.header["signal_channels"]
    for index, stream in enumerate(reader.header["signal_streams"]):
        mine, name = channels[channels["stream_id"] == stream["id"]], str(stream["name"])
        raw = reader.get_analogsignal_chunk(0, segment, stream_index=index)
        facts["signals"].append(name)
        facts[f"{name} names"] = [str(text) for text in mine["name"]]
        facts[f"{name} units"] = [str(text) for text in mine["units"]]
        facts[f"{name} start"] = float(reader.get_signal_t_start(0, segment, index))
        facts[f"{name} rate"] = float(reader.get_signal_sampling_rate(index))
        facts[f"{name} stored"] = np.asarray(raw)
        facts[f"{name} samples"] = raw * mine["gain"] + mine["offset"]
    for index, unit in enumerate(reader.header["spike_channels"]):
        if reader.spike_count(0, segment, index):
            name = str(unit["name"])
            ticks = reader.get_spike_timestamps(0, segment, index)
            waves = reader.get_spike_raw_waveforms(0, segment, index)
            facts["trains"].append(name)
            facts[f"{name} times"] = reader.rescale_spike_timestamp(ticks, "float64")
            facts[f"{name} waveforms"] = waves * unit["wf_gain"] + unit["wf_offset"]
    for index, channel in enumerate(reader.header["event_channels"]):
        ticks, _, labels = reader.get_event_timestamps(0, segment, index)
        if len(ticks):
            name = str(channel["name"])
            facts["events"].append(name)
            facts[f"{name} times"] = reader.rescale_event_timestamp(ticks, "float64", index)
            facts[f"{name} labels"] = [str(label) for label in labels]
    return facts


def assert_same(mine: list[Facts], theirs: list[Facts], known: tuple[str, ...] = ()) -> None:
    """Compare segment by segment; `known` names what differs in each."""
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs, strict=True):
        found = differences(one, other)
        assert found.keys() == set(known), found
        assert one.keys() >= other.keys() or known


# Real recordings


@pytest.mark.real
@pytest.mark.parametrize("name", ["example_1.nev", "test_BRSMPGRP_raw.ns3"])
def test_real(name):
    path = data_path("blackrock") / name
    assert_same(ours(path), by_neo(path))


@pytest.mark.real
def test_real_of_trellis():
    """Neo drops the stimuli of electrodes 5249 to 5280, which the file declares."""
    path = data_path("blackrock") / "testData.nev"
    (mine,), (theirs,) = ours(path), by_neo(path)
    stimuli = [f"ch{electrode}#0" for electrode in range(5249, 5281)]
    assert mine["trains"][-32:] == stimuli
    recorded = {**mine, "trains": mine["trains"][:-32]}
    assert differences(recorded, theirs) == {}
    assert theirs.keys() <= recorded.keys()


@pytest.mark.real
def test_real_old_file():
    """Neo takes the head of the block as samples, and leaves out the last sample."""
    path = data_path("blackrock") / "test_NEURALSG_raw.ns3"
    (mine,), (theirs,) = ours(path), by_neo(path)
    assert mine["nsx3 stored"].shape == (100, 128)
    assert theirs["nsx3 stored"].shape == (99, 128)
    # the first nine bytes, 1 0 0 0 0 100 0 0 0, as numbers:
    assert theirs["nsx3 stored"][0, :4].tolist() == [1, 0, 25600, 0]
    found = differences(mine, theirs)
    assert found.keys() == {"nsx3 stored", "nsx3 samples"}


# Files of ours

# A digital change together with a threshold of an analog input (reason 3) is an event of both; neo
# gives it to the analog input alone.
BOTH_REASONS = ("digital_input_port times", "digital_input_port labels")


def known_of(version: tuple[int, int]) -> tuple[str, ...]:
    return BOTH_REASONS if version < (2, 3) else ()


@pytest.mark.parametrize("version", [(2, 1), (2, 2), (2, 3), (3, 0)])
def test_spikes_and_events(tmp_path, version):
    path = synth.nev_file(version).write(tmp_path)
    assert_same(ours(path), by_neo(path), known_of(version))


@pytest.mark.parametrize("version", [(2, 2), (2, 3), (3, 0)])
def test_session_without_pauses(tmp_path, version):
    path = synth.full_session(version, ONE).write(tmp_path)
    assert_same(ours(path), by_neo(path), known_of(version))


@pytest.mark.parametrize("version", [(2, 2), (2, 3), (3, 0)])
def test_continuous_file_with_a_pause(tmp_path, version):
    path = synth.nsx_file(version).write(tmp_path)
    assert_same(ours(path), by_neo(path))


def test_old_session(tmp_path):
    """Neo leaves out the last sample; it minds the overflow of old firmware in samples alone."""
    path = synth.old_session().write(tmp_path)
    (mine,), (theirs,) = ours(path), by_neo(path)
    np.testing.assert_array_equal(theirs["nsx5 stored"], mine["nsx5 stored"][:-1])
    cut = {
        **mine,
        "nsx5 stored": mine["nsx5 stored"][:-1],
        "nsx5 samples": mine["nsx5 samples"][:-1],
    }
    trains = [name for name in mine["trains"] if name.startswith("ch129#")]
    assert trains
    assert differences(cut, theirs).keys() == {f"{name} waveforms" for name in trains}
    for name in trains:
        overflown = mine[f"{name} waveforms"] * (21.516 / 152.592547)
        np.testing.assert_allclose(theirs[f"{name} waveforms"], overflown)


def test_precision_time_protocol(tmp_path):
    path = synth.ptp_file().write(tmp_path)
    with pytest.raises(ValueError, match="timestamp gaps"):
        by_neo(path)
    assert_same(ours(path), by_neo(path, gap_tolerance_ms=1.0))


def test_comments(tmp_path):
    made = synth.nev_file((2, 3))
    nev = made.files["nev"]
    texts = [b"start", b"stop\0 behind"]  # neo gives what is behind the NUL too
    comments = nev.comments([11, 2500], texts, [0, 0], [0, 0], [255, 256])
    nev.packets = synth.in_order(nev, nev.packets, comments)
    path = made.write(tmp_path)
    mine, theirs = ours(path), by_neo(path)
    assert_same(mine, theirs, ("comments labels",))
    assert mine[0]["comments labels"] == ["start", "stop"]
    assert theirs[0]["comments labels"] == ["start", "stop\0 behind"]


@pytest.mark.parametrize("version", [(2, 2), (3, 0)])
def test_neo_leaves_later_spikes_in_the_first_segment(tmp_path, version):
    path = synth.full_session(version, PAUSE).write(tmp_path)
    mine, theirs = ours(path), by_neo(path)
    assert len(mine) == len(theirs) == 2
    for one, other in zip(mine, theirs, strict=True):
        found = differences(one, other)
        assert not [name for name in found if name.startswith("nsx")]
    for name in mine[0]["trains"]:
        both = [segment[f"{name} times"] for segment in mine if name in segment["trains"]]
        np.testing.assert_allclose(np.concatenate(both), theirs[0][f"{name} times"])


def test_neo_refuses_two_continuous_files_with_pauses(tmp_path):
    path = synth.full_session((2, 3), PAUSE).write(tmp_path)
    with pytest.raises(OSError, match="Inconsistent"):
        by_neo(path)


def test_neo_reads_no_waveforms_of_8_bits(tmp_path):
    path = synth.rich_nev().write(tmp_path)
    with pytest.raises(TypeError, match="unhashable"):
        by_neo(path)


def test_neo_reads_no_resets_of_these_files(tmp_path):
    path = synth.reset_session().write(tmp_path)
    with pytest.raises(KeyError):
        by_neo(path)
