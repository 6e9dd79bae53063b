"""Every real .mpx file, whole, as neo reads it, and synthetic ones; neo's known faults by name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ephyrus
from ephyrus.recording import seconds
from tests.golden import DATA, data_path
from tests.peers.facts import Facts, differences, peer, quiet
from tests.synth.alphaomega import RESOLUTION, Truth, after

neo_rawio = peer("neo.rawio")

pytestmark = pytest.mark.peers

FILES = sorted(path.name for path in (DATA / "alphaomega").glob("*.mpx"))
PREFIXES = ("ACC", "AI", "LFP", "RAW", "SPK", "UD")  # of names that neo reads; others it drops


def facts_of(folder: Path) -> dict[str, Any]:
    """What we read in a folder of one recording, as far as neo reads it too."""
    with ephyrus.open(folder, format="alphaomega") as recording:
        channels = {
            channel: (stream, at)
            for stream in recording.signals
            for at, channel in enumerate(stream.channels.ids)
            if stream.channels.names[at].startswith(PREFIXES)
        }
        chosen = [channels[channel] for channel in sorted(channels)]
        spikes = [table for table in recording.tables if table.kind == "spikes"]
        events = [table for table in recording.tables if "word" in table.columns]
        found = [recording.read_table(table, columns=list(table.columns)) for table in spikes]
        words = [recording.read_table(table) for table in events]
        return {
            "segments": len(recording.segments),
            "t_start": recording.segments[0].t_start,
            "ids": sorted(channels),
            "names": [stream.channels.names[at] for stream, at in chosen],
            "rates": [float(stream.rate) for stream, _ in chosen],
            "starts": [float(stream.t_start()) for stream, _ in chosen],
            "stored": [recording.read_signal(stream, channels=[at]) for stream, at in chosen],
            "scales": [float(stream.channels.gain[at]) for stream, at in chosen],
            "spike channels": [table.id for table in spikes],
            "spike times": [
                seconds(each["tick"], table.clock)
                for each, table in zip(found, spikes, strict=True)
            ],
            "waveforms": [each["waveform"] for each in found],
            "sweeps": [int(table.waveforms.left_sweep * table.waveforms.rate) for table in spikes],
            "events": [table.id for table in events],
            "event times": [
                seconds(each["tick"], table.clock)
                for each, table in zip(words, events, strict=True)
            ],
            "labels": [each["label"].tolist() for each in words],
        }


def by_neo(folder: Path) -> Facts:
    """What neo reads."""
    reader = neo_rawio.AlphaOmegaRawIO(dirname=str(folder))
    reader.parse_header()
    header = reader.header
    streams = [*header["signal_streams"]["id"]]
    channels = sorted(header["signal_channels"], key=lambda channel: channel["id"])
    where = [
        {"stream_index": streams.index(each["stream_id"]), "channel_ids": [each["id"]]}
        for each in channels
    ]
    trains = range(len(header["spike_channels"]))
    events = sorted((int(each["id"]), at) for at, each in enumerate(header["event_channels"]))
    stamps = [(at, reader.get_event_timestamps(0, 0, at)) for _, at in events]
    stamps = [(at, each) for at, each in stamps if len(each[0])]
    return {
        "segments": reader.segment_count(0),
        "t_start": reader.segment_t_start(0, 0),
        "ids": [str(each["id"]) for each in channels],
        "names": [str(each["name"]) for each in channels],
        "rates": [float(each["sampling_rate"]) for each in channels],
        "starts": [reader.get_signal_t_start(0, 0, each["stream_index"]) for each in where],
        "stored": [reader.get_analogsignal_chunk(**each) for each in where],
        "scales": [float(each["gain"]) for each in channels],
        "spike channels": [str(each) for each in header["spike_channels"]["id"]],
        "spike times": [
            reader.rescale_spike_timestamp(reader.get_spike_timestamps(0, 0, at), "float64")
            for at in trains
        ],
        "waveforms": [reader.get_spike_raw_waveforms(0, 0, at) for at in trains],
        "sweeps": [int(each) for each in header["spike_channels"]["wf_left_sweep"]],
        "events": [str(header["event_channels"]["id"][at]) for at, _ in stamps],
        "event times": [
            reader.rescale_event_timestamp(each[0], "float64", at) for at, each in stamps
        ],
        "labels": [each[2].tolist() for _, each in stamps],
    }


def compared(folder: Path) -> tuple[Facts, Facts]:
    with quiet():
        return facts_of(folder), by_neo(folder)


def without(facts: Facts, *names: str) -> Facts:
    return {name: fact for name, fact in facts.items() if name not in names}


def written(folder: Path, truths: list[Truth], prefix: str = "r") -> Path:
    for at, truth in enumerate(truths):
        (folder / f"{prefix}F{at + 1:04d}.mpx").write_bytes(truth.tobytes())
    return folder


def chain(number: int, **options: Any) -> list[Truth]:
    truths = [Truth(30, **options)]
    for _ in range(number - 1):
        truths.append(after(truths[-1]))
    return truths


def assert_inverse(ours: list[float], neos: list[float], ratio: list[float]) -> None:
    """Check that neo multiplies by gain / bit resolution; `ratio` is bit resolution / gain."""
    np.testing.assert_allclose(ours, ratio, rtol=1e-6)
    np.testing.assert_allclose(neos, 1 / np.array(ratio), rtol=1e-6)


@pytest.mark.real
@pytest.mark.parametrize("name", FILES)
def test_whole_recording(name, tmp_path):
    shutil.copy(data_path("alphaomega") / name, tmp_path / name)
    ours, theirs = compared(tmp_path)
    # neo starts channels with the segment; those of 1,375 Hz begin up to a sample before it
    assert differences(without(ours, "scales", "starts"), theirs) == {}
    slow = [rate < 44000 for rate in ours["rates"]]
    assert slow == [True, False, False]
    late = np.subtract(theirs["starts"], ours["starts"])
    assert np.all(late[np.logical_not(slow)] == 0)
    assert np.all((late[slow] > 0) & (late[slow] < 1 / 1375))
    assert_inverse(ours["scales"], theirs["scales"], [RESOLUTION / 20] * 3)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_synthetic_recordings(tmp_path, number):
    ours, theirs = compared(written(tmp_path, chain(number)))
    assert ours["segments"] == 1
    assert differences(without(ours, "scales"), theirs) == {}
    ratio = [76.5 / 0.25, RESOLUTION / 20, RESOLUTION / 5]
    assert_inverse(ours["scales"], theirs["scales"], ratio)


def test_recordings_of_one_file_each(tmp_path):
    written(tmp_path, [Truth(31)], "a")
    written(tmp_path, [Truth(32, tick=9_000_000)], "b")
    ours, theirs = compared(tmp_path)
    assert ours["segments"] == theirs["segments"] == 2


def test_neo_mixes_two_recordings_of_several_files(tmp_path):
    """The later files of the second recording are appended to the first."""
    one, two = chain(2), chain(2, tick=9_000_000)
    written(tmp_path, one, "a")
    written(tmp_path, two, "b")
    with quiet():
        reader = neo_rawio.AlphaOmegaRawIO(dirname=str(tmp_path))
        reader.parse_header()
        raw = [*reader.header["signal_streams"]["id"]].index("RAW")
        theirs = [reader.get_signal_size(0, at, raw) for at in range(reader.segment_count(0))]
    with ephyrus.open(tmp_path) as recording:
        runs = recording.signal("RAW").runs
        assert runs[["tick", "count", "segment"]].tolist() == [
            (one[0].tick, 240, 0),
            (9_000_000, 240, 1),
        ]
        whole = np.concatenate([truth.raw for truth in one + two])
        np.testing.assert_array_equal(recording.read_signal("RAW"), whole)
    assert theirs != [240, 240]
