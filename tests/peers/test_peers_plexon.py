"""Every real .plx file, whole, as neo reads it, and synthetic ones; neo's known faults by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ephyrus
from ephyrus.recording import seconds
from tests.golden import data_path
from tests.peers.facts import Facts, differences, peer, quiet
from tests.synth.plexon import Slow, counts, everything, plx

neo_rawio = peer("neo.rawio")

pytestmark = pytest.mark.peers

FILES = ["16sp_lfp_with_2coords", "opx141spkOnly004", "explore1", "strobed_negative"]


def facts_of(path: Any) -> dict[str, Any]:
    """What we read."""
    with ephyrus.open(path, format="plexon") as recording:
        signals = {
            channel: (stream, at)
            for stream in recording.signals
            for at, channel in enumerate(stream.channels.ids)
        }
        chosen = [signals[channel] for channel in sorted(signals, key=int)]
        trains = [
            (table, unit)
            for table in recording.tables
            if table.kind == "spikes"
            for unit in table.units
        ]
        events = [table for table in recording.tables if table.kind == "events" and table.length]
        return {
            "channel names": [stream.channels.names[at] for stream, at in chosen],
            "rates": [float(stream.rate) for stream, _ in chosen],
            "starts": [float(stream.t_start()) for stream, _ in chosen],
            "stored": [recording.read_signal(stream, channels=[at]) for stream, at in chosen],
            "samples": [
                recording.read_scaled(stream, channels=[at], dtype=np.dtype("f8"))
                for stream, at in chosen
            ],
            "units": [unit.label for _, unit in trains],
            "spike times": [_of_unit(recording, table, unit)[0] for table, unit in trains],
            "waveforms": [_of_unit(recording, table, unit)[1] for table, unit in trains],
            "events": [table.name for table in events],
            "event times": [
                seconds(recording.read_table(table)["tick"], table.clock) for table in events
            ],
            "words": [
                recording.read_table(table)["word"].tolist()
                for table in events
                if _has_words(table)
            ],
        }


def _has_words(table: Any) -> bool:
    return "word" in table.columns


def _of_unit(recording: Any, table: Any, unit: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and waveforms (mV) of a unit."""
    found = recording.read_table(table, columns=list(table.columns))
    mine = found["unit"] == unit.id
    times = seconds(found["tick"][mine], table.clock)
    if table.waveforms is None:
        return times, np.zeros((times.size, 0, 0))
    return times, found["waveform"][mine] * table.waveforms.gain


def by_neo(path: Any) -> Facts:
    """What neo reads."""
    reader = neo_rawio.PlexonRawIO(filename=str(path), progress_bar=False)
    reader.parse_header()
    header = reader.header
    channels, streams = header["signal_channels"], [*header["signal_streams"]["id"]]
    found = []
    for channel in channels:
        stream = streams.index(channel["stream_id"])
        where = {"stream_index": stream, "channel_ids": [channel["id"]]}
        raw = reader.get_analogsignal_chunk(**where)
        scaled = reader.rescale_signal_raw_to_float(raw, "float64", **where)
        start = float(reader.get_signal_t_start(0, 0, stream))
        found.append((int(channel["id"]), str(channel["name"]), channel, raw, scaled, start))
    found.sort(key=lambda each: each[0])
    numbers = range(len(header["spike_channels"]))
    times = [reader.get_spike_timestamps(0, 0, at) for at in numbers]
    events = [
        (str(channel["name"]), reader.get_event_timestamps(0, 0, at))
        for at, channel in enumerate(header["event_channels"])
    ]
    events = [(name, each) for name, each in events if len(each[0])]
    return {
        "channel names": [name for _, name, *_ in found],
        "rates": [float(channel["sampling_rate"]) for _, _, channel, *_ in found],
        "starts": [start for *_, start in found],
        "stored": [raw for *_, raw, _, _ in found],
        "samples": [scaled for *_, scaled, _ in found],
        "units": [str(each) for each in header["spike_channels"]["id"]],
        "spike times": [reader.rescale_spike_timestamp(each, "float64") for each in times],
        "waveforms": [_waveforms(reader, at, len(times[at])) for at in numbers],
        "events": [name.split("\0")[0] for name, _ in events],
        "event times": [
            reader.rescale_event_timestamp(each[0], "float64", at)
            for at, (_, each) in enumerate(events)
        ],
        "words": [[int(label) for label in each[2]] for name, each in events if name == "Strobed"],
    }


def _waveforms(reader: Any, at: int, count: int) -> np.ndarray:
    """Waveforms of a unit in mV (neo says in which unit they are nowhere)."""
    raw = reader.get_spike_raw_waveforms(0, 0, at)
    if raw is None or not raw.size:
        return np.zeros((count, 0, 0))
    return reader.rescale_waveforms_to_float(raw, "float64", at)


def compared(path: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """What we read, what neo reads, and what differs."""
    with quiet():
        theirs = dict(by_neo(path))
    ours = facts_of(path)
    return ours, theirs, differences(ours, theirs)


def without_faults(ours: dict[str, Any], theirs: dict[str, Any], last: int) -> dict[str, str]:
    """Compare again without the zeros that neo gives for the `last` samples, and start times."""
    for name in ("stored", "samples"):
        for mine, other in zip(ours[name], theirs[name], strict=True):
            assert np.any(mine[-last:])
            assert not np.any(other[-last:])
        ours[name] = [values[:-last] for values in ours[name]]
        theirs[name] = [values[:-last] for values in theirs[name]]
    assert theirs.pop("starts") == [0.0] * len(theirs["stored"])
    return differences(ours, theirs)


@pytest.mark.real
@pytest.mark.parametrize("name", FILES[1:])
def test_whole_recording(name):
    assert compared(data_path("plexon") / f"{name}.plx")[2] == {}


@pytest.mark.real
def test_whole_recording_with_continuous_data():
    """neo gives zeros for the last packet of each channel, and 0 s for 181 ticks."""
    ours, theirs, found = compared(data_path("plexon") / f"{FILES[0]}.plx")
    assert found.keys() == {"starts", "stored", "samples"}
    assert ours["starts"] == [181 / 40_000] * 16
    assert without_faults(ours, theirs, 6) == {}


@pytest.mark.real
def test_neo_cannot_open_a_clock_of_zero():
    with pytest.raises(UnboundLocalError), quiet():
        by_neo(data_path("plexon") / "ts_freq_zero.plx")


# Synthetic files


def slow(start: int = 0, *, block: int = 30, number: int = 100) -> list[Slow]:
    """Two channels without pauses; the last block is shorter unless they divide."""
    return [
        Slow(f"FP0{at}", at, 1000, [(start, counts(number, seed=at))], block=block, gain=200 * at)
        for at in (1, 2)
    ]


@pytest.mark.parametrize("version", [100, 102, 104, 105, 106])
def test_synthetic_recording(tmp_path, version):
    """Equal bits, no pause, a start at 0, a shorter last block: all agree."""
    made = everything(version, spike_bits=16)
    path = plx(slow(), made.spikes, made.events, settings=made.settings).write(tmp_path / "a.plx")
    assert compared(path)[2] == {}


def test_neo_takes_the_bits_of_spikes_for_continuous_data(tmp_path):
    made = everything(106, spike_bits=12)
    path = plx(slow(), settings=made.settings).write(tmp_path / "a.plx")
    ours, theirs, found = compared(path)
    assert found.keys() == {"samples"}
    theirs["samples"] = [values / 2**4 for values in theirs["samples"]]
    assert differences(ours, theirs) == {}


def test_neo_drops_the_last_block_and_the_start(tmp_path):
    made = everything(106, spike_bits=16)
    path = plx(slow(400, block=25), settings=made.settings).write(tmp_path / "a.plx")
    ours, theirs, found = compared(path)
    assert found.keys() == {"starts", "stored", "samples"}
    assert without_faults(ours, theirs, 25) == {}


def test_neo_joins_pauses(tmp_path):
    """One segment, and all samples of it as if there were no pause."""
    samples = counts(90)
    channel = Slow("FP01", 1, 1000, [(0, samples[:40]), (8000, samples[40:])], block=30)
    path = plx([channel], settings=everything(106, spike_bits=16).settings).write(
        tmp_path / "a.plx"
    )
    with quiet():
        reader = neo_rawio.PlexonRawIO(filename=str(path), progress_bar=False)
        reader.parse_header()
    assert reader.segment_count(0) == 1
    with ephyrus.open(path) as recording:
        assert len(recording.segments) == 2
        assert recording.signals[0].runs["tick"].tolist() == [0, 8000]
        np.testing.assert_array_equal(recording.read_signal(0)[:, 0], samples)
